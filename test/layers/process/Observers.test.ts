import { assert, describe, it } from "@effect/vitest"
import { normal } from "../../../src/domain/process/ExitReason.ts"
import { Observers } from "../../../src/layers/process/Observers.ts"

const failed = (defect: unknown): never => {
  throw defect
}

describe("Observers", () => {
  it("calls each observer of the incarnation once, in the order in which they came, and forgets it", () => {
    const observers = new Observers()
    const calls: Array<string> = []
    const first = (incarnation: number) => calls.push(`first ${incarnation}`)
    observers.addExit(first)
    observers.addExit((incarnation) => calls.push(`second ${incarnation}`))
    observers.addExit(first)
    observers.exited(1, normal, failed)
    observers.exited(2, normal, failed)
    assert.deepStrictEqual(calls, ["first 1", "second 1"])
    assert.isTrue(observers.isEmpty)
  })

  it("keeps an observer that another one adds meanwhile for the next end", () => {
    const observers = new Observers()
    const calls: Array<string> = []
    observers.addExit(() => observers.addExit(() => calls.push("added")))
    observers.exited(1, normal, failed)
    assert.deepStrictEqual(calls, [])
    observers.exited(2, normal, failed)
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
    observers.exited(1, normal, failed)
    assert.deepStrictEqual(calls, [])
    assert.isFalse(observers.isEmpty)
    observers.gone(normal, failed)
    observers.gone(normal, failed)
    assert.deepStrictEqual(calls, ["gone"])
  })

  it("calls the others when one throws, and tells of it", () => {
    const observers = new Observers()
    const calls: Array<string> = []
    const boom = () => {
      throw new Error("boom")
    }
    for (const add of [(o: () => void) => observers.addExit(o), (o: () => void) => observers.addGone(o)]) {
      add(() => calls.push("first"))
      add(boom)
      add(() => calls.push("last"))
    }
    const tell = (defect: unknown) => calls.push(String(defect))
    observers.exited(1, normal, tell)
    observers.gone(normal, tell)
    assert.deepStrictEqual(calls, ["first", "Error: boom", "last", "first", "Error: boom", "last"])
  })

  it("calls those that wait for its return once, when it is started again", () => {
    const observers = new Observers()
    const calls: Array<string> = []
    observers.returned(failed)
    observers.addReturn(() => calls.push("first"))
    observers.addReturn(() => {
      calls.push("second")
      observers.addReturn(() => calls.push("next time"))
    })
    assert.deepStrictEqual([observers.isEmpty, observers.hasGone], [false, false])
    observers.exited(1, normal, failed)
    observers.gone(normal, failed)
    assert.deepStrictEqual(calls, [])
    observers.returned(failed)
    assert.deepStrictEqual(calls.splice(0), ["first", "second"])
    observers.returned(failed)
    assert.deepStrictEqual(calls, ["next time"])
    assert.isTrue(observers.isEmpty)
  })

  it("says whether the end of the process itself is observed", () => {
    const observers = new Observers()
    const observer = () => {}
    observers.addExit(observer)
    assert.isFalse(observers.hasGone)
    observers.addGone(observer)
    assert.isTrue(observers.hasGone)
    observers.removeGone(observer)
    assert.deepStrictEqual([observers.hasGone, observers.isEmpty], [false, false])
    observers.removeExit(observer)
    assert.isTrue(observers.isEmpty)
  })
})
