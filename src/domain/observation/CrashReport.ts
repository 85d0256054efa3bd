/**
 * What is said when a process ends abnormally: who, why, with what in hand, and what happens next.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { ExitReason } from "../server/ExitReason.ts"

/** The schema of a crash report. */
export const CrashReport = Schema.Struct({
  path: Schema.Array(Schema.String),
  incarnation: Schema.Int,
  reason: ExitReason,
  /** Tag of the message whose handler was running. */
  message: Schema.optionalKey(Schema.String),
  /** Sequence number of the snapshot the incarnation had started from. */
  restoredFrom: Schema.optionalKey(Schema.Int),
  /** Casts acknowledged to nobody and undone, because the state could not be stored. */
  undone: Schema.optionalKey(Schema.Int),
  next: Schema.String
})

/** What is said when a process ends abnormally. */
export type CrashReport = typeof CrashReport.Type
