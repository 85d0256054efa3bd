import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Ref, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import { type ExitReason, killed, shutdown } from "../../../src/domain/process/ExitReason.ts"
import { Process, Restart, Supervisor, Telemetry } from "../../../src/index.ts"
import { listing, probe, recipe, record, Script, Top, top } from "../../kit/Probe.ts"
import { often } from "../../kit/Restarts.ts"

const one = { strategy: "one_for_one" } as const
describe("starting children", () => {
  it.effect("an empty supervisor starts and shuts down with reason shutdown", () =>
    Effect.gen(function*() {
      const ended: Array<unknown> = []
      yield* Effect.scoped(Effect.gen(function*() {
        const { supervisor } = yield* top(one)
        assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 0, active: 0, supervisors: 0, workers: 0 })
        assert.isTrue(supervisor[Process.processOf].addExitObserver((_, reason) => ended.push(reason)))
      }))
      assert.deepStrictEqual(ended, [shutdown])
    }))

  it.effect("a root tells of its own start and end", () =>
    Effect.gen(function*() {
      const { telemetry } = record()
      const noted: Array<string> = []
      telemetry.subscribe((event) => noted.push(`${event._tag} ${event.path.join("/")}`))
      yield* Effect.scoped(
        Layer.build(Top.layer(one, [probe("a")])).pipe(Effect.provideService(Telemetry.CurrentTelemetry, telemetry))
      )
      assert.deepStrictEqual(noted, ["Started top", "Started top/a", "Exited top/a", "Exited top"])
    }))

  it.effect("children start in order and stop in reverse when the layer is released", () =>
    Effect.gen(function*() {
      const { take, telemetry } = record()
      yield* Effect.scoped(
        Layer.build(Top.layer(one, [probe("a"), probe("b"), probe("c")])).pipe(
          Effect.provideService(Telemetry.CurrentTelemetry, telemetry)
        )
      )
      assert.deepStrictEqual(take(), [
        "Started a#1",
        "Started b#1",
        "Started c#1",
        "Exited c#1 shutdown",
        "Exited b#1 shutdown",
        "Exited a#1 shutdown"
      ])
    }))

  it.effect("a child whose first init fails fails the build with its own error, and those before it are stopped", () =>
    Effect.gen(function*() {
      const { reports, take, telemetry } = record()
      const bad = new Script()
      bad.starts.push("fail")
      const exit = yield* Layer.build(Top.layer(one, [probe("a"), probe("b", bad), probe("c")])).pipe(
        Effect.provideService(Telemetry.CurrentTelemetry, telemetry),
        Effect.scoped,
        Effect.exit
      )
      assert.deepStrictEqual(exit, Exit.fail("no"))
      assert.deepStrictEqual(take(), [
        "Started a#1",
        "StartFailed b#1 crashed: no",
        "Exited a#1 shutdown"
      ])
      assert.deepStrictEqual(reports(), ["b#1: nothing is left of it"])
    }))

  it.effect("what a later child provides takes the place of what an earlier one did, for those after it and outside", () =>
    Effect.gen(function*() {
      class Port extends Context.Service<Port, number>()("test/Port") {}
      const seen: Array<number> = []
      const look = Layer.effectDiscard(Effect.map(Port, (port) => seen.push(port)))
      const context = yield* Layer.build(
        Supervisor.layer(one, [Layer.succeed(Port, 1), look, Layer.succeed(Port, 2), Layer.fresh(look)])
      )
      assert.deepStrictEqual([...seen, Context.get(context, Port)], [1, 2, 2])
    }))

  it.effect("startChild: the reference, or a typed error, and nothing is kept of a start that failed", () =>
    Effect.gen(function*() {
      const { supervisor, take } = yield* top(one)
      const bad = new Script()
      bad.starts.push("fail", "throw")
      const failed = yield* Effect.flip(supervisor.startChild(recipe("a", bad)))
      assert.strictEqual(failed.supervisor, "top")
      assert.strictEqual(failed.child, "a")
      assert.deepStrictEqual(failed.reason, { _tag: "Failed", cause: Cause.fail("no") })
      const thrown = yield* Effect.flip(supervisor.startChild(recipe("a", bad)))
      assert.include(thrown.message, "thrown by start")
      assert.deepStrictEqual(yield* listing(supervisor), [])
      const process = yield* supervisor.startChild(recipe("a", bad))
      assert.strictEqual(process.status, "running")
      const again = yield* Effect.flip(supervisor.startChild(recipe("a")))
      assert.deepStrictEqual(again.reason, { _tag: "AlreadyStarted", process })
      yield* supervisor.terminateChild("a")
      assert.strictEqual((yield* Effect.flip(supervisor.startChild(recipe("a")))).reason._tag, "AlreadyPresent")
      assert.deepStrictEqual(take(), [
        "StartFailed a#1 crashed: no",
        "StartFailed a#1 crashed: Error: thrown by start",
        "Started a#1",
        "Exited a#1 shutdown"
      ])
    }))

  it.effect("its methods may be taken off it", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(one)
      const { deleteChild, restartChild, resumeChild, startChild, startChildInfo, stop, terminateChild, whichChild } =
        supervisor
      yield* startChild(recipe("a"))
      assert.deepStrictEqual((yield* startChildInfo(recipe("b"))).started, { _tag: "Started" })
      yield* terminateChild("a")
      assert.deepStrictEqual(yield* restartChild("a"), { _tag: "Started" })
      assert.strictEqual((yield* Effect.flip(resumeChild("a"))).reason._tag, "NotParked")
      yield* terminateChild("b")
      yield* deleteChild("b")
      assert.strictEqual((yield* whichChild("a")).status, "running")
      assert.deepStrictEqual(yield* listing(supervisor), ["a#2"])
      yield* stop()
      assert.strictEqual(supervisor[Process.processOf].status, "stopped")
    }))

  it.effect("startChild of an invalid spec names the field and touches nothing", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(one)
      const problem = (options: Supervisor.SpecOverride) =>
        Effect.map(Effect.flip(supervisor.startChild(recipe("a"), options)), ({ reason }) =>
          reason._tag === "InvalidOption" ? reason.option : reason._tag)
      assert.strictEqual(yield* problem({ id: "" }), "id")
      assert.strictEqual(yield* problem({ shutdown: -1 }), "shutdown")
      assert.strictEqual(yield* problem({ significant: true, restart: "transient" }), "significant")
      assert.strictEqual(yield* problem({ significant: true }), "significant")
      assert.deepStrictEqual(yield* listing(supervisor), [])
    }))

  it.effect("a child that ignores keeps its spec and no process, a temporary one nothing", () =>
    Effect.gen(function*() {
      const { supervisor, take } = yield* top(one)
      const ignoring = () => {
        const script = new Script()
        script.starts.push("ignore")
        return script
      }
      const first = yield* supervisor.startChildInfo(recipe("a", ignoring()))
      assert.deepStrictEqual(first.started, { _tag: "Ignored" })
      yield* supervisor.startChild(recipe("b", ignoring(), { restart: "temporary" }))
      yield* supervisor.startChild(recipe("c"))
      assert.deepStrictEqual(yield* listing(supervisor), ["a stopped", "c#1"])
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 2, active: 1, supervisors: 0, workers: 2 })
      assert.deepStrictEqual(take(), ["Ignored a#1", "Ignored b#1", "Started c#1"])
    }))

  it.effect("a start that answers nonsense is a failed start", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(one)
      const nonsense = (answer: unknown) => {
        const script = new Script()
        const plain = recipe("a", script)
        return {
          ...plain,
          make: (...given: Parameters<typeof plain.make>) => {
            const made = plain.make(...given)
            return { ...made, child: Object.assign(made.child, { start: () => answer }) }
          }
        }
      }
      const bare = yield* Effect.flip(supervisor.startChild(nonsense("error_reason")))
      assert.include(bare.message, "not to error_reason")
      const wrong = yield* Effect.flip(supervisor.startChild(nonsense(Effect.succeed("error_reason"))))
      assert.include(wrong.message, "not to error_reason")
      assert.deepStrictEqual(yield* listing(supervisor), [])
    }))

  it.effect("specs can be checked without starting anything", () =>
    Effect.sync(() => {
      const checked = Supervisor.checkChildSpecs([{ id: "a" }, { id: "b", restart: "transient", significant: true }])
      assert.strictEqual(checked._tag === "Failure" ? checked.failure.option : "ok", "significant")
      const allowed = Supervisor.checkChildSpecs(
        [{ id: "b", restart: "transient", significant: true }],
        "any_significant"
      )
      assert.strictEqual(allowed._tag, "Success")
    }))

  it.effect("extra information of a start is passed on to its caller", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(one)
      const script = new Script()
      script.starts.push({ info: "extra" }, { info: "again" })
      assert.deepStrictEqual((yield* supervisor.startChildInfo(recipe("a", script))).started, {
        _tag: "Started",
        info: "extra"
      })
      yield* supervisor.terminateChild("a")
      assert.deepStrictEqual(yield* supervisor.restartChild("a"), { _tag: "Started", info: "again" })
    }))
})

describe("requests", () => {
  it.effect("a restart that fails leaves the child as it was, and it hears so", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(one)
      const script = new Script()
      script.starts.push("ok", "fail")
      yield* supervisor.startChild(recipe("a", script))
      yield* supervisor.terminateChild("a")
      assert.strictEqual((yield* Effect.flip(supervisor.restartChild("a"))).reason._tag, "Failed")
      assert.deepStrictEqual(script.fates, ["stopped", "stopped"])
      assert.deepStrictEqual(yield* listing(supervisor), ["a stopped"])
    }))

  it.effect("terminate, restart, delete: OTP's answers through a child's whole life", () =>
    Effect.gen(function*() {
      const { supervisor, take } = yield* top(one)
      const script = new Script()
      yield* supervisor.startChild(recipe("a", script))
      const reason = (effect: Effect.Effect<unknown, Supervisor.ChildError | Supervisor.StartError>) =>
        Effect.map(Effect.flip(effect), ({ reason }) => reason._tag)
      assert.strictEqual(yield* reason(supervisor.deleteChild("a")), "Running")
      assert.strictEqual(yield* reason(supervisor.restartChild("a")), "Running")
      assert.strictEqual(yield* reason(supervisor.resumeChild("a")), "NotParked")
      yield* supervisor.terminateChild("a")
      yield* supervisor.terminateChild("a")
      assert.deepStrictEqual(yield* listing(supervisor), ["a stopped"])
      assert.deepStrictEqual(yield* supervisor.restartChild("a"), { _tag: "Started" })
      yield* supervisor.terminateChild("a")
      yield* supervisor.deleteChild("a")
      assert.deepStrictEqual(script.fates, ["stopped", "stopped", "deleted"])
      assert.deepStrictEqual(yield* listing(supervisor), [])
      for (
        const request of [
          supervisor.terminateChild("a"),
          supervisor.restartChild("a"),
          supervisor.deleteChild("a"),
          supervisor.resumeChild("a"),
          supervisor.whichChild("a")
        ]
      ) assert.strictEqual(yield* reason(request), "NotFound")
      assert.deepStrictEqual(take(), [
        "Started a#1",
        "Exited a#1 shutdown",
        "Started a#2",
        "Exited a#2 shutdown",
        "Deleted a#2"
      ])
    }))

  it.effect("each says why it cannot be done with a child as that is, and what to do", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top({ ...one, restart: Restart.backoff({ base: "10 seconds" }) })
      const parking = yield* top({ ...one, restart: Restart.never, onGiveUp: "park" })
      const waits = new Script()
      yield* supervisor.startChild(recipe("restarting", waits))
      waits.end()
      const parked = new Script()
      yield* parking.supervisor.startChild(recipe("parked", parked))
      parked.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["restarting restarting"])
      assert.deepStrictEqual(yield* listing(parking.supervisor), ["parked parked"])
      const said = (effect: Effect.Effect<unknown, Supervisor.ChildError | Supervisor.StartError>) =>
        Effect.map(Effect.flip(effect), ({ message, reason }) => [reason._tag, message.replace(/^.*: /, "")])
      assert.deepStrictEqual(
        yield* Effect.all([
          said(supervisor.restartChild("restarting")),
          said(supervisor.deleteChild("restarting")),
          said(supervisor.resumeChild("restarting")),
          said(parking.supervisor.restartChild("parked"))
        ]),
        [
          ["Restarting", "the child is being restarted. Wait for it, or terminateChild first."],
          ["Restarting", "the child is being restarted. Wait for it, or terminateChild first."],
          ["NotParked", "the child is not parked, there is nothing to resume."],
          ["Parked", "the child is parked, because its supervisor gave up on it. resumeChild starts it again."]
        ]
      )
      const again = yield* Effect.flip(parking.supervisor.startChild(recipe("parked")))
      assert(again.reason._tag === "AlreadyPresent")
      assert.strictEqual(again.reason.process, parked.process)
      yield* parking.supervisor.resumeChild("parked")
      assert.deepStrictEqual(yield* listing(parking.supervisor), ["parked#2"])
      parked.end()
      yield* parking.supervisor.terminateChild("parked")
      assert.deepStrictEqual(yield* listing(parking.supervisor), ["parked stopped"])
      yield* parking.supervisor.restartChild("parked")
      parked.end()
      yield* parking.supervisor.deleteChild("parked")
      assert.deepStrictEqual([yield* listing(parking.supervisor), parked.fates.at(-1)], [[], "deleted"])
      yield* supervisor.terminateChild("restarting")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([yield* listing(supervisor), waits.started], [["restarting stopped"], 1])
    }))

  it.effect("whichChildren lists the newest first, with spec and status", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(one, probe("a"), probe("b", undefined, { restart: "transient" }))
      const [b, a] = yield* supervisor.whichChildren
      assert.deepStrictEqual([b?.id, a?.id], ["b", "a"])
      assert.deepStrictEqual(b?.spec, {
        id: "b",
        kind: "worker",
        restart: "transient",
        shutdown: 5000,
        significant: false,
        needs: []
      })
      assert.deepStrictEqual(yield* supervisor.whichChild("b"), b)
    }))

  it.effect("answers between restart attempts, and a terminated child is tried no more", () =>
    Effect.gen(function*() {
      const script = new Script()
      const { supervisor } = yield* top({ ...one, restart: Restart.intensity({ restarts: 8, within: "10 seconds" }) })
      yield* supervisor.startChild(recipe("a", script))
      script.starts.push("hang", "hang")
      script.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["a restarting"])
      script.release("fail")
      assert.deepStrictEqual(yield* listing(supervisor), ["a restarting"])
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 1, active: 0, supervisors: 0, workers: 1 })
      assert.strictEqual((yield* Effect.flip(supervisor.startChild(recipe("a")))).reason._tag, "AlreadyPresent")
      assert.strictEqual((yield* Effect.flip(supervisor.restartChild("a"))).reason._tag, "Restarting")
      assert.strictEqual((yield* Effect.flip(supervisor.deleteChild("a"))).reason._tag, "Restarting")
      yield* supervisor.terminateChild("a")
      assert.deepStrictEqual(yield* listing(supervisor), ["a stopped"])
      script.release("ok")
      assert.deepStrictEqual(yield* listing(supervisor), ["a stopped"], "the abandoned attempt changes nothing")
      assert.strictEqual(script.started, 3)
    }))

  it.effect("a child waiting for its delay is restarting: listed, not restartable or deletable, but terminable", () =>
    Effect.gen(function*() {
      const script = new Script()
      const { supervisor, take } = yield* top({ ...one, restart: Schedule.spaced("2 seconds") }, probe("a", script))
      script.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["a restarting"])
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 1, active: 0, supervisors: 0, workers: 1 })
      assert.strictEqual((yield* Effect.flip(supervisor.startChild(recipe("a")))).reason._tag, "AlreadyPresent")
      assert.strictEqual((yield* Effect.flip(supervisor.restartChild("a"))).reason._tag, "Restarting")
      assert.strictEqual((yield* Effect.flip(supervisor.deleteChild("a"))).reason._tag, "Restarting")
      yield* TestClock.adjust("1999 millis")
      assert.deepStrictEqual(yield* listing(supervisor), ["a restarting"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* listing(supervisor), ["a#2"])
      script.end()
      yield* supervisor.terminateChild("a")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* listing(supervisor), ["a stopped"])
      assert.deepStrictEqual(take(), [
        "Started a#1",
        "Exited a#1 crashed: boom",
        "Restarting a in 2000",
        "Started a#2",
        "Exited a#2 crashed: boom",
        "Restarting a in 2000"
      ])
    }))

  it.effect("a supervisor that has ended answers NotRunning", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(one, probe("a"))
      yield* supervisor.stop()
      assert.strictEqual((yield* Effect.flip(supervisor.startChild(recipe("b")))).reason._tag, "NotRunning")
      assert.strictEqual((yield* Effect.flip(supervisor.terminateChild("a"))).reason._tag, "NotRunning")
      assert.strictEqual((yield* Effect.flip(supervisor.restartChild("a"))).reason._tag, "NotRunning")
    }))

  it.effect("requests that take their time are answered each with its own result", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(one)
      const [a, b, c] = [new Script(), new Script(), new Script()]
      for (const script of [a, b, c]) script.starts.push("hang")
      const starts = yield* Effect.forEach([["a", a], ["b", b], ["c", c]] as const, ([id, script]) =>
        Effect.forkChild(Effect.exit(supervisor.startChild(recipe(id, script))), { startImmediately: true }))
      b.release("fail")
      c.release()
      a.release()
      const [first, second, third] = yield* Effect.forEach(starts, Fiber.join)
      assert.deepStrictEqual([first, third], [Exit.succeed(a.process), Exit.succeed(c.process)])
      assert.isTrue(second !== undefined && Exit.isFailure(second))
      assert.deepStrictEqual((yield* listing(supervisor)).slice().sort(), ["a#1", "c#1"])
    }))

  it.effect("a child that ends while another starts is dealt with when that is up", () =>
    Effect.gen(function*() {
      const { supervisor, take } = yield* top(one)
      const [a, b] = [new Script(), new Script()]
      yield* supervisor.startChild(recipe("b", b))
      take()
      a.meanwhile.start = () => b.end()
      yield* supervisor.startChild(recipe("a", a))
      assert.deepStrictEqual(take(), ["Started a#1", "Exited b#1 crashed: boom", "Restarting b in 0", "Started b#2"])
    }))

  it.effect("the starter may be interrupted: the child is there all the same", () =>
    Effect.gen(function*() {
      const script = new Script()
      script.starts.push("hang")
      const { supervisor } = yield* top(one)
      const starter = yield* Effect.forkChild(supervisor.startChild(recipe("a", script)), { startImmediately: true })
      yield* Fiber.interrupt(starter)
      script.release()
      assert.deepStrictEqual(yield* listing(supervisor), ["a#1"])
    }))
})

describe("events", () => {
  it.effect("are those of the supervisor and the processes below it", () =>
    Effect.gen(function*() {
      const { telemetry } = record()
      const sub = new Script()
      class Sub extends Supervisor.Service<Sub>()("sub") {}
      const context = yield* Layer.build(
        Supervisor.layer(one, [probe("other"), Sub.layer(one, [probe("a", sub)])])
      ).pipe(Effect.provideService(Telemetry.CurrentTelemetry, telemetry))
      const seen = yield* Effect.forkChild(
        Context.get(context, Sub).events.pipe(
          Stream.map((event) => event._tag),
          Stream.take(3),
          Stream.runCollect
        ),
        { startImmediately: true }
      )
      yield* Effect.yieldNow
      sub.end()
      assert.deepStrictEqual(yield* Fiber.join(seen), ["Exited", "Restarting", "Started"])
    }))
})

describe("restarting", () => {
  it.effect("a child is restarted before its crash returns, when no step has to wait", () =>
    Effect.gen(function*() {
      const script = new Script()
      const { reports, supervisor, take } = yield* top(one, probe("a", script))
      const before = yield* supervisor.whichChild("a")
      script.end()
      assert.strictEqual(script.process?.incarnation, 2)
      const after = yield* supervisor.whichChild("a")
      assert.strictEqual(after.process, before.process, "a process keeps its identity")
      assert.deepStrictEqual(script.fates, ["restarting"])
      assert.deepStrictEqual(take(), [
        "Started a#1",
        "Exited a#1 crashed: boom",
        "Restarting a in 0",
        "Started a#2"
      ])
      assert.deepStrictEqual(reports(), ["a#1: it is restarted"])
    }))

  it.effect("the default budget is 3 restarts in 5 seconds, as a sliding window", () =>
    Effect.gen(function*() {
      const script = new Script()
      const { supervisor } = yield* top(one, probe("a", script))
      for (let i = 0; i < 10; i++) {
        for (let crash = 0; crash < 3; crash++) script.end()
        yield* TestClock.adjust("5001 millis")
      }
      assert.deepStrictEqual(yield* listing(supervisor), ["a#31"])
      for (let crash = 0; crash < 3; crash++) script.end()
      yield* TestClock.adjust("5 seconds")
      script.end()
      assert.strictEqual(supervisor[Process.processOf].status, "stopped")
    }))

  it.effect("20,000 restarts under one supervisor are all done, and leave nothing behind", () =>
    Effect.gen(function*() {
      const script = new Script()
      const { supervisor } = yield* top({ ...one, restart: often }, probe("a", script))
      for (let i = 0; i < 20_000; i++) script.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["a#20001"])
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 1, active: 1, supervisors: 0, workers: 1 })
    }))

  it.effect("a child that crashes in every start, under a budget without end, lets the others have their turn", () =>
    Effect.gen(function*() {
      const crashes = yield* Ref.make(0)
      const { supervisor } = yield* top(
        { ...one, restart: Schedule.forever },
        Supervisor.worker("a", Effect.andThen(Ref.update(crashes, (n) => n + 1), Effect.die("at once")))
      )
      for (let i = 0; i < 3; i++) yield* Effect.yieldNow
      const first = yield* Ref.get(crashes)
      assert.isAbove(first, 1000)
      for (let i = 0; i < 3; i++) yield* Effect.yieldNow
      assert.isAbove(yield* Ref.get(crashes), first, "it goes on after their turn")
      yield* supervisor.terminateChild("a")
      const before = yield* Ref.get(crashes)
      for (let i = 0; i < 3; i++) yield* Effect.yieldNow
      assert.strictEqual(yield* Ref.get(crashes), before)
    }))

  it.effect("any Schedule decides: its input is the exit reason, its end is the end", () =>
    Effect.gen(function*() {
      const script = new Script()
      const restart = Schedule.while(
        Schedule.forever.pipe(Schedule.setInputType<ExitReason>()),
        ({ input }) => Effect.succeed(input._tag === "Crashed")
      )
      const { supervisor } = yield* top({ ...one, restart }, probe("a", script))
      script.end()
      script.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["a#3"])
      script.end(killed)
      assert.strictEqual(supervisor[Process.processOf].status, "stopped")
    }))

  it.effect("a Schedule that takes its time is asked one question after the other", () =>
    Effect.gen(function*() {
      const asked: Array<number> = []
      const slow = Schedule.fromStep(Effect.sync(() => (now: number, _reason: ExitReason) => {
        asked.push(now)
        return Effect.delay(Effect.succeed<[number, Duration.Duration]>([now, Duration.zero]), "1 second")
      }))
      const a = new Script()
      const b = new Script()
      const { supervisor } = yield* top({ ...one, restart: slow }, probe("a", a), probe("b", b))
      a.end()
      b.end()
      assert.deepStrictEqual(asked, [0])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* listing(supervisor), ["a#2", "b restarting"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* listing(supervisor), ["a#2", "b#2"])
    }))
})
