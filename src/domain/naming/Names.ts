/**
 * The rules of a registry: who may hold a key.
 *
 * @since 0.1.0
 */

/** Whether a key has one holder at most, or any number, one owner several times included. */
export type Keys = "unique" | "duplicate"

/**
 * The holder that stands in the way of one more registration under a key; the oldest, if there are many.
 *
 * **Gotchas**
 *
 * A unique key is refused to its own owner too: registering twice is a mistake, `update` is how a value changes.
 *
 * @since 0.1.0
 */
export const obstacle = <H>(keys: Keys, holder: H | undefined): H | undefined => {
  switch (keys) {
    case "unique":
      return holder
    case "duplicate":
      return undefined
  }
}
