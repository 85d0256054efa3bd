import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  type LogLevel,
  Metric,
  References,
  Scope,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import type { CrashReport } from "../../../src/domain/observation/CrashReport.ts"
import type { Lifecycle } from "../../../src/domain/observation/Lifecycle.ts"
import { crashed } from "../../../src/domain/process/ExitReason.ts"
import { DynamicSupervisor, Restart, Supervisor, Telemetry } from "../../../src/index.ts"
import * as Sink from "../../../src/layers/observation/Sink.ts"
import { recipe, Script } from "../../kit/Probe.ts"

const event = (at: number): Lifecycle => ({ _tag: "Parked", path: ["app"], at, kind: "worker", incarnation: 1 })

const boom = new Error("boom")
const report: CrashReport = {
  path: ["app", "Counter"],
  incarnation: 2,
  reason: crashed(Cause.die(boom)),
  message: "Increment",
  restoredFrom: 41,
  next: "it is restarted"
}

/** A context whose only logger keeps what it is given. */
const recording = () => {
  const logged: Array<Logger.Options<unknown> & { readonly annotations: unknown }> = []
  const logger = Logger.make((options) => {
    logged.push({ ...options, annotations: options.fiber.getRef(References.CurrentLogAnnotations) })
  })
  return { logged, context: Context.make(References.CurrentLoggers, new Set([logger])) }
}

describe("listeners", () => {
  it("each gets every event while it listens", () => {
    const telemetry = Sink.make()
    const heard: Array<string> = []
    assert.isFalse(telemetry.listening)
    const leave = telemetry.subscribe(({ at }) => heard.push(`a${at}`))
    telemetry.subscribe(({ at }) => heard.push(`b${at}`))
    assert.isTrue(telemetry.listening)
    telemetry.publish(event(1))
    leave()
    leave()
    telemetry.publish(event(2))
    assert.deepStrictEqual(heard, ["a1", "b1", "b2"])
  })

  it("one function that listens twice gets each event twice, and leaves once a time", () => {
    const telemetry = Sink.make()
    const heard: Array<number> = []
    const listener = ({ at }: Lifecycle) => heard.push(at)
    const leave = telemetry.subscribe(listener)
    const leaveToo = telemetry.subscribe(listener)
    telemetry.publish(event(1))
    leave()
    telemetry.publish(event(2))
    leaveToo()
    assert.isFalse(telemetry.listening)
    assert.deepStrictEqual(heard, [1, 1, 2])
  })

  it("a listener may leave and others may come while an event is published", () => {
    const telemetry = Sink.make()
    const heard: Array<string> = []
    const leave = telemetry.subscribe(() => {
      heard.push("first")
      leave()
      telemetry.subscribe(() => heard.push("late"))
    })
    telemetry.subscribe(() => heard.push("second"))
    telemetry.publish(event(1))
    telemetry.publish(event(2))
    assert.deepStrictEqual(heard, ["first", "second", "second", "late"])
  })
})

describe("what nobody would see", () => {
  class Pool extends DynamicSupervisor.Service<Pool>()("pool") {}
  class Root extends Supervisor.Service<Root>()("root") {}
  const restart = Restart.backoff({ base: "1 second", jitter: 0 })

  /** Events of every kind that supervisors tell of; which of them were published. */
  const story = (telemetry: Sink.Sink) => {
    const published = new Set<string>()
    const watched: Sink.Sink = Object.create(telemetry, {
      publish: {
        value: (event: Lifecycle) => {
          published.add(event._tag)
          telemetry.publish(event)
        }
      }
    })
    const scripts = { pooled: new Script(), ignored: new Script(), failing: new Script(), parked: new Script() }
    return Effect.gen(function*() {
      const [root, pool] = [yield* Root, yield* Pool]
      scripts.ignored.starts.push("ignore", "ignore")
      scripts.failing.starts.push("fail", "fail")
      for (const supervisor of [root, pool]) {
        const script = new Script()
        yield* supervisor.startChild(recipe("up", script))
        script.end()
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(script.process?.incarnation, 2)
        yield* supervisor.startChild(recipe("ignored", scripts.ignored))
        yield* Effect.flip(supervisor.startChild(recipe("failing", scripts.failing)))
      }
      yield* root.terminateChild("up")
      yield* root.deleteChild("up")
      for (
        const make of [
          Supervisor.recipe({ id: "parking", strategy: "one_for_one", restart: Restart.never, onGiveUp: "park" }, [
            recipe("parked", scripts.parked)
          ]),
          Supervisor.recipe({ id: "failing", strategy: "one_for_one", restart: Restart.never }, [
            recipe("failed", scripts.pooled)
          ])
        ]
      ) yield* root.startChild(make, { restart: "temporary" })
      scripts.parked.end()
      scripts.pooled.end()
      // One that does not stop when it is told to is abandoned.
      yield* root.startChild(
        Supervisor.workerRecipe("stuck", Effect.uninterruptible(Effect.never), { shutdown: "1 second" })
      )
      const stopping = yield* Effect.forkChild(root.terminateChild("stuck"), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(stopping)
      return published
    }).pipe(
      Effect.provide(Layer.provideMerge(Pool.layer({ restart }), Root.layer({ strategy: "one_for_one", restart }, []))),
      Effect.provideService(Telemetry.CurrentTelemetry, watched as unknown as Telemetry.Telemetry),
      Effect.provideService(References.MinimumLogLevel, "None")
    )
  }

  it.effect("is not made: no event without a listener", () =>
    Effect.gen(function*() {
      const silent = Sink.make()
      assert.deepStrictEqual(Array.from(yield* story(silent)), [])
      const heard = Sink.make()
      heard.subscribe(() => {})
      assert.deepStrictEqual(
        Array.from(yield* story(heard)).sort(),
        ["Abandoned", "Deleted", "Exited", "GaveUp", "Ignored", "Parked", "Restarting", "StartFailed", "Started"]
      )
    }))

  it("nor a crash report where nothing would log it", () => {
    const loggers = new Set([Logger.make(() => {})])
    const context = (level: LogLevel.LogLevel, all: ReadonlySet<Logger.Logger<unknown, unknown>>) =>
      Context.make(References.CurrentLoggers, all).pipe(Context.add(References.MinimumLogLevel, level))
    assert.deepStrictEqual(
      (["All", "Info", "Error", "Fatal", "None"] as const).map((level) => Sink.isLogging(context(level, loggers))),
      [true, true, true, false, false]
    )
    assert.isFalse(Sink.isLogging(context("Info", new Set())))
  })
})

describe("a listener that throws", () => {
  const boom = (): never => {
    throw new Error("boom")
  }
  /** A sink whose reports are kept. */
  const watched = Effect.map(Sink.scoped, (telemetry) => telemetry)

  it.effect("is removed, which is logged once; the others hear of every event", () => {
    const { context, logged } = recording()
    return Effect.gen(function*() {
      const telemetry = yield* watched
      const heard: Array<string> = []
      telemetry.subscribe(({ at }) => heard.push(`a${at}`))
      const leave = telemetry.subscribe(boom)
      telemetry.subscribe(({ at }) => heard.push(`b${at}`))
      telemetry.publish(event(1))
      telemetry.publish(event(2))
      leave()
      assert.deepStrictEqual(heard, ["a1", "b1", "a2", "b2"])
      assert.deepStrictEqual(logged.map(({ logLevel, message }) => [logLevel, message]), [
        ["Error", ["a listener of Telemetry failed at Parked of app: it is removed"]]
      ])
      assert.include(Cause.pretty(logged[0]!.cause), "Error: boom")
    }).pipe(Effect.scoped, Effect.provideContext(context))
  })

  it.effect("later, as an async function does: is removed as well", () => {
    const { context, logged } = recording()
    return Effect.gen(function*() {
      const telemetry = yield* watched
      telemetry.subscribe(() => Promise.reject(new Error("boom")))
      telemetry.publish(event(1))
      telemetry.publish(event(2))
      yield* Effect.promise(() => Promise.resolve())
      assert.isFalse(telemetry.listening)
      assert.lengthOf(logged, 1)
    }).pipe(Effect.scoped, Effect.provideContext(context))
  })
})

describe("a listener for crash reports", () => {
  it("hears of each, also where no logger would show it, as long as it listens", () => {
    const { context, logged } = recording()
    const telemetry = Sink.make()
    const heard: Array<CrashReport> = []
    assert.isFalse(telemetry.reporting)
    const leave = telemetry.subscribeReports((one) => heard.push(one))
    assert.deepStrictEqual([telemetry.reporting, telemetry.listening], [true, false])
    telemetry.crashed(report, Context.add(context, References.MinimumLogLevel, "None"))
    telemetry.crashed(report, context)
    leave()
    telemetry.crashed(report, context)
    assert.deepStrictEqual(heard, [report, report])
    assert.deepStrictEqual([telemetry.reporting, logged.length], [false, 2])
  })

  it.effect("that throws is removed, which is logged once; the report is logged all the same", () => {
    const { context, logged } = recording()
    return Effect.gen(function*() {
      const telemetry = yield* Sink.scoped
      telemetry.subscribeReports(() => {
        throw new Error("boom")
      })
      telemetry.crashed(report, context)
      telemetry.crashed(report, context)
      assert.isFalse(telemetry.reporting)
      assert.deepStrictEqual(logged.map(({ message }) => message), [
        ["a listener for reports of Telemetry failed at the crash of app > Counter: it is removed"],
        ["app > Counter #2 crashed; it is restarted"],
        ["app > Counter #2 crashed; it is restarted"]
      ])
    }).pipe(Effect.scoped, Effect.provideContext(context))
  })

  it.effect("is a stream as well, and has the reports of servers, supervisors and starts", () =>
    Effect.gen(function*() {
      const telemetry = (yield* Telemetry.CurrentTelemetry)!
      const reader = yield* Effect.forkChild(Stream.runCollect(Stream.take(Telemetry.reports(telemetry), 2)), {
        startImmediately: true
      })
      yield* Effect.yieldNow
      yield* Effect.scoped(Layer.build(
        Supervisor.layer({ id: "root", strategy: "one_for_one", restart: Restart.intensity({ restarts: 0 }) }, [
          Supervisor.worker("poller", Effect.die(boom))
        ])
      ))
      const heard = yield* Fiber.join(reader)
      assert.deepStrictEqual(heard.map(({ path, reason }) => [path, reason._tag]), [
        [["root", "poller"], "Crashed"],
        [["root"], "GaveUp"]
      ])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"), Effect.provide(Telemetry.layer)))
})

describe("the stream of events", () => {
  it.effect("has what happens while it runs, and unsubscribes when it ends", () =>
    Effect.gen(function*() {
      const telemetry = Sink.make()
      telemetry.publish(event(0))
      const reader = yield* Effect.forkChild(Stream.runCollect(Stream.take(Telemetry.stream(telemetry), 2)), {
        startImmediately: true
      })
      yield* Effect.yieldNow
      telemetry.publish(event(1))
      telemetry.publish(event(2))
      assert.deepStrictEqual(yield* Fiber.join(reader), [event(1), event(2)])
      assert.isFalse(telemetry.listening)
    }))

  it.effect("a reader that is slow loses the oldest events beyond 1,024, if nothing else is said", () =>
    Effect.gen(function*() {
      const telemetry = Sink.make()
      const slow = Stream.mapEffect(Telemetry.stream(telemetry), ({ at }) => Effect.as(Effect.yieldNow, at))
      const reader = yield* Effect.forkChild(Stream.runCollect(Stream.take(slow, 1024)), { startImmediately: true })
      for (let at = 1; at <= 3000; at++) telemetry.publish(event(at))
      const seen = yield* Fiber.join(reader)
      assert.deepStrictEqual([seen.length, seen.at(-1)], [1024, 3000])
    }))

  it.effect("a slow reader loses the oldest events and never holds up the publisher", () =>
    Effect.gen(function*() {
      const telemetry = Sink.make()
      const reader = yield* Effect.forkChild(
        Stream.runCollect(Stream.take(Telemetry.stream(telemetry, { bufferSize: 3 }), 3)),
        { startImmediately: true }
      )
      yield* Effect.yieldNow
      for (let at = 1; at <= 10; at++) telemetry.publish(event(at))
      assert.deepStrictEqual((yield* Fiber.join(reader)).map(({ at }) => at), [8, 9, 10])
    }))
})

describe("a crash report in the log", () => {
  it("is one error with the cause, and what is known as annotations", () => {
    const { context, logged } = recording()
    Sink.make().crashed(report, context)
    assert.strictEqual(logged.length, 1)
    const [entry] = logged
    assert.strictEqual(entry!.logLevel, "Error")
    assert.deepStrictEqual(entry!.message, ["app > Counter #2 crashed; it is restarted"])
    assert.strictEqual(Cause.squash(entry!.cause), boom)
    assert.deepStrictEqual(entry!.annotations, {
      path: "app > Counter",
      incarnation: 2,
      message: "Increment",
      restoredFrom: 41,
      next: "it is restarted"
    })
  })

  it("has no annotation for what is not known", () => {
    const { context, logged } = recording()
    Sink.make().crashed({ path: ["a"], incarnation: 1, reason: report.reason, next: "it stays down" }, context)
    assert.deepStrictEqual(logged[0]?.annotations, { path: "a", incarnation: 1, next: "it stays down" })
  })

  it("is not even built when the loggers would not show it", () => {
    const { context, logged } = recording()
    const unread = new Proxy(report, { get: (_, property) => assert.fail(`${String(property)} was read`) })
    const telemetry = Sink.make()
    const quiet = Context.add(context, References.MinimumLogLevel, "Fatal")
    const mute = Context.make(References.CurrentLoggers, new Set())
    telemetry.crashed(unread, quiet)
    telemetry.crashed(unread, mute)
    assert.deepStrictEqual([context, quiet, mute].map(Sink.isLogging), [true, false, false])
    assert.deepStrictEqual(logged, [])
  })

  it("a logger that throws harms no other part", () => {
    let asked = 0
    const throwing = Logger.make(() => {
      asked++
      throw boom
    })
    const { context, logged } = recording()
    const telemetry = Sink.make()
    telemetry.crashed(report, Context.make(References.CurrentLoggers, new Set([throwing])))
    assert.strictEqual(asked, 1)
    telemetry.crashed(report, context)
    assert.strictEqual(logged.length, 1)
  })
})

describe("the Telemetry of a root", () => {
  it.effect("is that of the context, shared by all roots below the layer", () =>
    Effect.gen(function*() {
      const current = yield* Telemetry.CurrentTelemetry
      assert.strictEqual(yield* Sink.root, current)
      assert.strictEqual(yield* Sink.root, current)
    }).pipe(Effect.provide(Telemetry.layer)))

  it.effect("is one of its own when the context has none", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* Telemetry.CurrentTelemetry)
      assert.notStrictEqual(yield* Sink.root, yield* Sink.root)
    }))

  it.effect("feeds the metrics until its scope closes", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const depth = Effect.map(Metric.snapshot, (series) =>
        series.find(({ id }) => id === "heirloom_mailbox_depth")?.state)
      const telemetry = yield* Scope.provide(Sink.root, scope)
      telemetry.counters.queued = 3
      assert.deepStrictEqual(yield* depth, { value: 3 })
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* depth, { value: 0 })
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.effect("a layer under each of two parts of an app is a Telemetry each", () =>
    Effect.gen(function*() {
      const first = yield* Effect.provide(Telemetry.CurrentTelemetry, Layer.fresh(Telemetry.layer))
      const second = yield* Effect.provide(Telemetry.CurrentTelemetry, Layer.fresh(Telemetry.layer))
      assert.notStrictEqual(first, second)
    }))
})
