/**
 * Other systems' cases of restarts under a dynamic supervisor: within its intensity, of each restart type, with every
 * result a start can have.
 */
import { assert, describe } from "@effect/vitest"
import { Cause, Effect, Queue } from "effect"
import { TestClock } from "effect/testing"
import { crashed, type ExitReason, shutdown } from "../../../../src/domain/process/ExitReason.ts"
import { GenServer, Next, Process } from "../../../../src/index.ts"
import { garbled, scripted, start } from "../../../kit/DynamicFamily.ts"
import { refusal } from "../../../kit/Failures.ts"
import { child, count, died, flaky, isAlive, list, published, testCase, within } from "../../../kit/Family.ts"
import { often } from "../../../kit/Restarts.ts"

const up = Effect.succeed("idle")
const whatever = crashed(Cause.fail("whatever"))

describe("dynamic supervisor: restarting", () => {
  testCase(
    "DYN-011 Restart of one dynamic child; third crash exceeds intensity 2",
    Effect.gen(function*() {
      const sup = yield* start()
      const [h1, h2] = [yield* sup.startChild(child("h1")), yield* sup.startChild(child("h2"))]
      yield* Process.exit(h1, died)
      assert.deepStrictEqual([yield* list(sup), yield* count(sup)], [["h1 -> 2", "h2 -> 1"], [2, 2, 0, 2]])
      yield* Process.exit(h2, died)
      assert.deepStrictEqual(yield* list(sup), ["h1 -> 2", "h2 -> 2"])
      yield* published
      yield* Process.exit(h1, died)
      // OTP's `shutdown` of a supervisor that gave up, and the word on which child it was.
      assert.deepStrictEqual(yield* published, [
        "h1#2 exited: crashed: died",
        "h2#2 exited: shutdown",
        "sup#1 exited: gave up on h1: died"
      ])
      assert.deepStrictEqual([sup, h1, h2].map(isAlive), [false, false, false])
    })
  )

  testCase(
    "DYN-022 A child in a restart loop can be terminated by its old handle",
    Effect.gen(function*() {
      let flag = false
      const init = Effect.suspend(() => flag ? Effect.delay(Effect.fail("flag"), 2000) : up)
      const sup = yield* start({ restart: within(8, 10) })
      const h1 = yield* sup.startChild(child("h1", { init, shutdown: "brutal_kill" }))
      flag = true
      yield* Process.exit(h1, died)
      yield* TestClock.adjust(2000)
      assert.deepStrictEqual([yield* list(sup), yield* count(sup)], [["h1 -> restarting"], [1, 0, 0, 1]])
      yield* sup.terminateChild(h1)
      assert.deepStrictEqual([yield* list(sup), yield* count(sup)], [[], [0, 0, 0, 0]])
      assert.strictEqual(yield* refusal(sup.terminateChild(h1)), "NotFound")

      flag = false
      const h2 = yield* sup.startChild(child("h2", { init, shutdown: "brutal_kill" }))
      flag = true
      yield* Process.exit(h2, died)
      yield* TestClock.adjust(3000)
      assert.deepStrictEqual(yield* list(sup), ["h2 -> restarting"])
      yield* published
      yield* Process.exit(sup, shutdown)
      assert.deepStrictEqual(yield* published, ["sup#1 exited: shutdown"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* published, [])
      assert.strictEqual(h2[Process.processOf].status, "stopped")
    })
  )

  testCase(
    "DYN-032 max_children counts restarting children too",
    Effect.gen(function*() {
      const none = yield* start({ maxChildren: 0 })
      const full = yield* Effect.flip(none.startChild(child("a")))
      assert.deepStrictEqual(full.reason, { _tag: "MaxChildren", max: 0 })

      for (const [recipe, active] of [[flaky("b").recipe, 0], [child("c"), 1]] as const) {
        const one = yield* start({ maxChildren: 1, restart: often })
        yield* Process.exit(yield* one.startChild(recipe), shutdown)
        assert.deepStrictEqual(yield* count(one), [1, active, 0, 1])
        const another = yield* Effect.flip(one.startChild(child("another")))
        assert.deepStrictEqual(another.reason, { _tag: "MaxChildren", max: 1 })
        yield* one.stop()
      }
    })
  )

  testCase(
    "DYN-033 temporary and permanent under a dynamic supervisor",
    Effect.gen(function*() {
      const signal: ExitReason = { _tag: "Shutdown", detail: "signal" }
      const sup = yield* start({ restart: often })
      const counts = (restart: "temporary" | "permanent", reasons: ReadonlyArray<ExitReason>) =>
        Effect.forEach(reasons, (reason, i) =>
          Effect.gen(function*() {
            const ref = yield* sup.startChild(child(`${restart}${i}`, { restart }))
            yield* Process.exit(ref, reason)
            const { active, workers } = yield* sup.countChildren
            return [workers, active]
          }))
      assert.deepStrictEqual(yield* counts("temporary", [shutdown, whatever]), [[0, 0], [0, 0]])
      assert.deepStrictEqual(yield* counts("permanent", [shutdown, signal, whatever]), [[1, 1], [2, 2], [3, 3]])
    })
  )

  testCase(
    "DYN-036 What a restart's start result does to the child entry",
    Effect.gen(function*() {
      const sup = yield* start({ restart: often })
      const recipes = [
        child("ok"),
        scripted("extra", [up, Effect.succeed(Next.start("idle", { info: "extra" }))]),
        scripted("ignored", [up, Effect.succeed(Next.ignore)]),
        scripted("failing", [up, Effect.fail("found")]),
        garbled(child("garbled"), 2)
      ]
      const counts: Array<readonly [workers: number, active: number]> = []
      for (const recipe of recipes) {
        yield* Process.exit(yield* sup.startChild(recipe), shutdown)
        const { active, workers } = yield* sup.countChildren
        counts.push([workers, active])
      }
      assert.deepStrictEqual(counts, [[1, 1], [2, 2], [2, 2], [3, 2], [4, 2]])
      assert.deepStrictEqual(yield* list(sup), [
        "ok -> 2",
        "extra -> 2",
        "failing -> restarting",
        "garbled -> restarting"
      ])
      yield* sup.stop()
    })
  )

  testCase(
    "DYN-037 A failed restart attempt is retried",
    Effect.gen(function*() {
      const sup = yield* start({ restart: within(2, 5) })
      const ref = yield* sup.startChild(scripted("child1", [up, Effect.fail("error"), up]))
      yield* Process.exit(ref, shutdown)
      assert.deepStrictEqual(yield* published, [
        "sup#1 started",
        "child1#1 started",
        "child1#1 exited: shutdown",
        "child1#2 did not start: crashed: error",
        "child1#3 started"
      ])
      assert.deepStrictEqual(yield* count(sup), [1, 1, 0, 1])
      // Both attempts were charged: there is no third.
      yield* Process.exit(ref, died)
      assert.deepStrictEqual(yield* published, [
        "child1#3 exited: crashed: died",
        "sup#1 exited: gave up on child1: died"
      ])
    })
  )

  testCase(
    "DYN-042 Factory supervisor, transient (default)",
    Effect.gen(function*() {
      const announcements = yield* Queue.unbounded<string>()
      const announced = Effect.andThen(TestClock.adjust(10), Queue.clear(announcements))
      const sup = yield* start({ restart: within(2, 5) })
      const announcing = (id: string) =>
        // Permanent by default, as in Elixir; this is Gleam's default.
        child(id, { init: Effect.as(Queue.offer(announcements, id), "idle"), restart: "transient" })
      const [one, two, three] = yield* Effect.forEach(["1", "2", "3"], (id) => sup.startChild(announcing(id)))
      assert.deepStrictEqual(yield* announced, ["1", "2", "3"])
      yield* Process.kill(one!)
      assert.deepStrictEqual(yield* announced, ["1"])
      yield* Process.kill(two!)
      assert.deepStrictEqual(yield* announced, ["2"])
      yield* GenServer.stop(three!)
      assert.deepStrictEqual(yield* announced, [])
      assert.deepStrictEqual(yield* list(sup), ["1 -> 2", "2 -> 2"])
      yield* Process.exit(sup, shutdown)
      assert.deepStrictEqual([sup, one!, two!, three!].map(isAlive), [false, false, false, false])
      assert.deepStrictEqual(yield* announced, [])
    })
  )
})
