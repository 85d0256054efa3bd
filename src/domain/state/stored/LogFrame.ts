/**
 * The frames of an append-only log. A frame that was written in part can be recognised.
 *
 * A frame is a header of 16 bytes and a payload of entries. The header holds a mark, the payload's length, a checksum over
 * the rest, and the number of the session that wrote it. An entry is a piece of JSON and a text beside it (a state), so
 * that a large state is neither parsed nor escaped to find out what it belongs to.
 *
 * @since 0.1.0
 */

/** Bytes before the payload. */
export const headerBytes = 16

/** "HLM1", little-endian: where a frame may begin. */
const mark = 0x314d4c48

const crcTables = Array.from({ length: 8 }, () => new Uint32Array(256))
for (let n = 0; n < 256; n++) {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1
  crcTables[0]![n] = c
}
for (let k = 1; k < 8; k++) {
  for (let n = 0; n < 256; n++) {
    const before = crcTables[k - 1]![n]!
    crcTables[k]![n] = crcTables[0]![before & 0xff]! ^ (before >>> 8)
  }
}
// Named one by one: looked up in an array per byte, they would cost three times as much.
const [t0, t1, t2, t3, t4, t5, t6, t7] = crcTables as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array
]

/** CRC-32 (that of zip and gzip) of a range. */
export type Checksum = (bytes: Uint8Array, from: number, to: number) => number

/** The checksum where the platform has none of its own: eight bytes at a time. */
export const checksum: Checksum = (bytes, from, to) => {
  let c = -1
  let i = from
  for (; i + 8 <= to; i += 8) {
    c ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    c = t7[c & 0xff]! ^ t6[(c >>> 8) & 0xff]! ^ t5[(c >>> 16) & 0xff]! ^ t4[c >>> 24]! ^ t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^ t1[bytes[i + 6]!]! ^ t0[bytes[i + 7]!]!
  }
  for (; i < to; i++) c = t0[(c ^ bytes[i]!) & 0xff]! ^ (c >>> 8)
  return (c ^ -1) >>> 0
}

const readU32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0

const writeU32 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Where an entry's text lies: from the beginning of its frame, and how long it is, in bytes. */
export interface TextAt {
  readonly offset: number
  readonly length: number
}

/** Where an entry's two lengths go. */
const roomForLengths = "\0".repeat(8)

/** Characters that are encoded at once. */
const maxJoined = 32 * 1024

/**
 * Makes frames in a buffer of its own, which is used again for the next one: write a frame out before beginning another.
 */
export class FrameWriter {
  private bytes = new Uint8Array(64 * 1024)
  private end = headerBytes
  private readonly checksum: Checksum

  constructor(sum: Checksum = checksum) {
    this.checksum = sum
  }

  /** Bytes of the frame so far. */
  get length(): number {
    return this.end
  }

  /** Adds an entry; answers where its text lies. */
  add(json: string, text: string): TextAt {
    const start = this.end
    this.reserve(8 + (json.length + text.length) * 3)
    this.end += 8
    const jsonBytes = this.put(json)
    const offset = this.end
    const length = this.put(text)
    writeU32(this.bytes, start, jsonBytes)
    writeU32(this.bytes, start + 4, length)
    return { offset, length }
  }

  /**
   * Adds entries; answers where their texts lie.
   *
   * A call into the encoder costs more than the bytes of a small entry, so many are encoded by one. Where each of them lies
   * is known by that only if a character is a byte, as in most JSON; otherwise they are added one by one.
   */
  addAll(entries: ReadonlyArray<{ readonly json: string; readonly text: string }>): ReadonlyArray<TextAt> {
    const places: Array<TextAt> = []
    let first = 0
    while (first < entries.length) {
      let joined = ""
      let after = first
      for (; after < entries.length; after++) {
        const { json, text } = entries[after]!
        if (joined.length + json.length + text.length > maxJoined) break
        joined += roomForLengths + json + text
      }
      if (after > first && this.addJoined(joined)) {
        let start = this.end - joined.length
        for (; first < after; first++) {
          const { json, text } = entries[first]!
          writeU32(this.bytes, start, json.length)
          writeU32(this.bytes, start + 4, text.length)
          start += 8 + json.length
          places.push({ offset: start, length: text.length })
          start += text.length
        }
      } else {
        // At least the one that is too large to be joined to others.
        for (const until = Math.max(after, first + 1); first < until; first++) {
          const { json, text } = entries[first]!
          places.push(this.add(json, text))
        }
      }
    }
    return places
  }

  /** Adds a text if each of its characters is a byte. */
  private addJoined(joined: string): boolean {
    this.reserve(joined.length)
    const { read, written } = encoder.encodeInto(joined, this.bytes.subarray(this.end))
    if (written !== joined.length || read !== written) return false
    this.end += written
    return true
  }

  /** The frame, and an empty one is begun. */
  finish(session: number): Uint8Array {
    const { bytes, end } = this
    writeU32(bytes, 0, mark)
    writeU32(bytes, 4, end - headerBytes)
    writeU32(bytes, 12, session)
    writeU32(bytes, 8, this.checksum(bytes, 12, end))
    this.clear()
    return bytes.subarray(0, end)
  }

  /** Drops what was added. A buffer that grew large is not kept. */
  clear(): void {
    this.end = headerBytes
    if (this.bytes.length > 4 * 1024 * 1024) this.bytes = new Uint8Array(64 * 1024)
  }

  private put(text: string): number {
    const { written } = encoder.encodeInto(text, this.bytes.subarray(this.end))
    this.end += written
    return written
  }

  private reserve(more: number): void {
    if (this.end + more <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.end + more))
    larger.set(this.bytes.subarray(0, this.end))
    this.bytes = larger
  }
}

/** A frame that is whole. */
export interface Frame {
  readonly session: number
  /** Bytes of it, header and all. */
  readonly length: number
  readonly entries: ReadonlyArray<{ readonly json: unknown; readonly text: TextAt }>
}

/** How many bytes a frame at `at` has, if one begins there; 0 if not. They may reach beyond the end. */
export const lengthAt = (bytes: Uint8Array, at: number): number =>
  at + headerBytes <= bytes.length && readU32(bytes, at) === mark ? headerBytes + readU32(bytes, at + 4) : 0

/** The frame at `at`, or `undefined` when there is no whole one. */
export const read = (bytes: Uint8Array, at: number, sum: Checksum = checksum): Frame | undefined => {
  const length = lengthAt(bytes, at)
  if (length === 0 || at + length > bytes.length) return undefined
  if (sum(bytes, at + 12, at + length) !== readU32(bytes, at + 8)) return undefined
  const entries: Array<{ readonly json: unknown; readonly text: TextAt }> = []
  let next = at + headerBytes
  while (next < at + length) {
    const jsonBytes = readU32(bytes, next)
    const textBytes = readU32(bytes, next + 4)
    const json = next + 8
    const text = json + jsonBytes
    entries.push({
      json: JSON.parse(decoder.decode(bytes.subarray(json, text))),
      text: { offset: text - at, length: textBytes }
    })
    next = text + textBytes
  }
  return { session: readU32(bytes, at + 12), length, entries }
}

/** Where the next whole frame begins, from `from` on; -1 if none does. */
export const find = (bytes: Uint8Array, from: number, sum: Checksum = checksum): number => {
  for (let at = bytes.indexOf(0x48, from); at !== -1; at = bytes.indexOf(0x48, at + 1)) {
    const length = lengthAt(bytes, at)
    if (length === 0 || at + length > bytes.length) continue
    if (sum(bytes, at + 12, at + length) === readU32(bytes, at + 8)) return at
  }
  return -1
}

/** A text out of bytes that were read. */
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes)
