/**
 * Idempotency keys that a client makes for its own calls.
 *
 * Such a key is sent again only as long as its one call lives, so its answer need not be kept as one under a key that a
 * caller has given. The key says so itself, and for how long the call lives: a store, a log and another machine know it
 * by that.
 *
 * @since 0.1.0
 */

/** What they begin with. A key of a caller's that begins so is kept as long as one of them. */
export const prefix = "heirloom:"

/** A call that may live longer than this, in milliseconds, has a key like one that its caller gives. */
const maxLife = 600_000

/**
 * The key of a call that lives for so many milliseconds, of which no more than a second is added; `unique` no other
 * call has.
 */
export const make = (unique: string, millis: number): string =>
  millis > maxLife ? unique : `${prefix}${(Math.floor(millis / 1000) + 1).toString(36)}:${unique}`

/** Whether a client has made it; of the id of an answer, whether it is the answer under such a key. */
export const isMade = (id: string): boolean => id.startsWith(prefix)

/** What the mark ends with that its call was begun. */
const begun = " begun"

/** What is recorded under this: the call with this made key was begun. It is kept as long as its answer. */
export const markOf = (key: string): string => `${key}${begun}`

/** Whether it is such a mark. */
export const isMark = (id: string): boolean => id.endsWith(begun)

/** For how many milliseconds its call lives. */
export const lifeOf = (id: string): number => {
  const seconds = parseInt(id.slice(prefix.length, prefix.length + 4), 36)
  return Number.isNaN(seconds) ? maxLife : Math.min(seconds * 1000, maxLife)
}
