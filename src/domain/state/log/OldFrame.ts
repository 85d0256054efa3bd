/**
 * The frames that version 0.1 wrote: they are read, and written no more.
 *
 * A header of 16 bytes (a mark, the payload's length, a checksum over the rest, the number of the session) and entries,
 * each with its text behind it. One checksum is for all, so what is damaged is lost as a whole.
 *
 * @since 0.1.0
 */
import { type Checksum, readU32, textOf } from "./LogFrame.ts"

/** Bytes before the payload. */
export const headerBytes = 16

/** "HLM1", little-endian. */
const mark = 0x314d4c48

/** A frame that is whole. */
export interface OldFrame {
  readonly session: number
  /** Bytes of it, header and all. */
  readonly length: number
  readonly entries: ReadonlyArray<{
    readonly json: unknown
    readonly text: { readonly offset: number; readonly length: number }
  }>
}

/** How many bytes a frame at `at` has, if one begins there; 0 if not. They may reach beyond the end. */
export const lengthAt = (bytes: Uint8Array, at: number): number =>
  at + headerBytes <= bytes.length && readU32(bytes, at) === mark ? headerBytes + readU32(bytes, at + 4) : 0

/** The frame at `at`, or `undefined` when there is no whole one. */
export const read = (bytes: Uint8Array, at: number, checksum: Checksum): OldFrame | undefined => {
  const length = lengthAt(bytes, at)
  if (length === 0 || at + length > bytes.length) return undefined
  if (checksum(bytes.subarray(at + 12, at + length)) !== readU32(bytes, at + 8)) return undefined
  const entries: Array<OldFrame["entries"][number]> = []
  for (let next = at + headerBytes; next < at + length;) {
    const json = next + 8
    const text = json + readU32(bytes, next)
    const textBytes = readU32(bytes, next + 4)
    entries.push({
      json: JSON.parse(textOf(bytes.subarray(json, text))),
      text: { offset: text - at, length: textBytes }
    })
    next = text + textBytes
  }
  return { session: readU32(bytes, at + 12), length, entries }
}

/** Where the next whole frame begins, from `from` on; -1 if none does. */
export const find = (bytes: Uint8Array, from: number, checksum: Checksum): number => {
  for (let at = bytes.indexOf(0x48, from); at !== -1; at = bytes.indexOf(0x48, at + 1)) {
    const length = lengthAt(bytes, at)
    if (length === 0 || at + length > bytes.length) continue
    if (checksum(bytes.subarray(at + 12, at + length)) === readU32(bytes, at + 8)) return at
  }
  return -1
}
