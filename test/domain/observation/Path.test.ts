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

  it("fits into a line, however deep the tree is, and however long an id: its beginning and its end are there", () => {
    const deep = ["root", ...Array.from({ length: 2000 }, (_, i) => `level/${i}`), "app/Counter"]
    const other = deep.map((id, i) => i === 1000 ? "another" : id)
    const key = ["root", `app/Counter/${"x".repeat(100_000)}`]
    for (const path of [deep, other, key, ["root", `${"é\u{1f600}".repeat(1000)} > b`]]) {
      const text = pathText(path)
      assert.isBelow(text.length, 1400)
      assert.strictEqual(Buffer.from(text).toString(), text)
      assert.isTrue(text.startsWith("root > "))
    }
    assert.isTrue(pathText(deep).endsWith("level/1999 > app/Counter"))
    assert.notStrictEqual(pathText(deep), pathText(other))
    assert.strictEqual(pathText(["root", "x".repeat(1000)]), `root > ${"x".repeat(1000)}`)
  })
})
