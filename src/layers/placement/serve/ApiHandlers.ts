/**
 * What the routes of an api do: the guard before each, the message that it sends, and what is answered elsewhere.
 *
 * @since 0.1.0
 */
import { Cause, Effect, Layer } from "effect"
import { HttpEffect, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, type HttpApiEndpoint, HttpApiError, type HttpApiGroup } from "effect/http-api"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import { type Refused, refused } from "../../../domain/placement/Refused.ts"
import { retryAfter, Unanswered } from "../../../domain/placement/Unanswered.ts"
import { isInstance } from "../../../domain/text/ForeignText.ts"
import { Guard } from "./Api.ts"
import { apiOf } from "./Given.ts"
import { issuesOf } from "./Issues.ts"
import { admitting, boundsOf, type Limits, readText, unreadable } from "./Limits.ts"
import { methods, otherMethods, problem } from "./Problem.ts"
import { type Demand, type KeyedSource, type Method, type OneSource, sender, within } from "./Source.ts"

// ---- The guard.

const partOf: { readonly [Kind in HttpApiError.HttpApiSchemaError["kind"]]: string } = {
  Params: "path",
  Headers: "headers",
  Query: "query",
  Payload: "body",
  Body: "answer",
  ResponseHeaders: "answer"
}

/** What is wrong with a request; a reply that does not fit its own schema is a fault of the service, for its log. */
const refusalOf = ({ cause, kind }: HttpApiError.HttpApiSchemaError): Effect.Effect<never, Refused> =>
  kind === "Body" || kind === "ResponseHeaders"
    ? Effect.andThen(Effect.logError("A reply does not fit its schema", cause), Effect.fail(refused(500)))
    : Effect.fail(
      refused(400, { detail: "The request is not what this takes.", errors: issuesOf(partOf[kind], cause) })
    )

/** After how many seconds a request that failed so may be sent again. */
const secondsOf = (error: unknown): number | undefined =>
  isInstance(error, Unanswered) ? retryAfter(error) : (error as Refused).retryAfter

const withRetryAfter = (error: unknown) => {
  const seconds = secondsOf(error)
  return seconds === undefined ?
    Effect.void :
    HttpEffect.appendPreResponseHandler((_request, response) =>
      Effect.succeed(HttpServerResponse.setHeader(response, "retry-after", `${seconds}`))
    )
}

/**
 * The Layer of a `Guard`: for groups that `api` did not make. `apiLayer` has its own.
 *
 * **When to use**
 *
 * `api.middleware(Serve.Guard)` puts it before routes of your own whose bodies are JSON: they have the limits that are
 * given here, what is wrong with a request is answered with a problem document, and `Unanswered` has its status and
 * `Retry-After`.
 *
 * @category layers
 * @since 0.1.0
 */
export const guard = (limits: Limits = {}): Layer.Layer<Guard> =>
  Layer.effect(
    Guard,
    Effect.gen(function*() {
      const bounds = boundsOf(limits)
      const admit = yield* admitting(limits)
      return (answer, { endpoint }) =>
        Effect.gen(function*() {
          const request = yield* HttpServerRequest.HttpServerRequest
          yield* admit(request)
          const unread = unreadable(request, ["application/json"])
          if (unread !== undefined) return yield* unread
          yield* readText(request, bounds)
          return yield* within(answer, endpoint.identifier, bounds.millis)
        }).pipe(
          Effect.catch((error) => HttpApiError.HttpApiSchemaError.is(error) ? refusalOf(error) : Effect.fail(error)),
          Effect.catchCauseIf(
            Cause.hasDies,
            (cause) => Effect.andThen(Effect.logError("A request died", cause), Effect.fail(refused(500)))
          ),
          Effect.tapError(withRetryAfter)
        )
    })
  )

// ---- The handlers.

/** What a client has to have for the routes of an api. */
export type ClientOfApi<Endpoints extends HttpApiEndpoint.Constraint> = {
  readonly [E in Endpoints as HttpApiEndpoint.Identifier<E>]: E extends
    HttpApiEndpoint.HttpApiEndpoint<any, any, any, any, any, infer P, any, infer A, infer Err, any, any>
    ? Method<P["Type"], A["Type"], Err["Type"]>
    : never
}

type IsKeyedApi<Endpoints> = Endpoints extends
  HttpApiEndpoint.HttpApiEndpoint<any, any, any, infer Params, any, any, any, any, any, any, any>
  ? [Params] extends [never] ? false : true
  : never

/** Where the messages of an api go. */
export type ApiSource<Endpoints extends HttpApiEndpoint.Constraint> = true extends IsKeyedApi<Endpoints>
  ? KeyedSource<ClientOfApi<Endpoints>>
  : OneSource<ClientOfApi<Endpoints>>

/** What a request of an api has, whatever its route. */
interface Asked {
  readonly params?: { readonly key: string }
  readonly headers?: { readonly "idempotency-key"?: string }
  readonly payload: unknown
}

/**
 * Makes the handlers of a group that `api` made: each sends its message to a server.
 *
 * **When to use**
 *
 * Beside `HttpApiBuilder.layer(api)`, which makes routes of them.
 *
 * **Details**
 *
 * `source` is the server's class, or an Effect of a client with its methods. Of servers by key it is a function:
 * `(key) => Counter.at(key)`; or an Effect of one, as `ClusterServer.client(Counter)` is. What it needs is taken from
 * the context of this Layer, or of the request where a middleware provides it. A server is asked for when its request
 * has been found to be right, and not before.
 *
 * @category layers
 * @since 0.1.0
 */
export const apiLayer = <
  ApiId extends string,
  Groups extends HttpApiGroup.Constraint,
  const Name extends HttpApiGroup.Identifier<Groups>,
  Endpoints extends HttpApiGroup.EndpointsWithIdentifier<Groups, Name>,
  S extends ApiSource<Endpoints>
>(
  api: HttpApi.HttpApi<ApiId, Groups>,
  name: Name,
  source: S,
  limits: Limits = {}
): Layer.Layer<
  HttpApiGroup.Service<ApiId, Name>,
  never,
  | Exclude<Demand<S>, HttpApiEndpoint.MiddlewareProvides<Endpoints>>
  | Exclude<HttpApiEndpoint.Middleware<Endpoints>, Guard>
  | HttpApiEndpoint.MiddlewareServices<Endpoints>
> =>
  Layer.suspend(() => {
    const of = "Serve.apiLayer"
    const { groups } = apiOf(of, api)
    if (!Object.hasOwn(groups, name)) {
      GivenOption.refuse(
        { of, option: "name", given: name },
        `the name of a group of the api, ${GivenOption.words(Object.keys(groups))}`
      )
    }
    // `HttpApiBuilder` asks for the handlers of tags that are known; these are of any.
    return (HttpApiBuilder.group as any)(
      api,
      name,
      Effect.fnUntraced(function*(handlers: any) {
        const send = yield* sender(of, source)
        for (const tag of Object.keys(handlers.group.endpoints)) {
          handlers.handle(tag, ({ headers, params, payload }: Asked) =>
            send(tag, params?.key, payload, headers?.["idempotency-key"]))
        }
        return handlers
      })
    ).pipe(Layer.provide(guard(limits)))
  })

// ---- What no route takes.

/**
 * Answers what no route of an api takes: a path that has other methods with 405 and `Allow`, a message that there is
 * not with 404.
 *
 * Of the paths that an api has; add it beside `HttpApiBuilder.layer(api)`. Without it a router answers both 404, and
 * says nothing.
 *
 * @category layers
 * @since 0.1.0
 */
export const unknown = <ApiId extends string, Groups extends HttpApiGroup.Constraint>(
  api: HttpApi.HttpApi<ApiId, Groups>
): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  HttpRouter.use((router) => {
    const allowed = new Map<`/${string}`, Array<string>>()
    const below = new Set<`/${string}`>()
    HttpApi.reflect(apiOf("Serve.unknown", api), {
      onGroup: () => {},
      onEndpoint: ({ endpoint }) => {
        const path = `/${endpoint.path.slice(1)}` as const
        allowed.set(path, [...allowed.get(path) ?? [], endpoint.method])
        const first = path.split("/")[1]!
        if (/^[^:*]+$/.test(first) && path !== `/${first}`) below.add(`/${first}/*`)
      }
    })
    const other = Array.from(allowed, ([path, has]) => otherMethods(router, path, has))
    const none = problem(refused(404, { detail: "There is no such message." }))
    const else_ = Array.from(below, (path) => Effect.forEach(methods, (method) => router.add(method, path, none)))
    return Effect.all([...other, ...else_], { discard: true })
  })
