import { assert, describe, it } from "@effect/vitest"
import { Cause, Exit, Schema } from "effect"
import * as ExitReason from "../../../src/domain/process/ExitReason.ts"

const boom = Cause.die(new Error("boom"))

describe("why an incarnation ended", () => {
  it("success is normal; a failure, a defect and an interruption are crashes", () => {
    assert.deepStrictEqual(ExitReason.fromExit(Exit.succeed(1)), { _tag: "Normal" })
    for (const cause of [Cause.fail("no"), boom, Cause.interrupt()]) {
      assert.deepStrictEqual(ExitReason.fromExit(Exit.failCause(cause)), { _tag: "Crashed", cause })
    }
  })

  it("normal and shutdown are orderly, everything else is not", () => {
    const orderly = [ExitReason.normal, ExitReason.shutdown, { _tag: "Shutdown", detail: "tired" }] as const
    const abnormal = [
      ExitReason.killed,
      ExitReason.crashed(boom),
      { _tag: "GaveUp", child: "a", cause: boom },
      { _tag: "NotConserved", cause: boom }
    ] as const
    for (const reason of orderly) assert.isTrue(ExitReason.isOrderly(reason))
    for (const reason of abnormal) assert.isFalse(ExitReason.isOrderly(reason))
  })

  it("has one line for people", () => {
    const lines: ReadonlyArray<readonly [ExitReason.ExitReason, string]> = [
      [ExitReason.normal, "normal"],
      [ExitReason.shutdown, "shutdown"],
      [{ _tag: "Shutdown", detail: "tired" }, "shutdown (tired)"],
      [ExitReason.killed, "killed"],
      [ExitReason.crashed(boom), "crashed: Error: boom"],
      [ExitReason.crashed(Cause.interrupt()), "crashed: interrupted"],
      [ExitReason.crashed(Cause.fail("no")), "crashed: no"],
      [ExitReason.crashed(Cause.empty), "crashed: no cause was given"],
      [{ _tag: "GaveUp", child: "a", cause: boom }, "gave up on a: Error: boom"],
      [{ _tag: "NotConserved", cause: boom }, "state not conserved: Error: boom"]
    ]
    for (const [reason, line] of lines) assert.strictEqual(ExitReason.toText(reason), line)
  })

  it("ends a fiber in its own way: in order, by an interruption, or with its cause", () => {
    const gaveUp = { _tag: "GaveUp", child: "a", cause: boom } as const
    const notConserved = { _tag: "NotConserved", cause: boom } as const
    for (const reason of [ExitReason.normal, ExitReason.shutdown]) {
      assert.deepStrictEqual(ExitReason.toExit(reason), Exit.succeed(reason))
      assert.strictEqual(ExitReason.toCause(reason), Cause.empty)
    }
    const ended = ExitReason.toExit(ExitReason.killed)
    assert.isTrue(Exit.isFailure(ended) && Cause.hasInterruptsOnly(ended.cause))
    assert.strictEqual(ExitReason.toCause(ExitReason.killed), Cause.empty)
    for (const reason of [ExitReason.crashed(boom), gaveUp, notConserved]) {
      assert.deepStrictEqual(ExitReason.toExit(reason), Exit.failCause(boom))
      assert.strictEqual(ExitReason.toCause(reason), boom)
    }
  })

  it("goes through its schema and comes back", () => {
    const codec = Schema.toCodecJson(ExitReason.ExitReason)
    for (const reason of [ExitReason.normal, ExitReason.killed, { _tag: "Shutdown", detail: "tired" }] as const) {
      assert.deepStrictEqual(Schema.decodeSync(codec)(Schema.encodeSync(codec)(reason)), reason)
    }
    const crash = Schema.decodeSync(codec)(Schema.encodeSync(codec)(ExitReason.crashed(boom)))
    assert.strictEqual(ExitReason.toText(crash), "crashed: Error: boom")
  })
})
