/**
 * Reading a log from beginning to end: what it says, what of it is damaged, and what is lost by that.
 *
 * *Tricky*
 * - A frame has its place in its segment, and its head lies beside the log once more (`LogDirectory`). A head that is
 *   damaged, or missing with all that comes after it, is taken from there: its texts are read where they must lie, if
 *   their checksums are right, and each of the others is lost by name.
 * - What lies beside the log was written when a frame was flushed: it proves that the frame was acknowledged, or was
 *   about to be. An end that was not written whole, and of which nothing lies there, never was.
 * - Where neither file has a head, it is not known what was lost: the last update of any key may be. A younger one of
 *   the same key dispels the doubt, since each holds the whole state.
 *
 * @since 0.1.0
 */
import { ByteSize, Clock, Effect, type FileSystem, type PlatformError } from "effect"
import {
  type Base,
  decode,
  decodeOld,
  derived,
  type SegmentEntry,
  type Texts
} from "../../../domain/state/log/LogEntry.ts"
import * as LogFrame from "../../../domain/state/log/LogFrame.ts"
import { type Damage, identityOf, isYounger, type LogDirectory } from "./LogDirectory.ts"
import { LogIndex } from "./LogIndex.ts"
import { losses } from "./LogRead.ts"
import { bytesAt, type Found, type Frame, scan } from "./LogScan.ts"

/** Where the sessions before were cut off. */
export type Cuts = SegmentEntry["cuts"]

/** What was read of a log. */
export interface Replayed {
  readonly index: LogIndex
  /** The segments that were read, and how much of each. */
  readonly bases: ReadonlyArray<Base>
  readonly cuts: Cuts
  readonly damages: ReadonlyArray<Damage>
  /** The checksum of the last frame's head, if it is known. */
  readonly chain: number | undefined
  /** Segments in which something is damaged: they are not deleted. */
  readonly damaged: ReadonlySet<string>
  /** Segments that the log does not build on, and that nothing has taken the place of. */
  readonly stray: ReadonlyArray<string>
  /** Whether a part of it is of version 0.1. */
  readonly isOld: boolean
}

/** Sessions whose end is remembered, for those that find out late. */
const maxCuts = 32

/** What one reading of a log has found so far. */
interface Reading {
  readonly log: LogDirectory
  readonly index: LogIndex
  readonly checksum: LogFrame.Checksum
  readonly now: number
  readonly damages: Array<Damage>
  readonly damaged: Set<string>
  chain: number | undefined
  isOld: boolean
}

const nothing = new Uint8Array(0)

/** One segment, as it is read. */
class Segment {
  private readonly reading: Reading
  private readonly file: string
  private readonly isNewest: boolean
  private readonly beside: Effect.Success<ReturnType<LogDirectory["witness"]>>
  private readonly lastBeside: number
  /** Whether more lies beside it than can be read: heads of frames that were acknowledged. */
  private readonly hasMoreBeside: boolean
  /** The place of the next frame, and where it begins. */
  private place = 0
  private position = 0
  /** A frame whose texts are not all whole: whether it was acknowledged is known when it is known what follows. */
  private pending: Frame | undefined = undefined
  private size = 0
  private handle: FileSystem.File | undefined = undefined

  constructor(reading: Reading, file: string, isNewest: boolean, beside: Segment["beside"]) {
    this.reading = reading
    this.file = file
    this.isNewest = isNewest
    this.beside = beside
    this.lastBeside = beside === undefined ? -1 : Math.max(-1, ...beside.heads.keys())
    const last = beside?.heads.get(this.lastBeside)
    this.hasMoreBeside = beside !== undefined &&
      beside.bytes.length > (last === undefined ? 0 : last.at + last.head.headBytes)
  }

  /** Reads it; answers where it ends, and how many frames it has. */
  read(
    fs: FileSystem.FileSystem,
    { frames, upTo }: Base
  ): Effect.Effect<{ readonly upTo: number; readonly frames: number | undefined }, PlatformError.PlatformError> {
    const { checksum, log } = this.reading
    return Effect.scoped(Effect.gen({ self: this }, function*() {
      const handle = yield* Effect.catchIf(
        fs.open(log.at(this.file), { flag: "r" }),
        (error) => error.reason._tag === "NotFound" && this.beside !== undefined,
        () => Effect.undefined
      )
      const isOldBefore = this.reading.isOld
      this.reading.isOld = false
      if (handle === undefined) this.unusable("it is missing")
      else {
        this.handle = handle
        this.size = Math.min(upTo, ByteSize.toNumberUnsafe((yield* handle.stat).size))
        yield* scan(handle, this.size, identityOf(this.file), checksum, (found) => this.found(found))
      }
      const { isOld } = this.reading
      this.reading.isOld ||= isOldBefore
      const isShort = upTo !== Infinity && this.size < upTo
      if (isShort && handle !== undefined) this.hole(this.size, upTo - this.size)
      if (isOld) {
        if (isShort) this.doubt("a part of it is missing")
        return { upTo: this.size, frames: undefined }
      }
      if (this.pending !== undefined) yield* this.concludePending
      yield* this.recover(frames ?? this.lastBeside + 1)
      if (this.place === 0) this.doubt("no frame of it can be read")
      else if (this.hasMoreBeside && this.place === this.lastBeside + 1) this.doubt("its end is missing")
      return { upTo: this.size, frames: this.place }
    }))
  }

  private found(found: Found): Effect.Effect<void, PlatformError.PlatformError> {
    return Effect.gen({ self: this }, function*() {
      switch (found._tag) {
        case "Frame":
          yield* this.settlePending
          yield* this.recover(found.frame.head.place)
          if (this.isWhole(found.frame)) this.apply(found.frame)
          else this.pending = found.frame
          return
        case "Old": {
          // What was damaged before it may have held anything, too.
          if (!this.reading.isOld && found.position > 0) this.doubt("its beginning is damaged")
          this.reading.isOld = true
          for (const { json, text } of found.frame.entries) {
            this.reading.index.apply(decodeOld(json), this.file, found.position, text)
          }
          return
        }
        case "Gap":
          return yield* this.gap(found)
      }
    })
  }

  private gap({ at, bytes, isIncomplete, isTail }: Found & { readonly _tag: "Gap" }) {
    return Effect.gen({ self: this }, function*() {
      if (!isTail) {
        this.hole(at, bytes)
        if (this.reading.isOld) this.doubt(`${bytes} bytes of it are damaged`)
        return
      }
      if (this.reading.isOld && this.isNewest) return this.tornTail(at, bytes)
      yield* this.settlePending
      const wasAcknowledged = this.lastBeside >= this.place
      if (this.isNewest && !wasAcknowledged && (isIncomplete || this.isNextBeside(this.place))) {
        return this.tornTail(at, bytes)
      }
      this.hole(at, bytes)
      if (this.reading.isOld) this.doubt(`${bytes} bytes of it are damaged`)
      else if (this.isNewest && !wasAcknowledged && this.place > 0) this.doubt("its end is damaged")
    })
  }

  /**
   * Whether the frames up to there lie beside it, and no more. Of a process that was ended, all is there that was
   * flushed, and nothing else: the next frame was never acknowledged.
   */
  private isNextBeside(place: number): boolean {
    return this.beside !== undefined && this.lastBeside === place - 1
  }

  private isWhole({ at, bytes, head }: Frame): boolean {
    const { texts } = LogFrame.contentsOf(bytes, at, head)
    return texts.every((text) => LogFrame.isWhole(bytes, at + text.offset, text, this.reading.checksum))
  }

  /** Another frame follows: it was acknowledged. */
  private get settlePending(): Effect.Effect<void> {
    return Effect.sync(() => {
      const { pending } = this
      this.pending = undefined
      if (pending !== undefined) this.apply(pending)
    })
  }

  /** Nothing follows a frame that is not whole. */
  private get concludePending(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { at, bytes, head, position } = this.pending!
      const isCut = at + head.length > bytes.length
      const wasAcknowledged = this.lastBeside >= head.place
      if (!this.isNewest || wasAcknowledged || !(isCut || this.isNextBeside(head.place))) return this.settlePending
      return Effect.sync(() => this.tornTail(position, this.size - position))
    })
  }

  /** Takes the heads up to a place from beside the log. */
  private recover(upTo: number): Effect.Effect<void, PlatformError.PlatformError> {
    return Effect.gen({ self: this }, function*() {
      while (this.place < upTo) {
        const found = this.beside?.heads.get(this.place)
        if (found === undefined) {
          const missing = upTo - this.place
          this.place = upTo
          this.reading.chain = undefined
          this.doubt(`${missing} of its batches cannot be read`)
          return
        }
        const { at: from, head } = found
        const position = this.position
        const bytes = this.handle === undefined ? nothing : yield* bytesAt(this.handle, position, head.length)
        // The head is whole, whatever lies in the log.
        const frame = new Uint8Array(Math.max(bytes.length, head.headBytes))
        frame.set(bytes)
        frame.set(this.beside!.bytes.subarray(from, from + head.headBytes))
        this.apply({ head, bytes: frame, at: 0, position })
      }
    })
  }

  private apply({ at, bytes, head, position }: Frame): void {
    const { checksum, index } = this.reading
    const { entries, texts } = LogFrame.contentsOf(bytes, at, head)
    if (this.reading.chain !== undefined && head.before !== this.reading.chain) {
      this.doubt("it does not follow on what is before it, as if a part of the log had been put back")
    }
    const damageOf = (text: LogFrame.TextAt): string | undefined => {
      if (LogFrame.isWhole(bytes, at + text.offset, text, checksum)) return undefined
      if (at + text.offset + text.length > bytes.length) return `its bytes in ${this.file} are missing`
      this.hole(position + text.offset, text.length)
      return `its bytes in ${this.file} are not those that were written`
    }
    let next = 0
    const beside: Texts = {
      next: () => texts[next++],
      read: (text) => {
        const why = text === undefined ? "it is missing" : damageOf(text)
        const from = at + (text?.offset ?? 0)
        return why === undefined ? { text: LogFrame.textOf(bytes.subarray(from, from + (text?.length ?? 0))) } : { why }
      }
    }
    for (const json of entries) {
      const { entry, text } = decode(json, beside)
      index.apply(entry, this.file, position, text && { ...text, damaged: damageOf(text) })
    }
    this.reading.chain = head.sum
    this.place = head.place + 1
    this.position = position + head.length
  }

  private tornTail(at: number, bytes: number): void {
    this.reading.damages.push({ _tag: "TornTail", file: this.file, at, bytes })
    this.size = at
  }

  private hole(at: number, bytes: number): void {
    this.reading.damages.push({ _tag: "Hole", file: this.file, at, bytes })
    this.reading.damaged.add(this.file)
  }

  private unusable(why: string): void {
    this.reading.damages.push({ _tag: "Unusable", file: this.file, why })
    this.reading.damaged.add(this.file)
  }

  private doubt(why: string): void {
    this.unusable(`${why}: the last update of any key may have been in it, unless there is a younger one`)
    this.reading.index.doubtAll(this.reading.now, `a part of ${this.file} cannot be read, and may have held it`)
  }
}

/**
 * Reads the log of a folder: the newest segment, after those it builds on.
 *
 * An owner may compact the log while another process reads it. Then a segment is gone and a newer one is there: it is
 * read again from the beginning.
 */
export const replay = Effect.fnUntraced(function*(
  fs: FileSystem.FileSystem,
  log: LogDirectory,
  limit: number,
  checksum: LogFrame.Checksum
): Effect.fn.Return<Replayed, PlatformError.PlatformError> {
  const now = yield* Clock.currentTimeMillis
  while (true) {
    // An owner notes a segment that is there: so what is noted by now is among those that are listed, or older.
    const noted = yield* log.noted
    const { segments } = yield* log.list
    const newest = segments.at(-1)
    const reading: Reading = {
      log,
      index: new LogIndex(limit),
      checksum,
      now,
      damages: [],
      damaged: new Set(),
      chain: undefined,
      isOld: false
    }
    const isMissing = noted !== undefined && (newest === undefined || isYounger(noted, newest))
    const bases: Array<Base> = []
    let header: SegmentEntry = derived([])
    if (newest !== undefined) {
      const older = segments.slice(0, -1).map(({ file }) => file)
      const found = yield* log.header(newest)
      header = found ?? derived(older)
      if (found === undefined) {
        const why = "it does not say what it builds on: it is taken to be all that is older"
        reading.damages.push({ _tag: "Unusable", file: newest.file, why })
        reading.damaged.add(newest.file)
      }
      for (const base of [...header.bases, { file: newest.file, upTo: Infinity }]) {
        const isNewest = base.file === newest.file
        const beside = yield* log.witness(base.file)
        const end = yield* Effect.catchIf(
          new Segment(reading, base.file, isNewest, beside).read(fs, base),
          (error) => error.reason._tag === "NotFound",
          () =>
            Effect.sync(() => {
              const why =
                "it is missing, and other segments build on it: the last update of any key may have been in it"
              reading.damages.push({ _tag: "Unusable", file: base.file, why })
              reading.index.doubtAll(now, `${base.file} is missing, and may have held it`)
              reading.chain = undefined
              return undefined
            })
        )
        if (end !== undefined) bases.push({ file: base.file, ...end })
      }
    }
    // What an owner compacts meanwhile is missing for a moment.
    const again = (yield* log.list).segments
    if (reading.damages.length > 0 && again.at(-1)?.file !== newest?.file) continue
    if (isMissing) {
      const why = "it is missing, and was the newest: the last update of any key may have been in it"
      reading.damages.push({ _tag: "Unusable", file: noted, why })
      reading.index.doubtAll(now, `${noted} is missing, and may have held it`)
    }
    const { chain, damaged, damages, index, isOld } = reading
    const used = new Set([...bases.map(({ file }) => file), ...header.replaces ?? []])
    const stray = segments.flatMap(({ file }) => used.has(file) ? [] : [file])
    const cut = newest && { session: newest.session, file: newest.file, upTo: bases.at(-1)?.upTo ?? 0 }
    const cuts = cut === undefined ? [] : [...header.cuts, cut].slice(-maxCuts)
    return { index, bases, cuts, damages: [...damages, ...losses(index)], chain, damaged, stray, isOld }
  }
})
