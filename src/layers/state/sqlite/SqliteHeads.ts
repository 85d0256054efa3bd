/**
 * The file beside a SQLite database that says which snapshots were stored last (`HeadRing`).
 *
 * It is written after each transaction and before it is acknowledged, and never flushed: it survives what a commit in
 * `"NORMAL"` survives. What cannot be written or read of it is missed, and fails no write: the database is what counts.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import * as fs from "node:fs"
import * as HeadRing from "../../../domain/state/stored/HeadRing.ts"
import type { Heads, OpenHeads } from "../sql/DatabaseFiles.ts"
import { pathOf } from "./SqliteFiles.ts"

/** Entries that are written at once. */
const atOnce = 1024

class HeadFile implements Heads {
  private readonly path: string
  private fd: number | undefined = undefined
  private readonly newest: Map<number, number>
  private next: number
  private readonly bytes = new Uint8Array(atOnce * HeadRing.entryBytes)
  private readonly view = new DataView(this.bytes.buffer)

  constructor(path: string, { newest, next }: HeadRing.Heads) {
    this.path = path
    this.newest = new Map(newest)
    this.next = next
  }

  of(id: number): number {
    return this.newest.get(id) ?? 0
  }

  note(heads: ReadonlyArray<HeadRing.Head>): void {
    for (let from = 0; from < heads.length;) {
      const place = this.next % HeadRing.ringSize
      const count = Math.min(heads.length - from, atOnce, HeadRing.ringSize - place)
      for (let i = 0; i < count; i++) {
        const head = heads[from + i]!
        HeadRing.write(this.view, i * HeadRing.entryBytes, head, this.next + i)
        // What this session has written is known to be there.
        if (this.newest.size > 0) this.newest.delete(head.id)
      }
      try {
        // Not before: who only looks makes no file.
        this.fd ??= fs.openSync(this.path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o666)
        fs.writeSync(this.fd, this.bytes, 0, count * HeadRing.entryBytes, place * HeadRing.entryBytes)
      } catch {
        // It misses what it cannot hold.
      }
      this.next += count
      from += count
    }
  }

  close(): void {
    if (this.fd !== undefined) fs.closeSync(this.fd)
  }
}

/** Opens the file beside a database; nothing where it is in no file. */
export const open: OpenHeads = (execute, table) =>
  Effect.flatMap(pathOf(execute), (path) => {
    if (path === undefined) return Effect.undefined
    const name = `${path}-${table}`
    const read = Effect.try({ try: () => HeadRing.read(fs.readFileSync(name)), catch: () => undefined })
    return Effect.acquireRelease(
      Effect.map(Effect.orElseSucceed(read, () => HeadRing.none), (heads) => new HeadFile(name, heads)),
      (file) => Effect.sync(() => file.close())
    )
  })
