import { assert, describe, it } from "@effect/vitest"
import * as Names from "../../../src/domain/naming/Names.ts"

const claim = (keys: Names.Keys, oldest: string | undefined, by: string, inherited?: string) =>
  Names.claim(keys, oldest, (held) => held === by, () => inherited)

describe("the rules of a registry", () => {
  it("a free key goes to the process that claims it", () => {
    for (const keys of ["unique", "duplicate"] as const) {
      assert.deepStrictEqual(claim(keys, undefined, "a"), { _tag: "New" })
    }
  })

  it("a held unique key is refused with its holder", () => {
    assert.deepStrictEqual(claim("unique", "a", "b"), { _tag: "Refused", holder: "a" })
  })

  it("but not to that", () => {
    assert.deepStrictEqual(claim("unique", "a", "a"), { _tag: "Again", held: "a" })
  })

  it("a duplicate key takes every process, one several times", () => {
    assert.deepStrictEqual(claim("duplicate", "a", "b"), { _tag: "New" })
    assert.deepStrictEqual(claim("duplicate", "a", "a"), { _tag: "New" })
  })

  it("unless it makes again what an incarnation before it had made", () => {
    assert.deepStrictEqual(claim("duplicate", "a", "b", "c"), { _tag: "Again", held: "c" })
  })
})
