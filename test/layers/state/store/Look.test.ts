/** Looking at a store: what is there is shown, and nothing is written, whatever it is. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as fs from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Snapshots, type StateContainer, type StateStore } from "../../../../src/index.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import * as StateStoreSql from "../../../../src/layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { folder } from "../../../kit/Folder.ts"
import { answer, record, timer } from "../../../kit/stores/Records.ts"
import { usePostgres } from "../../../kit/stores/UsePostgres.ts"

type Opened = Effect.Effect<StateStore.StateStore<"process">, StateStore.StoreError, Scope.Scope>
type Looked = Effect.Effect<StateStore.StoreView, StateStore.StoreError, Scope.Scope>

const media: Record<string, (path: string) => { readonly open: Opened; readonly look: Looked }> = {
  sqlite: (filename) => ({
    open: StateStoreSqlite.make({ filename }),
    look: StateStoreSqlite.look({ filename })
  }),
  files: (directory) => ({
    open: Effect.provide(StateStoreFile.makeDirect({ directory }), NodeServices.layer),
    look: Effect.provide(StateStoreFile.look({ directory }), NodeServices.layer)
  })
}

/** Every file under a folder, with its bytes. */
const bytesIn = (directory: string): Record<string, string> =>
  Object.fromEntries(
    fs.readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((one) => one.isFile())
      .map((one) => [one.name, fs.readFileSync(join(one.parentPath, one.name)).toString("base64")])
  )

/** Whatever can be asked of it. */
const everything = Effect.fnUntraced(function*(view: StateStore.StoreView) {
  const keys = yield* view.keys()
  return {
    keys,
    page: yield* view.keys("", { limit: 1 }),
    loaded: yield* Effect.forEach(keys, view.load),
    aside: yield* view.listAside(),
    due: yield* view.timers?.(10) ?? Effect.succeed([])
  }
})

const fill = Effect.fnUntraced(function*(store: StateStore.StateStore<StateContainer.Grade>) {
  const epoch = yield* store.acquireEpoch("app")
  yield* store.save([
    record("a", 1, epoch, { answers: [answer("x", 1)], timers: [timer("t", 5)] }),
    record("b", 1, epoch),
    record("c", 1, epoch)
  ])
  yield* store.save([record("a", 2, epoch)])
  yield* store.setAside({ key: "b", seq: 1, epoch, why: "poisoned" })
  return epoch
})

const absence = (looked: Looked) =>
  Effect.map(Effect.flip(Effect.scoped(looked)), ({ message, reason }) => {
    assert.strictEqual(reason._tag, "Absent", message)
    assert.match(message, /Nothing was written/)
  })

describe.for(Object.keys(media))("looking at a store over %s", (kind) => {
  const medium = media[kind]!

  it.live("shows what it holds, and leaves every byte as it was, while it is open and when it is closed", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const { look, open } = medium(join(directory, "store"))
      const expected = yield* Effect.scoped(Effect.gen(function*() {
        const store = yield* open
        const epoch = yield* fill(store)
        const before = bytesIn(directory)
        const found = yield* Effect.scoped(Effect.flatMap(look, everything))
        assert.deepStrictEqual(found, yield* everything(store))
        const after = bytesIn(directory)
        // A reader has its place in the index of SQLite's log, which is no part of what is stored.
        for (const files of [before, after]) delete files["store-shm"]
        assert.deepStrictEqual(after, before)
        yield* store.save([record("a", 3, epoch)])
        return yield* everything(store)
      }))
      const before = bytesIn(directory)
      assert.deepStrictEqual(yield* Effect.scoped(Effect.flatMap(look, everything)), expected)
      assert.deepStrictEqual(bytesIn(directory), before)
    }))

  it.live("goes on when an app is started meanwhile", () =>
    Effect.gen(function*() {
      const { look, open } = medium(join(yield* folder, "store"))
      yield* Effect.scoped(Effect.flatMap(open, fill))
      const view = yield* look
      assert.deepStrictEqual([yield* view.keys(), yield* view.keys("", { limit: 1 })], [["a", "c"], ["a"]])
      const store = yield* open
      const epoch = yield* store.acquireEpoch("app")
      for (let seq = 3; seq < 300; seq++) yield* store.save([record("a", seq, epoch)])
      assert.lengthOf(yield* view.load("a"), kind === "files" ? 2 : 3)
    }))

  it.live("finds that there is none where there is nothing, or something else, and makes none", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      yield* absence(medium(join(directory, "missing")).look)
      fs.writeFileSync(join(directory, "text"), "no store at all".repeat(100))
      yield* absence(medium(join(directory, "text")).look)
      fs.writeFileSync(join(directory, "empty"), "")
      yield* absence(medium(join(directory, "empty")).look)
      fs.mkdirSync(join(directory, "folder"))
      yield* absence(medium(join(directory, "folder")).look)
      assert.deepStrictEqual(fs.readdirSync(directory).sort(), ["empty", "folder", "text"])
      assert.deepStrictEqual(fs.readdirSync(join(directory, "folder")), [])
    }))
})

it.live("a snapshot whose bytes have rotted is lost once, however many look at it together", () =>
  Effect.gen(function*() {
    const directory = yield* folder
    const { look, open } = media["files"]!(directory)
    yield* Effect.scoped(Effect.gen(function*() {
      const store = yield* open
      const epoch = yield* store.acquireEpoch("app")
      yield* store.save([record("a", 1, epoch, { state: `"what rots"` })])
    }))
    const view = yield* look
    yield* view.keys()
    const log = join(directory, fs.readdirSync(directory).find((name) => name.endsWith(".log"))!)
    fs.writeFileSync(log, fs.readFileSync(log, "latin1").replace("what rots", "what r0ts"), "latin1")
    const found = yield* Effect.all([view.load("a"), view.load("a")], { concurrency: 2 })
    for (const records of [...found, yield* view.load("a")]) {
      assert.deepStrictEqual(records.map(({ damaged, seq }) => [seq, damaged === undefined]), [[1, false]])
    }
  }))

describe("looking at databases", () => {
  it.live("one of another app is left as it is: no table is made, and no log turned on", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const filename = join(directory, "other.db")
      const db = new DatabaseSync(filename)
      db.exec("CREATE TABLE heirloom_state (key text, n int); INSERT INTO heirloom_state VALUES ('a', 1)")
      db.close()
      const before = bytesIn(directory)
      yield* absence(StateStoreSqlite.look({ filename }))
      assert.deepStrictEqual(bytesIn(directory), before)
    }))

  it.live("a copy with its log is read where nothing can be written", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const filename = join(directory, "app.db")
      const medium = join(directory, "medium")
      fs.mkdirSync(medium)
      yield* Effect.scoped(Effect.gen(function*() {
        yield* fill(yield* StateStoreSqlite.make({ filename }))
        for (const end of ["", "-wal"]) fs.copyFileSync(`${filename}${end}`, join(medium, `copy.db${end}`))
      }))
      // Where the index of a log should be is a folder: as little as on a read-only medium can one be made there.
      fs.mkdirSync(join(medium, "copy.db-shm"))
      const view = yield* StateStoreSqlite.look({ filename: join(medium, "copy.db") })
      assert.deepStrictEqual((yield* view.load("a")).map(({ seq }) => seq), [2, 1])
      assert.deepStrictEqual(fs.readdirSync(medium).sort(), ["copy.db", "copy.db-shm", "copy.db-wal"])
    }))

  it.live("one of version 0.1 is shown, and stays what it is; the copy that is read is removed", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const filename = join(directory, "app.db")
      fs.copyFileSync(new URL("../../../kit/stores/written-by-0.1/states.db", import.meta.url), filename)
      const before = bytesIn(directory)
      const copies = yield* folder
      vi.stubEnv("TMPDIR", copies)
      yield* Effect.scoped(Effect.gen(function*() {
        const view = yield* StateStoreSqlite.look({ filename })
        assert.isAbove((yield* view.keys()).length, 0)
        assert.lengthOf(fs.readdirSync(copies), 1)
      }))
      assert.deepStrictEqual([bytesIn(directory), fs.readdirSync(copies)], [before, []])
    }).pipe(Effect.ensuring(Effect.sync(() => vi.unstubAllEnvs()))))

  const postgres = usePostgres()

  it.live("a PostgreSQL without states is left without tables; one with states is shown", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const tables = sql.unsafe<{ readonly n: number }>(
        "SELECT count(*)::int AS n FROM pg_class WHERE relname LIKE 'heirloom%'"
      )
      yield* absence(Effect.provideService(StateStoreSql.look(), SqlClient.SqlClient, sql))
      assert.strictEqual((yield* tables)[0]?.n, 0)
      const store = yield* StateStoreSql.make()
      yield* fill(store)
      assert.deepStrictEqual(yield* Effect.flatMap(StateStoreSql.look(), everything), yield* everything(store))
    }).pipe(Effect.provide(postgres().client)))

  it.live("a row that holds anything keeps no other from being shown", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "app.db")
      yield* Effect.scoped(Effect.flatMap(StateStoreSqlite.make({ filename }), fill))
      const db = new DatabaseSync(filename)
      for (const value of ["x", "[", "7", "{}"]) {
        db.prepare(
          `INSERT INTO heirloom_state_aside (key, seq, epoch, version, trusted, at, state, answers, why, aside_at, timers, sum)
           VALUES ('b', ?, 1, 1, 0, ?, ?, ?, 'w', ?, ?, 1)`
        ).run(value, value, value, value, value, value)
      }
      db.close()
      const view = yield* StateStoreSqlite.look({ filename })
      const listed = yield* Snapshots.aside(view)
      assert.deepStrictEqual(listed.map(({ damaged }) => damaged === undefined), [false, false, false, false, true])
      assert.deepStrictEqual(listed.map(({ answers }) => answers), [0, 0, 0, 0, 0])
    }))
})
