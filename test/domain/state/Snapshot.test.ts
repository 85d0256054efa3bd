import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { isAccepted, isSame, type Snapshot } from "../../../src/domain/state/Snapshot.ts"

const Commits = Schema.Array(Schema.Struct({
  kind: Schema.Literals(["take over", "commit"]),
  incarnation: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 6 })),
  state: Schema.Int
}))

describe("isAccepted, the fencing rule", () => {
  it("refuses a commit from below the fence, and takes one from it or above", () => {
    assert.isFalse(isAccepted(3, 2))
    assert.isTrue(isAccepted(3, 3))
    assert.isTrue(isAccepted(3, 4))
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
        const accepted = isAccepted(fence, incarnation)
        assert.strictEqual(!accepted, incarnation < fence)
        if (accepted) kept = { state, seq: (kept?.seq ?? 0) + 1, incarnation }
        assert.isTrue(kept === undefined || !accepted || kept.incarnation >= fence)
      }
    }
  )
})

it("isSame tells states apart as Object.is does", () => {
  const states = [0, -0, 1, Number.NaN, "", "0", null, undefined, true, {}, [], 1n, Symbol.iterator]
  for (const a of states) for (const b of states) assert.strictEqual(isSame(a, b), Object.is(a, b))
})
