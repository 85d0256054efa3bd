/**
 * Recorded answers: what makes a call that is made again be answered again, and not handled again.
 *
 * A call may carry a key. Its answer is recorded under that key in one commit with the state it was computed from, so
 * that a caller who does not know whether its call was handled (a crash, a timeout, the death of the process) simply makes
 * it again. Typed failures are recorded too; defects are not, for they left no trace in the state.
 *
 * @since 0.1.0
 */
import { isLonger, maxAnswerIdBytes } from "../state/stored/SnapshotRecord.ts"

/** An answer on record. */
export interface RecordedAnswer {
  /** The key the call carried. */
  readonly id: string
  /** Sequence number of the state that was committed with it. */
  readonly seq: number
  /** When it was answered, in milliseconds. */
  readonly at: number
  /** The answer and what it answers, as JSON text. */
  readonly body: string
}

/** An answer about to be recorded. */
export type NewAnswer = Omit<RecordedAnswer, "seq">

/** Longest key of a call, in bytes of UTF-8: what every store can hold. */
export const maxKeyBytes = maxAnswerIdBytes

/**
 * Whether a text can be the key of a call. The empty one is none: it is what a caller has whose request came without one, and
 * two such callers are not one.
 */
export const isKey = (text: unknown): text is string =>
  typeof text === "string" && text !== "" && !isLonger(text, maxKeyBytes)

/** How many answers a server keeps on record, and for how long. */
export interface Limits {
  /** The oldest give way to the newest; 1,000 by default. */
  readonly maxCount: number
  /** In milliseconds; a day by default. */
  readonly maxAge: number
}

/** Limits unless told otherwise. */
export const defaultLimits: Limits = { maxCount: 1000, maxAge: 86_400_000 }

/** Which of the answers, oldest first, are too many or too old to be kept. */
export const expired = (
  answers: Iterable<RecordedAnswer>,
  count: number,
  now: number,
  limits: Limits
): ReadonlyArray<RecordedAnswer> => {
  const gone: Array<RecordedAnswer> = []
  for (const answer of answers) {
    if (count - gone.length <= limits.maxCount && now - answer.at <= limits.maxAge) break
    gone.push(answer)
  }
  return gone
}
