/**
 * What is said when a process ends abnormally: who, why, with what in hand, and what happens next.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { ExitReason, toText as reasonText, toWords } from "../process/ExitReason.ts"
import { isNew } from "../process/GiveUp.ts"
import { text } from "../text/ForeignText.ts"
import { pathText } from "./Lifecycle.ts"

/**
 * The schema of a crash report.
 *
 * @category schemas
 * @since 0.1.0
 */
export const CrashReport = Schema.Struct({
  path: Schema.Array(Schema.String),
  incarnation: Schema.Int,
  reason: ExitReason,
  /** Tag of the message whose handler was running. */
  message: Schema.optionalKey(Schema.String),
  /** Sequence number of the snapshot the incarnation had started from. */
  restoredFrom: Schema.optionalKey(Schema.Int),
  /** Casts that were undone unseen, because the state could not be stored. */
  undone: Schema.optionalKey(Schema.Int),
  /**
   * What is shown of it, as its format hook left it (nothing without a hook: states and payloads may be secret, or
   * large): its last state, the message in hand, the reason (when the hook changed it) and the event log (when it was
   * on).
   */
  shown: Schema.optionalKey(Schema.Struct({
    state: Schema.Unknown,
    message: Schema.optionalKey(Schema.Unknown),
    reason: Schema.optionalKey(Schema.Unknown),
    log: Schema.optionalKey(Schema.Array(Schema.Unknown))
  })),
  /**
   * It did not come up: this was a start, and no incarnation has ended. `since` is the path of the process below it
   * that failed to start, when it was one: the cause is in the report of that one.
   */
  start: Schema.optionalKey(Schema.Struct({ since: Schema.optionalKey(Schema.Array(Schema.String)) })),
  /** It did not end in the time it was given, and is left behind: what it does from then on changes nothing. */
  abandoned: Schema.optionalKey(Schema.Boolean),
  next: Schema.String
})

/**
 * What is said when a process ends abnormally.
 *
 * @category models
 * @since 0.1.0
 */
export type CrashReport = typeof CrashReport.Type

/**
 * Who ended how, on one line: `app/Counter #2 crashed: Error: boom`.
 *
 * @category conversions
 * @since 0.1.0
 */
export const headline = (report: CrashReport): string => `${who(report)} ${words(report, reasonText)}`

/**
 * The headline for a log entry that shows the cause beside it: `app/Counter #2 crashed`.
 *
 * @category conversions
 * @since 0.1.0
 */
export const title = (report: CrashReport): string => `${who(report)} ${words(report, toWords)}`

const words = ({ abandoned, reason, shown, start }: CrashReport, textOf: (reason: ExitReason) => string): string => {
  if (shown?.reason !== undefined) return text(shown.reason)
  if (abandoned === true) return "did not end in time, and is left behind"
  if (start === undefined) return textOf(reason)
  if (start.since !== undefined) return `did not start, since ${pathText(start.since)} did not`
  return textOf === toWords ? "did not start" : `did not start, ${textOf(reason)}`
}

/**
 * Whether the cause is to be shown with the report. It is not when another report has shown it before: that of the
 * child which a supervisor gave up on, or which did not start. One that was given up on after ends in order has had
 * none.
 *
 * @category conversions
 * @since 0.1.0
 */
export const isCauseNew = ({ reason, shown, start }: CrashReport): boolean =>
  // A reason that its format hook changed is not to be seen as it is.
  shown?.reason === undefined && start?.since === undefined && (reason._tag !== "GaveUp" || isNew(reason))

const who = ({ incarnation, path }: CrashReport): string => `${pathText(path)} #${incarnation}`

/**
 * The whole report for people: the headline, then one indented line for each thing that is known.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toText = (report: CrashReport): string => {
  const lines = [headline(report)]
  if (report.message !== undefined) lines.push(`  in hand: ${report.message}`)
  if (report.restoredFrom !== undefined) lines.push(`  restored from: snapshot ${report.restoredFrom}`)
  if (report.undone !== undefined) lines.push(`  undone: ${report.undone} ${report.undone === 1 ? "cast" : "casts"}`)
  lines.push(`  next: ${report.next}`)
  return lines.join("\n")
}
