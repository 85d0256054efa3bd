/** What is known of snapshots that are lost. */
import { assert, describe, it } from "@effect/vitest"
import { lossOf } from "../../../../src/domain/state/Answers.ts"
import { answersUpTo, stillLost } from "../../../../src/domain/state/stored/Lost.ts"

const numbered = (...seqs: ReadonlyArray<number>) => seqs.map((seq) => ({ seq }))

describe("snapshots that are lost", () => {
  it("take with them the answers that came after the last that is left", () => {
    const answers = [2, 3, 4].map((seq) => ({ id: `id-${seq}`, seq, at: seq, body: "1" }))
    const [two, three, four] = answersUpTo(answers, 3, "it rotted")
    assert.deepStrictEqual([two!, three!], answers.slice(0, 2))
    assert.deepStrictEqual([four!.id, four!.seq, four!.at, lossOf(four!)], ["id-4", 3, 4, "it rotted"])
  })

  it("are known as long as they would be kept if they were whole: until as many younger ones are", () => {
    const lost = numbered(5, 3, 2, 1)
    assert.deepStrictEqual(stillLost(lost, numbered(4), 3), numbered(5, 3, 2))
    assert.deepStrictEqual(stillLost(lost, numbered(7, 6), 3), numbered(5))
    assert.deepStrictEqual(stillLost(lost, numbered(8, 7, 6), 3), [])
    // Younger than the oldest that is kept: it lies between those that are started from.
    assert.deepStrictEqual(stillLost(lost, numbered(6, 4, 1), 3), numbered(5, 3, 2))
    assert.deepStrictEqual(stillLost(numbered(4), numbered(6, 4), 3), numbered(4))
  })
})
