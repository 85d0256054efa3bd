import { assert, describe, it } from "@effect/vitest"
import { normal } from "../../../src/domain/process/ExitReason.ts"
import { Observers } from "../../../src/layers/process/Observers.ts"

describe("Observers", () => {
  it("calls each observer of the incarnation once, in the order in which they came, and forgets it", () => {
    const observers = new Observers()
    const calls: Array<string> = []
    const first = (incarnation: number) => calls.push(`first ${incarnation}`)
    observers.addExit(first)
    observers.addExit((incarnation) => calls.push(`second ${incarnation}`))
    observers.addExit(first)
    observers.exited(1, normal)
    observers.exited(2, normal)
    assert.deepStrictEqual(calls, ["first 1", "second 1"])
    assert.isTrue(observers.isEmpty)
  })

  it("keeps an observer that another one adds meanwhile for the next end", () => {
    const observers = new Observers()
    const calls: Array<string> = []
    observers.addExit(() => observers.addExit(() => calls.push("added")))
    observers.exited(1, normal)
    assert.deepStrictEqual(calls, [])
    observers.exited(2, normal)
    assert.deepStrictEqual(calls, ["added"])
  })

  it("tells the two ends apart, and calls none that was removed", () => {
    const observers = new Observers()
    const calls: Array<string> = []
    const removed = () => calls.push("removed")
    observers.addExit(removed)
    observers.addGone(removed)
    observers.addGone(() => calls.push("gone"))
    observers.removeExit(removed)
    observers.removeGone(removed)
    observers.exited(1, normal)
    assert.deepStrictEqual(calls, [])
    assert.isFalse(observers.isEmpty)
    observers.gone(normal)
    observers.gone(normal)
    assert.deepStrictEqual(calls, ["gone"])
  })
})
