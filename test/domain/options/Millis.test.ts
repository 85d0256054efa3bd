import { assert, describe, it } from "@effect/vitest"
import { Duration, Schema } from "effect"
import { fromInput } from "../../../src/domain/options/Millis.ts"

describe("times given by hand", () => {
  it.prop("any number of milliseconds from zero on is itself", [
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e12 }))
  ], ([n]) => assert.strictEqual(fromInput(n), n))

  for (
    const [given, millis] of [
      ["2 seconds", 2000],
      ["0 seconds", 0],
      [Duration.zero, 0],
      [[0, 0], 0],
      ["1.5 seconds", 1500],
      [{ seconds: 1, milliseconds: 5 }, 1005],
      [[1, 5_000_000], 1005],
      [3_000_000n, 3],
      [Duration.minutes(1), 60_000],
      ["infinity", Infinity],
      ["Infinity", Infinity],
      [Infinity, Infinity],
      [Duration.infinity, Infinity]
    ] as const
  ) {
    it(`${String(given)} is ${millis} ms`, () => {
      assert.strictEqual(fromInput(given), millis)
    })
  }

  const nonsense: ReadonlyArray<unknown> = [
    NaN,
    -1,
    -Infinity,
    "-1 second",
    "-Infinity",
    [NaN, 0],
    [0, NaN],
    { seconds: NaN },
    { seconds: -1 },
    Duration.negativeInfinity,
    `${NaN} seconds`,
    "soon",
    "",
    null,
    undefined,
    true
  ]
  nonsense.forEach((given, i) => {
    it(`nonsense is distinguished from no time: ${i}, ${String(given)}`, () => {
      // What the type checker refuses comes by way of templates and of plain JavaScript.
      assert.isUndefined(fromInput(given as Duration.Input))
    })
  })
})
