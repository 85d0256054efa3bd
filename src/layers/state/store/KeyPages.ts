/**
 * Keys page by page, in the order of every store's pages (`KeyText.compare`), for stores that have their keys in
 * memory.
 *
 * They are sorted when a page is asked for, and again only after a key has come or gone.
 *
 * @since 0.1.0
 */
import { compare } from "../../../domain/state/stored/KeyText.ts"
import type { KeyPage } from "./StoreShape.ts"

/** The keys of a store. */
export class KeyPages {
  private readonly keys: () => Iterable<string>
  private sorted: ReadonlyArray<string> | undefined = undefined

  constructor(keys: () => Iterable<string>) {
    this.keys = keys
  }

  /** A key has come, or gone. */
  changed(): void {
    this.sorted = undefined
  }

  /** Those that begin with `prefix`, after a key, at most so many. */
  page(prefix: string, { after, limit }: KeyPage): ReadonlyArray<string> {
    const sorted = this.sorted ??= Array.from(this.keys()).sort(compare)
    let low = 0
    let high = sorted.length
    const isBehind = (key: string) => after !== undefined && compare(key, after) <= 0
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isBehind(sorted[middle]!)) low = middle + 1
      else high = middle
    }
    const found: Array<string> = []
    for (; low < sorted.length && found.length < limit; low++) {
      if (sorted[low]!.startsWith(prefix)) found.push(sorted[low]!)
    }
    return found
  }
}
