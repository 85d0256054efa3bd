/** A disk in memory: files that are copied, damaged and put back in no time. */
import { ByteSize, Effect, FileSystem, Option, PlatformError } from "effect"
import { basename } from "node:path"

interface Content {
  bytes: Uint8Array
  readonly ino: bigint
}

/** The files of a folder, by name. */
export type Files = ReadonlyMap<string, Uint8Array>

const failure = (tag: "NotFound" | "AlreadyExists", path: string) =>
  PlatformError.systemError({ _tag: tag, module: "FileSystem", method: "test", pathOrDescriptor: path })

const infoOf = (type: "File" | "Directory", size: number, ino: bigint): FileSystem.File.Info => ({
  type,
  mtime: Option.none(),
  atime: Option.none(),
  birthtime: Option.none(),
  dev: 1n,
  ino: Option.some(ino),
  mode: 0o600,
  nlink: Option.some(1n),
  uid: Option.none(),
  gid: Option.none(),
  rdev: Option.none(),
  size: ByteSize.bytes(size),
  blksize: Option.none(),
  blocks: Option.none()
})

/** One folder, whatever its path. */
export class MemoryDisk {
  private readonly files = new Map<string, Content>()
  private inodes = 1n

  constructor(files: Files = new Map()) {
    for (const [name, bytes] of files) this.files.set(name, { bytes: bytes.slice(), ino: ++this.inodes })
  }

  /** The files as they are now. */
  get copy(): Files {
    return new Map(Array.from(this.files, ([name, { bytes }]) => [name, bytes.slice()]))
  }

  /** Changes a file in place. */
  change(name: string, change: (bytes: Uint8Array) => Uint8Array): void {
    const content = this.files.get(name)
    if (content !== undefined) content.bytes = change(content.bytes.slice())
  }

  private found(path: string): Effect.Effect<Content, PlatformError.PlatformError> {
    return Effect.suspend(() => {
      const content = this.files.get(basename(path))
      return content === undefined ? Effect.fail(failure("NotFound", path)) : Effect.succeed(content)
    })
  }

  /** The file system that has this folder alone. */
  get fileSystem(): FileSystem.FileSystem {
    const { files } = this
    return FileSystem.makeNoop({
      makeDirectory: () => Effect.void,
      readDirectory: () => Effect.sync(() => Array.from(files.keys())),
      exists: (path) => Effect.sync(() => files.has(basename(path))),
      stat: (path) =>
        path.endsWith("/store") || path.endsWith("/store/")
          ? Effect.succeed(infoOf("Directory", 0, 1n))
          : Effect.map(this.found(path), ({ bytes, ino }) => infoOf("File", bytes.length, ino)),
      readFile: (path) => Effect.map(this.found(path), ({ bytes }) => bytes.slice()),
      readFileString: (path) => Effect.map(this.found(path), ({ bytes }) => new TextDecoder().decode(bytes)),
      rename: (from, to) =>
        Effect.map(this.found(from), (content) => {
          files.delete(basename(from))
          files.set(basename(to), content)
        }),
      remove: (path, options) =>
        Effect.suspend(() =>
          files.delete(basename(path)) || options?.force === true ? Effect.void : Effect.fail(failure("NotFound", path))
        ),
      open: (path, options) =>
        Effect.suspend(() => {
          const flag = options?.flag ?? "r"
          const name = basename(path)
          // The folder itself is opened to be flushed.
          if (path.endsWith("/store")) return Effect.succeed(this.handle({ bytes: new Uint8Array(0), ino: 1n }))
          if (flag.includes("x") && files.has(name)) return Effect.fail(failure("AlreadyExists", path))
          if (!flag.startsWith("w")) return Effect.map(this.found(path), (content) => this.handle(content))
          const content = files.get(name) ?? { bytes: new Uint8Array(0), ino: ++this.inodes }
          content.bytes = new Uint8Array(0)
          files.set(name, content)
          return Effect.succeed(this.handle(content))
        })
    })
  }

  private handle(content: Content): FileSystem.File {
    let position = 0
    const write = (buffer: Uint8Array) =>
      Effect.sync(() => {
        const bytes = new Uint8Array(Math.max(content.bytes.length, position + buffer.length))
        bytes.set(content.bytes)
        bytes.set(buffer, position)
        content.bytes = bytes
        position += buffer.length
        return buffer.length
      })
    const read = (buffer: Uint8Array, options?: FileSystem.File.ReadOptions) =>
      Effect.sync(() => {
        const from = options?.position === undefined ? position : Number(options.position)
        const part = content.bytes.subarray(from, from + buffer.length)
        buffer.set(part)
        if (options?.position === undefined) position += part.length
        return part.length
      })
    return {
      [FileSystem.FileTypeId]: FileSystem.FileTypeId,
      stat: Effect.sync(() => infoOf("File", content.bytes.length, content.ino)),
      sync: Effect.void,
      seek: (offset) => Effect.sync(() => BigInt(position = Number(offset))),
      read,
      readAlloc: (size, options) =>
        Effect.suspend(() => {
          const buffer = new Uint8Array(size)
          return Effect.map(read(buffer, options), (n) => n === 0 ? Option.none() : Option.some(buffer.subarray(0, n)))
        }),
      truncate: (length = 0) =>
        Effect.sync(() => {
          content.bytes = content.bytes.slice(0, length)
          position = Math.min(position, length)
        }),
      write,
      writeAll: (buffer) => Effect.asVoid(write(buffer))
    }
  }
}
