/** The turns of the writes of one client, as it remembers them. */
import { assert, describe, it } from "@effect/vitest"
import { Turns } from "../../../../src/layers/state/sql/SqlTurns.ts"

describe("the turns of writes", () => {
  it("are remembered by epoch: the last one that is stored", () => {
    const turns = new Turns()
    assert.deepStrictEqual([turns.next(), turns.before(1)], [1, 0])
    turns.done([1, 2])
    turns.next()
    turns.done([2])
    assert.deepStrictEqual([turns.before(1), turns.before(2), turns.before(3)], [1, 2, 0])
  })

  it("of a hundred thousand epochs at most: the oldest are forgotten", () => {
    const turns = new Turns()
    turns.next()
    turns.done(Array.from({ length: 100_002 }, (_, epoch) => epoch))
    assert.deepStrictEqual([0, 1, 2, 100_001].map((epoch) => turns.before(epoch)), [0, 0, 1, 1])
  })
})
