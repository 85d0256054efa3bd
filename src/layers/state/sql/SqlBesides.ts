/**
 * What the SQL store writes beside the snapshots of a batch, in their transaction: recorded answers, and timers; and
 * what goes with a snapshot that is set aside.
 *
 * Few records bring any, and the statements for these are many times those of a snapshot.
 *
 * @since 0.1.0
 */
import { Array } from "effect"
import { isMade } from "../../../domain/state/MadeKey.ts"
import { AnswerShelf } from "../../../domain/state/stored/AnswerShelf.ts"
import * as KeyText from "../../../domain/state/stored/KeyText.ts"
import {
  type RecordedAnswer,
  type SnapshotRecord,
  withoutSnapshot
} from "../../../domain/state/stored/SnapshotRecord.ts"
import { earliest, type Row } from "../../../domain/state/Timers.ts"
import * as RowSums from "../rows/RowSums.ts"
import type { LostAnswer, Recorded, Slotted } from "../rows/SqlRows.ts"
import type { Along, AnswerRow, Bound, Floor, Statements, TimerRow } from "../rows/SqlStatements.ts"

type Records = ReadonlyArray<SnapshotRecord>

/** Answers in one statement: this only bounds a message's size. */
const maxAlong = 10_000

/** The statements that go with the snapshots of a batch, after them. */
export const besides = (
  sql: Statements,
  records: Records,
  lost: ReadonlyMap<string, ReadonlyArray<LostAnswer>>
): ReadonlyArray<Bound> => {
  const statements = lost.size === 0 ? [] : records.flatMap(({ key }) => rewritten(sql, key, lost.get(key) ?? []))
  let hasAnswers = false
  let setTimers = false
  for (const record of records) {
    if (record.timers !== undefined) setTimers = true
    if (isAnswering(record)) hasAnswers = true
  }
  if (hasAnswers) statements.push(...answersOf(sql, records))
  if (setTimers) statements.push(...timersOf(sql, records))
  return statements
}

/** Whether answers are recorded with it, or forgotten. */
const isAnswering = ({ answers = [], forgetAnswersBefore: given = 0, forgetMadeBefore: made = 0 }: SnapshotRecord) =>
  answers.length > 0 || given > 0 || made > 0

/** Which answers of a key are forgotten with a record. */
const floorsOf = (key: string, { forgetAnswersBefore: given = 0, forgetMadeBefore: made = 0 }: SnapshotRecord) =>
  [{ key, seq: given, made: false }, { key, seq: made, made: true }].filter(({ seq }) => seq > 0)

/** What stands for answers whose rows are damaged takes their place: it is forgotten as they would be. */
const rewritten = (sql: Statements, key: string, lost: ReadonlyArray<LostAnswer>): Array<Bound> =>
  lost.flatMap(({ answer, id }) => {
    const text = KeyText.encode(key)
    return [sql.dropAnswer(text, id), ...sql.saveAnswers([answerRow(text, answer)])]
  })

const answerRow = (key: string, { at, body, id, seq }: RecordedAnswer): AnswerRow => {
  const idText = KeyText.encode(id)
  return { key, id: idText, seq, at, body, sum: RowSums.ofAnswer(key, idText, seq, at, body) }
}

/**
 * What goes with the snapshots of a batch in their own statement: nothing but answers, where no key comes twice. So
 * what is recorded and what is forgotten are different rows.
 */
export const along = (records: Records): Along | undefined => {
  const rows: Array<AnswerRow> = []
  const floors: Array<Floor> = []
  const seen = new Set<string>()
  for (const record of records) {
    const { answers = [], forgetAnswersBefore = 0, forgetMadeBefore = 0, key, timers } = record
    if (timers !== undefined) return undefined
    if (!isAnswering(record)) continue
    if (seen.has(key)) return undefined
    seen.add(key)
    const text = KeyText.encode(key)
    const own = new Map<string, AnswerRow>()
    // One that is to be forgotten at once need not be written.
    for (const answer of answers) {
      const floor = isMade(answer.id) ? forgetMadeBefore : forgetAnswersBefore
      if (answer.seq >= floor) own.set(`${answer.seq} ${answer.id}`, answerRow(text, answer))
    }
    rows.push(...own.values())
    floors.push(...floorsOf(text, record))
  }
  return rows.length > maxAlong ? undefined : { rows, floors }
}

/** The answers of many keys at once: first what is recorded, then what is forgotten. */
const answersOf = (sql: Statements, records: Records): ReadonlyArray<Bound> => {
  const statements: Array<Bound> = []
  let rows = new Map<string, AnswerRow>()
  let floors: Array<Floor> = []
  let forgetting = new Set<string>()
  const finish = () => {
    for (const some of Array.chunksOf(rows.values(), sql.rowsPerStatement)) statements.push(...sql.saveAnswers(some))
    if (floors.length > 0) statements.push(...sql.forgetAnswers(floors))
    rows = new Map()
    floors = []
    forgetting = new Set()
  }
  for (const record of records) {
    const { answers = [] } = record
    const text = KeyText.encode(record.key)
    // What one record has forgotten, the next one of its key may bring again.
    if (forgetting.has(text)) finish()
    for (const answer of answers) {
      const row = answerRow(text, answer)
      // A statement must not write a row twice.
      rows.set(`${row.seq} ${row.id.length} ${row.id} ${text}`, row)
    }
    const own = floorsOf(text, record)
    floors.push(...own)
    if (own.length > 0) forgetting.add(text)
  }
  finish()
  return statements
}

/** The row of the timers of a key, which is found by when the earliest of them is due. */
export const timerRow = (key: string, { seq, timers }: Row): TimerRow => {
  const text = KeyText.encode(key)
  const json = JSON.stringify(timers)
  return { key: text, seq, due: earliest(timers) ?? null, timers: json, sum: RowSums.ofTimers(text, seq, json) }
}

/** Those of one key may be set more than once, with a snapshot each: the last of them are to be found. */
const timersOf = (sql: Statements, records: Records): ReadonlyArray<Bound> => {
  const rows = new Map<string, TimerRow>()
  const last = new Map<string, number>()
  for (const { key, seq, timers } of records) {
    if (timers === undefined) continue
    rows.set(`${seq} ${key}`, timerRow(key, { seq, timers }))
    last.set(key, Math.max(seq, last.get(key) ?? 0))
  }
  const lastOf = new Map(Array.map([...last], ([key, seq]) => [KeyText.encode(key), seq]))
  const all = Array.map([...rows.values()], (row) => lastOf.get(row.key) === row.seq ? row : { ...row, due: null })
  const keys = [...lastOf.keys()]
  return [
    sql.retireTimers(keys),
    ...Array.chunksOf(all, sql.rowsPerStatement).map(sql.setTimers),
    sql.pruneTimers(keys)
  ]
}

/** What is known of a key. */
export interface Known extends Recorded {
  readonly kept: ReadonlyArray<Slotted>
}

/** The statements that set a snapshot of a key aside; none where there is no such snapshot. */
export const setAside = (
  sql: Statements,
  { answers, kept, timers }: Known,
  { key, seq, why }: { readonly key: string; readonly seq: number; readonly why: string },
  asideAt: number
): ReadonlyArray<Bound> => {
  const at = kept.findIndex(({ record }) => record.seq === seq)
  const found = kept[at]
  // Where it is not known what there was, there is nothing to set aside.
  if (found === undefined || found.record.isDoubt === true) return []
  const { record, slot } = found
  const after = withoutSnapshot(
    {
      snapshots: kept.map(({ record }) => record),
      answers: new AnswerShelf(answers),
      timers
    },
    seq
  )
  const text = KeyText.encode(key)
  const texts = [
    JSON.stringify(after.answers),
    KeyText.encode(why),
    after.timers.length === 0 ? null : JSON.stringify(after.timers)
  ] as const
  const statements = [sql.setAside(
    text,
    record.seq,
    record.epoch,
    record.version,
    record.trusted,
    record.at,
    record.state,
    texts[0],
    texts[1],
    asideAt,
    texts[2],
    RowSums.ofAside(text, record, asideAt, texts)
  )]
  if (slot !== undefined) statements.push(sql.dropSlot(text, slot))
  if (at > 0) return statements
  const before = kept[1]?.record.seq ?? 0
  statements.push(sql.dropReplaced(text, before, text, before))
  statements.push(sql.takeBackAnswers(text, before), sql.takeBackTimers(text, before))
  const row = after.kept.timers?.[0]
  if (row !== undefined) statements.push(sql.setTimers([timerRow(key, row)]))
  return statements
}
