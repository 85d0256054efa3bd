import { assert, describe, it } from "@effect/vitest"
import * as Names from "../../../src/domain/naming/Names.ts"

describe("the rules of a registry", () => {
  it("a free key goes to the process that claims it", () => {
    assert.isUndefined(Names.obstacle("unique", undefined))
    assert.isUndefined(Names.obstacle("duplicate", undefined))
  })

  it("a held unique key is refused with its holder", () => {
    assert.strictEqual(Names.obstacle("unique", "a"), "a")
  })

  it("a duplicate key takes every process", () => {
    assert.isUndefined(Names.obstacle("duplicate", "a"))
  })
})
