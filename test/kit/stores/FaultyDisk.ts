/** A file system for tests that fails as a test wants, over the real one. */
import { NodeFileSystem } from "@effect/platform-node"
import { Effect, FileSystem, Layer, PlatformError } from "effect"
import { direct } from "../../../src/layers/state/file/NodeDisk.ts"

/** What is asked of the disk, in its order. */
export interface Request {
  readonly operation: "open" | "write" | "sync" | "truncate" | "rename" | "remove" | "list" | "exists" | "read"
  readonly path: string
}

/**
 * What the disk does with a request. `"half"` writes the first half and then fails; with `flip` it says that all is
 * well, and has turned a bit of what it wrote or read.
 */
export type Answer = "well" | "half" | { readonly flip: number } | { readonly code: string } | {
  readonly after: Effect.Effect<void>
}

/** How the disk answers; may be changed at any time. */
export interface Disk {
  answer: (request: Request, n: number) => Answer
  /** Requests so far. */
  readonly requests: Array<Request>
}

export const makeDisk = (): Disk => ({ answer: () => "well", requests: [] })

/** An error as Node's file system makes it. */
const failure = (request: Request, code: string) =>
  PlatformError.systemError({
    _tag: "Unknown",
    module: "FileSystem",
    method: request.operation,
    pathOrDescriptor: request.path,
    cause: Object.assign(new Error(`${code}: test`), { code })
  })

/** Turns a bit of some bytes. */
const flip = (bytes: Uint8Array, bit: number): Uint8Array => {
  const at = (bit >> 3) % Math.max(1, bytes.length)
  if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << (bit & 7))
  return bytes
}

/** The real file system behind `disk`, as the file store uses it. */
export const layer = (disk: Disk): Layer.Layer<FileSystem.FileSystem> =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.gen(function*() {
      const real = direct(yield* FileSystem.FileSystem)
      const ask = <A>(
        request: Request,
        effect: Effect.Effect<A, PlatformError.PlatformError>,
        flipped: (bit: number) => Effect.Effect<A, PlatformError.PlatformError> = () => effect,
        half: Effect.Effect<unknown, PlatformError.PlatformError> = Effect.void
      ): Effect.Effect<A, PlatformError.PlatformError> =>
        Effect.suspend(() => {
          disk.requests.push(request)
          const answer = disk.answer(request, disk.requests.length)
          if (answer === "well") return effect
          if (answer === "half") return Effect.andThen(half, Effect.fail(failure(request, "EIO")))
          if ("flip" in answer) return flipped(answer.flip)
          return "code" in answer ? Effect.fail(failure(request, answer.code)) : Effect.andThen(answer.after, effect)
        })
      const file = (path: string, handle: FileSystem.File): FileSystem.File => ({
        [FileSystem.FileTypeId]: FileSystem.FileTypeId,
        stat: handle.stat,
        seek: (offset, from) => handle.seek(offset, from),
        sync: ask({ operation: "sync", path }, handle.sync),
        read: (buffer, options) => {
          const read = handle.read(buffer, options)
          return ask({ operation: "read", path }, read, (bit) =>
            Effect.tap(read, (count) =>
              Effect.sync(() => void flip(buffer.subarray(0, count), bit))))
        },
        readAlloc: (size, options) =>
          ask({ operation: "read", path }, handle.readAlloc(size, options)),
        truncate: (length) => ask({ operation: "truncate", path }, handle.truncate(length)),
        write: (buffer) => ask({ operation: "write", path }, handle.write(buffer)),
        writeAll: (buffer) =>
          ask(
            { operation: "write", path },
            handle.writeAll(buffer),
            (bit) => handle.writeAll(flip(buffer.slice(), bit)),
            handle.writeAll(buffer.slice(0, buffer.length >> 1))
          )
      })
      return FileSystem.FileSystem.of({
        ...real,
        open: (path, options) =>
          Effect.suspend(() => {
            const request: Request = { operation: "open", path }
            disk.requests.push(request)
            const answer = disk.answer(request, disk.requests.length)
            const opened = Effect.map(real.open(path, options), (handle) => file(path, handle))
            if (answer === "well") return opened
            if (typeof answer !== "string" && "flip" in answer) return opened
            if (typeof answer === "string" || "code" in answer) {
              return Effect.fail(failure(request, answer === "half" ? "EIO" : answer.code))
            }
            return Effect.andThen(answer.after, opened)
          }),
        rename: (from, to) => ask({ operation: "rename", path: to }, real.rename(from, to)),
        remove: (path, options) => ask({ operation: "remove", path }, real.remove(path, options)),
        exists: (path) => ask({ operation: "exists", path }, real.exists(path)),
        readDirectory: (path, options) => ask({ operation: "list", path }, real.readDirectory(path, options))
      })
    })
  ).pipe(Layer.provide(NodeFileSystem.layer))
