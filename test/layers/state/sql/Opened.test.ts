/** A store on a database that is opened, or only looked at: what it is called, and why it is refused. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient } from "effect/sql"
import * as fs from "node:fs"
import { join } from "node:path"
import { StateStore } from "../../../../src/index.ts"
import * as SqliteClient from "../../../../src/layers/state/SqliteClient.ts"
import * as StateStoreSql from "../../../../src/layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { folder } from "../../../kit/Folder.ts"
import { record } from "../../../kit/stores/Records.ts"

class Machine extends StateStore.Service<Machine>()("test/Machine", "machine") {}

const errorOf = (exit: Exit.Exit<unknown, unknown>): StateStore.StoreError => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(error, StateStore.StoreError)
  return error
}

const within = (filename: string) =>
  Layer.effect(SqlClient.SqlClient, SqliteClient.make({ filename })).pipe(Layer.provide(Reactivity.layer))

describe("a store on a database", () => {
  it.live("is called by its dialect and table, and refused where it has to survive more than it can", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "app.db")
      const store = yield* Effect.provide(StateStoreSql.make({ table: "own" }), within(filename))
      assert.strictEqual(store.name, "sqlite own")
      const exit = yield* Effect.exit(Layer.build(StateStoreSql.layer(Machine).pipe(Layer.provide(within(filename)))))
      const { operation, reason } = errorOf(exit)
      assert.strictEqual(operation, "open")
      assert.deepStrictEqual(reason, {
        _tag: "Invalid",
        what: "it survives the process, and \"test/Machine\" has to survive the machine"
      })
    }))

  it.effect("is refused where the database is neither of those that it works with", () =>
    Effect.gen(function*() {
      const client = {
        withoutTransforms: () => ({ onDialectOrElse: ({ orElse }: { orElse: () => unknown }) => orElse() })
      }
      const make = Effect.provideService(StateStoreSql.make(), SqlClient.SqlClient, client as never)
      const { operation, reason, store } = errorOf(yield* Effect.exit(Effect.scoped(make)))
      assert.deepStrictEqual([store, operation, reason], [
        "sql",
        "open",
        { _tag: "Invalid", what: "it works with SQLite and PostgreSQL only" }
      ])
    }))

  it.live("is refused where its tables cannot be called so", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "app.db")
      const make = (table: string) => Effect.exit(Effect.provide(StateStoreSql.make({ table }), within(filename)))
      for (const table of ["", "a b", "1a", "a-b", "a;", "täglich", "x".repeat(41)]) {
        const { operation, reason } = errorOf(yield* make(table))
        assert.deepStrictEqual([operation, reason], ["open", {
          _tag: "Invalid",
          what: `"${table}" is not a plain table name of at most 40 letters`
        }])
      }
      for (const table of ["a", "_A9", "x".repeat(40)]) assert.strictEqual((yield* make(table))._tag, "Success")
    }))

  it.live("keeps dates as numbers that are no integers, and says of a statement that fails that it was one", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "app.db")
      const store = yield* StateStoreSqlite.make({ filename })
      const epoch = yield* store.acquireEpoch("shop")
      yield* store.save([record("a", 1, epoch, { answers: [{ id: "x", seq: 1, at: 7, body: "1" }] })])
      yield* store.save([record("b", 1, epoch)])
      yield* store.setAside({ key: "b", seq: 1, epoch, why: "why" })
      const client = yield* Effect.provide(SqliteClient.make({ filename }), Reactivity.layer)
      for (
        const [table, column] of [["heirloom_state", "at"], ["heirloom_state_answers", "at"], [
          "heirloom_state_aside",
          "at"
        ]]
      ) {
        const rows = yield* client.unsafe(`SELECT typeof(${column}) AS type FROM ${table} WHERE key <> '%'`)
        assert.deepStrictEqual(rows.map((row) => Object(row).type), ["real"])
      }
      const error = yield* Effect.flip(client.unsafe("SELECT * FROM nowhere"))
      assert.include(error.message, "SQLite statement failed: no such table: nowhere")
      const none = yield* Effect.flip(
        Effect.provide(SqliteClient.make({ filename: "/no/such/folder/a.db" }), Reactivity.layer)
      )
      assert.include(none.message, "SQLite open of /no/such/folder/a.db failed")
    }))

  it.live("that is looked at is called so, too, and absent where it has no table of a store", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "app.db")
      const look = (table?: string) =>
        Effect.exit(Effect.provide(StateStoreSql.look(table === undefined ? {} : { table }), within(filename)))
      const none = errorOf(yield* look())
      assert.deepStrictEqual([none.store, none.operation, none.reason._tag], [
        "sqlite heirloom_state",
        "open",
        "Absent"
      ])
      const store = yield* StateStoreSqlite.make({ filename })
      const epoch = yield* store.acquireEpoch("shop")
      yield* store.save([record("a", 1, epoch)])
      const found = yield* look()
      assert.strictEqual(Exit.isSuccess(found) && found.value.name, "sqlite heirloom_state")
      assert.include(errorOf(yield* look("other")).message, "it has no table other of a store")
    }))

  it.live("a file that is looked at says why it is none: it is not there, no database, or cannot be opened", () =>
    Effect.gen(function*() {
      const at = yield* folder
      const look = (filename: string) => Effect.map(Effect.exit(StateStoreSqlite.look({ filename })), errorOf)
      const gone = yield* look(join(at, "gone.db"))
      assert.deepStrictEqual([gone.store, gone.operation, gone.reason._tag], [
        `sqlite ${join(at, "gone.db")}`,
        "open",
        "Absent"
      ])
      const other = join(at, "other.db")
      fs.writeFileSync(other, "no database at all")
      assert.include((yield* look(other)).message, "is no SQLite database")
      // It begins as one, and is none.
      fs.writeFileSync(other, "SQLite format 3\0".padEnd(4096, "x"))
      const broken = yield* look(other)
      assert.deepStrictEqual([broken.operation, broken.reason._tag], ["open", "Corrupt"])
      const backup = yield* Effect.exit(StateStoreSqlite.backup({ filename: other }, join(at, "copy.db")))
      assert.deepStrictEqual([errorOf(backup).operation, errorOf(backup).reason._tag], ["backup", "Corrupt"])
      const none = errorOf(
        yield* Effect.exit(StateStoreSqlite.backup({ filename: join(at, "gone.db") }, join(at, "c.db")))
      )
      assert.deepStrictEqual([none.operation, none.reason._tag], ["backup", "Absent"])
    }))
})
