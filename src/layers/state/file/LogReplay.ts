/**
 * Reading a log from beginning to end: what it says, and what of it is damaged.
 *
 * @since 0.1.0
 */
import { ByteSize, Effect, type FileSystem, type PlatformError } from "effect"
import type { Damage, LogDirectory } from "./LogDirectory.ts"
import { type Base, decode, type LogEntry, LogIndex } from "./LogIndex.ts"

/** Where the sessions before were cut off. */
export type Cuts = (LogEntry & { readonly _tag: "Segment" })["cuts"]

/** What was read of a log. */
export interface Replayed {
  readonly index: LogIndex
  /** The segments that were read, and how much of each. */
  readonly bases: ReadonlyArray<Base>
  readonly cuts: Cuts
  readonly damages: ReadonlyArray<Damage>
}

/** Sessions whose end is remembered, for those that find out late. */
const maxCuts = 32

/** Reads of one segment what it holds up to `upTo`; answers where it ends. */
const replaySegment = Effect.fnUntraced(function*(
  fs: FileSystem.FileSystem,
  log: LogDirectory,
  { file, upTo }: Base,
  index: LogIndex,
  damages: Array<Damage>
) {
  const handle = yield* fs.open(log.at(file), { flag: "r" })
  const size = ByteSize.toNumberUnsafe((yield* handle.stat).size)
  const to = Math.min(upTo, size)
  const isBase = upTo !== Infinity
  // What another segment builds on was whole once: where that is missing something is lost.
  if (isBase && to < upTo) damages.push({ _tag: "Hole", file, at: to, bytes: upTo - to })
  return yield* log.scan(file, handle, 0, to, (frame, _bytes, _at, position) => {
    for (const { json, text } of frame.entries) index.apply(decode(json), file, position, text)
    return undefined
  }, (damage) => {
    damages.push(isBase && damage._tag === "TornTail" ? { ...damage, _tag: "Hole" } : damage)
  })
})

/**
 * Reads the log of a folder: the newest segment that can be read, after those it builds on.
 *
 * An owner may compact the log while another process reads it. Then a segment is gone and a newer one is there: it is read
 * again from the beginning.
 */
export const replay = Effect.fnUntraced(function*(
  fs: FileSystem.FileSystem,
  log: LogDirectory,
  limit: number
): Effect.fn.Return<Replayed, PlatformError.PlatformError> {
  let { segments } = yield* log.list
  let damages: Array<Damage> = []
  while (segments.length > 0) {
    const newest = segments.at(-1)!
    const header = yield* Effect.catchIf(
      log.header(newest),
      (error) => error.reason._tag === "NotFound",
      () => Effect.succeed("gone" as const)
    )
    if (header === undefined) {
      damages.push({ _tag: "Unusable", file: newest.file, why: "it does not say what it builds on" })
      segments = segments.slice(0, -1)
      continue
    }
    const index = new LogIndex(limit)
    const bases: Array<Base> = []
    const missing: Array<Damage> = []
    for (const base of header === "gone" ? [] : [...header.bases, { file: newest.file, upTo: Infinity }]) {
      const upTo = yield* Effect.scoped(replaySegment(fs, log, base, index, damages)).pipe(
        Effect.catchIf((error) => error.reason._tag === "NotFound", () => {
          missing.push({ _tag: "Unusable", file: base.file, why: "it is missing, and other segments build on it" })
          return Effect.succeed(0)
        })
      )
      if (upTo > 0) bases.push({ file: base.file, upTo })
    }
    if (header === "gone" || missing.length > 0) {
      const again = (yield* log.list).segments
      if (header === "gone" || again.at(-1)?.file !== newest.file) {
        segments = again
        damages = []
        continue
      }
    }
    const cut = { session: newest.session, file: newest.file, upTo: bases.at(-1)?.upTo ?? 0 }
    return { index, bases, cuts: [...(header.cuts), cut].slice(-maxCuts), damages: [...missing, ...damages] }
  }
  return { index: new LogIndex(limit), bases: [], cuts: [], damages }
})
