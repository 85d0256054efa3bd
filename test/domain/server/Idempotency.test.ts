import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  answerId,
  canonical,
  isKey,
  markId,
  rewritten as writtenAnew,
  sortedText,
  withoutUndefined
} from "../../../src/domain/server/Idempotency.ts"
import { isDefined, isSorted } from "../../../src/domain/text/SortedJson.ts"

/** The same value with its fields in another order, and some that are `undefined`. */
const rewritten = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(rewritten)
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).reverse().map(([name, one]) => [name, rewritten(one)] as const)
  return Object.fromEntries([["undefined at first", undefined], ...entries, ["and at last", undefined]])
}

const meaning = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe("the one text of a payload", () => {
  it.prop("is the same in whatever order its fields come, and with any that are undefined", [Schema.Json], ([one]) => {
    assert.strictEqual(canonical(rewritten(one)), canonical(one))
    assert.strictEqual(canonical(withoutUndefined(rewritten(one))), canonical(one))
  })

  it.prop("means the same", [Schema.Json], ([one]) => {
    assert.deepStrictEqual(JSON.parse(canonical(one)), meaning(one))
  })

  it.prop("is another one for another payload", [Schema.Json, Schema.Json], ([one, other]) => {
    assert.strictEqual(canonical(one) === canonical(other), canonical(meaning(one)) === canonical(meaning(other)))
    const wrapped = canonical([one])
    assert.notStrictEqual(wrapped, canonical(one))
    assert.notStrictEqual(canonical({ a: one }), canonical({ b: one }))
  })

  it("keeps the order of lists, and knows null from nothing", () => {
    assert.notStrictEqual(canonical([1, 2]), canonical([2, 1]))
    assert.notStrictEqual(canonical({ a: null }), canonical({}))
    assert.strictEqual(canonical({ a: undefined }), canonical({}))
    assert.strictEqual(canonical(undefined), canonical(null))
    assert.strictEqual(canonical(JSON.parse("{\"__proto__\":{\"b\":1,\"a\":2}}")), "{\"__proto__\":{\"a\":2,\"b\":1}}")
  })

  it("leaves alone what has nothing undefined, and objects of a class of their own", () => {
    const plain = { a: [1, { b: 2 }] }
    assert.strictEqual(withoutUndefined(plain), plain)
    const date = new Date(0)
    const set = new Set([undefined])
    assert.deepStrictEqual(withoutUndefined({ date, set, no: undefined, in: [{ no: undefined }] }), {
      date,
      set,
      in: [{}]
    })
  })
})

/** The same value with the fields of each object in the order of their names. */
const inOrder = (value: unknown): unknown => JSON.parse(canonical(value))

describe("the short ways, for what needs no rewriting", () => {
  it.prop("write the same text as the plain one, and leave out the same", [Schema.Json], ([one]) => {
    for (const value of [one, rewritten(one), inOrder(one)]) {
      assert.strictEqual(canonical(value), sortedText(value))
      assert.deepStrictEqual(withoutUndefined(value), writtenAnew(value))
      assert.strictEqual(Object.is(withoutUndefined(value), value), Object.is(writtenAnew(value), value))
      assert.strictEqual(isDefined(value), Object.is(writtenAnew(value), value))
    }
  })

  it("are taken by what is in order", () => {
    const value = { a: 1, b: [{ c: undefined, d: null }, "e"], z: {} }
    assert.isTrue(isSorted(value))
    assert.strictEqual(canonical(value), sortedText(value))
  })

  it("are not taken by what writes itself in another way", () => {
    const own = { toJSON: () => ({ b: 1, a: 2 }) }
    class Own {
      b = 1
      a = 2
    }
    for (
      const value of [own, [own], { own }, new Own(), { own: new Own() }, new Date(0), { b: 1, a: 2 }, { 2: 1, 10: 2 }]
    ) {
      assert.strictEqual(canonical(value), sortedText(value))
      assert.isFalse(isSorted(value))
    }
  })
})

const strange = [
  "a",
  "\u0001",
  "\u0001a",
  "\u0001begun a",
  "\u0001answer a",
  "heirloom:6:a",
  "heirloom:6:a begun",
  "heirloom:6:a begun begun",
  "heirloom:",
  "\u0001answer \u0001begun a",
  "x".repeat(256)
]

describe("what is recorded under a key", () => {
  const ids = (keys: ReadonlyArray<string>) => keys.flatMap((key) => [answerId(key), markId(key)])

  it("never meets what is recorded under another, however strange that is", () => {
    assert.lengthOf([...new Set(ids(strange))], strange.length * 2)
  })

  it.prop("is an id that every store takes", [Schema.String, Schema.String], ([one, other]) => {
    for (const id of ids([...strange, one, one.repeat(40), "\u0001" + other].filter(isKey))) {
      assert.isTrue(isKey(id), id)
    }
    if (one !== other) assert.lengthOf([...new Set(ids([one, other]))], 4)
  })

  it("is the key itself for an answer, as in version 0.1", () => {
    assert.strictEqual(answerId("order-7"), "order-7")
  })
})
