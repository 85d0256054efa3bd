import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { type ExitReason, killed, normal, shutdown } from "../../../src/domain/process/ExitReason.ts"
import { DynamicSupervisor, Process, Restart, Supervisor, Telemetry } from "../../../src/index.ts"
import { boom, probe, recipe, record, Script, Top } from "../../kit/Probe.ts"
import { often } from "../../kit/Restarts.ts"

class Jobs extends DynamicSupervisor.Service<Jobs>()("jobs") {}

/** A dynamic root in the scope of the test. */
const jobs = Effect.fnUntraced(function*(options?: DynamicSupervisor.Options) {
  const recording = record()
  const context = yield* Layer.build(Jobs.layer(options)).pipe(
    Effect.provideService(Telemetry.CurrentTelemetry, recording.telemetry)
  )
  return { supervisor: Context.get(context, Jobs), ...recording }
})

const statuses = (supervisor: DynamicSupervisor.DynamicSupervisor) =>
  Effect.map(supervisor.whichChildren, (children) => children.map(({ id, status }) => `${id} ${status}`).sort())

describe("DynamicSupervisor", () => {
  it.effect("starts, lists, counts and terminates children by reference", () =>
    Effect.gen(function*() {
      const { supervisor, take } = yield* jobs()
      const a = yield* supervisor.startChild(recipe("job"))
      const b = yield* supervisor.startChild(recipe("job"))
      yield* supervisor.startChild(recipe("sub", undefined, { kind: "supervisor" }))
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 3, active: 3, supervisors: 1, workers: 2 })
      assert.deepStrictEqual((yield* supervisor.whichChild(b)).process, b)
      assert.deepInclude((yield* supervisor.whichChild(b)).spec, { restart: "permanent", shutdown: 5000 })
      yield* supervisor.terminateChild(a)
      assert.strictEqual((yield* Effect.flip(supervisor.terminateChild(a))).reason._tag, "NotFound")
      assert.strictEqual((yield* Effect.flip(supervisor.whichChild(a))).reason._tag, "NotFound")
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 2, active: 2, supervisors: 1, workers: 1 })
      assert.deepStrictEqual(take(), ["Started job#1", "Started job#1", "Started sub#1", "Exited job#1 shutdown"])
    }))

  it.effect("its methods may be taken off it", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* jobs()
      const { resumeChild, startChild, startChildInfo, stop, terminateChild, whichChild } = supervisor
      const a = yield* startChild(recipe("a"))
      const b = (yield* startChildInfo(recipe("b"))).ref
      assert.strictEqual((yield* whichChild(b)).process, b)
      assert.strictEqual((yield* Effect.flip(resumeChild(a))).reason._tag, "NotParked")
      yield* terminateChild(a)
      const view = supervisor.asSupervisor
      const [byId, start] = [view.terminateChild, view.startChild]
      yield* start(recipe("c"))
      assert.strictEqual((yield* Effect.flip(byId("c"))).reason._tag, "NotFound")
      assert.deepStrictEqual(yield* statuses(supervisor), ["b running", "c running"])
      yield* stop()
      assert.strictEqual(supervisor[Process.processOf].status, "stopped")
    }))

  it.effect("every kind of start result", () =>
    Effect.gen(function*() {
      const { reports, supervisor } = yield* jobs()
      const starting = (...starts: Script["starts"]) => {
        const script = new Script()
        script.starts.push(...starts)
        return supervisor.startChildInfo(recipe("job", script))
      }
      assert.deepStrictEqual((yield* starting({ info: "extra" })).started, { _tag: "Started", info: "extra" })
      assert.deepStrictEqual((yield* starting("ok")).started, { _tag: "Started" })
      assert.deepStrictEqual((yield* starting("ignore")).started, { _tag: "Ignored" })
      assert.deepStrictEqual((yield* Effect.flip(starting("fail"))).reason, { _tag: "Failed", cause: Cause.fail("no") })
      assert.include((yield* Effect.flip(starting("throw"))).message, "thrown by start")
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 2, active: 2, supervisors: 0, workers: 2 })
      assert.deepStrictEqual(reports(), ["job#1: nothing is left of it", "job#1: nothing is left of it"])
    }))

  it.effect("a start that takes its time is waited for, and can be terminated meanwhile", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* jobs()
      const script = new Script()
      script.starts.push("hang", "hang")
      const first = yield* Effect.forkChild(supervisor.startChild(recipe("job", script)), { startImmediately: true })
      assert.deepStrictEqual(yield* statuses(supervisor), ["job starting"])
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 1, active: 0, supervisors: 0, workers: 1 })
      script.release()
      assert.strictEqual(yield* Fiber.join(first), script.process)
      const second = yield* Effect.forkChild(Effect.flip(supervisor.startChild(recipe("job", script))), {
        startImmediately: true
      })
      yield* supervisor.terminateChild(script.process!)
      assert.strictEqual((yield* Fiber.join(second)).reason._tag, "Stopped")
      assert.deepStrictEqual(yield* statuses(supervisor), ["job running"])
    }))

  it.effect("restarts each child on its own, and counts them all in one budget", () =>
    Effect.gen(function*() {
      const [a, b] = [new Script(), new Script()]
      const { reports, supervisor, take } = yield* jobs({
        restart: Restart.intensity({ restarts: 2, within: "1 hour" })
      })
      yield* supervisor.startChild(recipe("a", a))
      yield* supervisor.startChild(recipe("b", b))
      take()
      a.end()
      b.end()
      assert.deepStrictEqual(take(), [
        "Exited a#1 crashed: boom",
        "Restarting a in 0",
        "Started a#2",
        "Exited b#1 crashed: boom",
        "Restarting b in 0",
        "Started b#2"
      ])
      a.end()
      assert.deepStrictEqual(take(), ["Exited a#2 crashed: boom", "GaveUp top on a", "Exited b#2 shutdown"])
      assert.strictEqual(supervisor[Process.processOf].status, "stopped")
      assert.deepStrictEqual([a.fates, b.fates], [["restarting", "stopped"], ["restarting", "stopped"]])
      assert.deepStrictEqual(reports(), [
        "a#1: it is restarted",
        "b#1: it is restarted",
        "a#2: it stays down",
        "top#1: it stays down"
      ])
      assert.strictEqual((yield* Effect.flip(supervisor.startChild(recipe("c")))).reason._tag, "NotRunning")
    }))

  it.effect("temporary and finished transient children are forgotten, permanent ones come back", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* jobs({ restart: often })
      const run = Effect.fnUntraced(function*(restart: "permanent" | "transient" | "temporary") {
        const fates: Array<string> = []
        for (const reason of [normal, shutdown, killed, boom]) {
          const script = new Script()
          yield* supervisor.startChild(recipe(restart, script, { restart }))
          script.end(reason)
          fates.push(script.fates.join())
        }
        return fates
      })
      assert.deepStrictEqual(yield* run("permanent"), ["restarting", "restarting", "restarting", "restarting"])
      assert.deepStrictEqual(yield* run("transient"), ["finished", "finished", "restarting", "restarting"])
      assert.deepStrictEqual(yield* run("temporary"), ["finished", "finished", "stopped", "stopped"])
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 6, active: 6, supervisors: 0, workers: 6 })
    }))

  it.effect("the results of a restart's start: up, ignored and gone, or tried again", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* jobs({ restart: Restart.max([Schedule.spaced("1 second"), often]) })
      const [flaky, ignoring] = [new Script(), new Script()]
      flaky.starts.push("ok", "fail", "throw", "ok")
      ignoring.starts.push("ok", "ignore")
      yield* supervisor.startChild(recipe("flaky", flaky))
      yield* supervisor.startChild(recipe("ignoring", ignoring))
      flaky.end()
      ignoring.end()
      assert.deepStrictEqual(yield* statuses(supervisor), ["flaky restarting", "ignoring restarting"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* statuses(supervisor), ["flaky restarting"])
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 1, active: 0, supervisors: 0, workers: 1 })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* statuses(supervisor), ["flaky running"])
      assert.strictEqual(flaky.started, 4)
    }))

  it.effect("a child in a restart loop can be terminated, and the supervisor stopped", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* jobs({ restart: Schedule.spaced("1 second") })
      const [a, b] = [new Script(), new Script()]
      const child = yield* supervisor.startChild(recipe("a", a))
      yield* supervisor.startChild(recipe("b", b))
      a.starts.push("fail", "fail", "fail", "fail")
      a.end()
      b.end()
      yield* TestClock.adjust("2 seconds")
      yield* supervisor.terminateChild(child)
      assert.deepStrictEqual(yield* statuses(supervisor), ["b running"])
      b.end()
      yield* supervisor.stop()
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([a.started, b.started], [3, 2])
    }))

  it.effect("one that is stopped before its delay begins does not come back", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* jobs({ restart: Schedule.spaced("1 second") })
      const script = new Script()
      const child = yield* supervisor.startChild(recipe("a", script))
      script.meanwhile.settle = () => {
        Effect.runFork(supervisor.terminateChild(child))
      }
      script.end()
      assert.deepStrictEqual(yield* statuses(supervisor), [])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([yield* statuses(supervisor), script.started, child.status], [[], 1, "stopped"])
    }))

  it.effect("nor one that is stopped, itself or with its supervisor, while the Schedule takes its time", () =>
    Effect.gen(function*() {
      const slow = Schedule.fromStep(
        Effect.sync(() => (now: number, _reason: ExitReason) =>
          Effect.delay(Effect.succeed<[number, Duration.Duration]>([now, Duration.zero]), "1 second")
        )
      )
      const { supervisor, take } = yield* jobs({ restart: slow })
      const [a, b, c] = [new Script(), new Script(), new Script()]
      const child = yield* supervisor.startChild(recipe("a", a))
      yield* supervisor.startChild(recipe("b", b))
      yield* supervisor.startChild(recipe("c", c, { shutdown: "infinity" }))
      a.end()
      yield* supervisor.terminateChild(child)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* statuses(supervisor), ["b running", "c running"])
      c.stops.push("hang")
      b.end()
      take()
      const stopped = yield* Effect.forkChild(supervisor.stop(), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(take(), [])
      c.release()
      yield* Fiber.join(stopped)
      assert.deepStrictEqual([a.started, b.started, c.started], [1, 1, 1])
      assert.deepStrictEqual([a.fates.at(-1), b.fates.at(-1)], ["stopped", "stopped"])
    }))

  it.effect("a child that is being stopped counts as active until it is down", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* jobs()
      const script = new Script()
      script.stops.push("hang")
      const child = yield* supervisor.startChild(recipe("a", script, { kind: "supervisor", shutdown: "infinity" }))
      const stopped = yield* Effect.forkChild(supervisor.terminateChild(child), { startImmediately: true })
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 1, active: 1, supervisors: 1, workers: 0 })
      script.release()
      yield* Fiber.join(stopped)
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 0, active: 0, supervisors: 0, workers: 0 })
    }))

  it.effect("an attempt that takes its time is shown as restarting", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* jobs()
      const script = new Script()
      script.starts.push("ok", "hang")
      const child = yield* supervisor.startChild(recipe("a", script))
      script.end()
      assert.deepStrictEqual(yield* statuses(supervisor), ["a restarting"])
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 1, active: 0, supervisors: 0, workers: 1 })
      yield* supervisor.terminateChild(child)
      assert.deepStrictEqual(yield* statuses(supervisor), [])
      script.release()
      assert.deepStrictEqual(yield* statuses(supervisor), [])
      assert.strictEqual(child.status, "stopped")
    }))

  it.effect("maxChildren counts restarting children too", () =>
    Effect.gen(function*() {
      const none = yield* jobs({ maxChildren: 0 })
      assert.deepStrictEqual((yield* Effect.flip(none.supervisor.startChild(recipe("a")))).reason, {
        _tag: "MaxChildren",
        max: 0
      })
      const { supervisor } = yield* jobs({ maxChildren: 1, restart: Schedule.spaced("1 second") })
      const script = new Script()
      yield* supervisor.startChild(recipe("a", script))
      script.end()
      assert.strictEqual((yield* Effect.flip(supervisor.startChild(recipe("b")))).reason._tag, "MaxChildren")
    }))

  it.effect("refuses specs and options that make no sense", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* jobs()
      const field = (options: Parameters<typeof supervisor.startChild>[1]) =>
        Effect.map(Effect.flip(supervisor.startChild(recipe("a"), options)), ({ reason }) =>
          reason._tag === "InvalidOption" ? reason.option : reason._tag)
      assert.strictEqual(yield* field({ significant: true, restart: "transient" }), "significant")
      yield* supervisor.startChild(recipe("b"), { significant: false })
      assert.strictEqual(yield* field({ shutdown: -1 }), "shutdown")
      const problem = (options: object) =>
        Effect.map(Effect.exit(Effect.scoped(jobs(options))), (exit) =>
          Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "none")
      assert.include(yield* problem({ maxChildren: -1 }), "was given -1 as maxChildren")
      assert.include(
        yield* problem({ autoShutdown: "any_significant" }),
        "was given \"any_significant\" as autoShutdown"
      )
      assert.strictEqual(yield* problem({ autoShutdown: "never" }), "none")
    }))

  it.effect("stops its children concurrently, under one timeout", () =>
    Effect.gen(function*() {
      const { supervisor, take } = yield* jobs()
      const scripts = [new Script(), new Script(), new Script()]
      for (const [i, script] of scripts.entries()) {
        script.stops.push("hang")
        yield* supervisor.startChild(recipe(`job${i}`, script, { shutdown: "2 seconds" }))
      }
      take()
      const stopping = yield* Effect.forkChild(supervisor.stop(), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      scripts[0]!.release()
      scripts[1]!.release()
      assert.deepStrictEqual(take(), ["Exited job0#1 shutdown", "Exited job1#1 shutdown"])
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(take(), [])
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(take(), ["Exited job2#1 killed"])
    }))

  it.effect("all that have not stopped when their time is over are killed", () =>
    Effect.gen(function*() {
      const { supervisor, take } = yield* jobs()
      for (const [id, shutdown] of [["a", 1000], ["b", 2000], ["c", 1000]] as const) {
        const script = new Script()
        script.stops.push("hang")
        yield* supervisor.startChild(recipe(id, script, { shutdown }))
      }
      take()
      const stopping = yield* Effect.forkChild(supervisor.stop(), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(take(), ["Exited a#1 killed", "Exited c#1 killed"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(take(), ["Exited b#1 killed"])
      yield* Fiber.join(stopping)
    }))

  it.effect("brutal_kill and infinity mix; children choose their own reason; none is restarted", () =>
    Effect.gen(function*() {
      const { reports, supervisor, take } = yield* jobs()
      const own = new Script()
      own.stops.push({ _tag: "Shutdown", detail: "oops" })
      yield* supervisor.startChild(recipe("a", undefined, { shutdown: "brutal_kill" }))
      yield* supervisor.startChild(recipe("b", own, { shutdown: "infinity" }))
      yield* supervisor.startChild(recipe("c"))
      take()
      yield* supervisor.stop()
      assert.deepStrictEqual(take(), [
        "Exited a#1 killed",
        "Exited b#1 shutdown (oops)",
        "Exited c#1 shutdown"
      ])
      assert.deepStrictEqual(reports(), [])
      assert.strictEqual(own.process?.status, "stopped")
    }))

  it.effect("killed, it kills its children, however patient it is with them", () =>
    Effect.gen(function*() {
      const { supervisor, take } = yield* jobs()
      for (const [id, shutdown] of [["a", "infinity"], ["b", "1 minute"]] as const) {
        const script = new Script()
        script.stops.push("hang")
        yield* supervisor.startChild(recipe(id, script, { shutdown }))
      }
      take()
      supervisor[Process.processOf].exit(killed)
      assert.deepStrictEqual(take(), ["Exited a#1 killed", "Exited b#1 killed"])
      assert.deepStrictEqual(supervisor[Process.processOf].lastExit, killed)
    }))

  it.effect("an end that takes too long is overtaken by a brutal one", () =>
    Effect.gen(function*() {
      const { take, telemetry } = record()
      const context = yield* Layer.build(
        Top.layer({ strategy: "one_for_one" }, [Supervisor.child(Jobs.layer(), { id: "jobs", shutdown: "1 second" })])
      ).pipe(Effect.provideService(Telemetry.CurrentTelemetry, telemetry))
      const supervisor = Context.get(context, Jobs)
      const [a, b] = [new Script(), new Script()]
      a.stops.push("hang")
      yield* supervisor.startChild(recipe("a", a, { shutdown: "infinity" }))
      yield* supervisor.startChild(recipe("b", b))
      take()
      const stopped = yield* Effect.forkChild(Context.get(context, Top).terminateChild("jobs"), {
        startImmediately: true
      })
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(take(), ["Exited jobs/b#1 shutdown"])
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(stopped)
      assert.deepStrictEqual(take(), ["Exited jobs/a#1 killed", "Exited jobs#1 killed"])
      assert.deepStrictEqual([a.fates, b.fates], [["stopped"], ["stopped"]])
    }))

  it.effect("its end waits for a child that was asked to stop before", () =>
    Effect.gen(function*() {
      const { supervisor, take } = yield* jobs()
      const script = new Script()
      script.stops.push("hang")
      const child = yield* supervisor.startChild(recipe("a", script, { shutdown: "infinity" }))
      yield* supervisor.startChild(recipe("b"))
      take()
      const terminated = yield* Effect.forkChild(supervisor.terminateChild(child), { startImmediately: true })
      const stopped = yield* Effect.forkChild(supervisor.stop(), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([take(), stopped.pollUnsafe()], [["Exited b#1 shutdown"], undefined])
      script.release()
      yield* Fiber.joinAll([terminated, stopped])
      assert.deepStrictEqual(take(), ["Exited a#1 shutdown"])
    }))

  it.effect("park: the one child waits, the others go on", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* jobs({ onGiveUp: "park", restart: Restart.never })
      const [a, b] = [new Script(), new Script()]
      const child = yield* supervisor.startChild(recipe("a", a))
      yield* supervisor.startChild(recipe("b", b))
      a.end()
      assert.deepStrictEqual(yield* statuses(supervisor), ["a parked", "b running"])
      assert.strictEqual((yield* Effect.flip(supervisor.resumeChild(b.process!))).reason._tag, "NotParked")
      yield* supervisor.resumeChild(child)
      assert.deepStrictEqual(yield* statuses(supervisor), ["a running", "b running"])
      assert.deepStrictEqual(a.fates, ["parked", "restarting"])
    }))

  it.effect("park: resuming it begins the budget anew", () =>
    Effect.gen(function*() {
      const once = Restart.intensity({ restarts: 1, within: "1 hour" })
      const { supervisor } = yield* jobs({ onGiveUp: "park", restart: once })
      const script = new Script()
      const child = yield* supervisor.startChild(recipe("a", script))
      for (const status of ["running", "parked"]) {
        script.end()
        assert.deepStrictEqual(yield* statuses(supervisor), [`a ${status}`])
      }
      yield* supervisor.resumeChild(child)
      script.end()
      assert.deepStrictEqual(yield* statuses(supervisor), ["a running"])
    }))

  it.effect("under a parent that restarts it, it comes back empty, and its children are stopped", () =>
    Effect.gen(function*() {
      const { telemetry } = record()
      const context = yield* Layer.build(
        Supervisor.layer({ strategy: "one_for_one" }, [Jobs.layer({ restart: Restart.never }), probe("other")])
      ).pipe(Effect.provideService(Telemetry.CurrentTelemetry, telemetry))
      const supervisor = Context.get(context, Jobs)
      const [a, b] = [new Script(), new Script()]
      yield* supervisor.startChild(recipe("a", a))
      yield* supervisor.startChild(recipe("b", b, { kind: "supervisor" }))
      a.end()
      assert.strictEqual(supervisor[Process.processOf].incarnation, 2)
      assert.deepStrictEqual(yield* statuses(supervisor), [])
      assert.deepStrictEqual([a.fates, b.fates], [["stopped"], ["stopped"]])
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 0, active: 0, supervisors: 0, workers: 0 })
      yield* supervisor.startChild(recipe("c"))
      assert.deepStrictEqual(yield* statuses(supervisor), ["c running"])
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 1, active: 1, supervisors: 0, workers: 1 })
    }))

  it.effect("and begins its budget anew", () =>
    Effect.gen(function*() {
      const { telemetry } = record()
      const once = Restart.intensity({ restarts: 1, within: "1 hour" })
      const context = yield* Layer.build(
        Supervisor.layer({ strategy: "one_for_one", restart: often }, [Jobs.layer({ restart: once })])
      ).pipe(Effect.provideService(Telemetry.CurrentTelemetry, telemetry))
      const supervisor = Context.get(context, Jobs)
      for (const incarnation of [1, 2, 3]) {
        const script = new Script()
        yield* supervisor.startChild(recipe("a", script))
        script.end()
        assert.deepStrictEqual(yield* statuses(supervisor), ["a running"])
        assert.strictEqual(supervisor[Process.processOf].incarnation, incarnation)
        script.end()
      }
    }))

  it.effect("can stand in for the nearest supervisor", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* jobs()
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Layer.build(Supervisor.worker("job", Effect.never))
        yield* Layer.build(
          Supervisor.child(Supervisor.worker("job", Effect.never), { id: "own", restart: "temporary" })
        )
        yield* Layer.build(Supervisor.layer({ strategy: "one_for_one" }, [probe("inner")]))
        assert.deepStrictEqual(yield* statuses(supervisor), ["Supervisor running", "job running", "own running"])
      })).pipe(Effect.provideService(Supervisor.Supervisor, supervisor.asSupervisor))
      assert.deepStrictEqual(yield* statuses(supervisor), [])
      assert.strictEqual((yield* Effect.flip(supervisor.asSupervisor.terminateChild("job"))).reason._tag, "NotFound")
    }))

  it.effect("thousands of children: counted, crashed and stopped", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(Jobs.layer({ restart: often }))
      const supervisor = Context.get(context, Jobs)
      const scripts: Array<Script> = []
      for (let i = 0; i < 10_000; i++) {
        const script = new Script()
        scripts.push(script)
        yield* supervisor.startChild(recipe("job", script))
      }
      for (const script of scripts) script.end()
      assert.deepStrictEqual(yield* supervisor.countChildren, {
        specs: 10_000,
        active: 10_000,
        supervisors: 0,
        workers: 10_000
      })
      for (const script of scripts.slice(0, 5000)) yield* supervisor.terminateChild(script.process!)
      assert.strictEqual((yield* supervisor.countChildren).active, 5000)
      yield* supervisor.stop()
      assert.isTrue(scripts.every(({ process }) => process?.status === "stopped" && process.incarnation === 2))
    }))

  it.effect("a child that crashes in every start lets the others have their turn", () =>
    Effect.gen(function*() {
      let crashes = 0
      const { supervisor } = yield* jobs({ restart: Schedule.forever })
      const child = yield* supervisor.startChild(
        Supervisor.workerRecipe("a", Effect.suspend(() => Effect.die(crashes++)))
      )
      for (let i = 0; i < 3; i++) yield* Effect.yieldNow
      assert.isAbove(crashes, 1000)
      yield* supervisor.terminateChild(child)
      const before = crashes
      for (let i = 0; i < 3; i++) yield* Effect.yieldNow
      assert.strictEqual(crashes, before)
    }))

  it.effect("deep trees of dynamic supervisors start and stop without overflowing the stack", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(Jobs.layer())
      let supervisor = Context.get(context, Jobs)
      const handles = [supervisor]
      for (let level = 0; level < 2000; level++) {
        supervisor = yield* supervisor.startChild(DynamicSupervisor.recipe({ id: "level" }))
        handles.push(supervisor)
      }
      yield* handles[0]!.stop()
      for (
        let turn = 0;
        handles.some((handle) => handle[Process.processOf].status !== "stopped") && turn < 1000;
        turn++
      ) {
        yield* Effect.yieldNow
      }
      assert.isTrue(handles.every((handle) => handle[Process.processOf].status === "stopped"))
    }))

  it.effect("a nested one is a child of the nearest supervisor, stopped in its place", () =>
    Effect.gen(function*() {
      const recording = record()
      yield* Effect.scoped(
        Layer.build(Supervisor.layer({ strategy: "one_for_one" }, [probe("a"), Jobs.layer(), probe("b")])).pipe(
          Effect.flatMap((context) => Context.get(context, Jobs).startChild(recipe("job"))),
          Effect.provideService(Telemetry.CurrentTelemetry, recording.telemetry)
        )
      )
      assert.deepStrictEqual(recording.take(), [
        "Started a#1",
        "Started jobs#1",
        "Started b#1",
        "Started jobs/job#1",
        "Exited b#1 shutdown",
        "Exited jobs/job#1 shutdown",
        "Exited jobs#1 shutdown",
        "Exited a#1 shutdown"
      ])
    }))
})
