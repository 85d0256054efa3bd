/**
 * Whether a value is what its schema says. Within a process the compiler sees to that; these functions are for values
 * that it could not see, and for tests.
 *
 * The type side of a schema is asked: nothing is decoded, and the value stays what it is.
 *
 * @since 0.1.0
 */
import { Cause, Exit, Schema } from "effect"
import { messageOf } from "../text/ForeignText.ts"
import type { PayloadSchema } from "./Message.ts"

/** What is wrong with a value, in one line and without the value; `undefined` when nothing is. */
export type Check = (value: unknown) => string | undefined

/** The checks of a message that is validated. */
export interface Checks {
  readonly payload: Check
  readonly reply: Check
}

/** Whether it can be the payload of a message: fields, or a schema of the whole. */
export const isPayloadSchema = (given: unknown): given is PayloadSchema =>
  Schema.isSchema(given) ||
  (typeof given === "object" && given !== null && !Array.isArray(given) &&
    Reflect.ownKeys(given).every((name) => Schema.isSchema(Reflect.get(given, name))))

/** The one schema of a payload. */
export const schemaOf = (payload: PayloadSchema): Schema.Top =>
  Schema.isSchema(payload) ? payload : Schema.Struct(payload)

/**
 * Checks values against a schema, which is compiled when it is first needed: it may refer to what is not defined yet.
 */
export const checkOf = (schema: Schema.Top): Check => {
  let ask: ((value: unknown) => Exit.Exit<unknown, unknown>) | undefined
  return (value) =>
    issueOf(() => {
      ask ??= Schema.decodeUnknownExit(Schema.toType(schema), { errors: "all" })
      return ask(value)
    })
}

/** Checks what a function makes of values. */
export const checkAfter = (make: (value: unknown) => unknown, check: Check): Check => (value) => {
  let made: unknown
  return issueOf(() => Exit.succeed(made = make(value))) ?? check(made)
}

// What the user's own schema does may throw.
const issueOf = (f: () => Exit.Exit<unknown, unknown>): string | undefined => {
  try {
    const exit = f()
    return exit._tag === "Success" ? undefined : inLine(messageOf(Cause.squash(exit.cause)))
  } catch (defect) {
    return inLine(messageOf(defect))
  }
}

const inLine = (text: string): string => text.replaceAll(/\n\s+at /g, " at ").replaceAll("\n", "; ")
