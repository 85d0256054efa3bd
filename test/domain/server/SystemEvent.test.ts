import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { crashed } from "../../../src/domain/process/ExitReason.ts"
import { format, formatFailed, type In, type Shown } from "../../../src/domain/server/SystemEvent.ts"

const got: In = { _tag: "In", kind: "cast", request: "Put", payload: { to: 1 }, from: undefined }
const shown: Shown<string> = {
  state: "secret",
  message: { request: "Put", payload: { to: 1 } },
  reason: crashed(Cause.die("boom")),
  log: [got]
}

describe("format", () => {
  it("shows everything as it is without a hook", () => {
    assert.strictEqual(format(shown, undefined), shown)
  })

  it("shows what the hook makes of it, and the rest as it is", () => {
    assert.deepStrictEqual(format(shown, ({ state }) => ({ state: state.length })), { ...shown, state: 6 })
  })

  it("shows nothing raw but the reason when the hook throws", () => {
    const throwing = () => {
      throw new Error("hook")
    }
    assert.deepStrictEqual(format(shown, throwing), {
      state: formatFailed,
      message: { request: "Put", payload: formatFailed },
      reason: shown.reason,
      log: [formatFailed]
    })
    assert.deepStrictEqual(format({ state: "secret", log: [] }, throwing), { state: formatFailed, log: [] })
  })
})
