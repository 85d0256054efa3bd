/** What is printed of the results. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "../../../src/programs/tally/Result.ts"

const of = (companion: Result.Companion, lost: number): Result.Result => ({
  companion,
  files: 1,
  lines: 100,
  words: 1000,
  crashes: 3,
  restarts: 3,
  acknowledged: 1600,
  lost,
  matches: lost === 0,
  recoverMicrosMedian: 100,
  recoverMicrosMax: 200,
  seconds: 1
})

describe("the picture of what was lost", () => {
  it("has a bar for each companion, as long as its part of what was acknowledged", () => {
    assert.deepStrictEqual(
      Result.losses([of("forget", 1600), of("terminate", 405), of("table", 1), of("memory", 0)]).split("\n"),
      [
        "Acknowledged updates lost:",
        "",
        `  forget     ${"█".repeat(40)} 1,600 of 1,600`,
        `  terminate  ${"█".repeat(10)}▏ 405 of 1,600`,
        "  table      ▏ 1 of 1,600",
        "  memory     none"
      ]
    )
  })

  it("has none where nothing was acknowledged", () => {
    assert.include(Result.losses([{ ...of("memory", 0), acknowledged: 0 }]), "memory  none")
  })
})
