/**
 * Any JavaScript string as text that every database can hold, and back.
 *
 * A key may contain what databases refuse: a NUL character (PostgreSQL), half of a surrogate pair (every UTF-8
 * encoding). Such characters are escaped, and so is the escape character; everything else is kept readable. Two strings
 * never become one, and the text of a string begins with the text of every prefix that does not split a surrogate pair.
 *
 * @since 0.1.0
 */

const needsEscape = /[%\0\p{Surrogate}]/u
const escapable = /[%\0\p{Surrogate}]/gu
const escaped = /%(?:00|25|u[0-9a-f]{4})/g

/** The string as database text. */
export const encode = (text: string): string =>
  needsEscape.test(text)
    ? text.replace(escapable, (c) => c === "%" ? "%25" : c === "\0" ? "%00" : `%u${c.charCodeAt(0).toString(16)}`)
    : text

/** The string back from its text. */
export const decode = (text: string): string =>
  text.includes("%")
    ? text.replace(escaped, (code) => String.fromCharCode(parseInt(code.slice(code[1] === "u" ? 2 : 1), 16)))
    : text

/** The order of keys: that of the bytes of their texts in UTF-8, as databases have it. */
export const compare = (a: string, b: string): number => {
  const [x, y] = [encode(a), encode(b)]
  const length = Math.min(x.length, y.length)
  for (let i = 0; i < length; i++) {
    const [one, other] = [x.charCodeAt(i), y.charCodeAt(i)]
    if (one !== other) return rank(one) - rank(other)
  }
  return x.length - y.length
}

// Half of a pair stands for a character beyond all that have a unit of their own.
const rank = (unit: number): number => unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit
