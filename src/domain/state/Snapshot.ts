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
 * older than the fence: its write must not be seen. Returns the snapshot to keep, or `undefined` when it is refused.
 */
export const accept = <S>(
  current: Snapshot<S> | undefined,
  fence: number,
  incarnation: number,
  state: S
): Snapshot<S> | undefined =>
  incarnation < fence ? undefined : { state, seq: current === undefined ? 1 : current.seq + 1, incarnation }
