/** A lock that is a file with the id of its process: whom it keeps out, and whom it does not. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import * as PidLock from "../../../../src/layers/state/lock/PidLock.ts"
import { folder } from "../../../kit/Folder.ts"

const at = Effect.map(folder, (directory) => join(directory, "store.pid"))

const since = "2026-01-01T00:00:00.000Z"

/** Another process that runs as long as the Scope. */
const other = Effect.acquireRelease(
  Effect.sync(() => spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" })),
  (child) => Effect.sync(() => void child.kill("SIGKILL"))
)

describe("a lock that says which process has it", () => {
  it.live("keeps a second one out, in the same process as well, until the first has gone", () =>
    Effect.gen(function*() {
      const path = yield* at
      const first = yield* Scope.make()
      assert.isUndefined(yield* Scope.provide(PidLock.take(path), first))
      const holder = yield* PidLock.take(path)
      assert.deepInclude(holder, { pid: process.pid, host: hostname() })
      yield* Scope.close(first, Exit.void)
      assert.isFalse(fs.existsSync(path))
      assert.isUndefined(yield* Effect.scoped(PidLock.take(path)))
    }))

  it.live("that cannot be written fails with what the file system said", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(PidLock.take(join(yield* folder, "none", "store.pid"))))
      assert.propertyVal(error, "code", "ENOENT")
    }))

  it.live("of a process that lives is not given to another; where its id is another process by now, it is", () =>
    Effect.gen(function*() {
      const path = yield* at
      const { pid = 0 } = yield* other
      const entry = { pid, host: hostname(), since, started: "" }
      fs.writeFileSync(path, JSON.stringify(entry))
      assert.deepStrictEqual(yield* PidLock.take(path), { pid, host: hostname(), since })
      if (!fs.existsSync("/proc/self/stat")) return
      fs.writeFileSync(path, JSON.stringify({ ...entry, started: "1" }))
      assert.isUndefined(yield* PidLock.take(path))
    }))

  it.live("of a process that is gone, of another host, of this id before, or that cannot be read, keeps none out", () =>
    Effect.gen(function*() {
      const gone = spawnSync(process.execPath, ["-e", "0"]).pid
      const mine = { pid: process.pid, host: hostname(), since, started: "" }
      for (
        const text of [{ ...mine, pid: gone }, { ...mine, host: "elsewhere" }, mine].map((one) => JSON.stringify(one))
      ) {
        yield* Effect.scoped(Effect.gen(function*() {
          const path = yield* at
          fs.writeFileSync(path, text)
          assert.isUndefined(yield* PidLock.take(path), text)
        }))
      }
      for (const text of ["", "{", "null", "{\"pid\":\"x\"}"]) {
        const path = yield* at
        fs.writeFileSync(path, text)
        assert.isUndefined(yield* PidLock.take(path), text)
      }
    }))

  it.live("is not removed with one that has lost it", () =>
    Effect.gen(function*() {
      const path = yield* at
      yield* Effect.scoped(Effect.gen(function*() {
        assert.isUndefined(yield* PidLock.take(path))
        fs.writeFileSync(path, JSON.stringify({ pid: 1, host: "elsewhere", since, started: "" }))
      }))
      assert.isTrue(fs.existsSync(path))
    }))
})
