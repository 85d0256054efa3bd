/**
 * Idempotency keys: a call that is made again is answered again, and not handled again.
 *
 * A call may carry a key. Its answer is recorded under that key in one commit with the state it was computed from
 * (`state/Answers`), so that a caller who does not know whether its call was handled (a crash, a timeout, the death of the
 * process) simply makes it again. Typed failures are recorded too; defects are not, for they left no trace in the state.
 *
 * @since 0.1.0
 */
import { isLonger, maxAnswerIdBytes } from "../state/stored/SnapshotRecord.ts"

/** Longest key of a call, in bytes of UTF-8: what every store can hold. */
export const maxKeyBytes = maxAnswerIdBytes

/**
 * Whether a text can be the key of a call. The empty one is none: it is what a caller has whose request came without one, and
 * two such callers are not one.
 */
export const isKey = (text: unknown): text is string =>
  typeof text === "string" && text !== "" && !isLonger(text, maxKeyBytes)
