/**
 * The one writer of a log: a session's segment, what is appended to it, and compaction.
 *
 * *Tricky*
 * - A write that failed leaves a damaged end, a flush that failed leaves what cannot be known. The segment is given up
 *   behind its last good byte, and the next batch begins a new one that says so.
 * - Compaction writes what is still needed to a new segment, flushes it and renames it into place; from then on it is
 *   the log, for every reader. So nothing may be appended to the old one any more: when it cannot be known whether the
 *   folder is still the session's, the session ends.
 * - What compaction finds rotted (`LogCompaction`) is reported, and is lost as it would have been when the session
 *   began.
 * - The head of a frame is written beside the log when the frame is flushed (`LogReplay`), and not flushed itself: it
 *   is for the day on which the log is damaged, and that it cannot be written is no failure.
 *
 * @since 0.1.0
 */
import { Effect, Exit, type FileSystem, type PlatformError, Scope } from "effect"
import { type Base, type LogEntry, written } from "../../../domain/state/log/LogEntry.ts"
import * as LogFrame from "../../../domain/state/log/LogFrame.ts"
import type { LogSize } from "../../../domain/state/stored/Compaction.ts"
import { copyNeeded, type Rotten, type Source } from "./LogCompaction.ts"
import { type Damage, identityOf, type LogDirectory } from "./LogDirectory.ts"
import { LogIndex, type Place } from "./LogIndex.ts"
import { LogPresence, type Lost, type Piece } from "./LogPresence.ts"
import { losses, type ReadText, readText } from "./LogRead.ts"
import type { Cuts, Replayed } from "./LogReplay.ts"
import { create, type Segment } from "./LogSegment.ts"

/**
 * How an append ended: flushed and the session's (`stored`), or at a time when the claim was gone (`over`) or a file
 * was not what it had been. `end` is where it ends in `file`; 0 when nothing was written.
 */
export interface Appended {
  readonly outcome: "stored" | "over" | Lost
  readonly file: string
  readonly end: number
}

/** The session that owns a log. All its operations take turns. */
export class LogSession {
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
  readonly checksum: LogFrame.Checksum
  /** Files in which something is damaged: they are set aside, and not deleted. */
  private readonly damaged: Set<string>
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
    { checksum, fs, limit, log, onDamage, parent }: LogSession.Environment,
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
    this.checksum = checksum
    this.damaged = new Set([...replayed.damaged, ...replayed.stray])
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
    const segment = yield* create(environment.log, writer, scope, number, 0, header, replayed.chain)
    const presence = new LogPresence(environment.log)
    yield* presence.begin
    for (const { file } of replayed.bases) presence.meet(file, yield* environment.log.stat(file))
    presence.meet(segment.name, yield* segment.file.stat)
    yield* Effect.ignore(environment.log.note(number, segment.name))
    return new LogSession(environment, number, replayed, writer, scope, segment, presence)
  })

  /** How large the log is, and about how much of it is still needed. */
  get logSize(): LogSize {
    const bases = this.bases.reduce((sum, { upTo }) => sum + upTo, 0)
    return { total: bases + this.segment.size, live: this.index.live + this.overhead, pieces: this.bases.length + 1 }
  }

  /** The segments that the log consists of. */
  get pieces(): ReadonlyArray<Base> {
    const { frames, name, size } = this.segment
    return [...this.bases, { file: name, upTo: size, frames }]
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

  /**
   * Appends entries as one frame, all or none, and applies them when they are flushed and the folder is the session's.
   */
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
      const { chain, file, frames, name, size, witness } = this.segment
      const all = entries.map(written)
      const made = this.writer.make(all, { ...identityOf(name), place: frames, before: chain })
      const end = size + made.bytes.length
      // Broken until it is known to be whole.
      this.segment = { ...this.segment, broken: true }
      const done = Effect.onError(file.writeAll(made.bytes), () => Effect.ignore(file.truncate(size)))
      const applied = (lost: Lost | undefined): Effect.Effect<Appended> => {
        if (lost !== undefined) return Effect.succeed({ outcome: lost, file: name, end })
        this.segment = { name, file, size: end, frames: frames + 1, chain: made.sum, witness, broken: false }
        let text = 0
        for (let i = 0; i < entries.length; i++) {
          this.index.apply(entries[i]!, name, size, made.texts[text])
          text += all[i]!.texts.length
        }
        const stored: Appended = { outcome: "stored", file: name, end }
        return witness === undefined
          ? Effect.succeed(stored)
          : Effect.as(Effect.ignore(witness.writeAll(made.head)), stored)
      }
      // After the write, all of them.
      const flushed = Effect.flatMap(this.isOwner, (isOwner) =>
        Effect.andThen(
          file.sync,
          isOwner
            ? Effect.flatMap(Effect.suspend(() => this.lostBut(end, end)), applied)
            : Effect.succeed<Appended>({ outcome: "over", file: name, end })
        ))
      return Effect.andThen(done, flushed)
    })
  }

  /** The state of a snapshot. */
  text(place: Place): Effect.Effect<ReadText, PlatformError.PlatformError> {
    return Effect.flatMap(this.reader(place.file), (file) => readText(file, place, this.checksum))
  }

  /** Has a file set aside, and not deleted, when it is no longer needed: something in it is damaged. */
  keep(file: string): void {
    this.damaged.add(file)
  }

  /**
   * Removes what the log does not need: what older sessions left, and what compaction has replaced. What is damaged is
   * kept.
   */
  get tidy(): Effect.Effect<void, PlatformError.PlatformError> {
    return Effect.flatMap(this.log.list, ({ segments, temporary }) => {
      const needed = new Set([this.segment.name, ...this.bases.map((base) => base.file)])
      const old = [...segments, ...temporary].filter((one) => one.session <= this.number && !needed.has(one.file))
      return Effect.forEach(
        old,
        ({ file }) => this.damaged.has(file) ? this.log.setAside(file) : this.log.remove(file),
        { discard: true }
      )
    })
  }

  /**
   * Writes what is still needed to one segment, which then is the log; answers whether the session goes on. When it
   * fails, or a file is not what it was, the log is as it was.
   */
  compact(): Effect.Effect<boolean, PlatformError.PlatformError> {
    return Effect.gen({ self: this }, function*() {
      // The next write says so. What is there now is left alone.
      if ((yield* this.lost) !== undefined) return true
      const index = new LogIndex(this.limit)
      const scope = yield* Scope.fork(this.parent)
      const number = this.segments + 1
      const replaces = this.pieces.map(({ file }) => file)
      const header: LogEntry = { _tag: "Segment", bases: [], cuts: this.cuts, replaces }
      let rotten: ReadonlyArray<Rotten> = []
      const source: Source = { index: this.index, checksum: this.checksum, reader: (file) => this.reader(file) }
      const segment = yield* Effect.onError(
        create(
          this.log,
          this.writer,
          scope,
          this.number,
          number,
          header,
          0,
          (target) =>
            Effect.map(copyNeeded(source, target(index)), (found) => {
              rotten = found
            })
        ),
        () => Scope.close(scope, Exit.void)
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
      yield* Effect.ignore(this.log.note(this.number, segment.name))
      for (const { at, file, length } of rotten) {
        this.damaged.add(file)
        yield* this.onDamage({ _tag: "Hole", file, at, bytes: length })
      }
      for (const one of losses(index)) yield* this.onDamage(one)
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
      const { chain, file, name } = this.segment
      const bases = this.pieces
      const header: LogEntry = { _tag: "Segment", bases, cuts: this.cuts }
      const number = this.segments + 1
      const created = create(this.log, this.writer, this.scope, this.number, number, header, chain)
      const known = Effect.flatMap(created, (segment) => Effect.map(segment.file.stat, (found) => ({ found, segment })))
      return Effect.flatMap(known, ({ found, segment }) => {
        this.presence.meet(segment.name, found)
        this.opened.set(name, file)
        this.segments = number
        this.bases = bases
        this.segment = segment
        return Effect.ignore(this.log.note(this.number, segment.name))
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
