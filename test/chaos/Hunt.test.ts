/**
 * Random trees under random faults, in virtual time: no promise is broken, and each deliberate fault of the engine is
 * found.
 *
 * `npm run chaos` does the same for as long as one likes, and with `--faults` for all of them.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Utils } from "effect"
import { Calling, Casting } from "../../src/layers/server/class/Client.ts"
import { Finding } from "../../src/layers/server/class/Keyed.ts"
import { deliberateFaults, isQuick } from "../kit/chaos/Faults.ts"
import { find } from "../kit/chaos/Faulty.ts"
import { hunt } from "../kit/chaos/Hunt.ts"
import { broken } from "../kit/chaos/Patched.ts"

/** Has a run loop send every message, as it runs any other Effect, as long as `effect` runs. */
const byRunLoop = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() =>
      [Calling, Casting, Finding].map(({ prototype }) => {
        const value = function(this: unknown) {
          return new Utils.SingleShotGen(this)
        }
        // Before the one that they share.
        Object.defineProperty(prototype, Symbol.iterator, { value, configurable: true })
        return () => void Reflect.deleteProperty(prototype, Symbol.iterator)
      })
    ),
    () => effect,
    (undo) => Effect.sync(() => undo.forEach((one) => one()))
  )

describe("random trees under random faults", () => {
  it.effect("break no promise: histories, incarnations, budgets, timers, recorded answers, the order of starts", () =>
    Effect.gen(function*() {
      let answered = 0
      let faults = 0
      for (let seed = 1; seed <= 4; seed++) {
        const report = yield* hunt({ seed, minutes: 1 })
        assert.strictEqual(report.sleeping, 0)
        answered += report.answered
        faults += report.faults
      }
      assert.isAbove(answered, 300)
      assert.isAbove(faults, 10)
    }))

  it.effect("go as they do where the run loop sends every message that a generator waits for", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 4; seed++) {
        // A run that draws where fibers lose their turns draws once more for a message that loses its turn.
        const short = yield* hunt({ seed, minutes: 1, yields: 0 })
        assert.isAbove(short.answered, 0)
        assert.deepStrictEqual(yield* byRunLoop(hunt({ seed, minutes: 1, yields: 0 })), short)
      }
    }))
})

describe("a deliberate fault of the engine", () => {
  for (const fault of deliberateFaults.filter(isQuick)) {
    it.effect(`is found within a dozen seeds: ${fault.name}`, () =>
      Effect.gen(function*() {
        const found = yield* find(fault)
        assert.isDefined(found)
        assert.isAbove(found!.what.length, 0)
      }))
  }

  it("stands in the sources, so that it can be put there", () => {
    for (const fault of deliberateFaults) assert.notStrictEqual(broken(fault), "")
    assert.isAtLeast(deliberateFaults.length, 10)
  })

  it("is refused when the sources are not as it says", () => {
    const [fault] = deliberateFaults
    assert.throws(() => broken({ ...fault!, from: "this is not there" }), /the fault has to be put anew/)
  })
})
