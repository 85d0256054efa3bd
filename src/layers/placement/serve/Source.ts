/**
 * Where the messages of a service go: to a server, to the servers by key, or to those of another placement.
 *
 * All of them have the same methods, so this is the one place where a request becomes a message and a `CallError`
 * becomes what may be known outside.
 *
 * @since 0.1.0
 */
import { Context, Effect, Function, Predicate } from "effect"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import type { Refused } from "../../../domain/placement/Refused.ts"
import { notStarted, Unanswered, unanswered } from "../../../domain/placement/Unanswered.ts"
import { CallError } from "../../../domain/process/CallError.ts"
import type { CallOptions } from "../../../domain/server/Message.ts"
import { isInstance } from "../../../domain/text/ForeignText.ts"
import { StartError } from "../../supervision/tree/SupervisorErrors.ts"

/** What may go wrong inside, beside the errors of a message itself. */
export type Inside = CallError | StartError

/** A method of a client: what it takes, and what comes of it. */
export type Method<P, A, E> = (
  payload: P,
  options?: CallOptions
) => Effect.Effect<A, Exclude<E, Unanswered | Refused> | Inside>

// `any` is the bound of what a source needs and may fail with: what it is comes back in `Demand`.
/**
 * The server of this app, by its class; or any Effect of a client with its methods.
 *
 * @category models
 * @since 0.1.0
 */
export type OneSource<Client> = Effect.Effect<Client, never, any>

/**
 * The servers by key: a function that finds the client of a key, or an Effect of one.
 *
 * @category models
 * @since 0.1.0
 */
export type KeyedSource<Client> =
  | ((key: string) => Client | Effect.Effect<Client, StartError, any>)
  | Effect.Effect<(key: string) => Client, never, any>

/** The services that a source needs. */
export type Demand<S> = S extends Effect.Effect<infer _A, infer _E, infer R> ? R
  : S extends (key: string) => infer A ? A extends Effect.Effect<infer _A, infer _E, infer R> ? R : never
  : never

/** Sends a message to the server of a key, or to the only one. */
export type Send = (
  tag: string,
  key: string | undefined,
  payload: unknown,
  idempotencyKey: string | undefined
) => Effect.Effect<unknown, unknown>

type AnyClient = { readonly [Tag in string]: Method<unknown, unknown, unknown> }

/** What may be known outside of what went wrong inside. */
const outside = <E>(request: string) => (error: E): Exclude<E, Inside> | Unanswered => {
  if (isInstance(error, CallError)) return unanswered(request, error.reason)
  // Of a type parameter TypeScript does not conclude that it is neither.
  if (!isInstance(error, StartError)) return error as Exclude<E, Inside>
  const { _tag } = error.reason
  return notStarted(request, _tag === "CallingSelf" || _tag === "InvalidOption")
}

/**
 * Makes a call that got no answer what a caller outside may know of it: `CallError` and `StartError` become
 * `Unanswered`, the message's own errors stay.
 *
 * For routes of your own, where `api` does not make them; with `Guard` before them they have the status and the
 * `Retry-After` of it. `request` is what it says it was: the name of the message, or of the route.
 *
 * @category calls
 * @since 0.1.0
 */
export const answered: {
  (request: string): <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, Exclude<E, Inside> | Unanswered, R>
  <A, E, R>(call: Effect.Effect<A, E, R>, request: string): Effect.Effect<A, Exclude<E, Inside> | Unanswered, R>
} = Function.dual(
  2,
  <A, E, R>(call: Effect.Effect<A, E, R>, request: string): Effect.Effect<A, Exclude<E, Inside> | Unanswered, R> =>
    Effect.mapError(call, outside<E>(request))
)

const isClient = (given: AnyClient | Effect.Effect<AnyClient, StartError>): given is AnyClient =>
  !Effect.isEffect(given)

const expected = "a server's class, an Effect of its client, or a function of the key"

/**
 * What sends to a source that `of` was given. What the source needs is taken from the context here; a request may bring
 * more of it.
 */
export const sender = Effect.fnUntraced(function*(of: string, source: OneSource<any> | KeyedSource<any>) {
  if (!Effect.isEffect(source) && typeof source !== "function") {
    return GivenOption.refuse({ of, option: "source", given: source }, expected)
  }
  const context = yield* Effect.context<never>()
  const found: AnyClient | ((key: string) => AnyClient | Effect.Effect<AnyClient, StartError>) = Effect.isEffect(source)
    ? yield* (source as Effect.Effect<AnyClient>)
    : source
  if (!Predicate.isObjectKeyword(found)) {
    return GivenOption.refuse({ of, option: "source", given: found }, expected)
  }
  const clientOf = (key: string | undefined): Effect.Effect<AnyClient, StartError> => {
    if (typeof found !== "function") return Effect.succeed(found)
    const client = found(key ?? "")
    return isClient(client) ? Effect.succeed(client) : client
  }
  const send: Send = (tag, key, payload, idempotencyKey) =>
    Effect.suspend(() => clientOf(key)).pipe(
      Effect.flatMap((client) =>
        idempotencyKey === undefined ? client[tag]!(payload) : client[tag]!(payload, { idempotencyKey })
      ),
      Effect.mapError(outside(tag)),
      Effect.updateContext((own: Context.Context<never>) => Context.merge(context, own))
    )
  return send
})

/** Breaks off a request that takes too long; what it has begun goes on. */
export const within = <A, E, R>(effect: Effect.Effect<A, E, R>, request: string, millis: number) =>
  Effect.timeoutOrElse(effect, {
    duration: millis,
    orElse: () => Effect.fail(new Unanswered({ request, reason: "Timeout", again: false }))
  })
