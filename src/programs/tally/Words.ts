/**
 * Words and how often they occur. Pure: the server adds with it, and the plain count it is compared with uses it too.
 */
import { HashMap, Option, Order } from "effect"

/** How often each word occurs: a persistent map, so that adding to it leaves the one before as it was. */
export type Counts = HashMap.HashMap<string, number>

// A letter, then letters, digits and underscores, with apostrophes between: "don't" is a word, "42" is none.
const word = /\p{L}[\p{L}\p{N}_]*(?:['’]\p{L}+)*/gu

/** Counts the words of lines in one plain pass. */
export const count = (lines: Iterable<string>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const line of lines) {
    for (const [found] of line.toLowerCase().matchAll(word)) counts.set(found, (counts.get(found) ?? 0) + 1)
  }
  return counts
}

/** Adds the words of more lines. A path is copied for each different word; everything else is shared with `counts`. */
export const add = (counts: Counts, lines: Iterable<string>): Counts => {
  let sum = counts
  for (const [found, times] of count(lines)) {
    sum = HashMap.set(sum, found, Option.getOrElse(HashMap.get(sum, found), () => 0) + times)
  }
  return sum
}

/** How many words there are in all. */
export const total = (counts: Iterable<readonly [string, number]>): number => {
  let sum = 0
  for (const [, times] of counts) sum += times
  return sum
}

const mostFrequentFirst = Order.combine(
  Order.flip(Order.mapInput(Order.Number, ([, times]: readonly [string, number]) => times)),
  Order.mapInput(Order.String, ([found]: readonly [string, number]) => found)
)

/** The most frequent words, those as frequent as each other in the order of the alphabet. */
export const top = (counts: Iterable<readonly [string, number]>, n: number): ReadonlyArray<readonly [string, number]> =>
  Array.from(counts).sort(mostFrequentFirst).slice(0, n)

/** Whether a count has every word of another, as often, and no other word. */
export const isSame = (counts: Counts, plain: ReadonlyMap<string, number>): boolean =>
  HashMap.size(counts) === plain.size && HashMap.every(counts, (times, found) => plain.get(found) === times)
