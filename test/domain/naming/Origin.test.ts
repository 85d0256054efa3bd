import { assert, it } from "@effect/vitest"
import { inherited } from "../../../src/domain/naming/Origin.ts"

it("what an incarnation makes of itself takes the place of the oldest that one before it has made", () => {
  const all = [{ by: 0 }, { by: 3 }, { by: 2 }, { by: 1 }]
  assert.strictEqual(inherited(all, 3), all[2])
  assert.strictEqual(inherited(all, 4), all[1])
})

it("and of none that others, or it itself, have made", () => {
  assert.isUndefined(inherited([{ by: 0 }, { by: 2 }], 2))
})

it("what others make takes no place", () => {
  assert.isUndefined(inherited([{ by: 1 }], 0))
})
