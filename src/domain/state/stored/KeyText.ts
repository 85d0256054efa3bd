/**
 * Any JavaScript string as text that every database can hold, and back.
 *
 * A key may contain what databases refuse: a NUL character (PostgreSQL), half of a surrogate pair (every UTF-8 encoding).
 * Such characters are escaped, and so is the escape character; everything else is kept readable. Two strings never become
 * one, and the text of a string begins with the text of every prefix that does not split a surrogate pair.
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
