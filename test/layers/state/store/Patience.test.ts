/** How often, and how long, a store that is away is asked again: in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Schedule, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { StoreError, type StoreErrorReason } from "../../../../src/domain/state/stored/StoreError.ts"
import { defaultRetry, opened, Patience } from "../../../../src/layers/state/store/Patience.ts"
import { now } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"

const error = (reason: StoreErrorReason) => new StoreError({ store: "own", operation: "open", reason })
const away = error({ _tag: "Unavailable", cause: "away" })

/** What a patience says, one failed attempt after the other, each after the time that it said. */
const steps = Effect.fnUntraced(function*(patience: Patience, most: number) {
  const said: Array<number | undefined> = []
  while (said.length < most) {
    const millis = yield* patience.after(away)
    said.push(millis)
    if (millis === undefined) break
    yield* TestClock.adjust(millis)
  }
  return said
})

describe("a session's patience", () => {
  it.effect("is 50 ms by default, and doubles up to two seconds, for half a minute", () =>
    Effect.gen(function*() {
      const said = yield* steps(new Patience(defaultRetry), 99)
      assert.deepStrictEqual(said.slice(0, 8), [50, 100, 200, 400, 800, 1600, 2000, 2000])
      assert.isUndefined(said.at(-1))
      const whole = said.reduce<number>((sum, one) => sum + (one ?? 0), 0)
      assert.isAtLeast(whole, 30_000)
      assert.isAtMost(whole, 32_000)
    }))

  it.effect("begins from its first step when the store has answered, and when it is over", () =>
    Effect.gen(function*() {
      const patience = new Patience(Schedule.max([Schedule.exponential("50 millis"), Schedule.recurs(3)]))
      assert.deepStrictEqual(yield* steps(patience, 2), [50, 100])
      patience.reset()
      assert.deepStrictEqual(yield* steps(patience, 9), [50, 100, 200, undefined])
      assert.deepStrictEqual(yield* steps(patience, 1), [50])
    }))

  it.effect("of a Schedule that fails is over, which is logged; one that ends says nothing", () =>
    Effect.gen(function*() {
      const { layer, lines } = recordedLog()
      const after = (schedule: Schedule.Schedule<unknown, StoreError>) =>
        Effect.provide(new Patience(schedule).after(away), layer)
      assert.isUndefined(yield* after(Schedule.recurs(0)))
      assert.deepStrictEqual(lines, [])
      const dies: Schedule.Schedule<unknown, StoreError> = Schedule.fromStep(Effect.succeed(() => Effect.die("bug")))
      const answers: Schedule.Schedule<unknown, StoreError> = Schedule.fromStep(
        Effect.succeed(() => Effect.succeed(["no Duration", "soon"] as never))
      )
      for (const broken of [dies, answers]) assert.isUndefined(yield* after(broken))
      assert.deepStrictEqual(lines.map(({ level, text }) => [level, text]), [
        ["Error", "a retry Schedule failed: the store is not asked again"],
        ["Error", "a retry Schedule failed: the store is not asked again"]
      ])
      assert.include(String(lines[0]!.cause), "bug")
      assert.include(String(lines[1]!.cause), "a step of a retry Schedule must answer an output and a Duration")
    }))
})

describe("a store that is opened", () => {
  /** Fails so often, and says what is open of its attempts. */
  const opening = (failures: number, failure = away) => {
    const open = new Set<number>()
    let attempts = 0
    const effect = Effect.suspend(() => {
      const attempt = attempts++
      return Effect.andThen(
        Effect.acquireRelease(Effect.sync(() => open.add(attempt)), () => Effect.sync(() => open.delete(attempt))),
        attempt < failures ? Effect.fail(failure) : Effect.succeed(attempt)
      )
    })
    return { effect, open, attempts: () => attempts }
  }

  const run = Effect.fnUntraced(function*(effect: Effect.Effect<number, StoreError, Scope.Scope>, millis: number) {
    const { layer, lines } = recordedLog()
    const fiber = yield* now(Effect.provide(Effect.exit(opened(effect, millis)), layer))
    const began = yield* Clock.currentTimeMillis
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust("50 millis")
    const exit = yield* Fiber.join(fiber)
    return { exit, lines, took: (yield* Clock.currentTimeMillis) - began }
  })

  it.effect("is waited for while it is away, which is said once; what a failed attempt has opened is closed", () =>
    Effect.gen(function*() {
      const { attempts, effect, open } = opening(3)
      const { exit, lines } = yield* run(effect, 5000)
      assert.strictEqual(exit._tag === "Success" && exit.value, 3)
      assert.strictEqual(attempts(), 4)
      assert.deepStrictEqual([...open], [3])
      assert.deepStrictEqual(lines.map(({ level, text }) => [level, text.split(" StoreError")[0]!.slice(0, 60)]), [
        ["Warn", "the state store \"own\" is waited for, 5000 ms at most".slice(0, 60)]
      ])
    }))

  it.effect("is given up when that time is over", () =>
    Effect.gen(function*() {
      const { effect, open } = opening(Infinity)
      const { exit, took } = yield* run(effect, 1000)
      assert.strictEqual(exit._tag, "Failure")
      assert.isAtLeast(took, 1000)
      assert.isAtMost(took, 3100)
      assert.strictEqual(open.size, 0)
    }))

  it.effect("is not waited for where it answers that it will not do, nor announced where there is no patience", () =>
    Effect.gen(function*() {
      const refused = opening(Infinity, error({ _tag: "Invalid", what: "no" }))
      const { exit, lines } = yield* run(refused.effect, 5000)
      assert.deepStrictEqual([exit._tag, refused.attempts(), lines.length], ["Failure", 1, 0])
      const impatient = opening(Infinity)
      const none = yield* run(impatient.effect, 0)
      assert.deepStrictEqual([none.exit._tag, none.lines.length], ["Failure", 0])
    }))
})
