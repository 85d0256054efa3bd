import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { GenServer, StateContainer, Supervisor } from "../../../src/index.ts"
import * as StateStore from "../../../src/layers/state/StateStore.ts"

class Store extends StateStore.Service<Store>()("test/Store", "crash") {}
class Counter extends GenServer.Service<Counter>()("app/Counter", {
  state: Schema.Int,
  messages: {
    Increment: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Crash: GenServer.call()
  }
}) {}
const CounterLive = Counter.layer({
  init: 0,
  handlers: {
    Increment: (count, { by }) => [count + by, count + by],
    Crash: () => Effect.die("boom")
  }
})
const App = Supervisor.layer(
  { strategy: "one_for_one" },
  [StateContainer.layerStore(Counter, { store: Store }), CounterLive]
)
it.live("state goes to the store and comes back in a new tree", () =>
  Effect.gen(function*() {
    yield* Effect.gen(function*() {
      const counter = yield* Counter
      assert.strictEqual(yield* counter.Increment({ by: 41 }), 41)
      yield* Effect.exit(counter.Crash())
      assert.strictEqual(yield* counter.Increment({ by: 1 }), 42)
    }).pipe(Effect.provide(App))
    yield* Effect.gen(function*() {
      const counter = yield* Counter
      assert.strictEqual(yield* counter.Increment({ by: 1 }), 43)
      const store = yield* Store
      console.log(yield* store.load("app/Counter"))
    }).pipe(Effect.provide(App))
  }).pipe(Effect.provide(StateStore.layerMemory(Store))))
