import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { crashed } from "../../../src/domain/process/ExitReason.ts"
import { format, formatFailed, type In, type Shown } from "../../../src/domain/server/SystemEvent.ts"
import { hostiles } from "../../kit/Hostile.ts"

const got: In = { _tag: "In", kind: "cast", request: "Put", payload: { to: 1 }, from: undefined }
const shown: Shown<string> = {
  state: "secret",
  message: { request: "Put", payload: { to: 1 } },
  reason: crashed(Cause.die("boom")),
  log: [got]
}

const unheard = (): never => assert.fail("nothing has failed")

describe("format", () => {
  it("shows everything as it is without a hook", () => {
    assert.strictEqual(format(shown, undefined, unheard), shown)
  })

  it("shows what the hook makes of it, and the rest as it is", () => {
    assert.deepStrictEqual(format(shown, ({ state }) => ({ state: state.length }), unheard), { ...shown, state: 6 })
  })

  it("shows nothing raw but the reason when the hook throws", () => {
    const throwing = () => {
      throw new Error("hook")
    }
    const heard: Array<unknown> = []
    const hear = (defect: unknown) => heard.push(defect)
    assert.deepStrictEqual(format(shown, throwing, hear), {
      state: formatFailed,
      message: { request: "Put", payload: formatFailed },
      reason: shown.reason,
      log: [formatFailed]
    })
    assert.deepStrictEqual(format({ state: "secret", log: [] }, throwing, hear), { state: formatFailed, log: [] })
    assert.deepStrictEqual(heard.map(String), ["Error: hook", "Error: hook"])
  })

  it.each(hostiles)("shows what the hook makes of it, or nothing raw, when it answers with %s", (_, make) => {
    let failures = 0
    const formatted = format(shown, (() => make()) as () => {}, () => failures++)
    assert.notInclude(JSON.stringify(failures === 0 ? {} : formatted.state), "secret")
    assert.isObject(formatted)
  })

  it.each(hostiles)("answers with a log that can be read, also when that of the hook is %s", (_, make) => {
    const formatted = format(shown, (() => ({ log: make() })) as () => {}, () => {})
    assert.isAtMost(formatted.log!.length, 1000)
    assert.isTrue(formatted.log!.every((event) => event !== shown))
  })

  it("shows nothing raw when the hook answers with nothing, or later", async () => {
    for (const answer of [undefined, "text", Promise.resolve({ state: 1 }), Promise.reject(new Error("late"))]) {
      const heard: Array<unknown> = []
      const formatted = format(shown, (() => answer) as () => {}, (defect) => heard.push(defect))
      assert.strictEqual(formatted.state, formatFailed)
      assert.lengthOf(heard, 1)
    }
  })
})
