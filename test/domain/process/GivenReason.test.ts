import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { InvalidOption } from "../../../src/domain/options/InvalidOption.ts"
import type { ExitReason } from "../../../src/domain/process/ExitReason.ts"
import { given } from "../../../src/domain/process/GivenReason.ts"
import { hostiles } from "../../kit/Hostile.ts"

const cause = Cause.die("boom")

const reasons: ReadonlyArray<ExitReason> = [
  { _tag: "Normal" },
  { _tag: "Shutdown" },
  { _tag: "Shutdown", detail: "for the night" },
  { _tag: "Killed" },
  { _tag: "Crashed", cause },
  { _tag: "NotConserved", cause },
  { _tag: "GaveUp", child: "a", cause }
]

const noReasons: ReadonlyArray<readonly [string, () => unknown]> = [
  ...hostiles,
  ["a word", () => "normal"],
  ["a tag that is none", () => ({ _tag: "Gone" })],
  ["a crash without a cause", () => ({ _tag: "Crashed" })],
  ["a crash of an error", () => ({ _tag: "Crashed", cause: new Error("boom") })],
  ["a detail that is no text", () => ({ _tag: "Shutdown", detail: 1 })],
  ["a child that is none", () => ({ _tag: "GaveUp", cause })]
]

describe("a reason that is given by hand", () => {
  it.each(reasons)("is the same when it is one: %o", (reason) => {
    assert.strictEqual(given("Next.stop", reason), reason)
  })

  it.each(noReasons)("is refused when it is %s, and the refusal says where", (_, make) => {
    let refusal: unknown
    try {
      given("Next.stop", make() as ExitReason)
    } catch (error) {
      refusal = error
    }
    assert.instanceOf(refusal, InvalidOption)
    assert.match(refusal.message, /^Next\.stop was given .* as reason: it must be an ExitReason/s)
    assert.isBelow(refusal.message.length, 3000)
  })
})
