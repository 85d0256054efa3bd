/**
 * Things by their key, which each of them has itself.
 *
 * What a `Map` from strings is, for keys that are mostly met for the first time: before V8 looks for a string in a
 * `Map` it makes it one of those it keeps a single copy of, and that is most of what such a look-up costs. Here it
 * looks for a number, a hash of the key (`docs/performance.md`). Hashes that agree, by chance or by intent, share a
 * `Map`: looking up stays O(1).
 *
 * @since 0.1.0
 */
import { hashOf } from "../../../domain/text/TextHash.ts"

/** What has a key. */
interface Keyed {
  readonly key: string
}

/** Several whose keys have the same hash. */
class Shared<E> {
  // Tells it from one that is alone.
  readonly key = undefined
  readonly entries = new Map<string, E>()
}

/** Things by their key. */
export class KeyTable<E extends Keyed> {
  private readonly slots = new Map<number, E | Shared<E>>()

  protected hash(key: string): number {
    return hashOf(key)
  }

  get(key: string): E | undefined {
    return find(this.slots.get(this.hash(key)), key)
  }

  /** Takes it in, unless its key is taken: by the one that is answered. */
  add(entry: E): E | undefined {
    const hash = this.hash(entry.key)
    const slot = this.slots.get(hash)
    const first = find(slot, entry.key)
    if (first === undefined) this.fill(hash, slot, entry)
    return first
  }

  /** Takes it in, in the place of any other of its key, which is answered. */
  put(entry: E): E | undefined {
    const hash = this.hash(entry.key)
    const slot = this.slots.get(hash)
    const before = find(slot, entry.key)
    this.fill(hash, slot, entry)
    return before
  }

  delete(key: string): void {
    const hash = this.hash(key)
    const slot = this.slots.get(hash)
    if (slot?.key === key) this.slots.delete(hash)
    else if (slot?.key === undefined && slot?.entries.delete(key) === true && slot.entries.size === 0) {
      this.slots.delete(hash)
    }
  }

  *keys(): Generator<string> {
    for (const slot of this.slots.values()) {
      if (slot.key === undefined) yield* slot.entries.keys()
      else yield slot.key
    }
  }

  private fill(hash: number, slot: E | Shared<E> | undefined, entry: E): void {
    if (slot === undefined || slot.key === entry.key) this.slots.set(hash, entry)
    else if (slot.key === undefined) slot.entries.set(entry.key, entry)
    else {
      const shared = new Shared<E>()
      shared.entries.set(slot.key, slot).set(entry.key, entry)
      this.slots.set(hash, shared)
    }
  }
}

const find = <E extends Keyed>(slot: E | Shared<E> | undefined, key: string): E | undefined => {
  if (slot === undefined) return undefined
  return slot.key === undefined ? slot.entries.get(key) : slot.key === key ? slot : undefined
}
