/**
 * Answers as text: how a recorded answer is written, and how it becomes an answer again.
 *
 * @since 0.1.0
 */
import { Cause, Exit, Schema } from "effect"
import type { Call, PayloadSchema } from "../../../domain/server/Message.ts"
import { schemaOf } from "../../../domain/server/Validation.ts"
import type { MessageType } from "./MessageType.ts"

/** How the payloads, replies and errors of one message become text and come back. */
export interface AnswerCodec {
  /** The message as text: the same call made again is the same text. */
  readonly call: (payload: unknown) => string
  readonly encode: (exit: Exit.Exit<unknown, unknown>) => unknown
  readonly decode: (json: unknown) => Exit.Exit<unknown, unknown>
}

const codecs = new WeakMap<MessageType, AnswerCodec>()

interface Body {
  readonly call: string
  readonly exit: unknown
}

const make = (message: Call<PayloadSchema, Schema.Top, Schema.Top>): AnswerCodec => {
  // A message whose schemas need services cannot be recorded, and says so when it is.
  const payload = Schema.encodeUnknownSync(pure(schemaOf(message.payload)))
  const reply = pure(message.reply)
  const error = pure(message.error)
  return {
    call: (value) => JSON.stringify(payload(value)),
    encode: (exit) =>
      exit._tag === "Success"
        ? { success: Schema.encodeUnknownSync(reply)(exit.value) }
        : { failure: Schema.encodeUnknownSync(error)(Cause.squash(exit.cause)) },
    decode: (json) =>
      typeof json === "object" && json !== null && "failure" in json
        ? Exit.fail(Schema.decodeUnknownSync(error)(json.failure))
        : Exit.succeed(Schema.decodeUnknownSync(reply)((json as { readonly success?: unknown }).success))
  }
}

const pure = (schema: Schema.Top): Schema.Codec<unknown, unknown> => {
  const codec: unknown = Schema.toCodecJson(schema)
  return codec as Schema.Codec<unknown, unknown>
}

const codecOf = (type: MessageType): AnswerCodec => {
  let codec = codecs.get(type)
  if (codec === undefined) codecs.set(type, codec = make(type.message as Call<PayloadSchema, Schema.Top, Schema.Top>))
  return codec
}

/** A call as text, for comparing; throws for a payload that does not fit its schemas. */
export const callText = (type: MessageType, payload: unknown): string => `${type.tag} ${codecOf(type).call(payload)}`

/** An answer, with what it answers, as text. */
export const write = (type: MessageType, call: string, exit: Exit.Exit<unknown, unknown>): string =>
  JSON.stringify({ call, exit: codecOf(type).encode(exit) } satisfies Body)

/**
 * The answer back from its text; `undefined` when it answers another call, a defect when it is not what this message answers
 * any more.
 */
export const read = (type: MessageType, call: string, text: string): Exit.Exit<unknown, unknown> | undefined => {
  try {
    const body = JSON.parse(text) as Body
    return body.call === call ? codecOf(type).decode(body.exit) : undefined
  } catch (defect) {
    return Exit.die(defect)
  }
}
