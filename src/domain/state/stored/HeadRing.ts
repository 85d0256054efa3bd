/**
 * The numbers of the snapshots that a database has stored last, as they lie in a file beside it.
 *
 * A database may come back older than it was: its write-ahead log was damaged, cut or removed, or a backup was put in
 * its place. Then it is whole, and nothing in it says so. Beside it lie the keys that were written last, each with the
 * number of its newest snapshot; a read of a key compares. The file is a ring of entries with a checksum each: one that
 * is damaged is as one that is not there.
 *
 * @since 0.1.0
 */

/**
 * Bytes of an entry: a checksum, the two halves of the key's id, the snapshot's number, and the place in the order of
 * all.
 */
export const entryBytes = 32

/** Entries of a ring: more than a write-ahead log holds before it is copied into its database. */
export const ringSize = 32_768

/** A key, by what stands for it, and the number of its newest snapshot; 0 when it has none any more. */
export interface Head {
  readonly id: number
  readonly seq: number
}

const half = 2 ** 32

/** The sum of an entry that is written: each of its words counts, and no two of them alike. */
const sumOf = (view: DataView, at: number): number => {
  let sum = 0x811c9dc5
  for (let i = 4; i < entryBytes; i += 4) {
    sum = Math.imul(sum ^ view.getUint32(at + i), 0x01000193)
    sum ^= sum >>> 15
  }
  return sum >>> 0
}

/** Writes an entry, at an offset of a buffer. */
export const write = (view: DataView, at: number, { id, seq }: Head, order: number): void => {
  view.setUint32(at + 4, id % half)
  view.setUint32(at + 8, Math.floor(id / half))
  view.setUint32(at + 12, 0)
  view.setFloat64(at + 16, seq)
  view.setFloat64(at + 24, order)
  view.setUint32(at, sumOf(view, at))
}

/** The keys of a ring, each with its last number, and the place of the entry that comes next. */
export interface Heads {
  readonly newest: ReadonlyMap<number, number>
  readonly next: number
}

/** What is known where there is no file: nothing. */
export const none: Heads = { newest: new Map(), next: 0 }

/** Reads a ring. */
export const read = (bytes: Uint8Array): Heads => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found: Array<Head & { readonly order: number }> = []
  for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes) {
    if (view.getUint32(at) !== sumOf(view, at)) continue
    const order = view.getFloat64(at + 24)
    const id = view.getUint32(at + 8) * half + view.getUint32(at + 4)
    if (Number.isSafeInteger(order)) found.push({ id, seq: view.getFloat64(at + 16), order })
  }
  found.sort((a, b) => a.order - b.order)
  return { newest: new Map(found.map(({ id, seq }) => [id, seq])), next: (found.at(-1)?.order ?? -1) + 1 }
}
