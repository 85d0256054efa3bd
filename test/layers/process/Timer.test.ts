import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { after, instantOf } from "../../../src/layers/process/Timer.ts"

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

describe("Timer.instantOf", () => {
  it.effect("is monotonic time in milliseconds, and follows virtual time", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const before = instantOf(clock)
      yield* TestClock.adjust("1500 micros")
      assert.strictEqual(instantOf(clock) - before, 1.5)
    }))
})
