/** Logs of version 0.1: frames as it wrote them are found and read, and damaged ones are not. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { crc32 } from "node:zlib"
import type { Checksum } from "../../../../src/domain/state/log/LogFrame.ts"
import * as OldFrame from "../../../../src/domain/state/log/OldFrame.ts"

const crc: Checksum = (bytes) => crc32(bytes)

const Entry = Schema.Struct({ json: Schema.Json, text: Schema.String })

/** A frame as version 0.1 wrote it. */
const frameOf = (session: number, entries: ReadonlyArray<typeof Entry.Type>): Uint8Array => {
  const u32 = (n: number) => Buffer.from(new Uint32Array([n]).buffer)
  const payload = Buffer.concat(entries.flatMap(({ json, text }) => {
    const [head, body] = [Buffer.from(JSON.stringify(json)), Buffer.from(text)]
    return [u32(head.length), u32(body.length), head, body]
  }))
  const rest = Buffer.concat([u32(session), payload])
  return Buffer.concat([Buffer.from("HLM1"), u32(payload.length), u32(crc(rest)), rest])
}

const before = Buffer.from("HHLHLM1H")

describe("a frame of version 0.1", () => {
  it.prop(
    "is found behind anything, and read with the places of its texts",
    { entries: Schema.Array(Entry) },
    ({ entries }) => {
      const frame = frameOf(258, entries)
      const bytes = Buffer.concat([before, frame, before, frame])
      const second = 2 * before.length + frame.length
      assert.deepStrictEqual([OldFrame.find(bytes, 0, crc), OldFrame.find(bytes, before.length + 1, crc)], [
        before.length,
        second
      ])
      assert.strictEqual(OldFrame.find(bytes, second + 1, crc), -1)
      const read = OldFrame.read(bytes, second, crc)!
      assert.deepStrictEqual([read.session, read.length], [258, frame.length])
      assert.deepStrictEqual(
        JSON.stringify(read.entries.map(({ json }) => json)),
        JSON.stringify(entries.map(({ json }) => json))
      )
      assert.deepStrictEqual(
        read.entries.map(({ text: { length, offset } }) =>
          bytes.toString("utf8", second + offset, second + offset + length)
        ),
        entries.map(({ text }) => Buffer.from(text).toString())
      )
    }
  )

  it("is none where a byte of it is damaged, or where it was not written to its end", () => {
    const frame = Uint8Array.from(frameOf(1, [{ json: { a: 1 }, text: "some" }, { json: 2, text: "" }]))
    assert.strictEqual(OldFrame.lengthAt(frame, 0), frame.length)
    for (let at = 0; at < frame.length; at++) {
      const damaged = frame.slice()
      damaged[at]! ^= 4
      assert.isUndefined(OldFrame.read(damaged, 0, crc), `byte ${at}`)
      assert.strictEqual(OldFrame.find(damaged, 0, crc), -1, `byte ${at}`)
      assert.isUndefined(OldFrame.read(frame.subarray(0, at), 0, crc), `cut at ${at}`)
      assert.strictEqual(OldFrame.find(frame.subarray(0, at), 0, crc), -1, `cut at ${at}`)
      if (at > 0) assert.strictEqual(OldFrame.lengthAt(frame, at), 0)
    }
    assert.strictEqual(OldFrame.lengthAt(frame.subarray(0, OldFrame.headerBytes), 0), frame.length)
    assert.strictEqual(OldFrame.lengthAt(frame.subarray(0, OldFrame.headerBytes - 1), 0), 0)
  })
})
