/** A store that says nothing at all: no answer, no error. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Duration, Effect, Exit, Fiber, Latch, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { StateStore, Supervisor } from "../../../../src/index.ts"
import { StoreHealth } from "../../../../src/layers/state/store/StoreHealth.ts"
import { StoreWriter } from "../../../../src/layers/state/store/StoreWriter.ts"
import { Account, many, scripted, start } from "../../../kit/Account.ts"
import { now, poll, turns } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"

const log = () => recordedLog(({ annotations }) => "store" in annotations)

const said = (operation: string) =>
  `${operation} in the state store "scripted": it is not available (it has not answered for 5s). It is waited for.`

/** The clock, and how many timers of five seconds were set by it, and run. */
const counting = Effect.map(Clock.Clock, (clock) => {
  const counted = { set: 0, running: 0 }
  const sleep = (duration: Duration.Duration) =>
    Duration.toMillis(duration) !== 5_000 ? clock.sleep(duration) : Effect.suspend(() => {
      counted.set++
      counted.running++
      return Effect.onExit(clock.sleep(duration), () => Effect.sync(() => counted.running--))
    })
  return { counted, clock: Object.create(clock, { sleep: { value: sleep } }) as Clock.Clock }
})

describe("a store that does not answer", () => {
  for (
    const [how, never] of [["", Effect.never], [
      ", whatever interrupts it",
      Effect.uninterruptible(Effect.never)
    ]] as const
  ) {
    it.effect(`is reported after 5 seconds; who asked for a server, or a state, hears of it in the end (never${how})`, () => {
      const { inside, script } = scripted()
      const { layer, lines } = log()
      return Effect.gen(function*() {
        script.before = (operation) => operation === "load" ? never : Effect.void
        const asker = yield* now(start(inside, "a"))
        const reader = yield* now(Effect.exit((yield* Account.StateContainer).for("b").get))
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(lines, [])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(lines.map(({ text }) => text), [said("load")])
        yield* TestClock.adjust("2 minutes")
        const error = yield* Effect.flip(Fiber.join(asker))
        assert.instanceOf(error, Supervisor.StartError)
        const cause = error.reason._tag === "Failed" ? Cause.squash(error.reason.cause) : undefined
        assert.instanceOf(cause, StateStore.StoreError)
        assert.include(cause.message, "it has not answered for 30s")
        const read = yield* Fiber.join(reader)
        assert.instanceOf(read._tag === "Failure" ? Cause.squash(read.cause) : undefined, StateStore.StoreError)
        assert.lengthOf(lines, 1)
        // It answers again.
        script.before = () => Effect.void
        assert.strictEqual(yield* (yield* start(inside, "a")).Add({ by: 1 }), 1)
        assert.lengthOf(lines, 2)
        assert.include(lines[1]!.text, "answers again")
      }).pipe(Effect.provide(many(inside)), Effect.provide(layer))
    })
  }

  it.effect("is reported when a write waits for it, too, which is not given up: it may be stored all the same", () => {
    const { inside, script } = scripted()
    const { layer, lines } = log()
    const gate = Latch.makeUnsafe()
    return Effect.gen(function*() {
      const a = yield* start(inside, "a")
      script.before = (operation) => operation === "save" ? gate.await : Effect.void
      const caller = yield* now(a.Add({ by: 1 }, { timeout: "infinity" }))
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(lines.map(({ text }) => text), [said("save")])
      assert.isUndefined(poll(caller))
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(caller), 1)
      assert.match(lines[1]!.text, /answers again/)
    }).pipe(Effect.provide(many(inside)), Effect.provide(layer))
  })

  it.effect("is looked after with one timer for all that is written, and with none while nothing is", () => {
    const { inside, script } = scripted()
    const gates = [Latch.makeUnsafe(), Latch.makeUnsafe()]
    let saves = 0
    return Effect.gen(function*() {
      const { counted, clock } = yield* counting
      yield* Effect.gen(function*() {
        const [a, b] = [yield* start(inside, "a"), yield* start(inside, "b")]
        script.before = (operation) => operation === "save" ? gates[saves++]?.await ?? Effect.void : Effect.void
        counted.set = 0
        const first = yield* now(a.Add({ by: 1 }, { timeout: "infinity" }))
        yield* turns
        const second = yield* now(b.Add({ by: 1 }, { timeout: "infinity" }))
        assert.strictEqual(saves, 1)
        assert.strictEqual(counted.running, 1)
        yield* gates[0]!.open
        yield* Fiber.join(first)
        yield* turns
        assert.strictEqual(saves, 2)
        assert.strictEqual(counted.running, 1)
        yield* gates[1]!.open
        yield* Fiber.join(second)
        yield* turns
        assert.strictEqual(counted.running, 0)
        assert.strictEqual(counted.set, 1)
      }).pipe(
        Effect.ensuring(Effect.all(gates.map((gate) => gate.open))),
        Effect.provide(many(inside)),
        Effect.provideService(Clock.Clock, clock)
      )
    })
  })

  it.effect("is not looked after any more once its writer has ended in the middle of a write", () =>
    Effect.gen(function*() {
      const { clock, counted } = yield* counting
      const context = Context.add(yield* Effect.context<never>(), Clock.Clock, clock)
      const health = new StoreHealth("silent")
      const writer = new StoreWriter("silent", () => Effect.never, health, context)
      const running = yield* now(Effect.provideContext(writer.run, context))
      const record = { key: "a", epoch: 1, seq: 1, version: 1, state: "1", trusted: 0, at: 0 }
      writer.open(Schedule.forever).add({
        ticket: 0,
        record: () => Exit.succeed(record),
        saved: () => {},
        failed: () => {}
      })
      yield* turns
      assert.strictEqual(counted.running, 1)
      yield* Fiber.interrupt(running)
      assert.strictEqual(counted.running, 0)
      yield* TestClock.adjust("1 hour")
      assert.isUndefined(health.outage)
    }))

  it.effect("when an app is built on it fails its layer, typed", () => {
    const { inside, script } = scripted()
    const { layer, lines } = log()
    return Effect.gen(function*() {
      script.before = () => Effect.never
      const building = yield* now(Effect.flip(Layer.build(many(inside))))
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(lines.map(({ text }) => text), [said("acquireEpoch")])
      assert.instanceOf(yield* Fiber.join(building), StateStore.StoreError)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })
})
