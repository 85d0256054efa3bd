/**
 * Other systems' cases of agents: a whole workflow, an initial function that throws, agents as children, a state that
 * is replaced from outside.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Option, Schema } from "effect"
import {
  Agent,
  DynamicSupervisor,
  GenServer,
  Process,
  Registry,
  StateContainer,
  Supervisor,
  Sys
} from "../../../src/index.ts"

type Entries = Readonly<Record<string, string>>

class Store extends Agent.Service<Store>()("test/Store", { state: Schema.Record(Schema.String, Schema.String) }) {}
class Number extends Agent.Service<Number>()("test/Number", { state: Schema.Int }) {}

class Root extends Supervisor.Service<Root>()("test/Root") {}
class Agents extends DynamicSupervisor.Service<Agents>()("test/Agents") {}
class Names extends Registry.Service<Names, { readonly ref: Store["Service"] }>()("test/Names", { keys: "unique" }) {}

const Live = Layer.mergeAll(
  Root.layer({ strategy: "one_for_one" }, [
    StateContainer.layerForget(Store),
    StateContainer.layerMemory(Number),
    Agents.layer()
  ]),
  Names.layer
)

const put = (key: string, value: string) => (entries: Entries): Entries => ({ ...entries, [key]: value })

const start = Effect.fnUntraced(function*(init: Entries | Effect.Effect<Entries>, key = "store") {
  const agents = yield* Agents
  return yield* agents.startChild(Store.recipe(init, { key, restart: "temporary" }))
})

describe("statecontainer", () => {
  it.effect("STC-001 Agent workflow", () =>
    Effect.gen(function*() {
      const [agents, store] = [yield* Agents, yield* start({})]
      assert.isUndefined(yield* store.update(put("hello", "world")))
      assert.strictEqual(yield* store.get(({ hello }) => hello, { timeout: 3000 }), "world")
      assert.strictEqual(yield* store.getAndUpdate(({ hello, ...rest }) => [hello, rest]), "world")
      assert.deepStrictEqual(yield* store.get(), {})
      yield* GenServer.stop(store)
      assert.strictEqual(store[Process.processOf].status, "stopped")
      assert.strictEqual((yield* Effect.flip(store.get())).reason._tag, "NotRunning")

      const number = yield* agents.startChild(Number.recipe(42, { key: "42" }))
      assert.strictEqual(yield* number.getAndUpdate((n) => [n, n + 1]), 42)
      assert.strictEqual(yield* number.get(), 43)
    }).pipe(Effect.provide(Live)))

  it.effect("STC-003 Agent whose initial function throws", () =>
    Effect.gen(function*() {
      const [agents, names] = [yield* Agents, yield* Names]
      const oops = new Error("oops")
      const throwing = Effect.sync((): Entries => {
        throw oops
      })
      const error = yield* Effect.flip(names.start("name", start(throwing)))
      assert(error._tag === "StartError" && error.reason._tag === "Failed")
      assert.strictEqual(Cause.squash(error.reason.cause), oops)
      assert.strictEqual((yield* agents.countChildren).active, 0)
      assert.deepStrictEqual(yield* names.whereis("name"), Option.none())
      assert.deepStrictEqual(yield* Effect.flatMap(names.start("name", start({})), (store) => store.get()), {})
    }).pipe(Effect.provide(Live)))

  it.effect("STC-005 Agents as children", () =>
    Effect.gen(function*() {
      const defaults = { kind: "worker", restart: "permanent", shutdown: 5000, significant: false, needs: [] } as const
      const App = Root.layer({ strategy: "one_for_one" }, [
        StateContainer.layerMemory(Number),
        Number.layer(1),
        StateContainer.layerMemory(Store),
        Supervisor.child(Store.layer({ of: "its own" }), { id: "custom", restart: "temporary", shutdown: "infinity" })
      ])
      yield* Effect.gen(function*() {
        const [root, number, store] = [yield* Root, yield* Number, yield* Store]
        assert.strictEqual(yield* number.get(), 1)
        assert.deepStrictEqual((yield* root.whichChild("test/Number")).spec, { id: "test/Number", ...defaults })
        assert.deepStrictEqual((yield* root.whichChild("custom")).spec, {
          ...defaults,
          id: "custom",
          restart: "temporary",
          shutdown: "infinity"
        })
        assert.strictEqual(yield* store.get(({ of }) => of), "its own")
      }).pipe(Effect.provide(App))
    }))

  it.effect("STC-006 Replacing an agent's state from outside; a failing replacement changes nothing", () =>
    Effect.gen(function*() {
      const store = yield* start({})
      yield* Sys.suspend(store)
      yield* Sys.replaceState(store, put("hello", "world"))
      yield* Sys.resume(store)
      assert.deepStrictEqual(yield* store.get(), { hello: "world" })

      yield* Sys.suspend(store)
      const oops = new Error("oops")
      const failed = yield* Effect.flip(Sys.replaceState(store, () => {
        throw oops
      }))
      assert(failed instanceof GenServer.ReplaceFailed)
      assert.strictEqual(Cause.squash(failed.cause), oops)
      yield* Sys.resume(store)
      assert.deepStrictEqual(yield* store.get(), { hello: "world" })
      assert.strictEqual(store[Process.processOf].status, "running")
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(GenServer.stop(store))))
    }).pipe(Effect.provide(Live)))
})
