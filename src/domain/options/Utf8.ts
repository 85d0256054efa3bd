/**
 * How long a text is where it is stored or sent: in bytes of UTF-8.
 *
 * @since 0.1.0
 */

const utf8 = new TextEncoder()

/** Bytes of a text in UTF-8. */
export const bytesOf = (text: string): number => utf8.encode(text).length
