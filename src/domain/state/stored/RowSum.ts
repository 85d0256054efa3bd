/**
 * The checksum of a database's row: of all that is read back of it.
 *
 * A database hands out what lies on its pages, whole or not. So a row says what was written, and who reads it compares.
 * The sum has two parts: one of the numbers and the key, one of the text. If only the text is damaged, it is still
 * known which snapshot it was.
 *
 * @since 0.1.0
 */

/** What is damaged of a row: its text alone, or what it is a row of. */
export type RowDamage = "text" | "row"

const prime = 0x01000193
const half = 2 ** 32
/** Bits of the numbers' part: with those of the text's it is a safe integer. */
const headBits = 20

const stirred = (before: number, n: number): number => {
  const whole = Math.floor(n)
  const low = Math.imul(before ^ whole, prime)
  const high = Math.imul(low ^ (low >>> 15) ^ Math.floor(whole / half), prime)
  return n === whole ? high : Math.imul(high ^ ((n - whole) * half), prime)
}

/** The sum of the numbers of a row; `texts` are sums of its shorter texts, such as its key. */
const headOf = (numbers: ReadonlyArray<number>): number => {
  let sum = 0x811c9dc5
  for (const n of numbers) sum = stirred(sum, n)
  sum = Math.imul(sum ^ (sum >>> 15), 0x2c1b3c6d)
  return (sum ^ (sum >>> 13)) >>> 0
}

/**
 * The sum of a row: `numbers` are all that is short, a sum each of its short texts among them; `text` is a sum of the
 * long one.
 */
export const rowSum = (numbers: ReadonlyArray<number>, text: number): number => {
  const head = headOf(numbers)
  return (head >>> (32 - headBits)) * half + ((head ^ text) >>> 0)
}

/** What is damaged of a row that says `found` and adds up to `expected`. */
export const damageOf = (found: unknown, expected: number): RowDamage | undefined => {
  const sum = typeof found === "bigint" || typeof found === "string" ? Number(found) : found
  if (sum === expected) return undefined
  return typeof sum === "number" && Math.floor(sum / half) === Math.floor(expected / half) ? "text" : "row"
}
