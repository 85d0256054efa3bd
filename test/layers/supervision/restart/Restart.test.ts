import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Pull, Random, Schedule } from "effect"
import { type ExitReason, normal } from "../../../../src/domain/process/ExitReason.ts"
import { Restart } from "../../../../src/index.ts"

/** What a budget says to restarts at these times: the delay in milliseconds, or "done". */
const answers = Effect.fnUntraced(function*(
  schedule: Schedule.Schedule<unknown, ExitReason>,
  times: ReadonlyArray<number>
) {
  const step = yield* Schedule.toStep(schedule)
  return yield* Effect.forEach(times, (now) =>
    Pull.matchEffect(step(now, normal), {
      onSuccess: ([, delay]) => Effect.succeed<number | "done">(Duration.toMillis(delay)),
      onFailure: Effect.failCause,
      onDone: () => Effect.succeed<number | "done">("done")
    }))
})

describe("Restart.intensity", () => {
  it.effect("is a sliding window, and fresh for each supervisor", () =>
    Effect.gen(function*() {
      const schedule = Restart.intensity({ restarts: 1, within: "1 second" })
      assert.deepStrictEqual(yield* answers(schedule, [0, 1001, 2002, 3002]), [0, 0, 0, "done"])
      assert.deepStrictEqual(yield* answers(schedule, [0]), [0])
    }))

  it.effect("is 3 in 5 seconds by default", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* answers(Restart.intensity(), [0, 0, 5000, 5000]), [0, 0, 0, "done"])
      assert.deepStrictEqual(yield* answers(Restart.intensity(), [0, 0, 0, 5001]), [0, 0, 0, 0])
    }))

  it("refuses limits that make no sense, at once", () => {
    assert.throws(
      () => Restart.intensity({ restarts: Infinity }),
      /Restart.intensity was given Infinity as restarts: it must be a whole number/
    )
    assert.throws(
      () => Restart.intensity({ within: 0 }),
      /given 0 as within: it must be a duration of more than nothing that ends/
    )
    assert.throws(
      () => Restart.intensity({ within: "Infinity" }),
      /given "Infinity" as within: it must be a duration of more than nothing that ends/
    )
  })
})

describe("Restart.max", () => {
  it.effect("of one budget is that budget", () =>
    Effect.gen(function*() {
      const schedule = Restart.max([Restart.intensity({ restarts: 1, within: "1 second" })])
      assert.deepStrictEqual(yield* answers(schedule, [0, 0]), [0, "done"])
    }))
})

describe("Restart.backoff", () => {
  it.effect("grows to its cap, and begins anew after a quiet time", () =>
    Effect.gen(function*() {
      const schedule = Restart.backoff({ base: 100, cap: 500, jitter: 0, resetAfter: "10 seconds" })
      assert.deepStrictEqual(yield* answers(schedule, [0, 100, 300, 700, 20_000]), [100, 200, 400, 500, 100])
    }))

  it.effect("draws its jitter from the Random of the context", () =>
    Effect.gen(function*() {
      const schedule = Restart.backoff({ base: 100, factor: 1, jitter: 0.5 })
      const draw = (seed: string) => answers(schedule, [0, 0, 0]).pipe(Random.withSeed(seed))
      const first = yield* draw("a")
      assert.deepStrictEqual(yield* draw("a"), first)
      assert.notDeepEqual(yield* draw("b"), first)
      for (const delay of first) assert.isTrue(delay !== "done" && delay >= 50 && delay <= 100)
    }))

  it.effect("combines with intensity: the longer delay, and the end of either", () =>
    Effect.gen(function*() {
      const schedule = Restart.max([
        Restart.backoff({ base: 100, jitter: 0 }),
        Restart.intensity({ restarts: 2, within: "1 minute" })
      ])
      assert.deepStrictEqual(yield* answers(schedule, [0, 100, 300]), [100, 200, "done"])
    }))

  it("refuses rules that make no sense, at once", () => {
    assert.throws(
      () => Restart.backoff({ factor: 0 }),
      /Restart.backoff was given 0 as factor: it must be a number, 1 at least/
    )
    assert.throws(
      () => Restart.backoff({ base: "1 hour" }),
      /given "30 seconds" as cap: it must be a duration that is not below base/
    )
  })
})

describe("Restart.never", () => {
  it.effect("gives up at the first crash", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* answers(Restart.never, [0]), ["done"])
    }))
})
