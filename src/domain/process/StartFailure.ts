/**
 * Why a start failed, as far as a restart budget is concerned.
 *
 * A start that is under way when a write of the incarnation before it finally fails has begun from a state that is not
 * stored. It is broken off, and the next attempt asks the store. That was the store's doing, as it is when an
 * incarnation that is up is ended for it.
 *
 * @since 0.1.0
 */
import { Cause, Schema } from "effect"
import { ForeignCause } from "../text/ForeignCause.ts"
import { isInstance } from "../text/ForeignText.ts"
import { crashed, ExitReason, toText } from "./ExitReason.ts"

/** A start was broken off: the state it began from could not be stored. */
export class StartUndone extends Schema.TaggedError<StartUndone>()("StartUndone", {
  server: Schema.String,
  cause: ForeignCause
}) {
  override get message(): string {
    return `${this.server} was starting from a state that could not be stored. It is started again from what the store holds.`
  }
}

/** An incarnation was ended while it was starting, by a signal from outside or from its own `init`. */
export class EndedInStart extends Schema.TaggedError<EndedInStart>()("EndedInStart", {
  server: Schema.String,
  reason: ExitReason
}) {
  override get message(): string {
    return `${this.server} was ended while it was starting: ${toText(this.reason)}.`
  }
}

/** The reason behind the cause of a failed start. */
export const reasonOfStart = (cause: Cause.Cause<unknown>): ExitReason => {
  const error = Cause.squash(cause)
  if (isInstance(error, StartUndone)) return { _tag: "NotConserved", cause: error.cause }
  return isInstance(error, EndedInStart) ? error.reason : crashed(cause)
}
