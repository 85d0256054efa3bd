/**
 * What a supervisor ends of that has given up on a child.
 *
 * @since 0.1.0
 */
import { Cause, Schema } from "effect"
import { isInstance } from "../text/ForeignText.ts"
import { ExitReason, toCause, toWords } from "./ExitReason.ts"

/**
 * A child was to be restarted more often than its supervisor's budget allows, and no error was the reason: it had ended
 * in order, or was killed.
 */
export class EndedTooOften extends Schema.TaggedError<EndedTooOften>()("EndedTooOften", {
  child: Schema.String,
  reason: ExitReason
}) {
  override get message(): string {
    const ended = `it ended once more than the restart budget allows, the last time as ${toWords(this.reason)}`
    return this.reason._tag === "Killed"
      ? `${ended}.`
      : `${ended}. A permanent child is started again however it ends: make one that is to end transient or temporary.`
  }
}

/** Whether no report of the child, or of a supervisor below, has shown this cause of a give-up. */
export const isNew = ({ cause, child }: Extract<ExitReason, { readonly _tag: "GaveUp" }>): boolean => {
  const error = Cause.squash(cause)
  return isInstance(error, EndedTooOften) && error.child === child
}

/** The reason of a supervisor that gives up on a child, whose last end is given. */
export const gaveUp = (child: string, reason: ExitReason): ExitReason => {
  const cause = toCause(reason)
  return {
    _tag: "GaveUp",
    child,
    cause: cause.reasons.length > 0 ? cause : Cause.fail(new EndedTooOften({ child, reason }))
  }
}
