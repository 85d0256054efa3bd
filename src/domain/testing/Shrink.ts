/**
 * Makes a failing list short: which of its items are needed for the failure.
 *
 * Delta debugging (Zeller's ddmin): leaves out ever smaller parts, and keeps what still fails. The result is short, not
 * always the shortest.
 *
 * @since 0.1.0
 */

/** A list in the making, and how often `fails` was asked. */
export interface Shrunk<A> {
  readonly items: ReadonlyArray<A>
  readonly asked: number
}

/**
 * The items that are needed. `fails` says whether a part of the list still fails; it is asked `attempts` times at most.
 *
 * @since 0.1.0
 */
export const list = <A>(
  items: ReadonlyArray<A>,
  attempts: number,
  fails: (part: ReadonlyArray<A>) => boolean
): Shrunk<A> => {
  let kept = items
  let asked = 0
  const stillFails = (part: ReadonlyArray<A>): boolean => asked < attempts && (asked++, fails(part))
  for (let size = kept.length; size > 0;) {
    const before = kept.length
    for (let from = 0; from < kept.length;) {
      const part = [...kept.slice(0, from), ...kept.slice(from + size)]
      if (stillFails(part)) kept = part
      else from += size
    }
    // Single items once more, as long as that leaves some out.
    if (size > 1) size = Math.min(size >> 1, kept.length)
    else if (kept.length === before) break
  }
  return { items: kept, asked }
}
