/**
 * The front of the office: what listens, before the servers are up and until the last request is answered.
 *
 *   starting    the port is bound, every request is answered 503
 *   open        the servers are up
 *   draining    not ready any more; what comes is answered, and each connection ends with its answer
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Cause, Context, Duration, Effect, ErrorReporter, Exit, Layer, Metric, Scope } from "effect"
import { HttpEffect, HttpRouter, HttpServer, HttpServerError, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { createServer } from "node:http"
import { Serve } from "../../serve.ts"
import { Opened, Unavailable } from "./Api.ts"
import { Routes } from "./Routes.ts"
import type { Servers } from "./Tree.ts"

export interface Options {
  readonly host: string
  /** 0 takes one that is free. */
  readonly port: number
  /** How long requests are taken after readiness has gone: what sends them has to hear of it. */
  readonly linger: Duration.Duration
}

type Phase =
  | { readonly _tag: "Starting" }
  | { readonly _tag: "Open" | "Draining"; readonly servers: Context.Context<Servers> }

/** What is asked by every request, and moves on twice. */
interface Gate {
  phase: Phase
}

// ---- What each request passes.

/** Gives it the servers, beside what it has itself. */
const opened = (gate: Gate) => {
  const servers: Effect.Effect<Context.Context<Servers>, Unavailable> = Effect.suspend(() =>
    gate.phase._tag === "Starting" ? new Unavailable({ why: "Starting" }) : Effect.succeed(gate.phase.servers)
  )
  return Layer.succeed(
    Opened,
    (request) =>
      Effect.flatMap(
        servers,
        (servers) => Effect.updateContext(request, (own: Context.Context<never>) => Context.merge(servers, own))
      )
  )
}

const requests = Metric.counter("office_requests_total", {
  description: "Requests that were answered, by status",
  incremental: true
})

/** Counts its answer, and lets its connection end with it when no further request is wanted. */
const answering = (gate: Gate) =>
  HttpEffect.withPreResponseHandler((_request, response) =>
    Effect.as(
      Metric.update(Metric.withAttributes(requests, { status: `${response.status}` }), 1),
      gate.phase._tag === "Draining" ? HttpServerResponse.setHeader(response, "connection", "close") : response
    )
  )

/** What it dies of is a 500 for its client, and a line in the log. A body that is too large is the client's affair. */
const logDefects = ErrorReporter.make(({ cause, fiber }) => {
  if (!Cause.hasDies(cause) || HttpServerError.isHttpServerError(Cause.squash(cause))) return
  Effect.runForkWith(fiber.context)(Effect.logError("a request died", cause))
})

// ---- What an orchestrator asks: whether the process is alive, and whether to send it requests.

const health = (gate: Gate) =>
  HttpRouter.use(Effect.fnUntraced(function*(router) {
    yield* router.add("GET", "/health/live", HttpServerResponse.text("live\n"))
    yield* router.add(
      "GET",
      "/health/ready",
      Effect.sync(() =>
        gate.phase._tag === "Open"
          ? HttpServerResponse.text("ready\n")
          : HttpServerResponse.text(`${gate.phase._tag.toLowerCase()}\n`, { status: 503 })
      )
    )
  }))

// ---- All of it, on a port.

const listening = (gate: Gate, { host, port }: Options) =>
  Layer.mergeAll(Routes, health(gate), PrometheusMetrics.layerHttp()).pipe(
    Layer.provide([opened(gate), Serve.guard({ body: "16 KiB" })]),
    (routes) => HttpRouter.serve(routes, { middleware: answering(gate), disableLogger: true, disableListenLog: true }),
    Layer.provide(ErrorReporter.layer([logDefects])),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { host, port }))
  )

export class Front extends Context.Service<Front, {
  /** Where it listens. */
  readonly url: string
  readonly open: (servers: Context.Context<Servers>) => Effect.Effect<void>
  /** Takes no more, and waits for what it has taken. */
  readonly drain: Effect.Effect<void>
}>()("office/Front") {
  static readonly layer = (options: Options): Layer.Layer<Front, HttpServerError.ServeError> =>
    Layer.effect(
      Front,
      Effect.gen(function*() {
        const gate: Gate = { phase: { _tag: "Starting" } }
        // Closed by `drain`, while the servers are still there; by the end of this Layer, if it has not come to that.
        const scope = yield* Scope.fork(yield* Effect.scope)
        const context = yield* Layer.buildWithScope(listening(gate, options), scope)
        return {
          url: HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address),
          open: (servers) => Effect.sync(() => void (gate.phase = { _tag: "Open", servers })),
          drain: Effect.gen(function*() {
            if (gate.phase._tag === "Open") gate.phase = { _tag: "Draining", servers: gate.phase.servers }
            yield* Effect.logInfo(`not ready any more; takes requests for another ${Duration.format(options.linger)}`)
            yield* Effect.sleep(options.linger)
            yield* Scope.close(scope, Exit.void)
            yield* Effect.logInfo("every request that was taken is answered")
          })
        }
      })
    )
}
