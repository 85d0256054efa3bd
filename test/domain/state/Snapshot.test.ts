import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { accept, type Snapshot } from "../../../src/domain/state/Snapshot.ts"

const Commits = Schema.Array(Schema.Struct({
  kind: Schema.Literals(["take over", "commit"]),
  incarnation: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 6 })),
  state: Schema.Int
}))

describe("accept, the fencing rule", () => {
  it("counts the commits of one server over all its incarnations, from 1", () => {
    const first = accept(undefined, 1, 1, "a")
    assert.deepStrictEqual(first, { state: "a", seq: 1, incarnation: 1 })
    assert.deepStrictEqual(accept(first, 2, 2, "b"), { state: "b", seq: 2, incarnation: 2 })
  })

  it("refuses a commit from below the fence, and takes one from it or above", () => {
    const kept: Snapshot<string> = { state: "a", seq: 7, incarnation: 2 }
    assert.isUndefined(accept(kept, 3, 2, "late"))
    assert.deepStrictEqual(accept(kept, 3, 3, "b"), { state: "b", seq: 8, incarnation: 3 })
    assert.deepStrictEqual(accept(kept, 3, 4, "b"), { state: "b", seq: 8, incarnation: 4 })
  })

  it.prop(
    "in any order of incarnations, only commits of the youngest that took over count",
    [Commits],
    ([commits]) => {
      let fence = 0
      let kept: Snapshot<number> | undefined
      for (const { incarnation, kind, state } of commits) {
        if (kind === "take over") {
          fence = Math.max(fence, incarnation)
          continue
        }
        const next = accept(kept, fence, incarnation, state)
        assert.strictEqual(next === undefined, incarnation < fence)
        if (next === undefined) continue
        assert.deepStrictEqual(next, { state, seq: (kept?.seq ?? 0) + 1, incarnation })
        kept = next
      }
    }
  )
})
