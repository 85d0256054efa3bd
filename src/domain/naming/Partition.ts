/**
 * Which of several equal partitions a key belongs to.
 *
 * @since 0.1.0
 */

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
