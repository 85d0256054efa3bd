import { assert, describe, it } from "@effect/vitest"
import { HashMap, Schema } from "effect"
import * as Words from "../../../src/programs/tally/Words.ts"

const Lines = Schema.Array(Schema.Array(Schema.Literals(["a", "b", "a b", "B, a!", "don't", "", "42", "ärger x_1"])))

const sum = (chunks: ReadonlyArray<ReadonlyArray<string>>): Words.Counts =>
  chunks.reduce(Words.add, HashMap.empty<string, number>())

describe("words", () => {
  it("begin with a letter, go on with letters, digits, underscores and apostrophes, and are counted in lower case", () => {
    assert.deepStrictEqual(
      [...Words.count(["Don't do it, don't! 42 times x2 snake_case", "Ärger: IT’S 'quoted'", ""])],
      [["don't", 2], ["do", 1], ["it", 1], ["times", 1], ["x2", 1], ["snake_case", 1], ["ärger", 1], ["it’s", 1], [
        "quoted",
        1
      ]]
    )
  })

  it.prop("added chunk by chunk are those of a single pass", [Lines], ([chunks]) => {
    const counts = sum(chunks)
    const plain = Words.count(chunks.flat())
    assert.isTrue(Words.isSame(counts, plain))
    assert.strictEqual(Words.total(counts), Words.total(plain))
  })

  it.prop("adding leaves the counts before as they were", [Lines, Lines], ([before, after]) => {
    const counts = sum(before)
    const entries = HashMap.toEntries(counts)
    sum([[...HashMap.keys(counts)], ...after])
    after.reduce(Words.add, counts)
    assert.deepStrictEqual(HashMap.toEntries(counts), entries)
  })

  it("counts differ when a word is missing, too often, or too many", () => {
    const counts = Words.add(HashMap.empty(), ["a a b"])
    assert.isTrue(Words.isSame(counts, new Map([["b", 1], ["a", 2]])))
    assert.isFalse(Words.isSame(counts, new Map([["a", 2]])))
    assert.isFalse(Words.isSame(counts, new Map([["a", 2], ["b", 2]])))
    assert.isFalse(Words.isSame(counts, new Map([["a", 2], ["b", 1], ["c", 1]])))
    assert.isFalse(Words.isSame(counts, new Map([["a", 2], ["c", 1]])))
  })

  it("the top is the most frequent first, then by the alphabet", () => {
    assert.deepStrictEqual(Words.top(Words.count(["c b a b a d"]), 3), [["a", 2], ["b", 2], ["c", 1]])
    assert.deepStrictEqual(Words.top(Words.count([]), 3), [])
  })
})
