/**
 * Which of several equal partitions a key belongs to, and what changing their number means.
 *
 * @since 0.1.0
 */

/**
 * The default number of partitions: 8.
 *
 * **Details**
 *
 * Elixir takes the number of its schedulers. A JavaScript thread has one, so partitions divide waiting here, not
 * computing, and the number of cores says nothing. It is a number of its own, the same on every platform.
 *
 * @category options
 * @since 0.1.0
 */
export const defaultCount = 8

/**
 * The partition of a key, from 0 to `partitions - 1`: always the same one for equal keys and the same number.
 *
 * **Details**
 *
 * An integer goes to its remainder, so that keys 0 to n - 1 name the n partitions one by one; any other key goes by its
 * hash, which the caller brings along.
 *
 * **Gotchas**
 *
 * With another number of partitions most keys move.
 *
 * @since 0.1.0
 */
export const indexOf = (key: unknown, partitions: number, hash: (key: unknown) => number): number =>
  Math.abs(typeof key === "number" && Number.isSafeInteger(key) ? key : mix(hash(key))) % partitions

/** Spreads a hash over all its bits: the hashes of similar strings differ little, and in their low bits less. */
const mix = (hash: number): number => {
  let h = hash | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/**
 * The problem with a number of partitions to go to, if there is one: it must be that of the beginning, or fewer, or 0.
 *
 * @since 0.1.0
 */
export const resizeProblem = (partitions: number, initial: number): string | undefined =>
  Number.isSafeInteger(partitions) && partitions >= 0 && partitions <= initial
    ? undefined
    : `it must be an integer between 0 and ${initial}, got ${partitions}`

/**
 * The steps, in their order, from one number of partitions to another.
 *
 * **Details**
 *
 * Stops every partition above the new number, the youngest first, whether it should be running or not: one that an
 * earlier, interrupted change left behind goes as well. Starts those that are missing, the oldest first.
 *
 * @since 0.1.0
 */
export const resize = (
  from: number,
  to: number,
  initial: number
): { readonly stop: ReadonlyArray<number>; readonly start: ReadonlyArray<number> } => ({
  stop: Array.from({ length: initial - to }, (_, i) => initial - 1 - i),
  start: Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
})
