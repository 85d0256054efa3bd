import { assert, describe, it } from "@effect/vitest"
import * as Draws from "../../../src/domain/testing/Draws.ts"

const many = (seed: number, n = 1000) => {
  const draws = Draws.make(seed)
  return Array.from({ length: n }, () => draws.next())
}

describe("draws", () => {
  it("are the same for the same seed, and others for another", () => {
    assert.deepStrictEqual(many(7), many(7))
    assert.notDeepEqual(many(7), many(8))
  })

  it("are what they were in every version: a seed that was written down keeps its meaning", () => {
    assert.deepStrictEqual(many(1, 3), [0.6270739405881613, 0.002735721180215478, 0.5274470399599522])
    assert.strictEqual(Draws.seedOf("a", 1), Draws.seedOf("a", 1))
    assert.strictEqual(Draws.seedOf("clients", 42), -1631668411)
  })

  it("lie from 0 to below 1, spread evenly", () => {
    const draws = many(3, 10_000)
    for (const draw of draws) assert.isTrue(draw >= 0 && draw < 1)
    for (let tenth = 0; tenth < 10; tenth++) {
      assert.closeTo(draws.filter((draw) => Math.floor(draw * 10) === tenth).length, 1000, 120)
    }
  })

  it("give integers below a bound, chances, and one of several", () => {
    const draws = Draws.make(5)
    const integers = Array.from({ length: 1000 }, () => draws.below(4))
    assert.deepStrictEqual([...new Set(integers)].sort(), [0, 1, 2, 3])
    const chances = Array.from({ length: 1000 }, () => draws.chance(0.2)).filter((is) => is).length
    assert.closeTo(chances, 200, 50)
    assert.deepStrictEqual(Array.from({ length: 100 }, () => draws.chance(0)).filter((is) => is), [])
    assert.deepStrictEqual([...new Set(Array.from({ length: 100 }, () => draws.pick(["a", "b"])))].sort(), ["a", "b"])
  })

  it("have a seed of their own for each purpose", () => {
    const seeds = ["a", "b", "ab"].flatMap((name) => [1, 2, 12].map((n) => Draws.seedOf(name, n)))
    assert.strictEqual(new Set(seeds).size, seeds.length)
    assert.notStrictEqual(Draws.seedOf("a", "b"), Draws.seedOf("ab"))
    const firsts = Array.from({ length: 1000 }, (_, seed) => Draws.make(Draws.seedOf("x", seed)).next())
    assert.closeTo(firsts.reduce((a, b) => a + b) / firsts.length, 0.5, 0.05)
  })
})
