import { assert, describe, it } from "@effect/vitest"
import type { Clock, Scheduler } from "effect"
import { type Ready, RunQueue } from "../../../src/layers/process/Turn.ts"

/** A run queue of turns that are begun by hand, and work whose pieces take so many milliseconds of a clock. */
const make = (millis: number, pieces: number) => {
  const tasks: Array<() => void> = []
  const dispatcher = { scheduleTask: (task: () => void) => void tasks.push(task), flush: () => {} }
  const queue = new RunQueue({ makeDispatcher: () => dispatcher } as unknown as Scheduler.Scheduler)
  let now = 0
  const clock = { monotonicTimeNanosUnsafe: () => BigInt(Math.round(now * 1e6)) } as Clock.Clock
  let done = 0
  const work: Ready = {
    queued: false,
    drain: () => {
      while (done < pieces) {
        if (queue.spend(clock)) return queue.push(work)
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
})
