/**
 * The one error for an option that makes no sense: what was given, to which option of what, and what it must be.
 *
 * A mistake in the program that the type checker cannot see (`NaN`, a negative limit, a combination that means
 * nothing). It is a defect, raised where the option is given: where a class is defined, a Layer built, a message sent.
 * The one place where it is a typed reason is `StartError`, since specifications may come from data: `startChild`
 * refuses one so.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { shown } from "../text/ForeignText.ts"

/**
 * An option that makes no sense.
 *
 * **Details**
 *
 * `of` is whose option it is: the id of a class, the path of a supervisor, the id of a child, the name of a store or of
 * a function (`Restart.backoff`). `request` is the message, or the callback, that the option was for.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidOption extends Schema.TaggedError<InvalidOption>()("InvalidOption", {
  of: Schema.String,
  request: Schema.optionalKey(Schema.String),
  option: Schema.String,
  given: Schema.Unknown,
  expected: Schema.String
}) {
  override get message(): string {
    const whose = this.request === undefined ? this.of : `${this.request} of ${this.of}`
    return `${whose} was given ${shown(this.given)} as ${this.option}: it must be ${this.expected}.`
  }
}
