/** The link between a task and its starter: who ends with whom. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Option, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Process, StateContainer, Supervisor, TaskSupervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { quiet } from "../../../kit/Log.ts"
import { none, run, Tasks, waiting } from "../../../kit/Tasks.ts"

const linkBroken = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit)
    ? Context.getOption(Cause.annotations(exit.cause), TaskSupervisor.LinkBroken)
    : Option.none<TaskSupervisor.TaskError>()

describe("a link", () => {
  it.effect("ends the task with the scope, which has closed when the task has ended", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const log: Array<string> = []
      const scope = yield* Scope.make()
      const slow = Effect.onInterrupt(
        Effect.never,
        () => Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => log.push("ended")))
      )
      const task = yield* Scope.provide(tasks.async(slow), scope)
      const closed = yield* Effect.forkChild(
        Effect.andThen(Scope.close(scope, Exit.void), Effect.sync(() => log.push("closed")))
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closed)
      assert.deepStrictEqual(log, ["ended", "closed"])
      const error = yield* Effect.flip(task.await())
      assert.strictEqual(error.reason._tag, "Stopped")
    })))

  it.effect("is cut when its scope closes: what the task fails to release then is the caller's no more", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const unclean = Effect.andThen(Effect.addFinalizer(() => Effect.die("not released")), Effect.never)
      const caller = yield* Effect.forkChild(
        Effect.andThen(Effect.scoped(tasks.async(unclean)), Effect.as(Effect.sleep(1), "goes on")),
        { startImmediately: true }
      )
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.await(caller), Exit.succeed("goes on"))
    })))

  it.effect("of a task that fails and dies at once: it has crashed", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const both = Effect.ensuring(Effect.fail("no"), Effect.die("boom"))
      const task = yield* tasks.asyncNolink(both)
      const error = yield* Effect.flip(task.await())
      assert(error instanceof TaskSupervisor.TaskError)
      assert.strictEqual(error.reason._tag, "Crashed")
    })))

  it.effect("and so has one that has its result, and does not release what it holds", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const task = yield* tasks.asyncNolink(Effect.as(Effect.addFinalizer(() => Effect.die("not released")), 42))
      const error = yield* Effect.flip(task.await())
      assert.strictEqual(error.reason._tag, "Crashed")
    })))

  it.effect("ends the task when the caller is interrupted, or crashes", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const log: Array<string> = []
      const caller = yield* Effect.forkChild(
        Effect.scoped(Effect.andThen(tasks.async(waiting(log, "first")), Effect.never)),
        { startImmediately: true }
      )
      yield* Fiber.interrupt(caller)
      yield* Effect.exit(Effect.scoped(Effect.andThen(tasks.async(waiting(log, "second")), Effect.die("boom"))))
      assert.deepStrictEqual(log, ["first interrupted", "second interrupted"])
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))

  it.effect("a crash without a waiter interrupts the caller, and says why in the cause", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const go = yield* Deferred.make<void>()
      const caller = yield* Effect.forkChild(
        Effect.scoped(
          Effect.andThen(tasks.async(Effect.andThen(Deferred.await(go), Effect.die("boom"))), Effect.never)
        ),
        { startImmediately: true }
      )
      yield* Deferred.succeed(go, undefined)
      const exit = yield* Fiber.await(caller)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      const why = Option.getOrThrow(linkBroken(exit))
      assert.strictEqual(why.reason._tag, "Crashed")
      assert.include(why.message, "test/Tasks > task-1: the task crashed: boom")
    })))

  it.effect("a crash that happens in the start itself breaks it as well", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const caller = yield* Effect.forkChild(
        Effect.scoped(Effect.andThen(tasks.async(Effect.die("at once")), Effect.never))
      )
      assert.isTrue(Option.isSome(linkBroken(yield* Fiber.await(caller))))
    })))

  it.effect("a crash with a waiter is a typed error for it, and interrupts no fiber", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const caller = yield* Effect.forkChild(Effect.scoped(Effect.gen(function*() {
        const task = yield* tasks.async(Effect.delay(Effect.die("boom"), "1 second"))
        const error = yield* Effect.flip(task.await())
        yield* Effect.sleep("1 second")
        return error.reason
      })))
      yield* TestClock.adjust("2 seconds")
      const reason = yield* Fiber.join(caller)
      assert.isTrue(reason._tag === "Crashed" && Cause.squash(reason.cause) === "boom")
    })))

  it.effect("a crash that the caller has seen already does not reach it twice", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const caller = yield* Effect.forkChild(Effect.scoped(Effect.gen(function*() {
        const task = yield* tasks.async(Effect.die("at once"))
        const exit = yield* Effect.exit(task.await())
        yield* Effect.sleep("1 second")
        return Exit.isFailure(exit)
      })))
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* Fiber.join(caller))
    })))

  it.effect("one that has given up waiting is interrupted by a later crash", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const caller = yield* Effect.forkChild(Effect.scoped(Effect.gen(function*() {
        const task = yield* tasks.async(Effect.delay(Effect.die("late"), "2 seconds"))
        yield* Effect.exit(task.await({ timeout: "1 second" }))
        return yield* Effect.never
      })))
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(Option.isSome(linkBroken(yield* Fiber.await(caller))))
    })))

  it.effect("a task that is killed breaks it; one that is stopped in order does not", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const tellsOf = (stop: (task: TaskSupervisor.Task<never>) => Effect.Effect<unknown, unknown>) =>
        Effect.gen(function*() {
          const started = yield* Deferred.make<TaskSupervisor.Task<never>>()
          const caller = yield* Effect.forkChild(
            Effect.scoped(Effect.gen(function*() {
              const task = yield* tasks.async(Effect.never)
              yield* Deferred.succeed(started, task)
              yield* Effect.sleep("1 second")
              return "went on"
            }))
          )
          yield* stop(yield* Deferred.await(started))
          yield* TestClock.adjust("1 second")
          const exit = yield* Fiber.await(caller)
          return Exit.isSuccess(exit) ? exit.value : Option.getOrThrow(linkBroken(exit)).reason
        })
      assert.strictEqual(yield* tellsOf((task) => tasks.terminateChild(task)), "went on")
      assert.strictEqual(yield* tellsOf((task) => task.shutdown), "went on")
      assert.deepStrictEqual(
        yield* tellsOf((task) => Effect.sync(() => task[Process.processOf].exit({ _tag: "Killed" }))),
        { _tag: "Stopped", reason: { _tag: "Killed" } }
      )
    })))

  it.effect("leaves nothing in the scope when the task has ended", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const scope = yield* Scope.make()
      for (let n = 0; n < 100; n++) {
        const task = yield* Scope.provide(tasks.async(n % 2 === 0 ? Effect.void : Effect.yieldNow), scope)
        yield* task.await()
      }
      yield* Effect.yieldNow
      const finalizers = scope.state._tag === "Open" ? scope.state.finalizers?.size ?? 0 : 0
      assert.strictEqual(finalizers, 0)
    })))

  it.effect("to a scope that has closed ends the task at once", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const log: Array<string> = []
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      yield* Scope.provide(tasks.async(waiting(log)), scope)
      assert.deepStrictEqual(log, ["task interrupted"])
    })))
})

describe("a server and its tasks", () => {
  class Boss extends GenServer.Service<Boss>()("test/Boss", {
    state: Schema.Int,
    messages: {
      Ask: GenServer.call({ reply: Schema.Int }),
      Delegate: GenServer.call(),
      Depend: GenServer.call()
    }
  }) {}

  const BossLive = Boss.layer(Effect.gen(function*() {
    const tasks = yield* Tasks
    const ask = (n: number) => Effect.flatMap(tasks.async(Effect.succeed(n + 1)), (task) => task.await())
    const crash = Effect.delay(Effect.die("boom"), "1 second")
    const depend = Effect.flatMap(tasks.async(crash), (task) => task.await({ timeout: "infinity" }))
    return Boss.behavior({
      init: 0,
      handlers: {
        Ask: (n) => Effect.map(Effect.orDie(ask(n)), (reply) => [reply, reply] as const),
        Delegate: (n) => Effect.as(Effect.orDie(tasks.async(Effect.never)), [undefined, n] as const),
        Depend: (n) => Effect.as(GenServer.spawnLink(Effect.scoped(depend)), [undefined, n] as const)
      }
    })
  }))

  const Office = Layer.provideMerge(
    Supervisor.layer({ id: "office", strategy: "one_for_one" }, [
      Tasks.layer(),
      StateContainer.layerMemory(Boss),
      BossLive
    ]),
    Harness.Harness.layer
  )

  it.effect("a handler waits for its task", () =>
    quiet(
      Effect.gen(function*() {
        const boss = yield* Boss
        assert.deepStrictEqual([yield* boss.Ask(), yield* boss.Ask()], [1, 2])
      }).pipe(Effect.provide(Office))
    ))

  it.effect("a task that a handler linked ends with the incarnation", () =>
    quiet(
      Effect.gen(function*() {
        const [boss, tasks] = [yield* Boss, yield* Tasks]
        yield* boss.Delegate()
        assert.strictEqual((yield* tasks.countChildren).active, 1)
        yield* GenServer.stop(boss)
        assert.deepStrictEqual(yield* tasks.countChildren, none)
      }).pipe(Effect.provide(Office))
    ))

  it.effect("a task that is waited for in spawnLink takes its server along", () =>
    quiet(
      Effect.gen(function*() {
        const [boss, harness] = [yield* Boss, yield* Harness.Harness]
        yield* boss.Depend()
        yield* TestClock.adjust("1 second")
        yield* harness.awaitIncarnation(boss, 2)
        const { reason } = yield* harness.awaitTag("Exited", boss)
        assert.isTrue(reason._tag === "Crashed" && Cause.squash(reason.cause) instanceof TaskSupervisor.TaskError)
      }).pipe(Effect.provide(Office))
    ))
})
