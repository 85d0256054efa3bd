/**
 * What is read of a SQL store, by the store itself and by those who only look.
 *
 * @since 0.1.0
 */
import { Clock, Effect } from "effect"
import { SqlClient, type SqlConnection, type SqlError } from "effect/sql"
import * as KeyText from "../../../domain/state/stored/KeyText.ts"
import { type AsideRecord, type DueKey, loaded } from "../../../domain/state/stored/SnapshotRecord.ts"
import { StoreError, type StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import { keysOf } from "../rows/SqlKeys.ts"
import { asideOf, dueOf, isTooLarge, newestAt, reasonOf, recordedOf, snapshotsOf } from "../rows/SqlRows.ts"
import * as SqlStatements from "../rows/SqlStatements.ts"
import type { StoreView } from "../store/StateStore.ts"
import type { Known } from "./SqlBesides.ts"
import * as SqlMarks from "./SqlMarks.ts"

/** Asks the database. */
type Run<E> = (statement: SqlStatements.Bound) => Effect.Effect<ReadonlyArray<SqlConnection.Row>, E>

const nothing: Known = { answers: [], lostAnswers: [], kept: [], lostTimers: [], stored: 0, timers: undefined }

/** Answers the marks of tables that have none. */
export type Unmarked<E> = (missing: ReadonlyArray<SqlMarks.Marked>) => Effect.Effect<SqlMarks.Marks, E>

/** What lies there of a key, and what does not. */
export const known = Effect.fnUntraced(function*<E>(
  sql: SqlStatements.Statements,
  run: Run<E>,
  key: string,
  unmarked: Unmarked<E>,
  /** The number of a snapshot that is known to have been stored. */
  noted = 0
): Effect.fn.Return<Known, E> {
  const text = KeyText.encode(key)
  const found = yield* run(sql.snapshots(text))
  const rows = found.filter((row) => row["key"] !== null)
  let marks = SqlMarks.ofSnapshots(found)
  if (!marks.has("snapshots")) marks = yield* unmarked(["snapshots"])
  if (rows.length === 0 && noted === 0 && marks.get("snapshots") === undefined) return nothing
  const besides = yield* run(sql.recorded(text, text))
  const newest = newestAt(key, rows) ?? (yield* Clock.currentTimeMillis)
  const recorded = recordedOf(key, besides.filter((row) => !SqlMarks.isMark(row)), newest)
  let ofAnswers = SqlMarks.ofRecorded(besides)
  if (!ofAnswers.has("answers")) ofAnswers = yield* unmarked(["answers"])
  const kept = snapshotsOf(key, rows, Math.max(recorded.stored, noted))
  return SqlMarks.withDoubts(key, { ...recorded, kept }, new Map([...marks, ...ofAnswers]))
})

/** What was set aside, of a key or of all. */
export const aside = <E>(
  sql: SqlStatements.Statements,
  run: Run<E>,
  key: string | undefined
): Effect.Effect<ReadonlyArray<AsideRecord>, E> =>
  Effect.map(
    run(key === undefined ? sql.allAside() : sql.asideOf(KeyText.encode(key))),
    (rows) => rows.map(asideOf)
  )

/** A page of the keys that have timers. */
export const due = <E>(
  sql: SqlStatements.Statements,
  run: Run<E>,
  limit: number,
  after: Pick<DueKey, "due" | "key"> = { due: -Number.MAX_VALUE, key: "" },
  until = Number.MAX_VALUE
): Effect.Effect<ReadonlyArray<DueKey>, E> => {
  const place = [after.due, KeyText.encode(after.key)]
  return Effect.map(
    run(sql.due(until, ...place, limit, until, ...place, limit)),
    (rows) => rows.flatMap((row) => dueOf(row) ?? [])
  )
}

/** What a database has of a store: nothing, tables of version 0.1, or tables of today. */
export type Tables = "none" | "old" | "today"

const tablesOf = <E>(sql: SqlStatements.Statements, run: Run<E>): Effect.Effect<Tables, E> =>
  Effect.map(run(sql.columnsOf(sql.names.snapshots)), (rows) => {
    const columns = new Set(rows.map((row) => row["name"]))
    if (!["key", "slot", "seq", "epoch", "state"].every((name) => columns.has(name))) return "none"
    return columns.has("sum") ? "today" : "old"
  })

/** A database, for those who only ask. */
export interface Asked {
  readonly dialect: SqlStatements.Dialect
  readonly execute: (
    text: string,
    params: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<SqlConnection.Row>, SqlError.SqlError>
}

/**
 * Reads rows whatever their integers are. Only a damaged row has one that no number holds, and it must not stand before
 * those that are whole: the rows are read once more, with all integers as `bigint`s.
 */
export const anyInteger = (execute: Asked["execute"]): Asked["execute"] => (text, params) => {
  const asked = execute(text, params)
  // What writes is not made again.
  return text.trimStart().startsWith("SELECT")
    ? Effect.catchIf(asked, isTooLarge, () => Effect.provideService(asked, SqlClient.SafeIntegers, true))
    : asked
}

/** A database that is only looked at. */
export interface Looked extends StoreView {
  readonly tables: Tables
}

/** Looks at a store on a database: writes nothing. One that has no store is `Absent`. */
export const look = Effect.fnUntraced(function*(
  { dialect, execute }: Asked,
  table: string,
  name: string
): Effect.fn.Return<Looked, StoreError> {
  const sql = SqlStatements.make(dialect, table)
  const fail = (operation: string, reason: StoreErrorReason) => new StoreError({ store: name, operation, reason })
  const asking = (operation: string): Run<StoreError> => ([text, params]) =>
    Effect.mapError(execute(text, params), (error) => fail(operation, reasonOf(error)))
  const tables = yield* tablesOf(sql, asking("open"))
  if (tables === "none") {
    return yield* fail("open", {
      _tag: "Absent",
      what: `there are no states in it: it has no table ${table} of a store`
    })
  }
  return {
    name,
    tables,
    load: (key) =>
      Effect.map(
        known(sql, asking("load"), key, () => Effect.succeed(new Map())),
        ({ answers, kept, timers }) => kept.map(({ record }) => loaded(record, answers, timers))
      ),
    listAside: (key) => aside(sql, asking("listAside"), key),
    keys: (prefix = "", page) => keysOf(sql, asking("keys"), prefix, page),
    doubt: SqlMarks.doubt(sql, asking("doubt")),
    timers: (limit, after, until) => due(sql, asking("timers"), limit, after, until)
  }
})
