import { assert, describe, it } from "@effect/vitest"
import type { Lifecycle } from "../../../src/domain/observation/Lifecycle.ts"
import { killed } from "../../../src/domain/process/ExitReason.ts"
import * as LifeLaws from "../../../src/domain/testing/LifeLaws.ts"

const about = (incarnation: number, id = "a") => ({ path: ["app", id], at: 0, kind: "worker", incarnation }) as const
const started = (incarnation: number, id?: string): Lifecycle => ({ _tag: "Started", ...about(incarnation, id) })
const exited = (incarnation: number, id?: string): Lifecycle => ({
  _tag: "Exited",
  ...about(incarnation, id),
  reason: killed
})

const brokenBy = (...events: ReadonlyArray<Lifecycle>) => {
  const watch = LifeLaws.make()
  for (const event of events) LifeLaws.see(watch, event)
  return watch.broken
}

describe("incarnations", () => {
  it("come one after the other, each with a higher number", () => {
    assert.deepStrictEqual(brokenBy(started(1), exited(1), started(2), exited(2), started(5)), [])
    assert.deepStrictEqual(brokenBy(started(1), started(1, "b"), exited(1, "b"), exited(1)), [])
  })

  it("are not two at a time", () => {
    assert.deepStrictEqual(brokenBy(started(1), started(2)), ["app > a #2 began while #1 was up"])
  })

  it("do not go back", () => {
    assert.deepStrictEqual(brokenBy(started(3), exited(3), started(2)), ["app > a #2 began after #3"])
    assert.deepStrictEqual(brokenBy(started(3), exited(3), started(3)), ["app > a #3 began after #3"])
  })

  it("do not end without having been up, nor twice", () => {
    assert.deepStrictEqual(brokenBy(exited(1)), ["app > a #1 ended, and was not up"])
    assert.deepStrictEqual(brokenBy(started(1), exited(1), exited(1)), ["app > a #1 ended, and was not up"])
    assert.deepStrictEqual(brokenBy(started(1), exited(2)), ["app > a #2 ended, and was not up"])
  })

  it("of processes that share a path cannot be judged", () => {
    assert.deepStrictEqual(
      brokenBy(started(1), started(1), exited(1), exited(1), started(2), started(3), exited(7)),
      []
    )
  })

  it("count anew when the process of the app is gone", () => {
    const watch = LifeLaws.make()
    LifeLaws.see(watch, started(4))
    LifeLaws.gone(watch)
    for (const event of [started(2), exited(2), started(3), started(4)]) LifeLaws.see(watch, event)
    assert.deepStrictEqual(watch.broken, ["app > a #4 began while #3 was up"])
  })

  it("are all that is looked at", () => {
    assert.deepStrictEqual(brokenBy({ _tag: "Parked", ...about(1) }, { _tag: "Ignored", ...about(1) }), [])
  })
})
