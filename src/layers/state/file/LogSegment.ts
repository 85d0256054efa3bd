/**
 * A segment of a log, and how one begins: whole, or not at all; with the heads of its frames beside it.
 *
 * @since 0.1.0
 */
import { Effect, type FileSystem, type PlatformError, Scope } from "effect"
import { type LogEntry, written } from "../../../domain/state/log/LogEntry.ts"
import type * as LogFrame from "../../../domain/state/log/LogFrame.ts"
import type { Target } from "./LogCompaction.ts"
import { identityOf, type LogDirectory, witnessOf } from "./LogDirectory.ts"
import type { LogIndex } from "./LogIndex.ts"

/** A segment that is written to. */
export interface Segment {
  readonly name: string
  readonly file: FileSystem.File
  /** Bytes that hold whole frames, and how many those are. */
  readonly size: number
  readonly frames: number
  /** The checksum of the last one's head. */
  readonly chain: number
  /** The heads of its frames, once more. */
  readonly witness: FileSystem.File | undefined
  /** A write or a flush failed: what lies behind `size` is unknown. */
  readonly broken: boolean
}

/** A frame is written out when its entries have become as large as this, where several make one segment. */
const frameChars = 64 * 1024

/** Takes entries over to a segment in the making, and applies them to its index. */
type Fill<E> = (target: (index: LogIndex) => Target) => Effect.Effect<void, E | PlatformError.PlatformError>

/** A new segment that begins with `header` and what `fill` adds to it; it is there whole or not at all. */
export const create = Effect.fnUntraced(function*<E = never>(
  log: LogDirectory,
  writer: LogFrame.FrameWriter,
  scope: Scope.Scope,
  session: number,
  number: number,
  header: LogEntry,
  chain: number | undefined,
  fill?: Fill<E>
): Effect.fn.Return<Segment, E | PlatformError.PlatformError> {
  const name = log.nameOf(session, number)
  let segment = { name, size: 0, frames: 0, chain: chain ?? 0, broken: false }
  const heads: Array<Uint8Array> = []
  const file = yield* Scope.provide(
    log.create(name, (handle) => {
      const write = (entries: ReadonlyArray<LogEntry>, index?: LogIndex) => {
        const all = entries.map(written)
        const { chain, frames, size } = segment
        const made = writer.make(all, { ...identityOf(name), place: frames, before: chain })
        heads.push(made.head.slice())
        return Effect.map(handle.writeAll(made.bytes), () => {
          segment = { ...segment, size: size + made.bytes.length, frames: frames + 1, chain: made.sum }
          let text = 0
          for (let i = 0; i < entries.length; i++) {
            index?.apply(entries[i]!, name, size, made.texts[text])
            text += all[i]!.texts.length
          }
        })
      }
      const target = (index: LogIndex): Target => {
        let entries: Array<LogEntry> = []
        let chars = 0
        const flush = Effect.suspend(() => {
          const full = entries
          entries = []
          chars = 0
          return full.length === 0 ? Effect.void : write(full, index)
        })
        return {
          flush,
          add: (entry) => {
            entries.push(entry)
            chars += charsOf(entry)
            return chars > frameChars ? flush : undefined
          }
        }
      }
      // In a frame of its own, so that it is found without reading more.
      const begun = write([header])
      if (fill === undefined) return begun
      let last: Target | undefined
      const filled = Effect.suspend(() => fill((index) => last = target(index)))
      return begun.pipe(Effect.andThen(filled), Effect.andThen(Effect.suspend(() => last?.flush ?? Effect.void)))
    }),
    scope
  )
  const witness = yield* Effect.orElseSucceed(
    Effect.tap(
      Scope.provide(log.open(witnessOf(name), "w+"), scope),
      (witness) =>
        Effect.andThen(Effect.forEach(heads, (head) => witness.writeAll(head), { discard: true }), witness.sync)
    ),
    () => undefined
  )
  return { ...segment, file, witness }
})

const charsOf = (entry: LogEntry): number => {
  if (entry._tag !== "Put") return entry._tag === "KeptAside" ? 200 + entry.record.state.length : 200
  const { answers = [], state } = entry.record
  return answers.reduce((sum, { body, id }) => sum + 40 + id.length + body.length, 100 + state.length)
}
