/**
 * What compaction takes over of a log: all that its index has.
 *
 * The generations of a key are kept apart: first the oldest of every key, the newest of every key last, in frames of
 * their own. So what damages a part of the disk takes one of them.
 *
 * *Tricky*: what is found rotten was whole when the session began. It is lost as it would have been at opening: named,
 * and the file it lies in is set aside and not deleted.
 *
 * @since 0.1.0
 */
import { ByteSize, Effect, type FileSystem, type PlatformError } from "effect"
import type { LogEntry } from "../../../domain/state/log/LogEntry.ts"
import * as LogFrame from "../../../domain/state/log/LogFrame.ts"
import * as Timers from "../../../domain/state/Timers.ts"
import { asideWithState, type Indexed, type LogIndex, type Place, withState } from "./LogIndex.ts"
import { whyRotten } from "./LogRead.ts"
import { ReadAhead } from "./LogScan.ts"

/** A log, as compaction sees it. */
export interface Source {
  readonly index: LogIndex
  readonly checksum: LogFrame.Checksum
  reader(file: string): Effect.Effect<FileSystem.File, PlatformError.PlatformError>
}

/** Takes an entry over; a frame is written out when it is large enough, or when `flush` says so. */
export interface Target {
  readonly add: (entry: LogEntry) => Effect.Effect<void, PlatformError.PlatformError> | undefined
  readonly flush: Effect.Effect<void, PlatformError.PlatformError>
}

/** A text that is not what was written, and lay there. */
export type Rotten = Place

/** Writes what the index has; answers what of it has rotted. */
export const copyNeeded = Effect.fnUntraced(function*(
  { checksum, index, reader }: Source,
  { add, flush }: Target
): Effect.fn.Return<ReadonlyArray<Rotten>, PlatformError.PlatformError> {
  const { aside, doubt, epochs, kept, orphans } = index
  const rotten: Array<Rotten> = []
  for (const [owner, epoch] of epochs) yield* add({ _tag: "Epoch", owner, epoch }) ?? Effect.void
  for (const [key, answers] of orphans) yield* add({ _tag: "AnswersLost", key, answers }) ?? Effect.void

  const readers = new Map<string, ReadAhead | undefined>()
  /** Of a file that is gone, something may be known all the same. */
  const open = (file: string): Effect.Effect<ReadAhead | undefined, PlatformError.PlatformError> =>
    Effect.catchIf(
      Effect.flatMap(reader(file), (handle) =>
        Effect.map(handle.stat, ({ size }) => new ReadAhead(handle, ByteSize.toNumberUnsafe(size)))),
      (error: PlatformError.PlatformError) =>
        error.reason._tag === "NotFound",
      () => Effect.undefined
    )
  /** The text at a place, and whether it is what was written. */
  const textAt = Effect.fnUntraced(function*({ at, file, length, sum }: Place) {
    let ahead = readers.get(file)
    if (ahead === undefined) readers.set(file, ahead = yield* open(file))
    yield* ahead?.have(at, length) ?? Effect.void
    const bytes = ahead?.bytes.subarray(ahead.at, ahead.at + length) ?? new Uint8Array(0)
    const isWhole = bytes.length === length && (sum === undefined || checksum(bytes) === sum)
    if (!isWhole) rotten.push({ at, file, length, sum })
    return { state: LogFrame.textOf(bytes), isWhole }
  })

  const lyingAt = (place: Place) => place.length === 0 ? Effect.succeed({ isWhole: true, state: "" }) : textAt(place)

  const put = Effect.fnUntraced(function*(one: Indexed, isNewest: boolean) {
    const found = kept.get(one.key)!
    const answers = isNewest ? Array.from(found.answers) : undefined
    // None, too: those of an older snapshot end there.
    const timers = found.timers && Timers.asOf(found.timers, one.seq)
    const { isWhole, state } = yield* textAt(one.place)
    const record = { ...withState(one, state), answers, timers }
    yield* add(isWhole ? { _tag: "Put", record } : { _tag: "Lost", record, why: whyRotten(one.place) }) ?? Effect.void
  })

  const generations: Array<Array<Indexed>> = []
  for (const { snapshots } of kept.values()) snapshots.forEach((one, i) => (generations[i] ??= []).push(one))
  for (let i = generations.length - 1; i >= 0; i--) {
    const inOrder = generations[i]!.sort((a, b) =>
      a.place.file === b.place.file ? a.place.at - b.place.at : a.place.file < b.place.file ? -1 : 1
    )
    for (const one of inOrder) yield* put(one, i === 0)
    yield* flush
  }
  for (const { answers, lost = [], snapshots } of kept.values()) {
    // Nothing starts from what is lost, so it needs no timers; and answers where no snapshot is left to have them.
    const beside = snapshots.length === 0 ? { answers: Array.from(answers) } : {}
    for (const one of lost) {
      const record = { ...withState(one, (yield* lyingAt(one.place)).state), ...beside }
      yield* add({ _tag: "Lost", record, why: one.damaged ?? "" }) ?? Effect.void
    }
  }
  // After them: it is about those that are not there.
  if (doubt !== undefined) yield* add({ _tag: "Doubt", ...doubt }) ?? Effect.void
  for (const one of aside) {
    const { isWhole, state } = yield* lyingAt(one.place)
    const damaged = one.damaged ?? (isWhole ? undefined : whyRotten(one.place))
    yield* add({ _tag: "KeptAside", record: asideWithState({ ...one, damaged }, state) }) ?? Effect.void
  }
  return rotten
})
