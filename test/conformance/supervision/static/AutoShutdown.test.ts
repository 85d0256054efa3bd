/** Other systems' cases of significant children: whose exit ends their supervisor, and how far up. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { killed, normal, shutdown } from "../../../../src/domain/process/ExitReason.ts"
import { GenServer, Process, Supervisor } from "../../../../src/index.ts"
import {
  type Child,
  child,
  died,
  isAlive,
  lastExit,
  list,
  published,
  start,
  testCase,
  within
} from "../../../kit/Family.ts"

/** A second goes by, and whatever was to happen has happened. */
const aSecondLater = TestClock.adjust("1 second")

/** The ways in which a child ends by itself. */
const ends = {
  kill: (h: Child) => Process.exit(h, killed),
  abnormal: (h: Child) => GenServer.stop(h, died),
  normal: (h: Child) => GenServer.stop(h, normal)
}

/** Any significant child ends it: child1 and child2 are significant, child3 is not. */
const threeUnderAny = Effect.fnUntraced(function*(restart: "temporary" | "transient") {
  const sup = yield* start({ autoShutdown: "any_significant", restart: within(5, 3600) })
  const significant = { restart, significant: true }
  const child1 = yield* sup.startChild(child("child1", significant))
  const child2 = yield* sup.startChild(child("child2", significant))
  const child3 = yield* sup.startChild(child("child3", { restart }))
  yield* published
  return { sup, child1, child2, child3, spec: child("child1", significant) }
})

describe("supervisor: auto-shutdown", () => {
  testCase(
    "SUP-048 Temporary non-significant children never cause auto-shutdown",
    Effect.gen(function*() {
      for (const autoShutdown of ["never", "any_significant", "all_significant"] as const) {
        const sup = yield* start({ autoShutdown })
        const spec = child("child1", { restart: "temporary", significant: false })
        yield* published
        for (const end of [() => sup.terminateChild("child1"), ends.kill, ends.abnormal, ends.normal]) {
          const child1 = yield* sup.startChild(spec)
          yield* end(child1)
          yield* aSecondLater
          assert.isFalse(isAlive(child1))
          assert.isTrue(isAlive(sup))
          assert.deepStrictEqual(yield* list(sup), [])
        }
        assert.deepStrictEqual(yield* published, [
          "child1#1 started",
          "child1#1 exited: shutdown",
          "child1#1 started",
          "child1#1 exited: killed",
          "child1#1 started",
          "child1#1 exited: crashed: died",
          "child1#1 started",
          "child1#1 exited: normal"
        ])
        yield* sup.stop()
        assert.deepStrictEqual(lastExit(sup), shutdown)
      }
    })
  )

  testCase(
    "SUP-050 Stopping a significant child through the supervisor does not auto-shutdown",
    Effect.gen(function*() {
      const { child1, child2, child3, spec, sup } = yield* threeUnderAny("temporary")
      yield* sup.terminateChild("child1")
      yield* aSecondLater
      assert.deepStrictEqual(yield* published, ["child1#1 exited: shutdown"])
      assert.deepStrictEqual([child1, child2, child3, sup].map(isAlive), [false, true, true, true])
      yield* sup.startChild(spec)
      assert.deepStrictEqual(yield* list(sup), ["child1 -> 1", "child3 -> 1", "child2 -> 1"])
    })
  )

  testCase(
    "SUP-051 any_significant: any exit of a temporary significant child ends the supervisor",
    Effect.gen(function*() {
      const reasons = { kill: "killed", abnormal: "crashed: died", normal: "normal" }
      for (const how of ["kill", "abnormal", "normal"] as const) {
        yield* Effect.scoped(Effect.gen(function*() {
          const { child1, child2, child3, sup } = yield* threeUnderAny("temporary")
          yield* ends[how](child1)
          yield* aSecondLater
          assert.deepStrictEqual([child1, child2, child3, sup].map(isAlive), [false, false, false, false])
          assert.deepStrictEqual(yield* published, [
            `child1#1 exited: ${reasons[how]}`,
            "child3#1 exited: shutdown",
            "child2#1 exited: shutdown",
            "sup#1 exited: shutdown (significant child child1 ended)"
          ])
        }))
      }
    })
  )

  testCase(
    "SUP-053 any_significant + transient: crashes restart, a normal exit ends the supervisor",
    Effect.gen(function*() {
      const orderly = { normal, shutdown, "shutdown (x)": { _tag: "Shutdown", detail: "x" } } as const
      for (const [text, reason] of Object.entries(orderly)) {
        yield* Effect.scoped(Effect.gen(function*() {
          const { child1, child2, child3, sup } = yield* threeUnderAny("transient")
          const family = [child1, child2, child3, sup]
          yield* sup.terminateChild("child1")
          yield* aSecondLater
          assert.deepStrictEqual(family.map(isAlive), [false, true, true, true])
          assert.deepStrictEqual(yield* sup.restartChild("child1"), { _tag: "Started" })
          for (const [how, incarnation] of [["kill", 3], ["abnormal", 4]] as const) {
            yield* ends[how](child1)
            yield* aSecondLater
            assert.deepStrictEqual(family.map(isAlive), [true, true, true, true])
            assert.deepStrictEqual(yield* list(sup), ["child3 -> 1", "child2 -> 1", `child1 -> ${incarnation}`])
          }
          yield* published
          yield* GenServer.stop(child1, reason)
          yield* aSecondLater
          assert.deepStrictEqual(family.map(isAlive), [false, false, false, false])
          assert.deepStrictEqual(yield* published, [
            `child1#4 exited: ${text}`,
            "child3#1 exited: shutdown",
            "child2#1 exited: shutdown",
            "sup#1 exited: shutdown (significant child child1 ended)"
          ])
        }))
      }
    })
  )

  testCase(
    "SUP-057 Auto-shutdown climbs through significant supervisors only",
    Effect.gen(function*() {
      for (const significant of [true, false]) {
        yield* Effect.scoped(Effect.gen(function*() {
          const a = yield* start({ autoShutdown: "any_significant" })
          const tree = Supervisor.recipe({ id: "b", strategy: "one_for_one", autoShutdown: "any_significant" }, [])
          const b = yield* a.startChild(tree, { restart: "transient", significant })
          const c = yield* b.startChild(child("c", { restart: "transient", significant: true }))
          yield* published
          yield* GenServer.stop(c, normal)
          yield* aSecondLater
          assert.deepStrictEqual([c, b, a].map(isAlive), [false, false, !significant])
          assert.deepStrictEqual(yield* published, [
            "b > c#1 exited: normal",
            "b#1 exited: shutdown (significant child c ended)",
            ...(significant ? ["sup#1 exited: shutdown (significant child b ended)"] : [])
          ])
          if (significant) return
          assert.deepStrictEqual(yield* list(a), ["b -> undefined"])
          yield* a.stop()
          assert.deepStrictEqual(lastExit(a), shutdown)
        }))
      }
    })
  )
})
