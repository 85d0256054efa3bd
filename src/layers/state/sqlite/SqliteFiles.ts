/**
 * Whether a SQLite database that is open is still the files that its path names.
 *
 * SQLite with a write-ahead log does not look: it goes on in files that were removed, moved or replaced, and what it
 * commits there is lost for the process that opens the path next. So the store asks this after each transaction, for
 * the price of two `stat`s and the reading of twenty bytes.
 *
 * *Tricky*
 * - The database file is never opened here, and so never closed: closing any handle of it would drop the locks that
 *   SQLite holds in this process. The log has no locks.
 * - So a database that is moved alone counts as removed; one that is moved with its log is known by that.
 * - A log that was cut off and written again has a hole where it began: its header is read, too.
 * - While there is a log, nothing but a checkpoint writes to the database file. One that was changed without a
 *   checkpoint was overwritten in its place, as `cp` does it. Another connection's checkpoint is known to SQLite only
 *   when it is over, so that is waited for.
 *
 * @since 0.1.0
 */
import { Effect, type Scope } from "effect"
import * as fs from "node:fs"
import {
  type CheckpointMark,
  type Expected,
  type FileMark,
  isOverwritten,
  lossOf
} from "../../../domain/state/stored/FileLoss.ts"
import type { Execute, Lost, Watch } from "../sql/DatabaseFiles.ts"

/** Bytes of a database that has a table, at least. */
const databaseHeader = 100

/** How long, and how often, a checkpoint of another connection is waited for. */
const [pause, pauses] = ["50 millis", 60] as const

/** What is at a path, and when it was changed. Floats are exact enough to tell files apart. */
interface Seen extends FileMark {
  readonly changedAt: number
}

const look = (path: string): Seen | undefined => {
  const found = fs.statSync(path, { throwIfNoEntry: false })
  return found && { dev: found.dev, ino: found.ino, size: found.size, changedAt: found.mtimeMs }
}

const inUse = ({ dev, ino }: Seen, least: number): Expected => ({ dev, ino, least, most: Infinity })

/** Bytes of a log's header up to the end of its first salt. */
const headerBytes = 20

/**
 * A log's header: whether it has one, and which log it is. One that is begun anew has another first salt; the count
 * beside that is of one connection's own.
 */
class LogHeader {
  private readonly bytes = new DataView(new ArrayBuffer(headerBytes))
  private readonly fd: number

  constructor(fd: number) {
    this.fd = fd
  }

  /** `undefined` where there is none. */
  get salt(): number | undefined {
    const read = fs.readSync(this.fd, this.bytes, 0, headerBytes, 0)
    const isHeader = read === headerBytes && this.bytes.getUint32(0) >>> 1 === 0x377f0682 >>> 1
    return isHeader ? this.bytes.getUint32(16) : undefined
  }

  /** How many names the log has, wherever they are. */
  get links(): bigint {
    return fs.fstatSync(this.fd, { bigint: true }).nlink
  }
}

/** Where a database is; nothing where it is in no file. */
export const pathOf = (execute: Execute): Effect.Effect<string | undefined> =>
  Effect.map(Effect.orElseSucceed(execute("PRAGMA database_list"), () => []), (databases) => {
    const path = databases.find((row) => row["name"] === "main")?.["file"]
    return typeof path === "string" && path !== "" ? path : undefined
  })

/** Watches the files of a database; nothing where it has none that can be seen from here. */
export const watch = Effect.fnUntraced(function*(
  execute: Execute
): Effect.fn.Return<Watch | undefined, never, Scope.Scope> {
  const ask = (text: string) => Effect.map(execute(text), ([row]) => row)
  const asked = (text: string) => Effect.orElseSucceed(ask(text), () => undefined)
  const path = yield* pathOf(execute)
  if (path === undefined) return undefined
  const first = look(path)
  if (first === undefined) return undefined
  const main = inUse(first, databaseHeader)
  const missing = (found: Seen | undefined, links?: bigint): Lost | undefined => {
    const how = lossOf(main, found, links)
    return how && { path, how }
  }
  const logPath = `${path}-wal`
  const firstLog = (yield* asked("PRAGMA journal_mode"))?.["journal_mode"] === "wal" ? look(logPath) : undefined
  // Without a log SQLite looks at the header of its file before it writes, and at its name.
  if (firstLog === undefined) return () => missing(look(path))

  const log = inUse(firstLog, 0)
  const header = new LogHeader(
    yield* Effect.acquireRelease(
      Effect.sync(() => fs.openSync(logPath, "r")),
      (fd) => Effect.sync(() => fs.closeSync(fd))
    )
  )
  const [major = 0, minor = 0] = String((yield* asked("SELECT sqlite_version() AS v"))?.["v"]).split(".").map(Number)
  // Before that to ask for its progress made a checkpoint.
  const knowsProgress = major > 3 || (major === 3 && minor >= 51)
  const progress = ask("PRAGMA wal_checkpoint(NOOP)")
  const markAt = (changedAt: number) =>
    Effect.map(progress, (row): CheckpointMark => ({
      changedAt,
      log: header.salt,
      copied: Number(row?.["checkpointed"])
    }))
  let mark = knowsProgress ? yield* Effect.orElseSucceed(markAt(first.changedAt), () => undefined) : undefined

  /** The database file was changed: by a checkpoint, or not. */
  const changed = Effect.fnUntraced(function*(before: CheckpointMark) {
    let isStill = false
    for (let attempt = 0; attempt < pauses; attempt++) {
      const seen = look(path)
      const now = yield* markAt(seen?.changedAt ?? 0)
      isStill = look(path)?.changedAt === seen?.changedAt
      if (isStill && !isOverwritten(before, now)) {
        mark = now
        return missing(seen)
      }
      yield* Effect.sleep(pause)
    }
    // One that is written to all the time is looked at again.
    return isStill ? { path, how: "changed" } as const : undefined
  })

  const cut = { path: logPath, how: "cut" } as const
  /**
   * The log has no header: it was cut off and written again, or it is empty, which SQLite knows if it has emptied it.
   */
  const headless = (size: number | undefined): ReturnType<Watch> => {
    if (size !== 0) return cut
    return knowsProgress ? Effect.map(progress, (row) => Number(row?.["log"]) > 0 ? cut : undefined) : undefined
  }

  let damage: Lost | undefined
  /** A file can be put back. One that was written into stays damaged, whatever SQLite makes of it. */
  const keep = <L extends Lost | undefined>(lost: L): L => {
    if (lost?.how === "cut" || lost?.how === "changed") damage = lost
    return lost
  }
  return () => {
    if (damage !== undefined) return damage
    const found = look(path)
    const foundLog = look(logPath)
    // Where both have gone they went together: the log, which is open here, knows whether it is still anywhere.
    const lost = missing(found, foundLog === undefined ? header.links : undefined)
    if (lost !== undefined) return keep(lost)
    const how = lossOf(log, foundLog, undefined)
    if (how !== undefined) return keep({ path: logPath, how })
    const isChanged = mark !== undefined && found?.changedAt !== mark.changedAt
    const salt = header.salt
    // The first log after the database was opened: nothing was copied of it yet.
    if (mark?.log === undefined && mark !== undefined && !isChanged) mark = { ...mark, log: salt }
    const later = salt === undefined ? headless(foundLog?.size) : isChanged ? changed(mark!) : undefined
    return Effect.isEffect(later) ? Effect.map(later, keep) : keep(later)
  }
})
