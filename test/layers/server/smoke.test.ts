import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { GenServer, Restart, StateContainer, Supervisor } from "../../../src/index.ts"

class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { amount: Schema.Int }) {}
class Counter extends GenServer.Service<Counter>()("app/Counter", {
  state: Schema.Int,
  messages: {
    Increment: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Withdraw: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int, error: Overdrawn }),
    Reset: GenServer.cast(),
    Crash: GenServer.call()
  }
}) {}

const CounterLive = Counter.layer({
  init: 0,
  handlers: {
    Increment: (count, { by }) => [count + by, count + by],
    Withdraw: (count, { amount }) =>
      amount > count ? Effect.fail(new Overdrawn({ amount })) : Effect.succeed([count - amount, count - amount]),
    Reset: () => 0,
    Crash: () => Effect.die("boom")
  }
})

const ProcSupervisor = Supervisor.layer(
  { strategy: "one_for_one", restart: Restart.intensity({ restarts: 3, within: "5 seconds" }) },
  [StateContainer.layerMemory(Counter), CounterLive]
)

it.effect("the design's program answers 42", () =>
  Effect.gen(function*() {
    const counter = yield* Counter
    yield* counter.Increment({ by: 41 })
    const exit = yield* Effect.exit(counter.Crash())
    console.log(String(exit))
    const w = yield* Effect.exit(counter.Withdraw({ amount: 50 }))
    console.log(String(w))
    assert.strictEqual(yield* counter.Increment({ by: 1 }), 42)
    yield* counter.Reset()
    assert.strictEqual(yield* counter.Increment({ by: 1 }), 1)
    console.log(yield* Effect.exit(counter.Crash()))
  }).pipe(Effect.provide(ProcSupervisor)))
