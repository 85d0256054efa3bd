/**
 * What may be shown of a message: its payload and its answer without what their schemas mark as secret
 * (`StateSchema.redacted`).
 *
 * All that shows a message to people asks here: a page, a log, a report, an error's text.
 *
 * @since 0.1.0
 */
import { Exit } from "effect"
import { schemaOf } from "../../../domain/server/Validation.ts"
import { redactedText, redactionOf } from "../../../domain/state/shown/Redaction.ts"
import type { MessageType } from "./MessageType.ts"

type Redact = (value: unknown) => unknown

interface Redactions {
  readonly payload: Redact | undefined
  readonly reply: Redact | undefined
  readonly error: Redact | undefined
}

// Not with the type: a schema may be part of itself by way of names that are not there yet. Most are never asked for.
const known = new WeakMap<MessageType, Redactions>()

const redactionsOf = (type: MessageType): Redactions => {
  const made = known.get(type)
  if (made !== undefined) return made
  const { message } = type
  const own: Redactions = {
    payload: redactionOf(schemaOf(message.payload)),
    reply: message._tag === "Call" ? redactionOf(message.reply) : undefined,
    error: message._tag === "Call" ? redactionOf(message.error) : undefined
  }
  known.set(type, own)
  return own
}

/** Whether the schema of its payload marks any part. */
export const hasSecrets = (type: MessageType): boolean => redactionsOf(type).payload !== undefined

/** What may be shown of a payload. */
export const shownPayload = (type: MessageType, payload: unknown): unknown =>
  redactionsOf(type).payload?.(payload) ?? payload

/** What may be shown of an answer. An error that holds a secret is hidden as a whole: its message may repeat it. */
export const shownAnswer = (type: MessageType, answer: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> => {
  const { error, reply } = redactionsOf(type)
  if (answer._tag === "Failure") return error === undefined ? answer : Exit.fail(redactedText)
  return reply === undefined ? answer : Exit.succeed(reply(answer.value))
}
