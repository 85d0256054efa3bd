/**
 * A group over HTTP and WebSocket: effect's own protocols, with a check of every message before its server.
 *
 * *Tricky*
 * - In effect a payload that does not fit is a defect of the caller, an unknown message too, and JSON that was cut off
 *   is answered with nothing. Here each is looked at before effect has it: one that names a request is answered
 *   `Refused`, as a failure of that request; one that does not is a problem document over HTTP, and a defect of the
 *   connection over WebSocket.
 * - What a defect inside says does not cross: it is `Refused` with status 500, and in the log.
 * - Over HTTP the status of a single request's answer is that of what it failed with, and says when to send it again.
 *
 * @since 0.1.0
 */
import { Cause, type Context, Effect, Layer, Option, Schema } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Rpc, type RpcGroup, type RpcMessage, RpcSerialization, RpcServer } from "effect/rpc"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import { isDeeper, Refused, refused } from "../../../domain/placement/Refused.ts"
import { retryAfter, statusOf, Unanswered } from "../../../domain/placement/Unanswered.ts"
import { groupOf, pathOf } from "./Given.ts"
import { issuesOf, strictly } from "./Issues.ts"
import {
  type Admit,
  admitting,
  type Bounds,
  boundsOf,
  type Limits,
  notText,
  readText,
  textOf,
  tooDeep,
  unreadable
} from "./Limits.ts"
import { encodeRefused, otherMethods, problem } from "./Problem.ts"

type Serialization = RpcSerialization.RpcSerialization["Service"]
type Protocol = RpcServer.Protocol["Service"]
type Request = HttpServerRequest.HttpServerRequest
type FromClient = RpcMessage.FromClientEncoded
type FromServer = RpcMessage.FromServerEncoded

// ---- Frames.

/** What stands for a frame that is no message: it never leaves this module. */
class Unreadable {
  readonly _tag = "Unreadable"
  readonly refused: Refused
  constructor(refused: Refused) {
    this.refused = refused
  }
}

const isId = (id: unknown): boolean => typeof id === "string" || typeof id === "number"

const isHeader = (header: unknown): boolean =>
  Array.isArray(header) && header.length === 2 && header.every((part) => typeof part === "string")

/** A message of the protocol; of any other value what it is not. */
const messageOf = (item: any): FromClient | Unreadable => {
  const none = (detail: string) => new Unreadable(refused(400, { detail }))
  if (typeof item !== "object" || item === null || Array.isArray(item)) return none("A message is an object.")
  switch (Object.hasOwn(item, "_tag") ? item._tag : undefined) {
    case "Request": {
      const headers = item.headers ?? []
      if (item.isNotification !== true && !isId(item.id)) return none("A request has an id.")
      if (typeof item.tag !== "string") return none("A request has a tag.")
      if (!Array.isArray(headers) || !headers.every(isHeader)) return none("Headers are pairs of texts.")
      return { ...item, headers }
    }
    case "Ack":
    case "Interrupt":
      return isId(item.requestId) ? item : none("This names no request.")
    case "Eof":
    case "Ping":
      return item
    default:
      return none("This is no message of the protocol.")
  }
}

type Messages = ReadonlyArray<FromClient | Unreadable>

/** A frame is taken whole, or not at all. */
const wholly = (messages: Messages): Messages => {
  const bad = messages.find((message) => message instanceof Unreadable)
  return bad === undefined ? messages : [bad]
}

/** A body has requests, each with an id of its own: what else there is in the protocol is about a connection. */
const ofBody = (messages: Messages): Messages => {
  const ids = messages.flatMap((message) =>
    message._tag === "Request" && message.isNotification !== true ? [`${message.id}`] : []
  )
  if (messages.some(({ _tag }) => _tag !== "Request" && _tag !== "Unreadable")) {
    return [new Unreadable(refused(400, { detail: "A body has requests, and nothing else." }))]
  }
  return ids.length === new Set(ids).size
    ? messages
    : [new Unreadable(refused(400, { detail: "Two requests have one id." }))]
}

/** The same serialization, for frames that are whole and may be anything: it never throws. */
const careful = (
  inner: Serialization,
  { bytes, depth }: Bounds,
  protocol: "http" | "websocket"
): Serialization => ({
  ...inner,
  makeUnsafe: () => {
    const parser = inner.makeUnsafe()
    const decode = (data: Uint8Array | string): ReadonlyArray<unknown> => {
      if (data.length > bytes) return [new Unreadable(refused(413, { detail: `A frame has ${bytes} bytes at most.` }))]
      const text = typeof data === "string" ? data : textOf(data)
      if (text === undefined) return [new Unreadable(notText)]
      if (isDeeper(text, depth)) return [new Unreadable(tooDeep(depth))]
      let items: ReadonlyArray<unknown>
      try {
        items = parser.decode(inner.includesFraming && !text.endsWith("\n") ? `${text}\n` : text)
      } catch {
        return [new Unreadable(refused(400, { detail: "This is not JSON." }))]
      }
      if (items.length === 0) return [new Unreadable(refused(400, { detail: "There is no message." }))]
      const messages = wholly(items.map(messageOf))
      return protocol === "http" ? ofBody(messages) : messages
    }
    return { decode, encode: parser.encode }
  }
})

// ---- Messages.

/** What came of the messages of one HTTP request. */
interface Outcome {
  readonly client: number
  unreadable: Refused | undefined
  requests: number
  status: number
  seconds: number | undefined
}

/**
 * The HTTP requests that are under way, by effect's number for them. Those of a WebSocket are not noted: they have no
 * status.
 */
class Outcomes {
  private readonly byClient = new Map<number, Outcome>()
  private readonly byRequest = new WeakMap<Request, Outcome>()

  of(client: number, request: Request): Outcome {
    let outcome = this.byClient.get(client)
    if (outcome === undefined) {
      outcome = { client, unreadable: undefined, requests: 0, status: 200, seconds: undefined }
      this.byClient.set(client, outcome)
      this.byRequest.set(request, outcome)
    }
    return outcome
  }

  /** Notes what an answer failed with. */
  failed(client: number, error: unknown): void {
    const outcome = this.byClient.get(client)
    if (outcome === undefined) return
    if (isRefused(error)) {
      outcome.status = error.status
      outcome.seconds = error.retryAfter
    }
    const unanswered = Option.getOrUndefined(decodeUnanswered(error))
    if (unanswered === undefined) return
    outcome.status = statusOf(unanswered)
    outcome.seconds = retryAfter(unanswered)
  }

  /** Takes what came of a request that is over. */
  take(request: Request): Outcome | undefined {
    const outcome = this.byRequest.get(request)
    if (outcome !== undefined) this.byClient.delete(outcome.client)
    return outcome
  }
}

const failed = (requestId: string | number, refused: Refused): FromServer => ({
  _tag: "Exit",
  requestId,
  exit: { _tag: "Failure", cause: [{ _tag: "Fail", error: encodeRefused(refused) }] }
})

const isRefused = Schema.is(Schema.toEncoded(Refused))
const decodeUnanswered = Schema.decodeUnknownOption(Unanswered)

/** A defect without what it says. */
const withoutDefects = (response: FromServer): FromServer => {
  if (response._tag === "Defect") return { ...response, defect: encodeRefused(refused(500)) }
  if (response._tag !== "Exit" || response.exit._tag === "Success") return response
  return response.exit.cause.some(({ _tag }) => _tag === "Die") ? failed(response.requestId, refused(500)) : response
}

const notTaken = refused(400, { detail: "This was not taken: a request with its id is under way." })

type Read = (payload: unknown) => Effect.Effect<unknown, Schema.SchemaError>

const guarded = (
  protocol: Protocol,
  rpcs: ReadonlyMap<string, Rpc.AnyWithProps>,
  context: Context.Context<never>,
  admit: Admit,
  outcomes: Outcomes | undefined
): Protocol => {
  const readers = new Map<string, Read>()
  const readerOf = (rpc: Rpc.AnyWithProps): Read => {
    let read = readers.get(rpc._tag)
    if (read === undefined) {
      const decode = Schema.decodeUnknownEffect(protocol.codecFor(rpc.payloadSchema), strictly)
      read = (payload) => Effect.provideContext(decode(payload), context as Context.Context<any>)
      readers.set(rpc._tag, read)
    }
    return read
  }
  const check = (rpc: Rpc.AnyWithProps, payload: unknown): Effect.Effect<void, Refused> =>
    Effect.suspend(() => readerOf(rpc)(payload)).pipe(
      Effect.mapError((error) =>
        refused(400, { detail: "The request is not what this takes.", errors: issuesOf("payload", error) })
      ),
      // What the user's own schema does may throw.
      Effect.catchCauseIf(Cause.hasDies, () => Effect.fail(refused(400, { detail: "The payload could not be read." })))
    )
  const send: Protocol["send"] = (clientId, response, transferables) => {
    const harmless = withoutDefects(response)
    if (outcomes !== undefined && harmless._tag === "Exit" && harmless.exit._tag === "Failure") {
      for (const part of harmless.exit.cause) if (part._tag === "Fail") outcomes.failed(clientId, part.error)
    }
    const sent = protocol.send(clientId, harmless, transferables)
    return harmless === response ? sent : Effect.andThen(Effect.logError("An answer could not be sent", response), sent)
  }
  return {
    ...protocol,
    send,
    run: (f) =>
      protocol.run((clientId, message: FromClient | Unreadable) =>
        Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
          const outcome = outcomes?.of(clientId, request)
          if (message instanceof Unreadable) {
            if (outcome !== undefined) outcome.unreadable = message.refused
            return protocol.send(clientId, { _tag: "Defect", defect: encodeRefused(message.refused) })
          }
          if (message._tag !== "Request") return f(clientId, message)
          if (outcome !== undefined) outcome.requests++
          const rpc = rpcs.get(message.tag)
          const allowed = Effect.andThen(
            admit(request),
            rpc === undefined
              ? Effect.fail(refused(404, { detail: "There is no such message." }))
              : check(rpc, message.payload)
          )
          return Effect.matchEffect(allowed, {
            // Effect takes no second request of an id that is in use, and interrupts what brings it.
            onSuccess: () =>
              Effect.catchCauseIf(
                f(clientId, message),
                Cause.hasInterruptsOnly,
                () => protocol.send(clientId, { _tag: "Defect", defect: encodeRefused(notTaken) })
              ),
            onFailure: (refused) =>
              message.isNotification === true ? Effect.void : send(clientId, failed(message.id, refused))
          })
        }) as Effect.Effect<void>
      )
  }
}

// ---- Routes.

const answering = (httpEffect: HttpEffect, bounds: Bounds, contentType: string, outcomes: Outcomes) =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const unread = unreadable(request, [contentType, "application/json"])
    if (unread !== undefined) return problem(unread)
    yield* readText(request, bounds)
    const response = yield* Effect.onExit(
      httpEffect,
      (exit) => Effect.sync(() => exit._tag === "Failure" ? outcomes.take(request) : undefined)
    )
    const outcome = outcomes.take(request)
    if (outcome?.unreadable !== undefined) return problem(outcome.unreadable)
    if (outcome?.requests !== 1 || outcome.status === 200) return response
    const answer = HttpServerResponse.setStatus(response, outcome.status)
    return outcome.seconds === undefined
      ? answer
      : HttpServerResponse.setHeader(answer, "retry-after", `${outcome.seconds}`)
  }).pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, bounds.body),
    Effect.catch((refused) => Effect.succeed(problem(refused)))
  )

type HttpEffect = Effect.Success<ReturnType<typeof RpcServer.makeProtocolWithHttpEffect>>["httpEffect"]

const upgrading = (httpEffect: HttpEffect) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) =>
    headers["upgrade"]?.toLowerCase() === "websocket"
      ? httpEffect
      : Effect.succeed(problem(refused(400, { detail: "This takes a WebSocket." }))))

/**
 * Where a group is served, and its limits.
 *
 * @category options
 * @since 0.1.0
 */
export interface HttpOptions<Rpcs extends Rpc.Any> extends Omit<Limits, "time"> {
  readonly group: RpcGroup.RpcGroup<Rpcs>
  readonly path: HttpRouter.PathInput
  /** `"http"`: a `POST` for each request. `"websocket"` by default, as in effect: a connection for many. */
  readonly protocol?: "http" | "websocket" | undefined
  /** How long a body may take to come; 30 seconds by default. */
  readonly time?: Limits["time"]
}

/**
 * Serves a group on a path of a router: what `RpcServer.layerHttp` does, with limits, and with an answer to whatever
 * comes.
 *
 * **When to use**
 *
 * For a group that `group` made; the handlers are from `layer`. Clients are `RpcClient.make` over effect's own
 * protocols.
 *
 * **Details**
 *
 * Every payload is checked before its handler, and may have no field that its schema does not have. What is wrong fails
 * its request with `Refused`. The serialization has to be one of JSON: `RpcSerialization.layerNdjson`, `layerJson`,
 * `layerJsonRpc`.
 *
 * **Gotchas**
 *
 * On the client's side effect's `RpcClient.layerProtocolSocket` holds the connection in the scope that it is built in:
 * `Effect.provide` around `RpcClient.make` closes it at once, and every call waits for ever. Provide it to the Layer of
 * your client, or to the whole program.
 *
 * A Node server listens on every address unless it is given a `host`: `127.0.0.1` keeps it on this machine.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttp = <Rpcs extends Rpc.Any>(
  options: HttpOptions<Rpcs>
): Layer.Layer<
  never,
  never,
  | RpcSerialization.RpcSerialization
  | HttpRouter.HttpRouter
  | Rpc.ToHandler<Rpcs>
  | Rpc.Middleware<Rpcs>
  | Rpc.ServicesServer<Rpcs>
> =>
  Layer.suspend(() => {
    const of = "Serve.layerHttp"
    const { group, path, protocol = "websocket", ...limits } = GivenOption.options(of, options)
    groupOf(of, group)
    GivenOption.oneOf({ of, option: "protocol", given: protocol }, ["http", "websocket"])
    pathOf(of, path)
    return RpcServer.layer(group, { disableFatalDefects: true }).pipe(
      Layer.provide(Layer.effect(
        RpcServer.Protocol,
        Effect.gen(function*() {
          const bounds = boundsOf(limits)
          const admit = yield* admitting(limits)
          const serialization = yield* RpcSerialization.RpcSerialization
          const { contentType } = serialization
          if (!contentType.includes("json")) {
            GivenOption.refuse({ of, option: "the serialization", given: contentType }, "one of JSON")
          }
          const router = yield* HttpRouter.HttpRouter
          const context = yield* Effect.context<never>()
          const outcomes = new Outcomes()
          const made = yield* (protocol === "http"
            ? RpcServer.makeProtocolWithHttpEffect()
            : RpcServer.makeProtocolWithHttpEffectWebsocket).pipe(
              Effect.provideService(RpcSerialization.RpcSerialization, careful(serialization, bounds, protocol))
            )
          const [method, handler] = protocol === "http"
            ? ["POST", answering(made.httpEffect, bounds, contentType, outcomes)] as const
            : ["GET", upgrading(made.httpEffect)] as const
          yield* router.add(method, path, handler)
          yield* otherMethods(router, path, [method])
          // The schemas of an Rpc are there at run time, whatever is known of its type.
          const rpcs = group.requests as unknown as ReadonlyMap<string, Rpc.AnyWithProps>
          return guarded(made.protocol, rpcs, context, admit, protocol === "http" ? outcomes : undefined)
        })
      ))
    )
  })
