/**
 * The frames of an append-only log, and how what is damaged of one is known from the rest.
 *
 * A frame is a header of 32 bytes, its entries, and their texts. Header and entries are the frame's *head*, which has
 * one checksum; each text (a state, an answer) has its own, which is in the head. So a damaged text is the only one
 * that is lost, and a large one is neither parsed nor escaped to find out what it belongs to.
 *
 * | bytes | |
 * |---|---|
 * | 0 | `HLM2` |
 * | 4 | CRC-32 of the head from byte 8 on |
 * | 8 | length of the frame |
 * | 12 | length of the head |
 * | 16 | session, 20: segment, 24: place in the segment, from 0 |
 * | 28 | the checksum at 4 of the frame before; of the first one: of the last frame that the segment builds on, or 0 |
 * | 32 | the rest of the head, as JSON: `[[entry, …], [length, checksum, length, checksum, …]]`, the latter of the texts in order |
 *
 * Places are without a gap, so that a frame that is missing is noticed, and each names the one before: a log that was
 * put back or mixed with another does not follow. The heads are written once more, beside the log (`file/LogWitness`).
 *
 * @since 0.1.0
 */

/** Bytes before the entries. */
export const headerBytes = 32

/** "HLM2", little-endian: where a frame may begin. */
const mark = 0x324d4c48

/** CRC-32 (that of zip and gzip). */
export type Checksum = (bytes: Uint8Array) => number

export const readU32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0

const writeU32 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Where a text lies: from the beginning of its frame, how long it is in bytes, and its checksum. */
export interface TextAt {
  readonly offset: number
  readonly length: number
  readonly sum: number
}

/** An entry as it is written: a piece of JSON, and the texts beside it. */
export interface Written {
  readonly json: string
  readonly texts: ReadonlyArray<string>
}

/** Which frame it is: of which segment, at which place, after which other. */
export interface Position {
  readonly session: number
  readonly segment: number
  readonly place: number
  readonly before: number
}

/** A frame to be written out. */
export interface Made {
  readonly bytes: Uint8Array
  readonly head: Uint8Array
  /** The checksum of its head. */
  readonly sum: number
  /** Of all entries, in order. */
  readonly texts: ReadonlyArray<TextAt>
}

/** Most characters of a number and a comma. */
const numberChars = 11

/**
 * Makes frames in a buffer of its own, which is used again for the next one: write a frame out before making another.
 */
export class FrameWriter {
  private bytes = new Uint8Array(64 * 1024)
  private readonly checksum: Checksum

  constructor(checksum: Checksum) {
    this.checksum = checksum
  }

  /** A frame of some entries. */
  make(entries: ReadonlyArray<Written>, { before, place, segment, session }: Position): Made {
    // The texts come behind the most that the head can have, and the head ends where they begin: nothing is moved.
    let room = headerBytes + 8
    let most = 0
    let json = ""
    for (const entry of entries) {
      json += json === "" ? entry.json : `,${entry.json}`
      room += 2 * numberChars * entry.texts.length
      for (const text of entry.texts) most += text.length * 3
    }
    room += json.length * 3
    this.reserve(room + most)
    const { bytes, checksum } = this
    const found: Array<{ offset: number; readonly length: number; readonly sum: number }> = []
    let sums = ""
    let end = room
    for (const { texts } of entries) {
      for (const text of texts) {
        const { written: length } = encoder.encodeInto(text, bytes.subarray(end))
        const sum = checksum(bytes.subarray(end, end + length))
        sums += sums === "" ? `${length},${sum}` : `,${length},${sum}`
        found.push({ offset: end, length, sum })
        end += length
      }
    }
    const rest = encoder.encode(`[[${json}],[${sums}]]`)
    const start = room - headerBytes - rest.length
    bytes.set(rest, start + headerBytes)
    for (const text of found) text.offset -= start
    writeU32(bytes, start, mark)
    writeU32(bytes, start + 8, end - start)
    writeU32(bytes, start + 12, room - start)
    writeU32(bytes, start + 16, session)
    writeU32(bytes, start + 20, segment)
    writeU32(bytes, start + 24, place)
    writeU32(bytes, start + 28, before)
    const sum = checksum(bytes.subarray(start + 8, room))
    writeU32(bytes, start + 4, sum)
    // A buffer that grew large is not kept.
    if (bytes.length > 4 * 1024 * 1024) this.bytes = new Uint8Array(64 * 1024)
    return { bytes: bytes.subarray(start, end), head: bytes.subarray(start, room), sum, texts: found }
  }

  private reserve(bytes: number): void {
    if (bytes > this.bytes.length) this.bytes = new Uint8Array(Math.max(this.bytes.length * 2, bytes))
  }
}

/** The head of a frame. */
export interface Head extends Position {
  /** Bytes of the frame, and of its head alone. */
  readonly length: number
  readonly headBytes: number
  readonly sum: number
}

/** The head that is claimed to begin at `at`, if the mark of one is there; it may reach beyond the end. */
export const claimedAt = (bytes: Uint8Array, at: number): Head | undefined => {
  if (at + headerBytes > bytes.length || readU32(bytes, at) !== mark) return undefined
  const [length, headBytes] = [readU32(bytes, at + 8), readU32(bytes, at + 12)]
  if (headBytes < headerBytes || headBytes > length) return undefined
  return {
    sum: readU32(bytes, at + 4),
    length,
    headBytes,
    session: readU32(bytes, at + 16),
    segment: readU32(bytes, at + 20),
    place: readU32(bytes, at + 24),
    before: readU32(bytes, at + 28)
  }
}

/** The head at `at`, if it is whole. */
export const headAt = (bytes: Uint8Array, at: number, checksum: Checksum): Head | undefined => {
  const head = claimedAt(bytes, at)
  const isWhole = head !== undefined && at + head.headBytes <= bytes.length &&
    checksum(bytes.subarray(at + 8, at + head.headBytes)) === head.sum
  return isWhole ? head : undefined
}

/** Where the next whole head begins, from `from` on; -1 if none does. */
export const find = (bytes: Uint8Array, from: number, checksum: Checksum): number => {
  for (let at = bytes.indexOf(0x48, from); at !== -1; at = bytes.indexOf(0x48, at + 1)) {
    if (headAt(bytes, at, checksum) !== undefined) return at
  }
  return -1
}

/** What a head says: entries, and where all their texts lie. */
export interface Contents {
  readonly entries: ReadonlyArray<unknown>
  readonly texts: ReadonlyArray<TextAt>
}

/** What a whole head at `at` says. */
export const contentsOf = (bytes: Uint8Array, at: number, { headBytes }: Head): Contents => {
  const json = decoder.decode(bytes.subarray(at + headerBytes, at + headBytes))
  const [entries, sums]: [Array<unknown>, Array<number>] = JSON.parse(json)
  const texts: Array<TextAt> = []
  for (let i = 0, offset = headBytes; i < sums.length; i += 2) {
    const [length, sum] = [sums[i]!, sums[i + 1]!]
    texts.push({ offset, length, sum })
    offset += length
  }
  return { entries, texts }
}

/** Whether the text at `from` is there as it was written. */
export const isWhole = (bytes: Uint8Array, from: number, { length, sum }: TextAt, checksum: Checksum): boolean =>
  from + length <= bytes.length && checksum(bytes.subarray(from, from + length)) === sum

/** A text out of bytes that were read. */
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes)
