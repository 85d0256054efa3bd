import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { killed } from "../../../../src/domain/process/ExitReason.ts"
import { type Change, Unstored } from "../../../../src/domain/state/shown/Change.ts"

const committed = (seq: number, isConserved: boolean): Change<number> => ({
  _tag: "Committed",
  state: seq,
  seq,
  incarnation: 1,
  isConserved
})
const ended: Change<number> = { _tag: "Ended", incarnation: 1, reason: killed }

const text = (change: Change<number>) =>
  change._tag === "Committed" ? `${change.seq}${change.isConserved ? "" : "?"}` : "end"
const texts = (changes: ReadonlyArray<Change<number>>) => changes.map(text).join(" ")

describe("what a reader of stored states waits for", () => {
  it("is shown when it is stored, in order, and what comes after it waits with it", () => {
    const unstored = new Unstored<number>(9, "newest")
    assert.strictEqual(texts(unstored.add(committed(1, true))), "1")
    assert.strictEqual(texts(unstored.add(committed(2, false))), "")
    assert.strictEqual(texts(unstored.add(ended)), "")
    assert.strictEqual(texts(unstored.add(committed(3, false))), "")
    assert.strictEqual(texts(unstored.stored(2)), "2 end")
    assert.isFalse(unstored.isEmpty)
    assert.strictEqual(texts(unstored.stored(3)), "3")
    assert.isTrue(unstored.isEmpty)
  })

  it("is not shown when it will not be stored; the end that it was lost with is", () => {
    const unstored = new Unstored<number>(9, "newest")
    unstored.add(committed(2, false))
    unstored.add(ended)
    assert.strictEqual(texts(unstored.lost()), "end")
    assert.strictEqual(texts(unstored.stored(2)), "")
  })

  it("is one change where two commits are stored as one", () => {
    const unstored = new Unstored<number>(9, "newest")
    unstored.add({ _tag: "Committed", state: 7, seq: 2, incarnation: 1, isConserved: false })
    unstored.add({ _tag: "Committed", state: 8, seq: 2, incarnation: 1, isConserved: false })
    assert.deepStrictEqual(unstored.stored(2).map((change) => "state" in change ? change.state : 0), [8])
  })

  it.prop(
    "is never more than there is room for, and what is left of it is the newest, or the oldest",
    [
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 12 }))
    ],
    ([capacity, count]) => {
      const newest = new Unstored<number>(capacity, "newest")
      const oldest = new Unstored<number>(capacity, "oldest")
      const all = Array.from({ length: count }, (_, i) => i + 1)
      for (const seq of all) for (const one of [newest, oldest]) one.add(committed(seq, false))
      assert.strictEqual(texts(newest.stored(count)), all.slice(-capacity).join(" "))
      assert.strictEqual(texts(oldest.stored(count)), all.slice(0, capacity).join(" "))
    }
  )
})
