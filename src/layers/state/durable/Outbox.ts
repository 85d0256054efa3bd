/**
 * The commits of one durable companion that are on their way to the store, and the answers that wait for them.
 *
 * The store follows what is in memory: answers wait for it, the server does not.
 *
 * *Tricky*: callers give up while the store is away, and nothing is to be left of them. Those that have gone are
 * counted, and taken out when they may be the larger part: so that costs each of them O(1), and a waiting answer knows
 * no neighbour.
 *
 * @since 0.1.0
 */
import type { Held, Latest } from "../companion/Companion.ts"

/** An answer that waits, in the order in which they do. */
interface Waiting {
  readonly seq: number
  readonly answer: Held
  next: Waiting | undefined
}

/** Those that have gone are not looked for before there are so many. */
const few = 32

/** The commits that are on their way to the store. */
export class Outbox {
  /** The highest number ever given: those of snapshots that were lost or set aside are not used again. */
  lastSeq = 0
  /** All that was committed up to this one is stored, or given up. */
  private storedSeq = 0
  /** Casts committed so far; of those, the ones in the record that is being written; and the ones that are stored. */
  private casts = 0
  private castsWritten = 0
  private castsStored = 0
  private removals = 0
  private firstHeld: Waiting | undefined = undefined
  private lastHeld: Waiting | undefined = undefined
  /** How many answers wait, and how many of them may have gone. */
  private waiting = 0
  private gone = 0
  private onRoom: (() => void) | undefined = undefined
  private onEmpty: (() => void) | undefined = undefined

  /** How many commits the store is behind. */
  get ahead(): number {
    return this.lastSeq - this.storedSeq
  }

  /** Whether nothing is on its way, no removal either. */
  get isEmpty(): boolean {
    return this.ahead === 0 && this.removals === 0
  }

  /** How many answers wait for callers that are still there. */
  get held(): number {
    let held = 0
    for (let one = this.firstHeld; one !== undefined; one = one.next) {
      if (!one.answer.isGone && one.answer.isReader !== true) held++
    }
    return held
  }

  /** What is known of the newest commit, which has these books. */
  latest(books: Latest["books"], store: Latest["store"] & object): Latest {
    const isPending = this.ahead > 0
    return { books, isConserved: !isPending, isPending, stored: this.storedSeq, held: this.held, store }
  }

  /** Runs one of them when all that is committed by now is stored, or will not be. */
  follow(stored: () => void, lost: () => void): void {
    if (this.ahead === 0) stored()
    else this.hold({ isGone: false, isReader: true, stored, lost })
  }

  committed(seq: number, isCast: boolean): void {
    this.lastSeq = seq
    if (isCast) this.casts++
  }

  /** The newest commit is in the record that is being written. */
  written(): void {
    this.castsWritten = this.casts
  }

  /** The store has the record of snapshot `seq`. */
  stored(seq: number): void {
    if (seq > this.storedSeq) this.storedSeq = seq
    this.castsStored = this.castsWritten
    this.release(seq, (answer) => answer.stored())
  }

  /** The store was read: its newest snapshot has this number, or it has used this one. */
  caughtUp(seq: number): void {
    if (seq > this.lastSeq) this.lastSeq = seq
    this.storedSeq = this.lastSeq
  }

  /** Nothing more of this is stored; the number of casts that are undone by that. */
  giveUp(): number {
    const undone = this.casts - this.castsStored
    this.storedSeq = this.lastSeq
    this.castsStored = this.casts
    return undone
  }

  removalBegun(): void {
    this.removals++
  }

  removalEnded(): void {
    this.removals--
  }

  /** Holds an answer until all that is committed by now is stored, or cannot be. */
  hold(answer: Held): void {
    const waiting: Waiting = { seq: this.lastSeq, answer, next: undefined }
    if (this.lastHeld === undefined) this.firstHeld = waiting
    else this.lastHeld.next = waiting
    this.lastHeld = waiting
    this.waiting++
  }

  /** One of those that wait may have gone. */
  letGo(): void {
    if (this.gone > few && this.gone * 2 > this.waiting) this.sweep()
    this.gone++
  }

  /** Takes out those that have gone. */
  private sweep(): void {
    const first = this.firstHeld
    this.gone = this.waiting = 0
    this.firstHeld = this.lastHeld = undefined
    for (let one = first; one !== undefined; one = one.next) {
      if (one.answer.isGone) continue
      if (this.lastHeld === undefined) this.firstHeld = one
      else this.lastHeld.next = one
      this.lastHeld = one
      this.waiting++
    }
    if (this.lastHeld !== undefined) this.lastHeld.next = undefined
  }

  /** Takes out the answers that were computed from states up to `seq`. */
  release(seq: number, tell: (answer: Held) => void): void {
    for (let first = this.firstHeld; first !== undefined && first.seq <= seq; first = this.firstHeld) {
      this.firstHeld = first.next
      if (first.next === undefined) this.lastHeld = undefined
      this.waiting--
      tell(first.answer)
    }
  }

  /** Runs `f` once, when fewer commits are on their way. */
  whenRoom(f: () => void): void {
    this.onRoom = f
  }

  /** Runs `f` once, when nothing is on its way any more. */
  whenEmpty(f: () => void): void {
    this.onEmpty = f
  }

  /** Runs those that wait for that: fewer commits are on their way than before, perhaps none. */
  settle(): void {
    const { onEmpty, onRoom } = this
    this.onRoom = undefined
    onRoom?.()
    if (!this.isEmpty) return
    this.onEmpty = undefined
    onEmpty?.()
  }
}
