import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { adviceOf, updateAdvice } from "../../../src/domain/process/UpdateAdvice.ts"
import { StoreError } from "../../../src/domain/state/stored/StoreError.ts"

const refused = (reason: StoreError["reason"], operation: StoreError["operation"] = "save") =>
  adviceOf(Cause.fail(new StoreError({ store: "test", operation, reason })))

describe("the advice that an error gives on an update", () => {
  it("is what an error of a store says: whether the update is kept, and what to do", () => {
    assert.include(refused({ _tag: "Invalid", what: "it is too deep" }), "The update is not kept")
    assert.include(refused({ _tag: "Fenced", epoch: 1, current: 2 }), "the server that has taken over can tell")
    assert.include(refused({ _tag: "Unavailable", cause: "away" }), "The update may or may not be kept")
    assert.include(refused({ _tag: "Unavailable", cause: "away" }), "its state could not be stored")
    assert.include(refused({ _tag: "Unavailable", cause: "away" }, "load"), "its state could not be loaded")
  })

  it("is none of an error that carries none, or throws when it is read", () => {
    const throwing = {
      get [updateAdvice](): string {
        throw new Error("not to be read")
      }
    }
    assert.isUndefined(adviceOf(Cause.die(new Error("boom"))))
    assert.isUndefined(adviceOf(Cause.die(throwing)))
  })
})
