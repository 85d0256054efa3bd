import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Option, References, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { pathText } from "../../../src/domain/observation/Lifecycle.ts"
import { hasProcess, processOf } from "../../../src/layers/process/Process.ts"
import * as GenServer from "../../../src/layers/server/GenServer.ts"
import * as StateContainer from "../../../src/layers/state/StateContainer.ts"
import * as DynamicSupervisor from "../../../src/layers/supervision/DynamicSupervisor.ts"
import * as Restart from "../../../src/layers/supervision/restart/Restart.ts"
import * as Supervisor from "../../../src/layers/supervision/Supervisor.ts"
import * as TaskSupervisor from "../../../src/layers/supervision/TaskSupervisor.ts"
import { Harness } from "../../../src/layers/testing/Harness.ts"

class Tasks extends TaskSupervisor.Service<Tasks>()("test/Tasks") {}
class Spawner extends DynamicSupervisor.Service<Spawner>()("test/Spawner") {}
class Oops extends Schema.TaggedError<Oops>()("Oops", { n: Schema.Int }) {}

const Live = Layer.provideMerge(Tasks.layer(), Harness.layer)

const quiet = Effect.provideService(References.MinimumLogLevel, "None")

const run = <A, E>(
  body: Effect.Effect<A, E, Tasks | Harness | Scope.Scope>,
  live: Layer.Layer<Tasks | Harness> = Live
) => quiet(Effect.provide(body, live))

const none = { specs: 0, active: 0, supervisors: 0, workers: 0 }

/** A task that waits, and notes in the log that it was interrupted. */
const waiting = (log: Array<string>, name = "task") =>
  Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push(`${name} interrupted`)))

const errorOf = <A, E>(exit: Exit.Exit<A, E>): E => Option.getOrThrow(Exit.findErrorOption(exit))

const linkBroken = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit)
    ? Context.getOption(Cause.annotations(exit.cause), TaskSupervisor.LinkBroken)
    : Option.none<TaskSupervisor.TaskError>()

describe("async", () => {
  it.effect("its result is there for whoever waits, however often", () =>
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

  it.effect("whoever has its result finds it no longer among the children", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const task = yield* tasks.async(Effect.sleep("1 second"))
      assert.deepStrictEqual((yield* tasks.whichChildren).map(({ process }) => process), [task[processOf]])
      const counts = yield* Effect.forkChild(Effect.andThen(task.await(), tasks.countChildren))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(counts), none)
    })))

  it.effect("a typed failure is a result: it reaches who waits, is no crash, and breaks no link", () =>
    run(Effect.gen(function*() {
      const [tasks, harness] = [yield* Tasks, yield* Harness]
      const task = yield* tasks.async(Effect.delay(Effect.fail(new Oops({ n: 1 })), "1 second"))
      expectTypeOf(task.await()).toEqualTypeOf<Effect.Effect<never, Oops | TaskSupervisor.TaskError>>()
      yield* TestClock.adjust("1 second")
      yield* Effect.yieldNow
      assert.deepStrictEqual(yield* Effect.flip(task.await()), new Oops({ n: 1 }))
      const exited = yield* harness.awaitTag("Exited", task)
      assert.deepStrictEqual(exited.reason, { _tag: "Normal" })
      assert.strictEqual(harness.telemetry.counters.crashes, 0)
    })))

  it.effect("a typed failure with a defect beside it is a crash", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const task = yield* tasks.async(Effect.ensuring(Effect.fail("no"), Effect.die("in the finalizer")))
      const { reason } = errorOf(yield* Effect.exit(task.await())) as TaskSupervisor.TaskError
      assert.strictEqual(reason._tag, "Crashed")
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

  it.effect("is called task-1, task-2 and so on, or as it is told", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const ids: Array<string> = []
      for (const options of [undefined, undefined, { id: "mail" }]) {
        const task = yield* tasks.async(Effect.never, options)
        ids.push(pathText(task[processOf].path))
      }
      assert.deepStrictEqual(ids, ["test/Tasks/task-1", "test/Tasks/task-2", "test/Tasks/mail"])
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

  it.effect("a crash that nobody waits for interrupts the caller, and says why in the cause", () =>
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
      assert.include(why.message, "test/Tasks/task-1: the task crashed: boom")
    })))

  it.effect("a crash that happens in the start itself breaks it as well", () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const caller = yield* Effect.forkChild(
        Effect.scoped(Effect.andThen(tasks.async(Effect.die("at once")), Effect.never))
      )
      assert.isTrue(Option.isSome(linkBroken(yield* Fiber.await(caller))))
    })))

  it.effect("a crash that somebody waits for is a typed error for him, and interrupts nobody", () =>
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

  it.effect("a crash that the caller was told already is not told twice", () =>
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
        yield* tellsOf((task) => Effect.sync(() => task[processOf].exit({ _tag: "Killed" }))),
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

  const BossLive = Boss.layerEffect(Effect.gen(function*() {
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
    Harness.layer
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
        const [boss, harness] = [yield* Boss, yield* Harness]
        yield* boss.Depend()
        yield* TestClock.adjust("1 second")
        yield* harness.awaitIncarnation(boss, 2)
        const { reason } = yield* harness.awaitTag("Exited", boss)
        assert.isTrue(reason._tag === "Crashed" && Cause.squash(reason.cause) instanceof TaskSupervisor.TaskError)
      }).pipe(Effect.provide(Office))
    ))
})

describe("asyncNolink", () => {
  it.effect("neither ends with its caller, nor interrupts him", () =>
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
      assert.isTrue(Exit.isFailure(yield* Effect.exit(crashing.await())))
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
      assert.include(error.message, "test/Tasks/task-1: not done within 5000 ms")
      assert.deepStrictEqual(yield* Fiber.join(second), Option.none())
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(third), "late")
    })))

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
      const [tasks, harness] = [yield* Tasks, yield* Harness]
      const task = yield* tasks.asyncNolink(Effect.uninterruptible(Effect.never), { shutdown: "2 seconds" })
      const shutdown = yield* Effect.forkChild(task.shutdown)
      yield* TestClock.adjust("2 seconds")
      const error = errorOf(yield* Fiber.join(shutdown))
      assert.deepStrictEqual(error.reason, { _tag: "Stopped", reason: { _tag: "Killed" } })
      assert.include(yield* harness.historyOf(task), "Abandoned")
    })))

  it.effect("of the supervisor stops all tasks, side by side, and those who wait are told", () =>
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
  it.effect("is linked to nobody, and its typed failure is a crash", () =>
    run(Effect.gen(function*() {
      const [tasks, harness] = [yield* Tasks, yield* Harness]
      const child = yield* Effect.scoped(tasks.startChild(Effect.delay(Effect.fail("no"), "1 second")))
      assert.isTrue(hasProcess(child))
      yield* TestClock.adjust("1 second")
      const exited = yield* harness.awaitTag("Exited", child)
      assert.isTrue(exited.reason._tag === "Crashed" && Cause.squash(exited.reason.cause) === "no")
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))

  it.effect("runs again when it says so", () =>
    run(Effect.gen(function*() {
      const [tasks, harness] = [yield* Tasks, yield* Harness]
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
        const [tasks, harness] = [yield* Tasks, yield* Harness]
        const other = yield* tasks.asyncNolink(Effect.never)
        yield* tasks.startChild(Effect.die("always"), { restart: "permanent" })
        yield* harness.awaitTag("GaveUp", tasks)
        assert.strictEqual((yield* Effect.flip(other.await())).reason._tag, "Stopped")
      }),
      Layer.provideMerge(Tasks.layer({ restart: Restart.intensity({ restarts: 1 }) }), Harness.layer)
    ))
})

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

  it.effect("without a word about it, a task has 5 seconds", () =>
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
          Exit.isFailure(exit) && String(Cause.squash(exit.cause)).includes("concurrency must be a positive integer")
        )
      }
    })))
})

describe("asyncStreamNolink", () => {
  it.effect("what happens to one item ends nothing: each element has its item and its exit", () =>
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

  it.effect("a task that takes too long fails it unless told to kill the task", () =>
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

describe("a task supervisor in the tree", () => {
  it.effect("is a child of the nearest supervisor, and works again after a restart", () =>
    quiet(
      Effect.gen(function*() {
        const [tasks, harness] = [yield* Tasks, yield* Harness]
        assert.deepStrictEqual(tasks.path, ["top", "test/Tasks"])
        const task = yield* tasks.asyncNolink(Effect.never)
        tasks[processOf].exit({ _tag: "Crashed", cause: Cause.die("from outside") })
        yield* harness.awaitIncarnation(tasks, 2)
        assert.strictEqual((yield* Effect.flip(task.await())).reason._tag, "Stopped")
        assert.strictEqual(yield* Effect.flatMap(tasks.asyncNolink(Effect.succeed(1)), (task) => task.await()), 1)
      }).pipe(Effect.provide(Layer.provideMerge(
        Supervisor.layer({ id: "top", strategy: "one_for_one" }, [Tasks.layer()]),
        Harness.layer
      )))
    ))

  it.effect("can be started at run time", () =>
    Effect.gen(function*() {
      const spawner = yield* Spawner
      const tasks = yield* spawner.startChild(TaskSupervisor.recipe({ id: "late", maxChildren: 1 }))
      const task = yield* tasks.asyncNolink(Effect.never)
      assert.deepStrictEqual(task[processOf].path, ["test/Spawner", "late", "task-1"])
      const full = yield* Effect.flip(tasks.asyncNolink(Effect.void))
      assert.deepStrictEqual(full.reason, { _tag: "MaxChildren", max: 1 })
    }).pipe(Effect.provide(Spawner.layer())))
})
