/**
 * Other systems' cases of strategies: who is stopped and started with whom, in which order, and where a retry begins.
 */
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Fiber, Queue } from "effect"
import { TestClock } from "effect/testing"
import { killed, normal } from "../../../../src/domain/process/ExitReason.ts"
import { GenServer, Process } from "../../../../src/index.ts"
import {
  type Announcement,
  child,
  count,
  died,
  gated,
  isAlive,
  list,
  published,
  start,
  testCase,
  within
} from "../../../kit/Family.ts"

describe("supervisor: strategies", () => {
  testCase(
    "SUP-029 one_for_all: everything is replaced",
    Effect.gen(function*() {
      const sup = yield* start({ strategy: "one_for_all" })
      const child1 = yield* sup.startChild(child("child1", { shutdown: 1000 }))
      yield* sup.startChild(child("child2", { shutdown: 1000 }))
      yield* published
      yield* GenServer.stop(child1, died)
      assert.deepStrictEqual(yield* published, [
        "child1#1 exited: crashed: died",
        "child2#1 exited: shutdown",
        "child1#2 started",
        "child2#2 started"
      ])
      assert.deepStrictEqual(yield* list(sup), ["child2 -> 2", "child1 -> 2"])
      assert.deepStrictEqual(yield* count(sup), [2, 2, 0, 2])
      for (const alive of [true, false]) {
        const [first] = yield* sup.whichChildren
        yield* Process.exit(Process.reference(first!.process), died)
        assert.strictEqual(isAlive(sup), alive)
      }
    })
  )

  testCase(
    "SUP-032 rest_for_one: the dead child and those after it",
    Effect.gen(function*() {
      const sup = yield* start({ strategy: "rest_for_one" })
      yield* sup.startChild(child("child1", { shutdown: 1000 }))
      const child2 = yield* sup.startChild(child("child2", { shutdown: 1000 }))
      const child3 = yield* sup.startChild(child("child3", { shutdown: 1000 }))
      yield* published
      yield* GenServer.stop(child2, died)
      assert.deepStrictEqual(yield* published, [
        "child2#1 exited: crashed: died",
        "child3#1 exited: shutdown",
        "child2#2 started",
        "child3#2 started"
      ])
      assert.deepStrictEqual(yield* list(sup), ["child3 -> 2", "child2 -> 2", "child1 -> 1"])
      assert.deepStrictEqual(yield* count(sup), [3, 3, 0, 3])
      yield* GenServer.stop(child3, died)
      assert.deepStrictEqual(yield* list(sup), ["child3 -> 3", "child2 -> 2", "child1 -> 1"])
      yield* GenServer.stop(child2, died)
      assert.isFalse(isAlive(sup))
    })
  )

  testCase(
    "SUP-034 rest_for_one: retry starts at the child that failed, not at the one that died",
    Effect.gen(function*() {
      const announcements = yield* Queue.unbounded<Announcement>()
      /** Waits for the next announcement, which must be of this child, and lets its init come to that. */
      const verdict = (id: string, init: Effect.Effect<string, string>) =>
        Effect.flatMap(Queue.take(announcements), (next) => {
          assert.strictEqual(next.id, id)
          return Deferred.complete(next.verdict, init)
        })
      const startGated = Effect.fnUntraced(function*(id: string) {
        const starting = yield* Effect.forkChild(sup.startChild(gated(announcements, id)))
        yield* verdict(id, Effect.succeed("started"))
        return yield* Fiber.join(starting)
      })
      const sup = yield* start({ strategy: "rest_for_one", restart: within(3, 3600) })
      const child1 = yield* startGated("child1")
      yield* startGated("child2")
      yield* published

      yield* Process.exit(child1, killed)
      yield* verdict("child1", Effect.succeed("started"))
      yield* verdict("child2", Effect.fail("normal"))
      yield* verdict("child2", Effect.succeed("started"))
      yield* Effect.yieldNow
      assert.strictEqual(yield* Queue.size(announcements), 0)
      assert.deepStrictEqual(yield* published, [
        "child1#1 exited: killed",
        "child2#1 exited: shutdown",
        "child1#2 started",
        "child2#2 did not start: crashed: normal",
        "child2#3 started"
      ])
      assert.deepStrictEqual(yield* list(sup), ["child2 -> 3", "child1 -> 2"])
      assert.isTrue(isAlive(sup))
    })
  )

  testCase(
    "SUP-044 A temporary sibling stopped by a group restart is not brought back",
    Effect.gen(function*() {
      for (const strategy of ["one_for_all", "rest_for_one"] as const) {
        yield* Effect.scoped(Effect.gen(function*() {
          const sup = yield* start({ strategy, restart: within(2, 300) })
          const child1 = yield* sup.startChild(child("child1", { shutdown: 100 }))
          yield* sup.startChild(child("child2", { restart: "temporary", shutdown: 100 }))
          yield* published
          yield* GenServer.stop(child1, normal)
          yield* TestClock.adjust("350 millis")
          assert.isTrue(isAlive(sup))
          assert.deepStrictEqual(yield* list(sup), ["child1 -> 2"])
          assert.deepStrictEqual(yield* count(sup), [1, 1, 0, 1])
          assert.deepStrictEqual(yield* published, [
            "child1#1 exited: normal",
            "child2#1 exited: shutdown",
            "child1#2 started"
          ])
        }))
      }
    })
  )

  testCase(
    "SUP-065 rest_for_one stops the rest newest-first and restarts oldest-first",
    Effect.gen(function*() {
      const sup = yield* start({ strategy: "rest_for_one" })
      const ids = ["ch7", "ch3", "ch10", "ch2", "ch5"]
      const children = yield* Effect.forEach(ids, (id) => sup.startChild(child(id, { shutdown: 1000 })))
      assert.deepStrictEqual(yield* published, [
        "sup#1 started",
        "ch7#1 started",
        "ch3#1 started",
        "ch10#1 started",
        "ch2#1 started",
        "ch5#1 started"
      ])
      yield* GenServer.stop(children[2]!, died)
      assert.deepStrictEqual(yield* published, [
        "ch10#1 exited: crashed: died",
        "ch5#1 exited: shutdown",
        "ch2#1 exited: shutdown",
        "ch10#2 started",
        "ch2#2 started",
        "ch5#2 started"
      ])
      assert.deepStrictEqual(yield* list(sup), ["ch5 -> 2", "ch2 -> 2", "ch10 -> 2", "ch3 -> 1", "ch7 -> 1"])
      yield* sup.stop()
      assert.deepStrictEqual(yield* published, [
        "ch5#2 exited: shutdown",
        "ch2#2 exited: shutdown",
        "ch10#2 exited: shutdown",
        "ch3#1 exited: shutdown",
        "ch7#1 exited: shutdown",
        "sup#1 exited: shutdown"
      ])
    })
  )

  testCase(
    "SUP-076 Gleam: announcement order under the three strategies, default tolerance",
    Effect.gen(function*() {
      const expected = {
        one_for_one: [["1"], ["2"]],
        rest_for_one: [["1", "2", "3"], ["2", "3"]],
        one_for_all: [["1", "2", "3"], ["1", "2", "3"]]
      }
      for (const strategy of ["one_for_one", "rest_for_one", "one_for_all"] as const) {
        yield* Effect.scoped(Effect.gen(function*() {
          const announced: Array<string> = []
          const announcing = (id: string) =>
            child(id, {
              init: Effect.sync(() => {
                announced.push(id)
                return "idle"
              })
            })
          const sup = yield* start({ strategy, restart: within(2, 5) })
          const children = yield* Effect.forEach(["1", "2", "3"], (id) => sup.startChild(announcing(id)))
          assert.deepStrictEqual(announced.splice(0), ["1", "2", "3"])
          for (const [killing, again] of expected[strategy].entries()) {
            yield* Process.exit(children[killing]!, killed)
            assert.deepStrictEqual(announced.splice(0), again)
          }
          yield* TestClock.adjust("10 millis")
          assert.deepStrictEqual(announced, [])
          assert.deepStrictEqual([sup, ...children].map(isAlive), [true, true, true, true])
        }))
      }
    })
  )
})
