/** A deploy that cannot read the states, and how it is undone: with real stores, and the program. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { join } from "node:path"
import {
  DynamicSupervisor,
  GenServer,
  StateContainer,
  StateSchema,
  StateStore,
  Supervisor
} from "../../../src/index.ts"
import * as StateStoreFile from "../../../src/layers/state/StateStoreFile.ts"
import * as StateStoreSqlite from "../../../src/layers/state/StateStoreSqlite.ts"
import { command } from "../../../src/programs/snapshots.ts"
import * as Place from "../../../src/programs/stores/Place.ts"
import { folder } from "../../kit/Folder.ts"
import { quiet } from "../../kit/Log.ts"
import { printed } from "../../kit/RunCommand.ts"
import { usePostgres } from "../../kit/stores/UsePostgres.ts"

const V1 = Schema.Struct({ count: Schema.Int })
const V2 = Schema.Struct({ total: Schema.Int })
const total = GenServer.call({ reply: Schema.Int })
const add = GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int })

class Store extends StateStore.Service<Store>()("test/Store", "process") {}
class Tills extends DynamicSupervisor.Service<Tills>()("test/Tills") {}

class Before extends GenServer.Service<Before>()("test/Till", { state: V1, messages: { Add: add } }) {}

const BeforeLive = Supervisor.layer({ strategy: "one_for_one" }, [
  StateContainer.layerStore(Before, { store: Store }),
  Tills.layer(),
  Before.layerKeyed({
    init: { count: 0 },
    handlers: { Add: ({ count }, { by }) => [count + by, { count: count + by }] }
  }).pipe(Layer.provide(Tills.asSupervisor))
])

/** The next release: its migration, and servers that use what comes of it. */
const release = (migrate: (old: typeof V1.Type) => typeof V2.Type, onUnreadable?: "init") => {
  class After extends GenServer.Service<After>()("test/Till", {
    state: StateSchema.make(V1).next(V2, migrate),
    messages: { Add: add, Total: total }
  }) {}
  const Live = Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerStore(After, { store: Store, onUnreadable }),
    Tills.layer(),
    After.layerKeyed({
      init: { total: 0 },
      handlers: {
        Add: ({ total }, { by }) => [total + by, { total: total + by }],
        Total: (state) => [state.total, state]
      }
    }).pipe(Layer.provide(Tills.asSupervisor))
  ])
  return { After, Live }
}

const fails = () => {
  throw new Error("no such field")
}
const refusing = release(fails)
const wrong = release(fails, "init")
const mended = release(({ count }) => ({ total: count }))

const postgres = usePostgres()

const stores = {
  sqlite: (directory: string) => ({
    place: `sqlite:${join(directory, "app.db")}`,
    layer: StateStoreSqlite.layer(Store, { filename: join(directory, "app.db") })
  }),
  file: (directory: string) => ({
    place: `file:${join(directory, "states")}`,
    layer: StateStoreFile.layer(Store, { directory: join(directory, "states") }).pipe(Layer.provide(NodeServices.layer))
  }),
  postgres: () => {
    const place = `postgres:postgres://postgres:test@127.0.0.1:${postgres().port}/postgres` as const
    return { place, layer: Layer.orDie(Place.layer(Store, place)) }
  }
}

/** Key, newest kept, newest set aside, and what becomes of it: of each line but the first. */
const cells = (lines: ReadonlyArray<string>) =>
  lines.slice(1, -1).map((line) => line.trim().split(/ {2,}/).slice(0, 4).join(" | "))

describe.for(["sqlite", "file", "postgres"] as const)("a deploy that could not read the states, over %s", (kind) => {
  it.live("is undone by one command, which tells first what it would do", () =>
    Effect.gen(function*() {
      const { layer, place } = stores[kind](yield* folder)
      const snapshots = (...args: ReadonlyArray<string>) => printed(command, args)

      yield* Effect.gen(function*() {
        for (const key of ["ann", "bob", "cat", "dan", "eve"]) {
          const till = yield* Before.at(key)
          yield* till.Add({ by: 10 })
          yield* till.Add({ by: 20 })
        }
      }).pipe(Effect.provide(BeforeLive.pipe(Layer.provide(layer))))
      // By default nothing is set aside, so nothing is to be undone.
      yield* Effect.gen(function*() {
        for (const key of ["ann", "bob"]) yield* Effect.flip(refusing.After.at(key))
        assert.deepStrictEqual(yield* (yield* Store).listAside(), [])
      }).pipe(Effect.provide(refusing.Live.pipe(Layer.provideMerge(layer))), quiet)
      // It was decided about dan before, which no other decision undoes.
      yield* snapshots("restore", place, "test/Till/dan", "1")

      yield* Effect.gen(function*() {
        // One is only started, one only looked at: that changes nothing.
        yield* wrong.After.at("ann")
        assert.strictEqual(yield* (yield* wrong.After.at("bob")).Total(), 0)
        assert.strictEqual(yield* (yield* wrong.After.at("cat")).Add({ by: 1 }), 1)
      }).pipe(Effect.provide(wrong.Live.pipe(Layer.provide(layer))))

      const none = ["  none", "0 restored, 0 back already, 0 chosen by hand, 0 that went on."]
      const planned = yield* snapshots("restore-aside", place, "test/Till", "--dry-run")
      assert.deepStrictEqual(cells(planned), [
        "test/Till/ann | nothing | 2 | to be restored",
        "test/Till/bob | nothing | 2 | to be restored",
        "test/Till/cat | 3 | 2 | left: went on",
        "test/Till/dan | 1 | 2 | left: chosen by hand"
      ])
      assert.match(planned.at(-1)!, /^2 to be restored, 0 back already, 1 chosen by hand, 1 that went on left as they/)
      assert.include(planned[1], "the migration to version 2 died")
      assert.deepStrictEqual(
        yield* snapshots("restore-aside", place, "test/Till", "--dry-run"),
        planned,
        "it changed nothing"
      )
      assert.deepStrictEqual(yield* snapshots("restore-aside", place, "test/Tills"), none)
      assert.deepStrictEqual(yield* snapshots("restore-aside", place, "--since", "2999-12-31"), none)

      assert.deepStrictEqual(cells(yield* snapshots("restore-aside", place)), [
        "test/Till/ann | nothing | 2 | restored as 3",
        "test/Till/bob | nothing | 2 | restored as 3",
        "test/Till/cat | 3 | 2 | left: went on",
        "test/Till/dan | 1 | 2 | left: chosen by hand"
      ])
      assert.deepStrictEqual(cells(yield* snapshots("restore-aside", place, "test/Till", "--over")), [
        "test/Till/ann | 3 | 2 | is back",
        "test/Till/bob | 3 | 2 | is back",
        "test/Till/cat | 3 | 2 | restored as 4",
        "test/Till/dan | 1 | 2 | left: chosen by hand"
      ])

      // What cat did since is not in its state, and not gone.
      const numbers = (yield* snapshots("list", place, "test/Till/cat")).slice(1).map((line) =>
        line.trim().split(/ +/)[1]
      )
      assert.deepStrictEqual(numbers.slice(0, 2), ["4", "3"])

      const totals = yield* Effect.forEach(
        ["ann", "bob", "cat", "dan", "eve"],
        (key) => Effect.flatMap(mended.After.at(key), (till) => till.Total())
      ).pipe(Effect.provide(mended.Live.pipe(Layer.provide(layer))))
      assert.deepStrictEqual(totals, [30, 30, 30, 10, 30])
    }), 180_000)
})
