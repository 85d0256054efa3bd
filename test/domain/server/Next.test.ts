import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import * as Next from "../../../src/domain/server/Next.ts"

describe("the answers of a handler", () => {
  it("reply, noReply and stop are distinguished from any plain state", () => {
    for (const next of [Next.reply(1, 2), Next.noReply(2), Next.stop("normal")]) assert.isTrue(Next.isNext(next))
    const plain = [
      undefined,
      null,
      0,
      [1, 2],
      { _tag: "Reply", reply: 1, state: 2, options: {} },
      Next.start(1),
      Next.ignore
    ]
    for (const state of plain) assert.isFalse(Next.isNext(state))
  })

  it("have the reply, the state and the options that they were given", () => {
    const options = { idleAfter: "1 second", hibernate: true } as const
    assert.deepStrictEqual({ ...Next.reply(1, 2, options) }, { _tag: "Reply", reply: 1, state: 2, options })
    assert.deepStrictEqual({ ...Next.noReply(2, options) }, { _tag: "NoReply", state: 2, options })
    assert.deepStrictEqual({ ...Next.start(3, options) }, { _tag: "Start", state: 3, options })
    assert.deepStrictEqual([Next.reply(1, 2).options, Next.noReply(2).options, Next.start(3).options], [{}, {}, {}])
  })

  it("stop takes OTP's words or any reason", () => {
    assert.deepStrictEqual(Next.stop("normal").reason, { _tag: "Normal" })
    assert.deepStrictEqual(Next.stop("shutdown").reason, { _tag: "Shutdown" })
    const crashed = { _tag: "Crashed", cause: Cause.die("boom") } as const
    assert.strictEqual(Next.stop(crashed).reason, crashed)
    // Past the type checker.
    assert.throws(() => Next.stop("done" as "normal"), "Next.stop was given \"done\" as reason")
  })

  it("a reply or a last state that is undefined is still one", () => {
    assert.isTrue("reply" in Next.stop("normal", { reply: undefined }).answer)
    assert.isFalse("reply" in Next.stop("normal", { state: 1 }).answer)
  })
})
