/**
 * Causes of foreign errors: for logs, and as a Schema for errors and events that carry one.
 *
 * @since 0.1.0
 */
import { Cause, Function, Schema, SchemaTransformation } from "effect"
import { type ErrorFields, isError, json, line, Look } from "./ForeignText.ts"

/** The length of all that is shown of a cause, in characters. */
export const reportLength = 16_000

const maxReasons = 10

/**
 * A cause that any logger can print: the same one when it is small and harmless, else one of plain errors that say the
 * same, within {@link reportLength}.
 */
export const bounded = (cause: Cause.Cause<unknown>): Cause.Cause<unknown> => {
  const look = new Look(reportLength, true)
  const kept = cause.reasons.slice(0, maxReasons)
  const reasons = kept.map((reason) => boundedReason(look, reason))
  const more = cause.reasons.length - kept.length
  if (more === 0 && reasons.every((reason, i) => reason === kept[i])) return cause
  return Cause.fromReasons(
    more === 0 ? reasons : [...reasons, Cause.makeDieReason(plainError({ name: "Error", message: `… ${more} more` }))]
  )
}

const boundedReason = (look: Look, reason: Cause.Reason<unknown>): Cause.Reason<unknown> => {
  if (reason._tag === "Interrupt") return reason
  const value = reason._tag === "Fail" ? reason.error : reason.defect
  look.isWhole = true
  const error = plainError(
    isError(value) ? look.error(value) : { name: "Error", message: line(look.json(value)) }
  )
  if (look.isWhole) return reason
  const plain = reason._tag === "Fail" ? Cause.makeFailReason(error) : Cause.makeDieReason(error)
  return plain.annotate(Cause.reasonAnnotations(reason))
}

/** A value that any logger can print: the same one when it is small and harmless, else its text. */
export const printable = (value: unknown): unknown => {
  const look = new Look(reportLength)
  const json = look.json(value)
  return look.isWhole ? value : line(json)
}

/** What can be read of an error, or of anything else that was thrown or failed with, within {@link reportLength}. */
export const errorFields = (value: unknown): ErrorFields => {
  const look = new Look(reportLength, true)
  return isError(value) ? look.error(value) : { name: "Error", message: line(look.json(value)) }
}

/** A plain error of what was read of one. */
export const plainError = ({ cause, frames = "", gathered, message, name }: ErrorFields): Error => {
  const text = gathered === undefined ? message : `${message} ${line(gathered)}`
  const error = new Error(text, cause === undefined ? undefined : { cause: plainError(cause) })
  error.name = name
  error.stack = `${name}: ${text}${frames}`
  return error
}

/** A value that any encoder can take: an error as a plain one, anything else as JSON. */
const plain = (value: unknown): unknown =>
  isError(value) ? plainError(new Look(reportLength).error(value)) : json(value, reportLength)

/**
 * The schema of an error of any kind: written down as the JSON that can be made of it, and read as an `Error` again.
 */
export const Foreign = Schema.Defect().pipe(
  Schema.decodeTo(Schema.Unknown, SchemaTransformation.transform({ decode: Function.identity, encode: plain }))
)

/** The schema of a cause of such errors. */
export const ForeignCause = Schema.Cause(Foreign, Foreign)
