/**
 * What a database answers, as the SQL store needs it: rows as records, errors as reasons.
 *
 * @since 0.1.0
 */
import type { Cause } from "effect"
import { type SqlConnection, SqlError } from "effect/sql"
import * as Answers from "../../../domain/state/Answers.ts"
import * as KeyText from "../../../domain/state/stored/KeyText.ts"
import { damageOf, type RowDamage } from "../../../domain/state/stored/RowSum.ts"
import {
  type AsideRecord,
  type DueKey,
  type RecordedAnswer,
  type SnapshotRecord,
  withTimers
} from "../../../domain/state/stored/SnapshotRecord.ts"
import type { StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import { none, type Row, type Timers } from "../../../domain/state/Timers.ts"
import { messageOf } from "../../../domain/text/ForeignText.ts"
import * as RowSums from "./RowSums.ts"

/** What a code of a database can mean. */
type Meaning = Extract<StoreErrorReason["_tag"], "Unavailable" | "Full" | "Unusable" | "Corrupt" | "Invalid">

const codeOf = (cause: unknown): unknown => {
  const error: { readonly code?: unknown; readonly errcode?: unknown; readonly cause?: unknown } = Object(cause)
  return error.errcode ?? error.code ?? (error.cause === undefined ? undefined : codeOf(error.cause))
}

/** SQLite's primary result codes, by what they mean for a store; those that are not here may pass. */
const sqliteCodes: { readonly [code: number]: Meaning } = {
  1: "Unusable", // ERROR: no such table or column, syntax
  3: "Unusable", // PERM
  8: "Unusable", // READONLY
  11: "Corrupt", // CORRUPT
  13: "Full", // FULL
  18: "Invalid", // TOOBIG: the state, not the database
  21: "Unusable", // MISUSE
  23: "Unusable", // AUTH
  25: "Unusable", // RANGE: more parameters than it knows
  26: "Corrupt" // NOTADB
}

/** Extended codes of ERROR that stand for something that passes: it asks to be asked again. */
const sqliteRetry = 513

/**
 * PostgreSQL's conditions, by code or by class. A server that is read-only may be about to be promoted: that passes.
 */
const pgCodes: { readonly [code: string]: Meaning } = {
  "22": "Invalid", // what one record holds
  "28": "Unusable", // no such role, another password
  "3D": "Unusable", // no such database
  "3F": "Unusable", // no such schema
  "42": "Unusable", // no such table or column, syntax, a right that is missing
  "53100": "Full",
  "54": "Invalid", // larger than it can hold
  XX001: "Corrupt",
  XX002: "Corrupt"
}

const meaningOf = (code: unknown): Meaning => {
  if (typeof code === "number") return (code === sqliteRetry ? undefined : sqliteCodes[code & 0xff]) ?? "Unavailable"
  return typeof code === "string" && code.length === 5
    ? pgCodes[code] ?? pgCodes[code.slice(0, 2)] ?? "Unavailable"
    : "Unavailable"
}

/** What the database itself has said; a client's own error may say no more than that a query failed. */
const textOf = (cause: unknown): string => {
  const text = messageOf(cause)
  const several: { readonly errors?: unknown } = Object(cause)
  // A client that tries several addresses gathers what each of them said, and says nothing itself.
  return text === "" && Array.isArray(several.errors) ? several.errors.map(textOf).join("; ") : text
}

/** The error with what the database said. */
export const described = (error: SqlError.SqlError): Error => {
  const said = textOf(error.reason.cause)
  return error.message.includes(said) ? error : new Error(`${error.message}: ${said}`, { cause: error })
}

/**
 * What a database's error means for a store: whether it may pass, is there to stay, or is about what was to be stored.
 */
export const reasonOf = (error: SqlError.SqlError): StoreErrorReason => {
  const _tag = meaningOf(codeOf(error.reason.cause))
  const cause = described(error)
  return _tag === "Corrupt" || _tag === "Invalid" ? { _tag, what: cause.message } : { _tag, cause }
}

/** Whether SQLite has an integer in a row that no number holds. */
export const isTooLarge = (error: SqlError.SqlError): boolean => codeOf(error.reason.cause) === "ERR_OUT_OF_RANGE"

/** Whether PostgreSQL has no table of a name that a statement has. */
export const isTableMissing = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((one) =>
    one._tag === "Fail" && SqlError.isSqlError(one.error) && codeOf(one.error.reason.cause) === "42P01"
  )

/** A snapshot out of its row, and the slot that the row is in; without one it has no row. */
export interface Slotted {
  readonly slot: number | undefined
  readonly record: SnapshotRecord
}

interface Found extends Slotted {
  readonly damage: RowDamage | undefined
}

const found = (key: string, keySum: number, row: SqlConnection.Row): Found => {
  const record = {
    key,
    epoch: Number(row["epoch"]),
    seq: Number(row["seq"]),
    version: Number(row["version"]),
    state: String(row["state"]),
    trusted: Number(row["trusted"]),
    at: Number(row["at"])
  }
  return { slot: Number(row["slot"]), record, damage: damageOf(row["sum"], RowSums.ofSnapshot(keySum, record)) }
}

/** Whether a row is what was written. */
export const isWhole = (row: SqlConnection.Row): boolean => {
  const text = String(row["key"])
  return found(text, RowSums.ofText(text), row).damage === undefined
}

const textDamage = "its text is not what was written: it does not match its checksum"
const rowDamage = "its row is not what was written: it does not match its checksum, and its number is not known"
const missing = "it is not there any more, though it was stored"

/** The snapshots of a key that are not there: `stored` is the number of one that is known to have been stored. */
const gone = (key: string, stored: number, kept: ReadonlyArray<SnapshotRecord>): ReadonlyArray<Slotted> =>
  stored === 0 || kept.some((one) => one.seq >= stored) ? [] : [{
    slot: undefined,
    record: { key, epoch: 0, seq: stored, version: 0, state: "", trusted: 0, at: kept[0]?.at ?? 0, damaged: missing }
  }]

/**
 * The snapshots of a key out of its rows, newest first; those that are not what was written say why.
 *
 * One whose number is damaged might have been the newest. So it counts as such, with a number that none has; to set the
 * newest of these aside does not change those of the others.
 */
export const snapshotsOf = (
  key: string,
  rows: ReadonlyArray<SqlConnection.Row>,
  stored: number
): ReadonlyArray<Slotted> => {
  const keySum = RowSums.ofText(KeyText.encode(key))
  const all = rows.map((row) => found(key, keySum, row))
  const known = all.flatMap(({ damage, record, slot }): ReadonlyArray<Slotted> => {
    if (damage === "row") return []
    return [{ slot, record: damage === undefined ? record : { ...record, damaged: textDamage } }]
  }).sort((a, b) => b.record.seq - a.record.seq)
  const lost = all.filter(({ damage }) => damage === "row").sort((a, b) => Number(a.slot) - Number(b.slot))
  const last = known[0]?.record.seq ?? 0
  const unknown = lost.map(({ record, slot }, i): Slotted => ({
    slot,
    record: {
      key,
      seq: last + 1 + i,
      epoch: 0,
      version: Number.isSafeInteger(record.version) ? record.version : 0,
      state: record.state,
      trusted: 0,
      at: known[0]?.record.at ?? 0,
      damaged: rowDamage
    }
  })).reverse()
  // The number of a lost row may have been that one.
  return unknown.length > 0
    ? [...unknown, ...known]
    : [...gone(key, stored, known.map(({ record }) => record)), ...known]
}

/** What the store itself wrote, as far as it is that: a row that is damaged may hold anything. */
const listIn = (text: string) => {
  try {
    const found = JSON.parse(text)
    return Array.isArray(found) ? found : undefined
  } catch {
    return undefined
  }
}

const timersIn = (text: unknown): Timers => listIn(String(text)) ?? none

/** A row of a recorded answer that is damaged. */
export interface LostAnswer {
  /** The text of its id, as it is in the row. */
  readonly id: string
  /** What stands for it: for that call, or for any. */
  readonly answer: RecordedAnswer
}

/** What is recorded beside the snapshots of a key: answers, the oldest first, and timers, the newest first. */
export interface Recorded {
  readonly answers: ReadonlyArray<RecordedAnswer>
  readonly timers: ReadonlyArray<Row> | undefined
  /**
   * The answers whose rows are damaged, which {@link Recorded.answers} has as lost: the ids of the rows, and what
   * stands for them.
   */
  readonly lostAnswers: ReadonlyArray<LostAnswer>
  /** The snapshots whose timers are damaged: these are not there. */
  readonly lostTimers: ReadonlyArray<number>
  /** The highest number among them that is not damaged: a snapshot with it was stored. */
  readonly stored: number
}

/** When the newest snapshot of a key was made, out of the rows that are whole. */
export const newestAt = (key: string, rows: ReadonlyArray<SqlConnection.Row>): number | undefined => {
  const keySum = RowSums.ofText(KeyText.encode(key))
  const times = rows.map((row) => found(key, keySum, row)).filter(({ damage }) => damage !== "row")
  return times.length === 0 ? undefined : times.reduce((newest, { record }) => Math.max(newest, record.at), 0)
}

/**
 * The same out of its rows, which are ordered by the snapshots they came with; none of these was made after `newest`.
 */
export const recordedOf = (key: string, rows: ReadonlyArray<SqlConnection.Row>, newest: number): Recorded => {
  const text = KeyText.encode(key)
  const answers: Array<RecordedAnswer> = []
  const lostTimers: Array<number> = []
  const lost: Array<RecordedAnswer & { readonly damage: RowDamage }> = []
  let isNoneSet = false
  let timers: Array<Row> | undefined
  let stored = 0
  for (const row of rows) {
    const seq = Number(row["seq"])
    const body = String(row["body"])
    const at = Number(row["at"])
    const isTimers = row["id"] === null
    const id = String(row["id"])
    const damage = damageOf(
      row["sum"],
      isTimers ? RowSums.ofTimers(text, seq, body) : RowSums.ofAnswer(text, id, seq, at, body)
    )
    if (damage !== "row" && seq > stored) stored = seq
    if (isTimers) {
      if (damage === undefined) (timers ??= []).unshift({ seq, timers: timersIn(body) })
      else {
        lostTimers.push(seq)
        // None are set rather than those before, which were set otherwise since.
        if (damage === "row") isNoneSet = true
        else (timers ??= []).unshift({ seq, timers: none })
      }
    } else {
      const answer = { id: KeyText.decode(id), seq, at, body }
      if (damage === undefined) answers.push(answer)
      else lost.push({ ...answer, damage })
    }
  }
  const lostAnswers = lost.map(({ at, body, damage, id, seq }): LostAnswer => {
    // One of which it is not known what call it was of stands for any; it is as young as the newest snapshot at most.
    const known = damage === "text" ? { id, seq, at } : { id: Answers.anyId, seq: stored, at: newest }
    const why = `its row in the database is not what was written: ${body.slice(0, 200)}`
    return { id: KeyText.encode(id), answer: Answers.lost(known, why) }
  })
  answers.push(...lostAnswers.map(({ answer }) => answer))
  answers.sort((a, b) => a.seq - b.seq)
  return {
    answers: latest(answers),
    lostAnswers,
    timers: isNoneSet ? [{ seq: 0, timers: none }] : timers,
    lostTimers,
    stored
  }
}

/** Of those of one id the last. */
const latest = (answers: ReadonlyArray<RecordedAnswer>): ReadonlyArray<RecordedAnswer> => {
  const byId = new Map(answers.map((one) => [one.id, one]))
  return byId.size === answers.length ? answers : answers.filter((one) => byId.get(one.id) === one)
}

/** A key that has timers, out of its row; nothing where that is damaged. */
export const dueOf = (row: SqlConnection.Row): DueKey | undefined => {
  const text = String(row["key"])
  const timers = String(row["timers"])
  return damageOf(row["sum"], RowSums.ofTimers(text, Number(row["seq"]), timers)) === undefined
    ? { key: KeyText.decode(text), due: Number(row["due"]), timers: timersIn(timers) }
    : undefined
}

/** What was set aside out of its row. */
export const asideOf = (row: SqlConnection.Row): AsideRecord => {
  const text = String(row["key"])
  const answers = String(row["answers"])
  const why = String(row["why"])
  const timers = row["timers"] === null || row["timers"] === undefined ? null : String(row["timers"])
  const key = KeyText.decode(text)
  const { record } = found(key, 0, row)
  const asideAt = Number(row["aside_at"])
  const damage = damageOf(row["sum"], RowSums.ofAside(text, record, asideAt, [answers, why, timers]))
  return withTimers({
    ...record,
    answers: answersIn(answers),
    why: KeyText.decode(why),
    asideAt,
    ...(damage === undefined ? {} : { damaged: textDamage })
  }, timersIn(timers))
}

const answersIn = (text: string): ReadonlyArray<RecordedAnswer> => listIn(text) ?? []
