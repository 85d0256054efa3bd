/**
 * The answers a server has on record, bounded by number and age: those under keys that callers have given, and apart
 * from them those under keys that clients make for their own calls.
 *
 * *Tricky*
 * - Answers are in the order in which they were recorded, which is that of their sequence numbers: what is too old is
 *   always at the front. A list with a moving front, since a `Map` is looked through from the first entry that it ever
 *   had.
 * - What is not written to a store yet is the end of that list.
 *
 * @since 0.1.0
 */
import {
  anyId,
  bounded,
  defaultLimits,
  givesWay,
  lagOf,
  type Limits,
  type NewAnswer,
  type RecordedAnswer
} from "../../../domain/state/Answers.ts"
import { isMade, isMark } from "../../../domain/state/MadeKey.ts"
import type { SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"

/** Of those under made keys so many are forgotten at once in a store, which has to look for them among the others. */
const madeAtOnce = 64

/** The answers under one kind of key. */
class Kind {
  private readonly byId = new Map<string, RecordedAnswer>()
  /** In their order, from `first` on; one that is recorded anew is in it twice, and the newer one counts. */
  private order: Array<RecordedAnswer> = []
  private first = 0
  /** Where those begin that are not written yet. */
  private unwritten = 0
  private readonly limits: Limits
  private readonly isMade: boolean
  /** The date of the newest that an earlier process recorded, until this one records its first. */
  private earlier: number | undefined = undefined
  private lag = 0
  private hasMarks = false
  /** How many answers have gone that a store may have. */
  private forgotten = 0

  constructor(limits: Limits, isMade: boolean) {
    this.limits = limits
    this.isMade = isMade
  }

  find(id: string): RecordedAnswer | undefined {
    // Each call asks for a mark, which few have: a text that is new is dear to look up.
    return this.isMade && !this.hasMarks && isMark(id) ? undefined : this.byId.get(id)
  }

  private put(answer: RecordedAnswer): void {
    this.hasMarks ||= this.isMade && isMark(answer.id)
    this.byId.set(answer.id, answer)
    this.order.push(answer)
  }

  record({ at: date, body, id }: NewAnswer, seq: number): void {
    if (this.earlier !== undefined) this.lag = lagOf(this.earlier, date, this.limits, this.isMade)
    this.earlier = undefined
    const at = date - this.lag
    this.put({ id, seq, at, body })
    for (let oldest = this.oldest; oldest !== undefined; oldest = this.oldest) {
      if (!givesWay(oldest, this.byId.size, at, this.limits)) break
      this.byId.delete(oldest.id)
      this.forgotten++
    }
  }

  load(answer: RecordedAnswer): void {
    this.put(answer)
    this.unwritten = this.order.length
    this.earlier = answer.at
  }

  rollBack(seq: number): void {
    const written = this.order.slice(this.first, this.unwritten).filter((one) => one.seq <= seq)
    const unwritten = this.unsaved.filter((one) => one.seq <= seq)
    this.order = [...written, ...unwritten]
    this.first = 0
    this.unwritten = written.length
    for (const { id, seq: own } of this.byId.values()) if (own > seq) this.byId.delete(id)
  }

  get unsaved(): ReadonlyArray<RecordedAnswer> {
    return this.order.slice(Math.max(this.first, this.unwritten))
  }

  /** What is to be written, and the number of the oldest, where a store may forget those before. */
  take(): readonly [answers: ReadonlyArray<RecordedAnswer>, before: number] {
    const { unsaved } = this
    this.unwritten = this.order.length
    if (this.forgotten < (this.isMade ? madeAtOnce : 1)) return [unsaved, 0]
    this.forgotten = 0
    return [unsaved, this.oldest?.seq ?? 0]
  }

  /** The oldest on record. */
  get oldest(): RecordedAnswer | undefined {
    for (; this.first < this.order.length; this.first++) {
      const one = this.order[this.first]!
      if (this.byId.get(one.id) !== one) continue
      // What has gone is let go of now and then.
      if (this.first > 64 && this.first * 2 > this.order.length) this.cut()
      return one
    }
    this.cut()
    return undefined
  }

  private cut(): void {
    this.order.splice(0, this.first)
    this.unwritten = Math.max(0, this.unwritten - this.first)
    this.first = 0
  }
}

/** The answers a server has on record. */
export class AnswerBook {
  private given: Kind
  private made: Kind | undefined = undefined
  private readonly limits: Limits
  /** Whether there may be one that stands for any, which only a store has. */
  private hasAny = false

  constructor(limits: Limits = defaultLimits) {
    this.limits = limits
    this.given = new Kind(limits, false)
  }

  private kindOf(id: string): Kind {
    return isMade(id) ? this.made ??= new Kind(this.limits, true) : this.given
  }

  find(id: string): RecordedAnswer | undefined {
    return this.kindOf(id).find(id) ?? (this.hasAny ? this.given.find(anyId) : undefined)
  }

  record(answer: NewAnswer, seq: number): void {
    this.hasAny ||= answer.id === anyId
    this.kindOf(answer.id).record(answer, seq)
  }

  /** What a store holds, oldest first. */
  load(answers: Iterable<RecordedAnswer>): void {
    this.given = new Kind(this.limits, false)
    this.made = undefined
    for (const answer of answers) {
      this.hasAny ||= answer.id === anyId
      this.kindOf(answer.id).load(bounded(answer, this.limits))
    }
  }

  /** Takes back what was recorded with states that were given up. */
  rollBack(seq: number): void {
    this.given.rollBack(seq)
    this.made?.rollBack(seq)
  }

  /** What is not written to a store yet. */
  get unsaved(): ReadonlyArray<RecordedAnswer> {
    return this.made === undefined ? this.given.unsaved : [...this.given.unsaved, ...this.made.unsaved]
  }

  /** What was recorded since the last record goes with the next. */
  take(): Pick<SnapshotRecord, "answers" | "forgetAnswersBefore" | "forgetMadeBefore"> {
    const [answers, forgetAnswersBefore] = this.given.take()
    if (this.made === undefined) return { answers, forgetAnswersBefore }
    const [made, forgetMadeBefore] = this.made.take()
    return { answers: answers.length === 0 ? made : [...answers, ...made], forgetAnswersBefore, forgetMadeBefore }
  }

  /** Sequence number of the oldest answer on record under a key that was given; 0 when there is none. */
  get oldest(): number {
    return this.given.oldest?.seq ?? 0
  }
}
