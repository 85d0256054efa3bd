/** What is counted of each class of servers, where that is asked for; and how it leaves the program. */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Deferred,
  Effect,
  Fiber,
  Latch,
  Layer,
  Metric,
  Option,
  References,
  Schema,
  Tracer
} from "effect"
import { FetchHttpClient, HttpClient, HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Otlp, PrometheusMetrics } from "effect/observability"
import { TestClock } from "effect/testing"
import { GenServer, Metrics, Restart, StateContainer, Supervisor, Telemetry } from "../../../src/index.ts"
import { now, turns } from "../../kit/Fibers.ts"
import { recordedLog } from "../../kit/Log.ts"
import { layer as storeLayer, onSave, Scripted, Store } from "../../kit/Scripted.ts"

class Desk extends GenServer.Service<Desk>()("test/Desk", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, timeout: "infinity" }),
    Wait: GenServer.call({ timeout: "infinity" }),
    Note: GenServer.cast(),
    /** Is no request: what it fails with is a crash. */
    NoteWrong: GenServer.cast(),
    Stumble: GenServer.call(),
    Throw: GenServer.call(),
    Refuse: GenServer.call({ error: Schema.String }),
    Crash: GenServer.call(),
    Poison: GenServer.call({ redeliver: { maxAttempts: 1 } })
  }
}) {}

const behaviorOf = (gate: Latch.Latch) =>
  Desk.behavior({
    init: 0,
    handlers: {
      Add: (n, { by }) => [n + by, n + by],
      Wait: (n) => Effect.as(gate.await, [undefined, n] as const),
      Note: (n) => n + 1,
      // As from code without types.
      NoteWrong: () => Effect.fail("no") as Effect.Effect<never>,
      Stumble: () => Effect.interrupt,
      Throw: () => {
        throw new Error("thrown")
      },
      Refuse: () => Effect.fail("no"),
      Crash: () => Effect.die("boom"),
      Poison: () => {
        throw new Error("poison")
      }
    }
  })

const restart = Restart.intensity({ restarts: 9, within: "1 hour" })

const app = (options: Telemetry.ByClassOptions = {}, gate = Latch.makeUnsafe()) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one", restart }, [
    StateContainer.layerMemory(Desk),
    Desk.layer(behaviorOf(gate))
  ]).pipe(Layer.provide(Telemetry.byClass(options)))

const quietly = Effect.provideService(References.MinimumLogLevel, "None")

/** With a metric registry of its own. */
const isolated = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.provideService(test, Metric.MetricRegistry, new Map()))

const of = <State>(metric: Metric.Metric<number, State>, labels: Record<string, string> = {}) =>
  Metric.value(Metric.withAttributes(metric, { server: "test/Desk", ...labels }))

const countOf = (message: string, outcome: string) =>
  Effect.map(of(Metrics.classMessages, { message, outcome }), ({ count }) => count)

describe("by class", () => {
  it.effect("messages are counted by tag and outcome, and handlers timed", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      const gate = yield* Gate
      yield* desk.Add({ by: 1 })
      yield* desk.Add({ by: 1 })
      yield* desk.Note()
      yield* turns
      yield* Effect.exit(desk.Refuse())
      yield* Effect.exit(desk.Crash())
      yield* desk.NoteWrong()
      yield* turns
      yield* Effect.exit(desk.Stumble())
      const { reason } = yield* Effect.flip(desk.Throw())
      assert.include(reason._tag === "Crashed" ? Cause.pretty(reason.cause) : reason._tag, "thrown")
      const waiting = yield* now(desk.Wait())
      yield* TestClock.adjust("2 seconds")
      yield* gate.open
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(
        yield* Effect.all([
          countOf("Add", "handled"),
          countOf("Note", "handled"),
          countOf("Refuse", "failed"),
          countOf("Crash", "crashed"),
          countOf("Crash", "handled"),
          countOf("NoteWrong", "crashed"),
          countOf("Stumble", "crashed"),
          countOf("Wait", "handled")
        ]),
        [2, 1, 1, 1, 0, 1, 1, 1]
      )
      const { count, sum } = yield* of(Metrics.handlerTime, { message: "Wait" })
      assert.deepStrictEqual([count, sum], [1, 2])
      assert.strictEqual((yield* of(Metrics.handlerTime, { message: "Add" })).count, 2)
    }).pipe(quietly, withGate({}), isolated))

  it.effect("the time that messages wait, how many do, and what is in quarantine", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      const gate = yield* Gate
      yield* Effect.exit(desk.Poison())
      yield* turns
      const waiting = yield* now(desk.Wait())
      const behind = yield* now(desk.Add({ by: 1 }))
      yield* desk.Note()
      assert.strictEqual((yield* of(Metrics.classDepth)).value, 2)
      yield* TestClock.adjust("3 seconds")
      yield* gate.open
      yield* Fiber.join(waiting)
      yield* Fiber.join(behind)
      yield* turns
      const { count, max, min } = yield* of(Metrics.mailboxTime)
      assert.deepStrictEqual([count, min, max], [2, 3, 3])
      assert.deepStrictEqual([
        (yield* of(Metrics.classDepth)).value,
        (yield* of(Metrics.quarantined)).value,
        (yield* of(Metrics.live)).value
      ], [0, 1, 1])
    }).pipe(quietly, withGate({}), isolated))

  it.effect("crashes, restarts, and the time from a crash to the next message that is handled", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      yield* Effect.exit(desk.Crash())
      yield* TestClock.adjust("4 seconds")
      yield* desk.Add({ by: 1 })
      yield* desk.Add({ by: 1 })
      const { count, sum } = yield* of(Metrics.firstReplyTime)
      assert.deepStrictEqual([count, sum], [1, 4])
      assert.deepStrictEqual(
        [(yield* of(Metrics.classCrashes)).count, (yield* of(Metrics.classRestarts)).count],
        [1, 1]
      )
      // From the first of several, and a restart without a crash.
      yield* Effect.exit(desk.Crash())
      yield* TestClock.adjust("4 seconds")
      yield* Effect.exit(desk.Crash())
      yield* TestClock.adjust("4 seconds")
      yield* GenServer.stop(desk)
      yield* desk.Add({ by: 1 })
      const later = yield* of(Metrics.firstReplyTime)
      assert.deepStrictEqual([later.count, later.sum], [2, 12])
      assert.deepStrictEqual(
        [(yield* of(Metrics.classCrashes)).count, (yield* of(Metrics.classRestarts)).count],
        [3, 4]
      )
    }).pipe(quietly, withGate({}), isolated))

  it.effect("a server that a person resumes is no recovery: how long that took says nothing", () => {
    class Root extends Supervisor.Service<Root>()("root") {}
    return Effect.gen(function*() {
      const [desk, root] = [yield* Desk, yield* Root]
      yield* Effect.exit(desk.Crash())
      yield* TestClock.adjust("1 hour")
      yield* root.resumeChild("test/Desk")
      yield* desk.Add({ by: 1 })
      assert.strictEqual((yield* of(Metrics.firstReplyTime)).count, 0)
      assert.deepStrictEqual(
        [(yield* of(Metrics.classCrashes)).count, (yield* of(Metrics.classRestarts)).count],
        [1, 1]
      )
    }).pipe(
      quietly,
      Effect.provide(
        Root.layer({ strategy: "one_for_one", restart: Restart.never, onGiveUp: "park" }, [
          StateContainer.layerMemory(Desk),
          Desk.layer(behaviorOf(Latch.makeUnsafe()))
        ]).pipe(Layer.provide(Telemetry.byClass()))
      ),
      isolated
    )
  })

  it.effect("a crash after which a server is not started again is no restart", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      yield* Effect.exit(desk.Crash())
      assert.deepStrictEqual(
        [(yield* of(Metrics.classCrashes)).count, (yield* of(Metrics.classRestarts)).count],
        [1, 0]
      )
    }).pipe(
      quietly,
      Effect.provide(
        Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          StateContainer.layerMemory(Desk),
          Desk.layer(behaviorOf(Latch.makeUnsafe()), { restart: "temporary" })
        ]).pipe(Layer.provide(Telemetry.byClass()))
      ),
      isolated
    ))

  it.effect("the time from a commit until it is stored, and those that hibernate", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      script.before = onSave(() => Deferred.await(gate))
      const desk = yield* Desk
      const adding = yield* now(desk.Add({ by: 1 }))
      yield* TestClock.adjust("5 seconds")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(adding)
      const { count, sum } = yield* of(Metrics.commitTime)
      assert.deepStrictEqual([count, sum], [1, 5])
      assert.strictEqual((yield* of(Metrics.hibernating)).value, 0)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([(yield* of(Metrics.hibernating)).value, (yield* of(Metrics.live)).value], [1, 1])
    }).pipe(
      Effect.provide(
        Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          StateContainer.layerStore(Desk, { store: Store }),
          Desk.layer(behaviorOf(Latch.makeUnsafe()), { passivate: { after: "30 seconds" } })
        ]).pipe(Layer.provide(storeLayer(script)), Layer.provide(Telemetry.byClass()))
      ),
      isolated
    )
  })

  it.effect("totals never fall when a tree ends, and another goes on with them; what there is now is gone with it", () =>
    Effect.gen(function*() {
      const once = Effect.provide(Effect.flatMap(Desk, (desk) => desk.Add({ by: 1 })), app())
      yield* once
      assert.deepStrictEqual([yield* countOf("Add", "handled"), (yield* of(Metrics.live)).value], [1, 0])
      yield* once
      assert.strictEqual(yield* countOf("Add", "handled"), 2)
    }).pipe(isolated))

  it.effect("a behaviour that replaces another is counted as that was", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      yield* GenServer.replace(desk, behaviorOf(Latch.makeUnsafe()))
      yield* desk.Add({ by: 1 })
      assert.strictEqual(yield* countOf("Add", "handled"), 1)
    }).pipe(withGate({}), isolated))

  it.effect("nothing of it is there where it was not asked for", () =>
    Effect.gen(function*() {
      yield* Effect.flatMap(Desk, (desk) => desk.Add({ by: 1 }))
      const names = new Set((yield* Metric.snapshot).map(({ id }) => id))
      assert.isFalse(names.has("heirloom_server_messages_total"))
      assert.isTrue(names.has("heirloom_messages_total"))
    }).pipe(
      Effect.provide(
        Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          StateContainer.layerMemory(Desk),
          Desk.layer(behaviorOf(Latch.makeUnsafe()))
        ])
      ),
      isolated
    ))
})

class Gate extends Context.Service<Gate, Latch.Latch>()("test/Gate") {}

const withGate = (options: Telemetry.ByClassOptions) => {
  const gate = Latch.makeUnsafe()
  return Effect.provide(Layer.merge(Layer.succeed(Gate, gate), app(options, gate)))
}

describe("with spans", () => {
  it.effect("each message is one, below that of its sender, whatever its handler is", () => {
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      span(options) {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    return Effect.gen(function*() {
      const desk = yield* Desk
      assert.strictEqual(yield* Effect.withSpan(desk.Add({ by: 1 }), "asked"), 1)
      yield* desk.Note()
      yield* turns
      yield* Effect.exit(desk.Refuse())
      yield* Effect.exit(desk.Crash())
      const shown = spans.map(({ kind, name, parent, status }) => [
        name,
        kind,
        Option.match(parent, { onNone: () => "none", onSome: (parent) => parent._tag === "Span" ? parent.name : "" }),
        status._tag === "Ended" ? status.exit._tag : status._tag
      ])
      assert.deepStrictEqual(shown, [
        ["asked", "internal", "none", "Success"],
        ["test/Desk.Add", "server", "asked", "Success"],
        ["test/Desk.Note", "consumer", "none", "Success"],
        ["test/Desk.Refuse", "server", "none", "Failure"],
        ["test/Desk.Crash", "server", "none", "Failure"]
      ])
    }).pipe(quietly, withGate({ spans: true }), Effect.provideService(Tracer.Tracer, tracer), isolated)
  })
})

describe("foreign code that looks on", () => {
  const refuse = (): never => {
    throw new Error("no")
  }

  it.effect("takes its numbers and spans along when it throws, which is logged once, and no message", () => {
    const { layer, lines } = recordedLog()
    class Registry extends Map<string, Metric.Metric.Metadata<any, any>> {
      override set = refuse
    }
    const late = Tracer.make({ span: (options) => Object.assign(Tracer.nativeTracer.span(options), { end: refuse }) })
    const counting = (tracer: Tracer.Tracer) =>
      Effect.gen(function*() {
        const desk = yield* Desk
        for (let i = 1; i < 4; i++) assert.strictEqual(yield* desk.Add({ by: 1 }), i)
      }).pipe(
        Effect.provide(app({ spans: true })),
        Effect.provideService(Tracer.Tracer, tracer),
        Effect.provideService(Metric.MetricRegistry, new Registry())
      )
    return Effect.gen(function*() {
      for (const tracer of [Tracer.make({ span: refuse }), late]) {
        yield* counting(tracer)
        assert.deepStrictEqual(lines.splice(0).map(({ text }) => text), [
          "the metric registry failed: nothing is counted in it",
          "a metric registry failed: not all is counted in it",
          "a tracer failed: not all messages have a span"
        ])
      }
    }).pipe(Effect.provide(layer))
  })
})

describe("effect's own exporters have it", () => {
  it.live("Prometheus scrapes it over HTTP", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      yield* desk.Add({ by: 1 })
      yield* Effect.exit(desk.Crash())
      yield* desk.Add({ by: 1 })
      const response = yield* HttpClient.get("/metrics")
      assert.include(response.headers["content-type"], "text/plain")
      const lines = (yield* response.text).split("\n")
      for (
        const line of [
          "# TYPE heirloom_server_messages_total counter",
          "heirloom_server_messages_total{server=\"test/Desk\",message=\"Add\",outcome=\"handled\"} 2",
          "heirloom_server_messages_total{server=\"test/Desk\",message=\"Crash\",outcome=\"crashed\"} 1",
          "heirloom_handler_seconds_count{server=\"test/Desk\",message=\"Add\"} 2",
          "heirloom_server_restarts_total{server=\"test/Desk\"} 1",
          "heirloom_first_reply_seconds_count{server=\"test/Desk\"} 1",
          "heirloom_servers_live{server=\"test/Desk\"} 1",
          "heirloom_crashes_total 1"
        ]
      ) assert.include(lines, line)
    }).pipe(
      Effect.provide(app()),
      Effect.provide(
        HttpRouter.serve(PrometheusMetrics.layerHttp(), { disableLogger: true, disableListenLog: true }).pipe(
          Layer.provideMerge(NodeHttpServer.layerTest)
        )
      ),
      quietly,
      isolated
    ))

  it.live("OTLP sends it, and the spans", () => {
    const received: Record<string, Array<string>> = { metrics: [], traces: [], logs: [] }
    const collector = HttpRouter.add(
      "POST",
      "/v1/:signal",
      Effect.gen(function*() {
        const request = yield* HttpServerRequest.HttpServerRequest
        const signal = request.url.slice(request.url.lastIndexOf("/") + 1)
        received[signal]!.push(yield* request.text)
        return HttpServerResponse.jsonUnsafe({})
      })
    )
    return Effect.gen(function*() {
      const { address } = yield* HttpServer.HttpServer
      const port = "port" in address ? address.port : 0
      const exporter = Otlp.layerJson({
        baseUrl: `http://127.0.0.1:${port}`,
        resource: { serviceName: "office" }
      }).pipe(Layer.provide(FetchHttpClient.layer))
      // What is left is sent when the exporter's scope closes.
      yield* Effect.flatMap(Desk, (desk) => desk.Add({ by: 1 })).pipe(
        Effect.provide(app({ spans: true }).pipe(Layer.provideMerge(exporter)))
      )
      const [metrics, traces] = [received["metrics"]!.join("\n"), received["traces"]!.join("\n")]
      for (const name of ["heirloom_server_messages_total", "heirloom_handler_seconds", "heirloom_messages_total"]) {
        assert.include(metrics, `"name":"${name}"`)
      }
      assert.include(metrics, "test/Desk")
      assert.include(traces, "\"name\":\"test/Desk.Add\"")
    }).pipe(
      Effect.provide(
        HttpRouter.serve(collector, { disableLogger: true, disableListenLog: true }).pipe(
          Layer.provideMerge(NodeHttpServer.layerTest)
        )
      ),
      quietly,
      isolated
    )
  })
})
