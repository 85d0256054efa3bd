/**
 * A text of our own that may be too long for a line: a path, a chain of names.
 *
 * @since 0.1.0
 */
/** How many characters of a text that is too long are kept, at its beginning and at its end. */
const kept = 600

const numberOf = (text: string): number => {
  let number = 0
  for (let i = 0; i < text.length; i++) number = (Math.imul(number, 31) + text.charCodeAt(i)) >>> 0
  return number
}

/**
 * A text with its middle left out, where it is too long for a line. What is left out is named by a number, so that
 * texts that differ go on to differ.
 */
export const elided = (text: string): string => {
  if (text.length <= 2 * kept) return text
  const middle = text.slice(kept, -kept)
  const left = `[… ${middle.length} characters, ${numberOf(middle).toString(36)} …]`
  // Not between the two halves of a character.
  return text.slice(0, kept).replace(/[\uD800-\uDBFF]$/, "") + left + text.slice(-kept).replace(/^[\uDC00-\uDFFF]/, "")
}
