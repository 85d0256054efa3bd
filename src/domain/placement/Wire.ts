/**
 * What of a server's messages travels: to another machine, to a thread, to a caller outside.
 *
 * Each message has a schema of its payload, of its reply and of its error. Every placement makes its codecs from these three,
 * so that a message means the same wherever its server is. Messages that only the server sends itself do not travel.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
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

/** A message that any code may send, with the schemas of what travels. */
export interface OpenMessage {
  readonly tag: string
  readonly message: Call<PayloadSchema, Schema.Top, Schema.Top> | Cast<PayloadSchema>
  readonly payload: Schema.Top
  readonly reply: Schema.Top
  readonly error: Schema.Top
}

/** The messages that any code may send, in the order in which the class has them. */
export const openMessages = (messages: Messages): ReadonlyArray<OpenMessage> =>
  Object.entries(messages).flatMap(([tag, message]) =>
    message.internal === true ? [] : [{
      tag,
      message,
      payload: schemaOf(message.payload),
      reply: message._tag === "Call" ? message.reply : Schema.Void,
      error: message._tag === "Call" ? message.error : Schema.Never
    }]
  )
