/**
 * The answers a server has on record, bounded by number and age.
 *
 * *Tricky*: answers are in the order in which they were recorded, which is that of their sequence numbers: what is too old
 * is always at the front.
 *
 * @since 0.1.0
 */
import {
  anyId,
  bounded,
  defaultLimits,
  expired,
  lagOf,
  type Limits,
  type NewAnswer,
  type RecordedAnswer
} from "../../../domain/state/Answers.ts"
import type { SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"

/** The answers a server has on record. */
export class AnswerBook {
  private readonly answers = new Map<string, RecordedAnswer>()
  private readonly limits: Limits
  /** The date of the newest that an earlier process recorded, until this one records its first. */
  private earlier: number | undefined = undefined
  private lag = 0
  /** Whether a store has answers that are on record no more. */
  private hasForgotten = false
  /** Whether there may be one that stands for any, which only a store has. */
  private hasAny = false
  /** What is not written to a store yet. */
  unsaved: Array<RecordedAnswer> = []

  constructor(limits: Limits | undefined) {
    this.limits = limits ?? defaultLimits
  }

  find(id: string): RecordedAnswer | undefined {
    return this.answers.get(id) ?? (this.hasAny ? this.answers.get(anyId) : undefined)
  }

  record(answer: NewAnswer, seq: number): void {
    if (this.earlier !== undefined) this.lag = lagOf(this.earlier, answer.at, this.limits)
    this.earlier = undefined
    const at = answer.at - this.lag
    const recorded = { ...answer, at, seq }
    this.answers.delete(answer.id)
    this.answers.set(answer.id, recorded)
    this.hasAny ||= answer.id === anyId
    this.unsaved.push(recorded)
    const gone = expired(this.answers.values(), this.answers.size, at, this.limits)
    for (const { id } of gone) this.answers.delete(id)
    if (gone.length === 0) return
    this.hasForgotten = true
    // A store need not know of them, and a companion in memory writes to none.
    while (this.unsaved.length > this.answers.size) this.unsaved.shift()
  }

  /** What a store holds, oldest first. */
  load(answers: Iterable<RecordedAnswer>): void {
    this.answers.clear()
    this.unsaved = []
    for (const answer of answers) {
      this.answers.set(answer.id, bounded(answer, this.limits))
      this.hasAny ||= answer.id === anyId
      this.earlier = answer.at
    }
  }

  /** Takes back what was recorded with states that were given up. */
  rollBack(seq: number): void {
    for (const answer of this.answers.values()) if (answer.seq > seq) this.answers.delete(answer.id)
    this.unsaved = this.unsaved.filter((answer) => answer.seq <= seq)
  }

  /** What was recorded since the last record goes with the next. */
  take(): Pick<SnapshotRecord, "answers" | "forgetAnswersBefore"> {
    const answers = this.unsaved
    const forgetAnswersBefore = this.hasForgotten ? this.oldest : 0
    this.unsaved = []
    this.hasForgotten = false
    return { answers, forgetAnswersBefore }
  }

  /** Sequence number of the oldest answer on record: a store may forget those before; 0 when there is none. */
  get oldest(): number {
    for (const answer of this.answers.values()) return answer.seq
    return 0
  }
}
