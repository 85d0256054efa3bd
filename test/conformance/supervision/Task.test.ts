/**
 * Other systems' cases of tasks: starters that leave, what a link carries either way, results that come too late,
 * streams at their limits.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Queue, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { crashed } from "../../../src/domain/process/ExitReason.ts"
import { Monitor, Process, Supervisor, TaskSupervisor } from "../../../src/index.ts"
import { Harness } from "../../../src/testing.ts"
import { errorOf } from "../../kit/Failures.ts"
import { quiet } from "../../kit/Log.ts"
import { none, Tasks } from "../../kit/Tasks.ts"

class OneTask extends TaskSupervisor.Service<OneTask>()("test/OneTask") {}

const Live = Layer.provideMerge(
  Supervisor.layer({ id: "app", strategy: "one_for_one" }, [Tasks.layer(), OneTask.layer({ maxChildren: 1 })]),
  Harness.Harness.layer
)

const test = <A, E>(name: string, body: Effect.Effect<A, E, Layer.Success<typeof Live>>) =>
  it.effect(name, () => quiet(Effect.provide(body, Live)))

describe("task supervisor", () => {
  test(
    "TSK-001 Task supervisor basics",
    Effect.gen(function*() {
      const [tasks, harness] = [yield* Tasks, yield* Harness.Harness]
      const processes = Effect.map(tasks.whichChildren, (children) => children.map(({ process }) => process))
      assert.deepStrictEqual(tasks.path, ["app", "test/Tasks"])
      assert.deepStrictEqual(yield* processes, [])
      assert.deepStrictEqual(yield* tasks.countChildren, none)

      const [go, inbox] = [yield* Deferred.make<void>(), yield* Queue.unbounded<string>()]
      const starter = yield* Effect.forkChild(
        Effect.scoped(tasks.startChild(Effect.andThen(Deferred.await(go), Queue.offer(inbox, "done"))))
      )
      const first = yield* Fiber.join(starter)
      assert.deepStrictEqual(yield* processes, [first[Process.processOf]])
      yield* Deferred.succeed(go, undefined)
      // Its starter is gone, and it has not ended with him.
      assert.strictEqual(yield* Queue.take(inbox), "done")
      yield* harness.awaitTag("Exited", first)
      yield* Effect.yieldNow
      assert.deepStrictEqual(yield* processes, [])

      const second = yield* tasks.startChild(Effect.never)
      yield* tasks.terminateChild(second)
      assert.deepStrictEqual(yield* processes, [])
      const again = yield* Effect.flip(tasks.terminateChild(second))
      assert.strictEqual(again.reason._tag, "NotFound")

      const crashing = yield* tasks.startChild(Effect.die("not the starter's"))
      yield* harness.awaitTag("Exited", crashing)
      assert.deepStrictEqual(yield* processes, [])
    })
  )

  test(
    "TSK-002 async / async_nolink",
    Effect.gen(function*() {
      const tasks = yield* Tasks
      type Begin = <A>(effect: Effect.Effect<A>) => Effect.Effect<TaskSupervisor.Task<A>, unknown, Scope.Scope>
      const kinds: ReadonlyArray<{ readonly begin: Begin; readonly linked: boolean }> = [
        { begin: (effect) => tasks.async(effect), linked: true },
        { begin: (effect) => tasks.asyncNolink(effect), linked: false }
      ]
      for (const { begin, linked } of kinds) {
        const go = yield* Deferred.make<void>()
        const downs = yield* Queue.unbounded<Monitor.Down<TaskSupervisor.Task<string>>>()
        yield* Effect.scoped(Effect.gen(function*() {
          const task = yield* begin(Effect.as(Deferred.await(go), "done"))
          yield* Monitor.watch(task, { into: downs })
          const children = yield* tasks.whichChildren
          assert.deepStrictEqual(children.map(({ process }) => process), [task[Process.processOf]])
          yield* Deferred.succeed(go, undefined)
          assert.strictEqual(yield* task.await(), "done")
          const down = yield* Queue.take(downs)
          assert.deepStrictEqual([down.ref, down.reason], [task, { _tag: "Normal" }])
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* Queue.size(downs), 0)
        }))

        // The caller's end is the task's end, or is not.
        const handed = yield* Deferred.make<TaskSupervisor.Task<void>>()
        const leaving = yield* Effect.forkChild(Effect.scoped(Effect.gen(function*() {
          yield* Deferred.succeed(handed, yield* begin(Effect.never))
          return yield* Effect.never
        })))
        const left = yield* Deferred.await(handed)
        yield* Fiber.interrupt(leaving)
        assert.strictEqual(left[Process.processOf].status === "stopped", linked)
        yield* left.shutdown

        // The task's crash is the caller's, or is not.
        const staying = yield* Effect.forkChild(Effect.scoped(Effect.gen(function*() {
          yield* begin(Effect.delay(Effect.die("boom"), "1 second"))
          yield* Effect.sleep("2 seconds")
        })))
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(Exit.hasInterrupts(yield* Fiber.await(staying)), linked)
      }
    })
  )

  test(
    "TSK-004 max_children",
    Effect.scoped(Effect.gen(function*() {
      const tasks = yield* OneTask
      yield* tasks.startChild(Effect.never)
      for (const start of [tasks.async(Effect.void), tasks.asyncNolink(Effect.void)]) {
        const error = yield* Effect.flip(start)
        assert.deepStrictEqual(error.reason, { _tag: "MaxChildren", max: 1 })
        assert.include(error.message, "there are 1 children, as many as maxChildren allows")
      }
    }))
  )

  test(
    "TSK-005 A timed-out await leaves no stray messages",
    Effect.gen(function*() {
      const tasks = yield* Tasks
      const go = yield* Deferred.make<void>()
      const ended = yield* Queue.unbounded<Monitor.Down<TaskSupervisor.Task<string>>>()
      const inbox: Array<string> = []
      const caller = yield* Effect.forkChild(Effect.scoped(Effect.gen(function*() {
        const task = yield* tasks.async(Effect.as(Deferred.await(go), "late"))
        yield* Monitor.watch(task, { into: ended })
        const timedOut = yield* Effect.exit(
          Effect.tap(task.await({ timeout: 0 }), (late) => Effect.sync(() => inbox.push(late)))
        )
        yield* Deferred.succeed(go, undefined)
        yield* Queue.take(ended)
        yield* Effect.sleep("1 second")
        return timedOut
      })))
      yield* TestClock.adjust("1 second")
      // The caller went on undisturbed: no late result, and no interruption instead of one.
      const error = errorOf(yield* Fiber.join(caller))
      assert.deepStrictEqual(error.reason, { _tag: "Timeout", millis: 0 })
      assert.deepStrictEqual(inbox, [])
      assert.strictEqual(yield* Queue.size(ended), 0)
    })
  )

  test(
    "TSK-006 await reports how the task ended",
    Effect.gen(function*() {
      const tasks = yield* Tasks
      const oops = new Error("oops")
      const thrown = yield* tasks.asyncNolink(Effect.sync(() => {
        throw "unknown"
      }))
      const raised = yield* tasks.asyncNolink(Effect.delay(Effect.die(oops), "1 second"))
      const exited = yield* tasks.asyncNolink(Effect.never)
      const waiting = yield* Effect.forkChild(
        Effect.forEach(
          [thrown, raised, exited],
          (task) => Effect.exit(task.await({ timeout: 5000 })),
          { concurrency: "unbounded" }
        )
      )
      yield* TestClock.adjust("1 second")
      exited[Process.processOf].exit(crashed(Cause.die("unknown")))
      const reasons = (yield* Fiber.join(waiting)).map((exit) => errorOf(exit).reason)
      assert.deepStrictEqual(
        reasons.map((reason) => reason._tag === "Crashed" ? Cause.squash(reason.cause) : reason._tag),
        ["unknown", oops, "unknown"]
      )
    })
  )

  test(
    "TSK-007 Ordered parallel map",
    Effect.gen(function*() {
      const tasks = yield* Tasks
      const sleepy = (millis: number) => Effect.as(Effect.sleep(millis), millis)
      const collected = <A, E>(stream: Stream.Stream<A, E>) =>
        Effect.gen(function*() {
          const reader = yield* Effect.forkChild(Stream.runCollect(stream))
          yield* TestClock.adjust("1 second")
          const results = yield* Fiber.join(reader)
          assert.deepStrictEqual(yield* tasks.countChildren, none)
          return results
        })
      for (const items of [[1, 2, 3, 4], [4, 3, 2, 1]]) {
        assert.deepStrictEqual(yield* collected(tasks.asyncStream(items, sleepy)), items)
        const outcomes = yield* collected(tasks.asyncStreamNolink(items, sleepy, { concurrency: 4 }))
        assert.deepStrictEqual(outcomes, items.map((item) => ({ item, exit: Exit.succeed(item) })))
      }

      // The one who makes the stream need not be the one who runs it.
      const handed = yield* Queue.unbounded<Stream.Stream<number, unknown>>()
      const elsewhere = yield* Effect.forkChild(Effect.flatMap(Queue.take(handed), collected))
      yield* Queue.offer(handed, tasks.asyncStream([4, 3, 2, 1], sleepy))
      assert.deepStrictEqual(yield* Fiber.join(elsewhere), [4, 3, 2, 1])
    })
  )

  test(
    "TSK-010 Stream limits",
    Effect.gen(function*() {
      const [tasks, one] = [yield* Tasks, yield* OneTask]
      const endless = () => Effect.never
      const two = { concurrency: 2 }
      const streams: ReadonlyArray<Stream.Stream<unknown, unknown>> = [
        one.asyncStream([1, 2, 3], endless, two),
        one.asyncStreamNolink([1, 2, 3], endless, two)
      ]
      for (const stream of streams) {
        const full = yield* Effect.exit(Stream.runDrain(stream))
        const error = errorOf(full)
        assert.isTrue(error instanceof Supervisor.StartError && error.reason._tag === "MaxChildren")
        assert.deepStrictEqual(yield* one.countChildren, none)
      }

      const timed = yield* Effect.forkChild(Stream.runCollect(
        tasks.asyncStreamNolink([1, 100], (millis) => Effect.as(Effect.sleep(millis), millis), {
          timeout: 50,
          onTimeout: "kill_task"
        })
      ))
      yield* TestClock.adjust(50)
      const [first, second] = yield* Fiber.join(timed)
      assert.deepStrictEqual(first, { item: 1, exit: Exit.succeed(1) })
      assert.strictEqual(second?.item, 100)
      assert.deepStrictEqual(errorOf(second!.exit).reason, { _tag: "Timeout", millis: 50 })

      const invalid: TaskSupervisor.OutcomeOptions = {
        // @ts-expect-error: the compiler refuses it as well
        shutdown: "unknown"
      }
      const unknown = tasks.asyncStreamNolink([1], (n) => Effect.succeed(n), invalid)
      const refused = errorOf(yield* Effect.exit(Stream.runDrain(unknown)))
      assert.isTrue(
        refused instanceof Supervisor.StartError && refused.reason._tag === "InvalidOption" &&
          refused.reason.option === "shutdown"
      )
    })
  )
})
