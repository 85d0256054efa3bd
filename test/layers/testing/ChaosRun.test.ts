/** Faults that strike a whole app, and runs of one in real time. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Layer, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import { isOrderly } from "../../../src/domain/process/ExitReason.ts"
import { GenServer, Restart, StateContainer, StateStore, Supervisor } from "../../../src/index.ts"
import { Chaos, FaultyStore, Harness, History, VirtualTime } from "../../../src/testing.ts"

class Counter extends GenServer.Service<Counter>()("app/Counter", {
  state: Schema.Int,
  messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
}) {}

class Store extends StateStore.Service<Store>()("app/Store", "crash") {}

const restart = Restart.intensity({ restarts: 10_000, within: "1 minute" })
const forgetful = { isForgetful: false }

/** It may forget: then it answers with a sum that was there long before. */
const App = Supervisor.layer({ id: "app", strategy: "one_for_one", restart }, [
  StateContainer.layerStore(Counter, { store: Store }),
  Counter.layer({
    init: 0,
    handlers: { Add: (n, { by }) => forgetful.isForgetful && n > 20 ? [1, 1] : [n + by, n + by] }
  })
]).pipe(
  Layer.provide(FaultyStore.layer(Store, StateStore.layerMemory(Store))),
  Layer.provide(Layer.succeed(References.MinimumLogLevel, "None"))
)

const hour = 3_600_000

describe("the faults of a whole app", () => {
  it.effect("strike servers, stores and the time of day, according to a plan that the seed makes", () =>
    Effect.gen(function*() {
      const options = { seed: 2, for: "1 hour", faults: { messages: 20, lives: 10, store: 10, clock: 3 } } as const
      const live = Layer.provideMerge(App, Layer.provideMerge(Chaos.layerFaults(options), Harness.Harness.layer))
      const context = yield* Layer.build(live)
      const [chaos, counter] = [Context.get(context, Chaos.Faults), Context.get(context, Counter)]
      for (let minute = 0; minute < 70; minute++) {
        yield* Effect.forkChild(Effect.exit(counter.Add({ by: 1 })), { startImmediately: true })
        yield* TestClock.adjust("1 minute")
      }
      const struck = yield* chaos.struck
      const count = (tag: string) => struck.filter(({ _tag }) => _tag === tag).length
      assert.strictEqual(chaos.plan.length, 43)
      assert.isAbove(count("Server"), 10)
      assert.isAbove(count("Store"), 1)
      assert.strictEqual(count("Clock"), 3)
      const jumped = chaos.plan.reduce((sum, fault) => fault._tag === "Clock" ? sum + fault.millis : sum, 0)
      const clock = Context.get(context as Context.Context<unknown>, Clock.Clock)
      assert.strictEqual(clock.currentTimeMillisUnsafe() - (yield* Clock.currentTimeMillis), jumped)
      const crashes = (yield* Context.get(context, Harness.Harness).events).filter((event) =>
        event._tag === "Exited" && !isOrderly(event.reason)
      )
      assert.isAbove(crashes.length, 5)
      const again = yield* Layer.build(Chaos.layerFaults(options))
      assert.deepStrictEqual(Context.get(again, Chaos.Faults).plan, chaos.plan)
    }))

  it.effect("the time of day jumps when the plan says so, and not before", () =>
    Effect.gen(function*() {
      const options = { seed: 2, for: "1 hour", faults: { clock: 5 } } as const
      const built = yield* Layer.build(Chaos.layerFaults(options))
      const plan = Context.get(built, Chaos.Faults).plan.flatMap((fault) => fault._tag === "Clock" ? [fault] : [])
      assert.strictEqual(plan.length, 5)
      const ahead = Effect.map(
        Clock.currentTimeMillis,
        (now) => Context.get(built as Context.Context<unknown>, Clock.Clock).currentTimeMillisUnsafe() - now
      )
      let [jumped, now] = [0, 0]
      for (const { at, millis } of plan) {
        yield* TestClock.adjust(at - 1 - now)
        assert.strictEqual(yield* ahead, jumped)
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* ahead, jumped += millis)
        now = at
      }
    }))
})

const client = Effect.flatMap(Counter, (counter) => History.add("counter", 1, counter.Add({ by: 1 })))
const options = {
  seed: 1,
  for: "300 millis",
  pause: "2 millis",
  recovery: "20 millis",
  clients: { alice: client, bob: client }
} as const

// In virtual time, so that what is shown does not depend on how fast the machine is: its clock is that of the context.
describe("a run in real time", () => {
  it.effect("strikes nothing before the app is up: one that a fault kept from starting is no fault of the app", () =>
    Effect.gen(function*() {
      const slow = Layer.provide(App, Layer.effectDiscard(Effect.sleep("200 millis")))
      const faults = { lives: (100 * hour) / 300, clock: (10 * hour) / 300 }
      for (let seed = 1; seed <= 12; seed++) {
        const report = yield* VirtualTime.run(Chaos.run(slow, { ...options, seed, faults }))
        assert.isAtLeast(report.faults, 10)
      }
    }))

  it.effect("strikes the app under its clients, and finds nothing where nothing is wrong", () =>
    Effect.gen(function*() {
      let asked = 0
      const report = yield* VirtualTime.run(Chaos.run(App, {
        ...options,
        faults: { messages: (20 * hour) / 300, lives: (5 * hour) / 300, store: (5 * hour) / 300 },
        invariant: Effect.sync(() => asked++)
      }))
      assert.strictEqual(asked, 1)
      assert.isAbove(report.answered, 10)
      assert.isAbove(report.faults, 5)
      assert.isAbove(report.events, 10)
      assert.strictEqual(report.seed, 1)
    }))

  it.effect("counts what it has seen: steps, operations and their answers, faults, and every event of the app", () =>
    Effect.gen(function*() {
      const one = Supervisor.layer({ id: "app", strategy: "one_for_one" }, [Supervisor.worker("w", Effect.never)])
      let [asked, sum] = [0, 0]
      const report = yield* VirtualTime.run(
        Chaos.run(one, {
          seed: 1,
          for: "300 millis",
          pause: "10 millis",
          recovery: "20 millis",
          clients: {
            alice: Effect.suspend(() =>
              History.add("n", 1, asked++ % 2 === 0 ? Effect.succeed(++sum) : Effect.interrupt)
            )
          }
        })
      )
      const { answered, events, faults, operations, steps } = report
      assert.deepStrictEqual([steps, operations], [asked, asked])
      assert.isAbove(asked, 10)
      assert.strictEqual(answered, Math.ceil(asked / 2))
      // Two that start, and that end when it is over.
      assert.deepStrictEqual([faults, events], [0, 4])
    }))

  it.effect("shows the operations of a history that cannot be", () =>
    Effect.gen(function*() {
      forgetful.isForgetful = true
      const failed = yield* Effect.flip(VirtualTime.run(Chaos.run(App, options))).pipe(
        Effect.ensuring(Effect.sync(() => (forgetful.isForgetful = false)))
      )
      assert.strictEqual(failed.kind, "history")
      assert.match(failed.message, /^seed 1 \(history\): /)
      assert.isAtMost(failed.history.split("\n").length, 3)
      assert.include(failed.history, "add 1 to counter = 1")
    }))

  it.effect("tells an invariant that fails, and what happened last", () =>
    Effect.gen(function*() {
      const failed = yield* Effect.flip(
        VirtualTime.run(Chaos.run(App, { ...options, for: "20 millis", invariant: Effect.fail("nothing is left") }))
      )
      assert.strictEqual(failed.kind, "invariant")
      assert.include(failed.what, "nothing is left")
      assert.include(failed.history, "no more faults")
    }))

  const never = Effect.uninterruptible(Effect.never)
  const endless = {
    "start of the app": [Layer.effectDiscard(never), {}],
    clients: [Layer.empty, { clients: { one: never } }],
    invariant: [Layer.empty, { invariant: never }],
    "shutdown of the app": [Layer.effectDiscard(Effect.addFinalizer(() => never)), {}]
  } satisfies Record<string, readonly [Layer.Layer<never>, object]>
  for (const [stage, [more, given]] of Object.entries(endless)) {
    it.effect(`ends, and says so, when what it runs does not: ${stage}`, () =>
      Effect.gen(function*() {
        const app = Layer.provideMerge(App, more)
        const run = Chaos.run(app, { ...options, for: "20 millis", patience: "2 minutes", ...given })
        const failed = yield* Effect.flip(VirtualTime.run(run))
        assert.strictEqual(failed.kind, "stuck")
        assert.include(failed.what, `its ${stage}: not over within 2m 40ms, and left behind`)
      }))
  }
})
