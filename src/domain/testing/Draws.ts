/**
 * Random draws that a seed determines: the same seed draws the same, in every process (mulberry32).
 *
 * What is drawn for one purpose must not shift when another purpose draws more: give each its own draws, from
 * {@link seedOf} the seed and a name. Not for secrets.
 *
 * @since 0.1.0
 */

/**
 * A stream of draws. It changes in place; a pure function makes its own from a seed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Draws {
  /** From 0 (included) to 1 (not). */
  next(): number
  /** An integer from 0 to below `n`. */
  below(n: number): number
  /** True with probability `p`. */
  chance(p: number): boolean
  /** One of them; there must be one. */
  pick<A>(items: ReadonlyArray<A>): A
}

/**
 * The draws of a seed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (seed: number): Draws => {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (n: number): number => Math.floor(next() * n)
  return {
    next,
    below,
    chance: (p) => next() < p,
    pick: <A>(items: ReadonlyArray<A>): A => items[below(items.length)]!
  }
}

/**
 * A seed of its own for a purpose, from the seed of the run and the names of the purpose.
 *
 * @category constructors
 * @since 0.1.0
 */
export const seedOf = (...parts: ReadonlyArray<number | string>): number => {
  // FNV-1a, stirred at the end: seeds that differ in their last digit must not give draws that are alike.
  let hash = 0x811c9dc5
  for (const char of parts.join("\u0000")) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return hash ^ (hash >>> 13)
}
