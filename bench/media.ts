/** Every store, with the least that stores the same states in the same medium: what the benchmarks compare. */
import { NodeServices } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { Grade } from "../src/domain/state/Survival.ts"
import * as StateStoreFile from "../src/layers/state/StateStoreFile.ts"
import * as StateStoreSql from "../src/layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../src/layers/state/StateStoreSqlite.ts"
import type { StateStore } from "../src/layers/state/store/StateStore.ts"
import * as Postgres from "../src/programs/cluster/Postgres.ts"

/** A store, and its rival. */
export interface Medium {
  readonly name: string
  /** How long a single write takes, roughly, in microseconds: so that every contest takes its share of time. */
  readonly single: number
  readonly store: StateStore<Grade>
  /** The least: stores these states at once, and makes them last. */
  readonly raw: (states: ReadonlyArray<readonly [key: string, state: string]>) => Effect.Effect<unknown, unknown>
  /** Bytes of the store's tables, where they are in no file of ours. */
  readonly bytes?: Effect.Effect<number, unknown>
}

export const directory = fs.mkdtempSync(join(tmpdir(), "heirloom-bench-"))
process.on("exit", () => fs.rmSync(directory, { recursive: true, force: true }))
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130))

export const sqlite = (synchronous: "NORMAL" | "FULL"): Effect.Effect<Medium, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const store = yield* StateStoreSqlite.make({ filename: join(directory, `store-${synchronous}.db`), synchronous })
    const db = new DatabaseSync(join(directory, `raw-${synchronous}.db`))
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`)
    db.exec("CREATE TABLE t (key TEXT PRIMARY KEY, state TEXT)")
    const upsert = db.prepare("INSERT INTO t VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET state = excluded.state")
    return {
      name: `SQLite, ${synchronous}`,
      single: synchronous === "FULL" ? 300 : 30,
      store,
      raw: (states) =>
        Effect.sync(() => {
          if (states.length === 1) return upsert.run(...states[0]!)
          db.exec("BEGIN")
          for (const one of states) upsert.run(...one)
          db.exec("COMMIT")
        })
    }
  })

export const file: Effect.Effect<Medium, unknown, Scope.Scope> = Effect.gen(function*() {
  const store = yield* StateStoreFile.makeDirect({ directory: join(directory, "files") })
  const fd = fs.openSync(join(directory, "raw.log"), "a")
  return {
    name: "files",
    single: 300,
    store,
    raw: (states) =>
      Effect.sync(() => {
        fs.writeSync(fd, states.map(([key, state]) => `${key} ${state}\n`).join(""))
        fs.fsyncSync(fd)
      })
  } satisfies Medium
}).pipe(Effect.provide(NodeServices.layer))

export const postgres: Effect.Effect<Medium, unknown, Scope.Scope> = Effect.gen(function*() {
  // With its own settings: what it acknowledges has been flushed.
  const { url } = yield* Postgres.start
  const context = yield* Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 3 }))
  const sql = Context.get(context, SqlClient.SqlClient)
  yield* sql.unsafe("CREATE TABLE t (key text PRIMARY KEY, state text)")
  const store = yield* Effect.provideContext(StateStoreSql.make(), context)
  return {
    name: "PostgreSQL, on this machine",
    single: 500,
    store,
    bytes: Effect.map(
      sql.unsafe<{ readonly n: number }>(
        "SELECT sum(pg_total_relation_size(oid)) AS n FROM pg_class WHERE relkind = 'r' AND relname LIKE 'heirloom%'"
      ),
      ([row]) => Number(row?.["n"])
    ),
    raw: (states) =>
      sql.unsafe(
        `INSERT INTO t SELECT * FROM unnest($1::text[], $2::text[])
         ON CONFLICT (key) DO UPDATE SET state = excluded.state`,
        [states.map((one) => one[0]), states.map((one) => one[1])]
      )
  } satisfies Medium
})
