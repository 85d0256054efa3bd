/**
 * What compaction takes over of a log: all that its index has.
 *
 * *Tricky*: what is found rotted was whole when the session began. With its file it would be gone for good, without
 * notice, so nothing is taken over then: the compaction reports it, and begins again without.
 *
 * @since 0.1.0
 */
import { Effect, type FileSystem, type PlatformError } from "effect"
import * as LogFrame from "../../../domain/state/stored/LogFrame.ts"
import * as Timers from "../../../domain/state/Timers.ts"
import type { Hole, LogDirectory } from "./LogDirectory.ts"
import {
  asideWithState,
  type Base,
  decode,
  type Indexed,
  type LogEntry,
  type LogIndex,
  type Place,
  withState
} from "./LogIndex.ts"

/** What compaction needs has rotted since the session began. */
export interface Rotten {
  readonly _tag: "Rotten"
  readonly holes: ReadonlyArray<Hole>
}

/** A log, as compaction sees it. */
export interface Source {
  readonly log: LogDirectory
  readonly index: LogIndex
  readonly pieces: ReadonlyArray<Base>
  reader(file: string): Effect.Effect<FileSystem.File, PlatformError.PlatformError>
  text(place: Place): Effect.Effect<string, PlatformError.PlatformError>
}

type Write = (entry: LogEntry) => Effect.Effect<void, PlatformError.PlatformError> | undefined

/** Writes what the index has, in the order in which it lies in the files; frames that hold nothing of it are not read. */
export const copyNeeded = Effect.fnUntraced(function*(
  source: Source,
  write: Write
): Effect.fn.Return<void, PlatformError.PlatformError | Rotten> {
  const { aside, epochs, kept } = source.index
  for (const [owner, epoch] of epochs) write({ _tag: "Epoch", owner, epoch })
  const needed = framesOf(source.index)
  const holes: Array<Hole> = []
  for (const { file, upTo } of source.pieces) {
    const handle = yield* source.reader(file)
    const frames = Array.from(needed.get(file) ?? [], ([from, end]) => ({ from, end })).sort((a, b) => a.from - b.from)
    yield* source.log.pick(file, handle, frames, upTo, (frame, bytes, at, position) => {
      let flush: ReturnType<Write>
      for (const { json, text } of frame.entries) {
        const entry = decode(json)
        if (entry._tag !== "Put") continue
        const found = kept.get(entry.record.key)
        const one = found?.snapshots.find(({ place }) => place.at === position + text.offset && place.file === file)
        if (found === undefined || one === undefined) continue
        const answers = one === found.snapshots[0] ? Array.from(found.answers) : undefined
        const from = at + text.offset
        const state = LogFrame.textOf(bytes.subarray(from, from + text.length))
        // None, too: those of an older snapshot end there.
        const timers = found.timers && Timers.asOf(found.timers, one.seq)
        flush = write({ _tag: "Put", record: { ...withState(one, state), answers, timers } })
      }
      return flush
    }, (hole) => holes.push(hole))
  }
  if (holes.length > 0) return yield* Effect.fail<Rotten>({ _tag: "Rotten", holes })
  for (const one of aside) {
    const flush = write({ _tag: "KeptAside", record: asideWithState(one, yield* source.text(one.place)) })
    if (flush !== undefined) yield* flush
  }
})

/** By file and beginning: the frames that hold what an index has, and how far it reaches in them. */
const framesOf = ({ aside, kept }: LogIndex): ReadonlyMap<string, ReadonlyMap<number, number>> => {
  const needed = new Map<string, Map<number, number>>()
  const need = ({ place: { at, file, frame, length } }: Indexed) => {
    const frames = needed.get(file) ?? new Map<number, number>()
    needed.set(file, frames.set(frame, Math.max(frames.get(frame) ?? 0, at + length)))
  }
  for (const { snapshots } of kept.values()) snapshots.forEach(need)
  aside.forEach(need)
  return needed
}
