import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { wayDown } from "../../../src/domain/server/WaitCycle.ts"

const node = Schema.Literals([0, 1, 2, 3, 4, 5])
const Waits = Schema.Array(Schema.Struct({ who: node, whom: node })).check(Schema.isMaxLength(12))

describe("a wait for what waits already", () => {
  it.prop(
    "is found, by the shortest way, when there is one, and only then",
    { waits: Waits, goal: node, from: node },
    ({
      from,
      goal,
      waits
    }) => {
      const waitersOf = (node: number) => waits.filter(({ whom }) => whom === node).map(({ who }) => who)
      // All that waits for it in so many steps.
      let reached = new Set<number>([from])
      let steps = 0
      while (!reached.has(goal) && steps < 7) {
        reached = new Set([...reached, ...[...reached].flatMap(waitersOf)])
        steps++
      }
      const way = wayDown<number>(goal, from, waitersOf)
      if (!reached.has(goal)) return assert.isUndefined(way)
      assert.isDefined(way)
      assert.deepStrictEqual([way[0], way.at(-1), way.length], [goal, from, steps + 1])
      way.slice(1).forEach((below, i) => assert.include(waitersOf(below), way[i]!))
    }
  )

  it("asks each once, on a way of any length", () => {
    let asked = 0
    const way = wayDown(0, 100_000, (node) => {
      asked++
      return [node - 1, node - 1, node]
    })
    assert.deepStrictEqual([way?.length, way?.[1], asked], [100_001, 1, 100_000])
  })
})
