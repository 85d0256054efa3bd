/**
 * The store on a SQL database, however that is reached.
 *
 * `StateStoreSql` and `StateStoreSqlite` are for users; they open the database, and make this store on it.
 *
 * *Tricky*: writes take turns. The slots of a key's ring are remembered (`SlotRings`), and two batches planned at once
 * would write the same ones; one batch at a time is also what makes a commit cheap.
 *
 * @since 0.1.0
 */
import { Array, Cause, Clock, type Duration, Effect, type Scope, Semaphore } from "effect"
import { type SqlConnection, SqlError } from "effect/sql"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import * as KeyText from "../../../domain/state/stored/KeyText.ts"
import { wholeStore } from "../../../domain/state/stored/Ownership.ts"
import { generationsOf, invalid, loaded, type SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import { StoreError, type StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import { OneConnection, type Take } from "../lock/DatabaseLock.ts"
import * as RowSums from "../rows/RowSums.ts"
import { countOf, keysOf } from "../rows/SqlKeys.ts"
import { described, reasonOf } from "../rows/SqlRows.ts"
import * as SqlStatements from "../rows/SqlStatements.ts"
import { ownershipOf } from "../store/Holding.ts"
import type * as StateStore from "../store/StateStore.ts"
import * as DatabaseFiles from "./DatabaseFiles.ts"
import { SlotRings } from "./SlotRings.ts"
import { along, besides, type Known, setAside } from "./SqlBesides.ts"
import * as SqlKnown from "./SqlKnown.ts"
import * as SqlMarks from "./SqlMarks.ts"
import * as SqlReads from "./SqlReads.ts"
import { meddling, prepare, watchTables } from "./SqlSchema.ts"
import { staleIn, Turns } from "./SqlTurns.ts"
import * as SqlWaits from "./SqlWaits.ts"

/** What names the store's tables, and bounds what it keeps. */
interface Options extends StateStore.OwnedOptions<StateStore.StoreOwnership> {
  readonly table?: string | undefined
  readonly lockTimeout?: Duration.Input | undefined
}

/**
 * The database as the store uses it: `StateStoreSql` makes one of a `SqlClient`, `StateStoreSqlite` of its one
 * connection.
 */
export interface Database {
  readonly dialect: SqlStatements.Dialect
  readonly execute: (
    text: string,
    params: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<SqlConnection.Row>, SqlError.SqlError>
  readonly transaction: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | SqlError.SqlError>
  /** It is one connection: a read must wait for the transaction of a write. */
  readonly isOneConnection: boolean
  /** How a process takes it for itself; absent where no other can reach it. */
  readonly take?: Take | undefined
  /** How to look at its files, where it has any. */
  readonly files?: DatabaseFiles.Files | undefined
}

/**
 * How long a transaction on a store that is shared may stand still, in milliseconds: a process that does may be taken
 * over from.
 */
const sharedIdle = 2000

/** Another statement under the same epoch was later, and was stored. */
const late: StoreErrorReason = { _tag: "Invalid", what: "it came late: later writes of the same session are stored" }

/** A store on a database; creates its tables if they are missing. */
export const make = Effect.fnUntraced(function*(
  database: Database,
  options: Options,
  /** What it is called in messages, where more is known of it than its table. */
  called?: string
): Effect.fn.Return<StateStore.StateStore<"process" | "machine">, StoreError, Scope.Scope> {
  const table = options.table ?? "heirloom_state"
  const name = called ?? `${database.dialect === "pg" ? "postgres" : "sqlite"} ${table}`
  const lockTimeout = GivenOption.patience({
    of: name,
    option: "lockTimeout",
    given: options.lockTimeout ?? SqlStatements.defaultPatience
  })
  const patience = Math.max(1, Math.ceil(lockTimeout))
  const isShared = options.ownership === "shared"
  const idle = isShared ? Math.min(patience, sharedIdle) : patience
  const sql = SqlStatements.make(database.dialect, table, patience, idle)
  const lock = Semaphore.makeUnsafe(1)
  const numbering = Semaphore.makeUnsafe(1)
  let isNumbered = false
  const rings = new SlotRings(generationsOf(name, options.generations))
  const turns = new Turns()
  /** Keys that were found with damaged rows of answers. */
  const damagedAnswers = new Map<string, Known["lostAnswers"]>()
  /** A statement that was sent to SQLite is over when its call is. */
  const countsTurns = database.dialect === "pg"
  /** Owners of the epochs acquired here, but for keys: these are owners of their own. */
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
  const ask = (text: string) => database.execute(text, [])
  const what = yield* typed("open")(
    database.files === undefined ? Effect.undefined : database.transaction(database.files.check(ask, name, sql.names))
  )
  if (what !== undefined) return yield* fail("open", { _tag: "Corrupt", what })
  const prepared = Effect.flatMap(prepare(sql, run), (isNew) => SqlMarks.begin(sql, run, isNew, name))
  yield* typed("open")(database.transaction(prepared))
  const between = yield* typed("open")(meddling(sql, run))
  if (between !== undefined) return yield* fail("open", { _tag: "Unusable", cause: new Error(between) })
  // What is known beside a database is known of one process's writes.
  const heads = yield* (isShared ? undefined : database.files?.heads(ask, table)) ?? Effect.undefined
  const lost = yield* (database.dialect === "pg" ? watchTables(ask, sql) : database.files?.watching(ask)) ??
    Effect.undefined

  const inPlace = (operation: string) =>
    DatabaseFiles.lookAfter(lost, (found) => fail(operation, { _tag: "Gone", ...found }))
  const read = (operation: string) => <A>(effect: Effect.Effect<A, SqlError.SqlError | StoreError>) =>
    database.isOneConnection ? write(operation)(effect) : typed(operation)(inPlace(operation)(effect))
  const tellingWaits = database.dialect === "pg"
    ? yield* SqlWaits.telling(name, database.execute(SqlWaits.waiting(table), []), Math.min(1000, lockTimeout / 2))
    : () => <A>(effect: Effect.Effect<A, StoreError>) => effect
  const write = (operation: string) => <A>(effect: Effect.Effect<A, SqlError.SqlError | StoreError>) =>
    lock.withPermit(tellingWaits(operation)(typed(operation)(inPlace(operation)(effect))))

  const stale = staleIn(sql, run, turns, owners)

  /** The version of the database when the first of the rings were read, as long as none else commits there. */
  let version: number | undefined
  let isAlone = database.isOneConnection && !isShared
  const versioned = Effect.suspend(() =>
    !isAlone || !rings.areNone
      ? Effect.void
      : Effect.map(run(sql.version()), ([row]) => void (version = Number(row?.["version"])))
  )

  const learn = (keys: ReadonlyMap<string, number>) =>
    Effect.map(
      Effect.andThen(versioned, run(sql.slots(Array.map([...keys.keys()], KeyText.encode)))),
      (rows) =>
        rings.learn(
          keys,
          rows.map((row) => ({
            text: String(row["key"]),
            slot: Number(row["slot"]),
            seq: Number(row["seq"]),
            epoch: Number(row["epoch"])
          }))
        )
    )

  /** Takes the turn of a write, if the epoch is in force and the turn is not over. */
  const takeTurn = (operation: string, epoch: number, number: number, keys: ReadonlyArray<string>) =>
    Effect.flatMap(run(sql.turn(epoch, turns.before(epoch), number)), (rows) =>
      rows.length > 0
        ? Effect.void
        : Effect.flatMap(stale(keys.map((key) => ({ epoch, key }))), (reason) => fail(operation, reason ?? late)))

  const store = (records: ReadonlyArray<SnapshotRecord>): Effect.Effect<void, SqlError.SqlError | StoreError> => {
    const groups = rings.plan(records)
    if ("_tag" in groups) return Effect.fail(fail("save", groups))
    const batch = groups.map((group) => ({ ...group, last: turns.before(group.epoch) }))
    const number = turns.next()
    const goesAlong = damagedAnswers.size > 0 || rings.isSplit ? undefined : along(records)
    const isBare = goesAlong !== undefined && goesAlong.rows.length === 0 && goesAlong.floors.length === 0
    const size = groups.reduce((size, { rows }) => size + rows.length, 0)
    const more = isBare ? [] : besides(sql, records, damagedAnswers)
    const written = groups.length === 1 && isBare && size <= sql.rowsPerStatement
      ? run(sql.upsertAlone(batch[0]!, number, version))
      : countsTurns && goesAlong !== undefined && size <= sql.rowsPerStatement
      ? run(sql.save(number, batch, goesAlong))
      : database.transaction(Effect.andThen(
        Effect.forEach(
          countsTurns ? groups : [],
          ({ epoch, rows }) => takeTurn("save", epoch, number, rows.map(({ key }) => KeyText.decode(key))),
          { discard: true }
        ),
        runAll([
          ...groups.flatMap(({ epoch, rows }) =>
            Array.chunksOf(rows, sql.rowsPerStatement).map((some) => sql.upsert(epoch, some, version))
          ),
          ...more
        ])
      ))
    return Effect.map(written, () => {
      rings.stored()
      heads?.note(rings.heads)
      if (damagedAnswers.size > 0) { for (const { key } of records) damagedAnswers.delete(key) }
      if (countsTurns) turns.done(groups.map(({ epoch }) => epoch))
    })
  }

  /** Why a batch was refused under an epoch that is in force. */
  const outdated = Effect.fnUntraced(function*(records: ReadonlyArray<SnapshotRecord>) {
    const slots = yield* run(sql.slots(records.map(({ key }) => KeyText.encode(key))))
    for (const { key, seq } of records) {
      const text = KeyText.encode(key)
      const newest = Math.max(0, ...slots.flatMap((row) => row["key"] === text ? [Number(row["seq"])] : []))
      if (newest <= seq) continue
      return { _tag: "Invalid", what: `snapshot ${seq} of "${key}" is older than ${newest}, which it has` } as const
    }
    return undefined
  })

  /** Whether another connection has committed since: from then on the rows are looked at. */
  const hasMoved = Effect.gen(function*() {
    if (version === undefined || Number((yield* run(sql.version()))[0]?.["version"]) === version) return false
    isAlone = false
    version = undefined
    return true
  })

  const save = (records: ReadonlyArray<SnapshotRecord>): Effect.Effect<void, SqlError.SqlError | StoreError> => {
    const missing = rings.missing(records)
    return Effect.catchTag(
      missing === undefined ? store(records) : Effect.flatMap(learn(missing), () => store(records)),
      "SqlError",
      (error) =>
        error.reason._tag === "ConstraintError"
          ? Effect.gen(function*() {
            if (yield* hasMoved) return yield* save(records)
            const reason = (yield* stale(records)) ?? (yield* outdated(records))
            // The fence is the only constraint that the store has put there to be hit.
            return yield* fail("save", reason ?? { _tag: "Unusable", cause: described(error) })
          })
          : Effect.fail(error)
    )
  }

  /** Performs a write that reads first, in one transaction, if the epoch is in force. */
  const guarded = (
    operation: string,
    epoch: number,
    keys: ReadonlyArray<string>,
    /** Answers what follows when it is stored. */
    effect: Effect.Effect<() => void, SqlError.SqlError>
  ) =>
    write(operation)(Effect.map(
      database.transaction(Effect.gen(function*() {
        yield* takeTurn(operation, epoch, turns.next(), keys)
        const reason = yield* stale(keys.map((key) => ({ epoch, key })))
        if (reason !== undefined) return yield* fail(operation, reason)
        rings.forget(keys)
        return yield* effect
      })),
      (then) => {
        if (countsTurns) turns.done([epoch])
        then()
      }
    ))

  /** Has the epochs of keys numbered by the database: once. */
  const numbered = numbering.withPermit(Effect.suspend(() =>
    isNumbered ? Effect.void : Effect.map(
      database.transaction(runAll([
        ...(sql.bounds === undefined ? [] : [sql.bounds]),
        ...(sql.lockTables === undefined ? [] : [sql.lockTables]),
        [sql.numbering, []],
        ...(sql.lockOwners === undefined ? [] : [sql.lockOwners]),
        ...(sql.numberOn === undefined ? [] : [sql.numberOn])
      ])),
      () => {
        isNumbered = true
      }
    )
  ))

  /** Claims a key in PostgreSQL: other writes of this process go on meanwhile. */
  const claim = (key: string) =>
    tellingWaits("acquireEpoch")(
      typed("acquireEpoch")(
        Effect.map(Effect.andThen(numbered, run(sql.claim(KeyText.encode(key)))), ([row]) => Number(row?.["epoch"]))
      )
    )

  const acquire = (owner: string, of: "key" | undefined) =>
    write("acquireEpoch")(Effect.map(
      database.transaction(
        Effect.andThen(
          runAll([
            ...(sql.bounds === undefined ? [] : [sql.bounds]),
            ...(sql.lockOwners === undefined ? [] : [sql.lockOwners])
          ]),
          Effect.tap(run(sql.acquire(KeyText.encode(owner))), () =>
            runAll([
              ...(owner === wholeStore ? [sql.supersede(KeyText.encode(owner))] : []),
              ...(sql.numberOn === undefined ? [] : [sql.numberOn])
            ]))
        )
      ),
      (rows) => {
        const epoch = Number(rows[0]?.["epoch"])
        if (of !== "key") owners.set(epoch, owner)
        return epoch
      }
    ))

  const known = SqlKnown.make({ sql, run, name, rings, heads, stale, fail })

  return {
    name,
    ...(database.take === undefined ? {} : {
      hold: {
        ...ownershipOf(name, options),
        take: Effect.mapError(database.take(table, isShared), (cause) =>
          fail(
            "open",
            cause instanceof OneConnection
              ? { _tag: "Invalid", what: cause.message }
              : SqlError.isSqlError(cause)
              ? reasonOf(cause)
              : { _tag: "Unavailable", cause }
          ))
      }
    }),
    grade: database.dialect === "pg" ? "machine" : "process",
    acquireEpoch: (owner, of) => of === "key" && database.dialect === "pg" ? claim(owner) : acquire(owner, of),
    confirm: (epoch, key) =>
      read("confirm")(Effect.flatMap(
        stale([key === undefined ? { epoch } : { epoch, key }]),
        (reason) => reason === undefined ? Effect.void : Effect.fail(fail("confirm", reason))
      )),
    load: (key) =>
      read("load")(Effect.gen(function*() {
        const { answers, kept, lostAnswers, lostTimers, timers } = yield* known.compared(key)
        if (lostAnswers.length > 0) damagedAnswers.set(key, lostAnswers)
        yield* known.tellTimers(key, lostTimers)
        return kept.map(({ record }) => loaded(record, answers, timers))
      })),
    save: (records) =>
      Effect.suspend(() => {
        if (records.length === 0) return Effect.void
        const what = invalid(records)
        return what === undefined
          ? write("save")(Effect.suspend(() => save(records)))
          : Effect.fail(fail("save", { _tag: "Invalid", what }))
      }),
    setAside: (snapshot) =>
      Effect.suspend(() => {
        const own = rings.known(snapshot.key)
        return guarded(
          "setAside",
          snapshot.epoch,
          [snapshot.key],
          Effect.gen(function*() {
            const found = yield* known.of(snapshot.key, own?.seq)
            yield* runAll(setAside(sql, found, snapshot, yield* Clock.currentTimeMillis))
            const left = found.kept.find(({ record }) => record.seq !== snapshot.seq)
            const id = RowSums.idOf(KeyText.encode(snapshot.key))
            return () => heads?.note([{ id, seq: left?.record.seq ?? 0 }])
          })
        )
      }),
    listAside: (key) => read("listAside")(SqlReads.aside(sql, run, key)),
    keys: (prefix = "", page) => read("keys")(keysOf(sql, run, prefix, page)),
    count: (prefix = "") => read("count")(countOf(sql, run, prefix)),
    remove: (keys, epoch) =>
      keys.length === 0
        ? Effect.void
        : guarded(
          "remove",
          epoch,
          keys,
          Effect.suspend(() => {
            const texts = keys.map(KeyText.encode)
            const note = () => heads?.note(texts.map((text) => ({ id: RowSums.idOf(text), seq: 0 })))
            return Effect.as(runAll([sql.dropSnapshots(texts), sql.dropAnswers(texts), sql.dropTimers(texts)]), note)
          })
        ),
    doubt: read("doubt")(SqlMarks.doubt(sql, run)),
    settle: (epoch) => guarded("settle", epoch, [], Effect.as(SqlMarks.settle(sql, run), () => {})),
    timers: (limit, after, until) => read("timers")(SqlReads.due(sql, run, limit, after, until))
  }
})
