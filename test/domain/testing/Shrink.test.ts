import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Shrink from "../../../src/domain/testing/Shrink.ts"

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i)
const Needed = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 99 })))

describe("making a list short", () => {
  it.prop("leaves the items that are needed, in their order, and nothing else", [Needed], ([drawn]) => {
    const needed = new Set(drawn)
    const { items } = Shrink.list(upTo(100), 10_000, (part) => {
      assert.deepStrictEqual(part, [...part].sort((a, b) => a - b))
      return [...needed].every((one) => part.includes(one))
    })
    assert.deepStrictEqual(items, [...needed].sort((a, b) => a - b))
  })

  it("leaves out single items as long as that leads on", () => {
    // Beside the 3, each item can go only when those after it have gone.
    const { items } = Shrink.list(
      upTo(16),
      1000,
      (part) => part.includes(3) && part.filter((one) => one !== 3).every((one, i) => one === (i < 3 ? i : i + 1))
    )
    assert.deepStrictEqual(items, [3])
  })

  it("asks few times where little is needed", () => {
    const { asked, items } = Shrink.list(upTo(1000), 1000, (part) => part.includes(617))
    assert.deepStrictEqual(items, [617])
    assert.isBelow(asked, 40)
  })

  it("stops asking when it has asked often enough, with what is known to fail by then", () => {
    let asked = 0
    const shrunk = Shrink.list(upTo(64), 10, (part) => {
      asked++
      return part.includes(1) && part.includes(60)
    })
    assert.deepStrictEqual([asked, shrunk.asked], [10, 10])
    assert.includeMembers([...shrunk.items], [1, 60])
    assert.isBelow(shrunk.items.length, 64)
  })

  it("finds that nothing is needed", () => {
    assert.deepStrictEqual(Shrink.list(upTo(10), 100, () => true), { items: [], asked: 1 })
    assert.deepStrictEqual(Shrink.list([], 100, () => true), { items: [], asked: 0 })
  })
})
