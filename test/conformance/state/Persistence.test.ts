/**
 * Other systems' cases of servers that persist: a state that is deleted, a store that is slow or full, timers that fire
 * during a write, snapshots.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Process, StateContainer, Supervisor, Sys } from "../../../src/index.ts"
import { Harness } from "../../../src/testing.ts"
import { layer as storeLayer, onSave, Scripted, Store } from "../../kit/Scripted.ts"

/** A counter whose state outlives the process. */
class Counter extends GenServer.Service<Counter>()("test/Counter", {
  state: Schema.FiniteFromString,
  messages: {
    Increment: GenServer.call({ reply: Schema.Literal("Done") }),
    IncrementBy: GenServer.cast({ payload: { by: Schema.Finite } }),
    Decrement: GenServer.call({ payload: { by: Schema.FiniteFromString }, reply: Schema.FiniteFromString }),
    Get: GenServer.call({ reply: Schema.Finite }),
    Delete: GenServer.call({ reply: Schema.Literal("Done") })
  }
}) {}

const counting = Counter.behavior({
  init: 0,
  handlers: {
    Increment: (n) => ["Done", n + 1],
    IncrementBy: (n, { by }) => n + by,
    Decrement: (n, { by }) => [n - by, n - by],
    Get: (n) => [n, n],
    Delete: () => ["Done", 0]
  }
})

/** The tree over a scripted store. */
const over = (script: Scripted, server: Layer.Layer<Counter, never, Supervisor.Supervisor | Needs>) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerStore(Counter, { store: Store }),
      server
    ]),
    Layer.mergeAll(storeLayer(script), Harness.Harness.layer)
  )

type Needs = typeof Counter.StateContainer.Identifier

const CounterLive = Counter.layer(counting)

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })
const turns = Effect.forEach(Array.from({ length: 10 }), () => Effect.yieldNow, { discard: true })
const newest = (script: Scripted) => Effect.map(script.memory.load("test/Counter"), ([record]) => record)

describe("persistence", () => {
  it.effect("PER-001 State is persisted and updated", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const counter = yield* Counter
      assert.strictEqual(yield* counter.Increment(), "Done")
      assert.strictEqual(yield* counter.Get(), 1)
      yield* counter.IncrementBy({ by: 5 })
      assert.strictEqual(yield* counter.Increment(), "Done")
      assert.strictEqual(yield* counter.Get(), 7)
      assert.strictEqual((yield* newest(script))?.state, "\"7\"")
    }).pipe(Effect.provide(over(script, CounterLive)))
  })

  it.effect("PER-002 Deleting returns to the empty state", () => {
    const script = new Scripted()
    const gate = Latch.makeUnsafe(true)
    script.before = onSave(() => gate.await)
    return Effect.gen(function*() {
      const counter = yield* Counter
      const [harness, container] = [yield* Harness.Harness, yield* Counter.StateContainer]
      assert.strictEqual(yield* counter.Increment(), "Done")
      yield* gate.close
      const deleted = yield* fork(counter.Delete())
      yield* turns
      // Not before the store has confirmed it.
      assert.isUndefined(deleted.pollUnsafe())
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(deleted), "Done")
      assert.strictEqual(yield* counter.Get(), 0)

      // The record itself can be deleted, too: the next incarnation starts from nothing.
      yield* counter.IncrementBy({ by: 3 })
      yield* counter.Increment()
      yield* container.for().clear
      assert.deepStrictEqual(yield* script.states("test/Counter"), [])
      yield* Process.kill(counter)
      yield* harness.awaitIncarnation(counter, 2)
      assert.strictEqual(yield* counter.Get(), 0)
    }).pipe(Effect.provide(over(script, CounterLive)))
  })

  it.effect("PER-007 Bounded buffer while the store is busy", () => {
    const script = new Scripted()
    const gate = Latch.makeUnsafe(true)
    script.before = onSave(() => gate.await)
    const bounded = (capacity: number) =>
      over(script, Counter.layer(counting, { mailbox: { capacity, overflow: "fail" } }))
    const outcomes = (fibers: ReadonlyArray<Fiber.Fiber<unknown, unknown>>) =>
      Effect.forEach(fibers, (fiber) => Effect.map(Fiber.await(fiber), (exit) => exit._tag))

    const stashing = Effect.gen(function*() {
      const [counter, harness] = [yield* Counter, yield* Harness.Harness]
      // Two writes, and from now on what is sent has to wait.
      yield* counter.Increment()
      yield* counter.Increment()
      assert.strictEqual((yield* newest(script))?.seq, 2)
      yield* Sys.suspend(counter)
      const commands = yield* Effect.forEach(Array.from({ length: 101 }), () => fork(counter.Increment()))
      const dropped = (yield* harness.eventsOf(counter)).filter(({ _tag }) => _tag === "Dropped")
      assert.strictEqual(dropped.length, 1)
      yield* Sys.resume(counter)
      assert.deepStrictEqual(yield* outcomes(commands), [...Array.from({ length: 100 }, () => "Success"), "Failure"])
      assert.strictEqual((yield* newest(script))?.seq, 102)
      yield* counter.Increment()
      assert.strictEqual((yield* newest(script))?.seq, 103)
      assert.strictEqual((yield* newest(script))?.state, "\"103\"")
    }).pipe(Effect.provide(bounded(100)))

    const unanswered = Effect.gen(function*() {
      const counter = yield* Counter
      yield* gate.close
      const commands = yield* Effect.forEach(Array.from({ length: 40_001 }), () => fork(counter.Increment()))
      yield* turns
      assert.isTrue(commands.every((command) => {
        const exit = command.pollUnsafe()
        return exit === undefined || Exit.isFailure(exit)
      }))
      yield* gate.open
      const replies = (yield* outcomes(commands)).filter((tag) => tag === "Success")
      assert.isAtLeast(replies.length, 20_000)
      assert.strictEqual(yield* counter.Get(), 103 + replies.length)
    }).pipe(Effect.provide(bounded(20_000)))

    return Effect.andThen(stashing, unanswered)
  })

  it.effect("PER-008 Timers firing during a write or recovery are not lost", () => {
    const script = new Scripted()
    const [writing, reading] = [Latch.makeUnsafe(false), Latch.makeUnsafe(true)]
    script.before = (operation) =>
      operation === "save" ? writing.await : operation === "load" ? reading.await : Effect.void
    const seen: Array<string> = []
    const note = (what: string) => Effect.sync(() => void seen.push(what))
    const Timers = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerStore(Timer, { store: Store }),
      Timer.layer(Effect.gen(function*() {
        const self = yield* Timer.self
        yield* GenServer.castAfter(self.FromSetup(), 0)
        return Timer.behavior({
          init: 0,
          handlers: {
            Command: (n) => Effect.as(GenServer.castAfter(self.Tick(), 0), ["confirmed", n + 1] as const),
            Tick: (n) => Effect.as(note("timer"), n),
            FromSetup: (n) => Effect.as(note("timer from setup"), n)
          }
        })
      }))
    ])
    const App = Layer.provideMerge(Timers, storeLayer(script))
    const whileWriting = Effect.gen(function*() {
      const timer = yield* Timer
      yield* Sys.getState(timer)
      assert.deepStrictEqual(seen.splice(0), ["timer from setup"])

      // The timer fires while its command's state is being written.
      const confirmed = yield* fork(timer.Command())
      yield* TestClock.adjust(1)
      assert.isUndefined(confirmed.pollUnsafe())
      yield* writing.open
      assert.strictEqual(yield* Fiber.join(confirmed), "confirmed")
      yield* Sys.getState(timer)
      assert.deepStrictEqual(seen.splice(0), ["timer"])

      for (let n = 0; n < 19; n++) yield* timer.Command()
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* script.states("test/Timer"))[0], "20")
    }).pipe(Effect.provide(App))

    const whileRecovering = Effect.gen(function*() {
      seen.length = 0
      yield* reading.close
      const recovered = yield* fork(Effect.flatMap(Timer, Sys.getState).pipe(Effect.provide(App)))
      yield* TestClock.adjust(1)
      // It has fired by now, and recovery is still running.
      assert.isUndefined(recovered.pollUnsafe())
      assert.deepStrictEqual(seen, [])
      yield* reading.open
      assert.strictEqual(yield* Fiber.join(recovered), 20)
      assert.deepStrictEqual(seen, ["timer from setup"])
    })
    return Effect.andThen(whileWriting, whileRecovering)
  })

  it.effect("PER-011 Snapshot and restore", () => {
    const [first, second] = [new Scripted(), new Scripted()]
    const { payload, reply } = Counter.messages.Decrement
    return Effect.gen(function*() {
      const snapshot = yield* Effect.gen(function*() {
        const counter = yield* Counter
        const seen: Array<number> = []
        for (let n = 0; n < 2; n++) {
          yield* counter.Increment()
          seen.push(yield* counter.Get())
        }
        assert.deepStrictEqual(seen, [11, 12])
        const fromWire = yield* Schema.decodeUnknownEffect(Schema.Struct(payload))({ by: "1" })
        const success = yield* counter.Decrement(fromWire)
        assert.strictEqual(yield* Schema.encodeEffect(reply)(success), "11")
        return yield* newest(first)
      }).pipe(Effect.provide(over(first, Counter.layer({ ...counting, init: 10 }))))
      assert.strictEqual(snapshot?.state, JSON.stringify("11"))

      const epoch = yield* second.memory.acquireEpoch("an earlier session")
      yield* second.memory.save([{ ...snapshot!, epoch }])
      const restored = yield* Effect.flatMap(Counter, (counter) => counter.Get()).pipe(
        Effect.provide(over(second, Counter.layer({ ...counting, init: 10 })))
      )
      assert.strictEqual(restored, 11)
    })
  })
})

class Timer extends GenServer.Service<Timer>()("test/Timer", {
  state: Schema.Int,
  messages: {
    Command: GenServer.call({ reply: Schema.String }),
    Tick: GenServer.cast({ internal: true }),
    FromSetup: GenServer.cast({ internal: true })
  }
}) {}
