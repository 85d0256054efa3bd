import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { compare, decode, encode } from "../../../../src/domain/state/stored/KeyText.ts"

const Hard = Schema.Array(
  Schema.Literals(["a", "%", "0", "2", "5", "u", "d", "8", "\0", "\ud800", "\udc00", "😀", "é"])
)

describe("KeyText", () => {
  it.prop("every string comes back, and its text has no NUL and no half of a surrogate pair", {
    text: Schema.String,
    hard: Hard
  }, ({ hard, text }) => {
    for (const string of [text, hard.join("")]) {
      const encoded = encode(string)
      assert.strictEqual(decode(encoded), string)
      assert.isFalse(/[\0\p{Surrogate}]/u.test(encoded))
    }
  })

  it.prop("keys are in the order of the bytes of their texts", {
    one: Schema.Tuple([Hard, Schema.String]),
    two: Schema.Tuple([Hard, Schema.String])
  }, ({ one, two }) => {
    const [a, b] = [one, two].map(([hard, text]) => hard.join("") + text) as [string, string]
    const bytes = (text: string) => Buffer.from(encode(text), "utf8")
    assert.strictEqual(Math.sign(compare(a, b)), Buffer.compare(bytes(a), bytes(b)))
  })

  it("keys with characters of two units come after all that have one, as their bytes do", () => {
    const sorted = ["a", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{103ff}", "\u{10400}", "\u{10ffff}"]
    for (const [i, a] of sorted.entries()) {
      for (const [j, b] of sorted.entries()) {
        assert.strictEqual(Math.sign(compare(a, b)), Math.sign(i - j), `${i}, ${j}`)
      }
    }
    assert.strictEqual(decode("a"), "a")
  })

  it.prop("two strings never become one text", { one: Hard, two: Hard }, ({ one, two }) => {
    assert.strictEqual(encode(one.join("")) === encode(two.join("")), one.join("") === two.join(""))
  })

  it("plain strings are kept as they are", () => {
    assert.strictEqual(encode("app/Counter/日本/😀"), "app/Counter/日本/😀")
    assert.strictEqual(encode("100%"), "100%25")
  })
})
