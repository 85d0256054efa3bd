/** Fibers that come to their end when nobody waits for them any more. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Option, Schema } from "effect"
import { DynamicSupervisor, GenServer, StateContainer, Supervisor } from "../../../src/index.ts"
import * as Turn from "../../../src/layers/supervision/Turn.ts"
import { Harness } from "../../../src/layers/testing/Harness.ts"
import { now } from "./cell.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Do: GenServer.call({ reply: Schema.Int })
  }
}) {}

class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}

const app = Layer.provideMerge(
  Supervisor.layer({ id: "root", strategy: "one_for_one" }, [StateContainer.layerMemory(Num), Pool.layer({})]),
  Harness.layer
)

const start = (work: Effect.Effect<unknown>) =>
  Effect.flatMap(Pool, (pool) =>
    pool.startChild(Num.recipe({
      init: 0,
      handlers: {
        Add: (n: number, { by }: { readonly by: number }) => [n + by, n + by] as const,
        Do: (n: number) => Effect.as(work, [n + 1, n + 1] as const)
      }
    }, { key: "a", shutdown: "brutal_kill" })))

const conserved = Effect.flatMap(Num.StateContainer, (container) => container.for("a").get)

it.effect("a handler that has its own server terminated ends nothing twice", () =>
  Effect.gen(function*() {
    const harness = yield* Harness
    const pool = yield* Pool
    const ref: { num?: typeof Num.Service } = {}
    ref.num = yield* start(Effect.suspend(() => Effect.exit(pool.terminateChild(ref.num!))))
    const { num } = ref
    yield* num.Add({ by: 41 })
    const exit = yield* Effect.exit(num.Do())
    assert.isTrue(Exit.isFailure(exit))
    yield* Effect.yieldNow
    assert.strictEqual(yield* GenServer.status(num), "stopped")
    assert.deepStrictEqual(yield* conserved, Option.some(41))
    const again = yield* start(Effect.void)
    assert.strictEqual(yield* again.Add({ by: 1 }), 42)
    const exits = (yield* harness.eventsOf(num)).filter((event) => event._tag === "Exited")
    assert.strictEqual(exits.length, 1)
  }).pipe(Effect.provide(app)))

it.effect("a handler that ends on a deep stack, and is abandoned before anybody could take note, is not heard", () => {
  const gate = Latch.makeUnsafe()
  return Effect.gen(function*() {
    const pool = yield* Pool
    const num = yield* start(gate.await)
    yield* num.Add({ by: 41 })
    const working = yield* now(Effect.exit(num.Do()))
    const context = yield* Effect.context<never>()
    for (let i = 0; i < Turn.maxDepth; i++) Turn.enter()
    gate.openUnsafe()
    const terminating = Effect.runForkWith(context)(pool.terminateChild(num))
    for (let i = 0; i < Turn.maxDepth; i++) Turn.leave()
    yield* Fiber.join(terminating)
    assert.isTrue(Exit.isFailure(yield* Fiber.join(working)))
    assert.strictEqual(yield* GenServer.status(num), "stopped")
    assert.deepStrictEqual(yield* conserved, Option.some(41))
    const again = yield* start(Effect.void)
    assert.strictEqual(yield* again.Add({ by: 1 }), 42)
  }).pipe(Effect.provide(app))
})
