/** Other systems' cases of restarts under a supervisor: intensity, restart types, each kind of exit, fresh state. */
import { assert, describe } from "@effect/vitest"
import { Cause, Context, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { type ExitReason, normal, shutdown, toText } from "../../../../src/domain/process/ExitReason.ts"
import { GenServer, Process, Registry, StateContainer, Supervisor } from "../../../../src/index.ts"
import { behavior, boom, Counter } from "../../../kit/Counter.ts"
import {
  type Child,
  child,
  count,
  died,
  flaky,
  isAlive,
  lastExit,
  list,
  published,
  start,
  testCase,
  within
} from "../../../kit/Family.ts"

/** `shutdown(some_info)`. */
const someInfo: ExitReason = { _tag: "Shutdown", detail: "some_info" }

/** A supervisor with one child, added with startChild, that was made to exit. */
const after = Effect.fnUntraced(function*(restart: "permanent" | "transient" | "temporary", reason: ExitReason) {
  const sup = yield* start()
  const spec = child("child1", { restart, shutdown: 1000 })
  const child1 = yield* sup.startChild(spec)
  yield* GenServer.stop(child1, reason)
  const exit = `child1#1 exited: ${toText(reason)}`
  assert.deepStrictEqual((yield* published).slice(0, 3), ["sup#1 started", "child1#1 started", exit])
  return { sup, spec, child1 }
})

/** Sees its child back in its second incarnation. */
const isRestarted = Effect.fnUntraced(function*(sup: Supervisor.Supervisor) {
  assert.deepStrictEqual(yield* list(sup), ["child1 -> 2"])
  assert.deepStrictEqual(yield* count(sup), [1, 1, 0, 1])
})

describe("supervisor: restarting", () => {
  testCase(
    "SUP-026 Restart intensity is a sliding window",
    Effect.gen(function*() {
      const sup = yield* start({ restart: within(1, 1) })
      const child1 = yield* sup.startChild(child("child1", { shutdown: "brutal_kill" }))
      yield* GenServer.stop(child1, died)
      for (const incarnation of [2, 3, 4]) {
        assert.deepStrictEqual(yield* list(sup), [`child1 -> ${incarnation}`])
        yield* TestClock.adjust(2100)
        yield* GenServer.stop(child1, died)
      }
      assert.deepStrictEqual(yield* list(sup), ["child1 -> 5"])
      yield* sup.terminateChild("child1")
      yield* sup.deleteChild("child1")
      assert.deepStrictEqual(yield* list(sup), [])
    })
  )

  testCase(
    "SUP-028 Failing restarts count against the intensity",
    Effect.gen(function*() {
      const sup = yield* start({ restart: within(4, 3600) })
      const { calls, recipe } = flaky("child1")
      const child1 = yield* sup.startChild(recipe)
      const child2 = yield* sup.startChild(child("child2"))
      yield* published
      yield* GenServer.stop(child1, died)
      assert.deepStrictEqual([isAlive(sup), isAlive(child1), isAlive(child2)], [false, false, false])
      assert.strictEqual(calls.starts, 1 + 4)
      assert.deepStrictEqual(yield* published, [
        "child1#1 exited: crashed: died",
        "child1#2 did not start: crashed: flaky",
        "child1#3 did not start: crashed: flaky",
        "child1#4 did not start: crashed: flaky",
        "child1#5 did not start: crashed: flaky",
        "child2#1 exited: shutdown",
        "sup#1 exited: gave up on child1: flaky"
      ])
    })
  )

  testCase(
    "SUP-035 permanent child exiting with normal",
    Effect.gen(function*() {
      const { sup } = yield* after("permanent", normal)
      yield* isRestarted(sup)
    })
  )

  testCase(
    "SUP-037 temporary child exiting with normal",
    Effect.gen(function*() {
      const { sup } = yield* after("temporary", normal)
      assert.deepStrictEqual(yield* list(sup), [])
      assert.deepStrictEqual(yield* count(sup), [0, 0, 0, 0])
    })
  )

  testCase(
    "SUP-039 transient child exiting with shutdown",
    Effect.gen(function*() {
      const { child1, sup } = yield* after("transient", shutdown)
      assert.deepStrictEqual(yield* list(sup), ["child1 -> undefined"])
      assert.deepStrictEqual(yield* count(sup), [1, 0, 0, 1])
      assert.deepStrictEqual(yield* sup.restartChild("child1"), { _tag: "Started" })
      assert.deepStrictEqual(yield* list(sup), ["child1 -> 2"])
      yield* GenServer.stop(child1, someInfo)
      assert.deepStrictEqual(lastExit(child1), someInfo)
      assert.deepStrictEqual(yield* list(sup), ["child1 -> undefined"])
      assert.deepStrictEqual(yield* count(sup), [1, 0, 0, 1])
    })
  )

  testCase(
    "SUP-040 temporary child exiting with shutdown",
    Effect.gen(function*() {
      const { spec, sup } = yield* after("temporary", shutdown)
      assert.deepStrictEqual(yield* list(sup), [])
      assert.deepStrictEqual(yield* count(sup), [0, 0, 0, 0])
      const again = yield* sup.startChild(spec)
      yield* GenServer.stop(again, someInfo)
      assert.deepStrictEqual(lastExit(again), someInfo)
      assert.deepStrictEqual(yield* list(sup), [])
      assert.deepStrictEqual(yield* count(sup), [0, 0, 0, 0])
    })
  )

  testCase(
    "SUP-041 permanent child exiting with error(died)",
    Effect.gen(function*() {
      const { sup } = yield* after("permanent", died)
      yield* isRestarted(sup)
    })
  )

  testCase(
    "SUP-042 transient child exiting with error(died)",
    Effect.gen(function*() {
      const { sup } = yield* after("transient", died)
      yield* isRestarted(sup)
    })
  )

  testCase(
    "SUP-079 Limits 2 and 0",
    Effect.gen(function*() {
      const limited = Effect.fnUntraced(function*(limit: number) {
        const sup = yield* start({ restart: within(limit, 60) })
        const child1 = yield* sup.startChild(child("child1"))
        yield* published
        while (isAlive(sup)) yield* GenServer.stop(child1, died)
        assert.isFalse(isAlive(child1))
        return yield* published
      })
      assert.deepStrictEqual(yield* limited(2), [
        "child1#1 exited: crashed: died",
        "child1#2 started",
        "child1#2 exited: crashed: died",
        "child1#3 started",
        "child1#3 exited: crashed: died",
        "sup#1 exited: gave up on child1: died"
      ])
      assert.deepStrictEqual(yield* limited(0), [
        "child1#1 exited: crashed: died",
        "sup#1 exited: gave up on child1: died"
      ])
    })
  )

  testCase(
    "SUP-081 Restart means fresh state",
    Effect.gen(function*() {
      class Names extends Registry.Service<Names, { readonly ref: Counter["Service"] }>()("test/Names", {
        keys: "unique"
      }) {}
      // A server over no companion at all, as every gen_server is.
      const Counting = Supervisor.layer({ strategy: "one_for_one" }, [
        StateContainer.layerForget(Counter),
        Counter.layer(behavior)
      ])
      const services = yield* Layer.build(Layer.merge(Counting, Names.layer))
      const [counter, names] = [Context.get(services, Counter), Context.get(services, Names)]
      yield* names.register("counter", counter, undefined)
      yield* counter.Add({ by: 1 })
      assert.strictEqual(yield* counter.Get(), 1)
      const crash = yield* Effect.flip(counter.Crash())
      assert.deepStrictEqual(crash.reason, { _tag: "Crashed", cause: Cause.die(boom), willRestart: true })
      assert.strictEqual(yield* names.via("counter").Get(), 0)
      assert.strictEqual(counter[Process.processOf].incarnation, 2)
    })
  )

  testCase(
    "SUP-084 Failing in terminate turns a normal stop into an abnormal exit",
    Effect.gen(function*() {
      const failing = {
        defect: Effect.die("defect"),
        // Past the type checker: a clean-up has no caller to fail.
        failure: Effect.fail("failure") as Effect.Effect<never>
      }
      for (const [kind, terminate] of Object.entries(failing)) {
        yield* Effect.scoped(Effect.gen(function*() {
          const sup = yield* start()
          const spec = child("child1", { restart: "transient", terminate: () => terminate })
          const child1: Child = yield* sup.startChild(spec)
          yield* published
          const stopping = yield* Effect.flip(GenServer.stop(child1, normal))
          assert(stopping._tag === "StopFailed")
          assert.deepStrictEqual([stopping.asked._tag, stopping.reason._tag], ["Normal", "Crashed"])
          assert.deepStrictEqual(yield* published, [`child1#1 exited: crashed: ${kind}`, "child1#2 started"])
          assert.deepStrictEqual(yield* list(sup), ["child1 -> 2"])
        }))
        yield* published
      }
    })
  )
})
