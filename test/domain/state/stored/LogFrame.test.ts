import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { crc32 } from "node:zlib"
import * as LogFrame from "../../../../src/domain/state/stored/LogFrame.ts"

const Entry = Schema.Struct({ json: Schema.Json, text: Schema.String })
// what any JSON text is: no half of a surrogate pair
const textual = (text: string) => JSON.stringify(text)

const frameOf = (entries: ReadonlyArray<typeof Entry.Type>, session = 7) => {
  const writer = new LogFrame.FrameWriter()
  for (const { json, text } of entries) writer.add(JSON.stringify(json), textual(text))
  return writer.finish(session).slice()
}

const crc: LogFrame.Checksum = (bytes, from, to) => crc32(bytes.subarray(from, to))

const contents = (bytes: Uint8Array, at: number) => {
  const frame = LogFrame.read(bytes, at)
  return frame?.entries.map(({ json, text: { length, offset } }) => ({
    json,
    text: JSON.parse(LogFrame.textOf(bytes.subarray(at + offset, at + offset + length)))
  }))
}

const joined = (...parts: ReadonlyArray<Uint8Array>) => new Uint8Array(parts.flatMap((part) => Array.from(part)))

describe("LogFrame", () => {
  it.prop("the checksum is CRC-32", { text: Schema.String, from: Schema.Natural }, ({ from, text }) => {
    const bytes = new TextEncoder().encode(text)
    const start = Math.min(from, bytes.length)
    assert.strictEqual(LogFrame.checksum(bytes, start, bytes.length), crc32(bytes.subarray(start)))
  })

  it.prop(
    "any entries that are written are read back",
    { entries: Schema.Array(Entry), session: Schema.Natural },
    ({ entries, session }) => {
      const bytes = frameOf(entries, session % 2 ** 32)
      const frame = LogFrame.read(bytes, 0)
      assert.strictEqual(frame?.length, bytes.length)
      assert.strictEqual(frame?.session, session % 2 ** 32)
      assert.deepStrictEqual(
        JSON.stringify(contents(bytes, 0)),
        JSON.stringify(entries.map(({ json, text }) => ({ json, text })))
      )
    }
  )

  it.prop(
    "entries added together make the frame that they make one by one",
    { entries: Schema.Array(Entry), large: Schema.Boolean },
    ({ entries, large }) => {
      const all = entries.map(({ json, text }) => ({
        json: JSON.stringify(json),
        text: textual(large ? `${text.slice(0, 1)}${"x".repeat(20_000)}${text}` : text)
      }))
      const writer = new LogFrame.FrameWriter()
      const together = new LogFrame.FrameWriter(crc)
      assert.deepStrictEqual(together.addAll(all), all.map(({ json, text }) => writer.add(json, text)))
      assert.deepStrictEqual(together.finish(7), writer.finish(7))
    }
  )

  it("a writer makes one frame after the other in the same buffer, small or large", () => {
    const writer = new LogFrame.FrameWriter()
    for (const size of [10, 100_000, 3, 2_000_000, 5]) {
      writer.add(`{"n":${size}}`, `"${"x".repeat(size)}"`)
      const bytes = writer.finish(1).slice()
      assert.deepStrictEqual(contents(bytes, 0), [{ json: { n: size }, text: "x".repeat(size) }])
    }
    writer.add("1", "dropped")
    writer.clear()
    assert.strictEqual(writer.length, LogFrame.headerBytes)
  })

  for (const [where, text] of [["first", (x: string) => `é${x}`], ["last", (x: string) => `${x}é`]] as const) {
    it(`entries added together are whole also where the room ends in them, and a character of two bytes is ${where}`, () => {
      // The buffer holds two such entries to the byte, if a character is a byte.
      const room = (64 * 1024 - LogFrame.headerBytes) / 2
      const full = { json: "1", text: "x".repeat(room - 9) }
      const more = { json: "2", text: text("x".repeat(room - 10)) }
      const writer = new LogFrame.FrameWriter()
      const together = new LogFrame.FrameWriter()
      const all = [full, more]
      assert.deepStrictEqual(together.addAll(all), all.map(({ json, text }) => writer.add(json, text)))
      const bytes = together.finish(7).slice()
      assert.deepStrictEqual(bytes, writer.finish(7))
      const texts = LogFrame.read(bytes, 0)?.entries.map(({ text: { length, offset } }) =>
        LogFrame.textOf(bytes.subarray(offset, offset + length))
      )
      assert.deepStrictEqual(texts, [full.text, more.text])
    })
  }

  it("there is room for characters of three bytes each, however many", () => {
    const state = "日".repeat(100_000)
    assert.deepStrictEqual(contents(frameOf([{ json: 1, text: state }]), 0), [{ json: 1, text: state }])
  })

  it.prop(
    "a frame that was cut short anywhere is not whole",
    { entries: Schema.Array(Entry), cut: Schema.Natural },
    ({ cut, entries }) => {
      const bytes = frameOf(entries)
      assert.isUndefined(LogFrame.read(bytes.subarray(0, cut % bytes.length), 0))
    }
  )

  it.prop("a frame with any byte changed is not whole", {
    entries: Schema.Array(Entry),
    at: Schema.Natural,
    by: Schema.Natural
  }, ({ at, by, entries }) => {
    const bytes = frameOf(entries)
    const changed = at % bytes.length
    bytes[changed] = bytes[changed]! ^ (1 + by % 255)
    assert.isUndefined(LogFrame.read(bytes, 0))
  })

  it.prop("the next whole frame is found behind any rubbish", {
    entries: Schema.Array(Entry),
    rubbish: Schema.Array(Schema.Int)
  }, ({ entries, rubbish }) => {
    const frame = frameOf(entries)
    // rubbish that looks like the beginning of a frame, and the beginning of a real one
    const before = joined(
      new Uint8Array(rubbish),
      new Uint8Array([0x48, 0x4c, 0x4d, 0x31]),
      frame.subarray(0, frame.length - 1)
    )
    const bytes = joined(before, frame, frame)
    assert.strictEqual(LogFrame.find(bytes, 0), before.length)
    assert.strictEqual(LogFrame.find(bytes, before.length + 1), before.length + frame.length)
    assert.strictEqual(LogFrame.find(before, 0), -1)
  })
})
