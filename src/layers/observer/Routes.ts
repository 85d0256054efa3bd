/**
 * What the observer answers over HTTP: the page, a stream of events for each reader, and what a page asks.
 *
 * Every request is asked for its host, its origin and the token before anything else. What it brings is decoded.
 *
 * @since 0.1.0
 */
import { type Cause, Effect, Layer, Queue, Random, Redacted, type Schema, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { foreign, isAuthorised, type Request } from "../../domain/observer/Access.ts"
import { Action, Place, View } from "../../domain/observer/Requests.ts"
import { serverOf } from "../server/class/ServerRef.ts"
import { act } from "./Actions.ts"
import { differenceOf, snapshotsOf } from "./look/Look.ts"
import type { Page } from "./Page.ts"
import type { Sampler } from "./Sampler.ts"

/** Who may ask, and what. */
export interface Access {
  readonly actions: boolean
  readonly hosts: ReadonlyArray<string>
  readonly token: Redacted.Redacted<string> | undefined
}

type Handler<E, R> = (
  request: HttpServerRequest.HttpServerRequest
) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

const headers = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin"
}

const refusal = (status: number, why: string) => HttpServerResponse.jsonUnsafe({ why }, { status, headers })

const answer = (body: unknown) => HttpServerResponse.jsonUnsafe(body, { headers })

const asked = ({ headers }: HttpServerRequest.HttpServerRequest): Request => ({
  host: headers["host"],
  origin: headers["origin"],
  authorization: headers["authorization"]
})

/** Decodes what a request brings, or refuses it. */
const reading = <S extends Schema.ConstraintDecoder<unknown>, E, R>(
  schema: S,
  handler: (body: S["Type"]) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Handler<E, R | HttpServerRequest.HttpServerRequest> =>
() =>
  HttpServerRequest.schemaBodyJson(schema as Schema.ConstraintDecoder<S["Type"]>).pipe(
    Effect.matchEffect({
      onFailure: () => Effect.succeed(refusal(400, "What was sent is not what this takes.")),
      onSuccess: handler
    })
  )

/** A query parameter that is a whole number. */
const numberOf = (request: HttpServerRequest.HttpServerRequest, name: string): number =>
  Number(new URL(request.url, "http://observer").searchParams.get(name) ?? Number.NaN)

const encoder = new TextEncoder()

/** A name that nothing else has. */
export const draw: Effect.Effect<string> = Effect.map(
  Effect.all([Random.nextInt, Random.nextInt]),
  (parts) => parts.map((part) => Math.abs(part).toString(36)).join("-")
)

/** The stream of one reader: it is one as long as it is read. */
const events = (sampler: Sampler): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.gen(function*() {
    const id = yield* draw
    const queue = yield* Queue.unbounded<string, Cause.Done>()
    const reader = sampler.open(id, queue)
    if (reader === undefined) return refusal(503, "There are too many readers: close a page.")
    const stream = Stream.fromQueue(queue).pipe(
      Stream.map((text) => encoder.encode(text)),
      Stream.ensuring(Effect.sync(() => sampler.close(reader)))
    )
    return HttpServerResponse.stream(stream, {
      contentType: "text/event-stream",
      headers: { ...headers, "x-accel-buffering": "no" }
    })
  })

/** The routes, in whatever router they are added to. */
export const routes = (sampler: Sampler, page: Page, { actions, hosts, token }: Access) => {
  const secret = token === undefined ? undefined : Redacted.value(token)
  const guarded = <E, R>(handler: Handler<E, R>, isOpen = false): Handler<E, R> => (request) => {
    const given = asked(request)
    const why = foreign(given, hosts)
    if (why !== undefined) return Effect.succeed(refusal(403, why))
    if (!isOpen && !isAuthorised(given, secret)) return Effect.succeed(refusal(401, "A token is asked for."))
    return handler(request)
  }
  const ofServer = (
    make: (
      server: NonNullable<ReturnType<typeof serverOf>>,
      request: HttpServerRequest.HttpServerRequest
    ) => Effect.Effect<unknown>
  ) =>
    guarded((request) => {
      const process = sampler.known(numberOf(request, "n"))
      const server = process && serverOf(process)
      if (server === undefined) return Effect.succeed(refusal(404, "There is no such server any more."))
      return Effect.catchCause(
        Effect.map(make(server, request), answer),
        () => Effect.succeed(refusal(503, "Its store does not answer."))
      )
    })
  return Layer.mergeAll(
    // It holds no secret: it asks for the token itself.
    HttpRouter.add(
      "GET",
      "/",
      guarded(
        () =>
          Effect.succeed(HttpServerResponse.text(page.html, {
            contentType: "text/html; charset=utf-8",
            headers: { ...headers, "content-security-policy": page.policy }
          })),
        true
      )
    ),
    HttpRouter.add("GET", "/events", guarded(() => events(sampler))),
    HttpRouter.add(
      "POST",
      "/view",
      guarded(
        reading(
          View,
          (view) =>
            Effect.sync(() => sampler.looksAt(view) ? answer({}) : refusal(404, "There is no such reader any more."))
        )
      )
    ),
    HttpRouter.add(
      "POST",
      "/find",
      guarded(reading(Place, ({ path }) => Effect.sync(() => answer({ way: sampler.find(path) }))))
    ),
    HttpRouter.add("GET", "/snapshots", ofServer((server) => Effect.map(snapshotsOf(server), (kept) => ({ kept })))),
    HttpRouter.add(
      "GET",
      "/difference",
      ofServer((server, request) =>
        Effect.map(differenceOf(server, numberOf(request, "from"), numberOf(request, "to")), (text) => ({ text }))
      )
    ),
    HttpRouter.add(
      "POST",
      "/actions",
      guarded(reading(Action, (action) => {
        if (!actions) return Effect.succeed(refusal(403, "This observer only looks: it was made without actions."))
        const process = sampler.known(action.n)
        if (process === undefined) return Effect.succeed(refusal(404, "There is no such process any more."))
        return Effect.match(act(action, process), {
          onFailure: ({ why }) => refusal(409, why),
          onSuccess: (said) => answer({ said })
        })
      }))
    )
  )
}
