/**
 * How a process has a database of PostgreSQL for itself: by a lock of one of its sessions, which may be lost before the
 * process.
 */
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Redacted, Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as StateStoreSql from "../../../../src/layers/state/StateStoreSql.ts"
import { usePostgres } from "../../../kit/stores/UsePostgres.ts"

const postgres = usePostgres()

let tables = 0

/** A store over a client of its own, as another process has it. */
const opened = Effect.fnUntraced(function*(table: string, options: Partial<PgClient.PgPoolConfig> = {}) {
  const context = yield* Layer.build(PgClient.layer({
    host: "127.0.0.1",
    port: postgres().port,
    username: "postgres",
    password: Redacted.make("test"),
    database: "postgres",
    ssl: false,
    maxConnections: 3,
    ...options
  }))
  const { hold } = yield* Effect.provideContext(StateStoreSql.make({ table, patience: 0 }), context)
  if (hold === undefined) return assert.fail("it is not held")
  return { take: hold.take, sql: Context.get(context, SqlClient.SqlClient) }
})

const until = <E>(isSo: Effect.Effect<boolean, E>) =>
  Effect.repeat(Effect.tap(isSo, () => Effect.sleep("20 millis")), { until: (so) => so })

describe("a lock of a session of PostgreSQL", () => {
  it.live("is free with the Scope, and says whose it is while it is taken", () =>
    Effect.gen(function*() {
      const table = `lock_${++tables}`
      const [one, two] = [yield* opened(table), yield* opened(table)]
      const scope = yield* Scope.make()
      assert.isUndefined(yield* Scope.provide(one.take, scope))
      assert.strictEqual((yield* Effect.scoped(two.take))?.pid, process.pid)
      yield* Scope.close(scope, Exit.void)
      assert.isUndefined(yield* Effect.scoped(two.take))
    }))

  it.live(
    "of a client with one connection only is refused, which is said, and kept from none",
    () =>
      Effect.gen(function*() {
        const table = `lock_${++tables}`
        const one = yield* opened(table, { maxConnections: 1 })
        const error = yield* Effect.flip(Effect.scoped(one.take))
        assert.include(error.message, "its client has one connection only")
        assert.include(error.message, "maxConnections")
        assert.isUndefined(yield* Effect.scoped((yield* opened(table)).take))
      }),
    20_000
  )

  it.live("whose connection has died is taken again by its process, if it is free then", () =>
    Effect.gen(function*() {
      const table = `lock_${++tables}`
      const [one, two] = [yield* opened(table), yield* opened(table)]
      const holders = two.sql.unsafe<{ pid: number }>(
        `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()`
      )
      const scope = yield* Scope.make()
      assert.isUndefined(yield* Scope.provide(one.take, scope))
      const [before] = yield* holders
      yield* two.sql.unsafe(`SELECT pg_terminate_backend(${before!.pid}, 5000)`)
      assert.deepStrictEqual(yield* holders, [])
      yield* until(Effect.map(holders, (rows) => rows.length === 1))
      assert.notStrictEqual((yield* holders)[0]!.pid, before!.pid)
      assert.strictEqual((yield* Effect.scoped(two.take))?.pid, process.pid)
      yield* Scope.close(scope, Exit.void)
      assert.isUndefined(yield* Effect.scoped(two.take))
    }), 20_000)

  it.live("whose connection has died is left to another process that has taken it by then", () =>
    Effect.gen(function*() {
      const table = `lock_${++tables}`
      const [one, two] = [yield* opened(table), yield* opened(table)]
      yield* one.take
      const [held] = yield* two.sql.unsafe<{ pid: number }>(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
      )
      yield* two.sql.unsafe(`SELECT pg_terminate_backend(${held!.pid}, 5000)`)
      assert.isUndefined(yield* two.take)
      const third = yield* opened(table)
      assert.strictEqual((yield* Effect.scoped(third.take))?.pid, process.pid)
    }))
})
