/**
 * A log of which a part is missing, and not known what it held: for how long that concerns servers that are new, and
 * who ends it.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { DynamicSupervisor, GenServer, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import { command } from "../../../../src/programs/snapshots.ts"
import { Harness } from "../../../../src/testing.ts"
import { quiet } from "../../../kit/Log.ts"
import { printed } from "../../../kit/RunCommand.ts"
import { makeDisk } from "../../../kit/stores/FaultyDisk.ts"
import { folder, open, segments, written } from "../../../kit/stores/FileStore.ts"
import { record } from "../../../kit/stores/Records.ts"

class Store extends StateStore.Service<Store>()("test/Store", "process") {}

class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}

class Page extends GenServer.Service<Page>()("test/Page", {
  state: Schema.Int,
  messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
}) {}

const app = (directory: string) =>
  Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerStore(Page, { store: Store, answers: { maxAge: "1 hour" } }),
    Pool.layer(),
    Layer.provide(
      Page.layerKeyed({ init: 0, handlers: { Add: (n, { by }) => [n + by, n + by] } }),
      Pool.asSupervisor
    )
  ]).pipe(
    Layer.provide(Layer.provide(StateStoreFile.layer(Store, { directory }), NodeServices.layer)),
    Layer.provideMerge(Harness.Harness.layer)
  )

/** A folder of which all is gone but its claim. */
const gone = Effect.gen(function*() {
  const directory = yield* folder
  yield* written(directory, 2, "test/Page/lost")
  for (const name of fs.readdirSync(directory)) if (!name.endsWith(".claim")) fs.rmSync(join(directory, name))
  return directory
})

/** A folder of which a log cannot be read at all, and what lies beside it is gone. */
const garbled = Effect.gen(function*() {
  const directory = yield* folder
  const file = yield* written(directory, 2, "test/Page/lost")
  fs.writeFileSync(file, Buffer.alloc(fs.statSync(file).size, 0xa5))
  for (const name of fs.readdirSync(directory)) {
    const path = join(directory, name)
    if (!name.endsWith(".claim") && path !== file) fs.rmSync(path)
  }
  return directory
})

/** Whether a server says that it may have had a state, and what a call with a key came to. */
const firstOf = Effect.fnUntraced(function*(key: string) {
  const page = yield* Page.at(key)
  const answer = yield* Effect.exit(page.Add({ by: 1 }, { idempotencyKey: "once" }))
  const tags = yield* (yield* Harness.Harness).historyOf(page)
  return [tags.includes("StateRolledBack"), answer._tag] as const
})

describe("a part of a log that may have held anything", () => {
  it.effect("is in doubt as well when it is there, and nothing of it can be read", () =>
    Effect.gen(function*() {
      const directory = yield* garbled
      assert.deepStrictEqual(yield* Effect.provide(firstOf("a"), app(directory)), [true, "Failure"])
    }).pipe(quiet))

  it.effect("concerns a new server no longer than answers are kept on record", () =>
    Effect.gen(function*() {
      const directory = yield* gone
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* firstOf("a"), [true, "Failure"])
        yield* TestClock.adjust("59 minutes")
        assert.deepStrictEqual(yield* firstOf("b"), [true, "Failure"])
        yield* TestClock.adjust("2 minutes")
        assert.deepStrictEqual(yield* firstOf("c"), [false, "Success"])
      }).pipe(Effect.provide(app(directory)))
      // That is on record, in the log, and over all the same.
      yield* Effect.provide(
        Effect.map(firstOf("d"), (found) => assert.deepStrictEqual(found, [false, "Success"])),
        app(directory)
      )
    }).pipe(quiet))

  it.live("is named by a command, and ended by it", () =>
    Effect.gen(function*() {
      const directory = yield* gone
      const place = `file:${directory}`
      // One that is known, and whose answers are in doubt as well.
      yield* Effect.scoped(Effect.gen(function*() {
        const { store } = yield* open(directory)
        yield* store.save([record("test/Page/known", 1, yield* store.acquireEpoch("app"), { state: "7" })])
      }))
      const [line] = yield* printed(command, ["doubt", place])
      assert.match(line!, /^since 20\d\d-.*: 0000000001-0\.log is missing, and may have held it$/)
      assert.match((yield* printed(command, ["doubt", place, "--end"])).join(), /^Ended/)
      assert.deepStrictEqual(yield* printed(command, ["doubt", place]), ["none"])
      yield* Effect.provide(
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* firstOf("new"), [false, "Success"])
          assert.deepStrictEqual(yield* firstOf("known"), [false, "Success"])
        }),
        app(directory)
      )
      assert.deepStrictEqual(yield* printed(command, ["doubt", place]), ["none"])
    }).pipe(quiet))
})

describe("the newest of a log's segments, of which the claim says which it is", () => {
  /** A folder with eleven segments, each of which builds on those before. */
  const eleven = Effect.gen(function*() {
    const directory = yield* folder
    yield* Effect.scoped(Effect.gen(function*() {
      const disk = makeDisk()
      const { store } = yield* open(directory, disk)
      const epoch = yield* store.acquireEpoch("app")
      for (let seq = 1; seq <= 10; seq++) {
        disk.answer = ({ operation, path }) => operation === "sync" && path.includes(".log") ? { code: "EIO" } : "well"
        yield* Effect.flip(store.save([record("a", seq, epoch)]))
        disk.answer = () => "well"
        yield* store.save([record("a", seq, epoch)])
      }
    }))
    assert.deepStrictEqual(
      segments(directory).map((file) => Number(/-(\d+)\.log$/.exec(file)![1])).sort((a, b) => a - b),
      Array.from({ length: 11 }, (_, number) => number)
    )
    return directory
  })

  it.live("is missed when it is the tenth, too", () =>
    Effect.gen(function*() {
      const directory = yield* eleven
      const newest = "0000000001-10"
      for (const kind of ["log", "keys"]) fs.rmSync(join(directory, `${newest}.${kind}`))
      const { damages, store } = yield* open(directory)
      yield* store.acquireEpoch("app")
      assert.include(
        damages.map((one) => one._tag === "Unusable" ? one.file : one._tag),
        `${newest}.log`
      )
    }))

  it.live("is not missed when it is younger than the claim says: who wrote it was ended before that was noted", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      let seq = 0
      yield* Effect.scoped(Effect.gen(function*() {
        const { store } = yield* open(directory, makeDisk(), { compactAbove: 500 })
        const epoch = yield* store.acquireEpoch("app")
        while (!segments(directory).every((file) => file.endsWith("-10.log"))) {
          yield* store.save([record("a", ++seq, epoch)])
        }
      }))
      const claim = fs.readdirSync(directory).find((name) => name.endsWith(".claim"))!
      const note = "0000000001-9.log"
      fs.writeFileSync(join(directory, claim), `${note} ${crc32(note)}`.padEnd(40))
      const { damages, store } = yield* open(directory)
      yield* store.acquireEpoch("app")
      assert.deepStrictEqual(damages, [])
      assert.deepStrictEqual((yield* store.load("a")).map((one) => one.seq), [seq, seq - 1, seq - 2])
    }))
})
