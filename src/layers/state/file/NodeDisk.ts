/**
 * A file system whose new files are written and flushed with fewer waits, on Node.
 *
 * A write of the platform's file system waits for a thread, and so does the look at what is there: each costs some tens
 * of microseconds, for what takes the kernel a few. Here both are done at once; only the flush, which waits for the
 * disk, leaves the event loop to others. Used by the file store, which does all three for every batch.
 *
 * *Tricky*
 * - A large write takes long even without the disk: those go to a thread as ever.
 * - The file system may be one of the caller's that only looks like the platform's (in memory, or under another root).
 *   A file is written directly if it is the very file that was opened, and by the handle it was given if not.
 *
 * @since 0.1.0
 */
import { ByteSize, Effect, FileSystem, Option, Path, PlatformError } from "effect"
import * as node from "node:fs"
import { crc32 } from "node:zlib"
import type * as LogFrame from "../../../domain/state/log/LogFrame.ts"
import type { FileMark } from "../../../domain/state/stored/FileLoss.ts"
import { StoreError } from "../../../domain/state/stored/StoreError.ts"
import * as FileLock from "../lock/FileLock.ts"
import { type Given, ownershipOf } from "../store/Holding.ts"
import type { StateStore } from "../store/StoreShape.ts"

/** The checksum of what is in a log. */
export const checksum: LogFrame.Checksum = (bytes) => crc32(bytes)

/** Bytes that are written at once; the kernel copies them in some 20 µs. */
const maxAtOnce = 128 * 1024

const failed = (method: string, path: string) => (cause: unknown): PlatformError.PlatformError =>
  PlatformError.systemError({ _tag: "Unknown", module: "FileSystem", method, pathOrDescriptor: path, cause })

/** A file that is written from its beginning; all but writing and flushing is left to the handle it came with. */
class Direct implements FileSystem.File {
  readonly [FileSystem.FileTypeId]: typeof FileSystem.FileTypeId = FileSystem.FileTypeId
  readonly stat: FileSystem.File["stat"]
  readonly sync: FileSystem.File["sync"]
  private readonly handle: FileSystem.File
  private readonly fd: number
  private readonly path: string
  private position = 0

  constructor(handle: FileSystem.File, fd: number, path: string) {
    this.handle = handle
    this.fd = fd
    this.path = path
    this.stat = handle.stat
    // What is needed to read it all back is flushed, which is all that a flush is for here.
    this.sync = Effect.callback((resume) =>
      node.fdatasync(fd, (error) => resume(error === null ? Effect.void : Effect.fail(failed("sync", path)(error))))
    )
  }

  write(buffer: Uint8Array): Effect.Effect<number, PlatformError.PlatformError> {
    return Effect.map(this.writeAll(buffer), () => buffer.length)
  }

  writeAll(buffer: Uint8Array): Effect.Effect<void, PlatformError.PlatformError> {
    return Effect.suspend(() => {
      if (buffer.length > maxAtOnce) return this.writeInThread(buffer)
      return Effect.try({
        try: () => {
          for (let done = 0; done < buffer.length;) {
            const written = node.writeSync(this.fd, buffer, done, buffer.length - done, this.position)
            done += written
            this.position += written
          }
        },
        catch: failed("writeAll", this.path)
      })
    })
  }

  private writeInThread(buffer: Uint8Array): Effect.Effect<void, PlatformError.PlatformError> {
    return Effect.callback((resume) => {
      const from = (done: number): void => {
        node.write(this.fd, buffer, done, buffer.length - done, this.position, (error, written) => {
          if (error !== null) return resume(Effect.fail(failed("writeAll", this.path)(error)))
          this.position += written
          if (done + written === buffer.length) resume(Effect.void)
          else from(done + written)
        })
      }
      from(0)
    })
  }

  truncate(length = 0): Effect.Effect<void, PlatformError.PlatformError> {
    return Effect.map(this.handle.truncate(length), () => {
      this.position = Math.min(this.position, length)
    })
  }

  seek(offset: bigint, from: FileSystem.SeekMode): Effect.Effect<bigint, PlatformError.PlatformError> {
    const target = from === "start" ? offset : BigInt(this.position) + offset
    return Effect.map(this.handle.seek(target, "start"), (position) => {
      this.position = Number(position)
      return position
    })
  }

  read(buffer: Uint8Array, options?: FileSystem.File.ReadOptions) {
    return Effect.suspend(() => {
      if (options?.position !== undefined) return this.handle.read(buffer, options)
      return Effect.map(this.handle.read(buffer, { position: BigInt(this.position) }), (read) => {
        this.position += read
        return read
      })
    })
  }

  readAlloc(size: number, options?: FileSystem.File.ReadOptions) {
    return Effect.suspend(() => {
      if (options?.position !== undefined) return this.handle.readAlloc(size, options)
      return Effect.map(this.handle.readAlloc(size, { position: BigInt(this.position) }), (read) => {
        if (read._tag === "Some") this.position += read.value.length
        return read
      })
    })
  }
}

const isNew = (flag: FileSystem.OpenFlag | undefined): boolean => flag?.startsWith("w") === true

/** What is known of a file, unless something else is there. */
const fileAt = (path: string): node.BigIntStats | undefined => {
  try {
    const found = node.statSync(path, { bigint: true, throwIfNoEntry: false })
    return found?.isFile() === true ? found : undefined
  } catch {
    return undefined
  }
}

/** What is at a path, if that can be said at once: nothing where the platform has to be asked. */
export type Seen = (path: string) => FileMark | undefined

const seen: unique symbol = Symbol("heirloom/NodeDisk/seen")

const nothing: Seen = () => undefined

/** How a file system says at once what is at a path: one of {@link direct} does. */
export const seenBy = (fs: FileSystem.FileSystem & { readonly [seen]?: Seen }): Seen => fs[seen] ?? nothing

/** Only what is asked for is made. */
const infoOf = (found: node.BigIntStats): FileSystem.File.Info => ({
  type: "File",
  get mtime() {
    return Option.some(found.mtime)
  },
  get atime() {
    return Option.some(found.atime)
  },
  get birthtime() {
    return Option.some(found.birthtime)
  },
  dev: found.dev,
  ino: Option.some(found.ino),
  mode: Number(found.mode),
  nlink: Option.some(found.nlink),
  uid: Option.some(Number(found.uid)),
  gid: Option.some(Number(found.gid)),
  rdev: Option.some(found.rdev),
  size: ByteSize.bytes(found.size),
  blksize: Option.some(ByteSize.bytes(found.blksize)),
  blocks: Option.some(found.blocks)
})

/** The same file system, faster where it is the platform's own. */
export const direct = (fs: FileSystem.FileSystem): FileSystem.FileSystem & { readonly [seen]: Seen } => {
  // Known as soon as a file was opened: the caller's file system is the one that Node sees.
  let isNodes = false
  const directly = Effect.fnUntraced(function*(handle: FileSystem.File, path: string) {
    const { dev, ino } = yield* handle.stat
    const fd = yield* Effect.acquireRelease(
      Effect.try({ try: () => node.openSync(path, "r+"), catch: failed("open", path) }),
      (fd) => Effect.sync(() => node.closeSync(fd))
    )
    const seen = node.fstatSync(fd, { bigint: true })
    if (seen.dev !== dev || Option.getOrUndefined(ino) !== seen.ino) return handle
    isNodes = true
    return new Direct(handle, fd, path)
  })
  return {
    ...fs,
    [seen]: (path) => {
      const found = isNodes ? fileAt(path) : undefined
      return found && { dev: found.dev, ino: found.ino, size: Number(found.size) }
    },
    // Not there, not a file, or not to be seen: the platform says which.
    stat: (path) =>
      Effect.suspend(() => {
        const found = isNodes ? fileAt(path) : undefined
        return found === undefined ? fs.stat(path) : Effect.succeed(infoOf(found))
      }),
    exists: (path) => Effect.suspend(() => isNodes && node.existsSync(path) ? Effect.succeed(true) : fs.exists(path)),
    open: (path, options) =>
      isNew(options?.flag)
        ? Effect.flatMap(
          fs.open(path, options),
          (handle) => Effect.orElseSucceed(directly(handle, path), (): FileSystem.File => handle)
        )
        : fs.open(path, options)
  }
}

const lockName = "owner.lock"

/**
 * The same store, which a process has for itself as the options say: by a lock in its folder, where Node itself sees
 * that.
 */
export const holding = (given: Given & { readonly directory: string }) => (store: StateStore<"process">) =>
  Effect.map(Effect.all([FileSystem.FileSystem, Path.Path]), ([fs, path]): StateStore<"process"> => {
    const folder = path.resolve(given.directory)
    const take = Effect.matchEffect(fs.stat(folder), {
      onFailure: () => Effect.undefined,
      onSuccess: (info) => FileLock.isSeen(folder, info) ? FileLock.take(path.join(folder, lockName)) : Effect.undefined
    })
    const failed = (cause: unknown) =>
      new StoreError({ store: store.name, operation: "open", reason: { _tag: "Unavailable", cause } })
    return { ...store, hold: { ...ownershipOf(store.name, given), take: Effect.mapError(take, failed) } }
  })
