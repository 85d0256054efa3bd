import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Words from "../../../src/domain/observer/Words.ts"

const of = <A>(say: (a: A) => string, rows: ReadonlyArray<readonly [A, string]>) => {
  for (const [given, text] of rows) assert.strictEqual(say(given), text, `${given}`)
}

describe("words", () => {
  it("say numbers so that they fit a narrow place", () => {
    of(Words.whole, [[0, "0"], [999.4, "999"], [1000, "1,000"], [1_234_567, "1,234,567"]])
    of(Words.short, [
      [0, "0"],
      [0.25, "0.3"],
      [9.9, "9.9"],
      [9, "9"],
      [10, "10"],
      [10.4, "10"],
      [999, "999"],
      [9999, "9,999"],
      [10_000, "10.0k"],
      [12_345, "12.3k"],
      [99_999, "100.0k"],
      [100_000, "100k"],
      [999_499, "999k"],
      [999_500, "1.0M"],
      [1_234_567, "1.2M"]
    ])
    assert.strictEqual(Words.counted(1, "crash", "crashes"), "1 crash")
    assert.strictEqual(Words.counted(0, "crash", "crashes"), "0 crashes")
    assert.strictEqual(Words.counted(1200, "server"), "1,200 servers")
    assert.strictEqual(Words.mailbox(3, 100), "3 of 100")
    assert.strictEqual(Words.mailbox(12_345, null), "12.3k")
  })

  it("say times in the unit that an operator counts in, a day's from two on", () => {
    of(Words.duration, [
      [0, "< 1 ms"],
      [0.9, "< 1 ms"],
      [1, "1 ms"],
      [999, "999 ms"],
      [1000, "1 s"],
      [1500, "1.5 s"],
      [9949, "9.9 s"],
      [9950, "10 s"],
      [99_400, "99 s"],
      [99_500, "1 min"],
      [150_000, "2 min"],
      [99 * 60_000, "99 min"],
      [100 * 60_000, "1 h"],
      [47 * 3_600_000, "47 h"],
      [48 * 3_600_000, "2 days"],
      [400_000_000, "4 days"]
    ])
  })

  it("say how much of a budget is used", () => {
    of(Words.budget, [
      [{ used: 2, restarts: 3, within: 5000 }, "2 of 3 in 5 s"],
      ["schedule", "by Schedule"],
      [null, ""]
    ])
  })

  it.prop(
    "say the time of day where they are read",
    {
      at: Schema.Int.check(Schema.isBetween({ minimum: -1e11, maximum: 2e12 })),
      offset: Schema.Literals([-570, -60, 0, 90, 840])
    },
    ({ at, offset }) =>
      assert.strictEqual(Words.timeOfDay(at, offset), new Date(at + offset * 60_000).toISOString().slice(11, 19))
  )

  it("lay out JSON in lines, where it does not fit on one", () => {
    assert.strictEqual(Words.laidOut({}), "{}")
    assert.strictEqual(Words.laidOut([]), "[]")
    assert.strictEqual(Words.laidOut(null), "null")
    assert.strictEqual(Words.laidOut([1, { a: null, "b c": ["x"] }]), "[1, { \"a\": null, \"b c\": [\"x\"] }]")
    const [fits, longer] = ["x".repeat(52), "x".repeat(53)]
    assert.strictEqual(Words.laidOut([fits]), `["${fits}"]`)
    assert.strictEqual(Words.laidOut([longer]), `[\n  "${longer}"\n]`)
    // What is indented has less room, and a long text stays whole.
    assert.strictEqual(
      Words.laidOut({ a: [fits], b: "y".repeat(80), c: [1] }),
      `{\n  "a": [\n    "${fits}"\n  ],\n  "b": "${"y".repeat(80)}",\n  "c": [1]\n}`
    )
    const nested = { list: [[longer], {}] }
    assert.deepStrictEqual(JSON.parse(Words.laidOut(nested)), nested)
  })
})
