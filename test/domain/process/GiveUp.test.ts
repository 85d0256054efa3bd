import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { crashed, killed, normal, toText } from "../../../src/domain/process/ExitReason.ts"
import { gaveUp, isNew } from "../../../src/domain/process/GiveUp.ts"

describe("the reason of a supervisor that gives up", () => {
  it("has the cause of the child's last end", () => {
    const cause = Cause.die("boom")
    assert.deepStrictEqual(gaveUp("a", crashed(cause)), { _tag: "GaveUp", child: "a", cause })
  })

  it("says how it ended, where that was no error, and what to do about it", () => {
    const advice = "A permanent child is started again however it ends: make one that is to end transient or temporary"
    for (
      const [reason, words] of [[normal, "normal"], [
        { _tag: "Shutdown", detail: "tired" },
        "shutdown (tired)"
      ]] as const
    ) {
      assert.strictEqual(
        toText(gaveUp("a", reason)),
        `gave up on a: EndedTooOften: it ended once more than the restart budget allows, the last time as ${words}. ${advice}`
      )
    }
    assert.strictEqual(
      toText(gaveUp("a", killed)),
      "gave up on a: EndedTooOften: it ended once more than the restart budget allows, the last time as killed"
    )
  })

  it("is news where no report has shown its cause: of a child that did not crash, by the supervisor that gave up on it", () => {
    const given = (child: string, reason = normal) => {
      const reasonOf = gaveUp(child, reason)
      assert(reasonOf._tag === "GaveUp")
      return reasonOf
    }
    assert.isTrue(isNew(given("a")))
    assert.isTrue(isNew(given("a", killed)))
    assert.isFalse(isNew(given("a", crashed(Cause.die("boom")))))
    // What was given up further down has been shown there.
    assert.isFalse(isNew(given("above", given("a"))))
  })
})
