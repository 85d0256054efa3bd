/**
 * The text of a path: the ids from a root supervisor down to a process, as people read them.
 *
 * @since 0.1.0
 */
import { elided } from "../text/Elided.ts"

/** What stands between the ids of a path in a text. */
export const separator = " > "

/** An id in the text of a path: quoted, if it would read as more than one. */
export const idText = (id: string): string => {
  const one = elided(String(id))
  return one.includes(separator) ? JSON.stringify(one) : one
}

/**
 * A path for people: `root > app/Counter`. Ids may hold slashes, so that one does not separate them. Of one that is too
 * long for a line the beginning and the end are there.
 *
 * @category conversions
 * @since 0.1.0
 */
export const pathText = (path: ReadonlyArray<string>): string => elided(path.map(idText).join(separator))
