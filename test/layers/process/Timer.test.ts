import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Duration, Effect, Schedule } from "effect"
import { TestClock } from "effect/testing"
import {
  after,
  delayOf,
  hasEnded,
  instantOf,
  steady,
  steadyClock,
  steadyDateOf,
  Watch
} from "../../../src/layers/process/Timer.ts"

describe("Timer.after", () => {
  it.effect("acts once, when the time is over and not before", () =>
    Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      let rung = 0
      const cancel = after(context, 100, () => rung++)
      yield* TestClock.adjust("99 millis")
      assert.strictEqual(rung, 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(rung, 1)
      cancel()
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(rung, 1)
    }))

  it.effect("does not act once it is cancelled, however often that is said", () =>
    Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      let rung = 0
      const cancel = after(context, 100, () => rung++)
      yield* TestClock.adjust("99 millis")
      cancel()
      cancel()
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(rung, 0)
    }))

  it.effect("never acts after a time without end", () =>
    Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      let rung = 0
      // Nor is anything asked of the clock.
      let sleeps = 0
      const clock: Clock.Clock = {
        ...(yield* Clock.Clock),
        sleep: () => {
          sleeps++
          return Effect.void
        }
      }
      after(Context.add(context, Clock.Clock, clock), Infinity, () => rung++)()
      after(Context.add(context, Clock.Clock, clock), Infinity, () => rung++)
      yield* TestClock.adjust("1000 days")
      assert.deepStrictEqual([rung, sleeps], [0, 0])
    }))
})

/** The clock of the test, and one whose dates are so many milliseconds beside the time that has passed. */
const shifted = Effect.map(Clock.Clock, (real) => {
  const at = { wall: 0 }
  const clock: Clock.Clock = {
    ...real,
    currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() + at.wall,
    monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: real.monotonicTimeNanos,
    sleep: (duration) => real.sleep(duration)
  }
  return { at, clock }
})

describe("dates that do not jump", () => {
  it.effect("are what the wall clock said first, and the time since then, whatever it says later", () =>
    Effect.gen(function*() {
      const { at, clock } = yield* shifted
      at.wall = 1000
      const first = steadyDateOf(clock)
      assert.strictEqual(first, clock.currentTimeMillisUnsafe())
      at.wall = 86_400_000
      assert.strictEqual(steadyDateOf(clock), first)
      yield* TestClock.adjust("1500 micros")
      assert.strictEqual(steadyDateOf(clock), first + 2)
      at.wall = -86_400_000
      yield* TestClock.adjust("1 second")
      assert.strictEqual(steadyDateOf(clock), first + 1002)
    }))

  it.effect("are those of a steady clock, by every way of asking, and it sleeps as the other does", () =>
    Effect.gen(function*() {
      const { at, clock } = yield* shifted
      at.wall = 1000
      const first = clock.currentTimeMillisUnsafe()
      const steady = steadyClock(clock)
      at.wall = 86_400_000
      yield* TestClock.adjust("250 millis")
      const seen = yield* Effect.all([steady.currentTimeMillis, steady.currentTimeNanos, steady.monotonicTimeNanos])
      assert.deepStrictEqual(seen, [first + 250, BigInt(first + 250) * 1_000_000n, clock.monotonicTimeNanosUnsafe()])
      assert.deepStrictEqual(
        [steady.currentTimeMillisUnsafe(), steady.currentTimeNanosUnsafe(), steady.monotonicTimeNanosUnsafe()],
        seen
      )
      const sleeping = yield* Effect.forkChild(steady.sleep(Duration.seconds(1)), { startImmediately: true })
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(sleeping.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.isDefined(sleeping.pollUnsafe())
    }))

  it.effect("are what a steady Schedule is asked with", () =>
    Effect.gen(function*() {
      const { at, clock } = yield* shifted
      const asked: Array<readonly [number, string]> = []
      const schedule = Schedule.fromStep(
        Effect.succeed((now: number, input: string) => {
          asked.push([now, input])
          return Effect.succeed<[number, Duration.Duration]>([1, Duration.zero])
        })
      )
      const step = yield* Effect.provideService(Schedule.toStep(steady(schedule)), Clock.Clock, clock)
      const first = clock.currentTimeMillisUnsafe()
      for (const [wall, input] of [[0, "a"], [86_400_000, "b"], [-5, "c"]] as const) {
        at.wall = wall
        yield* TestClock.adjust("10 millis")
        yield* step(7, input)
      }
      assert.deepStrictEqual(asked, [[first + 10, "a"], [first + 20, "b"], [first + 30, "c"]])
    }))
})

describe("what a Schedule answers with", () => {
  it("is a delay in milliseconds, if it is one", () => {
    const hostile = {
      get 1() {
        throw new Error("no")
      }
    }
    assert.deepStrictEqual(
      [["out", Duration.seconds(2)], ["out", 5], [], Duration.seconds(2), undefined, hostile].map(delayOf),
      [2000, undefined, undefined, undefined, undefined, undefined]
    )
  })

  it("is its end, if that is what it has come to, and no failure", () => {
    assert.deepStrictEqual(
      [Cause.fail(Cause.Done("over")), Cause.fail("no"), Cause.die("no"), null as never].map(hasEnded),
      [true, false, false, false]
    )
  })
})

describe("Timer.instantOf", () => {
  it.effect("is monotonic time in milliseconds, and follows virtual time", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const before = instantOf(clock)
      yield* TestClock.adjust("1500 micros")
      assert.strictEqual(instantOf(clock) - before, 1.5)
    }))
})

describe("Timer.Watch", () => {
  const watching = Effect.map(Effect.context<never>(), (context) => {
    const said: Array<string> = []
    const watch = new Watch(context, 100)
    return { said, watch, begin: (name: string) => watch.begin(() => said.push(name)) }
  })

  it.effect("says of each that takes as long, when it has, and once; of what has ended nothing", () =>
    Effect.gen(function*() {
      const { begin, said, watch } = yield* watching
      watch.end(begin("ended at once"))
      begin("first")
      yield* TestClock.adjust("60 millis")
      const ended = begin("ended in time")
      begin("second")
      yield* TestClock.adjust("39 millis")
      assert.deepStrictEqual(said, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(said, ["first"])
      watch.end(ended)
      yield* TestClock.adjust("59 millis")
      assert.deepStrictEqual(said, ["first"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(said, ["first", "second"])
      yield* TestClock.adjust("1 hour")
      begin("later")
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(said, ["first", "second", "later"])
    }))

  it.effect("sets one timer for all, and none while it rests", () =>
    Effect.gen(function*() {
      let sleeps = 0
      const clock = yield* Clock.Clock
      const counting: Clock.Clock = {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
        currentTimeMillis: clock.currentTimeMillis,
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
        currentTimeNanos: clock.currentTimeNanos,
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
        sleep: (duration) =>
          Effect.suspend(() => {
            sleeps++
            return Effect.onInterrupt(clock.sleep(duration), () => Effect.sync(() => sleeps--))
          })
      }
      const { begin, said, watch } = yield* Effect.provideService(watching, Clock.Clock, counting)
      for (let i = 0; i < 10; i++) watch.end(begin(`${i}`))
      assert.strictEqual(sleeps, 1)
      const under = begin("under way")
      watch.rest()
      assert.strictEqual(sleeps, 1)
      watch.end(under)
      watch.rest()
      assert.strictEqual(sleeps, 0)
      begin("given up")
      watch.stop()
      assert.strictEqual(sleeps, 0)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(said, [])
    }))
})
