/**
 * What is wrong with a value that came from outside: where, and what was expected, without the value.
 *
 * @since 0.1.0
 */
import { type Schema, SchemaIssue } from "effect"
import type { RefusedIssue } from "../../../domain/placement/Refused.ts"
import { cut } from "../../../domain/text/ForeignText.ts"

// Schemas do not keep what they refuse (`reportInput`), so that their words do not repeat it either.
const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** More than these help no reader. */
const most = 10

/** What a caller names itself is shown no longer than this. */
const longest = 60

/** How a payload from outside is read: with all that is wrong, and with nothing in it that its schema does not have. */
export const strictly = { onExcessProperty: "error", errors: "all" } as const

/** The issues of a schema, below a part of the request. */
export const issuesOf = (part: string, { issue }: Schema.SchemaError): ReadonlyArray<RefusedIssue> =>
  format(issue).issues.slice(0, most).map(({ message, path = [] }) => ({
    path: [part, ...path.map((one) => cut(String(typeof one === "object" ? one.key : one), longest))],
    message: cut(message, 200)
  }))
