/**
 * Which keys have timers, by when the earliest of each is due: for stores and companions that have no database to ask.
 *
 * A list that is sorted by due time, in pieces, so that a change moves hundreds of entries and not all of them.
 *
 * @since 0.1.0
 */
import type { DueKey } from "../../../domain/state/stored/SnapshotRecord.ts"
import { earliest, type Timers } from "../../../domain/state/Timers.ts"

type Place = Pick<DueKey, "due" | "key">

const compare = (a: Place, b: Place): number => a.due - b.due || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

/** The first index of a sorted list for which `isBehind` does not hold. */
const search = <A>(list: ReadonlyArray<A>, isBehind: (one: A) => boolean): number => {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBehind(list[middle]!)) low = middle + 1
    else high = middle
  }
  return low
}

/** Entries in one piece, before it is parted. */
const maxPiece = 512

/** Which keys have timers, by when the earliest of each is due. */
export class DueIndex {
  private readonly keys = new Map<string, DueKey>()
  /** Each of them sorted and not empty, and each before the next. */
  private readonly pieces: Array<Array<DueKey>> = []

  /** How many keys have timers. */
  get size(): number {
    return this.keys.size
  }

  /** The timers of a key are these from now on. */
  set(key: string, timers: Timers): void {
    const before = this.keys.get(key)
    const due = earliest(timers)
    if (before !== undefined) this.remove(before)
    if (due !== undefined) this.add({ key, due, timers })
  }

  /** The first of them, after a place; of those that are due later than `until` one at most. */
  page(limit: number, after?: Place, until = Infinity): ReadonlyArray<DueKey> {
    const found: Array<DueKey> = []
    const isBehind = (one: Place) => after !== undefined && compare(one, after) <= 0
    for (let i = search(this.pieces, (piece) => isBehind(piece.at(-1)!)); i < this.pieces.length; i++) {
      const piece = this.pieces[i]!
      for (let j = search(piece, isBehind); j < piece.length; j++) {
        if (found.push(piece[j]!) >= limit || piece[j]!.due > until) return found
      }
    }
    return found
  }

  private add(entry: DueKey): void {
    const { pieces } = this
    this.keys.set(entry.key, entry)
    const at = Math.min(search(pieces, (piece) => compare(piece.at(-1)!, entry) < 0), pieces.length - 1)
    const piece = pieces[at]
    if (piece === undefined) pieces.push([entry])
    else {
      piece.splice(search(piece, (one) => compare(one, entry) < 0), 0, entry)
      if (piece.length > maxPiece) pieces.splice(at + 1, 0, piece.splice(maxPiece >> 1))
    }
  }

  private remove(entry: DueKey): void {
    const { pieces } = this
    this.keys.delete(entry.key)
    const at = search(pieces, (piece) => compare(piece.at(-1)!, entry) < 0)
    const piece = pieces[at]!
    piece.splice(search(piece, (one) => compare(one, entry) < 0), 1)
    if (piece.length === 0) pieces.splice(at, 1)
  }
}
