/**
 * Recorded answers: how many of them a server keeps, and for how long.
 *
 * An answer is recorded in one commit with the state that it was computed from. A call that is made again with the same
 * key gets that answer and is not handled again; which calls have a key is decided in `server/Idempotency`.
 *
 * *Tricky*: to forget an answer too early is to handle its call twice, to forget it late costs some memory. In one
 * process, times are those of a clock that does not jump. From one process to the next there are dates alone, which a
 * clock that was set wrong puts anywhere: what lies between them counts as little ({@link lagOf}).
 *
 * @since 0.1.0
 */
import { isMade, lifeOf } from "./MadeKey.ts"

/** An answer on record. */
export interface RecordedAnswer {
  /** The key that the call carried. */
  readonly id: string
  /** Sequence number of the state that was committed with it. */
  readonly seq: number
  /** When it was answered, in milliseconds: a date, as far as the process that wrote it knew the right one. */
  readonly at: number
  /** The answer and what it answers, as JSON text. */
  readonly body: string
  /** The date after which it counts no more, where nothing that is recorded makes it give way. */
  readonly until?: number | undefined
}

/** The id of an answer that stands for any: a part was lost of which it is not known whose answers it held. */
export const anyId = ""

const lossMark = "{\"lost\":"

/** An answer that was on record and is lost: who asks for it hears so, and its call is not handled again. */
export const lost = (answer: Omit<RecordedAnswer, "body">, why: string): RecordedAnswer => ({
  id: answer.id,
  seq: answer.seq,
  at: answer.at,
  body: `${lossMark}${JSON.stringify(why)}}`
})

/**
 * An answer as it is kept by `limits`. One that stands for any keeps new ones from being recorded: its age alone ends
 * it.
 */
export const bounded = (answer: RecordedAnswer, { maxAge }: Limits): RecordedAnswer =>
  answer.id === anyId ? { ...answer, until: answer.at + maxAge } : answer

/** Why an answer is lost, if it is. */
export const lossOf = ({ body }: RecordedAnswer): string | undefined =>
  body.startsWith(lossMark) ? String(JSON.parse(body.slice(lossMark.length, -1))) : undefined

/** An answer about to be recorded. */
export type NewAnswer = Omit<RecordedAnswer, "seq">

/** How many answers a server keeps on record, and for how long. */
export interface Limits {
  /** The oldest give way to the newest; 1,000 by default, of each kind of key. */
  readonly maxCount: number
  /** In milliseconds; a day by default. */
  readonly maxAge: number
}

/** The limits by default. */
export const defaultLimits: Limits = { maxCount: 1000, maxAge: 86_400_000 }

/**
 * Of answers under made keys those whose call is over: so many are kept, for so many milliseconds. Its caller may ask
 * again by hand, and a message may have stood still with the runner that it was sent to.
 */
const afterlife = { maxCount: 100, maxAge: 600_000 }

/**
 * Whether an answer gives way, as the oldest of `count` of its kind: it is too old, or they are too many. Those under
 * keys that callers give and those under made keys are counted apart. One of the latter stays as long as its call
 * lives, however many there are.
 */
export const givesWay = (
  { at, id }: Pick<RecordedAnswer, "at" | "id">,
  count: number,
  now: number,
  { maxAge, maxCount }: Limits
): boolean => {
  const age = now - at
  if (!isMade(id)) return count > maxCount || age > maxAge
  const over = age - lifeOf(id)
  return over > 0 && (count > Math.min(afterlife.maxCount, maxCount) || over > Math.min(afterlife.maxAge, maxAge))
}

/** Which part of `maxAge` the time from one process to the next counts as, at most. */
const gapPart = 24

/**
 * How far the dates of this process are ahead of the time by which answers age, if the newest that an earlier one
 * recorded is of the date `newest`, and this one's first is of `now`. What lies between counts as a 24th of `maxAge` at
 * most, however far apart the dates are, and never as less than nothing. Of those under made keys it counts as a second
 * at most: clocks of two machines differ by more than that, and such an answer is needed as long as its call lives.
 */
export const lagOf = (newest: number, now: number, { maxAge }: Limits, isMade = false): number =>
  now - newest - Math.min(Math.max(now - newest, 0), isMade ? 1000 : maxAge / gapPart)
