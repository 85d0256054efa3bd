/**
 * A copy of a log while its owner goes on writing to it: the log as it was at one moment, or with a part of the batch
 * that was being written then, which is cut off when the copy is opened.
 *
 * *Tricky*
 * - The owner may compact the log meanwhile, and remove what it has replaced. So every file is opened first, and then
 *   it is seen whether they are still the log; what was opened can be read to its end, whatever becomes of its name.
 * - Only the newest segment grows. What is written beside the segments is read before them: a segment may have more
 *   than is said there, never less.
 *
 * @since 0.1.0
 */
import { ByteSize, Effect, type FileSystem, type Path, PlatformError } from "effect"

/**
 * What a log is made of: segments, and what is written beside them. Claims are of those who own the folder, not of a
 * copy.
 */
const isPart = (name: string): boolean => /^\d{10}-\d+\.(log|keys)$/.test(name)
const isSegment = (name: string): boolean => name.endsWith(".log")

const chunkBytes = 1024 * 1024

/** Times that the files are opened anew when the log was compacted meanwhile. */
const attempts = 20

/** Copies the log in a folder into another, which is made. */
export const copy = Effect.fnUntraced(function*(
  fs: FileSystem.FileSystem,
  path: Path.Path,
  from: string,
  to: string
): Effect.fn.Return<void, PlatformError.PlatformError> {
  const list = Effect.map(fs.readDirectory(from), (names) => names.filter(isPart).sort())
  const moved = PlatformError.systemError({
    _tag: "NotFound",
    module: "FileSystem",
    method: "open",
    pathOrDescriptor: from,
    description: "the log was compacted while its files were opened"
  })

  const opened = Effect.gen(function*() {
    const names = yield* list
    const files = yield* Effect.forEach(
      names,
      (name) => Effect.map(fs.open(path.join(from, name), { flag: "r" }), (file) => ({ name, file }))
    )
    const after = new Set(yield* list)
    return names.filter(isSegment).every((name) => after.has(name)) ? files : yield* Effect.fail(moved)
  })

  const copyFile = Effect.fnUntraced(function*(file: FileSystem.File, name: string, bytes: number) {
    const target = yield* fs.open(path.join(to, name), { flag: "wx" })
    const chunk = new Uint8Array(chunkBytes)
    let position = 0
    while (position < bytes) {
      const read = yield* file.read(chunk.subarray(0, Math.min(chunkBytes, bytes - position)), {
        position: BigInt(position)
      })
      if (read === 0) break
      yield* target.writeAll(chunk.subarray(0, read))
      position += read
    }
    yield* target.sync
  })

  yield* fs.makeDirectory(to, { recursive: true })
  yield* Effect.scoped(Effect.gen(function*() {
    const files = yield* Effect.retry(opened, {
      times: attempts,
      while: (error) => error.reason._tag === "NotFound"
    })
    const sized = ({ file, name }: (typeof files)[number]) =>
      Effect.map(file.stat, ({ size }) => ({ file, name, size: ByteSize.toNumberUnsafe(size) }))
    const copyAll = (some: typeof files) =>
      Effect.flatMap(
        Effect.forEach(some, sized),
        (all) => Effect.forEach(all, ({ file, name, size }) => Effect.scoped(copyFile(file, name, size)))
      )
    yield* copyAll(files.filter(({ name }) => !isSegment(name)))
    yield* copyAll(files.filter(({ name }) => isSegment(name)))
  }))
})
