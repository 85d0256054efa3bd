/**
 * The answers of one key as a store in memory, or the index of a log, keeps them.
 *
 * A server records an answer and has the oldest forgotten with nearly each of its commits. So that costs the same however
 * many there are: answers lie in the order of their snapshots, new ones are appended, and the oldest leave at the front. The
 * shelf is changed in place.
 *
 * @since 0.1.0
 */
import type { RecordedAnswer } from "../Answers.ts"

/** Rough size of an answer in a log without its texts. */
const answerBytes = 40

const sizeOf = ({ body, id }: RecordedAnswer): number => answerBytes + id.length + body.length

/** The answers of one key, the oldest first. */
export class AnswerShelf implements Iterable<RecordedAnswer> {
  private byId = new Map<string, RecordedAnswer>()
  private newest = 0
  /** About how many bytes they take in a log. */
  size = 0

  constructor(answers: Iterable<RecordedAnswer> = []) {
    this.add(answers)
  }

  get count(): number {
    return this.byId.size
  }

  [Symbol.iterator](): Iterator<RecordedAnswer> {
    return this.byId.values()
  }

  /** Adds those of a commit; one of an id that is there takes its place. */
  add(answers: Iterable<RecordedAnswer>): void {
    let isSorted = true
    for (const answer of answers) {
      this.drop(this.byId.get(answer.id))
      this.byId.set(answer.id, answer)
      this.size += sizeOf(answer)
      if (answer.seq >= this.newest) this.newest = answer.seq
      else isSorted = false
    }
    if (!isSorted) this.byId = new Map([...this.byId].sort(([, a], [, b]) => a.seq - b.seq))
  }

  /** Forgets those of snapshots before this one. */
  forgetBefore(seq: number): void {
    for (const answer of this.byId.values()) {
      if (answer.seq >= seq) return
      this.drop(answer)
    }
  }

  /** Forgets one. */
  forget(id: string): void {
    this.drop(this.byId.get(id))
  }

  private drop(answer: RecordedAnswer | undefined): void {
    if (answer === undefined) return
    this.byId.delete(answer.id)
    this.size -= sizeOf(answer)
  }
}
