/**
 * A `StateStore` in a SQL database, over effect's `SqlClient`: SQLite or PostgreSQL.
 *
 * Use it for states that must outlive the process (SQLite), or the machine (a PostgreSQL elsewhere). For SQLite alone,
 * `StateStoreSqlite` opens the database as well and is a little faster. Do not point it at tables that something else
 * writes to.
 *
 * @since 0.1.0
 */
import { type Duration, Effect, Layer, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import { StoreError } from "../../domain/state/stored/StoreError.ts"
import { covers, type Grade } from "../../domain/state/Survival.ts"
import * as DatabaseLock from "./lock/DatabaseLock.ts"
import type { Dialect } from "./rows/SqlStatements.ts"
import * as DatabaseFiles from "./sql/DatabaseFiles.ts"
import * as SqlReads from "./sql/SqlReads.ts"
import * as SqlStore from "./sql/SqlStore.ts"
import { patienceOf } from "./store/Holding.ts"
import { opened } from "./store/Patience.ts"
import type * as StateStore from "./store/StateStore.ts"
import { hosted } from "./store/StoreHost.ts"
import { storeKeyOf } from "./store/StoreShape.ts"

/**
 * The options of the SQL store.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends StateStore.OwnedOptions<StateStore.StoreOwnership> {
  /** What its tables' names begin with; `heirloom_state` by default. */
  readonly table?: string | undefined
  /**
   * PostgreSQL: how long a write waits for another's lock before it counts as failed, and how long a transaction may
   * stand still before the database ends it; 10 seconds by default, and 2 at most for the latter in a store that is
   * shared. So a client that was stopped inside its transaction blocks none for ever.
   */
  readonly lockTimeout?: Duration.Input | undefined
}

/** The database of a `SqlClient`. */
const databaseOf = Effect.gen(function*() {
  const client = yield* SqlClient.SqlClient
  const sql = client.withoutTransforms()
  const dialect = sql.onDialectOrElse<Dialect | undefined, Dialect, Dialect>({
    sqlite: () => "sqlite",
    pg: () => "pg",
    orElse: () => undefined
  })
  if (dialect === undefined) {
    const what = "it works with SQLite and PostgreSQL only"
    return yield* new StoreError({ store: "sql", operation: "open", reason: { _tag: "Invalid", what } })
  }
  const unsafe: SqlStore.Database["execute"] = (text, params) => sql.unsafe(text, params)
  const database: SqlStore.Database = {
    dialect,
    execute: dialect === "pg" ? unsafe : SqlReads.anyInteger(unsafe),
    transaction: (effect) => sql.withTransaction(effect),
    isOneConnection: false,
    take: dialect === "pg"
      ? DatabaseLock.ofServer(sql)
      : yield* DatabaseLock.ofFile((text) => sql.unsafe(text)),
    files: DatabaseFiles.filesOf(client)
  }
  return database
})

/**
 * A store on the database of the `SqlClient` in context.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options = {}
): Effect.Effect<StateStore.StateStore<"process" | "machine">, StoreError, SqlClient.SqlClient | Scope.Scope> =>
  Effect.suspend(() =>
    opened(
      Effect.flatMap(databaseOf, (database) => SqlStore.make(database, options)),
      patienceOf("sql", GivenOption.options("sql", options))
    )
  )

/**
 * A store on the database of the `SqlClient` in context that is only looked at: nothing is written, and no table is
 * made.
 *
 * **Details**
 *
 * A database without states fails with a `StoreError` whose reason is `Absent`; one of version 0.1, which the app has
 * to bring to this one first, with `Unusable`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const look = Effect.fnUntraced(function*(
  options: Pick<Options, "table"> = {}
): Effect.fn.Return<StateStore.StoreView, StoreError, SqlClient.SqlClient> {
  const { table = "heirloom_state" } = GivenOption.options("sql", options)
  const database = yield* databaseOf
  const name = `${database.dialect === "pg" ? "postgres" : "sqlite"} ${table}`
  const looked = yield* SqlReads.look(database, table, name)
  if (looked.tables === "today") return looked
  const cause = new Error("its tables are those of version 0.1: start the app once, which brings them to this one")
  return yield* new StoreError({ store: name, operation: "open", reason: { _tag: "Unusable", cause } })
})

/**
 * The store in a SQL database, over the `SqlClient` in context.
 *
 * **When to use**
 *
 * With PostgreSQL, when states must survive the loss of the machine, or when what needs them moves between machines;
 * with SQLite, when the app has a `SqlClient` for it already.
 *
 * **Details**
 *
 * The tables (`heirloom_state`, `…_answers`, `…_timers`, `…_aside`, `…_owners`) are created if they are missing. A
 * batch is one statement, or one transaction when it holds timers or many rows; over SQLite, when it holds recorded
 * answers. With `ownership: "shared"` processes have it together, and each key is one process's at a time:
 * `fence: "key"` of `StateContainer.layerStore`; over SQLite these are processes of one machine. A commit survives what
 * the database makes of it: for SQLite see `synchronous` of `SqliteClient`, for PostgreSQL its `synchronous_commit`.
 *
 * **Gotchas**
 *
 * A store declared to survive the `"machine"` is refused over SQLite when it is built. The store's fibers must not run
 * inside a transaction of the same client, or their writes become part of it.
 *
 * **Example**
 *
 * ```ts
 * import { PgClient } from "@effect/sql-pg"
 * import { Layer } from "effect"
 * import { StateStore } from "heirloom"
 * import * as StateStoreSql from "heirloom/StateStoreSql"
 *
 * class Store extends StateStore.Service<Store>()("app/Store", "machine") {}
 *
 * const StoreLive = StateStoreSql.layer(Store).pipe(Layer.provide(PgClient.layer({ database: "app" })))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self, G extends Grade>(
  store: StateStore.StateStoreKey<Self, G>,
  options?: Options
): Layer.Layer<Self, StoreError, SqlClient.SqlClient> =>
  Layer.effect(
    storeKeyOf("StateStoreSql.layer", store),
    Effect.flatMap(make(options), (made) => {
      if (covers(made.grade, store.grade)) return hosted(made, store.grade)
      const what = `it survives the ${made.grade}, and "${store.key}" has to survive the ${store.grade}`
      return Effect.fail(new StoreError({ store: made.name, operation: "open", reason: { _tag: "Invalid", what } }))
    })
  )
