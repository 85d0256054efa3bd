/**
 * The one writer of a log: a session's segment, what is appended to it, and compaction.
 *
 * *Tricky*
 * - A write that failed leaves a damaged end, a flush that failed leaves what cannot be known. The segment is given up behind
 *   its last good byte, and the next batch begins a new one that says so.
 * - Compaction writes what is still needed to a new segment, flushes it and renames it into place; from then on it is the
 *   log, for every reader. So nothing may be appended to the old one any more: when it cannot be known whether the folder is
 *   still the session's, the session ends.
 * - What compaction finds rotted (`LogCompaction`) is reported, and is lost as it would have been when the session began.
 *
 * @since 0.1.0
 */
import { Effect, Exit, type FileSystem, type PlatformError, Scope } from "effect"
import type { LogSize } from "../../../domain/state/stored/Compaction.ts"
import * as LogFrame from "../../../domain/state/stored/LogFrame.ts"
import { copyNeeded, type Rotten, type Source } from "./LogCompaction.ts"
import type { Damage, LogDirectory } from "./LogDirectory.ts"
import { type Base, encode, type LogEntry, LogIndex, type Place, textOf } from "./LogIndex.ts"
import { LogPresence, type Lost, type Piece } from "./LogPresence.ts"
import type { Cuts, Replayed } from "./LogReplay.ts"

interface Segment {
  readonly name: string
  readonly file: FileSystem.File
  /** Bytes that hold whole frames. */
  readonly size: number
  /** A write or a flush failed: what lies behind `size` is unknown. */
  readonly broken: boolean
}

/**
 * How an append ended: flushed and the session's (`stored`), or at a time when the claim was gone (`over`) or a file was not what
 * it had been. `end` is where it ends in `file`; 0 when nothing was written.
 */
export interface Appended {
  readonly outcome: "stored" | "over" | Lost
  readonly file: string
  readonly end: number
}

/** A frame is written out when it has become as large as this, where several make one segment. */
const frameBytes = 1024 * 1024

/** The text at a place of a file. */
export const readText = Effect.fnUntraced(function*(file: FileSystem.File, { at, length }: Place) {
  const bytes = new Uint8Array(length)
  let filled = 0
  while (filled < length) {
    const read = yield* file.read(bytes.subarray(filled), { position: BigInt(at + filled) })
    if (read === 0) break
    filled += read
  }
  return LogFrame.textOf(bytes.subarray(0, filled))
})

/** The session that owns a log. All its operations take turns. */
export class LogSession implements Source {
  readonly number: number
  /** Whether the folder is still the session's. */
  readonly isOwner: Effect.Effect<boolean, PlatformError.PlatformError>
  index: LogIndex
  private readonly fs: FileSystem.FileSystem
  readonly log: LogDirectory
  private readonly parent: Scope.Scope
  private readonly limit: number
  private readonly onDamage: (damage: Damage) => Effect.Effect<void>
  private readonly cuts: Cuts
  private readonly writer: LogFrame.FrameWriter
  private readonly presence: LogPresence
  private scope: Scope.Closeable
  private bases: ReadonlyArray<Base>
  private segment: Segment
  private segments = 0
  /** Bytes that compaction has written beyond those that the index knows to be needed. */
  private overhead = 0
  private opened = new Map<string, FileSystem.File>()

  private constructor(
    { fs, limit, log, onDamage, parent }: LogSession.Environment,
    number: number,
    replayed: Replayed,
    writer: LogFrame.FrameWriter,
    scope: Scope.Closeable,
    segment: Segment,
    presence: LogPresence
  ) {
    this.writer = writer
    this.presence = presence
    this.fs = fs
    this.log = log
    this.parent = parent
    this.limit = limit
    this.onDamage = onDamage
    this.number = number
    this.isOwner = log.isOwner(number)
    this.index = replayed.index
    this.bases = replayed.bases
    this.cuts = replayed.cuts
    this.scope = scope
    this.segment = segment
  }

  /** Begins the session that has claimed `number`, on what was replayed. */
  static readonly begin = Effect.fnUntraced(function*(
    environment: LogSession.Environment,
    number: number,
    replayed: Replayed
  ): Effect.fn.Return<LogSession, PlatformError.PlatformError> {
    const scope = yield* Scope.fork(environment.parent)
    const header: LogEntry = { _tag: "Segment", bases: replayed.bases, cuts: replayed.cuts }
    const writer = new LogFrame.FrameWriter(environment.checksum)
    const segment = yield* create(environment.log, writer, scope, number, 0, header)
    const presence = new LogPresence(environment.log)
    yield* presence.begin
    for (const { file } of replayed.bases) presence.meet(file, yield* environment.log.stat(file))
    presence.meet(segment.name, yield* segment.file.stat)
    return new LogSession(environment, number, replayed, writer, scope, segment, presence)
  })

  /** How large the log is, and about how much of it is still needed. */
  get logSize(): LogSize {
    const bases = this.bases.reduce((sum, { upTo }) => sum + upTo, 0)
    return { total: bases + this.segment.size, live: this.index.live + this.overhead, pieces: this.bases.length + 1 }
  }

  /** The segments that the log consists of. */
  get pieces(): ReadonlyArray<Base> {
    return [...this.bases, { file: this.segment.name, upTo: this.segment.size }]
  }

  /** Closes the files. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => Scope.close(this.scope, Exit.void))
  }

  /** What has become of the log's files, if they are not what the session has open. */
  get lost(): Effect.Effect<Lost | undefined, PlatformError.PlatformError> {
    const { broken, size } = this.segment
    return this.lostBut(size, broken ? Infinity : size)
  }

  private lostBut(least: number, most: number): Effect.Effect<Lost | undefined, PlatformError.PlatformError> {
    const { file: newest, name } = this.segment
    const bases = this.bases.map(({ file, upTo }): Piece => ({ file, least: upTo, most: Infinity }))
    return this.presence.lost(
      [{ file: name, least, most }, ...bases],
      (file) => file === name ? newest : this.opened.get(file)
    )
  }

  /** Appends entries as one frame, all or none, and applies them when they are flushed and the folder is the session's. */
  append(entries: ReadonlyArray<LogEntry>): Effect.Effect<Appended, PlatformError.PlatformError> {
    return Effect.suspend(() =>
      Effect.flatMap(this.lost, (lost) => {
        if (lost !== undefined) return Effect.succeed<Appended>({ outcome: lost, file: this.segment.name, end: 0 })
        return this.segment.broken ? Effect.andThen(this.roll, this.append(entries)) : this.write(entries)
      })
    )
  }

  private write(entries: ReadonlyArray<LogEntry>): Effect.Effect<Appended, PlatformError.PlatformError> {
    return Effect.suspend(() => {
      const { writer } = this
      const { file, name, size } = this.segment
      const texts = writer.addAll(entries.map((entry) => ({ json: encode(entry), text: textOf(entry) })))
      const frame = writer.finish(this.number)
      const end = size + frame.length
      // Broken until it is known to be whole.
      this.segment = { ...this.segment, broken: true }
      const written = Effect.onError(file.writeAll(frame), () => Effect.ignore(file.truncate(size)))
      const applied = (lost: Lost | undefined): Appended => {
        if (lost !== undefined) return { outcome: lost, file: name, end }
        this.segment = { name, file, size: end, broken: false }
        for (let i = 0; i < entries.length; i++) this.index.apply(entries[i]!, name, size, texts[i]!)
        return { outcome: "stored", file: name, end }
      }
      // After the write, all of them.
      const flushed = Effect.flatMap(this.isOwner, (isOwner) =>
        Effect.andThen(
          file.sync,
          isOwner
            ? Effect.map(Effect.suspend(() => this.lostBut(end, end)), applied)
            : Effect.succeed<Appended>({ outcome: "over", file: name, end })
        ))
      return Effect.andThen(written, flushed)
    })
  }

  /** The state of a snapshot. */
  text(place: Place): Effect.Effect<string, PlatformError.PlatformError> {
    return Effect.flatMap(this.reader(place.file), (file) => readText(file, place))
  }

  /** Removes what the log does not need: what older sessions left, and what compaction has replaced. */
  get tidy(): Effect.Effect<void, PlatformError.PlatformError> {
    return Effect.flatMap(this.log.list, ({ segments, temporary }) => {
      const needed = new Set([this.segment.name, ...this.bases.map((base) => base.file)])
      const old = [...segments, ...temporary].filter((one) => one.session <= this.number && !needed.has(one.file))
      return Effect.forEach(old, ({ file }) => this.log.remove(file), { discard: true })
    })
  }

  /**
   * Writes what is still needed to one segment, which then is the log; answers whether the session goes on. When it fails, or
   * a file is not what it was, the log is as it was.
   */
  compact(): Effect.Effect<boolean, PlatformError.PlatformError> {
    return Effect.catchTag(this.compactOnce, "Rotten", ({ holes }) => {
      for (const { at, file } of holes) this.index.lose(file, at)
      return Effect.andThen(Effect.forEach(holes, this.onDamage, { discard: true }), this.compact())
    })
  }

  private get compactOnce(): Effect.Effect<boolean, PlatformError.PlatformError | Rotten> {
    return Effect.gen({ self: this }, function*() {
      // The next write says so. What is there now is left alone.
      if ((yield* this.lost) !== undefined) return true
      const index = new LogIndex(this.limit)
      const scope = yield* Scope.fork(this.parent)
      const number = this.segments + 1
      const header: LogEntry = { _tag: "Segment", bases: [], cuts: this.cuts }
      const segment = yield* Effect.onError(
        create(this.log, this.writer, scope, this.number, number, header, (add) =>
          copyNeeded(this, (entry) => {
            const { at, flush, name, place } = add(entry)
            index.apply(entry, name, at, place)
            return flush
          })),
        () => Effect.andThen(Effect.sync(() => this.writer.clear()), Scope.close(scope, Exit.void))
      )
      // If this cannot be known, the session is over: appending to the old segment would be lost.
      const ended = yield* Effect.orElseSucceed(this.ended, () => "over" as const)
      if (ended !== undefined) {
        if (ended !== "over") yield* Effect.ignore(this.log.remove(segment.name))
        yield* Scope.close(scope, Exit.void)
        return ended !== "over"
      }
      this.presence.forget()
      this.presence.meet(segment.name, yield* segment.file.stat)
      const before = this.scope
      this.index = index
      this.overhead = Math.max(0, segment.size - index.live)
      this.scope = scope
      this.segment = segment
      this.segments = number
      this.bases = []
      this.opened = new Map()
      yield* Scope.close(before, Exit.void)
      yield* Effect.ignore(this.tidy)
      return true
    })
  }

  /** Why the session does not go on, if it does not. */
  private get ended(): Effect.Effect<"over" | Lost | undefined, PlatformError.PlatformError> {
    return Effect.flatMap(
      this.isOwner,
      (isOwner): Effect.Effect<"over" | Lost | undefined, PlatformError.PlatformError> =>
        isOwner ? this.lost : Effect.succeed("over")
    )
  }

  /** Gives up the segment behind its last good byte and goes on in a new one. */
  private get roll(): Effect.Effect<void, PlatformError.PlatformError> {
    return Effect.suspend(() => {
      const { file, name, size } = this.segment
      const bases = [...this.bases, { file: name, upTo: size }]
      const header: LogEntry = { _tag: "Segment", bases, cuts: this.cuts }
      const number = this.segments + 1
      const created = create(this.log, this.writer, this.scope, this.number, number, header)
      const known = Effect.flatMap(created, (segment) => Effect.map(segment.file.stat, (found) => ({ found, segment })))
      return Effect.map(known, ({ found, segment }) => {
        this.presence.meet(segment.name, found)
        this.opened.set(name, file)
        this.segments = number
        this.bases = bases
        this.segment = segment
      })
    })
  }

  /** A file of the log, open for reading as long as it belongs to it. */
  reader(file: string): Effect.Effect<FileSystem.File, PlatformError.PlatformError> {
    return Effect.suspend(() => {
      const known = file === this.segment.name ? this.segment.file : this.opened.get(file)
      if (known !== undefined) return Effect.succeed(known)
      return Effect.map(Scope.provide(this.fs.open(this.log.at(file), { flag: "r" }), this.scope), (opened) => {
        this.opened.set(file, opened)
        return opened
      })
    })
  }
}

/** Adds an entry to a segment in the making; `flush` writes the frame out, when it has become large. */
type Add = (entry: LogEntry) => {
  readonly name: string
  readonly at: number
  readonly place: LogFrame.TextAt
  readonly flush: Effect.Effect<void, PlatformError.PlatformError> | undefined
}

/** A new segment that begins with `header` and what `write` adds to it; it is there whole or not at all. */
const create = Effect.fnUntraced(function*<E = never>(
  log: LogDirectory,
  writer: LogFrame.FrameWriter,
  scope: Scope.Scope,
  session: number,
  number: number,
  header: LogEntry,
  write?: (add: Add) => Effect.Effect<void, E | PlatformError.PlatformError>
): Effect.fn.Return<Segment, E | PlatformError.PlatformError> {
  const name = log.nameOf(session, number)
  let size = 0
  const file = yield* Scope.provide(
    log.create(name, (handle) => {
      const flush = Effect.suspend(() => {
        const frame = writer.finish(session)
        return Effect.map(handle.writeAll(frame), () => {
          size += frame.length
        })
      })
      const add: Add = (entry) => {
        const place = writer.add(encode(entry), textOf(entry))
        return { name, at: size, place, flush: writer.length > frameBytes ? flush : undefined }
      }
      add(header)
      // In a frame of its own, so that it is found without reading more.
      return write === undefined ? flush : flush.pipe(Effect.andThen(write(add)), Effect.andThen(flush))
    }),
    scope
  )
  return { name, file, size, broken: false }
})

export declare namespace LogSession {
  /** What a session works with. */
  interface Environment {
    readonly fs: FileSystem.FileSystem
    readonly log: LogDirectory
    readonly parent: Scope.Scope
    /** Snapshots kept of a key. */
    readonly limit: number
    readonly checksum: LogFrame.Checksum
    /** Called with what is found damaged. */
    readonly onDamage: (damage: Damage) => Effect.Effect<void>
  }
}
