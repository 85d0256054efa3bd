/**
 * What the SQL store writes beside the snapshots of a batch, in their transaction: recorded answers, and timers.
 *
 * Few records bring any, and the statements for these are many times those of a snapshot.
 *
 * @since 0.1.0
 */
import { Array } from "effect"
import * as KeyText from "../../../domain/state/stored/KeyText.ts"
import type { SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import { earliest, type Row } from "../../../domain/state/Timers.ts"
import type { Bound, Statements, TimerRow } from "./SqlStatements.ts"

type Records = ReadonlyArray<SnapshotRecord>

/** The statements that go with the snapshots of a batch, after them. */
export const besides = (sql: Statements, records: Records): ReadonlyArray<Bound> => {
  const statements: Array<Bound> = []
  let setTimers = false
  for (const { answers = [], forgetAnswersBefore = 0, key, timers } of records) {
    if (timers !== undefined) setTimers = true
    if (answers.length === 0 && forgetAnswersBefore === 0) continue
    const text = KeyText.encode(key)
    for (const { at, body, id, seq } of answers) {
      statements.push(sql.saveAnswer(text, KeyText.encode(id), seq, at, body))
    }
    if (forgetAnswersBefore > 0) statements.push(sql.forgetAnswers(text, forgetAnswersBefore))
  }
  return setTimers ? [...statements, ...timersOf(sql, records)] : statements
}

/** The row of the timers of a key, which is found by when the earliest of them is due. */
export const timerRow = (key: string, { seq, timers }: Row): TimerRow => ({
  key: KeyText.encode(key),
  seq,
  due: earliest(timers) ?? null,
  timers: JSON.stringify(timers)
})

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
  const all = Array.map([...rows.values()], ({ due, key, seq, timers }) => {
    return { key, seq, due: lastOf.get(key) === seq ? due : null, timers }
  })
  const keys = [...lastOf.keys()]
  return [
    sql.retireTimers(keys),
    ...Array.chunksOf(all, sql.rowsPerStatement).map(sql.setTimers),
    sql.pruneTimers(keys)
  ]
}
