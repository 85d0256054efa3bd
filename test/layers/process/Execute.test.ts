/** Plain code around Effects: what foreign code answers, or throws, is a value. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber } from "effect"
import type { ExitReason } from "../../../src/domain/process/ExitReason.ts"
import { endedAs, outcomeOf } from "../../../src/layers/process/Execute.ts"

describe("how a child ended that was stopped", () => {
  it("is the reason that its stop answered", () => {
    const reason: ExitReason = { _tag: "Shutdown", detail: "mine" }
    assert.strictEqual(endedAs(Exit.succeed(reason)), reason)
  })
  it("is a crash of what its stop failed with", () => {
    assert.deepStrictEqual(endedAs(Exit.die("boom")), { _tag: "Crashed", cause: Cause.die("boom") })
  })
  it("is a crash that says so when its stop answered with no reason", () => {
    const ended = endedAs(Exit.succeed("over" as unknown as ExitReason))
    assert.isTrue(ended._tag === "Crashed" && String(Cause.squash(ended.cause)).includes("a child's stop"))
  })
})

it.effect("what a Deferred came to is there without a turn, or waited for", () =>
  Effect.gen(function*() {
    const deferred = Deferred.makeUnsafe<number>()
    const waiting = yield* Effect.forkChild(outcomeOf(deferred), { startImmediately: true })
    Deferred.doneUnsafe(deferred, Exit.succeed(7))
    assert.strictEqual(yield* Fiber.join(waiting), 7)
    assert.deepStrictEqual(outcomeOf(deferred), Exit.succeed(7))
  }))
