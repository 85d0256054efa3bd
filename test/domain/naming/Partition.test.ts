import { assert, describe, it } from "@effect/vitest"
import { Hash, Schema } from "effect"
import { indexOf } from "../../../src/domain/naming/Partition.ts"

const Count = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 64 }))

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

  it.prop("is one of them, and equal keys have the same one", [Schema.String, Count], ([key, partitions]) => {
    const index = indexOf(key, partitions, Hash.hash)
    assert.isTrue(Number.isInteger(index) && index >= 0 && index < partitions)
    assert.strictEqual(indexOf(["room", key], partitions, Hash.hash), indexOf(["room", key], partitions, Hash.hash))
  })

  it.prop("of any integer is one of them", [Schema.Int, Count], ([key, partitions]) => {
    const index = indexOf(key, partitions, Hash.hash)
    assert.isTrue(Number.isInteger(index) && index >= 0 && index < partitions)
  })
})
