import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Ledger from "../../../src/programs/tally/Ledger.ts"

describe("the feeder's ledger", () => {
  it("an acknowledged chunk moves it on", () => {
    const ledger = Ledger.acknowledge(Ledger.acknowledge(Ledger.begin(10, 0), 10), 20)
    assert.deepStrictEqual(ledger, { size: 10, position: 20, acknowledged: 2, lost: 0, counted: 0 })
  })

  it("a server that stands where it was gets the chunk again", () => {
    const ledger = Ledger.acknowledge(Ledger.begin(10, 0), 10)
    assert.deepStrictEqual(Ledger.settle(ledger, 10), ledger)
  })

  it("a server that is ahead has the chunk, and has acknowledged it now", () => {
    const ledger = Ledger.settle(Ledger.begin(10, 0), 7)
    assert.deepStrictEqual(ledger, { size: 10, position: 7, acknowledged: 1, lost: 0, counted: 0 })
  })

  it("chunks that a server that is behind no longer knows are lost, counted once, and not sent again", () => {
    const sent = [10, 20, 30].reduce(Ledger.acknowledge, Ledger.begin(10, 0))
    const once = Ledger.settle(sent, 10)
    assert.deepStrictEqual(once, { size: 10, position: 30, acknowledged: 3, lost: 2, counted: 30 })
    assert.deepStrictEqual(Ledger.settle(once, 10), once)
    const twice = Ledger.settle(Ledger.acknowledge(once, 40), 0)
    assert.strictEqual(twice.lost, 3)
  })

  it("a last chunk that is short is a chunk", () => {
    const ledger = Ledger.acknowledge(Ledger.acknowledge(Ledger.begin(10, 0), 10), 13)
    assert.strictEqual(Ledger.settle(ledger, 0).lost, 2)
  })

  // What may happen to a chunk: answered; the server crashes before or after the commit and keeps all it had (`saves`),
  // or falls back to what it last saved (`forgets`).
  const Happening = Schema.Literals([
    "answered",
    "crash saves",
    "commit, crash saves",
    "crash forgets",
    "commit, crash forgets"
  ])
  const Size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 }))
  const Lines = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 }))

  it.prop(
    "whatever happens, it has counted exactly the acknowledged chunks that the server does not have",
    [Lines, Size, Schema.Array(Happening)],
    ([lines, size, happenings]) => {
      let server = { position: 0, chunks: new Array<number>() }
      let saved = server
      let ledger = Ledger.begin(size, 0)
      const acknowledged = new Set<number>()
      const script = happenings.values()
      while (ledger.position < lines) {
        const from = ledger.position
        const happening = script.next().value ?? "answered"
        if (happening === "answered" || happening.startsWith("commit")) {
          server = { position: Math.min(from + size, lines), chunks: [...server.chunks, from] }
        }
        if (happening === "answered") {
          ledger = Ledger.acknowledge(ledger, server.position)
        } else {
          if (happening.endsWith("saves")) saved = server
          else server = saved
          ledger = Ledger.settle(ledger, server.position)
        }
        if (ledger.position > from) acknowledged.add(from)
      }
      const known = new Set(server.chunks)
      assert.strictEqual(known.size, server.chunks.length, "a chunk was counted twice")
      assert.strictEqual(ledger.acknowledged, acknowledged.size)
      assert.strictEqual(ledger.lost, [...acknowledged].filter((chunk) => !known.has(chunk)).length)
      assert.strictEqual(ledger.acknowledged, Math.ceil(lines / size))
    }
  )
})
