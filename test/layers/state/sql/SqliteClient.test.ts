import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { join } from "node:path"
import * as SqliteClient from "../../../../src/layers/state/SqliteClient.ts"
import { folder } from "../../../kit/Folder.ts"

const client = (options: SqliteClient.Options) =>
  Effect.map(
    Layer.build(SqliteClient.layer(options)),
    (context) => SqlClient.SqlClient.pipe(Effect.provideContext(context))
  ).pipe(
    Effect.flatten
  )

const counted = Effect.fnUntraced(function*(options: Partial<SqliteClient.Options> = {}) {
  const filename = join(yield* folder, "test.db")
  const sql = yield* client({ filename, ...options })
  yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)`
  return { sql, filename, count: Effect.map(sql`SELECT count(*) AS n FROM t`, (rows) => rows[0]?.["n"]) }
})

describe("SqliteClient", () => {
  it.live("binds JavaScript's values and answers rows, arrays and the result of a write", () =>
    Effect.gen(function*() {
      const { sql } = yield* counted()
      const inserted = yield* sql`INSERT INTO t ${sql.insert([{ id: 1, name: "a" }, { id: 2, name: null }])}`.raw
      assert.deepInclude(inserted, { changes: 2 })
      const selected = yield* sql`SELECT name FROM t ORDER BY id`.raw
      assert.deepStrictEqual(JSON.stringify(selected), "[{\"name\":\"a\"},{\"name\":null}]")
      assert.deepStrictEqual(yield* sql`SELECT * FROM t ORDER BY id`.values, [[1, "a"], [2, null]])
      assert.deepStrictEqual(
        (yield* sql`SELECT ${true} AS yes, ${undefined} AS missing, ${new Uint8Array([1, 2])} AS bytes, ${"x"} AS text,
          ${new Date(0)} AS time`).map((row) => Object.assign({}, row)),
        [{ yes: 1, missing: null, bytes: new Uint8Array([1, 2]), text: "x", time: "1970-01-01T00:00:00.000Z" }]
      )
      const streamed = yield* Stream.runCollect(sql`SELECT id FROM t ORDER BY id`.stream)
      assert.deepStrictEqual(streamed.map((row) => row["id"]), [1, 2])
      assert.deepStrictEqual((yield* sql`SELECT id FROM t WHERE id = 2`.unprepared).length, 1)
    }))

  it.live("integers beyond 2^53 come as bigints when they are asked for", () =>
    Effect.gen(function*() {
      const { sql } = yield* counted()
      const rows = yield* Effect.provideService(
        Effect.andThen(sql`INSERT INTO t (id) VALUES (${9007199254740993n})`, sql`SELECT id FROM t`),
        SqlClient.SafeIntegers,
        true
      )
      assert.strictEqual(rows[0]?.["id"], 9007199254740993n)
    }))

  it.live("a transaction that fails or is interrupted leaves nothing, nested ones are savepoints", () =>
    Effect.gen(function*() {
      const { count, sql } = yield* counted()
      const insert = sql`INSERT INTO t (name) VALUES (NULL)`
      yield* Effect.exit(sql.withTransaction(Effect.andThen(insert, Effect.fail("no"))))
      assert.strictEqual(yield* count, 0)
      const hanging = yield* Effect.forkChild(sql.withTransaction(Effect.andThen(insert, Effect.never)), {
        startImmediately: true
      })
      yield* Fiber.interrupt(hanging)
      assert.strictEqual(yield* count, 0)
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* insert
        yield* Effect.exit(sql.withTransaction(Effect.andThen(insert, Effect.fail("no"))))
        yield* sql.withTransaction(insert)
      }))
      assert.strictEqual(yield* count, 2)
    }))

  it.live("a statement of another fiber never lands in a transaction that is open", () =>
    Effect.gen(function*() {
      const { count, sql } = yield* counted()
      const insert = sql`INSERT INTO t (name) VALUES (NULL)`
      const other = yield* Effect.forkChild(Effect.andThen(Effect.yieldNow, insert))
      yield* Effect.exit(sql.withTransaction(
        insert.pipe(Effect.andThen(Effect.sleep("5 millis")), Effect.andThen(Effect.fail("no")))
      ))
      yield* Fiber.join(other)
      assert.strictEqual(yield* count, 1)
    }))

  it.live("errors are distinguished: a constraint, a lock, a missing file", () =>
    Effect.gen(function*() {
      const { filename, sql } = yield* counted({ busyTimeout: 1 })
      yield* sql`INSERT INTO t (name) VALUES ('a')`
      const unique = yield* Effect.flip(sql`INSERT INTO t (name) VALUES ('a')`)
      assert.strictEqual(unique.reason._tag, "UniqueViolation")
      const other = yield* client({ filename, busyTimeout: 1 })
      const locked = yield* sql.withTransaction(Effect.flip(other`INSERT INTO t (name) VALUES ('b')`))
      assert.strictEqual(locked.reason._tag, "LockTimeoutError")
      assert.isTrue(locked.isRetryable)
      const missing = yield* Effect.exit(client({ filename: join(filename, "none.db") }))
      assert.include(String(missing), "unable to open database file")
    }))

  it.live("the database is in WAL mode, and flushed and read-only as its options say", () =>
    Effect.gen(function*() {
      const { filename, sql } = yield* counted({ synchronous: "FULL" })
      const pragma = (sql: SqlClient.SqlClient, name: string) =>
        Effect.map(sql.unsafe(`PRAGMA ${name}`).values, (rows) => rows[0]?.[0])
      assert.strictEqual(yield* pragma(sql, "journal_mode"), "wal")
      assert.strictEqual(yield* pragma(sql, "synchronous"), 2)
      const reader = yield* client({ filename, readOnly: true })
      assert.strictEqual(yield* pragma(reader, "synchronous"), 1)
      assert.deepStrictEqual(yield* reader`SELECT * FROM t`, [])
      assert.include(String(yield* Effect.exit(reader`INSERT INTO t (name) VALUES ('a')`)), "readonly database")
    }))

  it.live("more statements than are kept prepared all work", () =>
    Effect.gen(function*() {
      const { sql } = yield* counted()
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 300; i++) {
          assert.deepStrictEqual(yield* sql.unsafe(`SELECT ${i} AS n`).values, [[i]])
        }
      }
    }))
})
