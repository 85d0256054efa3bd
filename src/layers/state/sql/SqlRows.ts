/**
 * What a database answers, as the SQL store needs it: rows as records, errors as reasons.
 *
 * @since 0.1.0
 */
import type { SqlConnection, SqlError } from "effect/sql"
import * as KeyText from "../../../domain/state/stored/KeyText.ts"
import {
  type AsideRecord,
  type DueKey,
  type RecordedAnswer,
  type SnapshotRecord,
  withTimers
} from "../../../domain/state/stored/SnapshotRecord.ts"
import type { StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import { none, type Row, type Timers } from "../../../domain/state/Timers.ts"

/** What a code of a database can mean. */
type Meaning = Exclude<StoreErrorReason["_tag"], "Fenced" | "Gone" | "Owned">

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

/** PostgreSQL's conditions, by code or by class. A server that is read-only may be about to be promoted: that passes. */
const pgCodes: { readonly [code: string]: Meaning } = {
  "22": "Invalid", // what one record holds
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

/** What a database's error means for a store: whether it may pass, is there to stay, or is about what was to be stored. */
export const reasonOf = (error: SqlError.SqlError): StoreErrorReason => {
  const _tag = meaningOf(codeOf(error.reason.cause))
  return _tag === "Corrupt" || _tag === "Invalid" ? { _tag, what: error.message } : { _tag, cause: error }
}

/** A snapshot out of its row. */
export const snapshotOf = (row: SqlConnection.Row): SnapshotRecord => ({
  key: KeyText.decode(String(row["key"])),
  epoch: Number(row["epoch"]),
  seq: Number(row["seq"]),
  version: Number(row["version"]),
  state: String(row["state"]),
  trusted: Number(row["trusted"]),
  at: Number(row["at"])
})

// What the store itself wrote, under the same name and version of the table.
const timersIn = (text: unknown): Timers => text === null || text === undefined ? none : JSON.parse(String(text))

/** What is recorded beside the snapshots of a key: answers, the oldest first, and timers, the newest first. */
export interface Recorded {
  readonly answers: ReadonlyArray<RecordedAnswer>
  readonly timers: ReadonlyArray<Row> | undefined
}

/** The same out of its rows, which are ordered by the snapshots they came with. */
export const recordedOf = (rows: ReadonlyArray<SqlConnection.Row>): Recorded => {
  const answers: Array<RecordedAnswer> = []
  let timers: Array<Row> | undefined
  for (const { at, body, id, seq } of rows) {
    if (id !== null) {
      answers.push({ id: KeyText.decode(String(id)), seq: Number(seq), at: Number(at), body: String(body) })
    } else (timers ??= []).unshift({ seq: Number(seq), timers: timersIn(body) })
  }
  return { answers, timers }
}

/** A key that has timers, out of its row. */
export const dueOf = (row: SqlConnection.Row): DueKey => ({
  key: KeyText.decode(String(row["key"])),
  due: Number(row["due"]),
  timers: timersIn(row["timers"])
})

/** What was set aside out of its row. */
export const asideOf = (row: SqlConnection.Row): AsideRecord =>
  withTimers({
    ...snapshotOf(row),
    // What the store itself wrote, likewise.
    answers: JSON.parse(String(row["answers"])) as ReadonlyArray<RecordedAnswer>,
    why: KeyText.decode(String(row["why"])),
    asideAt: Number(row["aside_at"])
  }, timersIn(row["timers"]))
