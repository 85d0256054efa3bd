import { assert, describe, it } from "@effect/vitest"
import { columns } from "../../../src/programs/text/Columns.ts"

describe("columns", () => {
  it("stand below each other: the first to the left, the others to the right", () => {
    assert.strictEqual(columns([["a", "b"], ["long", "1,000"], ["c"]]), "  a         b\n  long  1,000\n  c")
  })

  it("show what comes from an app on one line, within a bound, and without commands to the terminal", () => {
    assert.strictEqual(columns([["a\nb", "\u001b[31mred"]]), "  a\\u000ab  \\u001b[31mred")
    assert.strictEqual(columns([["a", "x".repeat(5000)]]).length, 2 + 1 + 2 + 300)
  })

  it("of nothing are nothing", () => {
    assert.strictEqual(columns([]), "")
  })
})
