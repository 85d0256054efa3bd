import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Layer, Random, Ref, Schedule, Schema } from "effect"
import { GenServer, Restart, StateContainer, StateStore, Supervisor, Sys } from "../../../src/index.ts"
import { FaultyStore, History, Simulation } from "../../../src/testing.ts"

class Counter extends GenServer.Service<Counter>()("app/Counter", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Slow: GenServer.call({ payload: { by: Schema.Int, millis: Schema.Int }, reply: Schema.Int }),
    Put: GenServer.cast({ payload: { by: Schema.Int } })
  }
}) {}

const restart = Restart.max([
  Restart.backoff({ cap: "2 seconds" }),
  Restart.intensity({ restarts: 1000, within: "1 minute" })
])
const tree = <E, R>(
  companion: Layer.Layer<Context.Service.Identifier<typeof Counter.StateContainer>, E, R>
) =>
  Supervisor.layer({ id: "app", strategy: "one_for_one", restart }, [
    companion,
    Counter.layer({
      init: 0,
      handlers: {
        Add: (n, { by }) => [n + by, n + by],
        Slow: (n, { by, millis }) => Effect.as(Effect.sleep(millis), [n + by, n + by]),
        Put: (n, { by }) => n + by
      }
    })
  ])

const inMemory = tree(StateContainer.layerMemory(Counter))

class Store extends StateStore.Service<Store>()("app/Store", "process") {}
const durable = tree(StateContainer.layerStore(Counter, { store: Store })).pipe(
  Layer.provide(Simulation.layerStore(Store))
)

const client = Effect.gen(function*() {
  const counter = yield* Counter
  const by = yield* Random.nextIntBetween(1, 2)
  const millis = yield* Random.nextIntBetween(1, 7000)
  switch (yield* Random.nextIntBetween(0, 3)) {
    case 0:
      return yield* History.add("counter", by, counter.Slow({ by, millis }))
    case 1:
      return yield* History.cast("counter", { add: by }, counter.Put({ by }))
    case 2:
      return yield* History.read("counter", counter.Add({ by: 0 }))
    default:
      return yield* History.add("counter", by, counter.Add({ by }))
  }
})
const clients = { alice: client, bob: client, carol: client }

describe("a simulation", () => {
  it.effect("leaves no tree of an app that was killed on the list of roots", () =>
    Effect.gen(function*() {
      const before = yield* Sys.roots
      const seen = { roots: 0 }
      const looking = Effect.map(Sys.roots, (roots) => void (seen.roots = Math.max(seen.roots, roots.length)))
      const options = { seed: 1, for: "5 minutes", clients: { alice: looking } } as const
      const report = yield* Simulation.run(inMemory, { ...options, faults: { machine: 60 } })
      assert.isAbove(report.faults, 0)
      assert.strictEqual(seen.roots, before.length + 1)
      assert.deepStrictEqual(yield* Sys.roots, before)
    }))

  it.effect("gives the same history for the same seed, byte for byte, and another one for another", () =>
    Effect.gen(function*() {
      const options = { for: "8 minutes", clients, faults: { messages: 300, lives: 150, clock: 75 } } as const
      const report = yield* Simulation.run(inMemory, { ...options, seed: 1 })
      assert.deepStrictEqual(yield* Simulation.run(inMemory, { ...options, seed: 1 }), report)
      const other = yield* Simulation.run(inMemory, { ...options, seed: 2 })
      assert.notStrictEqual(other.history, report.history)
      assert.strictEqual(report.seed, 1)
      assert.isAtLeast(report.millis, 8 * 60_000)
      assert.isAbove(report.operations, 400)
      assert.isAbove(report.answered, 200)
      assert.isAbove(report.faults, 50)
      assert.strictEqual(report.sleeping, 0)
      for (const kind of ["fault: a kill", "#2: Started", "alice: add", "the time of day jumps"]) {
        assert.include(report.history, kind)
      }
    }))

  it.effect("keeps a store when the app's process is killed, and whatever was acknowledged", () =>
    Effect.gen(function*() {
      const before = yield* Sys.roots
      const { history } = yield* Simulation.run(durable, {
        seed: 3,
        for: "15 minutes",
        clients,
        faults: { messages: 240, lives: 120, store: 480, machine: 120 }
      })
      assert.isAbove(history.split("fault: the process is killed").length, 10)
      assert.isAbove(history.split("fault: a request of the store").length, 10)
      assert.deepStrictEqual(yield* Sys.roots, before, "nothing is left of those that were killed")
    }))

  it.effect("finds what a killed process loses that has its state in memory, and shows the shortest history of it", () =>
    Effect.gen(function*() {
      const failed = yield* Effect.flip(
        Simulation.run(inMemory, { seed: 1, for: "5 minutes", clients, faults: { messages: 240, machine: 60 } })
      )
      assert.strictEqual(failed.kind, "history")
      assert.match(failed.message, /^seed 1 \(history\): /)
      assert.deepStrictEqual(failed.faults, [1, 25])
      assert.isAtMost(failed.steps[0], 3)
      assert.isAbove(failed.steps[1], 200)
      assert.match(failed.history, /^\d\d:\d\d:\d\d\.\d{3} {2}fault: the process is killed/m)
      assert.isBelow(failed.history.split("\n").length, 20)
    }))

  it.effect("gives clients draws of their own for each step, and leaves out the steps of a part alone", () =>
    Effect.gen(function*() {
      const drawn: Array<readonly [string, number]> = []
      const draw = Effect.gen(function*() {
        drawn.push([yield* History.Client, yield* Random.next])
      })
      const options = { seed: 1, for: "1 minute", clients: { a: draw, b: draw } } as const
      yield* Simulation.run(inMemory, options)
      const first = [...drawn]
      drawn.length = 0
      yield* Simulation.run(inMemory, { ...options, clients: { b: draw }, yields: 0.1, lag: 0.1 })
      assert.deepStrictEqual(drawn, first.filter(([client]) => client === "b"))
      assert.strictEqual(new Set(first.map(([, draw]) => draw)).size, first.length)
      assert.closeTo(first.length, 120, 40)
    }))

  it.effect("pauses as long as it is told to, on average", () =>
    Effect.gen(function*() {
      const { steps } = yield* Simulation.run(inMemory, {
        seed: 1,
        for: "1 minute",
        clients: { a: Effect.void },
        pause: "10 millis"
      })
      assert.closeTo(steps, 6000, 600)
    }))
})

describe("what is wrong", () => {
  const failing = <A, E>(app: Layer.Layer<A, E>, options: Omit<Simulation.Options<A>, "seed" | "for">) =>
    Effect.flip(Simulation.run(app, { seed: 1, for: "10 minutes", ...options }))

  it.effect("is an invariant that fails, and is asked when all is over", () =>
    Effect.gen(function*() {
      const ref = Ref.makeUnsafe(0)
      const step = Ref.update(ref, (n) => n + 1)
      let asked = 0
      const failed = yield* failing(Layer.empty, {
        clients: { a: step },
        faults: { messages: 600 },
        invariant: Effect.gen(function*() {
          const minutes = Number(yield* Clock.monotonicTimeNanos) / 6e10
          assert.isAbove(minutes, asked++ === 0 ? 10 : 0)
          return yield* Effect.fail(new Error("there is something"))
        })
      })
      assert.deepStrictEqual([failed.kind, failed.faults[0], failed.steps[0]], ["invariant", 0, 0])
      assert.include(failed.what, "there is something")
    }))

  it.effect("is a client's step that never ends", () =>
    Effect.gen(function*() {
      const failed = yield* failing(inMemory, { clients: { a: Effect.never, b: client } })
      assert.deepStrictEqual([failed.kind, failed.steps[0]], ["client", 1])
    }))

  it.effect("is an app that does not start", () =>
    Effect.gen(function*() {
      const failed = yield* failing(Layer.effectDiscard(Effect.die("no")), { clients: {} })
      assert.strictEqual(failed.kind, "start")
      assert.include(failed.what, "the app did not start: ")
    }))

  it.effect("is an app that waits for something real", () =>
    Effect.gen(function*() {
      const real = Layer.effectDiscard(Effect.promise(() => Promise.resolve()))
      const failed = yield* failing(real, { clients: {} })
      assert.deepStrictEqual([failed.kind, failed.faults], ["stuck", [0, 0]])
    }))

  it.effect("is not spent more runs on than allowed", () =>
    Effect.gen(function*() {
      let runs = 0
      const app = Layer.effectDiscard(Effect.sync(() => runs++))
      yield* failing(app, {
        clients: { a: Effect.void },
        invariant: Effect.suspend(() => runs % 2 === 1 ? Effect.fail("no") : Effect.void),
        attempts: 10
      })
      assert.isAtMost(runs, 12)
      runs = 0
      yield* failing(app, { clients: { a: Effect.void }, invariant: Effect.fail("no"), attempts: 0 })
      assert.strictEqual(runs, 1)
    }))

  it.effect("is a single run where its history cannot be decided: no part of it shows more", () =>
    Effect.gen(function*() {
      let runs = 0
      const app = Layer.effectDiscard(Effect.sync(() => runs++))
      const atOnce = Effect.map(History.History, (history) => {
        const ends = Array.from({ length: 18 }, (_, i) => history.begin(`c${i}`, "k", { _tag: "Write", value: i }))
        for (const end of ends) end((at) => ({ outcome: { _tag: "Answered", value: undefined, at } }))
      })
      const { kind } = yield* failing(app, { clients: { a: Effect.void }, invariant: atOnce })
      assert.deepStrictEqual([kind, runs], ["undecided", 1])
    }))
})

describe("a store of a simulation", () => {
  it.effect("is a store in memory in any other test", () =>
    Effect.gen(function*() {
      const store = Context.get(yield* Layer.build(Simulation.layerStore(Store)), Store)
      assert.deepStrictEqual([store.grade, yield* store.keys()], ["process", []])
    }))
})

describe("a process of a simulation that is killed", () => {
  it.effect("may have a write on its way to the store, which comes there all the same, and is fenced off", () =>
    Effect.gen(function*() {
      let saves = 0
      const late = Layer.effect(
        Store,
        Effect.map(Layer.build(Simulation.layerStore(Store)), (built) => {
          const store = Context.get(built, Store)
          return {
            ...store,
            save: (records) =>
              Effect.flatMap(
                FaultyStore.OnItsWay,
                (run) =>
                  run(Effect.andThen(
                    Effect.sleep("3 seconds"),
                    Effect.suspend(() => {
                      saves++
                      return store.save(records)
                    })
                  ))
              )
          }
        })
      )
      const app = tree(StateContainer.layerStore(Counter, { store: Store })).pipe(Layer.provide(late))
      const add = Effect.flatMap(Counter, (counter) => History.add("counter", 1, counter.Add({ by: 1 })))
      const { history } = yield* Simulation.run(app, {
        seed: 1,
        for: "1 hour",
        clients: { a: add },
        faults: { machine: 60 }
      })
      const acknowledged = history.split("a: add 1 to counter = ").length - 1
      assert.isAbove(acknowledged, 100)
      assert.isAbove(saves, acknowledged)
    }))

  it.effect("begins no session after its death: that of the next one lasts", () =>
    Effect.gen(function*() {
      // Every second session takes long to begin, and some processes are killed meanwhile.
      let begun = 0
      const slow = Simulation.layerStore(Store).pipe(
        Layer.provide(Layer.succeed(FaultyStore.CurrentStoreFaults, (operation) =>
          operation === "acquireEpoch" && begun++ % 2 === 1
            ? { _tag: "Store", at: 0, how: "Hangs", millis: 60_000, skip: 0 }
            : undefined))
      )
      const patient = { store: Store, retry: Schedule.forever }
      const app = tree(StateContainer.layerStore(Counter, patient)).pipe(Layer.provide(slow))
      const add = Effect.flatMap(Counter, (counter) =>
        History.add("counter", 1, counter.Add({ by: 1 })))
      const { history } = yield* Simulation.run(app, {
        seed: 1,
        for: "1 hour",
        clients: { a: add },
        faults: { machine: 120 }
      })
      assert.isAbove(history.split("the process is killed").length, 100)
      assert.isAbove(history.split("a: add 1 to counter = ").length, 100)
      assert.notInclude(history, "a younger session has taken over")
    }))

  it.effect("is started once more where its start fails, though no fault strikes any more by then", () =>
    Effect.gen(function*() {
      const away = Effect.andThen(Effect.sleep("2 minutes"), Effect.fail("the store is away"))
      let starts = 0
      const app = Layer.effectDiscard(Effect.suspend(() => ++starts === 2 ? away : Effect.void))
      const run = { seed: 1, for: "1 minute", clients: {}, faults: { machine: 60 } } as const
      assert.strictEqual((yield* Simulation.run(app, run)).faults, 1)
      assert.strictEqual(starts, 3)
    }))
})
