import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { join, leave } from "../../../src/domain/naming/Membership.ts"

const Members = Schema.Array(Schema.Literals(["a", "b", "c"]))
const countOf = (members: ReadonlyArray<string>, member: string) => members.filter((other) => other === member).length

describe("membership of a group", () => {
  it("is counted: a process that joined three times leaves three times", () => {
    const members = join(join([], ["a"]), ["a", "a"])
    assert.deepStrictEqual(members, ["a", "a", "a"])
    assert.deepStrictEqual(leave(members, ["a", "a"]), { members: ["a"], left: ["a", "a"] })
  })

  it("passes over a process that is no member", () => {
    assert.deepStrictEqual(leave(["a", "b"], ["c", "b", "b"]), { members: ["a"], left: ["b"] })
  })

  it("ends the youngest membership first", () => {
    assert.deepStrictEqual(leave(["a", "b", "a"], ["a"]).members, ["a", "b"])
  })

  it("compares members by the equivalence that it is given", () => {
    assert.deepStrictEqual(leave([1, 12, 3], [2], (a, b) => a === b % 10), { members: [1, 3], left: [12] })
  })

  it.prop("each member leaves as often as it is named, and joined", [Members, Members], ([members, leaving]) => {
    const after = leave(members, leaving)
    for (const member of ["a", "b", "c"]) {
      const left = Math.min(countOf(members, member), countOf(leaving, member))
      assert.strictEqual(countOf(after.left, member), left)
      assert.strictEqual(countOf(after.members, member), countOf(members, member) - left)
    }
  })
})
