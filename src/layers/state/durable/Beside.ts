/**
 * What one server has beside its state as of its newest commit: answers on record and timers; and what its store lacks
 * of it.
 *
 * Most servers have neither: they have none of these.
 *
 * @since 0.1.0
 */
import type { Limits, RecordedAnswer } from "../../../domain/state/Answers.ts"
import type { Aside } from "../../../domain/state/Generations.ts"
import type { Saved, SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import { none, type Timers } from "../../../domain/state/Timers.ts"
import { AnswerBook } from "../companion/AnswerBook.ts"
import type { Besides } from "../companion/Companion.ts"

/** What one server has beside its state. */
export class Beside {
  timers: Timers = none
  private hasUnsavedTimers = false
  private answers: AnswerBook | undefined = undefined
  private readonly limits: Limits | undefined

  constructor(limits: Limits | undefined) {
    this.limits = limits
  }

  private get book(): AnswerBook {
    return this.answers ??= new AnswerBook(this.limits)
  }

  /** What a store holds beside a snapshot, if anything. */
  static of(record: Pick<SnapshotRecord, "answers" | "timers"> | undefined, limits: Limits | undefined) {
    const { answers = [], timers } = record ?? {}
    if (answers.length === 0 && timers === undefined) return undefined
    const beside = new Beside(limits)
    if (answers.length > 0) beside.book.load(answers)
    beside.timers = timers ?? none
    return beside
  }

  /** It was committed with snapshot `seq`. */
  commit({ answers, timers }: Besides, seq: number): void {
    if (answers !== undefined) { for (const answer of answers) this.book.record(answer, seq) }
    if (timers === undefined) return
    this.timers = timers
    this.hasUnsavedTimers = true
  }

  find(id: string): RecordedAnswer | undefined {
    return this.answers?.find(id)
  }

  /** What was committed since the last record goes with the next. */
  take(): Saved {
    const taken = { ...this.answers?.take(), ...(this.hasUnsavedTimers ? { timers: this.timers } : {}) }
    this.hasUnsavedTimers = false
    return taken
  }
}

/**
 * What there is beside the state that is started from. A newer snapshot that was damaged knows of more answers: those
 * that went with it are lost, and their calls are not handled again.
 */
export const keptOf = (
  start: SnapshotRecord | undefined,
  aside: ReadonlyArray<Aside<SnapshotRecord>>
): Pick<SnapshotRecord, "answers" | "timers"> | undefined => {
  const lost = aside.find(({ seq, state }) => state.damaged !== undefined && seq > (start?.seq ?? 0))?.state
  return lost === undefined ? start : { answers: lost.answers, timers: start?.timers }
}
