/**
 * A folder with a log in it: claims that say whose it is, and segments that hold what was written.
 *
 * `0000000007.claim` is an empty file: session 7 owns the folder as long as it is there. `0000000007-0.log` is the first
 * segment that session 7 wrote; its first entry names the segments it builds on, and how much of each.
 *
 * *Tricky*: no lock, because a lock outlives `kill -9`. A session that takes over first makes its claim, then removes the
 * older one, and only then reads what was written; a session that writes first writes, and only then looks whether its
 * claim is still there. So when an old session and a new one race, either the new one has read the batch, or the old one
 * finds its claim gone; how far the new one has read is written in its first segment, and what comes after that is never
 * read again. The same order protects files: an owner deletes what it has replaced only if its claim is there after the
 * replacement is. This needs a file system where a process sees at once what another has done: any local one, not every
 * network one.
 *
 * @since 0.1.0
 */
import { ByteSize, Effect, type FileSystem, type Path, type PlatformError, type Scope } from "effect"
import * as LogFrame from "../../../domain/state/stored/LogFrame.ts"
import { decode, type LogEntry } from "./LogIndex.ts"

/**
 * Something in the folder that is not as it was written.
 *
 * @category models
 * @since 0.1.0
 */
export type Damage =
  /** The end of a segment was not written whole: it is cut off. It was never acknowledged. */
  | { readonly _tag: "TornTail"; readonly file: string; readonly at: number; readonly bytes: number }
  | Hole
  /** A segment is missing, or does not say what it builds on. */
  | { readonly _tag: "Unusable"; readonly file: string; readonly why: string }

/** A part in the middle cannot be read. What it held is lost; older generations take its place. */
export interface Hole {
  readonly _tag: "Hole"
  readonly file: string
  readonly at: number
  readonly bytes: number
}

/** A damage, for people. */
export const explain = (damage: Damage): string => {
  switch (damage._tag) {
    case "TornTail":
      return `${damage.file}: the last ${damage.bytes} bytes (from ${damage.at}) were not written whole and are cut off; ` +
        "they were never acknowledged"
    case "Hole":
      return `${damage.file}: ${damage.bytes} bytes from ${damage.at} on are damaged; snapshots in them are lost, older ` +
        "generations take their place"
    case "Unusable":
      return `${damage.file}: ${damage.why}`
  }
}

/** A segment's name, and what it says. */
export interface SegmentName {
  readonly file: string
  readonly session: number
  readonly number: number
}

/** What is done with a frame: its bytes begin at `at` of `bytes`, and at `position` of the file. */
export type OnFrame = (
  frame: LogFrame.Frame,
  bytes: Uint8Array,
  at: number,
  position: number
) => Effect.Effect<void, PlatformError.PlatformError> | undefined

const chunkBytes = 1024 * 1024

/** A file up to `to`, read from front to back, a good piece at a time. */
class ReadAhead {
  /** What was read last, and where in it that which was asked for lies. */
  bytes: Uint8Array = new Uint8Array(0)
  at = 0
  private readonly handle: FileSystem.File
  private readonly to: number

  constructor(handle: FileSystem.File, to: number) {
    this.handle = handle
    this.to = to
  }

  private base = 0

  /** Has `length` bytes from `position` of the file on, unless it ends before. */
  have(position: number, length: number): Effect.Effect<void, PlatformError.PlatformError> {
    const { base, bytes } = this
    this.at = position - base
    const end = Math.min(position + length, this.to)
    return this.at >= 0 && end <= base + bytes.length ? Effect.void : this.read(position, length)
  }

  private readonly read = Effect.fnUntraced(
    function*(this: ReadAhead, position: number, length: number) {
      const left = this.at >= 0 && this.at < this.bytes.length ? this.bytes.subarray(this.at) : new Uint8Array(0)
      const wanted = new Uint8Array(Math.min(this.to - position, Math.max(length, chunkBytes)))
      wanted.set(left)
      let filled = left.length
      while (filled < wanted.length) {
        const read = yield* this.handle.read(wanted.subarray(filled), { position: BigInt(position + filled) })
        if (read === 0) break
        filled += read
      }
      this.base = position
      this.at = 0
      this.bytes = wanted.subarray(0, filled)
    }
  ).bind(this)
}

const digits = (session: number): string => String(session).padStart(10, "0")

/** The log in a folder. */
export const make = (
  fs: FileSystem.FileSystem,
  path: Path.Path,
  directory: string,
  checksum: LogFrame.Checksum = LogFrame.checksum
) => {
  const at = (name: string): string => path.join(directory, name)
  const claimName = (session: number): string => `${digits(session)}.claim`
  const ignoreMissing = (effect: Effect.Effect<void, PlatformError.PlatformError>) =>
    Effect.catchIf(effect, (error) => error.reason._tag === "NotFound", () => Effect.void)

  const list = Effect.map(fs.readDirectory(directory), (names) => {
    const claims: Array<number> = []
    const segments: Array<SegmentName> = []
    const temporary: Array<SegmentName> = []
    for (const file of names) {
      const claim = /^(\d{10})\.claim$/.exec(file)
      const segment = /^(\d{10})-(\d+)\.log$/.exec(file)
      if (claim !== null) claims.push(Number(claim[1]))
      else if (segment !== null) segments.push({ file, session: Number(segment[1]), number: Number(segment[2]) })
      else if (file.endsWith(".log.tmp")) temporary.push({ file, session: sessionOf(file), number: 0 })
    }
    segments.sort((a, b) => a.session - b.session || a.number - b.number)
    return { claims, segments, temporary }
  })

  /** Makes a rename or a new file last. Some systems cannot flush a folder, and need not. */
  const syncDirectory = Effect.ignore(
    Effect.scoped(Effect.flatMap(fs.open(directory, { flag: "r" }), (handle) => handle.sync))
  )

  /** Claims the folder for a new session, which is younger than all that were. */
  const claim: Effect.Effect<number, PlatformError.PlatformError> = Effect.gen(function*() {
    while (true) {
      const before = yield* list
      const session = 1 + Math.max(0, ...before.claims, ...before.segments.map((one) => one.session))
      const claimed = yield* Effect.scoped(fs.open(at(claimName(session)), { flag: "wx" })).pipe(
        Effect.as(true),
        Effect.catchIf((error) => error.reason._tag === "AlreadyExists", () => Effect.succeed(false))
      )
      if (!claimed) continue
      const after = yield* list
      for (const older of after.claims) if (older < session) yield* ignoreMissing(fs.remove(at(claimName(older))))
      return session
    }
  })

  const nameOf = (session: number, number: number): string => `${digits(session)}-${number}.log`

  /** Creates a segment that begins with `frames`, and is there whole or not at all. */
  const create = Effect.fnUntraced(function*<E>(
    file: string,
    write: (handle: FileSystem.File) => Effect.Effect<void, E>
  ): Effect.fn.Return<FileSystem.File, E | PlatformError.PlatformError, Scope.Scope> {
    const temporary = at(`${file}.tmp`)
    // A left-over of the same name is this session's own: an attempt that failed.
    yield* fs.remove(temporary, { force: true })
    const handle = yield* fs.open(temporary, { flag: "wx+" })
    yield* write(handle)
    yield* handle.sync
    yield* fs.rename(temporary, at(file))
    yield* syncDirectory
    return handle
  })

  /** The session's frame at a position, if there is a whole one; it lies in what was read last. */
  const frameAt = Effect.fnUntraced(function*(ahead: ReadAhead, position: number, to: number, session: number) {
    yield* ahead.have(position, LogFrame.headerBytes)
    const length = LogFrame.lengthAt(ahead.bytes, ahead.at)
    if (length === 0 || position + length > to) return undefined
    yield* ahead.have(position, length)
    const frame = LogFrame.read(ahead.bytes, ahead.at, checksum)
    return frame?.session === session ? frame : undefined
  })

  /**
   * Reads the frames of a segment from `from` up to `to`, in order; answers where the last whole one ends. Damaged parts
   * are skipped and reported.
   */
  const scan = Effect.fnUntraced(function*(
    file: string,
    handle: FileSystem.File,
    from: number,
    to: number,
    onFrame: OnFrame,
    onDamage: (damage: Damage) => void
  ) {
    const session = sessionOf(file)
    const ahead = new ReadAhead(handle, to)
    let position = from
    while (position < to) {
      const frame = yield* frameAt(ahead, position, to, session)
      if (frame !== undefined) {
        const done = onFrame(frame, ahead.bytes, ahead.at, position)
        if (done !== undefined) yield* done
        position += frame.length
        continue
      }
      yield* ahead.have(position, to - position)
      const found = LogFrame.find(ahead.bytes, ahead.at + 1, checksum)
      if (found === -1) {
        onDamage({ _tag: "TornTail", file, at: position, bytes: to - position })
        return position
      }
      onDamage({ _tag: "Hole", file, at: position, bytes: found - ahead.at })
      position += found - ahead.at
    }
    return position
  })

  /**
   * Reads some frames of a segment: those that begin at the `from` of `frames`, which ascend. One that is damaged by now is
   * reported, with what it is known to have held.
   */
  const pick = Effect.fnUntraced(function*(
    file: string,
    handle: FileSystem.File,
    frames: ReadonlyArray<{ readonly from: number; readonly end: number }>,
    to: number,
    onFrame: OnFrame,
    onHole: (hole: Hole) => void
  ) {
    const session = sessionOf(file)
    const ahead = new ReadAhead(handle, to)
    for (const { end, from } of frames) {
      const frame = yield* frameAt(ahead, from, to, session)
      if (frame === undefined) onHole({ _tag: "Hole", file, at: from, bytes: end - from })
      const done = frame === undefined ? undefined : onFrame(frame, ahead.bytes, ahead.at, from)
      if (done !== undefined) yield* done
    }
  })

  /** The first entry of a segment, if it can be read. */
  const header = Effect.fnUntraced(function*(segment: SegmentName) {
    return yield* Effect.scoped(Effect.gen(function*() {
      const handle = yield* fs.open(at(segment.file), { flag: "r" })
      const size = ByteSize.toNumberUnsafe((yield* handle.stat).size)
      let found: (LogEntry & { readonly _tag: "Segment" }) | undefined
      const length = yield* Effect.map(
        handle.readAlloc(LogFrame.headerBytes),
        (bytes) => bytes._tag === "Some" ? LogFrame.lengthAt(bytes.value, 0) : 0
      )
      if (length === 0 || length > size) return undefined
      yield* scan(segment.file, handle, 0, length, (frame) => {
        const [first] = frame.entries
        const entry = first === undefined ? undefined : decode(first.json)
        if (entry?._tag === "Segment") found = entry
        return undefined
      }, () => {})
      return found
    }))
  })

  return {
    at,
    list,
    claim,
    /** Whether the folder is still the session's. */
    isOwner: (session: number): Effect.Effect<boolean, PlatformError.PlatformError> =>
      fs.exists(at(claimName(session))),
    /** What is at a file's place; nothing if it is not there. */
    stat: (file: string): Effect.Effect<FileSystem.File.Info | undefined, PlatformError.PlatformError> =>
      Effect.catchIf(fs.stat(at(file)), (error) => error.reason._tag === "NotFound", () => Effect.undefined),
    /** Whether a session younger than this one has claimed the folder. */
    hasYounger: (session: number): Effect.Effect<boolean, PlatformError.PlatformError> =>
      list.pipe(
        Effect.map(({ claims, segments }) =>
          [...claims, ...segments.map((one) => one.session)].some((n) => n > session)
        ),
        Effect.catchIf((error) => error.reason._tag === "NotFound", () => Effect.succeed(false))
      ),
    claimName,
    nameOf,
    create,
    scan,
    pick,
    header,
    remove: (file: string) => ignoreMissing(fs.remove(at(file)))
  }
}

/** The log in a folder. */
export type LogDirectory = ReturnType<typeof make>

/** The session that a file's name says it is of. */
export const sessionOf = (file: string): number => Number.parseInt(file, 10)
