/**
 * How a SQLite database is opened to look at it, so that nothing is written: not to the file, and not beside it.
 *
 * *Tricky*
 * - To read a database with a write-ahead log, SQLite makes the files of the log where there are none, and leaves them.
 *   So one that no process has open is read as it lies there. When a log appears meanwhile, an app has been started:
 *   from then on it is read as usual, which makes nothing more.
 * - In a folder that cannot be written to, a log cannot be read where it is: a copy of both is read elsewhere.
 *
 * @since 0.1.0
 */
import * as fs from "node:fs"
import { pathToFileURL } from "node:url"

/** What lies at a path. */
export type Found =
  | { readonly _tag: "None"; readonly what: string }
  /** A database; `hasLog`: of its kind and with a log beside it. */
  | { readonly _tag: "Database"; readonly isLogged: boolean; readonly hasLog: boolean }

const magic = new TextEncoder().encode("SQLite format 3\0")

/** The path of a database's log. */
export const logOf = (path: string): string => `${path}-wal`

/** Whether a database has a log. */
export const hasLog = (path: string): boolean => fs.existsSync(logOf(path))

/** What lies at a path; it throws what the system says. */
export const find = (path: string): Found => {
  const found = fs.statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return { _tag: "None", what: `there is no ${path}` }
  if (!found.isFile()) return { _tag: "None", what: `${path} is no file` }
  const header = new Uint8Array(20)
  const fd = fs.openSync(path, "r")
  try {
    fs.readSync(fd, header, 0, 20, 0)
  } finally {
    fs.closeSync(fd)
  }
  // A database that was just made is empty until its log is copied into it.
  if (found.size === 0 && !hasLog(path)) return { _tag: "None", what: `${path} is empty` }
  if (found.size > 0 && !magic.every((byte, i) => header[i] === byte)) {
    return { _tag: "None", what: `${path} is no SQLite database` }
  }
  return { _tag: "Database", isLogged: header[18] === 2 || found.size === 0, hasLog: hasLog(path) }
}

/** The name by which SQLite reads a database as it lies there, and looks for no log. */
export const asItLies = (path: string): string => `${pathToFileURL(path).href}?immutable=1`

/** Copies a database and its log into a folder; its path there. */
export const copyInto = (folder: string, path: string): string => {
  const copy = `${folder}/copy.db`
  fs.copyFileSync(path, copy)
  if (hasLog(path)) fs.copyFileSync(logOf(path), logOf(copy))
  fs.chmodSync(copy, 0o600)
  if (hasLog(copy)) fs.chmodSync(logOf(copy), 0o600)
  return copy
}
