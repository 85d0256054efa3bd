/** A folder of its own for a test that writes files. */
import { Effect, type Scope } from "effect"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const inMemory = "/dev/shm"

const hasRoom = (path: string): boolean => {
  const { bavail, bsize } = fs.statfsSync(path)
  return bavail * bsize > 2 ** 31
}

/**
 * Where folders are made: in memory where there is such a place with room in it, since a flush and a removal cost time
 * there and prove nothing that a killed process could show. `TMPDIR` chooses another.
 */
export const root = process.env["TMPDIR"] === undefined && fs.existsSync(inMemory) && hasRoom(inMemory)
  ? inMemory
  : tmpdir()

/** The path of a new folder, which is removed with the Scope. */
export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(join(root, "heirloom-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)
