import { assert, describe, it } from "@effect/vitest"
import { covers, grades } from "../../../src/domain/state/Survival.ts"

describe("grades of survival", () => {
  it("are ordered: nothing, crash, process, machine", () => {
    assert.deepStrictEqual(grades, ["nothing", "crash", "process", "machine"])
  })

  it("each covers itself and every lower one, and no higher one", () => {
    for (const [high, granted] of grades.entries()) {
      for (const [low, demanded] of grades.entries()) assert.strictEqual(covers(granted, demanded), low <= high)
    }
  })
})
