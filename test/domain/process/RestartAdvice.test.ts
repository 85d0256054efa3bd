import { assert, describe, it } from "@effect/vitest"
import { adviceOf, restartAdvice } from "../../../src/domain/process/RestartAdvice.ts"

describe("RestartAdvice.adviceOf", () => {
  it("is what an error carries, and nothing for any other value", () => {
    assert.strictEqual(adviceOf({ [restartAdvice]: "futile" }), "futile")
    const others = [undefined, null, 1, "futile", new Error("boom"), Object.create(null)]
    assert.deepStrictEqual(others.map(adviceOf), others.map(() => undefined))
  })

  it("is nothing for an error that throws when it is read", () => {
    const hostile = new Proxy({}, {
      has: () => {
        throw new Error("has")
      }
    })
    const throwing = {
      get [restartAdvice]() {
        throw new Error("get")
      }
    }
    assert.deepStrictEqual([hostile, throwing].map(adviceOf), [undefined, undefined])
  })
})
