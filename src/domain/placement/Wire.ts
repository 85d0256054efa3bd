/**
 * What of a server's messages travels: to another machine, to a thread, to a caller outside.
 *
 * Each message has a schema of its payload, of its reply and of its error. Every placement makes its codecs from these
 * three, so that a message means the same wherever its server is. Messages that only the server sends itself do not
 * travel.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { CallError } from "../process/CallError.ts"
import type { Call, Cast, Messages, PayloadSchema } from "../server/Message.ts"
import { schemaOf } from "../server/Validation.ts"

/** The tags of the messages that any code may send. */
export type OpenTag<Ms extends Messages> = Extract<
  { [K in keyof Ms]: Ms[K] extends { readonly internal: true } ? never : K }[keyof Ms],
  string
>

/** The schema of a message's payload. */
export type PayloadOf<M> = M extends { readonly payload: infer P extends PayloadSchema }
  ? P extends Schema.Top ? P : P extends Schema.Struct.Fields ? Schema.Struct<P> : never
  : never

/** The schema of a message's reply: nothing, for a cast. */
export type ReplyOf<M> = M extends Call<any, infer A, any> ? A : typeof Schema.Void

/** The schema of a message's own error: none, for a cast. */
export type ErrorOf<M> = M extends Call<any, any, infer E> ? E : typeof Schema.Never

/** A message with the schemas of what travels. */
export interface WireMessage {
  readonly tag: string
  readonly message: Call<PayloadSchema, Schema.Top, Schema.Top> | Cast<PayloadSchema>
  readonly payload: Schema.Top
  readonly reply: Schema.Top
  readonly error: Schema.Top
}

/** A message that any code may send, with the schemas of what travels. */
export type OpenMessage = WireMessage

/** All messages of a class, internal ones too, in its order: between a server and its own handlers. */
export const allMessages = (messages: Messages): ReadonlyArray<WireMessage> =>
  Object.entries(messages).map(([tag, message]) => ({
    tag,
    message,
    payload: schemaOf(message.payload),
    reply: message._tag === "Call" ? message.reply : Schema.Void,
    error: message._tag === "Call" ? message.error : Schema.Never
  }))

/** The messages that any code may send, in the order in which the class has them. */
export const openMessages = (messages: Messages): ReadonlyArray<OpenMessage> =>
  allMessages(messages).filter(({ message }) => message.internal !== true)

// No interface: that would have an index signature, of schemas that need anything.
/** The fields of what is sent of one message. */
export type SentFields<P extends Schema.Top> = {
  readonly payload: P
  /** The idempotency key of a call. */
  readonly key: Schema.optionalKey<typeof Schema.String>
  /** For how many milliseconds the caller of a call still waits: for ever, where it is left out. */
  readonly timeout: Schema.optionalKey<typeof Schema.Number>
}

/** What is sent of one message: its payload, and what the caller of a call says of it. */
export const sentFields = <P extends Schema.Top>(payload: P): SentFields<P> => ({
  payload,
  key: Schema.optionalKey(Schema.String),
  timeout: Schema.optionalKey(Schema.Number)
})

/** The schema of what a call may fail with, where its server is elsewhere: its own error, or a `CallError`. */
export const refusalOf = <E extends Schema.Top>(error: E): Schema.Union<readonly [E, typeof CallError]> =>
  Schema.Union([error, CallError])
