import { assert, describe, it } from "@effect/vitest"
import { columns } from "../../../src/programs/text/Columns.ts"

describe("columns", () => {
  it("stand below each other: the first to the left, the others to the right", () => {
    assert.strictEqual(columns([["a", "b"], ["long", "1,000"], ["c"]]), "  a         b\n  long  1,000\n  c")
  })

  it("of nothing are nothing", () => {
    assert.strictEqual(columns([]), "")
  })
})
