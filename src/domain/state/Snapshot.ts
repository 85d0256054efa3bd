/**
 * A committed state: what one incarnation hands down to the next.
 *
 * @since 0.1.0
 */

/** A committed state, its place in the order of commits, and the incarnation that made it. */
export interface Snapshot<out S> {
  readonly state: S
  /** Counts the commits of one server over all its incarnations, from 1. */
  readonly seq: number
  readonly incarnation: number
}

/**
 * The fencing rule: a commit is accepted unless a younger incarnation has taken over.
 *
 * `fence` is the number of the youngest incarnation that has asked for the state. An abandoned one that still runs is
 * older than the fence: its write must not be seen.
 */
export const isAccepted = (fence: number, incarnation: number): boolean => incarnation >= fence

/** Whether two states are the same, as `Object.is` says it; V8 calls that, and takes this in. */
export const isSame = (a: unknown, b: unknown): boolean => a === b ? a !== 0 || Object.is(a, b) : a !== a && b !== b
