/**
 * Which keys a class has: those in memory and those in its store, as one list.
 *
 * *Tricky*: keys come and go while they are listed. What the store has is read page by page, each after the last key of
 * the one before; what is in memory is noted when the listing begins. Both are in one order, so a key that is in both
 * is answered once, and one that is there from beginning to end is answered.
 *
 * @since 0.1.0
 */
import { Effect, Option, Stream } from "effect"
import { refuse } from "../../../domain/options/GivenOption.ts"
import { compare } from "../../../domain/state/stored/KeyText.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { CompanionTable } from "../companion/CompanionTable.ts"

/**
 * Which keys to list.
 *
 * @category options
 * @since 0.1.0
 */
export interface ListOptions {
  /** Only those that begin with it. */
  readonly prefix?: string | undefined
  /** Only those after it: the last one of an earlier listing. */
  readonly after?: string | undefined
}

/** Keys of a store in one page. */
const pageSize = 1000

interface At {
  readonly after: string | undefined
  /** How many of those in memory were answered. */
  readonly listed: number
}

/** All keys of a class, in order. */
export const keys = (
  of: string,
  companions: Pick<CompanionTable<unknown>, "keys" | "stored">,
  options: ListOptions = {}
): Stream.Stream<string, StoreError> =>
  Stream.unwrap(Effect.sync(() => {
    const { after, prefix = "" } = Object(options) === options
      ? options
      : refuse({ of, option: "keys", given: options }, "options")
    if (typeof prefix !== "string") return refuse({ of, option: "prefix", given: prefix }, "a string")
    if (after !== undefined && typeof after !== "string") {
      return refuse({ of, option: "after", given: after }, "a string")
    }
    const isWanted = (key: string) => key.startsWith(prefix) && (after === undefined || compare(key, after) > 0)
    const here = Array.from(companions.keys()).filter(isWanted).sort(compare)
    const { stored } = companions
    if (stored === undefined) return Stream.fromIterable(here)
    return Stream.paginate({ after, listed: 0 }, (at: At) =>
      Effect.map(stored.page(prefix, { after: at.after, limit: pageSize }), (page) => {
        const last = page.at(-1)
        const found: Array<string> = []
        let { listed } = at
        for (const key of page) {
          for (; listed < here.length && compare(here[listed]!, key) < 0; listed++) {
            found.push(here[listed]!)
          }
          if (here[listed] === key) {
            listed++
          }
          found.push(key)
        }
        if (last !== undefined) {
          return [found, Option.some({ after: last, listed })]
        }
        return [[...found, ...here.slice(listed)], Option.none()]
      }))
  }))
