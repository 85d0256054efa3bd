import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import * as Unheard from "../../../src/domain/placement/Unheard.ts"
import { callError } from "../../../src/domain/process/CallError.ts"
import { shutdown } from "../../../src/domain/process/ExitReason.ts"

const whys = ["silent", "moved", "left", "full", "storage", "malformed", "start"] as const

describe("what the cluster says of a call", () => {
  it("is a reason, by the tag of its error; any other tag is none of it", () => {
    assert.deepStrictEqual(Unheard.fromTag("MailboxFull"), { why: "full", begun: false })
    assert.deepStrictEqual(Unheard.fromTag("EntityNotAssignedToRunner"), { why: "left", begun: false })
    assert.deepStrictEqual(Unheard.fromTag("PersistenceError"), { why: "storage", begun: true })
    for (const tag of ["Overdrawn", "toString", "__proto__", ""]) assert.isUndefined(Unheard.fromTag(tag))
  })

  it("is asked again where the server has moved, and nothing is done twice by it", () => {
    for (const why of whys) {
      const moves = why === "moved" || why === "storage"
      for (const begun of [true, false]) {
        for (const hasKey of [true, false]) {
          const reason = Unheard.toReason({ why, begun }, hasKey ? "a" : undefined)
          assert.strictEqual(Unheard.isAskedAgain(reason, hasKey), moves && (hasKey || !begun))
        }
      }
    }
    assert.isFalse(Unheard.isAskedAgain({ _tag: "NotRunning" }, true))
  })

  it("has moved, of a server that is handed over: begun where it ended with the message in hand, and not where it ended before", () => {
    const cause = Cause.interrupt()
    assert.deepStrictEqual(Unheard.ofHandOver({ _tag: "NotRunning", key: "a" }), { why: "moved", begun: false })
    assert.deepStrictEqual(Unheard.ofHandOver({ _tag: "NotRunning", reason: shutdown }), { why: "moved", begun: true })
    const ordered = { _tag: "Crashed", cause, willRestart: false, reason: shutdown } as const
    assert.deepStrictEqual(Unheard.ofHandOver(ordered), { why: "moved", begun: true })
    for (
      const reason of [
        { _tag: "Crashed", cause, willRestart: false },
        { _tag: "NotRunning", again: 100 },
        { _tag: "MailboxFull", capacity: 1 },
        { _tag: "NotConserved", cause }
      ] as const
    ) assert.isUndefined(Unheard.ofHandOver(reason))
  })

  it("says what happened, and what to do", () => {
    const text = (reason: ReturnType<typeof Unheard.toReason>) => callError("app/Counter/a", "Add", reason).message
    const texts = whys.map((why) => text(Unheard.toReason({ why, begun: false }, undefined, "Disk full")))
    assert.strictEqual(new Set(texts).size, whys.length)
    for (const one of texts) {
      assert.match(one, /^Add to app\/Counter\/a: .+ \(Disk full\)\. Nothing was done: sending it again is safe\.$/)
    }
    assert.include(text(Unheard.toReason(Unheard.silent, undefined)), "ask the server where it stands")
    assert.include(text(Unheard.toReason(Unheard.handedOver, "k1")), "with the idempotency key \"k1\"")
  })
})
