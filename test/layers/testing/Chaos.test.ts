import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Layer, Result, Schema } from "effect"
import { isOrderly } from "../../../src/domain/process/ExitReason.ts"
import { GenServer, Restart, StateContainer, Supervisor } from "../../../src/index.ts"
import { Chaos, Fault, FaultPlan, Harness } from "../../../src/testing.ts"

class Counter extends GenServer.Service<Counter>()("Counter", {
  state: Schema.Int,
  messages: { Add: GenServer.call({ reply: Schema.Int }), Get: GenServer.call({ reply: Schema.Int }) }
}) {}

class Bystander extends GenServer.Service<Bystander>()("Bystander", {
  state: Schema.Int,
  messages: { Add: GenServer.call({ reply: Schema.Int }) }
}) {}

const add = { init: 0, handlers: { Add: (n: number): [number, number] => [n + 1, n + 1] } }

const app = (options: Chaos.Options) =>
  Supervisor.layer(
    { id: "app", strategy: "one_for_one", restart: Restart.intensity({ restarts: 1000, within: "1 day" }) },
    [
      StateContainer.layerMemory(Bystander),
      Bystander.layer(add),
      StateContainer.layerMemory(Counter),
      Chaos.layer(Counter, options),
      Counter.layer({ ...add, handlers: { ...add.handlers, Get: (n) => [n, n] } })
    ]
  ).pipe(Layer.provideMerge(Harness.Harness.layer))

/** Calls so often, and answers with the errors. */
const load = Effect.fnUntraced(function*(calls: number) {
  const counter = yield* Counter
  const failed: Array<GenServer.CallError> = []
  for (let i = 0; i < calls; i++) {
    const result = yield* Effect.result(counter.Add())
    if (Result.isFailure(result)) failed.push(result.failure)
  }
  return failed
})

describe("chaos", () => {
  it.effect("the same seed makes the same plan, another seed another", () =>
    Effect.gen(function*() {
      const planOf = (seed: number) =>
        Effect.map(
          Effect.scoped(Layer.build(app({ seed, faults: 20, messages: 100 }))),
          (built) => Context.get(built, Chaos.Chaos).plan
        )
      assert.deepStrictEqual(yield* planOf(7), yield* planOf(7))
      assert.notDeepEqual(yield* planOf(7), yield* planOf(8))
    }))

  it.effect("every fault is a crash that the supervisor sees, of the server, the container or both", () =>
    Effect.gen(function*() {
      const failed = yield* load(200)
      const chaos = yield* Chaos.Chaos
      const harness = yield* Harness.Harness
      const injected = yield* chaos.injected
      assert.deepStrictEqual(injected, chaos.plan)
      assert.strictEqual(
        new Set(injected.map(({ container, point, server }) => `${point} ${server} ${container}`)).size,
        15
      )

      const crashes = (yield* harness.events).flatMap((event) =>
        event._tag === "Exited" && !isOrderly(event.reason) ? [event] : []
      )
      const of = (id: string) => crashes.filter(({ path }) => path.at(-1) === id).length
      assert.strictEqual(of("Counter"), injected.filter(({ server }) => server !== undefined).length)
      assert.strictEqual(of("Counter:StateContainer"), injected.filter(({ container }) => container).length)
      assert.strictEqual(failed.length, of("Counter"))
      assert.strictEqual(of("Bystander"), 0)
    }).pipe(Effect.provide(app({ seed: 3, faults: 2 * FaultPlan.ways.length, messages: 150 }))))

  it.effect("each answered update is kept, and an unanswered one may be: only one that crashed after its commit is", () =>
    Effect.gen(function*() {
      const failed = yield* load(300)
      const chaos = yield* Chaos.Chaos
      const unheard = (yield* chaos.injected).filter(({ point, server }) =>
        server !== undefined && point === "afterCommit"
      )
      assert.isAbove(unheard.length, 0)
      assert.strictEqual(yield* (yield* Counter).Get(), 300 - failed.length + unheard.length)
    }).pipe(Effect.provide(app({ seed: 11, faults: 60, messages: 250 }))))

  it.effect("spares servers that are not of the class", () =>
    Effect.gen(function*() {
      const bystander = yield* Bystander
      for (let i = 1; i <= 50; i++) assert.strictEqual(yield* bystander.Add(), i)
      assert.deepStrictEqual(yield* (yield* Chaos.Chaos).injected, [])
    }).pipe(Effect.provide(app({ seed: 1, faults: 10, messages: 10 }))))

  it.effect("its defects say that they were injected", () =>
    Effect.gen(function*() {
      const defects = (yield* load(100)).flatMap(({ reason }) =>
        reason._tag === "Crashed" ? [Cause.squash(reason.cause)] : []
      )
      const injected = defects.filter((defect) => defect instanceof Fault.InjectedFault)
      assert.isAbove(injected.length, 0)
      for (const defect of injected) assert.match(defect.message, /^injected on purpose: a defect/)
    }).pipe(Effect.provide(app({ seed: 5, faults: 30, messages: 80 }))))
})
