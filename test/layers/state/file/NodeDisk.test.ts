import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FileSystem, Option, Schema } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { direct } from "../../../../src/layers/state/file/NodeDisk.ts"
import { folder } from "../../../kit/Folder.ts"

const bytes = (length: number) => new Uint8Array(length).map((_, i) => i * 7)

const Op = Schema.Union([
  Schema.Struct({ op: Schema.Literals(["write", "writeAll"]), length: Schema.Literals([0, 1, 10, 200_000]) }),
  Schema.Struct({ op: Schema.Literal("truncate"), length: Schema.Literals([0, 5, 20, 200_010]) }),
  Schema.Struct({
    op: Schema.Literal("seek"),
    offset: Schema.Literals([-10, -1, 0, 3, 12]),
    from: Schema.Literals(["start", "current"])
  }),
  Schema.Struct({
    op: Schema.Literals(["read", "readAlloc"]),
    length: Schema.Literals([1, 8, 30]),
    position: Schema.optionalKey(Schema.Literals([0, 7]))
  })
])

/** Does it, and says what came of it: of a failure only that it was one, its text may name a file. */
const perform = (file: FileSystem.File, one: typeof Op.Type, n: number) => {
  const outcome = (effect: Effect.Effect<unknown, unknown>) =>
    Effect.map(Effect.exit(effect), (exit) => Exit.isSuccess(exit) ? exit.value : "failed")
  switch (one.op) {
    case "write":
    case "writeAll":
      return outcome(file[one.op](bytes(one.length).fill(n)))
    case "truncate":
      return outcome(file.truncate(one.length))
    case "seek":
      return outcome(file.seek(BigInt(one.offset), one.from))
    case "read": {
      const into = new Uint8Array(one.length)
      const read = file.read(into, one.position === undefined ? {} : { position: BigInt(one.position) })
      return outcome(Effect.map(read, (count) => [count, Array.from(into)]))
    }
    case "readAlloc": {
      const read = file.readAlloc(one.length, one.position === undefined ? {} : { position: BigInt(one.position) })
      return outcome(Effect.map(read, Option.match({ onNone: () => [], onSome: (some) => Array.from(some) })))
    }
  }
}

/** A handle that says it is of another file than it is, and what was written through it. */
const disguised = (handle: FileSystem.File, as: object, written: Array<number>) => ({
  [FileSystem.FileTypeId]: FileSystem.FileTypeId,
  stat: Effect.map(handle.stat, (info) => ({ ...info, ...as })),
  sync: handle.sync,
  seek: handle.seek.bind(handle),
  read: handle.read.bind(handle),
  readAlloc: handle.readAlloc.bind(handle),
  truncate: handle.truncate.bind(handle),
  write: handle.write.bind(handle),
  writeAll: (buffer: Uint8Array) => {
    written.push(buffer.length)
    return handle.writeAll(buffer)
  }
} satisfies FileSystem.File)

describe("NodeDisk", () => {
  it.live.prop(
    "whatever is done with a file, it comes to what it does through the platform's own handle",
    { ops: Schema.Array(Op) },
    ({ ops }) =>
      Effect.gen(function*() {
        const own = yield* FileSystem.FileSystem
        const directory = yield* folder
        const paths = [join(directory, "direct"), join(directory, "own")] as const
        const files = [
          yield* direct(own).open(paths[0], { flag: "w+" }),
          yield* own.open(paths[1], { flag: "w+" })
        ] as const
        for (const [n, one] of ops.entries()) {
          const come = yield* perform(files[0], one, n + 1)
          assert.deepStrictEqual(come, yield* perform(files[1], one, n + 1), `${n}: ${one.op}`)
        }
        assert.isTrue(fs.readFileSync(paths[0]).equals(fs.readFileSync(paths[1])))
      }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)),
    { arbitrary: { runs: 100 } }
  )

  it.live("a file that is opened to be appended to is appended to", () =>
    Effect.gen(function*() {
      const disk = direct(yield* FileSystem.FileSystem)
      const path = join(yield* folder, "log")
      fs.writeFileSync(path, "old")
      const file = yield* disk.open(path, { flag: "a+" })
      yield* file.writeAll(new TextEncoder().encode("new"))
      assert.strictEqual(fs.readFileSync(path, "utf8"), "oldnew")
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  const elsewhere: ReadonlyArray<
    readonly [string, Pick<FileSystem.File.Info, "dev"> | Pick<FileSystem.File.Info, "ino">]
  > = [
    ["device", { dev: -1n }],
    ["number", { ino: Option.none() }]
  ]
  for (const [what, as] of elsewhere) {
    it.live(`a file that is not the one Node sees, by its ${what}, is written by the handle it was given`, () =>
      Effect.gen(function*() {
        const own = yield* FileSystem.FileSystem
        const written: Array<number> = []
        const disk = direct({
          ...own,
          open: (path, options) => Effect.map(own.open(path, options), (handle) => disguised(handle, as, written))
        })
        const path = join(yield* folder, "log")
        const file = yield* disk.open(path, { flag: "w" })
        yield* file.writeAll(bytes(10))
        assert.deepStrictEqual(written, [10])
      }).pipe(Effect.provide(NodeFileSystem.layer)))
  }

  it.live.skipIf(!fs.existsSync("/proc/self/fd"))(
    "its open files are closed with the Scope",
    () =>
      Effect.gen(function*() {
        const path = join(yield* folder, "log")
        const open = () =>
          fs.readdirSync("/proc/self/fd").filter((fd) => {
            const link = join("/proc/self/fd", fd)
            return fs.existsSync(link) && fs.readlinkSync(link) === path
          })
        yield* Effect.scoped(Effect.gen(function*() {
          const file = yield* direct(yield* FileSystem.FileSystem).open(path, { flag: "w" })
          yield* file.writeAll(bytes(10))
          assert.isAtLeast(open().length, 1)
        }))
        assert.deepStrictEqual(open(), [])
      }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.live("bytes that are written lie in the file, small or large, and are read back through the same handle", () =>
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

  it.live("writing goes on where the file was cut off, or at the position that was set", () =>
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

  // What cannot be flushed is the nearest there is to a flush that fails.
  it.live.skipIf(!fs.existsSync("/dev/full"))(
    "a flush that fails says so, with the system's own code",
    () =>
      Effect.gen(function*() {
        const file = yield* direct(yield* FileSystem.FileSystem).open("/dev/full", { flag: "w" })
        const error = yield* Effect.flip(file.sync)
        const cause: { readonly code?: unknown } = Object("cause" in error.reason ? error.reason.cause : undefined)
        assert.strictEqual(cause.code, "EINVAL")
      }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
