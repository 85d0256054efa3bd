/** Copies of stores, made while an app writes to them, by the program as a process. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as fs from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { type StateContainer, type StateStore } from "../../src/index.ts"
import * as StateStoreFile from "../../src/layers/state/StateStoreFile.ts"
import * as StateStoreSql from "../../src/layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../../src/layers/state/StateStoreSqlite.ts"
import { folder } from "../kit/Folder.ts"
import { run } from "../kit/RunProgram.ts"
import { answer, record, timer } from "../kit/stores/Records.ts"
import { usePostgres } from "../kit/stores/UsePostgres.ts"

type Store = StateStore.StateStore<StateContainer.Grade>
type Opened = Effect.Effect<Store, unknown, Scope.Scope>

const backup = (...args: ReadonlyArray<string>) => run("backup", args)
const keys = Array.from({ length: 20 }, (_, i) => `app/Till/${i}`)

/** Commits to every key in turns without end; `acknowledged` is what it has been answered, by key. */
const load = (store: Store, acknowledged: Map<string, number>) =>
  Effect.gen(function*() {
    const epoch = yield* store.acquireEpoch("app")
    yield* store.save([record("aside", 1, epoch)])
    yield* store.setAside({ key: "aside", seq: 1, epoch, why: "poisoned" })
    yield* store.save([record("timed", 1, epoch, { timers: [timer("t", 5)] })])
    const commit = (seq: number) =>
      store.save(
        keys.map((key) => record(key, seq, epoch, { answers: [answer(`${seq}`, seq)], forgetAnswersBefore: seq - 9 }))
      )
    yield* commit(1)
    const forever = Effect.gen(function*() {
      for (let seq = 2;; seq++) {
        yield* commit(seq)
        for (const key of keys) acknowledged.set(key, seq)
        // The copy is to have its share of the machine.
        yield* Effect.sleep("2 millis")
      }
    })
    return yield* Effect.forkScoped(forever)
  })

/** A copy is one moment of the store: not before `least`, each key with its snapshots and answers, all of one batch. */
const isOneMoment = Effect.fnUntraced(function*(copy: StateStore.StoreView, least: number) {
  const all = yield* Effect.forEach(keys, copy.load)
  const newest = new Set(all.map(([first]) => first!.seq))
  assert.lengthOf([...newest], 1, "batches are whole")
  const [seq] = newest
  assert.isAtLeast(seq!, least)
  for (const records of all) {
    assert.deepStrictEqual(records.map((one) => one.seq), [seq, seq! - 1, seq! - 2].filter((one) => one! > 0))
    assert.isTrue(records[0]!.answers?.some(({ id }) => id === `${seq}`), "with its answers")
  }
  assert.deepStrictEqual((yield* copy.listAside()).map(({ why }) => why), ["poisoned"])
  assert.deepStrictEqual((yield* copy.timers?.(10) ?? Effect.succeed([])).map(({ key }) => key), ["timed"])
})

const copied = Effect.fnUntraced(function*(
  open: Opened,
  place: string,
  target: string,
  look: Effect.Effect<StateStore.StoreView, unknown, Scope.Scope>
) {
  const acknowledged = new Map<string, number>()
  const store = yield* open
  const fiber = yield* load(store, acknowledged)
  while (acknowledged.size < keys.length) yield* Effect.sleep("5 millis")
  const least = Math.min(...acknowledged.values())
  const { code, stderr, stdout } = yield* backup(place, target)
  yield* Fiber.interrupt(fiber)
  assert.strictEqual(code, 0, stderr)
  assert.match(stdout, /is copied to .*: 21 keys, \d+ snapshots, 1 set aside\. Each was read\./)
  assert.isAbove(Math.min(...acknowledged.values()), least, "the store was written to meanwhile")
  yield* isOneMoment(yield* look, least)
})

describe("backup", () => {
  it.live("of a database that an app writes to is one moment of it, with which a store goes on", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const [filename, target] = [join(directory, "app.db"), join(directory, "copy.db")]
      yield* copied(
        StateStoreSqlite.make({ filename }),
        `sqlite:${filename}`,
        target,
        StateStoreSqlite.look({ filename: target })
      )
      const store = yield* StateStoreSqlite.make({ filename: target })
      const epoch = yield* store.acquireEpoch("app")
      yield* store.save([record("timed", 2, epoch)])
      assert.deepStrictEqual((yield* store.load("timed")).map(({ seq }) => seq), [2, 1])
      const again = yield* backup(`sqlite:${filename}`, target)
      assert.notStrictEqual(again.code, 0)
      assert.include(again.stderr, "is there already")
    }))

  it.live("of a folder, compacted all the time, is one moment of it", () =>
    Effect.gen(function*() {
      const root = yield* folder
      const [directory, target] = [join(root, "data"), join(root, "copy")]
      yield* copied(
        Effect.provide(StateStoreFile.makeDirect({ directory, compactAbove: 20_000 }), NodeServices.layer),
        `file:${directory}`,
        target,
        Effect.provide(StateStoreFile.look({ directory: target }), NodeServices.layer)
      )
      // The folder of a store holds nothing else.
      const held = fs.readdirSync(directory)
      const inside = yield* backup(`file:${directory}`, join(directory, "copy"))
      assert.notStrictEqual(inside.code, 0)
      assert.include(inside.stderr, "is in the folder of the store itself")
      assert.deepStrictEqual(fs.readdirSync(directory), held)
      assert.isFalse(fs.existsSync(`${target}.part`))
    }))

  const postgres = usePostgres()

  it.live("of a PostgreSQL is one moment of it in a SQLite database, and goes back into an empty one", () =>
    Effect.gen(function*() {
      const target = join(yield* folder, "copy.db")
      const { client, port } = postgres()
      const url = `postgres:postgres://postgres:test@127.0.0.1:${port}/postgres`
      const context = yield* Layer.build(client)
      const sql = Context.get(context, SqlClient.SqlClient)
      const look = StateStoreSqlite.look({ filename: target })
      yield* copied(Effect.provideContext(StateStoreSql.make(), context), url, target, look)
      const full = yield* backup(`sqlite:${target}`, url)
      assert.notStrictEqual(full.code, 0)
      assert.include(full.stderr, "has states already")
      assert.notInclude(full.stderr, "test@")
      for (const end of ["", "_answers", "_timers", "_aside", "_owners"]) {
        yield* sql.unsafe(`DROP TABLE heirloom_state${end}`)
      }
      const back = yield* backup(`sqlite:${target}`, url)
      assert.strictEqual(back.code, 0, back.stderr)
      const restored = yield* Effect.provideContext(StateStoreSql.look(), context)
      yield* isOneMoment(restored, 1)
    }))

  it.live("of what is no store is none; a damaged snapshot is copied, and named", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const filename = join(directory, "app.db")
      const none = yield* backup(`sqlite:${join(directory, "missing.db")}`, join(directory, "none.db"))
      assert.deepStrictEqual([none.code, fs.readdirSync(directory)], [1, []])
      yield* Effect.scoped(Effect.gen(function*() {
        const store = yield* StateStoreSqlite.make({ filename })
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("good", 1, epoch), record("bad", 1, epoch)])
      }))
      const db = new DatabaseSync(filename)
      db.exec(`UPDATE heirloom_state SET state = '{"count":2}' WHERE key = 'bad'`)
      db.close()
      const { code, stderr } = yield* backup(`sqlite:${filename}`, join(directory, "copy.db"))
      assert.strictEqual(code, 1)
      assert.include(stderr, "bad: snapshot 1: ")
      assert.notInclude(stderr, "good")
      const view = yield* StateStoreSqlite.look({ filename: join(directory, "copy.db") })
      assert.lengthOf(yield* view.load("good"), 1)
    }))
})
