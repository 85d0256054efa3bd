/** How much of its time a thread was given: as Linux counts it, and what follows from that. */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import process from "node:process"
import { countedOf, givenIn } from "../../../../src/layers/placement/worker/Waits.ts"

const counts = (task: number) =>
  readFileSync(`/proc/self/task/${task}/schedstat`, "utf8").split(" ").slice(0, 2).map((nanos) => Number(nanos) / 1e6)

describe("what is counted of a thread", () => {
  it.skipIf(process.platform !== "linux")(
    "is how long it has run and waited, in milliseconds, and whether it can run",
    () => {
      const [ran, waited] = counts(process.pid) as [number, number]
      for (const  of of["self", process.pid] as const) {
        const counted = countedOf(of, process.pid)
        assert.isTrue(counted?.canRun)
        assert.isTrue(ran <= counted!.ran && counted!.ran < ran + 60_000)
        assert.isTrue(waited <= counted!.waited && counted!.waited < waited + 60_000)
      }
      // One that sleeps meanwhile is counted to the nanosecond.
      const sleeping = readdirSync("/proc/self/task").map(Number).flatMap((task) => {
        const before = counts(task)
        const counted = countedOf("self", task)
        return counted === undefined || counted.canRun || before.join() !== counts(task).join()
          ? []
          : [{ before, counted }]
      })
      assert.isAbove(sleeping.length, 0)
      for (const { before, counted } of sleeping) assert.deepStrictEqual([counted.ran, counted.waited], before)
    }
  )

  it("is nothing of one that is gone, or that nothing counts", () => {
    assert.isUndefined(countedOf("self", 0))
    assert.isUndefined(countedOf(0, 0))
  })
})

describe("the time that a thread was given", () => {
  const before = { canRun: true, ran: 10, waited: 5 }

  it("is what it has run, while it can; of one that sleeps, all but what it has waited", () => {
    assert.strictEqual(givenIn(100, before, { canRun: true, ran: 40, waited: 60 }), 30)
    assert.strictEqual(givenIn(100, before, { canRun: false, ran: 40, waited: 65 }), 40)
    // A wait may have begun before.
    assert.strictEqual(givenIn(100, before, { canRun: false, ran: 40, waited: 205 }), 0)
  })

  it("is not known where one of both counts is not", () => {
    assert.isUndefined(givenIn(100, undefined, before))
    assert.isUndefined(givenIn(100, before, undefined))
  })
})
