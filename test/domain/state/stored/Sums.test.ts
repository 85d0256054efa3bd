/** What lies in users' files and databases: its form stays, and whatever is damaged of it is noticed. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as HeadRing from "../../../../src/domain/state/stored/HeadRing.ts"
import { damageOf, rowSum } from "../../../../src/domain/state/stored/RowSum.ts"

const { entryBytes } = HeadRing

const Head = Schema.Struct({
  id: Schema.Literals([0, 1, 7, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER]),
  seq: Schema.Literals([0, 1, 3, 2 ** 33, 4_000_000_000_000])
})

/** Entries as a ring of some places holds them: each written over the oldest, the first of them in the order `from`. */
const ringOf = (heads: ReadonlyArray<HeadRing.Head>, places = heads.length, from = 0): Uint8Array => {
  const bytes = new Uint8Array(places * entryBytes)
  const view = new DataView(bytes.buffer)
  heads.forEach((head, i) => HeadRing.write(view, ((from + i) % places) * entryBytes, head, from + i))
  return bytes
}

describe("the ring of newest snapshots", () => {
  it("is written as it always was: files of older versions are read", () => {
    const bytes = ringOf([{ id: 7, seq: 3 }, { id: 2 ** 40 + 5, seq: 1 }], 2, 11)
    assert.strictEqual(
      Buffer.from(bytes.subarray(entryBytes)).toString("hex") +
        Buffer.from(bytes.subarray(0, entryBytes)).toString("hex"),
      "a318474100000007000000000000000040080000000000004026000000000000" +
        "6452e3820000000500000100000000003ff00000000000004028000000000000"
    )
  })

  it.prop(
    "tells the last number of each key of those that it still holds, and where to go on",
    { heads: Schema.Array(Head), places: Schema.Literals([1, 2, 3, 8]), from: Schema.Literals([0, 5]) },
    ({ from, heads, places }) => {
      const { newest, next } = HeadRing.read(ringOf(heads, places, from))
      assert.deepStrictEqual([...newest], [...new Map(heads.slice(-places).map(({ id, seq }) => [id, seq]))])
      assert.strictEqual(next, heads.length === 0 ? 0 : from + heads.length)
    }
  )

  it("knows an entry no more that any bit of was damaged, and the others still", () => {
    const heads = [{ id: 1, seq: 5 }, { id: 2 ** 33 + 2, seq: 6 }, { id: 3, seq: 7 }]
    const whole = ringOf(heads)
    for (let bit = entryBytes * 8; bit < 2 * entryBytes * 8; bit++) {
      const bytes = whole.slice()
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      assert.deepStrictEqual(HeadRing.read(bytes), { newest: new Map([[1, 5], [3, 7]]), next: 3 }, `bit ${bit}`)
    }
    // Damage in more places than one of an entry, and an entry that was half written.
    const bytes = whole.slice()
    bytes.copyWithin(entryBytes, 2 * entryBytes, 2.5 * entryBytes)
    assert.deepStrictEqual([...HeadRing.read(bytes).newest], [[1, 5], [3, 7]])
    assert.deepStrictEqual([...HeadRing.read(whole.subarray(0, 2.9 * entryBytes)).newest], [[1, 5], [2 ** 33 + 2, 6]])
  })

  it("is read wherever it lies in a buffer, and knows nothing of an empty file or of one of zeros", () => {
    const ring = ringOf([{ id: 1, seq: 5 }])
    const within = new Uint8Array([1, 2, 3, ...ring, 9]).subarray(3, 3 + entryBytes)
    assert.deepStrictEqual(HeadRing.read(within), { newest: new Map([[1, 5]]), next: 1 })
    for (const size of [0, 1, entryBytes, 100]) {
      assert.deepStrictEqual(HeadRing.read(new Uint8Array(size)), HeadRing.none)
    }
    // An order that is no number would end the counting.
    const odd = new Uint8Array(entryBytes)
    for (const order of [Number.NaN, 0.5, Infinity]) {
      HeadRing.write(new DataView(odd.buffer), 0, { id: 1, seq: 5 }, order)
      assert.deepStrictEqual(HeadRing.read(odd), HeadRing.none)
    }
  })
})

const Row = Schema.Struct({
  numbers: Schema.NonEmptyArray(Schema.Literals([0, 1, 2, 2 ** 31, 2 ** 32, 2 ** 40 + 1, 1_700_000_000_000.5])),
  text: Schema.Literals([0, 1, 123_456_789, 2 ** 31, 2 ** 32 - 1])
})

describe("the sum of a row", () => {
  it("is what it always was: rows of older versions are read", () => {
    const written: ReadonlyArray<readonly [numbers: ReadonlyArray<number>, text: number, sum: number]> = [
      [[], 0, 469_556_337_376_205],
      [[1, 2, 3], 0, 392_246_852_320_697],
      [[1, 2, 3], 4_294_967_295, 392_250_399_130_182],
      [[2 ** 40 + 1, 1_700_000_000_000.5], 77, 2_077_786_900_252_469],
      [[0, 0], 123_456_789, 913_390_103_976_520]
    ]
    for (const [numbers, text, sum] of written) assert.strictEqual(rowSum(numbers, text), sum)
  })

  it.prop(
    "tells a damaged text from a damaged row, and is a safe integer",
    { row: Row, other: Row },
    ({ other, row }) => {
      const sum = rowSum(row.numbers, row.text)
      assert.isTrue(Number.isSafeInteger(sum) && sum >= 0)
      assert.isUndefined(damageOf(sum, sum))
      // As databases hand numbers out.
      assert.isUndefined(damageOf(BigInt(sum), sum))
      assert.isUndefined(damageOf(String(sum), sum))
      if (other.text !== row.text) assert.strictEqual(damageOf(rowSum(row.numbers, other.text), sum), "text")
      const isOther = other.numbers.length !== row.numbers.length || other.numbers.some((n, i) => n !== row.numbers[i])
      if (isOther) assert.strictEqual(damageOf(rowSum(other.numbers, row.text), sum), "row")
      for (const found of [null, undefined, "", "?", Number.NaN, {}]) assert.strictEqual(damageOf(found, sum), "row")
    }
  )
})
