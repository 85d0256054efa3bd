/**
 * What is seen of a state that is watched, and what of it waits until it is stored.
 *
 * @since 0.1.0
 */
import type { ExitReason } from "../../process/ExitReason.ts"

/**
 * A committed state: the newest one when the watching begins, and every one after it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Committed<out S> {
  readonly _tag: "Committed"
  readonly state: S
  /** Its number, which grows by one with each commit; 0 for what `init` has made, and where nothing is conserved. */
  readonly seq: number
  readonly incarnation: number
  /** Whether it is where its companion keeps states: over a store, whether it is stored. */
  readonly isConserved: boolean
}

/**
 * An incarnation has ended, or did not come up.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ended {
  readonly _tag: "Ended"
  readonly incarnation: number
  readonly reason: ExitReason
}

/**
 * An incarnation starts from this conserved state.
 *
 * @category models
 * @since 0.1.0
 */
export interface Restored<out S> {
  readonly _tag: "Restored"
  readonly state: S
  readonly seq: number
  readonly incarnation: number
  readonly isConserved: boolean
}

/**
 * An incarnation starts from an older state than was committed: `to`, or what `init` makes where it is absent.
 *
 * @category models
 * @since 0.1.0
 */
export interface RolledBack<out S> {
  readonly _tag: "RolledBack"
  readonly from: number
  readonly to?: { readonly state: S; readonly seq: number }
  readonly incarnation: number
  readonly why: string
}

/**
 * What is seen of a state that is watched.
 *
 * @category models
 * @since 0.1.0
 */
export type Change<S> = Committed<S> | Ended | Restored<S> | RolledBack<S>

/** One of them that has a state which may not be stored yet. */
const isWaiting = (change: Change<unknown>): change is Committed<unknown> | Restored<unknown> =>
  (change._tag === "Committed" || change._tag === "Restored") && !change.isConserved

/** The same when it is stored. */
const conserved = <S>(change: Change<S>): Change<S> => isWaiting(change) ? { ...change, isConserved: true } : change

/**
 * What a reader waits for that is shown stored states alone: in order, and no more of it than the reader has room for.
 *
 * A change that waits has everything after it wait.
 */
export class Unstored<in out S> {
  private waiting: Array<Change<S>> = []
  private readonly capacity: number
  private readonly keeps: "newest" | "oldest"

  constructor(capacity: number, keeps: "newest" | "oldest") {
    this.capacity = capacity
    this.keeps = keeps
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0
  }

  /** What can be shown at once; the rest waits. */
  add(change: Change<S>): ReadonlyArray<Change<S>> {
    const { waiting } = this
    if (waiting.length === 0 && !isWaiting(change)) return [change]
    const last = waiting.at(-1)
    // Two commits that are stored as one.
    if (last?._tag === "Committed" && change._tag === "Committed" && last.seq === change.seq) waiting.pop()
    if (waiting.length < this.capacity) waiting.push(change)
    else if (this.keeps === "newest") {
      waiting.shift()
      waiting.push(change)
    }
    return []
  }

  /** All commits up to this number are stored: what can be shown by that. */
  stored(upTo: number): ReadonlyArray<Change<S>> {
    const still = this.waiting.findIndex((change) => isWaiting(change) && change.seq > upTo)
    const shown = still === -1 ? this.waiting : this.waiting.slice(0, still)
    this.waiting = still === -1 ? [] : this.waiting.slice(still)
    return shown.map(conserved)
  }

  /** What waits will not be stored: what can be shown all the same. */
  lost(): ReadonlyArray<Change<S>> {
    const shown = this.waiting.filter((change) => !isWaiting(change))
    this.waiting = []
    return shown
  }
}
