import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Ref, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { killed } from "../../../../src/domain/process/ExitReason.ts"
import { Monitor, Process, Supervisor } from "../../../../src/index.ts"
import { listing, top } from "../../../kit/Probe.ts"

/** Whether the process still holds what it was started with. */
const isKept = (process: Process.Process) => "body" in process && process.body !== undefined

const one = { strategy: "one_for_one" } as const

describe("Supervisor.worker", () => {
  it.effect("runs each incarnation in a Scope of its own, closed before the next begins", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const runs = yield* Ref.make(0)
      const body = Effect.gen(function*() {
        const run = yield* Ref.updateAndGet(runs, (n) => n + 1)
        yield* Effect.acquireRelease(
          Effect.sync(() => log.push(`open ${run}`)),
          () => Effect.sync(() => log.push(`close ${run}`))
        )
        return run < 3 ? yield* Effect.die(new Error(`crash ${run}`)) : yield* Effect.never
      })
      const { reports, supervisor, take } = yield* top(one, Supervisor.worker("a", body))
      assert.deepStrictEqual(log, ["open 1", "close 1", "open 2", "close 2", "open 3"])
      assert.deepStrictEqual(take(), [
        "Started a#1",
        "Exited a#1 crashed: Error: crash 1",
        "Restarting a in 0",
        "Started a#2",
        "Exited a#2 crashed: Error: crash 2",
        "Restarting a in 0",
        "Started a#3"
      ])
      assert.deepStrictEqual(reports(), ["a#1: it is restarted", "a#2: it is restarted"])
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 1, active: 1, supervisors: 0, workers: 1 })
    }))

  it.effect("that ended at once when it was stopped is not stopped again when the time for that is over", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { supervisor, take } = yield* top(
        one,
        Supervisor.worker("a", Deferred.await(gate), { restart: "transient" })
      )
      yield* supervisor.startChild(Supervisor.recipe({ id: "b", strategy: "one_for_one" }, []))
      for (const id of ["a", "b"]) {
        yield* supervisor.terminateChild(id)
        yield* supervisor.restartChild(id)
      }
      take()
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(take(), [])
      assert.deepStrictEqual(yield* listing(supervisor), ["a#2", "b#2"])
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(take(), ["Exited a#2 normal"])
    }))

  it.effect("tells finalizers how it ended", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const noting = Effect.addFinalizer((exit) => Effect.sync(() => log.push(exit._tag)))
      yield* top(
        one,
        Supervisor.worker("a", noting, { restart: "temporary" }),
        Supervisor.worker("b", Effect.andThen(noting, Effect.die("boom")), { restart: "temporary" })
      )
      assert.deepStrictEqual(log, ["Success", "Failure"])
    }))

  it.effect("completing is a normal end, failing and dying are crashes", () =>
    Effect.gen(function*() {
      const { take } = yield* top(
        one,
        Supervisor.worker("a", Effect.void, { restart: "transient" }),
        Supervisor.worker("b", Effect.fail("no"), { restart: "temporary" }),
        Supervisor.worker("c", Effect.die("boom"), { restart: "temporary" }),
        Supervisor.worker("d", Effect.interrupt, { restart: "temporary" })
      )
      assert.deepStrictEqual(take().filter((line) => line.startsWith("Exited")), [
        "Exited a#1 normal",
        "Exited b#1 crashed: no",
        "Exited c#1 crashed: boom",
        "Exited d#1 crashed: interrupted"
      ])
    }))

  it.effect("an incarnation ends when its finalizers have run, and only then comes the next", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(
        one,
        Supervisor.worker(
          "a",
          Effect.acquireRelease(Effect.void, () => Effect.sleep("1 second")).pipe(
            Effect.andThen(Effect.sleep("1 second"))
          ),
          { shutdown: "brutal_kill" }
        )
      )
      yield* TestClock.adjust("1999 millis")
      assert.deepStrictEqual(yield* listing(supervisor), ["a#1"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* listing(supervisor), ["a#2"])
    }))

  it.effect("stopped, it ends with the reason it was given; a finalizer that dies makes it a crash, and is reported", () =>
    Effect.gen(function*() {
      const { reports, supervisor, take } = yield* top(
        one,
        Supervisor.worker("a", Effect.never),
        Supervisor.worker("b", Effect.onInterrupt(Effect.never, () => Effect.die("late")))
      )
      take()
      yield* supervisor.stop()
      assert.deepStrictEqual(take(), ["Exited b#1 crashed: late", "Exited a#1 shutdown"])
      assert.deepStrictEqual(reports(), ["b#1: it stays down"])
    }))

  it.effect("one that does not end in its time is abandoned, reported, and can no longer disturb", () =>
    Effect.gen(function*() {
      const release = yield* Deferred.make<void>()
      const runs = yield* Ref.make(0)
      const stubborn = Effect.flatMap(
        Ref.updateAndGet(runs, (n) => n + 1),
        (run) => run === 1 ? Effect.uninterruptible(Deferred.await(release)) : Effect.never
      )
      const { reports, supervisor, take } = yield* top(
        one,
        Supervisor.worker("a", stubborn, { shutdown: "1 second" })
      )
      take()
      const stopping = yield* Effect.forkChild(supervisor.terminateChild("a"), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(take(), ["Abandoned a#1", "Exited a#1 killed"])
      assert.deepStrictEqual(reports(), ["a#1: it stays down"])
      yield* supervisor.restartChild("a")
      yield* Deferred.succeed(release, undefined)
      assert.deepStrictEqual(take(), ["Started a#2"])
      assert.deepStrictEqual(yield* listing(supervisor), ["a#2"])
    }))

  it.effect("brutal_kill does not wait; infinity waits for as long as it takes; 0 and 1 are legal", () =>
    Effect.gen(function*() {
      // The test clock's very first sleep must not be one in a finalizer: arming its warning can be interrupted.
      yield* Effect.forkScoped(Effect.sleep("1 day"), { startImmediately: true })
      const slow = Effect.onInterrupt(Effect.never, () => Effect.sleep("1 hour"))
      const { supervisor, take } = yield* top(
        one,
        Supervisor.worker("forever", slow, { shutdown: "infinity" }),
        Supervisor.worker("one", slow, { shutdown: 1 }),
        Supervisor.worker("zero", slow, { shutdown: 0 }),
        Supervisor.worker("brutal", slow, { shutdown: "brutal_kill" }),
        Supervisor.worker("quick", Effect.never, { shutdown: "brutal_kill" })
      )
      take()
      const stopping = yield* Effect.forkChild(supervisor.stop(), { startImmediately: true })
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(take(), [
        "Exited quick#1 killed",
        "Abandoned brutal#1",
        "Exited brutal#1 killed",
        "Abandoned zero#1",
        "Exited zero#1 killed",
        "Abandoned one#1",
        "Exited one#1 killed"
      ])
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(take(), ["Exited forever#1 shutdown"])
    }))

  it.effect("an exit from outside is an exit of its own: its supervisor acts on it", () =>
    Effect.gen(function*() {
      const { supervisor, take } = yield* top(one, Supervisor.worker("a", Effect.never))
      const { process } = yield* supervisor.whichChild("a")
      const seen: Array<unknown> = []
      process.addExitObserver((incarnation, reason) => seen.push([incarnation, reason]))
      take()
      process.exit(killed)
      assert.deepStrictEqual(take(), ["Exited a#1 killed", "Restarting a in 0", "Started a#2"])
      assert.deepStrictEqual(seen, [[1, killed]])
    }))

  it.effect("observers: one exit each, gone once it is down for good", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(one, Supervisor.worker("a", Effect.never))
      const { process } = yield* supervisor.whichChild("a")
      let exits = 0
      let gone = 0
      const counted = () => exits++
      assert.isTrue(process.addExitObserver(counted))
      process.removeExitObserver(counted)
      assert.isTrue(process.addGoneObserver(() => gone++))
      process.exit(killed)
      assert.deepStrictEqual([exits, gone], [0, 0])
      yield* supervisor.terminateChild("a")
      assert.deepStrictEqual([exits, gone], [0, 1])
      assert.isFalse(process.addExitObserver(counted))
      assert.isFalse(process.addGoneObserver(() => gone++))
    }))

  it.effect("a worker stands for itself: one that is started, or listed, can be watched and ended as it is", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(one)
      const worker = yield* supervisor.startChild(Supervisor.workerRecipe("a", Effect.never))
      const [listed] = yield* supervisor.whichChildren
      assert.strictEqual(listed?.process, worker)
      const { down } = yield* Monitor.watch(worker)
      yield* Process.kill(worker)
      const { reason, ref } = yield* down
      assert.strictEqual(ref, worker)
      assert.deepStrictEqual(reason, killed)
    }).pipe(Effect.scoped))

  it.effect("a worker may terminate itself through its supervisor", () =>
    Effect.gen(function*() {
      const { supervisor, take } = yield* top(one)
      yield* supervisor.startChild(
        Supervisor.workerRecipe(
          "a",
          Effect.andThen(Effect.sleep("1 second"), Effect.ignore(supervisor.terminateChild("a")))
        )
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* listing(supervisor), ["a stopped"])
      assert.deepStrictEqual(take(), ["Started a#1", "Exited a#1 shutdown"])
    }))

  it.effect("a temporary one lets go of its Effect once it runs: the arguments of its start can be collected", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(one, Supervisor.worker("own", Effect.never, { restart: "temporary" }))
      const start = (restart: "permanent" | "temporary") =>
        Effect.map(supervisor.startChild(Supervisor.workerRecipe(restart, Effect.never, { restart })), isKept)
      assert.isFalse(yield* start("temporary"))
      assert.isTrue(yield* start("permanent"))
      // A child of the supervisor's own comes back when the supervisor does.
      assert.isTrue(isKept((yield* supervisor.whichChild("own")).process))
    }))

  it.effect("waits out a backoff in virtual time", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(
        { ...one, restart: Schedule.exponential("100 millis") },
        Supervisor.worker("a", Effect.die("down"))
      )
      yield* TestClock.adjust("700 millis")
      assert.deepStrictEqual(yield* listing(supervisor), ["a restarting"])
      const { process } = yield* supervisor.whichChild("a")
      assert.strictEqual(process.incarnation, 4)
    }))
})

describe("types", () => {
  it.effect("a worker needs the services of its Effect, and a supervisor", () =>
    Effect.gen(function*() {
      // @ts-expect-error it has no supervisor
      const unsupervised: Layer.Layer<never> = Supervisor.worker("a", Effect.never)
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(unsupervised)))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    }))
})
