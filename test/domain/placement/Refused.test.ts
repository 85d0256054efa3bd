import { assert, describe, it } from "@effect/vitest"
import { isDeeper, refused } from "../../../src/domain/placement/Refused.ts"
import * as Draws from "../../../src/domain/testing/Draws.ts"

const depthOf = (value: unknown): number =>
  typeof value !== "object" || value === null ? 0 : 1 + Math.max(0, ...Object.values(value).map(depthOf))

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1e9))

/** Any JSON, with brackets and quotes in its texts. */
const draw = (draws: Draws.Draws, depth: number): unknown => {
  const n = draws.below(3)
  if (depth > 0 && draws.chance(0.7)) {
    const items = Array.from({ length: n }, () => draw(draws, depth - 1))
    return draws.chance(0.5) ? items : Object.fromEntries(items.map((item, i) => [`[{"\\${i}`, item]))
  }
  return ["[[", "\"{", "\\\"[", "}]", "\\", 1, null][draws.below(7)]
}

describe("the depth of JSON", () => {
  it(`is that of what it is parsed to, whatever its texts contain (seed ${seed})`, () => {
    const draws = Draws.make(seed)
    for (let i = 0; i < 500; i++) {
      const value = draw(draws, 8)
      const json = JSON.stringify(value)
      const depth = depthOf(value)
      assert.deepStrictEqual([isDeeper(json, depth), depth > 0 && isDeeper(json, depth - 1)], [false, depth > 0], json)
    }
  })
})

describe("a refusal", () => {
  it("says what is wrong in one line", () => {
    const one = refused(400, { detail: "It is wrong.", errors: [{ path: ["body", "by"], message: "Expected number" }] })
    assert.strictEqual(one.message, "It is wrong.; body.by: Expected number")
    assert.strictEqual(refused(404).message, "Not Found")
  })
})
