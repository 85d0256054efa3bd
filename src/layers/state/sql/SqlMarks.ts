/**
 * A row in each table of the SQL store that is there until something else empties the table.
 *
 * `TRUNCATE`, a `DELETE` of all rows, and a table that was removed and made anew leave keys behind that look as if
 * nothing had ever been written under them. The mark of the table is gone, too: each read of a key reads it along, and
 * a store that is opened asks for all of them. A mark that is missing is written again, with what is in doubt from then
 * on: whether a key of which there is nothing had a state, or whether a call of which there is no answer had one.
 *
 * *Tricky*: a store of a version that made no marks has none. It is taken for what it is, unless all of it is empty.
 *
 * @since 0.1.0
 */
import { Clock, Effect } from "effect"
import type { SqlConnection } from "effect/sql"
import * as Answers from "../../../domain/state/Answers.ts"
import { damageOf } from "../../../domain/state/stored/RowSum.ts"
import type { Doubt, SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import { safely } from "../../observation/SafeLog.ts"
import { markKey } from "../rows/MarkStatements.ts"
import * as RowSums from "../rows/RowSums.ts"
import type { LostAnswer } from "../rows/SqlRows.ts"
import type { Bound, Statements } from "../rows/SqlStatements.ts"
import type { Known } from "./SqlBesides.ts"

type Row = SqlConnection.Row
type Run<E> = (statement: Bound) => Effect.Effect<ReadonlyArray<Row>, E>

/** The tables that have a mark. */
export type Marked = "snapshots" | "answers" | "timers"

const states = ["snapshots", "answers"] as const
const all: ReadonlyArray<Marked> = ["snapshots", "answers", "timers"]

/** What each table is in doubt of, as far as it has a mark: nothing, or since when and why. */
export type Marks = ReadonlyMap<Marked, Doubt | undefined>

const sumOf = {
  snapshots: (at: number, state: string) =>
    RowSums.ofSnapshot(RowSums.ofText(markKey), { seq: 0, epoch: 0, version: 0, trusted: 0, at, state }),
  answers: (at: number, body: string) => RowSums.ofAnswer(markKey, markKey, 0, at, body),
  timers: (_: number, text: string) => RowSums.ofTimers(markKey, 0, text)
}

/** What a mark says, as JSON: so does each other row, and a person may ask for a field of all of them. */
const textOf = ({ why }: Doubt): string => why === "" ? "{}" : JSON.stringify({ doubt: why })

const doubtIn = (name: Marked, at: number, text: string, sum: unknown): Doubt | undefined => {
  if (damageOf(sum, sumOf[name](at, text)) !== undefined) return undefined
  const { doubt }: { readonly doubt?: string } = JSON.parse(text)
  return doubt === undefined ? undefined : { at, why: doubt }
}

/** The mark of the snapshots among the rows of a key, which has no key. */
export const ofSnapshots = (rows: ReadonlyArray<Row>): Marks =>
  new Map(rows.flatMap((row) =>
    row["key"] === null
      ? [["snapshots", doubtIn("snapshots", Number(row["at"]), String(row["state"]), row["sum"])] as const]
      : []
  ))

/** Whether a row of what is recorded of a key is the mark of the answers. */
export const isMark = (row: Row): boolean => row["id"] === markKey && Number(row["seq"]) === -1

/** That mark among what is recorded of a key. */
export const ofRecorded = (rows: ReadonlyArray<Row>): Marks =>
  new Map(rows.flatMap((row) =>
    isMark(row)
      ? [["answers", doubtIn("answers", Number(row["at"]), String(row["body"]), row["sum"])] as const]
      : []
  ))

const ofAll = (rows: ReadonlyArray<Row>): Marks =>
  new Map(rows.map((row) => {
    const name = all.find((one) => one === row["name"])!
    return [name, name === "timers" ? undefined : doubtIn(name, Number(row["at"]), String(row["text"]), row["sum"])]
  }))

const whyOf = (table: string): string => `the table ${table} was emptied, or made anew, and may have held it`

/** What a store is in doubt of, if it is: a mark that is missing beside another one says so, too. */
export const doubt = <E>(sql: Statements, run: Run<E>): Effect.Effect<Doubt | undefined, E> =>
  Effect.zipWith(run(sql.marks()), Clock.currentTimeMillis, (rows, now) => {
    const marks = ofAll(rows)
    const missing = marks.size === 0 ? undefined : states.find((name) => !marks.has(name))
    return marks.get("snapshots") ?? marks.get("answers") ??
      (missing && { at: now, why: whyOf(sql.names[missing]) })
  })

/** Writes the mark of a table. */
const write = (sql: Statements, name: Marked, doubt: Doubt): Bound => {
  const text = name === "timers" ? "[]" : textOf(doubt)
  const sum = sumOf[name](doubt.at, text)
  switch (name) {
    case "snapshots":
      return sql.markSnapshots(doubt.at, text, sum)
    case "answers":
      return sql.markAnswers(doubt.at, text, sum)
    case "timers":
      return sql.markTimers(text, sum)
  }
}

const whatIsLost: { readonly [Name in Marked]: string } = {
  snapshots: "of a server of which it has nothing it is not known whether it had a state",
  answers: "of a call with a key that has no answer on record it is not known whether it was handled",
  timers: "durable timers that were set may be gone"
}

/** Writes the marks that are missing, of tables that were emptied, and says so. */
export const doubtful = Effect.fnUntraced(function*<E>(
  sql: Statements,
  run: Run<E>,
  missing: ReadonlyArray<Marked>,
  store: string
): Effect.fn.Return<Marks, E> {
  const at = yield* Clock.currentTimeMillis
  const marks = new Map<Marked, Doubt | undefined>()
  for (const name of missing) {
    const table = sql.names[name]
    const doubt = { at, why: whyOf(table) }
    yield* run(write(sql, name, doubt))
    const entry = Effect.logError(
      `the table ${table} of the state store "${store}" was emptied, or made anew, by something else: ` +
        `${whatIsLost[name]}. Put back what was in it, or end the doubt: heirloom snapshots doubt STORE --end`
    )
    yield* safely(Effect.annotateLogs(entry, { store }))
    marks.set(name, name === "timers" ? undefined : doubt)
  }
  return marks
})

/** Sees to it that each table has its mark, when a store is opened; `isNew`: its tables have just been made. */
export const begin = Effect.fnUntraced(function*<E>(
  sql: Statements,
  run: Run<E>,
  isNew: boolean,
  store: string
): Effect.fn.Return<void, E> {
  const marks = isNew ? new Map() : ofAll(yield* run(sql.marks()))
  const missing = all.filter((name) => !marks.has(name))
  if (missing.length === 0) return
  const [remains] = isNew || marks.size > 0 ? [] : yield* run(sql.remains())
  const isEmptied = marks.size > 0 || (Number(remains?.["owners"] ?? 0) > 0 && Number(remains?.["kept"]) === 0)
  if (isEmptied) yield* doubtful(sql, run, missing, store)
  else yield* settled(sql, run, missing)
})

/** Writes marks that are in doubt of nothing. */
const settled = <E>(sql: Statements, run: Run<E>, names: ReadonlyArray<Marked>) =>
  Effect.forEach(names, (name) => run(write(sql, name, { at: 0, why: "" })), { discard: true })

/** What ends every doubt. */
export const settle = <E>(sql: Statements, run: Run<E>): Effect.Effect<void, E> =>
  Effect.andThen(run(sql.dropUnknown()), settled(sql, run, all))

/** What is known of a key, with what its tables are in doubt of. */
export const withDoubts = (key: string, known: Known, marks: Marks): Known => {
  const ofStates = known.kept.length === 0 ? marks.get("snapshots") : undefined
  const doubt = ofStates ?? marks.get("answers")
  if (doubt === undefined || (ofStates === undefined && known.kept.length === 0)) return known
  const { at, why } = doubt
  const any: LostAnswer = { id: Answers.anyId, answer: Answers.lost({ id: Answers.anyId, seq: 0, at }, why) }
  const answers = [any.answer, ...known.answers.filter(({ id }) => id !== Answers.anyId)]
  if (ofStates === undefined) return { ...known, answers }
  const record: SnapshotRecord = {
    key,
    epoch: 0,
    seq: 1,
    version: 1,
    state: "",
    trusted: 0,
    at,
    damaged: why,
    isDoubt: true
  }
  // It is on record from the first snapshot on that is stored.
  return { ...known, answers, lostAnswers: [...known.lostAnswers, any], kept: [{ slot: undefined, record }] }
}
