/** A task supervisor: results, waiting for them, its shutdown, its place in the tree. */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Option, Scope } from "effect"
import { TestClock } from "effect/testing"
import { pathText } from "../../../src/domain/observation/Lifecycle.ts"
import { DynamicSupervisor, InvalidOption, Process, Restart, Supervisor, TaskSupervisor } from "../../../src/index.ts"
import { Harness } from "../../../src/testing.ts"
import { errorOf } from "../../kit/Failures.ts"
import { quiet } from "../../kit/Log.ts"
import { sinkOf } from "../../kit/Sinks.ts"
import { none, Oops, run, Tasks } from "../../kit/Tasks.ts"

class Spawner extends DynamicSupervisor.Service<Spawner>()("test/Spawner") {}

describe("async", () => {
  it.effect("its result is there for each waiter, however often", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const go = yield* Deferred.make<number>()
      const task = yield* tasks.async(Deferred.await(go))
      const two = yield* Effect.forkChild(Effect.all([task.await(), task.await()], { concurrency: 2 }))
      yield* Effect.yieldNow
      yield* Deferred.succeed(go, 42)
      assert.deepStrictEqual(yield* Fiber.join(two), [42, 42])
      assert.strictEqual(yield* task.await(), 42)
      assert.deepStrictEqual(yield* task.yield(), Option.some(Exit.succeed(42)))
    })))

  it.effect("a caller that has its result finds it no longer among the children", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const task = yield* tasks.async(Effect.sleep("1 second"))
      assert.deepStrictEqual((yield* tasks.whichChildren).map(({ process }) => process), [task[Process.processOf]])
      const counts = yield* Effect.forkChild(Effect.andThen(task.await(), tasks.countChildren))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(counts), none)
    })))

  it.effect("a typed failure is a result: it reaches the waiter, is no crash, and breaks no link", () =>
    run(Effect.gen(function*() {
      const [tasks, harness] = [yield* Tasks, yield* Harness.Harness]
      const task = yield* tasks.async(Effect.delay(Effect.fail(new Oops({ n: 1 })), "1 second"))
      expectTypeOf(task.await()).toEqualTypeOf<Effect.Effect<never, Oops | TaskSupervisor.TaskError>>()
      yield* TestClock.adjust("1 second")
      yield* Effect.yieldNow
      assert.deepStrictEqual(yield* Effect.flip(task.await()), new Oops({ n: 1 }))
      const exited = yield* harness.awaitTag("Exited", task)
      assert.deepStrictEqual(exited.reason, { _tag: "Normal" })
      assert.strictEqual(sinkOf(harness.telemetry).counters.crashes, 0)
    })))

  it.effect("a typed failure with a defect beside it is a crash", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const task = yield* tasks.async(Effect.ensuring(Effect.fail("no"), Effect.die("in the finalizer")))
      const { reason } = errorOf(yield* Effect.exit(task.await())) as TaskSupervisor.TaskError
      assert.strictEqual(reason._tag, "Crashed")
      const both = yield* tasks.asyncNolink(Effect.failCause(Cause.combine(Cause.fail("no"), Cause.die("boom"))))
      const error = errorOf(yield* Effect.exit(both.await())) as TaskSupervisor.TaskError
      assert.strictEqual(error.reason._tag, "Crashed")
    })))

  it.effect("runs with the services of the caller, and in a scope of its own that closes before the result is there", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const log: Array<string> = []
      class Name extends Context.Service<Name, string>()("test/Name") {}
      const body = Effect.gen(function*() {
        yield* Effect.addFinalizer(() => Effect.sync(() => log.push("closed")))
        return yield* Name
      })
      const task = yield* Effect.provideService(tasks.async(body), Name, "joe")
      assert.strictEqual(yield* task.await(), "joe")
      assert.deepStrictEqual(log, ["closed"])
      // @ts-expect-error: what the task needs, its caller needs
      const incomplete: Effect.Effect<unknown, unknown, Scope.Scope> = tasks.async(body)
      assert.isDefined(incomplete)
    })))

  it.effect("is called task-1, task-2 and so on, or as its options say", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const ids: Array<string> = []
      for (const options of [undefined, undefined, { id: "mail" }]) {
        const task = yield* tasks.async(Effect.never, options)
        ids.push(pathText(task[Process.processOf].path))
      }
      assert.deepStrictEqual(ids, ["test/Tasks > task-1", "test/Tasks > task-2", "test/Tasks > mail"])
    })))
})

describe("tasks that start tasks", () => {
  const depth = 2000

  it.effect("may do so as deep as they like, and their results come all the way back", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const count = (n: number): Effect.Effect<number, unknown> =>
        n === 0 ? Effect.succeed(0) : Effect.scoped(
          Effect.flatMap(tasks.async(Effect.suspend(() => count(n - 1))), (task) =>
            Effect.map(task.await({ timeout: "infinity" }), (below) => below + 1))
        )
      assert.strictEqual(yield* count(depth), depth)
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))

  it.effect("are stopped together, however deep", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const bottom = yield* Deferred.make<void>()
      const nest = (n: number): Effect.Effect<void, unknown> =>
        n === 0 ? Effect.andThen(Deferred.succeed(bottom, undefined), Effect.never) : Effect.scoped(
          Effect.flatMap(tasks.async(Effect.suspend(() => nest(n - 1))), (task) => task.await({ timeout: "infinity" }))
        )
      const top = yield* Effect.forkChild(nest(depth))
      yield* Deferred.await(bottom)
      yield* Effect.yieldNow
      assert.strictEqual((yield* tasks.countChildren).active, depth)
      yield* Fiber.interrupt(top)
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))
})

describe("asyncNolink", () => {
  it.effect("neither ends with its caller, nor interrupts it", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const handed = yield* Deferred.make<TaskSupervisor.Task<string>>()
      const go = yield* Deferred.make<void>()
      const caller = yield* Effect.forkChild(Effect.gen(function*() {
        const crashing = yield* tasks.asyncNolink(Effect.die("boom"))
        yield* Effect.yieldNow
        const task = yield* tasks.asyncNolink(Effect.as(Deferred.await(go), "done"))
        yield* Deferred.succeed(handed, task)
        return crashing
      }))
      const crashing = yield* Fiber.join(caller)
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual(yield* Effect.flatMap(Deferred.await(handed), (task) => task.await()), "done")
      assert.include(String(yield* Effect.exit(crashing.await())), "the task crashed: boom")
    })))
})

describe("waiting", () => {
  it.effect("for longer than the timeout is a typed error; the task goes on", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const task = yield* tasks.async(Effect.delay(Effect.succeed("late"), "10 seconds"))
      const first = yield* Effect.forkChild(Effect.flip(task.await()))
      const second = yield* Effect.forkChild(task.yield({ timeout: "1 second" }))
      const third = yield* Effect.forkChild(task.await({ timeout: "infinity" }))
      yield* TestClock.adjust("5 seconds")
      const error = yield* Fiber.join(first)
      assert.deepStrictEqual(error.reason, { _tag: "Timeout", millis: 5000 })
      assert.include(error.message, "test/Tasks > task-1: not done within 5000 ms")
      assert.deepStrictEqual(yield* Fiber.join(second), Option.none())
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(third), "late")
    })))

  it.effect("for what is no time is a defect that says so", () =>
    Effect.gen(function*() {
      const tasks = yield* Tasks
      const task = yield* tasks.asyncNolink(Effect.never, { id: "job" })
      const waits = [task.await({ timeout: NaN }), task.yield({ timeout: -1 })]
      for (const [i, given] of [NaN, -1].entries()) {
        const exit = yield* Effect.exit<unknown, unknown, never>(waits[i]!)
        assert(Exit.isFailure(exit))
        const error = Cause.squash(exit.cause)
        assert(error instanceof InvalidOption.InvalidOption)
        assert.deepStrictEqual([error.option, error.given], ["timeout", given])
        assert.include(error.message, "test/Tasks > job was given")
      }
    }).pipe(Effect.scoped, Effect.provide(Tasks.layer())))

  it.effect("a task that is done is not waited for, whatever the timeout", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const task = yield* tasks.async(Effect.succeed(1))
      assert.strictEqual(yield* task.await({ timeout: 0 }), 1)
    })))
})

describe("shutdown", () => {
  it.effect("of a task ends it, and tells how it ended", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const task = yield* tasks.async(Effect.never)
      const error = errorOf(yield* task.shutdown)
      assert.deepStrictEqual(error.reason, { _tag: "Stopped", reason: { _tag: "Shutdown" } })
      assert.include(error.message, "the task was ordered to stop before it was done (shutdown)")
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))

  it.effect("of a task that is done, and only releases what it held, has its result", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const held = Effect.as(Effect.addFinalizer(() => Effect.sleep("2 seconds")), "done")
      const task = yield* tasks.async(held)
      yield* TestClock.adjust("1 second")
      const shutdown = yield* Effect.forkChild(task.shutdown)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(shutdown), Exit.succeed("done"))
    })))

  it.effect("of a task that does not end gives up on it after its time", () =>
    run(Effect.gen(function*() {
      const [tasks, harness] = [yield* Tasks, yield* Harness.Harness]
      const task = yield* tasks.asyncNolink(Effect.uninterruptible(Effect.never), { shutdown: "2 seconds" })
      const shutdown = yield* Effect.forkChild(task.shutdown)
      yield* TestClock.adjust("2 seconds")
      const error = errorOf(yield* Fiber.join(shutdown))
      assert.deepStrictEqual(error.reason, { _tag: "Stopped", reason: { _tag: "Killed" } })
      assert.include(yield* harness.historyOf(task), "Abandoned")
    })))

  it.effect("of the supervisor stops all tasks, side by side, and each waiter fails", () =>
    quiet(Effect.gen(function*() {
      const log: Array<string> = []
      const scope = yield* Scope.make()
      const tasks = Context.get(yield* Layer.buildWithScope(Tasks.layer(), scope), Tasks)
      const slow = (name: string) =>
        Effect.onInterrupt(
          Effect.never,
          () => Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => log.push(name)))
        )
      const task = yield* tasks.asyncNolink(slow("a"))
      yield* tasks.asyncNolink(slow("b"))
      yield* tasks.startChild(slow("c"))
      const waiter = yield* Effect.forkChild(Effect.flip(task.await()))
      const closed = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closed)
      assert.sameMembers(log, ["a", "b", "c"])
      assert.strictEqual((yield* Fiber.join(waiter)).reason._tag, "Stopped")
      const late = yield* Effect.flip(tasks.asyncNolink(Effect.void))
      assert.strictEqual(late.reason._tag, "NotRunning")
    })))
})

describe("startChild", () => {
  it.effect("is linked to no caller, and its typed failure is a crash", () =>
    run(Effect.gen(function*() {
      const [tasks, harness] = [yield* Tasks, yield* Harness.Harness]
      const child = yield* Effect.scoped(tasks.startChild(Effect.delay(Effect.fail("no"), "1 second")))
      assert.isTrue(Process.hasProcess(child))
      yield* TestClock.adjust("1 second")
      const exited = yield* harness.awaitTag("Exited", child)
      assert.isTrue(exited.reason._tag === "Crashed" && Cause.squash(exited.reason.cause) === "no")
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))

  it.effect("runs again when it says so", () =>
    run(Effect.gen(function*() {
      const [tasks, harness] = [yield* Tasks, yield* Harness.Harness]
      let runs = 0
      const child = yield* tasks.startChild(
        Effect.suspend(() => ++runs < 3 ? Effect.die(`crash ${runs}`) : Effect.void),
        { restart: "transient" }
      )
      yield* harness.awaitTag("Exited", child, 3)
      yield* Effect.yieldNow
      assert.strictEqual(runs, 3)
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))

  it.effect("spends the budget when it runs again and again, and then nothing runs any more", () =>
    run(
      Effect.gen(function*() {
        const [tasks, harness] = [yield* Tasks, yield* Harness.Harness]
        const other = yield* tasks.asyncNolink(Effect.never)
        yield* tasks.startChild(Effect.die("always"), { restart: "permanent" })
        yield* harness.awaitTag("GaveUp", tasks)
        assert.strictEqual((yield* Effect.flip(other.await())).reason._tag, "Stopped")
      }),
      Layer.provideMerge(Tasks.layer({ restart: Restart.intensity({ restarts: 1 }) }), Harness.Harness.layer)
    ))
})

describe("a task supervisor in the tree", () => {
  it.effect("is a child of the nearest supervisor, and works again after a restart", () =>
    quiet(
      Effect.gen(function*() {
        const [tasks, harness] = [yield* Tasks, yield* Harness.Harness]
        assert.deepStrictEqual(tasks.path, ["top", "test/Tasks"])
        const task = yield* tasks.asyncNolink(Effect.never)
        tasks[Process.processOf].exit({ _tag: "Crashed", cause: Cause.die("from outside") })
        yield* harness.awaitIncarnation(tasks, 2)
        assert.strictEqual((yield* Effect.flip(task.await())).reason._tag, "Stopped")
        assert.strictEqual(yield* Effect.flatMap(tasks.asyncNolink(Effect.succeed(1)), (task) => task.await()), 1)
      }).pipe(Effect.provide(Layer.provideMerge(
        Supervisor.layer({ id: "top", strategy: "one_for_one" }, [Tasks.layer()]),
        Harness.Harness.layer
      )))
    ))

  it.effect("can be started at run time", () =>
    Effect.gen(function*() {
      const spawner = yield* Spawner
      const tasks = yield* spawner.startChild(TaskSupervisor.recipe({ id: "late", maxChildren: 1 }))
      const task = yield* tasks.asyncNolink(Effect.never)
      assert.deepStrictEqual(task[Process.processOf].path, ["test/Spawner", "late", "task-1"])
      const full = yield* Effect.flip(tasks.asyncNolink(Effect.void))
      assert.deepStrictEqual(full.reason, { _tag: "MaxChildren", max: 1 })
    }).pipe(Effect.provide(Spawner.layer())))
})
