/**
 * The one error for an option that makes no sense.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"

/**
 * A server, its companions or a store (`server` is its name) was given an option that makes no sense; what the type checker
 * cannot see. `request` is the message, or the callback, that the option was for.
 */
export class InvalidOption extends Schema.TaggedError<InvalidOption>()("InvalidOption", {
  server: Schema.String,
  request: Schema.optionalKey(Schema.String),
  option: Schema.String,
  given: Schema.Unknown,
  expected: Schema.String
}) {
  override get message(): string {
    const whose = this.request === undefined ? this.server : `${this.request} of ${this.server}`
    return `${whose} was given ${show(this.given)} as ${this.option}: it must be ${this.expected}.`
  }
}

const show = (given: unknown): string => typeof given === "string" ? `"${given}"` : String(given)
