/**
 * The keys of a class among those of its store, where each is called by the class's id, and a slash and its key if it
 * has one.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import { compare } from "../../../domain/state/stored/KeyText.ts"
import type { Grade } from "../../../domain/state/Survival.ts"
import type { Stored } from "../companion/CompanionTable.ts"
import type { StateStore } from "../store/StoreShape.ts"

/** The key of a class's server, of what it is called in its store; nothing when it is none of theirs. */
export const keyOf = (server: string, name: string): string | undefined =>
  name === server ? "" : name.startsWith(`${server}/`) ? name.slice(server.length + 1) : undefined

/** The keys of a class in its store. */
export const storedOf = (store: StateStore<Grade>, server: string): Stored => {
  const own = (names: ReadonlyArray<string>) => names.flatMap((name) => keyOf(server, name) ?? [])
  // The one without a key is the first of all names that begin as its own does.
  const hasBare = Effect.map(store.keys(server, { limit: 1 }), (names) => names[0] === server)
  const counted = store.count?.(`${server}/`) ?? Effect.map(store.keys(`${server}/`), (names) => names.length)
  return {
    all: Effect.orDie(Effect.map(store.keys(server), own)),
    count: Effect.zipWith(counted, hasBare, (count, hasBare) => count + (hasBare ? 1 : 0)),
    page: (prefix, { after, limit }) => {
      const name = after === undefined ? undefined : `${server}/${after}`
      const page = Effect.map(store.keys(`${server}/${prefix}`, { after: name, limit }), (names) => {
        // A store that knows no pages answers with all, each time, in another order.
        return own(names).filter((key) => after === undefined || compare(key, after) > 0).sort(compare)
      })
      return prefix === "" && after === undefined
        ? Effect.zipWith(hasBare, page, (hasBare, keys) => hasBare ? ["", ...keys] : keys)
        : page
    }
  }
}
