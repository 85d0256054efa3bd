import { assert, describe, it } from "@effect/vitest"
import { Hash, Schema } from "effect"
import { indexOf, resize, resizeProblem } from "../../../src/domain/naming/Partition.ts"

const Count = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 64 }))
const Size = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 64 }))

describe("the partition of a key", () => {
  it("integers name the partitions one by one", () => {
    assert.deepStrictEqual([0, 1, 2, 3, 4, 5, -1, -4].map((key) => indexOf(key, 4, Hash.hash)), [
      0,
      1,
      2,
      3,
      0,
      1,
      1,
      0
    ])
  })

  it("keys that look alike spread over all partitions", () => {
    const used = new Set(Array.from({ length: 100 }, (_, i) => indexOf(`key-${i}`, 8, Hash.hash)))
    assert.strictEqual(used.size, 8)
  })

  it("and so do keys whose hashes differ in their high bits alone", () => {
    const used = new Set(Array.from({ length: 100 }, (_, i) => indexOf(`key-${i}`, 8, () => i << 8)))
    assert.strictEqual(used.size, 8)
  })

  it("no partition gets more than twice its share of many keys", () => {
    for (const name of [(i: number) => `user-${i}`, (i: number) => ["room", i], (i: number) => ({ id: i })]) {
      const counts = Array.from({ length: 8 }, () => 0)
      for (let i = 0; i < 8000; i++) counts[indexOf(name(i), 8, Hash.hash)]!++
      assert.isAtMost(Math.max(...counts), 2000)
    }
  })

  it.prop("is one of them, and equal keys have the same one", [Schema.String, Count], ([key, partitions]) => {
    const index = indexOf(key, partitions, Hash.hash)
    assert.isTrue(Number.isInteger(index) && index >= 0 && index < partitions)
    assert.strictEqual(indexOf(["room", key], partitions, Hash.hash), indexOf(["room", key], partitions, Hash.hash))
  })

  it.prop("of any number is one of them", [Schema.Number, Count], ([key, partitions]) => {
    const index = indexOf(key, partitions, Hash.hash)
    assert.isTrue(Number.isInteger(index) && index >= 0 && index < partitions)
  })
})

describe("the number of partitions", () => {
  it("can go down to 0 and up to where it began", () => {
    assert.isUndefined(resizeProblem(0, 8))
    assert.isUndefined(resizeProblem(8, 8))
    for (const none of [9, -1, 1.5, NaN]) {
      assert.strictEqual(resizeProblem(none, 8), `it must be an integer between 0 and 8, got ${none}`)
    }
  })

  it("going down stops the youngest first, and the partitions that an interrupted change left behind", () => {
    assert.deepStrictEqual(resize(3, 1, 5), { stop: [4, 3, 2, 1], start: [] })
  })

  it("going up starts the oldest that is missing first", () => {
    assert.deepStrictEqual(resize(1, 3, 5), { stop: [4, 3], start: [1, 2] })
  })

  it.prop("after a change those below it run and no other does", [Size, Size, Size], (sizes) => {
    const [from, to, initial] = [...sizes].sort((a, b) => a - b) as [number, number, number]
    for (const [a, b] of [[from, to], [to, from]] as const) {
      const running = new Set(Array.from({ length: a }, (_, i) => i))
      const { start, stop } = resize(a, b, initial)
      for (const partition of stop) running.delete(partition)
      for (const partition of start) running.add(partition)
      assert.deepStrictEqual([...running].sort((x, y) => x - y), Array.from({ length: b }, (_, i) => i))
    }
  })
})
