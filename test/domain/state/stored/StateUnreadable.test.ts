import { assert, describe, it } from "@effect/vitest"
import { stateUnreadable } from "../../../../src/domain/state/stored/StateUnreadable.ts"

const where = { store: "memory", key: "shop/Till", seq: 4 }

describe("a state that cannot be read", () => {
  it("says where it is, of what version, and what reading it came to; the defect where a migration died", () => {
    const boom = new Error("boom")
    const died = stateUnreadable(where, { _tag: "MigrationDied", version: 1, to: 2, defect: boom })
    assert.deepInclude({ ...died }, { ...where, version: 1, how: "MigrationDied" })
    assert.strictEqual(died.defect, boom)
    assert.include(died.why, "boom")
    const text = stateUnreadable(where, { _tag: "Undecodable", version: 3, issue: "no number" })
    assert.deepInclude({ ...text }, { ...where, version: 3, how: "Undecodable" })
    assert.notProperty({ ...text }, "defect")
    assert.include(text.why, "no number")
    for (const part of ["memory", "shop/Till", "4"]) assert.include(text.message, part)
  })

  it("says what was found of the one before, too", () => {
    const alone = stateUnreadable(where, { _tag: "Undecodable", version: 3, issue: "no number" })
    const after = stateUnreadable(
      where,
      { _tag: "Undecodable", version: 3, issue: "no number" },
      "snapshot 5 is damaged"
    )
    assert.strictEqual(after.why, `${alone.why} (and snapshot 5 is damaged)`)
  })
})
