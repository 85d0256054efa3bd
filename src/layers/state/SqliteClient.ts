/**
 * `SqlClient` over Node's own SQLite (`node:sqlite`), so that an app has a database without installing one.
 *
 * It stands in for the official SQLite client until that is released for this line of effect, and is typed to the
 * public `SqlClient` alone so that it can be replaced by it. Everything above depends on `SqlClient`. Do not use it for
 * large reads: it is synchronous, and a streamed query is read into memory first.
 *
 * *Tricky*: there is one connection, shared through a semaphore, so a statement never lands inside another's
 * transaction. Transactions take the write lock when they begin (`BEGIN IMMEDIATE`): one that reads first and writes
 * later would fail when another process wrote in between.
 *
 * @since 0.1.0
 */
import { Context, type Duration, Effect, Layer, Predicate, Semaphore, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, SqlError, Statement } from "effect/sql"
import type { SQLInputValue, StatementSync } from "node:sqlite"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import { messageOf } from "../../domain/text/ForeignText.ts"
import * as NodeSqlite from "./lock/NodeSqlite.ts"
import { withFiles } from "./sql/DatabaseFiles.ts"
import { sqliteFiles } from "./sqlite/SqliteDatabase.ts"

/**
 * How to open a database.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** Path of the database file, or `:memory:`. The `-wal` and `-shm` files beside it belong to it. */
  readonly filename: string
  readonly readOnly?: boolean | undefined
  /**
   * When a commit is flushed to the disk; `"NORMAL"` by default.
   *
   * `"NORMAL"`: at checkpoints only. A committed transaction survives the end of the process, `kill -9` included; after
   * a power cut or a crash of the machine the last ones may be missing, and the database is never damaged. `"FULL"`: at
   * every commit. It survives a power cut too, as far as the disk keeps its word, for one fsync a commit.
   */
  readonly synchronous?: "NORMAL" | "FULL" | undefined
  /**
   * How long a statement waits for another process's lock; 250 ms by default. Waiting blocks the event loop, so keep it
   * short: a statement that waited in vain fails with a retryable error.
   */
  readonly busyTimeout?: Duration.Input | undefined
}

const maxPrepared = 200

const failure = (operation: string) => (cause: unknown): SqlError.SqlError => {
  // node:sqlite tells SQLite's result code as `errcode`, the classifier reads `errno`.
  const error = cause instanceof Error && "errcode" in cause ? Object.assign(cause, { errno: cause.errcode }) : cause
  const message = `SQLite ${operation} failed: ${messageOf(cause)}`
  return new SqlError.SqlError({ reason: SqlError.classifySqliteError(error, { message, operation }) })
}

const bindable = (value: unknown): SQLInputValue => {
  if (value === undefined || value === null) return null
  if (typeof value === "boolean") return value ? 1 : 0
  if (Predicate.isDate(value)) return value.toISOString()
  // Anything else that SQLite cannot hold, it refuses itself, naming the parameter.
  return value as SQLInputValue
}

interface Prepared {
  readonly statement: StatementSync
  readonly returnsRows: boolean
  arrays: boolean
  bigints: boolean
}

/**
 * Opens a database as a `SqlClient`; it is closed with the Scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(options: Options) {
  const readOnly = GivenOption.options("sqlite", options).readOnly ?? false
  const filename = GivenOption.text({ of: "sqlite", option: "filename", given: options.filename })
  const synchronous = GivenOption.oneOf(
    { of: `sqlite ${filename}`, option: "synchronous", given: options.synchronous ?? "NORMAL" },
    ["NORMAL", "FULL"]
  )
  const busyTimeout = GivenOption.patience({
    of: `sqlite ${filename}`,
    option: "busyTimeout",
    given: options.busyTimeout ?? 250
  })
  const { DatabaseSync } = yield* Effect.mapError(
    NodeSqlite.load,
    (cause) =>
      new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause, message: cause.message, operation: "open" }) })
  )
  const db = yield* Effect.acquireRelease(
    Effect.try({
      try: () => {
        const db = new DatabaseSync(filename, { readOnly })
        db.exec(`PRAGMA busy_timeout = ${Math.ceil(busyTimeout)}`)
        db.exec(`PRAGMA synchronous = ${synchronous}`)
        if (!readOnly) db.exec("PRAGMA journal_mode = WAL")
        return db
      },
      catch: failure(`open of ${filename}`)
    }),
    (db) => Effect.sync(() => db.close())
  )

  const cache = new Map<string, Prepared>()
  const prepare = (sql: string, keep: boolean): Prepared => {
    const known = keep ? cache.get(sql) : undefined
    if (known !== undefined) return known
    const statement = db.prepare(sql)
    const prepared = { statement, returnsRows: statement.columns().length > 0, arrays: false, bigints: false }
    if (keep) {
      if (cache.size >= maxPrepared) { for (const oldest of cache.keys()) if (cache.delete(oldest)) break }
      cache.set(sql, prepared)
    }
    return prepared
  }

  const query = (bigints: boolean, sql: string, params: ReadonlyArray<unknown>, keep: boolean, arrays: boolean) => {
    const prepared = prepare(sql, keep)
    if (prepared.bigints !== bigints) prepared.statement.setReadBigInts(prepared.bigints = bigints)
    if (prepared.arrays !== arrays) prepared.statement.setReturnArrays(prepared.arrays = arrays)
    const bound = params.map(bindable)
    return prepared.returnsRows
      ? { rows: prepared.statement.all(...bound), raw: undefined }
      : { rows: [], raw: prepared.statement.run(...bound) }
  }

  const run = <A>(
    sql: string,
    params: ReadonlyArray<unknown>,
    keep: boolean,
    arrays: boolean,
    select: (result: ReturnType<typeof query>) => A
  ): Effect.Effect<A, SqlError.SqlError> =>
    Effect.withFiber((fiber) =>
      Effect.try({
        try: () => select(query(Context.get(fiber.context, SqlClient.SafeIntegers), sql, params, keep, arrays)),
        catch: failure("statement")
      })
    )

  const rows = (result: ReturnType<typeof query>): ReadonlyArray<object> => result.rows
  // With `setReturnArrays` the rows are arrays, which the type of `all` does not follow.
  const values = (result: ReturnType<typeof query>) => result.rows as unknown as ReadonlyArray<ReadonlyArray<unknown>>
  const execute = (keep: boolean): SqlConnection.Connection["execute"] => (sql, params, transform) =>
    transform === undefined
      ? run(sql, params, keep, false, rows)
      : Effect.map(run(sql, params, keep, false, rows), transform)

  const connection: SqlConnection.Connection = {
    execute: execute(true),
    executeUnprepared: execute(false),
    executeRaw: (sql, params) => run(sql, params, true, false, (result) => result.raw ?? result.rows),
    executeValues: (sql, params) => run(sql, params, true, true, values),
    executeValuesUnprepared: (sql, params) => run(sql, params, false, true, values),
    executeStream: (sql, params, transform) =>
      Stream.unwrap(Effect.map(execute(true)(sql, params, transform), Stream.fromIterable))
  }

  const client = yield* SqlClient.make({
    ...SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore: yield* Semaphore.make(1),
      isTransaction: () => db.isTransaction
    }),
    driver: "node:sqlite",
    compiler: Statement.makeCompilerSqlite(),
    prepareTransactionControls: true,
    ...(readOnly ? {} : { beginTransaction: "BEGIN IMMEDIATE" }),
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    spanAttributes: [["db.system.name", "sqlite"]]
  })
  return withFiles(client, sqliteFiles)
})

/**
 * A `SqlClient` on a SQLite database.
 *
 * **Details**
 *
 * The database is in WAL mode: readers do not wait for the writer, and several processes may have it open.
 *
 * **Gotchas**
 *
 * Needs Node 22.16 or later of Node 22, or Node 24 or later: the `node:sqlite` of others is not there, or cannot do
 * what is asked of it. There the Layer fails with a `SqlError` that says so. It is synchronous: every statement runs on
 * the event loop. Keep the file on a local disk; WAL does not work over a network file system.
 *
 * **Example**
 *
 * ```ts
 * import * as SqliteClient from "heirloom/SqliteClient"
 *
 * const Database = SqliteClient.layer({ filename: "app.db", synchronous: "FULL" })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<SqlClient.SqlClient, SqlError.SqlError> =>
  Layer.effect(SqlClient.SqlClient, make(options)).pipe(Layer.provide(Reactivity.layer))
