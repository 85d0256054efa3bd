/**
 * Answers as text: how a recorded answer is written, and how it becomes an answer again.
 *
 * What is on record may have been written by code that was older: its schemas had other fields. So a recorded call and
 * its answer are read with the schemas of today, and a field that was not there gets its default.
 *
 * @since 0.1.0
 */
import { Cause, Exit, Schema } from "effect"
import type { AnswerLost } from "../../../domain/process/CallError.ts"
import { canonical, withoutUndefined } from "../../../domain/server/Idempotency.ts"
import type { Call, PayloadSchema } from "../../../domain/server/Message.ts"
import { schemaOf } from "../../../domain/server/Validation.ts"
import { lossOf, type RecordedAnswer } from "../../../domain/state/Answers.ts"
import { ask, messageOf } from "../../../domain/text/ForeignText.ts"
import { hasConstructorDefault } from "../../process/EffectInternals.ts"
import type { MessageType, Once } from "./MessageType.ts"

/** How the payloads, replies and errors of one message become text and come back. */
interface AnswerCodec {
  /** A payload as text: one for all payloads that mean the same. */
  readonly call: (payload: unknown) => string
  readonly payload: (json: unknown) => unknown
  readonly isEqual: (one: unknown, other: unknown) => boolean
  readonly encode: (exit: Exit.Exit<unknown, unknown>) => unknown
  readonly decode: (json: unknown) => Exit.Exit<unknown, unknown>
}

const codecs = new WeakMap<MessageType, AnswerCodec>()

/** What is on record: a call, and what it was answered unless that is still to come. */
interface Body {
  readonly call: string
  readonly exit?: unknown
}

/** A call with a key. */
interface Made {
  readonly type: MessageType
  readonly payload: unknown
}

/**
 * What is found under a key: the answer; that it is lost, with what is known of it; or that the key is another call's.
 */
export type Found =
  | { readonly _tag: "Answer"; readonly exit: Exit.Exit<unknown, unknown> }
  | Omit<typeof AnswerLost.Type, "key">
  | { readonly _tag: "KeyReused" }

const make = (message: Call<PayloadSchema, Schema.Top, Schema.Top>): AnswerCodec => {
  // A message whose schemas need services cannot be recorded, and says so when it is.
  const schema = schemaOf(message.payload)
  const payload = Schema.encodeUnknownSync(pure(schema))
  const reply = Schema.encodeUnknownSync(pure(message.reply))
  const error = Schema.encodeUnknownSync(pure(message.error))
  return {
    call: (value) => {
      const plain = withoutUndefined(value)
      // One that is asked for may be `undefined`.
      return canonical(plain === value ? payload(value) : ask(() => payload(plain), undefined) ?? payload(value))
    },
    payload: (json) => read(schema, json),
    isEqual: (one, other) => Schema.toEquivalence(schema)(one, other),
    encode: (exit) =>
      exit._tag === "Success"
        ? { success: reply(exit.value) }
        : { failure: error(Cause.squash(exit.cause)) },
    decode: (json) =>
      typeof json === "object" && json !== null && "failure" in json
        ? Exit.fail(read(message.error, json.failure))
        : Exit.succeed(read(message.reply, (json as { readonly success?: unknown }).success))
  }
}

const pure = (schema: Schema.Top): Schema.Codec<unknown, unknown> => {
  const codec: unknown = Schema.toCodecJson(schema)
  return codec as Schema.Codec<unknown, unknown>
}

/**
 * A value from its JSON. What was written before a field came gets the default that the field has for constructors,
 * too.
 */
const read = (schema: Schema.Top, json: unknown): unknown => {
  try {
    return Schema.decodeUnknownSync(pure(schema))(json)
  } catch (error) {
    const { fields, make } = schema as Partial<Constructed>
    if (typeof fields !== "object" || make === undefined || typeof json !== "object" || json === null) throw error
    const given = Object.entries(fields).flatMap(([name, field]) =>
      Object.hasOwn(json, name)
        ? [[name, read(field, Reflect.get(json, name))]]
        : hasConstructorDefault(field)
        ? []
        : Object.entries(Schema.decodeUnknownSync(pure(Schema.Struct({ [name]: field })))({}) as object)
    )
    return make.call(schema, Object.fromEntries(given))
  }
}

/** A schema of fields: a struct, or a class. */
interface Constructed {
  readonly fields: Readonly<Record<string, Schema.Top>>
  readonly make: (input: object) => unknown
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

/** A call that was begun, as text. */
export const mark = (call: string): string => JSON.stringify({ call } satisfies Body)

/** Whether a call is the one that is recorded; or why that cannot be said. */
const compare = (
  { payload, type }: Made,
  call: string,
  recorded: string
): "same" | "other" | { readonly issue: string } => {
  if (recorded === call) return "same"
  const head = `${type.tag} `
  const json = recorded.startsWith(head) ? ask(() => [JSON.parse(recorded.slice(head.length)) as unknown], []) : []
  if (json.length === 0) return "other"
  const codec = codecOf(type)
  try {
    // Version 0.1 wrote the fields as they came.
    if (head + canonical(json[0]) === call) return "same"
    const before = codec.payload(json[0])
    return head + codec.call(before) === call || codec.isEqual(before, payload) ? "same" : "other"
  } catch (error) {
    return { issue: `its payload: ${messageOf(error)}` }
  }
}

/** Whether two calls under one key are the same; both were made in this process. */
export const isSame = (made: Made, { call }: Once, first: { readonly once?: Once | undefined }): boolean =>
  first.once !== undefined && compare(made, call, first.once.call) === "same"

/** What is on record under a call's key. */
export const find = (made: Made, { call }: Once, record: RecordedAnswer): Found => {
  const issue = lossOf(record)
  if (issue !== undefined) return { _tag: "AnswerLost", handled: "unknown", issue }
  try {
    const body = JSON.parse(record.body) as Body
    const compared = compare(made, call, body.call)
    if (compared === "other") return { _tag: "KeyReused" }
    if (body.exit === undefined) return { _tag: "AnswerLost", handled: "begun" }
    return compared === "same"
      ? { _tag: "Answer", exit: codecOf(made.type).decode(body.exit) }
      : { _tag: "AnswerLost", handled: "yes", issue: compared.issue }
  } catch (error) {
    return { _tag: "AnswerLost", handled: "yes", issue: messageOf(error) }
  }
}
