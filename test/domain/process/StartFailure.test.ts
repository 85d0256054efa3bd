import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { crashed, killed } from "../../../src/domain/process/ExitReason.ts"
import { defaultShutdown, patienceFor } from "../../../src/domain/process/Fate.ts"
import { EndedInStart, reasonOfStart, StartUndone } from "../../../src/domain/process/StartFailure.ts"

describe("a start that failed", () => {
  it("is no crash where it was broken off for the store, or ended by a signal", () => {
    const cause = Cause.die("disk")
    const undone = new StartUndone({ server: "Clerk", cause })
    assert.deepStrictEqual(reasonOfStart(Cause.fail(undone)), { _tag: "NotConserved", cause })
    assert.match(undone.message, /^Clerk was starting .* could not be stored/)
    const ended = new EndedInStart({ server: "Clerk", reason: killed })
    assert.deepStrictEqual(reasonOfStart(Cause.fail(ended)), killed)
    assert.strictEqual(ended.message, "Clerk was ended while it was starting: killed.")
    for (const other of [Cause.fail("no"), Cause.die(new Error("boom")), Cause.interrupt()]) {
      assert.deepStrictEqual(reasonOfStart(other), crashed(other))
    }
  })
})

describe("how long an end may take", () => {
  it("is what its spec says, and after a kill no longer than a worker's", () => {
    for (const shutdown of [0, defaultShutdown - 1, defaultShutdown, defaultShutdown + 1, Infinity]) {
      assert.strictEqual(patienceFor({ _tag: "Shutdown" }, shutdown), shutdown)
      assert.strictEqual(patienceFor(killed, shutdown), Math.min(shutdown, 5000))
    }
  })
})
