/**
 * Files that are removed, moved, replaced, cut or overwritten while a store has them open: nothing is acknowledged any
 * more.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Logger, type Scope } from "effect"
import * as fs from "node:fs"
import { basename, dirname, join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { crashed, toText } from "../../../../src/domain/process/ExitReason.ts"
import { Process, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import * as SqliteClient from "../../../../src/layers/state/SqliteClient.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import * as StateStoreSql from "../../../../src/layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { Harness } from "../../../../src/testing.ts"
import { Account, behavior, Inside } from "../../../kit/Account.ts"
import { folder } from "../../../kit/Folder.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { Scripted } from "../../../kit/Scripted.ts"
import { reasonOf, record, seqs } from "../../../kit/stores/Records.ts"

type AnyStore = StateStore.StateStore<StateContainer.Grade>

/** A kind of store: how it is opened on what `directory` holds under a name, and what it keeps there. */
interface Medium {
  readonly name: string
  readonly open: (at: string) => Effect.Effect<AnyStore, unknown, Scope.Scope>
}

/** What happens to the files at a place: `before` is a copy of them that was made earlier. */
interface Loss {
  readonly name: string
  readonly does: (at: string, before: string) => void
  readonly how: string
}

const copy = (from: string, to: string) => fs.cpSync(from, to, { recursive: true })
const newestLog = (at: string) => join(at, fs.readdirSync(at).filter((name) => name.endsWith(".log")).sort().at(-1)!)
const claim = (at: string) => join(at, fs.readdirSync(at).find((name) => name.endsWith(".claim"))!)

const databases: ReadonlyArray<Medium> = [
  { name: "SQLite, a database of its own", open: (at) => StateStoreSqlite.make({ filename: join(at, "app.db") }) },
  {
    name: "SQLite, over a SqlClient",
    open: (at) =>
      Effect.flatMap(
        Layer.build(SqliteClient.layer({ filename: join(at, "app.db") })),
        (context) => Effect.provideContext(StateStoreSql.make(), context)
      )
  }
]

const folders: ReadonlyArray<Medium> = [
  {
    name: "files",
    open: (at) => StateStoreFile.makeDirect({ directory: at }).pipe(Effect.provide(NodeServices.layer))
  },
  {
    name: "files, by whatever file system there is",
    open: (at) => StateStoreFile.make({ directory: at }).pipe(Effect.provide(NodeServices.layer))
  }
]

const ofDatabases: ReadonlyArray<Loss> = [
  {
    name: "removed, all of it",
    does: (at) => fs.readdirSync(at).forEach((name) => fs.rmSync(join(at, name))),
    how: "missing"
  },
  { name: "removed, the database file alone", does: (at) => fs.rmSync(join(at, "app.db")), how: "missing" },
  { name: "moved", does: (at) => fs.renameSync(join(at, "app.db"), join(at, "elsewhere.db")), how: "missing" },
  { name: "moved with its folder", does: (at) => fs.renameSync(at, `${at}-elsewhere`), how: "moved" },
  {
    name: "moved with its folder, and another one is there",
    does: (at) => {
      fs.renameSync(at, `${at}-elsewhere`)
      fs.mkdirSync(at)
    },
    how: "moved"
  },
  {
    name: "replaced by an old copy, that is renamed into its place",
    does: (at, before) => fs.renameSync(join(before, "app.db"), join(at, "app.db")),
    how: "replaced"
  },
  {
    name: "replaced by an old copy, that is written into it",
    does: (at, before) => fs.copyFileSync(join(before, "app.db"), join(at, "app.db")),
    how: "changed"
  },
  {
    name: "replaced with its folder",
    does: (at, before) => {
      fs.renameSync(at, `${at}-elsewhere`)
      copy(before, at)
    },
    how: "replaced"
  },
  { name: "cut off", does: (at) => fs.truncateSync(join(at, "app.db")), how: "cut" },
  { name: "left without its log", does: (at) => fs.rmSync(join(at, "app.db-wal")), how: "missing" },
  { name: "left with an empty log", does: (at) => fs.truncateSync(join(at, "app.db-wal")), how: "cut" }
]

const ofFolders: ReadonlyArray<Loss> = [
  { name: "removed", does: (at) => fs.rmSync(at, { recursive: true }), how: "missing" },
  {
    name: "removed, and made anew",
    does: (at) => {
      fs.rmSync(at, { recursive: true })
      fs.mkdirSync(at)
    },
    how: "replaced"
  },
  { name: "emptied", does: (at) => fs.readdirSync(at).forEach((name) => fs.rmSync(join(at, name))), how: "missing" },
  { name: "moved", does: (at) => fs.renameSync(at, `${at}-elsewhere`), how: "moved" },
  {
    name: "replaced by an old copy",
    does: (at, before) => {
      fs.renameSync(at, `${at}-elsewhere`)
      copy(before, at)
    },
    how: "replaced"
  },
  { name: "overwritten with an old copy", does: (at, before) => copy(before, at), how: "cut" },
  { name: "left without its newest log", does: (at) => fs.rmSync(newestLog(at)), how: "missing" },
  {
    name: "left without an older log",
    does: (at) => fs.rmSync(join(at, fs.readdirSync(at).filter((name) => name.endsWith(".log")).sort()[0]!)),
    how: "missing"
  },
  {
    name: "given a copy of its newest log",
    does: (at) => {
      copy(newestLog(at), join(at, "copy"))
      fs.renameSync(join(at, "copy"), newestLog(at))
    },
    how: "replaced"
  },
  { name: "left with an empty log", does: (at) => fs.truncateSync(newestLog(at)), how: "cut" },
  { name: "left with half a log", does: (at) => fs.truncateSync(newestLog(at), 200), how: "cut" },
  { name: "left with a longer log", does: (at) => fs.appendFileSync(newestLog(at), "more"), how: "changed" },
  { name: "left without its claim", does: (at) => fs.rmSync(claim(at)), how: "missing" }
]

/** A store in a folder of its own with snapshots 1 to 3 of "a", and a copy of its files as they were with the first. */
const used = Effect.fnUntraced(function*({ open }: Medium) {
  const base = yield* folder
  const [at, before] = [join(base, "store"), join(base, "before")]
  fs.mkdirSync(at)
  // An earlier session, so that there is more than one log.
  yield* Effect.scoped(Effect.gen(function*() {
    const store = yield* open(at)
    yield* store.save([record("a", 1, yield* store.acquireEpoch("app"))])
  }))
  const store = yield* open(at)
  const epoch = yield* store.acquireEpoch("app")
  copy(at, before)
  const save = (seq: number) => store.save([record("a", seq, epoch)])
  yield* save(2)
  yield* save(3)
  return { at, before, save, store, epoch }
})

for (const [media, losses] of [[databases, ofDatabases], [folders, ofFolders]] as const) {
  for (const medium of media) {
    describe.concurrent(`${medium.name}: files that are gone while it is open`, () => {
      for (const { does, how, name } of losses) {
        it.live(`${name}: nothing more is acknowledged, and the error says what it is`, () =>
          Effect.gen(function*() {
            const { at, before, epoch, save, store } = yield* used(medium)
            does(at, before)
            const answers = [{ id: "x", seq: 6, at: 6, body: "1" }]
            const exits = [
              yield* Effect.exit(save(4)),
              yield* Effect.exit(save(5)),
              yield* Effect.exit(store.save([record("a", 6, epoch, { answers })])),
              yield* Effect.exit(store.setAside({ key: "a", seq: 3, epoch, why: "test" })),
              yield* Effect.exit(store.remove(["a"], epoch)),
              // A claim that is gone is no loss of what is written: it is found at a write.
              ...(how === "missing" && name.includes("claim") ? [] : [yield* Effect.exit(store.load("a"))]),
              yield* Effect.exit(store.acquireEpoch("app"))
            ]
            for (const exit of exits) {
              const error = Exit.findErrorOption<unknown, StateStore.StoreError>(exit)
              if (error._tag === "None") return assert.fail("it was acknowledged")
              const { message, reason } = error.value
              if (reason._tag !== "Gone") return assert.fail(message)
              assert.strictEqual(reason.how, how)
              assert.isTrue(`${reason.path}/`.startsWith(`${at}/`), reason.path)
              assert.include(message, reason.path)
              assert.notMatch(message, /younger session/)
              assert.match(message, /while the store was open\. (Put it back|Nothing more is acknowledged)/)
              assert.strictEqual(error.value.isRetryable, how === "moved")
            }
          }))
      }

      it.live("moved away and back in time, the store goes on, and what it acknowledges then is there", () =>
        Effect.gen(function*() {
          yield* Effect.scoped(Effect.gen(function*() {
            const { at, save, store } = yield* used(medium)
            fs.renameSync(at, `${at}-elsewhere`)
            assert.strictEqual(reasonOf(yield* Effect.exit(save(4)))?._tag, "Gone")
            fs.renameSync(`${at}-elsewhere`, at)
            yield* save(4)
            yield* save(5)
            assert.deepStrictEqual(yield* seqs(store), [5, 4, 3])
            copy(at, join(dirname(at), "copied"))
            const again = yield* medium.open(join(dirname(at), "copied"))
            assert.deepStrictEqual(yield* seqs(again), [5, 4, 3])
          }))
        }))

      it.live("what belongs to its use is no loss: compaction, checkpoints, other clients, a younger session", () =>
        Effect.gen(function*() {
          const { at, save, store } = yield* used(medium)
          // The first log is cut off, and begun anew by the store itself.
          if (medium.name.startsWith("SQLite")) {
            const other = new DatabaseSync(join(at, "app.db"))
            other.exec("PRAGMA wal_checkpoint(TRUNCATE)")
            other.close()
            yield* save(4)
          }
          const big = (seq: number) => record("b", seq, 3, { state: JSON.stringify("x".repeat(50_000)) })
          assert.strictEqual(yield* store.acquireEpoch("other"), 3)
          for (let seq = 1; seq <= 300; seq++) yield* store.save([big(seq)])
          if (medium.name.startsWith("SQLite")) {
            const other = new DatabaseSync(join(at, "app.db"))
            for (const mode of ["PASSIVE", "FULL", "RESTART", "TRUNCATE"]) {
              other.exec(`PRAGMA wal_checkpoint(${mode})`)
              yield* store.load("a")
              yield* save(4)
            }
            other.exec("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1); VACUUM")
            other.close()
          }
          yield* save(5)
          assert.deepStrictEqual((yield* seqs(store)).slice(0, 1), [5])
          const younger = yield* medium.open(at)
          yield* younger.acquireEpoch("app")
          assert.strictEqual(reasonOf(yield* Effect.exit(save(6)))?._tag, "Fenced")
        }))
    })
  }
}

describe("a log that is compacted", () => {
  it.live("leaves what was put in its place as it is", () =>
    Effect.gen(function*() {
      const at = join(yield* folder, "store")
      const store = yield* StateStoreFile.make({ directory: at, compactAbove: 500 }).pipe(
        Effect.provide(NodeServices.layer)
      )
      const epoch = yield* store.acquireEpoch("app")
      const theirs = `${at}-theirs`
      copy(at, theirs)
      const held = fs.readdirSync(theirs)
      for (let seq = 1; seq <= 40; seq++) {
        const saved = yield* Effect.exit(store.save([record("a", seq, epoch)]))
        if (seq === 20) {
          fs.renameSync(at, `${at}-elsewhere`)
          fs.renameSync(theirs, at)
        }
        assert.strictEqual(Exit.isSuccess(saved), seq <= 20)
      }
      assert.deepStrictEqual(fs.readdirSync(at), held)
    }))
})

describe("a server over files that are gone", () => {
  class Disk extends StateStore.Service<Disk>()("test/Disk", "process") {}

  const layers = [
    ["SQLite", (at: string) => StateStoreSqlite.layer(Disk, { filename: join(at, "app.db") })],
    ["files", (at: string) => StateStoreFile.layer(Disk, { directory: at }).pipe(Layer.provide(NodeServices.layer))]
  ] as const

  for (const [name, layerOf] of layers) {
    it.live(`waits while its folder is moved away, and answers when it is back (${name})`, () =>
      Effect.gen(function*() {
        const at = join(yield* folder, "states")
        fs.mkdirSync(at)
        const away = yield* Latch.make()
        const log = Logger.layer([Logger.make(({ logLevel }) => logLevel === "Warn" && away.openUnsafe())])
        const app = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          StateContainer.layerStore(Account, { store: Disk }),
          Account.layer(behavior(new Inside(new Scripted())))
        ]).pipe(Layer.provide(layerOf(at)))
        yield* Effect.gen(function*() {
          const account = yield* Account
          yield* account.Add({ by: 41 })
          fs.renameSync(at, `${at}-elsewhere`)
          const adding = yield* Effect.forkChild(account.Add({ by: 1 }))
          yield* away.await
          fs.renameSync(`${at}-elsewhere`, at)
          assert.strictEqual(yield* Fiber.join(adding), 42)
          assert.strictEqual(yield* Process.incarnation(account), 1)
        }).pipe(Effect.provide(app), Effect.provide(log))
      }))

    it.live(`is answered NotConserved, which names the file and the remedy, and does not start again (${name})`, () =>
      Effect.gen(function*() {
        const at = yield* folder
        const { layer: log, lines } = recordedLog(({ annotations }) => "store" in annotations)
        const app = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          StateContainer.layerStore(Account, { store: Disk }),
          Account.layer(behavior(new Inside(new Scripted())))
        ]).pipe(Layer.provide(layerOf(at)), Layer.provideMerge(Harness.Harness.layer))
        yield* Effect.gen(function*() {
          const account = yield* Account
          yield* account.Add({ by: 41 })
          for (const file of fs.readdirSync(at)) fs.rmSync(join(at, file))
          const error = yield* Effect.flip(account.Add({ by: 1 }))
          if (error.reason._tag !== "NotConserved") return assert.fail(error.message)
          const text = toText(crashed(error.reason.cause))
          assert.match(text, /was removed, or moved away, while the store was open\. Nothing more is acknowledged/)
          assert.include(text, at)
          assert.notMatch(`${text} ${error.message}`, /younger session/)
          assert.include(error.message, "may or may not be kept")
          const { reason } = yield* (yield* Harness.Harness).awaitTag("GaveUp", "root")
          assert.include(toText(reason), "while the store was open")
        }).pipe(Effect.provide(app), Effect.provide(log))
        assert.deepStrictEqual(lines.map(({ level }) => level), ["Warn"])
        assert.include(lines[0]?.text, basename(at))
      }))
  }
})
