/**
 * A `StateStore` in a SQLite database of its own: the embedded default.
 *
 * It opens the database itself and keeps its one connection, which saves what sharing a `SqlClient` costs: half a
 * commit in `"NORMAL"`. When the app's own tables are in the same file, use `StateStoreSql` over its `SqlClient`, or
 * let each open the file.
 *
 * @since 0.1.0
 */
import { Effect, Layer, Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlError } from "effect/sql"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { options as optionsOf, text } from "../../domain/options/GivenOption.ts"
import { InvalidOption } from "../../domain/options/InvalidOption.ts"
import { StoreError, type StoreErrorReason } from "../../domain/state/stored/StoreError.ts"
import { clause } from "../../domain/text/ForeignText.ts"
import * as DatabaseLock from "./lock/DatabaseLock.ts"
import { UnsupportedNode } from "./lock/NodeSqlite.ts"
import { reasonOf } from "./rows/SqlRows.ts"
import type { Asked } from "./sql/SqlReads.ts"
import * as SqlReads from "./sql/SqlReads.ts"
import * as SqlStore from "./sql/SqlStore.ts"
import { sqliteFiles } from "./sqlite/SqliteDatabase.ts"
import * as SqliteLook from "./sqlite/SqliteLook.ts"
import * as SqliteClient from "./SqliteClient.ts"
import type * as StateStoreSql from "./StateStoreSql.ts"
import { patienceOf } from "./store/Holding.ts"
import { opened } from "./store/Patience.ts"
import type * as StateStore from "./store/StateStore.ts"
import { hosted } from "./store/StoreHost.ts"
import { storeKeyOf } from "./store/StoreShape.ts"

/**
 * How to open the database, and the options of the store.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends Omit<SqliteClient.Options, "readOnly">, StateStoreSql.Options {
  /** A store writes: one that is only looked at is opened as usual, and disturbs nothing either. */
  readonly readOnly?: never
}

const open = Effect.fnUntraced(
  function*(options: Options): Effect.fn.Return<SqlStore.Database, SqlError.SqlError, Scope.Scope> {
    const client = yield* Effect.provide(SqliteClient.make(options), Reactivity.layer)
    const connection = yield* client.reserve
    const execute = SqlReads.anyInteger((text, params) => connection.execute(text, params, undefined))
    const begin = execute("BEGIN IMMEDIATE", [])
    const commit = execute("COMMIT", [])
    // When the database has already rolled back by itself (it was full), there is nothing left to roll back.
    const rollback = Effect.ignore(execute("ROLLBACK", []))
    return {
      dialect: "sqlite",
      isOneConnection: true,
      files: sqliteFiles,
      take: yield* DatabaseLock.ofFile((text) => execute(text, [])),
      execute,
      transaction: <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.andThen(
            begin,
            Effect.matchCauseEffect(restore(effect), {
              onFailure: (cause) => Effect.andThen(rollback, Effect.failCause(cause)),
              onSuccess: (value) => Effect.as(Effect.onError(commit, () => rollback), value)
            })
          )
        )
    }
  }
)

/** SQLite's code for a file that it cannot open: its folder is missing, or a right. */
const cannotOpen = 14

/**
 * A Node without what is needed is no fault of the database, and no later try helps; nor does it where no file can be.
 */
const openFailure = (error: SqlError.SqlError): StoreErrorReason => {
  const { cause } = error.reason
  if (cause instanceof UnsupportedNode) return { _tag: "Invalid", what: clause(cause) }
  return Object(cause).errcode === cannotOpen ? { _tag: "Unusable", cause: error } : reasonOf(error)
}

const filenameOf = (options: Pick<Options, "filename">): string =>
  text({ of: "sqlite", option: "filename", given: optionsOf("sqlite", options).filename })

/**
 * A store in a SQLite database of its own; it is closed with the Scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<StateStore.StateStore<"process">, StoreError, Scope.Scope> =>
  Effect.suspend(() => {
    const name = `sqlite ${filenameOf(options)}`
    if (options.readOnly === true) {
      return Effect.die(
        new InvalidOption({
          of: name,
          option: "readOnly",
          given: true,
          expected: "left out: a store writes, and one that is only looked at disturbs nothing"
        })
      )
    }
    const made = open(options).pipe(
      Effect.mapError((error) => new StoreError({ store: name, operation: "open", reason: openFailure(error) })),
      Effect.flatMap((database) => SqlStore.make(database, options, name)),
      Effect.map((store) => Object.assign(store, { grade: "process" as const }))
    )
    return opened(made, patienceOf(name, options))
  })

/** A folder of one's own, which is removed with the Scope. */
const temporary = Effect.acquireRelease(
  Effect.try({
    try: () => fs.mkdtempSync(join(tmpdir(), "heirloom-look-")),
    catch: (cause) => {
      const message = "there is no temporary folder to read a copy in"
      return new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause, message, operation: "open" }) })
    }
  }),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

/** Asks a database that is open to be read. */
const reader = (filename: string) =>
  Effect.gen(function*() {
    const client = yield* Effect.provide(SqliteClient.make({ filename, readOnly: true }), Reactivity.layer)
    const connection = yield* client.reserve
    const execute = SqlReads.anyInteger((text, params) => connection.execute(text, params, undefined))
    yield* execute("SELECT name FROM sqlite_master LIMIT 1", [])
    return execute
  })

/** Opens a database to read it, in the way that leaves nothing beside it. */
const readerOf = Effect.fnUntraced(function*(path: string, isLogged: boolean) {
  const elsewhere = Effect.flatMap(
    temporary,
    (folder) => Effect.flatMap(Effect.sync(() => SqliteLook.copyInto(folder, path)), reader)
  )
  // What cannot be opened where it is, for want of a right to write beside it.
  const usual = Effect.catch(reader(path), (error) => isLogged ? elsewhere : Effect.fail(error))
  if (!isLogged || SqliteLook.hasLog(path)) return yield* usual
  const still = yield* reader(SqliteLook.asItLies(path))
  const scope = yield* Effect.scope
  let later: Asked["execute"] | undefined
  const moved: Asked["execute"] = (text, params) =>
    Effect.flatMap(
      later === undefined
        ? Effect.tap(Scope.provide(usual, scope), (made) => Effect.sync(() => later = made))
        : Effect.succeed(later),
      (execute) => execute(text, params)
    )
  const execute: Asked["execute"] = (text, params) =>
    Effect.suspend(() => {
      if (later !== undefined || SqliteLook.hasLog(path)) return moved(text, params)
      return Effect.flatMap(
        Effect.exit(still(text, params)),
        (exit) => SqliteLook.hasLog(path) ? moved(text, params) : exit
      )
    })
  return execute
})

/**
 * A store in a SQLite database that is only looked at: nothing is written, no table is made, and no file beside it. An
 * app that runs on it is not disturbed, and a medium that is read-only will do.
 *
 * **Details**
 *
 * What has no states in it, because it is empty, another database or none, fails with a `StoreError` whose reason is
 * `Absent`. A database of version 0.1 is copied into a temporary folder, and the copy is read.
 *
 * @category constructors
 * @since 0.1.0
 */
export const look = Effect.fnUntraced(function*(
  options: Pick<Options, "filename" | "table">
): Effect.fn.Return<StateStore.StoreView, StoreError, Scope.Scope> {
  const filename = filenameOf(options)
  const { table = "heirloom_state" } = options
  const name = `sqlite ${filename}`
  const fail = (reason: StoreErrorReason) => new StoreError({ store: name, operation: "open", reason })
  const found = yield* Effect.try({
    try: () => SqliteLook.find(filename),
    catch: (cause) => fail({ _tag: "Unavailable", cause })
  })
  if (found._tag === "None") return yield* fail({ _tag: "Absent", what: found.what })
  const opened = Effect.mapError((error: SqlError.SqlError) => fail(openFailure(error)))
  const execute = yield* opened(readerOf(filename, found.isLogged))
  const looked = yield* SqlReads.look({ dialect: "sqlite", execute }, table, name)
  if (looked.tables === "today") return looked
  const copy = join(yield* opened(temporary), "copy.db")
  yield* opened(execute("VACUUM INTO ?", [copy]))
  return yield* make({ filename: copy, table })
})

/**
 * Copies a database into a file that is not there yet, as it is at one moment, while an app goes on writing to it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const backup = (options: Pick<Options, "filename">, target: string): Effect.Effect<void, StoreError> => {
  return Effect.scoped(Effect.gen(function*() {
    const filename = filenameOf(options)
    text({ of: "StateStoreSqlite.backup", option: "target", given: target })
    const fail = (reason: StoreErrorReason) =>
      new StoreError({ store: `sqlite ${filename}`, operation: "backup", reason })
    const found = yield* Effect.try({
      try: () => SqliteLook.find(filename),
      catch: (cause) => fail({ _tag: "Unavailable", cause })
    })
    if (found._tag === "None") return yield* fail({ _tag: "Absent", what: found.what })
    const opened = Effect.mapError((error: SqlError.SqlError) => fail(openFailure(error)))
    const execute = yield* opened(readerOf(filename, found.isLogged))
    yield* opened(execute("VACUUM INTO ?", [target]))
  }))
}

/**
 * The store in a SQLite database of its own.
 *
 * **When to use**
 *
 * For states that must outlive the process, on one machine. It needs nothing installed and nothing to run.
 *
 * **Details**
 *
 * What is acknowledged survives the end of the process, however sudden. Whether it survives a power cut is
 * `synchronous`'s business: not the last commits with `"NORMAL"`, the default; every one with `"FULL"`.
 *
 * **Gotchas**
 *
 * Needs Node 22.16 or later of Node 22, or Node 24 or later. On others the Layer fails with a `StoreError` that says
 * so; `heirloom/StateStoreFile` works on all that Heirloom does.
 *
 * Writing blocks the event loop while it lasts, because `node:sqlite` is synchronous: 15 µs for one small state, 2 to 4
 * µs for each in a batch (with `"FULL"` one flush of the disk on top), some 4 ms for each megabyte of state. A thread
 * of its own would cost every single commit more than that. Keep states of many megabytes in the file store, which
 * blocks for a third of that and waits for the disk beside the event loop, or split them. `node bench/stores.ts`
 * measures it.
 *
 * **Example**
 *
 * ```ts
 * import { StateStore } from "heirloom"
 * import * as StateStoreSqlite from "heirloom/StateStoreSqlite"
 *
 * class Store extends StateStore.Service<Store>()("app/Store", "process") {}
 *
 * const StoreLive = StateStoreSqlite.layer(Store, { filename: "app.db" })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self, G extends StateStore.AtMost<"process">>(
  store: StateStore.StateStoreKey<Self, G>,
  options: Options
): Layer.Layer<Self, StoreError> =>
  Layer.effect(
    storeKeyOf("StateStoreSqlite.layer", store),
    Effect.flatMap(make(options), (made) => hosted(made, store.grade))
  )
