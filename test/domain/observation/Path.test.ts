import { assert, describe, it } from "@effect/vitest"
import { idText, pathText } from "../../../src/domain/observation/Path.ts"

describe("the text of a path", () => {
  it("shows each id as one element, whatever is in it", () => {
    assert.strictEqual(pathText(["root", "shop/Orders", "shop/Order/17"]), "root > shop/Orders > shop/Order/17")
    assert.strictEqual(pathText(["root", "a > b"]), "root > \"a > b\"")
    assert.strictEqual(pathText([]), "")
    assert.strictEqual(idText("shop/Order/17"), "shop/Order/17")
  })

  it("differs for paths that differ", () => {
    const paths = [["a", "b"], ["a > b"], ["a/b"], ["a", "b", ""], ["a >", "b"], ["\"a > b\""]]
    assert.strictEqual(new Set(paths.map(pathText)).size, paths.length)
  })
})
