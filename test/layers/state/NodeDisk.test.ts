import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Option } from "effect"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { direct } from "../../../src/layers/state/NodeDisk.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "heirloom-disk-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const bytes = (length: number) => new Uint8Array(length).map((_, i) => i * 7)

describe("NodeDisk", () => {
  it.live("what is written lies in the file, small or large, and is read back through the same handle", () =>
    Effect.gen(function*() {
      const disk = direct(yield* FileSystem.FileSystem)
      const path = join(yield* folder, "log")
      const file = yield* disk.open(path, { flag: "wx+" })
      const expected: Array<Uint8Array> = []
      for (const length of [10, 0, 1_000_000, 3]) {
        yield* file.writeAll(bytes(length))
        yield* file.sync
        expected.push(bytes(length))
      }
      assert.isTrue(fs.readFileSync(path).equals(Buffer.concat(expected)))
      const read = new Uint8Array(10)
      yield* file.read(read, { position: 0n })
      assert.deepStrictEqual(read, bytes(10))
      assert.isTrue(yield* disk.exists(path))
      yield* disk.remove(path)
      assert.isFalse(yield* disk.exists(path))
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.live("writing goes on where the file was cut off, or where it was told to", () =>
    Effect.gen(function*() {
      const disk = direct(yield* FileSystem.FileSystem)
      const path = join(yield* folder, "log")
      const file = yield* disk.open(path, { flag: "w+" })
      yield* file.writeAll(new TextEncoder().encode("abcdef"))
      yield* file.truncate(3)
      assert.strictEqual(yield* file.write(new TextEncoder().encode("xyz")), 3)
      yield* file.seek(-5n, "current")
      yield* file.writeAll(new TextEncoder().encode("B"))
      const rest = Option.getOrThrow(yield* file.readAlloc(10))
      assert.strictEqual(new TextDecoder().decode(rest), "cxyz")
      assert.strictEqual(fs.readFileSync(path, "utf8"), "aBcxyz")
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.live("a file system that shows another place is written through its own handles", () =>
    Effect.gen(function*() {
      const real = yield* FileSystem.FileSystem
      const [shown, hidden] = [yield* folder, yield* folder]
      fs.writeFileSync(join(shown, "log"), "untouched")
      const inside = (path: string) => path.replace(shown, hidden)
      const disk = direct({
        ...real,
        open: (path, options) => real.open(inside(path), options),
        exists: (path) => real.exists(inside(path))
      })
      const file = yield* disk.open(join(shown, "log"), { flag: "wx+" })
      yield* file.writeAll(new TextEncoder().encode("here"))
      yield* file.sync
      assert.strictEqual(fs.readFileSync(join(hidden, "log"), "utf8"), "here")
      assert.strictEqual(fs.readFileSync(join(shown, "log"), "utf8"), "untouched")
      fs.rmSync(join(hidden, "log"))
      assert.isFalse(yield* disk.exists(join(shown, "log")))
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.live.skipIf(!fs.existsSync("/dev/full"))(
    "a disk that is full says so, with the system's own code",
    () =>
      Effect.gen(function*() {
        const file = yield* direct(yield* FileSystem.FileSystem).open("/dev/full", { flag: "w" })
        for (const length of [10, 1_000_000]) {
          const error = yield* Effect.flip(file.writeAll(bytes(length)))
          const cause: { readonly code?: unknown } = Object("cause" in error.reason ? error.reason.cause : undefined)
          assert.strictEqual(cause.code, "ENOSPC")
        }
      }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
