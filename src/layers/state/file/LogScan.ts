/**
 * Reading a segment from front to back: its frames, whole or not, and what lies between them.
 *
 * @since 0.1.0
 */
import { Effect, type FileSystem, type PlatformError } from "effect"
import * as LogFrame from "../../../domain/state/log/LogFrame.ts"
import * as OldFrame from "../../../domain/state/log/OldFrame.ts"

const chunkBytes = 1024 * 1024

/** The bytes at a place of a file, as far as they are there. */
export const bytesAt = Effect.fnUntraced(function*(file: FileSystem.File, position: number, length: number) {
  const bytes = new Uint8Array(length)
  return bytes.subarray(0, yield* fill(file, bytes, 0, position))
})

/** Fills bytes from a place of a file on, as far as it goes; how many are filled. */
const fill = Effect.fnUntraced(
  function*(file: FileSystem.File, bytes: Uint8Array, filled: number, position: number) {
    let end = filled
    while (end < bytes.length) {
      const read = yield* file.read(bytes.subarray(end), { position: BigInt(position + end) })
      if (read === 0) break
      end += read
    }
    return end
  }
)

/** A file up to `to`, read from front to back, a good piece at a time. */
export class ReadAhead {
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
      const wanted = new Uint8Array(Math.max(0, Math.min(this.to - position, Math.max(length, chunkBytes))))
      wanted.set(left.subarray(0, wanted.length))
      const filled = yield* fill(this.handle, wanted, Math.min(left.length, wanted.length), position)
      this.base = position
      this.at = 0
      this.bytes = wanted.subarray(0, filled)
    }
  ).bind(this)
}

/**
 * A frame with a whole head: its bytes begin at `at` of `bytes`, and at `position` of the file; they may end too soon.
 */
export interface Frame {
  readonly head: LogFrame.Head
  readonly bytes: Uint8Array
  readonly at: number
  readonly position: number
}

/** What is found in a segment. */
export type Found =
  | { readonly _tag: "Frame"; readonly frame: Frame }
  | { readonly _tag: "Old"; readonly frame: OldFrame.OldFrame; readonly position: number }
  /**
   * No frame begins here. At the end of the file, `isTail`; it may be the beginning of one that has not been written
   * whole.
   */
  | {
    readonly _tag: "Gap"
    readonly at: number
    readonly bytes: number
    readonly isTail: boolean
    readonly isIncomplete: boolean
  }

/** Which segment it is, by its name. */
export interface Identity {
  readonly session: number
  readonly segment: number
}

/**
 * Reads what is in a segment up to `to`. Frames come in the order of their places; those of other segments are not
 * taken for its own.
 */
export const scan = Effect.fnUntraced(function*(
  handle: FileSystem.File,
  to: number,
  { segment, session }: Identity,
  checksum: LogFrame.Checksum,
  onFound: (found: Found) => Effect.Effect<void, PlatformError.PlatformError>
) {
  const ahead = new ReadAhead(handle, to)
  let position = 0
  let place = 0
  /** Where to look on when no frame is where the next one should be: bytes may be missing. */
  let behind = 1

  const isOwn = (head: LogFrame.Head) => head.session === session && head.segment === segment && head.place >= place
  const findNext = (from: number): number => {
    for (
      let at = LogFrame.find(ahead.bytes, from, checksum);
      at !== -1;
      at = LogFrame.find(ahead.bytes, at + 1, checksum)
    ) {
      if (isOwn(LogFrame.claimedAt(ahead.bytes, at)!)) return at
    }
    for (
      let at = OldFrame.find(ahead.bytes, from, checksum);
      at !== -1;
      at = OldFrame.find(ahead.bytes, at + 1, checksum)
    ) {
      if (OldFrame.read(ahead.bytes, at, checksum)?.session === session) return at
    }
    return -1
  }

  while (position < to) {
    yield* ahead.have(position, LogFrame.headerBytes)
    const claimed = LogFrame.claimedAt(ahead.bytes, ahead.at)
    if (claimed !== undefined && position + claimed.headBytes <= to) {
      yield* ahead.have(position, claimed.headBytes)
      const head = LogFrame.headAt(ahead.bytes, ahead.at, checksum)
      if (head !== undefined && isOwn(head)) {
        yield* ahead.have(position, head.length)
        yield* onFound({ _tag: "Frame", frame: { head, bytes: ahead.bytes, at: ahead.at, position } })
        place = head.place + 1
        behind = position + head.headBytes
        position += head.length
        continue
      }
    }
    const oldLength = OldFrame.lengthAt(ahead.bytes, ahead.at)
    // What is claimed beyond the end is not there, and need not be read to see it.
    if (position + oldLength <= to) yield* ahead.have(position, oldLength)
    const frame = OldFrame.read(ahead.bytes, ahead.at, checksum)
    if (frame?.session === session) {
      yield* onFound({ _tag: "Old", frame, position })
      position += frame.length
      behind = position
      continue
    }
    // Damaged lengths say nothing. Only what is left of a frame that was being written looks like this:
    const claims = claimed?.length ?? oldLength
    const start = Math.min(behind, position + 1)
    yield* ahead.have(start, to - start)
    const found = findNext(ahead.at)
    const next = found === -1 ? to : start + found - ahead.at
    const rest = ahead.bytes.subarray(Math.max(0, ahead.at + position - start))
    yield* onFound({
      _tag: "Gap",
      at: position,
      bytes: Math.max(0, next - position),
      isTail: found === -1,
      isIncomplete: found === -1 &&
        (claims > to - position || to - position < LogFrame.headerBytes || rest.every((b) => b === 0))
    })
    behind = next + 1
    position = next
  }
})

/** The heads that were written beside a segment, by their places. */
export const witnessed = (
  bytes: Uint8Array,
  { segment, session }: Identity,
  checksum: LogFrame.Checksum
): ReadonlyMap<number, { readonly head: LogFrame.Head; readonly at: number }> => {
  const heads = new Map<number, { readonly head: LogFrame.Head; readonly at: number }>()
  for (let at = 0; at < bytes.length;) {
    const head = LogFrame.headAt(bytes, at, checksum)
    if (head === undefined) {
      const next = LogFrame.find(bytes, at + 1, checksum)
      if (next === -1) break
      at = next
      continue
    }
    if (head.session === session && head.segment === segment) heads.set(head.place, { head, at })
    at += head.headBytes
  }
  return heads
}
