import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { crc32 } from "node:zlib"
import * as LogFrame from "../../../../src/domain/state/log/LogFrame.ts"

const Entry = Schema.Struct({ json: Schema.Json, texts: Schema.Array(Schema.String) })
type Entry = typeof Entry.Type

const crc: LogFrame.Checksum = (bytes) => crc32(bytes)
const position: LogFrame.Position = { session: 7, segment: 2, place: 5, before: 99 }

// What any JSON text is: no half of a surrogate pair.
const writtenOf = ({ json, texts }: Entry): LogFrame.Written => ({
  json: JSON.stringify(json),
  texts: texts.map((text) => JSON.stringify(text))
})

const frameOf = (entries: ReadonlyArray<Entry>, at = position) =>
  new LogFrame.FrameWriter(crc).make(entries.map(writtenOf), at).bytes.slice()

const contents = (bytes: Uint8Array, at: number) => {
  const head = LogFrame.headAt(bytes, at, crc)
  if (head === undefined) return undefined
  const { entries, texts } = LogFrame.contentsOf(bytes, at, head)
  return {
    entries,
    texts: texts.map((text) =>
      LogFrame.isWhole(bytes, at + text.offset, text, crc)
        ? JSON.parse(LogFrame.textOf(bytes.subarray(at + text.offset, at + text.offset + text.length)))
        : undefined
    )
  }
}

const joined = (...parts: ReadonlyArray<Uint8Array>) => new Uint8Array(parts.flatMap((part) => Array.from(part)))

/** A few entries say as much as many: what differs is their texts. */
const few = { arbitrary: { runs: 50, size: 10 } }

describe("LogFrame", () => {
  it.prop(
    "any entries that are written are read back, with their texts",
    { entries: Schema.Array(Entry) },
    ({ entries }) => {
      const bytes = frameOf(entries)
      assert.deepStrictEqual(
        JSON.stringify(contents(bytes, 0)),
        JSON.stringify({
          entries: entries.map(({ json }) => json),
          texts: entries.flatMap(({ texts }) => texts)
        })
      )
      const { headBytes, length, sum: _, ...at } = LogFrame.headAt(bytes, 0, crc)!
      assert.deepStrictEqual([at, length], [position, bytes.length])
      assert.isAtMost(headBytes, length)
    }
  )

  it("a writer makes one frame after the other in the same buffer, small or large, and of any characters", () => {
    const writer = new LogFrame.FrameWriter(crc)
    for (const text of ["x".repeat(10), "日".repeat(100_000), "", "é".repeat(2_000_000), "x"]) {
      const made = writer.make([writtenOf({ json: { n: text.length }, texts: [text, "beside"] })], position)
      const bytes = made.bytes.slice()
      assert.deepStrictEqual(contents(bytes, 0), { entries: [{ n: text.length }], texts: [text, "beside"] })
      const head = LogFrame.headAt(made.head, 0, crc)!
      assert.deepStrictEqual(LogFrame.contentsOf(made.head, 0, head).texts, made.texts)
      assert.deepStrictEqual([head.headBytes, head.sum], [made.head.length, made.sum])
    }
  })

  it.prop(
    "a head that was cut short anywhere is not whole",
    { entries: Schema.Array(Entry), cut: Schema.Natural },
    ({ cut, entries }) => {
      const bytes = frameOf(entries)
      const { headBytes } = LogFrame.headAt(bytes, 0, crc)!
      assert.isUndefined(LogFrame.headAt(bytes.subarray(0, cut % headBytes), 0, crc))
    },
    few
  )

  it.prop("a byte that is changed takes the head, or the one text that it is in", {
    entries: Schema.NonEmptyArray(Entry),
    at: Schema.Natural,
    by: Schema.Natural
  }, ({ at, by, entries }) => {
    const bytes = frameOf(entries)
    const whole = contents(bytes, 0)!
    const head = LogFrame.headAt(bytes, 0, crc)!
    const { texts } = LogFrame.contentsOf(bytes, 0, head)
    const changed = at % bytes.length
    bytes[changed] = bytes[changed]! ^ (1 + by % 255)
    if (changed < head.headBytes) return assert.isUndefined(LogFrame.headAt(bytes, 0, crc))
    const touched = texts.findIndex(({ length, offset }) => changed >= offset && changed < offset + length)
    assert.deepStrictEqual(contents(bytes, 0), {
      entries: whole.entries,
      texts: whole.texts.map((text, i) => i === touched ? undefined : text)
    })
  }, few)

  it.prop("the next whole head is found behind any rubbish", {
    entries: Schema.Array(Entry),
    rubbish: Schema.Array(Schema.Int)
  }, ({ entries, rubbish }) => {
    const frame = frameOf(entries)
    const { headBytes } = LogFrame.headAt(frame, 0, crc)!
    // Rubbish that looks like the beginning of a frame, and the beginning of a real one.
    const before = joined(
      new Uint8Array(rubbish),
      new Uint8Array([0x48, 0x4c, 0x4d, 0x32]),
      frame.subarray(0, headBytes - 1),
      new Uint8Array([0x48])
    )
    const bytes = joined(before, frame, frame)
    assert.strictEqual(LogFrame.find(bytes, 0, crc), before.length)
    assert.strictEqual(LogFrame.find(bytes, before.length + 1, crc), before.length + frame.length)
    assert.strictEqual(LogFrame.find(before, 0, crc), -1)
  }, few)

  it("a head is claimed where its mark is and its lengths can be: that of a head holds a header, that of a frame its head", () => {
    const frame = frameOf([{ json: 1, texts: ["text"] }])
    const { headBytes, length } = LogFrame.headAt(frame, 0, crc)!
    const claimed = (changes: Record<number, number>, end = frame.length) => {
      const bytes = joined(new Uint8Array([1, 2, 3]), frame)
      for (const [at, value] of Object.entries(changes)) {
        new DataView(bytes.buffer).setUint32(3 + Number(at), value, true)
      }
      return LogFrame.claimedAt(bytes.subarray(0, 3 + end), 3)
    }
    assert.deepInclude(claimed({}), { ...position, headBytes, length })
    assert.deepInclude(claimed({}, LogFrame.headerBytes), { headBytes, length })
    assert.isUndefined(claimed({}, LogFrame.headerBytes - 1))
    assert.isUndefined(claimed({ 0: 0x314d4c48 }))
    assert.deepInclude(claimed({ 12: LogFrame.headerBytes }), { headBytes: LogFrame.headerBytes })
    assert.isUndefined(claimed({ 12: LogFrame.headerBytes - 1 }))
    assert.deepInclude(claimed({ 8: headBytes }), { headBytes, length: headBytes })
    assert.isUndefined(claimed({ 8: headBytes - 1 }))
    // It may reach beyond the end, and is not whole then.
    assert.deepInclude(claimed({ 8: 5000, 12: 4000 }), { headBytes: 4000, length: 5000 })
  })

  it("a text is whole where all of it is there, as it was written", () => {
    const bytes = new TextEncoder().encode("..text")
    const text = (length: number, of = bytes) => ({ offset: 2, length, sum: crc(of.subarray(2, 2 + length)) })
    assert.isTrue(LogFrame.isWhole(bytes, 2, text(4), crc))
    assert.isTrue(LogFrame.isWhole(bytes, 6, { offset: 6, length: 0, sum: crc(new Uint8Array(0)) }, crc))
    assert.isFalse(LogFrame.isWhole(bytes, 2, { ...text(4), length: 5 }, crc), "it ends too soon")
    assert.isFalse(LogFrame.isWhole(bytes, 2, { ...text(4), sum: text(4).sum ^ 1 }, crc))
    assert.isFalse(LogFrame.isWhole(bytes, 1, text(4), crc))
  })
})
