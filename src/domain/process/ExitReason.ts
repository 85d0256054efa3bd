/**
 * Why an incarnation of a process ended.
 *
 * One closed vocabulary for supervisors, monitors, `terminate` callbacks, reports and Schedules: OTP's exit reasons
 * (`normal`, `shutdown`, `{shutdown, Term}`, `killed`, anything else) as a tagged union over Effect's `Cause`.
 *
 * @since 0.1.0
 */
import { Cause, Exit, Schema } from "effect"
import { ForeignCause } from "../text/ForeignCause.ts"
import { text } from "../text/ForeignText.ts"

/**
 * It finished by itself, as intended (OTP: `normal`).
 *
 * @category schemas
 * @since 0.1.0
 */
export const Normal = Schema.TaggedStruct("Normal", {})

/**
 * It was ordered to stop, or stopped itself in good order, with a word on why (OTP: `shutdown`, `{shutdown, Term}`).
 *
 * @category schemas
 * @since 0.1.0
 */
export const Shutdown = Schema.TaggedStruct("Shutdown", { detail: Schema.optionalKey(Schema.String) })

/**
 * It was ended at once, without clean-up by its own code (OTP: `killed`).
 *
 * @category schemas
 * @since 0.1.0
 */
export const Killed = Schema.TaggedStruct("Killed", {})

/**
 * A defect, a typed failure of its life, an invalid result or an interruption from outside (OTP: any other term).
 *
 * @category schemas
 * @since 0.1.0
 */
export const Crashed = Schema.TaggedStruct("Crashed", { cause: ForeignCause })

/**
 * A supervisor's restart budget was spent; `child` is the one that spent it (OTP: `shutdown` of a supervisor).
 *
 * @category schemas
 * @since 0.1.0
 */
export const GaveUp = Schema.TaggedStruct("GaveUp", {
  child: Schema.String,
  cause: ForeignCause
})

/**
 * A durable companion could not store the state; the next incarnation starts from what the store holds.
 *
 * @category schemas
 * @since 0.1.0
 */
export const NotConserved = Schema.TaggedStruct("NotConserved", {
  cause: ForeignCause
})

/**
 * The schema of every reason.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ExitReason = Schema.Union([Normal, Shutdown, Killed, Crashed, GaveUp, NotConserved])

/**
 * Why an incarnation ended.
 *
 * @category models
 * @since 0.1.0
 */
export type ExitReason = typeof ExitReason.Type

/**
 * OTP's `normal`.
 *
 * @category values
 * @since 0.1.0
 */
export const normal: ExitReason = { _tag: "Normal" }

/**
 * OTP's `shutdown`.
 *
 * @category values
 * @since 0.1.0
 */
export const shutdown: ExitReason = { _tag: "Shutdown" }

/**
 * OTP's `killed`.
 *
 * @category values
 * @since 0.1.0
 */
export const killed: ExitReason = { _tag: "Killed" }

/**
 * A crash from a `Cause`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const crashed = (cause: Cause.Cause<unknown>): ExitReason => ({ _tag: "Crashed", cause })

/**
 * Whether this is how a process is meant to end: a `transient` child that ends so is not restarted.
 *
 * @category guards
 * @since 0.1.0
 */
export const isOrderly = (reason: ExitReason): boolean => reason._tag === "Normal" || reason._tag === "Shutdown"

/**
 * Classifies how a fiber ended: success is `Normal`; a failure, a defect or an interruption without an order is
 * `Crashed`.
 *
 * @category conversions
 * @since 0.1.0
 */
export const fromExit = (exit: Exit.Exit<unknown, unknown>): ExitReason =>
  exit._tag === "Success" ? normal : crashed(exit.cause)

/**
 * How a fiber would have ended that ended so: in order with success, killed with an interruption, else with the cause.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toExit = (reason: ExitReason): Exit.Exit<ExitReason, unknown> =>
  isOrderly(reason)
    ? Exit.succeed(reason)
    : reason._tag === "Killed"
    ? Exit.interrupt()
    : Exit.failCause(toCause(reason))

/**
 * The cause behind a reason, for Schedules and reports; empty for orderly ends.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toCause = (reason: ExitReason): Cause.Cause<unknown> =>
  reason._tag === "Crashed" || reason._tag === "GaveUp" || reason._tag === "NotConserved" ? reason.cause : Cause.empty

/**
 * One line for logs and messages.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toText = (reason: ExitReason): string =>
  "cause" in reason ? `${toWords(reason)}: ${summary(reason.cause)}` : toWords(reason)

/**
 * The same without the cause, for those who show that themselves.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toWords = (reason: ExitReason): string => {
  switch (reason._tag) {
    case "Normal":
      return "normal"
    case "Shutdown":
      return reason.detail === undefined ? "shutdown" : `shutdown (${reason.detail})`
    case "Killed":
      return "killed"
    case "Crashed":
      return "crashed"
    case "GaveUp":
      return `gave up on ${reason.child}`
    case "NotConserved":
      return "state not conserved"
  }
}

const summary = (cause: Cause.Cause<unknown>): string => {
  if (cause.reasons.length === 0) return "no cause was given"
  if (Cause.hasInterruptsOnly(cause)) return "interrupted"
  // Texts of messages end with a full stop, and so does the sentence this becomes a part of.
  return text(Cause.squash(cause)).replace(/\.$/, "")
}
