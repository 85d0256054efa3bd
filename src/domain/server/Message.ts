/**
 * Messages as values: what a server understands, with the schemas of payload, reply and error.
 *
 * From these descriptors come the types of handlers and clients, and later the codec of any transport.
 *
 * @since 0.1.0
 */
import { type Duration, type Effect, Schema } from "effect"
import type { CallError } from "../process/CallError.ts"
import type { Redeliver } from "./Delivery.ts"
import type { CallNext, CastNext, Services } from "./Next.ts"
import type { Fired } from "./Timer.ts"

/** Fields of a payload. */
export type Fields = Schema.Struct.Fields

/** A payload's schema: its fields, or a schema of the whole. */
export type PayloadSchema = Fields | Schema.Top

/** The options of every message: its delivery, and whether it is checked. */
export interface DeliveryOptions {
  /** Handle the message again after a crash, up to that often in all. By default a crash is final for it. */
  readonly redeliver?: Redeliver | undefined
  /**
   * Only the server itself sends it, through `self`: it is not on its clients (OTP: what `handle_info/2` gets). For
   * ticks of its own timers, and for what its background work reports.
   */
  readonly internal?: boolean | undefined
  /**
   * Checks its payload before it is sent, and its reply before it is committed; by default as the class says
   * (`Description.validate`).
   */
  readonly validate?: boolean | undefined
}

/**
 * A message with an answer (OTP: `gen_server:call`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Call<P extends PayloadSchema, A extends Schema.Top, E extends Schema.Top> {
  readonly _tag: "Call"
  readonly payload: P
  readonly reply: A
  readonly error: E
  readonly redeliver: Redeliver | undefined
  readonly internal?: boolean | undefined
  readonly validate?: boolean | undefined
  readonly confirm?: boolean | undefined
  readonly timeout: Duration.Input | "infinity" | undefined
}

/**
 * A message without an answer (OTP: `gen_server:cast`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Cast<P extends PayloadSchema> {
  readonly _tag: "Cast"
  readonly payload: P
  readonly redeliver: Redeliver | undefined
  readonly internal?: boolean | undefined
  readonly validate?: boolean | undefined
}

/**
 * Options of {@link call}.
 *
 * @category options
 * @since 0.1.0
 */
export interface CallDescription extends DeliveryOptions {
  readonly payload?: PayloadSchema
  readonly reply?: Schema.Top
  readonly error?: Schema.Top
  /**
   * Holds each answer until the store has confirmed that this process still owns it, that of a handler that only reads,
   * too: then no answer is older than what another process, which has taken over meanwhile, has answered. It costs a
   * question to the store for all answers that wait at once; without a store nothing.
   */
  readonly confirm?: boolean | undefined
  /** How long a caller waits, unless it says otherwise itself; 5 seconds by default, as in OTP. */
  readonly timeout?: Duration.Input | "infinity" | undefined
}

/**
 * Options of {@link cast}.
 *
 * @category options
 * @since 0.1.0
 */
export interface CastDescription extends DeliveryOptions {
  readonly payload?: PayloadSchema
}

// Computed from the description's own type, so that an absent key means {}, Void or Never, never any.
type PayloadOf<O> = O extends { readonly payload: infer P extends PayloadSchema } ? P : {}
type ReplyOf<O> = O extends { readonly reply: infer A extends Schema.Top } ? A : typeof Schema.Void
// A mark that only internal messages have, so that the others' types stay what they are.
type Internal<O> = O extends { readonly internal: true } ? { readonly internal: true } : unknown
type ErrorOf<O> = O extends { readonly error: infer E extends Schema.Top } ? E : typeof Schema.Never

/**
 * Describes a message with an answer (OTP: `gen_server:call/2,3`).
 *
 * `payload` defaults to nothing, `reply` to `Schema.Void`, `error` to `Schema.Never`: a handler may fail only with what
 * is declared here. A payload is given as fields, or as any schema: a `Schema.Struct`, a `Schema.Class`, a union. Of
 * fields the sender may leave out those with a constructor default; of a schema it passes the type as it is, an
 * instance of a class for one. (TypeScript takes an object with the same fields for an instance of a `Schema.Class`.
 * Its schema does not: a store refuses a state with such an object in it, and so does `validate: true` such a payload.)
 *
 * @category messages
 * @since 0.1.0
 */
export const call = <const O extends CallDescription = {}>(
  description?: O
): Call<PayloadOf<O>, ReplyOf<O>, ErrorOf<O>> & Internal<O> => {
  const message: Call<PayloadSchema, Schema.Top, Schema.Top> = {
    _tag: "Call",
    payload: description?.payload ?? {},
    reply: description?.reply ?? Schema.Void,
    error: description?.error ?? Schema.Never,
    redeliver: description?.redeliver,
    ...(description?.internal === true ? { internal: true } : {}),
    validate: description?.validate,
    ...(description?.confirm === true ? { confirm: true } : {}),
    timeout: description?.timeout
  }
  // the conditional types above restate these three defaults; TypeScript cannot follow `??` through them
  return message as Call<PayloadOf<O>, ReplyOf<O>, ErrorOf<O>> & Internal<O>
}

/**
 * Describes a message without an answer (OTP: `gen_server:cast/2`).
 *
 * @category messages
 * @since 0.1.0
 */
export const cast = <const O extends CastDescription = {}>(description?: O): Cast<PayloadOf<O>> & Internal<O> => {
  const message: Cast<PayloadSchema> = {
    _tag: "Cast",
    payload: description?.payload ?? {},
    redeliver: description?.redeliver,
    ...(description?.internal === true ? { internal: true } : {}),
    validate: description?.validate
  }
  return message as Cast<PayloadOf<O>> & Internal<O>
}

// `any` stands for "whatever this message declares": the bound of a record whose members differ, never a value's type
/**
 * The messages of one server, by tag.
 *
 * @category models
 * @since 0.1.0
 */
export type Messages = Record<string, Call<any, any, any> | Cast<any>>

/**
 * Names that no message can have, since each becomes a method of the clients: a client with a `then` would be taken for
 * a promise wherever one is awaited, `key` is what the server goes by, and the others are how every object is shown and
 * compared.
 */
export const reservedNames = ["then", "constructor", "pipe", "toJSON", "toString", "key"] as const

/** Makes a message of such a name an error of its own. */
export type NoReserved<Ms> = {
  readonly [K in Extract<keyof Ms, typeof reservedNames[number]>]: "no message can have this name"
}

/** The payload that the handler of a message receives. */
export type Payload<M> = M extends { readonly payload: infer P } ? TypeOf<P> : never

type TypeOf<P> = P extends Schema.Top ? P["Type"] : P extends Fields ? Schema.Struct<P>["Type"] : never

// `{}` would let anything pass, a call's options among it.
/** The payload of a message that has none. */
export type NoPayload = Readonly<Record<string, never>>

/**
 * The payload that the sender of a message passes: of fields, those with a constructor default may be left out; of a
 * schema, its type.
 */
export type PayloadInput<M> = M extends { readonly payload: infer P } ? P extends Schema.Top ? P["Type"]
  : P extends Fields ? [keyof P] extends [never] ? NoPayload : Schema.Struct<P>["~type.make.in"]
  : never
  : never

/** Whether the sender of a message may leave its payload out. */
type MayBeLeftOut<M> = M extends { readonly payload: Schema.Top } ? undefined extends PayloadInput<M> ? true : false
  : {} extends PayloadInput<M> ? true
  : false

/**
 * The caller, for an answer that follows later (OTP: `From`).
 *
 * @category models
 * @since 0.1.0
 */
export interface From<in A = never, in E = never> {
  readonly "~heirloom/From": (_: readonly [A, E]) => void
}

/**
 * The key of a server; `undefined` for one without.
 *
 * @category models
 * @since 0.1.0
 */
export type ServerKey = string | undefined

/**
 * The context of a message, for its handler: beside state and payload. `K` is the key of the server: a `string` where
 * it has one, `undefined` where it has none, either in a behaviour for both.
 *
 * @category models
 * @since 0.1.0
 */
export interface HandlerContext<in A = never, in E = never, out K extends ServerKey = ServerKey> {
  /** The caller of the message in hand; hand it to `GenServer.reply` after `Next.noReply`. */
  readonly from: From<A, E>
  /** Number of the incarnation that handles the message. */
  readonly incarnation: number
  /** How often this message has been handled, this time included. */
  readonly attempt: number
  /** The key of the server; a server of `layer` has none. */
  readonly key: K
  /**
   * The revision of the state: the number of its snapshot, 0 before the first commit. It only grows, also over restarts
   * of the process where a store has the state. One that is conserved late has the number of what is conserved, and one
   * that is not conserved has 0.
   *
   * It is looked up when it is read. Read it first in a handler that waits: a state that is set from outside meanwhile
   * has a number of its own.
   */
  readonly seq: number
  /** The durable timer that the message is from; `undefined` when someone sent it. */
  readonly timer: Fired | undefined
}

/**
 * One handler per message; `K` is the key of the server, as its context has it.
 *
 * @category models
 * @since 0.1.0
 */
export type Handlers<S, Ms extends Messages, K extends ServerKey = ServerKey> = {
  readonly [Tag in keyof Ms]: Ms[Tag] extends Call<any, infer A, infer E> ? (
      state: S,
      payload: Payload<Ms[Tag]>,
      context: HandlerContext<A["Type"], E["Type"], K>
    ) =>
      | CallNext<A["Type"], S, any, MessageOf<Ms>>
      | Effect.Effect<CallNext<A["Type"], S, any, MessageOf<Ms>>, E["Type"], any>
    : (
      state: S,
      payload: Payload<Ms[Tag]>,
      context: HandlerContext<never, never, K>
    ) => CastNext<S, any, MessageOf<Ms>> | Effect.Effect<CastNext<S, any, MessageOf<Ms>>, never, any>
}

/** Makes a handler for an unknown message an error of its own. */
export type NoExtra<H, Ms> = { readonly [K in Exclude<keyof H, keyof Ms>]: never }

/** The services that the handlers need. */
export type HandlersServices<H> = {
  [K in keyof H]: H[K] extends (...args: any) => infer X ? ResultServices<X> : never
}[keyof H]

type ResultServices<X> = X extends Effect.Effect<infer Answer, any, infer R> ? R | Services<Answer> : Services<X>

/**
 * A message as a value, for a timer: of a class whose messages are `Ms`, and of no other.
 *
 * @category models
 * @since 0.1.0
 */
export interface MessageOf<in out Ms> {
  readonly tag: string
  readonly payload: unknown
  readonly "~heirloom/MessageOf": (_: Ms) => Ms
}

/**
 * What makes messages as values, internal ones included: one function per message of a class.
 *
 * @category models
 * @since 0.1.0
 */
export type MessageValues<Ms extends Messages> = {
  readonly [Tag in keyof Ms]: MayBeLeftOut<Ms[Tag]> extends true ? (payload?: PayloadInput<Ms[Tag]>) => MessageOf<Ms>
    : (payload: PayloadInput<Ms[Tag]>) => MessageOf<Ms>
}

/**
 * The options of one call.
 *
 * @category options
 * @since 0.1.0
 */
export interface CallOptions {
  /**
   * How long to wait: 5 seconds unless the message says otherwise; `"infinity"` waits for ever. Anything that is no
   * time (`NaN`, a negative one) is a defect of the caller, `InvalidOption`: nothing is sent.
   */
  readonly timeout?: Duration.Input | "infinity" | undefined
  /**
   * Makes the call safe to make again: its answer is recorded in one commit with the state, and a call with the same
   * key, message and payload gets that answer instead of being handled again. Typed failures are recorded, defects are
   * not. An answer that the handler promised (`Next.noReply`) is waited for; one that was lost is `AnswerLost`.
   *
   * Payloads are the same that mean the same: in any order of their fields, and with fields that are `undefined` or not
   * there. A deploy may add fields to a payload, and to a reply, that have a default.
   *
   * A key has 1 to 256 bytes (in UTF-8); any other fails this call, with `InvalidIdempotencyKey`, before it is sent.
   * The payload has to fit its schemas, since it is compared as text: one that does not is a defect of the caller. Over
   * `StateContainer.layerForget` nothing is on record, so a key does nothing there: the call is handled again.
   */
  readonly idempotencyKey?: string | undefined
}

/** The result of sending a message; it may also fail with a `More`. */
export type ClientResult<M, More = never> = M extends Call<any, infer A, infer E>
  ? Effect.Effect<A["Type"], E["Type"] | CallError | More>
  : Effect.Effect<void, More>

/** The options that may accompany a message: none, for a cast. */
export type ClientOptions<M> = M extends Cast<any> ? [] : [options?: CallOptions]

/** One method per message of a server, internal ones included; `More` is how else each may fail. */
export type AllMethods<Ms extends Messages, More = never> = {
  readonly [K in keyof Ms]: MayBeLeftOut<Ms[K]> extends true
    ? (payload?: PayloadInput<Ms[K]>, ...options: ClientOptions<Ms[K]>) => ClientResult<Ms[K], More>
    : (payload: PayloadInput<Ms[K]>, ...options: ClientOptions<Ms[K]>) => ClientResult<Ms[K], More>
}

/**
 * One method per message of a server, internal ones left out; `More` is how else each may fail.
 *
 * @category models
 * @since 0.1.0
 */
export type Methods<Ms extends Messages, More = never> = {
  readonly [K in keyof Ms as Ms[K] extends { readonly internal: true } ? never : K]: AllMethods<Ms, More>[K]
}
