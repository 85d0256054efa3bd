/**
 * The answers of one key as a store in memory, or the index of a log, keeps them.
 *
 * A server records an answer and has the oldest forgotten with nearly each of its commits. So that costs the same
 * however many there are: answers lie in the order of their snapshots, new ones are appended, and the oldest leave at
 * the front. The shelf is changed in place.
 *
 * @since 0.1.0
 */
import type { RecordedAnswer } from "../Answers.ts"
import { isMade } from "../MadeKey.ts"

/** Rough size of an answer in a log without its texts. */
const answerBytes = 40

const sizeOf = ({ body, id }: RecordedAnswer): number => answerBytes + id.length + body.length

/** Those under one kind of key, the oldest first. */
class Row {
  byId = new Map<string, RecordedAnswer>()
  private newest = 0
  size = 0

  /** Adds one; whether it is in order. */
  add(answer: RecordedAnswer): boolean {
    this.drop(this.byId.get(answer.id))
    this.byId.set(answer.id, answer)
    this.size += sizeOf(answer)
    const isSorted = answer.seq >= this.newest
    if (isSorted) this.newest = answer.seq
    return isSorted
  }

  sort(): void {
    this.byId = new Map([...this.byId].sort(([, a], [, b]) => a.seq - b.seq))
  }

  forgetBefore(seq: number): void {
    for (const answer of this.byId.values()) {
      if (answer.seq >= seq) return
      this.drop(answer)
    }
  }

  drop(answer: RecordedAnswer | undefined): void {
    if (answer === undefined) return
    this.byId.delete(answer.id)
    this.size -= sizeOf(answer)
  }
}

/** The answers of one key: the oldest first of those under keys that were given, and then of those under made keys. */
export class AnswerShelf implements Iterable<RecordedAnswer> {
  private readonly given = new Row()
  private readonly made = new Row()

  constructor(answers: Iterable<RecordedAnswer> = []) {
    this.add(answers)
  }

  get count(): number {
    return this.given.byId.size + this.made.byId.size
  }

  /** About how many bytes they take in a log. */
  get size(): number {
    return this.given.size + this.made.size
  }

  *[Symbol.iterator](): Iterator<RecordedAnswer> {
    yield* this.given.byId.values()
    yield* this.made.byId.values()
  }

  /** Adds those of a commit; one of an id that is there takes its place. */
  add(answers: Iterable<RecordedAnswer>): void {
    const unsorted = new Set<Row>()
    for (const answer of answers) {
      const row = this.rowOf(answer.id)
      if (!row.add(answer)) unsorted.add(row)
    }
    for (const row of unsorted) row.sort()
  }

  /** Forgets those of snapshots before this one, under keys that were given. */
  forgetBefore(seq: number): void {
    this.given.forgetBefore(seq)
  }

  /** The same under made keys. */
  forgetMadeBefore(seq: number): void {
    this.made.forgetBefore(seq)
  }

  /** Forgets one. */
  forget(id: string): void {
    const row = this.rowOf(id)
    row.drop(row.byId.get(id))
  }

  private rowOf(id: string): Row {
    return isMade(id) ? this.made : this.given
  }
}
