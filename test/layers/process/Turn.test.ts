import { assert, describe, it } from "@effect/vitest"
import type { Clock, Scheduler } from "effect"
import { type Ready, RunQueue } from "../../../src/layers/process/Turn.ts"

/** A run queue of turns that are begun by hand. */
const queueOf = () => {
  const tasks: Array<() => void> = []
  const dispatcher = { scheduleTask: (task: () => void) => void tasks.push(task), flush: () => {} }
  const queue = new RunQueue({ makeDispatcher: () => dispatcher } as unknown as Scheduler.Scheduler)
  return { queue, tasks }
}

/** How many pieces of work each turn has, if a piece takes so many milliseconds of a clock. */
const make = (millis: number, pieces: number, spend: "spend" | "spendLarge" = "spend") => {
  const { queue, tasks } = queueOf()
  let now = 0
  const clock = { monotonicTimeNanosUnsafe: () => BigInt(Math.round(now * 1e6)) } as Clock.Clock
  let done = 0
  const work: Ready = {
    queued: false,
    drain: () => {
      while (done < pieces) {
        if (queue[spend](clock)) return queue.push(work)
        done++
        now += millis
      }
    }
  }
  queue.push(work)
  const doneIn: Array<number> = []
  for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
    const before = done
    task()
    doneIn.push(done - before)
  }
  return doneIn
}

describe("a turn", () => {
  it("has a thousand small pieces of work", () => assert.deepStrictEqual(make(0.001, 3000), [1024, 1024, 952]))

  it("is over after ten milliseconds, or soon afterwards", () => assert.deepStrictEqual(make(1, 50), [20, 20, 10]))

  it("has five pieces, if each takes longer", () => assert.deepStrictEqual(make(50, 12), [5, 5, 2]))

  it("is over after ten milliseconds of large pieces, of which each looks at the clock", () =>
    assert.deepStrictEqual(make(4, 7, "spendLarge"), [3, 3, 1]))

  it("is begun once, however many wait for it", () => {
    const { queue, tasks } = queueOf()
    const drained: Array<number> = []
    for (const n of [1, 2, 3]) queue.push({ queued: false, drain: () => drained.push(n) })
    assert.lengthOf(tasks, 1)
    tasks.shift()!()
    assert.deepStrictEqual([drained, tasks], [[1, 2, 3], []])
  })
})
