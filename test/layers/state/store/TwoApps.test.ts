/**
 * Two apps, or an app and the command, at one store in one process: who comes second is told whose it is, or takes
 * over.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema, Scope } from "effect"
import { join } from "node:path"
import { GenServer, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { command } from "../../../../src/programs/snapshots.ts"
import { folder } from "../../../kit/Folder.ts"
import { quiet } from "../../../kit/Log.ts"
import { printed } from "../../../kit/RunCommand.ts"

class Store extends StateStore.Service<Store>()("test/Store", "process") {}

class Count extends GenServer.Service<Count>()("test/Count", {
  state: Schema.Int,
  messages: { Add: GenServer.call({ reply: Schema.Int }) }
}) {}

const stores = {
  "SQLite": (directory: string) => ({
    place: `sqlite:${join(directory, "app.db")}`,
    layer: (options: StateStore.OwnedOptions) =>
      StateStoreSqlite.layer(Store, { ...options, filename: join(directory, "app.db") })
  }),
  "files": (directory: string) => ({
    place: `file:${join(directory, "app")}`,
    layer: (options: StateStore.OwnedOptions) =>
      Layer.provide(StateStoreFile.layer(Store, { ...options, directory: join(directory, "app") }), NodeServices.layer)
  })
}

/** An app that lives as long as the Scope; its layers are its own. */
const app = (store: Layer.Layer<Store, unknown>) =>
  Effect.map(
    Layer.build(Layer.fresh(
      Supervisor.layer({ strategy: "one_for_one" }, [
        StateContainer.layerStore(Count, { store: Store }),
        Count.layer({ init: 0, handlers: { Add: (n) => [n + 1, n + 1] } })
      ]).pipe(Layer.provide(store))
    )),
    (context) => Effect.provideContext(Count, context)
  )

for (const [name, at] of Object.entries(stores)) {
  describe(`${name}: two owners in one process`, () => {
    it.live("the second app is refused while the first one runs, and hears that this process has it", () =>
      Effect.gen(function*() {
        const { layer } = at(yield* folder)
        const scope = yield* Scope.make()
        const first = yield* yield* Scope.provide(app(layer({})), scope)
        assert.strictEqual(yield* first.Add(), 1)
        const error = yield* Effect.flip(Effect.scoped(app(layer({ patience: 0 }))))
        assert.include(String(error), `process ${process.pid} on`)
        assert.strictEqual(yield* first.Add(), 2)
        yield* Scope.close(scope, Exit.void)
        const second = yield* yield* app(layer({ patience: 0 }))
        assert.strictEqual(yield* second.Add(), 3)
      }).pipe(quiet))

    it.live("one that is to take over has all that the first acknowledged, and nothing of the first is stored any more", () =>
      Effect.gen(function*() {
        const { layer } = at(yield* folder)
        const first = yield* yield* app(layer({}))
        assert.strictEqual(yield* first.Add(), 1)
        const second = yield* yield* app(layer({ ownership: "youngest" }))
        assert.include(String(yield* Effect.exit(first.Add())), "a younger session has taken over")
        assert.strictEqual(yield* second.Add(), 2)
        assert.include(String(yield* Effect.exit(first.Add())), "is not running and no start is due")
        assert.strictEqual(yield* second.Add(), 3)
      }).pipe(quiet))

    it.live("what the command restores while an app runs stands: the app is fenced off, and the next one starts from it", () =>
      Effect.gen(function*() {
        const { layer, place } = at(yield* folder)
        yield* Effect.scoped(Effect.gen(function*() {
          const first = yield* yield* app(layer({}))
          for (const n of [1, 2, 3]) assert.strictEqual(yield* first.Add(), n)
          const lines = yield* printed(command, ["restore", place, "test/Count", "2"])
          assert.match(lines.join("\n"), /test\/Count/)
          const error = yield* Effect.flip(first.Add())
          assert.strictEqual(error.reason._tag, "NotConserved")
        }))
        const next = yield* yield* app(layer({ patience: 0 }))
        assert.strictEqual(yield* next.Add(), 3)
      }).pipe(quiet))
  })
}
