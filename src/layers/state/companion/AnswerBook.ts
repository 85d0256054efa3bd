/**
 * The answers a server has on record, bounded by number and age: those under keys that callers have given, and apart
 * from them those under keys that clients make for their own calls.
 *
 * *Tricky*
 * - Answers are in the order in which they were recorded, which is that of their sequence numbers: what is too old is
 *   always at the front. A list with a moving front, since a `Map` is looked through from the first entry that it ever
 *   had.
 * - What is not written to a store yet is the end of that list.
 * - Busy clients of a cluster have 100,000 of them kept, and the collector looks at each again and again. So what is
 *   kept of one is a single object beside its two texts (`Kept`), and it is found by a number (`KeyTable`).
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
import { KeyTable } from "./KeyTable.ts"

/** Of those under made keys so many are forgotten at once in a store, which has to look for them among the others. */
const madeAtOnce = 64

/** An answer as it is kept. */
class Kept {
  readonly key: string
  readonly seq: number
  /** Its date, counted from that of the first: V8 has an object of its own for a number as large as a date. */
  readonly since: number
  readonly body: string
  readonly until: number | undefined
  /** It is on record no more, or another one is under its key. */
  isGone = false

  constructor({ at, body, id, seq, until }: RecordedAnswer, origin: number) {
    this.key = id
    this.seq = seq
    this.since = at - origin
    this.body = body
    this.until = until
  }
}

/** The answers under one kind of key. */
class Kind {
  private readonly byKey = new KeyTable<Kept>()
  private count = 0
  /** In their order, from `first` on; one that is recorded anew is in it twice, and the newer one counts. */
  private order: Array<Kept> = []
  private first = 0
  /** Where those begin that are not written yet. */
  private unwritten = 0
  private readonly limits: Limits
  private readonly isMade: boolean
  /** The date of the very first. */
  private origin: number | undefined = undefined
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
    if (this.isMade && !this.hasMarks && isMark(id)) return undefined
    const kept = this.byKey.get(id)
    return kept && this.recorded(kept)
  }

  private recorded({ body, key: id, seq, since, until }: Kept): RecordedAnswer {
    const at = this.dateOf(since)
    return until === undefined ? { id, seq, at, body } : { id, seq, at, body, until }
  }

  private dateOf(since: number): number {
    return since + (this.origin ?? 0)
  }

  private put(answer: RecordedAnswer): void {
    this.hasMarks ||= this.isMade && isMark(answer.id)
    const kept = new Kept(answer, this.origin ??= answer.at)
    const before = this.byKey.put(kept)
    if (before === undefined) this.count++
    else before.isGone = true
    this.order.push(kept)
  }

  private remove(kept: Kept): void {
    kept.isGone = true
    this.byKey.delete(kept.key)
    this.count--
  }

  record({ at: date, body, id }: NewAnswer, seq: number): void {
    if (this.earlier !== undefined) this.lag = lagOf(this.earlier, date, this.limits, this.isMade)
    this.earlier = undefined
    const at = date - this.lag
    this.put({ id, seq, at, body })
    for (let oldest = this.head; oldest !== undefined; oldest = this.head) {
      if (!givesWay({ id: oldest.key, at: this.dateOf(oldest.since) }, this.count, at, this.limits)) break
      this.remove(oldest)
      this.forgotten++
    }
  }

  load(answer: RecordedAnswer): void {
    this.put(answer)
    this.unwritten = this.order.length
    this.earlier = answer.at
  }

  rollBack(seq: number): void {
    const written = this.order.slice(this.first, this.unwritten)
    const unwritten = this.order.slice(Math.max(this.first, this.unwritten))
    for (const one of this.order) if (one.seq > seq && !one.isGone) this.remove(one)
    const left = [written, unwritten].map((all) => all.filter((one) => one.seq <= seq))
    this.order = left.flat()
    this.first = 0
    this.unwritten = left[0]!.length
  }

  get unsaved(): ReadonlyArray<RecordedAnswer> {
    return this.order.slice(Math.max(this.first, this.unwritten)).map((kept) => this.recorded(kept))
  }

  /** What is to be written, and the number of the oldest, where a store may forget those before. */
  take(): readonly [answers: ReadonlyArray<RecordedAnswer>, before: number] {
    const { unsaved } = this
    this.unwritten = this.order.length
    if (this.forgotten < (this.isMade ? madeAtOnce : 1)) return [unsaved, 0]
    this.forgotten = 0
    return [unsaved, this.oldest]
  }

  /** Sequence number of the oldest on record; 0 when there is none. */
  get oldest(): number {
    return this.head?.seq ?? 0
  }

  /** The oldest on record. */
  private get head(): Kept | undefined {
    for (; this.first < this.order.length; this.first++) {
      const one = this.order[this.first]!
      if (one.isGone) continue
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
    return this.given.oldest
  }
}
