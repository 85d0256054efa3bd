/**
 * A lock that the system drops with its process, however that ends: for stores that are files.
 *
 * Node knows no locks of files, but its SQLite does: the lock is a transaction on a small database beside the store,
 * which is begun and never ended. It says who has it, too. It is a courtesy and no fence: what keeps two owners apart
 * is the epoch that each write is checked against. So it may fail in one way only, to be given to a second.
 *
 * *Tricky*
 * - The transaction is one that lets others read (`IMMEDIATE`): that is how who waits learns for whom.
 * - POSIX drops a process's locks of a file when it closes any handle of that file. SQLite knows its own; a `cp` of the
 *   file by the same process it does not know.
 * - Where Node has no SQLite, a file with the process's id stands in (`PidLock`).
 *
 * @since 0.1.0
 */
import { Effect, type FileSystem, Option, type Scope } from "effect"
import * as fs from "node:fs"
import type { DatabaseSync } from "node:sqlite"
import type { Holder } from "../../../domain/state/stored/Ownership.ts"
import * as NodeSqlite from "./NodeSqlite.ts"
import * as PidLock from "./PidLock.ts"
import { self } from "./Self.ts"

/** SQLite's result codes: another has it locked; what is there is no database any more. */
const [busy, locked, corrupt, notADatabase] = [5, 6, 11, 26]

const codeOf = (error: unknown): number => {
  const { errcode }: { readonly errcode?: unknown } = Object(error)
  return Number(errcode) & 0xff
}

const isTaken = (error: unknown): boolean => codeOf(error) === busy || codeOf(error) === locked

/** Milliseconds that the transaction which says whose it is waits for those who read it just then. */
const readersMillis = 250

const write = (db: DatabaseSync, { host, pid, since }: Required<Holder>): void => {
  db.exec("PRAGMA busy_timeout = 0; PRAGMA synchronous = OFF; BEGIN IMMEDIATE")
  db.exec(`PRAGMA busy_timeout = ${readersMillis}`)
  db.exec("CREATE TABLE IF NOT EXISTS owner (one INTEGER PRIMARY KEY, pid INTEGER, host TEXT, since TEXT)")
  db.prepare("INSERT OR REPLACE INTO owner VALUES (1, ?, ?, ?)").run(pid, host, since)
  db.exec("COMMIT")
  // Another may come in between: then it is that one's.
  db.exec("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE")
}

const read = (db: DatabaseSync): Holder => {
  try {
    const row = db.prepare("SELECT pid, host, since FROM owner").get()
    return row === undefined ? {} : { pid: Number(row["pid"]), host: String(row["host"]), since: String(row["since"]) }
  } catch {
    // It is being written, or was never.
    return {}
  }
}

/** A transaction that reads, beside others that do: who wants to write its name waits for all of them. */
const share = (db: DatabaseSync): void => {
  // It is refused while one has it alone.
  db.exec(`PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; ROLLBACK; BEGIN; SELECT count(*) FROM sqlite_schema`)
}

/** The database whose transaction is the lock; or who has it, where `me` says who wants it alone. */
const attempt = (open: typeof DatabaseSync, path: string, me: Required<Holder> | undefined): DatabaseSync | Holder => {
  const db = new open(path)
  try {
    if (me === undefined) share(db)
    else write(db, me)
    return db
  } catch (error) {
    const holder = isTaken(error) ? read(db) : undefined
    db.close()
    if (holder === undefined) throw error
    return holder
  }
}

const opened = (open: typeof DatabaseSync, path: string, me: Required<Holder> | undefined): DatabaseSync | Holder => {
  try {
    return attempt(open, path, me)
  } catch (error) {
    if (codeOf(error) !== corrupt && codeOf(error) !== notADatabase) throw error
    // After a power cut. It holds nothing that is needed.
    fs.rmSync(path, { force: true })
    return attempt(open, path, me)
  }
}

/** Whether a folder that some file system has is the one that Node has there: a lock in it can be taken. */
export const isSeen = (folder: string, { dev, ino }: FileSystem.File.Info): boolean => {
  try {
    const found = fs.statSync(folder, { bigint: true, throwIfNoEntry: false })
    return found?.dev === dev && found.ino === Option.getOrUndefined(ino)
  } catch {
    return false
  }
}

/**
 * Takes the lock at a path until the Scope ends, alone or beside others that share it; or answers at once who has it.
 * Who shares it is not named: who waits then learns that another process does.
 */
export const take = (path: string, isShared = false): Effect.Effect<Holder | undefined, unknown, Scope.Scope> =>
  Effect.matchEffect(NodeSqlite.load, {
    onFailure: () => isShared ? Effect.undefined : PidLock.take(`${path}.pid`),
    onSuccess: ({ DatabaseSync }) =>
      Effect.acquireRelease(
        Effect.flatMap(
          self,
          (me) =>
            Effect.try({ try: () => opened(DatabaseSync, path, isShared ? undefined : me), catch: (error) => error })
        ),
        (got) => Effect.sync(() => got instanceof DatabaseSync && got.close())
      ).pipe(Effect.map((got) => got instanceof DatabaseSync ? undefined : got))
  })
