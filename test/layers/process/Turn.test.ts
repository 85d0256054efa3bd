import { assert, describe, it } from "@effect/vitest"
import { type Clock, Effect, type Scheduler } from "effect"
import {
  enter,
  isShallow,
  leave,
  maxDepth,
  type Ready,
  run,
  RunQueue,
  shallow
} from "../../../src/layers/process/Turn.ts"

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

/** Does something with the deepest stack that hand-offs make. */
const deep = (task: () => void): void => {
  const down = (levels: number): void => levels === 0 ? task() : run(() => down(levels - 1))
  down(maxDepth)
}

describe("a hand-off", () => {
  it("runs at once while the stack is shallow", () => {
    const seen: Array<string> = []
    run(() => {
      run(() => seen.push("inner"))
      seen.push("outer")
    })
    assert.deepStrictEqual(seen, ["inner", "outer"])
  })

  it("waits on a deep stack until the outermost one is done, also where it is the only one", () => {
    const seen: Array<string> = []
    deep(() => {
      assert.isFalse(isShallow())
      run(() => seen.push("later"))
      seen.push("bottom")
    })
    assert.deepStrictEqual(seen, ["bottom", "later"])
    assert.isTrue(isShallow())
  })

  it("waits for those before it, and those it makes itself wait for it", () => {
    const seen: Array<string> = []
    deep(() => {
      run(() => {
        seen.push("first")
        assert.isTrue(isShallow())
        deep(() => run(() => seen.push("third")))
      })
      run(() => seen.push("second"))
    })
    assert.deepStrictEqual(seen, ["first", "second", "third"])
  })

  it("that throws takes no other along", () => {
    const seen: Array<string> = []
    const refuse = (): never => {
      throw new Error("no")
    }
    assert.throws(() => run(refuse), "no")
    assert.throws(() =>
      deep(() => {
        run(refuse)
        run(() => seen.push("next"))
      }), "no")
    assert.isTrue(isShallow())
    run(() => seen.push("at once"))
    assert.deepStrictEqual(seen, ["at once", "next"])
    run(() => seen.push("alone"))
    assert.deepStrictEqual(seen, ["at once", "next", "alone"])
  })

  it("may be entered and left by hand: what had to wait runs when the outermost is left", () => {
    const seen: Array<string> = []
    for (let i = 0; i < maxDepth; i++) enter()
    run(() => seen.push("later"))
    for (let i = 0; i < maxDepth; i++) {
      assert.deepStrictEqual(seen, [])
      leave()
    }
    assert.deepStrictEqual(seen, ["later"])
  })
})

it("an Effect begins at once on a shallow stack, and a turn later on a deep one", () => {
  const seen: Array<string> = []
  const begin = (what: string) => Effect.runFork(shallow(Effect.sync(() => seen.push(what))))
  begin("shallow")
  assert.deepStrictEqual(seen, ["shallow"])
  deep(() => {
    begin("deep")
    assert.deepStrictEqual(seen, ["shallow"])
  })
})
