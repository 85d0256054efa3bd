/** Streams of tasks: one task an element, in order or not, so many at a time. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { TaskSupervisor } from "../../../../src/index.ts"
import { errorOf } from "../../../kit/Failures.ts"
import { none, Oops, run, Tasks, waiting } from "../../../kit/Tasks.ts"

describe("asyncStream", () => {
  const Size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))
  const Delays = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 })))

  it.effect.prop(
    "gives for any items, delays and concurrency the results in the order of the items, never too many at a time",
    [Delays, Size],
    ([delays, concurrency]) =>
      run(Effect.gen(function*() {
        const tasks = yield* Tasks
        let [active, most] = [0, 0]
        const f = (millis: number) =>
          Effect.acquireUseRelease(
            Effect.sync(() => most = Math.max(most, ++active)),
            () => Effect.as(Effect.sleep(millis), millis * 2),
            () => Effect.sync(() => active--)
          )
        const results = yield* Effect.forkChild(Stream.runCollect(tasks.asyncStream(delays, f, { concurrency })))
        // A task may begin to sleep when a step of the clock is over: as many steps as there are tasks.
        for (const _ of [...delays, 0]) yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* Fiber.join(results), delays.map((millis) => millis * 2))
        assert.isAtMost(most, concurrency)
        assert.deepStrictEqual(yield* tasks.countChildren, none)
      })),
    { arbitrary: { runs: 30 } }
  )

  it.effect("gives with ordered: false each result as it is there", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const f = (millis: number) => Effect.as(Effect.sleep(millis), millis)
      const results = yield* Effect.forkChild(
        Stream.runCollect(tasks.asyncStream([30, 10, 20], f, { concurrency: 3, ordered: false }))
      )
      yield* TestClock.adjust(30)
      assert.deepStrictEqual(yield* Fiber.join(results), [10, 20, 30])
    })))

  it.effect("takes no more items than there is room for", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const taken: Array<number> = []
      const endless = function*() {
        for (let n = 1;; n++) {
          taken.push(n)
          yield n
        }
      }
      const stream = tasks.asyncStream({ [Symbol.iterator]: endless }, () => Effect.never, {
        concurrency: 2,
        timeout: "infinity"
      })
      const reader = yield* Effect.forkChild(Stream.runDrain(stream))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* tasks.countChildren).active, 2)
      assert.isAtMost(taken.length, 3)
      yield* Fiber.interrupt(reader)
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))

  it.effect("takes items from a stream, with its failures and services", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const items = Stream.concat(Stream.make(1, 2), Stream.fail("no more" as const))
      const seen: Array<number> = []
      const stream = tasks.asyncStream(items, (n) => Effect.succeed(n * 10), { concurrency: 1 })
      const exit = yield* Effect.exit(Stream.runForEach(stream, (n) => Effect.sync(() => seen.push(n))))
      assert.deepStrictEqual(seen, [10, 20])
      assert.strictEqual(errorOf(exit), "no more")
    })))

  it.effect("the first failure, typed or not, fails the stream and stops the other tasks", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const log: Array<string> = []
      const failing = (failure: Effect.Effect<never, Oops>) =>
        Effect.exit(Stream.runDrain(
          tasks.asyncStream(["bad", "good"], (item) => item === "bad" ? failure : waiting(log, item), {
            concurrency: 2
          })
        ))
      const typed = errorOf(yield* failing(Effect.andThen(Effect.yieldNow, Effect.fail(new Oops({ n: 2 })))))
      assert.deepStrictEqual(typed, new Oops({ n: 2 }))
      const crash = errorOf(yield* failing(Effect.andThen(Effect.yieldNow, Effect.die("boom"))))
      assert.isTrue(crash instanceof TaskSupervisor.TaskError && crash.reason._tag === "Crashed")
      assert.deepStrictEqual(log, ["good interrupted", "good interrupted"])
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))

  it.effect("a reader that has enough leaves no task behind", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const log: Array<string> = []
      const f = (n: number) => n === 1 ? Effect.succeed(n) : waiting(log, String(n))
      const first = yield* Stream.runCollect(Stream.take(tasks.asyncStream([1, 2, 3], f, { concurrency: 2 }), 1))
      assert.deepStrictEqual(first, [1])
      assert.isTrue(log.length <= 2)
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))

  it.effect("a task that takes too long fails it, or is replaced by what its item makes", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const f = (millis: number) => Effect.as(Effect.sleep(millis), millis)
      const exit = yield* Effect.forkChild(
        Effect.exit(Stream.runCollect(tasks.asyncStream([1, 100], f, { timeout: 50 })))
      )
      const replaced = yield* Effect.forkChild(
        Stream.runCollect(tasks.asyncStream([1, 100], f, { timeout: 50, onTimeout: (millis) => `no ${millis}` }))
      )
      yield* TestClock.adjust(50)
      const error = errorOf(yield* Fiber.join(exit))
      assert.deepStrictEqual(error.reason, { _tag: "Timeout", millis: 50 })
      assert.deepStrictEqual(yield* Fiber.join(replaced), [1, "no 100"])
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))

  it.effect("by default a task has 5 seconds", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const exit = yield* Effect.forkChild(
        Effect.exit(Stream.runDrain(tasks.asyncStream([1], () => Effect.never)))
      )
      yield* TestClock.adjust(4999)
      assert.isUndefined(exit.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(errorOf(yield* Fiber.join(exit)).reason, { _tag: "Timeout", millis: 5000 })
    })))

  it.effect("a function that throws is a crash of its task", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const throwing = (): Effect.Effect<number> => {
        throw new Error("thrown")
      }
      const [outcome] = yield* Stream.runCollect(tasks.asyncStreamNolink([1], throwing))
      const error = errorOf(outcome!.exit)
      assert.isTrue(error.reason._tag === "Crashed" && String(Cause.squash(error.reason.cause)).includes("thrown"))
    })))

  it.effect("a concurrency that is none is refused", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      for (const concurrency of [0, -1, 1.5, NaN]) {
        const exit = yield* Effect.exit(Stream.runDrain(tasks.asyncStream([1], Effect.succeed, { concurrency })))
        assert.isTrue(
          Exit.isFailure(exit) &&
            String(Cause.squash(exit.cause)).includes("as concurrency: it must be a whole number, 1 at least")
        )
      }
    })))
})

describe("asyncStreamNolink", () => {
  it.effect("a failure of one item ends nothing: each element has its item and its exit", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const f = (item: string): Effect.Effect<string, Oops> => {
        switch (item) {
          case "fails":
            return Effect.fail(new Oops({ n: 3 }))
          case "crashes":
            return Effect.die("boom")
          case "hangs":
            return Effect.never
          default:
            return Effect.succeed(item)
        }
      }
      const items = ["fine", "fails", "crashes", "hangs", "also fine"]
      const running = yield* Effect.forkChild(
        Stream.runCollect(tasks.asyncStreamNolink(items, f, { timeout: 50, onTimeout: "kill_task" }))
      )
      yield* TestClock.adjust(50)
      const outcomes = yield* Fiber.join(running)
      assert.deepStrictEqual(outcomes.map(({ item }) => item), items)
      const tags = outcomes.map(({ exit }) => {
        if (Exit.isSuccess(exit)) return exit.value
        const error = errorOf(exit)
        return error._tag === "Oops" ? "Oops" : error.reason._tag
      })
      assert.deepStrictEqual(tags, ["fine", "Oops", "Crashed", "Timeout", "also fine"])
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))

  it.effect("a task that takes too long fails it unless the options say to kill the task", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const exit = yield* Effect.forkChild(
        Effect.exit(Stream.runDrain(tasks.asyncStreamNolink([1], () => Effect.never, { timeout: 50 })))
      )
      yield* TestClock.adjust(50)
      const error = errorOf(yield* Fiber.join(exit))
      assert.deepStrictEqual(error.reason, { _tag: "Timeout", millis: 50 })
    })))
})
