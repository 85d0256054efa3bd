/**
 * Recorded answers: how many of them a server keeps, and for how long.
 *
 * An answer is recorded in one commit with the state that it was computed from. A call that is made again with the same key
 * gets that answer and is not handled again; which calls have a key is decided in `server/Idempotency`.
 *
 * *Tricky*: to forget an answer too early is to handle its call twice, to forget it late costs some memory. In one process, times
 * are those of a clock that does not jump. From one process to the next there are dates alone, which a clock that was set
 * wrong puts anywhere: what lies between them counts as little ({@link lagOf}).
 *
 * @since 0.1.0
 */

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

/** An answer as it is kept by `limits`. One that stands for any keeps new ones from being recorded: its age alone ends it. */
export const bounded = (answer: RecordedAnswer, { maxAge }: Limits): RecordedAnswer =>
  answer.id === anyId ? { ...answer, until: answer.at + maxAge } : answer

/** Why an answer is lost, if it is. */
export const lossOf = ({ body }: RecordedAnswer): string | undefined =>
  body.startsWith(lossMark) ? String(JSON.parse(body.slice(lossMark.length, -1))) : undefined

/** An answer about to be recorded. */
export type NewAnswer = Omit<RecordedAnswer, "seq">

/** How many answers a server keeps on record, and for how long. */
export interface Limits {
  /** The oldest give way to the newest; 1,000 by default. */
  readonly maxCount: number
  /** In milliseconds; a day by default. */
  readonly maxAge: number
}

/** The limits by default. */
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

/** Which part of `maxAge` the time from one process to the next counts as, at most. */
const gapPart = 24

/**
 * How far the dates of this process are ahead of the time by which answers age, if the newest that an earlier one recorded is of
 * the date `newest`, and this one's first is of `now`. What lies between counts as a 24th of `maxAge` at most, however
 * far apart the dates are, and never as less than nothing.
 */
export const lagOf = (newest: number, now: number, { maxAge }: Limits): number =>
  now - newest - Math.min(Math.max(now - newest, 0), maxAge / gapPart)
