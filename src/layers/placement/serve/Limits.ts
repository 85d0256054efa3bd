/**
 * What a service takes of a request: how large, how deep, how often, and for how long.
 *
 * @since 0.1.0
 */
import { ByteSize, Clock, Duration, Effect, Option } from "effect"
import { HttpIncomingMessage, type HttpServerRequest } from "effect/http"
import { RateLimiter } from "effect/persistence"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import { isDeeper, type Refused, refused } from "../../../domain/placement/Refused.ts"
import { instantOf, steadyClock } from "../../process/Timer.ts"

type Request = HttpServerRequest.HttpServerRequest

/**
 * How often one caller may send.
 *
 * @category options
 * @since 0.1.0
 */
export interface Rate {
  /** How many messages one caller may send in a window. */
  readonly limit: number
  readonly window: Duration.Input
  /**
   * What a caller is known by; its address by default. Behind a proxy that is the proxy's: take the header that the
   * proxy sets, or effect's `HttpMiddleware.xForwardedHeaders`; with users, the user.
   */
  readonly caller?: ((request: Request) => string) | undefined
}

/**
 * The limits of a service.
 *
 * @category options
 * @since 0.1.0
 */
export interface Limits {
  /** The size of a body, or of a frame of a WebSocket; 64 KiB by default. A larger one is refused, 413. */
  readonly body?: ByteSize.Input | undefined
  /** How deep JSON may be nested; 32 by default. What is deeper is refused, 400, before it is parsed. */
  readonly depth?: number | undefined
  /**
   * How often one caller may send; no limit by default. What comes too soon is refused, 429, with `Retry-After`. It is
   * counted in this process by the time that passes, or by the `RateLimiter` of the context, where there is one.
   */
  readonly rate?: Rate | undefined
  /**
   * How long a body may take to come, and how long an answer may; 30 seconds each by default. The first is refused,
   * 408; the second is `Unanswered`, 504. The timeout of a call is its own, and should be shorter.
   */
  readonly time?: Duration.Input | undefined
}

/** Limits that make sense. */
export interface Bounds {
  readonly body: ByteSize.ByteSize
  readonly bytes: number
  readonly depth: number
  readonly millis: number
}

/** Reads limits, and refuses those that make no sense. */
export const boundsOf = (limits: Limits): Bounds => {
  const { body, depth, time } = GivenOption.options("Serve", limits)
  const option = GivenOption.givenTo(() => "Serve")
  const size = body === undefined ? ByteSize.kibibytes(64) : Option.getOrUndefined(ByteSize.fromInput(body))
  if (size === undefined) {
    return GivenOption.refuse(option("body", body), "a size, such as \"64 KiB\", or a number of bytes")
  }
  return {
    body: size,
    bytes: ByteSize.toNumberUnsafe(size),
    depth: GivenOption.integer(option("depth", depth ?? 32), 1),
    millis: GivenOption.period(option("time", time ?? 30_000))
  }
}

/**
 * Why the content of a request is not read, by what its headers say of it: it is none of these `types`, it is in other
 * letters than those of JSON, or it has been encoded on its way. One that says nothing is taken for what it should be.
 */
export const unreadable = (
  { headers }: Request,
  types: readonly [shown: string, ...others: ReadonlyArray<string>]
): Refused | undefined => {
  const [type, ...parameters] = (headers["content-type"] ?? "").split(";").map((part) => part.trim().toLowerCase())
  const charset = parameters.find((one) => one.startsWith("charset="))?.slice("charset=".length).replaceAll("\"", "")
  const encodings = (headers["content-encoding"] ?? "").split(",").map((one) => one.trim().toLowerCase())
  if (type !== "" && !types.includes(type!)) return refused(415, { detail: `A body is ${types[0]}.` })
  if (charset !== undefined && charset !== "utf-8" && charset !== "utf8") {
    return refused(415, { detail: "A body is UTF-8." })
  }
  return encodings.every((one) => one === "" || one === "identity")
    ? undefined
    : refused(415, { detail: "A body has no content-encoding." })
}

const decoder = new TextDecoder("utf-8", { fatal: true })

/** What bytes say in UTF-8; `undefined` where they are none, which a text with U+FFFD in it would hide. */
export const textOf = (bytes: ArrayBuffer | Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** The refusal of what is not UTF-8. */
export const notText = refused(400, { detail: "This is not UTF-8." })

/** Reads the body of a request, and refuses what no handler may have: effect reads it again, as text. */
export const readText = (request: Request, { body, depth, millis }: Bounds): Effect.Effect<string, Refused> =>
  request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, body),
    Effect.mapError(({ reason }) =>
      reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
        ? refused(413, { detail: `A body has ${ByteSize.format(body)} at most.` })
        : refused(400, { detail: "The body could not be read." })
    ),
    Effect.timeoutOrElse({
      duration: millis,
      orElse: () => Effect.fail(refused(408, { detail: "The body did not come in time." }))
    }),
    Effect.flatMap((bytes) => {
      const text = textOf(bytes)
      if (text === undefined) return Effect.fail(notText)
      return isDeeper(text, depth) ? Effect.fail(tooDeep(depth)) : Effect.succeed(text)
    })
  )

/** The refusal of JSON that is nested too deep. */
export const tooDeep = (depth: number): Refused => refused(400, { detail: `The JSON is nested deeper than ${depth}.` })

/** Counts a message of a caller, and refuses it when it comes too soon. */
export type Admit = (request: Request) => Effect.Effect<void, Refused>

const admitAll: Admit = () => Effect.void

// Effect's store in memory keeps every caller it has seen: it is made anew after so many windows.
const windowsOfAStore = 10

const inMemory = Effect.provide(RateLimiter.make, RateLimiter.layerStoreMemory)

type Limiter = RateLimiter.RateLimiter

/** Makes what counts the messages of callers. */
export const admitting = Effect.fnUntraced(function*({ rate }: Limits) {
  if (rate === undefined) return admitAll
  const option = GivenOption.givenTo(() => "Serve")
  GivenOption.object(option("rate", rate), "an object with a limit and a window")
  const limit = GivenOption.integer(option("rate.limit", rate.limit), 1)
  const window = GivenOption.period(option("rate.window", rate.window))
  const caller = rate.caller ?? (({ remoteAddress }) => Option.getOrElse(remoteAddress, () => ""))
  if (typeof caller !== "function") GivenOption.refuse(option("rate.caller", caller), "a function of the request")
  const shared = Option.getOrUndefined(yield* Effect.serviceOption(RateLimiter.RateLimiter))
  const clock = yield* Clock.Clock
  // Effect's store in memory measures windows by the wall clock. One that is set back would lock callers out.
  const measured = (limiter: Limiter): Limiter => ({
    ...limiter,
    consume: (options) => Effect.provideService(limiter.consume(options), Clock.Clock, steady)
  })
  const steady = steadyClock(clock)
  let own = measured(yield* inMemory)
  let until = instantOf(clock) + window * windowsOfAStore
  const limiter = shared !== undefined
    ? Effect.succeed(shared)
    : Effect.suspend(() => {
      const now = instantOf(clock)
      if (now < until) return Effect.succeed(own)
      until = now + window * windowsOfAStore
      return Effect.map(inMemory, (made) => own = measured(made))
    })
  const admit: Admit = (request) =>
    Effect.flatMap(limiter, (limiter) => limiter.consume({ key: caller(request), limit, window })).pipe(
      Effect.catch(({ reason }) =>
        // A store of counts that is away is no reason to serve nothing.
        reason._tag === "RateLimitExceeded"
          ? Effect.fail(
            refused(429, {
              detail: `A caller may send ${limit} messages in ${Duration.format(Duration.millis(window))}.`,
              retryAfter: Math.max(1, Math.ceil(Duration.toSeconds(reason.retryAfter)))
            })
          )
          : Effect.logWarning("The count of requests cannot be kept", reason)
      ),
      Effect.asVoid
    )
  return admit
})
