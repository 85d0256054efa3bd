/**
 * A lock that is a transaction on a small database: whom it keeps out, whom it names, and what becomes of a damaged
 * one.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, type FileSystem, Option, Scope } from "effect"
import * as fs from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import * as FileLock from "../../../../src/layers/state/lock/FileLock.ts"
import { folder } from "../../../kit/Folder.ts"

const at = Effect.map(folder, (directory) => join(directory, "lock.db"))

describe("a lock of the system", () => {
  it.live("is one's own until the Scope ends: others hear whose it is", () =>
    Effect.gen(function*() {
      const [path, scope] = [yield* at, yield* Scope.make()]
      assert.isUndefined(yield* Scope.provide(FileLock.take(path), scope))
      assert.deepInclude(yield* FileLock.take(path), { pid: process.pid, host: hostname() })
      assert.isDefined(yield* FileLock.take(path, true))
      yield* Scope.close(scope, Exit.void)
      assert.isUndefined(yield* FileLock.take(path))
    }).pipe(Effect.scoped))

  it.live("is shared by any number, which keeps out who wants it alone", () =>
    Effect.gen(function*() {
      const [path, scope] = [yield* at, yield* Scope.make()]
      for (let i = 0; i < 3; i++) assert.isUndefined(yield* Scope.provide(FileLock.take(path, true), scope))
      assert.isDefined(yield* FileLock.take(path))
      yield* Scope.close(scope, Exit.void)
      assert.isUndefined(yield* FileLock.take(path))
    }).pipe(Effect.scoped))

  const damages: Record<string, (path: string) => void> = {
    "is no database any more": (path) => fs.writeFileSync(path, "x".repeat(8192)),
    "is damaged inside": (path) => {
      const file = fs.openSync(path, "r+")
      fs.writeSync(file, Buffer.alloc(200, 0xff), 0, 200, 100)
      fs.closeSync(file)
    },
    "is empty": (path) => fs.writeFileSync(path, "")
  }
  for (const [what, damage] of Object.entries(damages)) {
    it.live(`whose file ${what} is made anew, and keeps others out`, () =>
      Effect.gen(function*() {
        const path = yield* at
        yield* Effect.scoped(FileLock.take(path))
        damage(path)
        assert.isUndefined(yield* FileLock.take(path))
        assert.deepInclude(yield* FileLock.take(path), { pid: process.pid })
      }).pipe(Effect.scoped))
  }
})

describe("a folder", () => {
  it.live("is seen where Node has it, too: the same one, and not another at its path", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const { dev, ino } = fs.statSync(directory, { bigint: true })
      const info = (dev: bigint, ino: Option.Option<bigint>) => ({ dev, ino }) as FileSystem.File.Info
      assert.isTrue(FileLock.isSeen(directory, info(dev, Option.some(ino))))
      assert.isFalse(FileLock.isSeen(directory, info(dev + 1n, Option.some(ino))))
      assert.isFalse(FileLock.isSeen(directory, info(dev, Option.some(ino + 1n))))
      assert.isFalse(FileLock.isSeen(directory, info(dev, Option.none())))
      assert.isFalse(FileLock.isSeen(join(directory, "gone"), info(dev, Option.some(ino))))
      assert.isFalse(FileLock.isSeen("\0", info(dev, Option.some(ino))))
    }))
})
