/**
 * The store on a SQL database, however that is reached.
 *
 * `StateStoreSql` and `StateStoreSqlite` are for users; they open the database, and make this store on it.
 *
 * *Tricky*: writes take turns. The slots of a key's ring are remembered (`SlotRings`), and two batches planned at once would
 * write the same ones; one batch at a time is also what makes a commit cheap.
 *
 * @since 0.1.0
 */
import { Array, Cause, Clock, Effect, type Scope, Semaphore } from "effect"
import { type SqlConnection, SqlError } from "effect/sql"
import { AnswerShelf } from "../../../domain/state/stored/AnswerShelf.ts"
import * as KeyText from "../../../domain/state/stored/KeyText.ts"
import { fencedOff, wholeStore } from "../../../domain/state/stored/Ownership.ts"
import {
  generationsOf,
  invalid,
  loaded,
  type SnapshotRecord,
  withoutSnapshot
} from "../../../domain/state/stored/SnapshotRecord.ts"
import { StoreError, type StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import type * as StateStore from "../store/StateStore.ts"
import * as DatabaseFiles from "./DatabaseFiles.ts"
import { SlotRings } from "./SlotRings.ts"
import { besides, timerRow } from "./SqlBesides.ts"
import { countOf, keysOf } from "./SqlKeys.ts"
import { asideOf, dueOf, reasonOf, recordedOf, snapshotOf } from "./SqlRows.ts"
import * as SqlStatements from "./SqlStatements.ts"

/** What names the store's tables, and bounds what it keeps. */
interface Options extends StateStore.Options {
  readonly table?: string | undefined
}

/** The database as the store uses it: `StateStoreSql` makes one of a `SqlClient`, `StateStoreSqlite` of its one connection. */
export interface Database {
  readonly dialect: SqlStatements.Dialect
  readonly execute: (
    text: string,
    params: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<SqlConnection.Row>, SqlError.SqlError>
  readonly transaction: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | SqlError.SqlError>
  /** It is one connection: a read must wait for the transaction of a write. */
  readonly isOneConnection: boolean
  /** How to look at its files, where it has any. */
  readonly watching?: DatabaseFiles.Watching | undefined
}

/** A store on a database; creates its tables if they are missing. */
export const make = Effect.fnUntraced(function*(
  database: Database,
  options: Options,
  /** What it is called in messages, where more is known of it than its table. */
  known?: string
): Effect.fn.Return<StateStore.StateStore<"process" | "machine">, StoreError, Scope.Scope> {
  const table = options.table ?? "heirloom_state"
  const name = known ?? `${database.dialect === "pg" ? "postgres" : "sqlite"} ${table}`
  const sql = SqlStatements.make(database.dialect, table)
  const lock = Semaphore.makeUnsafe(1)
  const rings = new SlotRings(generationsOf(name, options.generations))
  /** Owners of the epochs acquired here, for messages. */
  const owners = new Map<number, string>()

  const fail = (operation: string, reason: StoreErrorReason) => new StoreError({ store: name, operation, reason })
  const run = ([text, params]: SqlStatements.Bound) => database.execute(text, params)
  const runAll = (statements: ReadonlyArray<SqlStatements.Bound>) => Effect.forEach(statements, run, { discard: true })

  /** Typed, also when a rollback on a lost connection has turned the error into a defect. */
  const typed =
    (operation: string) =>
    <A>(effect: Effect.Effect<A, SqlError.SqlError | StoreError>): Effect.Effect<A, StoreError> =>
      Effect.catchCause(effect, (cause): Effect.Effect<A, StoreError> => {
        for (const reason of cause.reasons) {
          const error = Cause.isFailReason(reason)
            ? reason.error
            : Cause.isDieReason(reason)
            ? reason.defect
            : undefined
          if (error instanceof StoreError) return Effect.fail(error)
          if (SqlError.isSqlError(error)) return Effect.fail(fail(operation, reasonOf(error)))
        }
        return Effect.failCause(Cause.fromReasons(cause.reasons.filter((reason) => !Cause.isFailReason(reason))))
      })

  if (!/^[a-z_][a-z0-9_]{0,39}$/i.test(table)) {
    return yield* fail("open", { _tag: "Invalid", what: `"${table}" is not a plain table name of at most 40 letters` })
  }
  const prepare = runAll([
    ...(sql.lockTables === undefined ? [] : [sql.lockTables]),
    ...sql.tables.map((text): SqlStatements.Bound => [text, []])
  ])
  const complete = Effect.flatMap(
    run(sql.asideColumns),
    (rows) => rows.some((row) => row["name"] === "timers") ? Effect.void : run(sql.addTimersAside)
  )
  yield* typed("open")(database.transaction(Effect.andThen(prepare, complete)))
  const lost = yield* database.watching?.((text) => database.execute(text, [])) ?? Effect.undefined

  const inPlace = (operation: string) =>
    DatabaseFiles.lookAfter(lost, (found) => fail(operation, { _tag: "Gone", ...found }))
  const read = (operation: string) => <A>(effect: Effect.Effect<A, SqlError.SqlError | StoreError>) =>
    database.isOneConnection ? write(operation)(effect) : typed(operation)(inPlace(operation)(effect))
  const write = (operation: string) => <A>(effect: Effect.Effect<A, SqlError.SqlError | StoreError>) =>
    lock.withPermit(typed(operation)(inPlace(operation)(effect)))

  /** Why a write under these epochs was refused, or would be; `undefined` when they are all in force. */
  const stale = Effect.fnUntraced(function*(epochs: Iterable<number>, keys: ReadonlyArray<string>) {
    for (const epoch of epochs) {
      const owner = owners.get(epoch)
      const own = owner === undefined ? [] : yield* run(sql.epochOf(KeyText.encode(owner)))
      const [row] = own.length === 0 ? yield* run(sql.newestEpoch()) : own
      const current = Number(row?.["epoch"] ?? 0)
      // Epochs only grow.
      if (owner !== undefined && current < epoch) {
        return { _tag: "Gone", path: `table ${table}_owners`, how: "older" } as const
      }
      if (current !== epoch || owner === undefined) return fencedOff(epoch, current, owner)
      const younger = keys.length === 0 ? undefined : (yield* run(sql.younger(keys.map(KeyText.encode), epoch)))[0]
      if (younger !== undefined) {
        const key = KeyText.decode(String(younger["key"]))
        return { _tag: "Fenced", key, epoch, current: Number(younger["epoch"]) } as const
      }
    }
    return undefined
  })

  const learn = (keys: ReadonlyArray<string>) =>
    Effect.map(run(sql.slots(keys.map(KeyText.encode))), (rows) =>
      rings.learn(
        keys,
        rows.map((row) => ({
          text: String(row["key"]),
          slot: Number(row["slot"]),
          seq: Number(row["seq"]),
          epoch: Number(row["epoch"])
        }))
      ))

  const store = (records: ReadonlyArray<SnapshotRecord>): Effect.Effect<void, SqlError.SqlError | StoreError> => {
    const groups = rings.plan(records)
    if ("_tag" in groups) return Effect.fail(fail("save", groups))
    const more = besides(sql, records)
    const [first] = groups
    const written = groups.length === 1 && first!.rows.length <= sql.rowsPerStatement && more.length === 0
      ? run(sql.upsert(first!.epoch, first!.rows))
      : database.transaction(runAll([
        ...groups.flatMap(({ epoch, rows }) =>
          Array.chunksOf(rows, sql.rowsPerStatement).map((some) => sql.upsert(epoch, some))
        ),
        ...more
      ]))
    return Effect.map(written, () => rings.stored())
  }

  const save = (records: ReadonlyArray<SnapshotRecord>) => {
    const missing = rings.missing(records)
    return Effect.catchTag(
      missing.length === 0 ? store(records) : Effect.flatMap(learn(missing), () => store(records)),
      "SqlError",
      (error) =>
        error.reason._tag === "ConstraintError"
          ? Effect.flatMap(
            stale(new Set(records.map((one) => one.epoch)), records.map((one) => one.key)),
            // The fence is the only constraint that the store has put there to be hit.
            (reason) => Effect.fail(fail("save", reason ?? { _tag: "Unusable", cause: error }))
          )
          : Effect.fail(error)
    )
  }

  /** Performs a write that reads first, in one transaction, if the epoch is in force. */
  const fenced = (
    operation: string,
    epoch: number,
    keys: ReadonlyArray<string>,
    effect: Effect.Effect<void, SqlError.SqlError>
  ) =>
    write(operation)(database.transaction(Effect.gen(function*() {
      yield* run(sql.inForce(epoch))
      const reason = yield* stale([epoch], keys)
      if (reason !== undefined) return yield* fail(operation, reason)
      rings.forget(keys)
      yield* effect
    })))

  const snapshots = (key: string) => Effect.map(run(sql.snapshots(KeyText.encode(key))), (rows) => rows.map(snapshotOf))
  const recorded = (key: string) => Effect.map(run(sql.recorded(KeyText.encode(key), KeyText.encode(key))), recordedOf)

  return {
    name,
    grade: database.dialect === "pg" ? "machine" : "process",
    acquireEpoch: (owner) =>
      write("acquireEpoch")(Effect.map(
        database.transaction(
          Effect.andThen(
            sql.lockOwners === undefined ? Effect.void : run(sql.lockOwners),
            Effect.tap(run(sql.acquire(KeyText.encode(owner))), () =>
              owner === wholeStore ? run(sql.supersede(KeyText.encode(owner))) : Effect.void)
          )
        ),
        (rows) => {
          const epoch = Number(rows[0]?.["epoch"])
          owners.set(epoch, owner)
          // The writer under the epochs before may have been another process.
          rings.clear()
          return epoch
        }
      )),
    confirm: (epoch) =>
      read("confirm")(Effect.flatMap(
        stale([epoch], []),
        (reason) => reason === undefined ? Effect.void : Effect.fail(fail("confirm", reason))
      )),
    load: (key) =>
      read("load")(Effect.gen(function*() {
        const records = yield* snapshots(key)
        if (records.length === 0) return []
        const { answers, timers } = yield* recorded(key)
        return records.map((record) => loaded(record, answers, timers))
      })),
    save: (records) =>
      Effect.suspend(() => {
        if (records.length === 0) return Effect.void
        const what = invalid(records)
        return what === undefined
          ? write("save")(Effect.suspend(() => save(records)))
          : Effect.fail(fail("save", { _tag: "Invalid", what }))
      }),
    setAside: ({ epoch, key, seq, why }) =>
      fenced(
        "setAside",
        epoch,
        [key],
        Effect.gen(function*() {
          const kept = yield* snapshots(key)
          const record = kept.find((one) => one.seq === seq)
          if (record === undefined) return
          const { answers, timers } = yield* recorded(key)
          const after = withoutSnapshot(
            { snapshots: kept, answers: new AnswerShelf(answers), timers },
            seq
          )
          const text = KeyText.encode(key)
          yield* run(sql.setAside(
            text,
            record.seq,
            record.epoch,
            record.version,
            record.trusted,
            record.at,
            record.state,
            JSON.stringify(after.answers),
            KeyText.encode(why),
            yield* Clock.currentTimeMillis,
            after.timers.length === 0 ? null : JSON.stringify(after.timers)
          ))
          yield* run(sql.dropSnapshot(text, seq))
          if (kept[0] !== record) return
          const before = kept[1]?.seq ?? 0
          yield* run(sql.takeBackAnswers(text, before))
          yield* run(sql.takeBackTimers(text, before))
          const row = after.kept.timers?.[0]
          if (row !== undefined) yield* run(sql.setTimers([timerRow(key, row)]))
        })
      ),
    listAside: (key) =>
      read("listAside")(Effect.map(
        run(key === undefined ? sql.allAside() : sql.asideOf(KeyText.encode(key))),
        (rows) => rows.map(asideOf)
      )),
    keys: (prefix = "", page) => read("keys")(keysOf(sql, run, prefix, page)),
    count: (prefix = "") => read("count")(countOf(sql, run, prefix)),
    remove: (keys, epoch) =>
      keys.length === 0
        ? Effect.void
        : fenced(
          "remove",
          epoch,
          keys,
          Effect.suspend(() => {
            const texts = keys.map(KeyText.encode)
            return runAll([sql.dropSnapshots(texts), sql.dropAnswers(texts), sql.dropTimers(texts)])
          })
        ),
    timers: (limit, after = { due: -Number.MAX_VALUE, key: "" }, until = Number.MAX_VALUE) => {
      const place = [after.due, KeyText.encode(after.key)]
      return read("timers")(
        Effect.map(run(sql.due(until, ...place, limit, until, ...place, limit)), (rows) => rows.map(dueOf))
      )
    }
  }
})
