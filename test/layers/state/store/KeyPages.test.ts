import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import { compare } from "../../../../src/domain/state/stored/KeyText.ts"
import { KeyPages } from "../../../../src/layers/state/store/KeyPages.ts"

const Key = Schema.Literals(["a", "aa", "ab", "b", "b/1", "b/2", "b/é", "c"])

it.prop("a page has the keys with a prefix, after a key, in order, and as many as were asked for", {
  keys: Schema.Array(Key),
  prefix: Schema.Literals(["", "a", "b", "b/", "z"]),
  after: Schema.UndefinedOr(Schema.Literals(["", "a", "aa", "b/1", "bb", "c", "z"])),
  limit: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 }))
}, ({ after, keys, limit, prefix }) => {
  const pages = new KeyPages(() => new Set(keys))
  const expected = [...new Set<string>(keys)].sort(compare)
    .filter((key) => key.startsWith(prefix) && (after === undefined || compare(key, after) > 0))
  assert.deepStrictEqual(pages.page(prefix, { after, limit }), expected.slice(0, limit))
})

it("keys are looked through when one has come or gone, and not for each page", () => {
  const keys = new Set(["b", "a"])
  let looks = 0
  const pages = new KeyPages(() => {
    looks++
    return keys
  })
  const all = () => pages.page("", { limit: 10 })
  assert.deepStrictEqual([all(), all()], [["a", "b"], ["a", "b"]])
  assert.strictEqual(looks, 1)
  keys.add("c")
  pages.changed()
  assert.deepStrictEqual([all(), all()], [["a", "b", "c"], ["a", "b", "c"]])
  assert.strictEqual(looks, 2)
})
