/** What delivers timers, interrupted and run again: nothing that is due is left behind. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Timers from "../../../../src/domain/state/Timers.ts"
import { inMemory } from "../../../../src/layers/state/store/Alarms.ts"
import { now } from "../../../kit/Fibers.ts"

const due = (at: number): Timers.Timers => [{ name: "t", due: at, message: "Ring", payload: null }]

/** Delivers to servers that are always there; `found` is called in the turn that has found what is due. */
const delivering = (found: () => void = () => {}) =>
  Effect.map(inMemory("test/Bell"), ({ alarms, set }) => {
    const rung: Array<string> = []
    alarms.serve({
      keyOf: (name) => name,
      deliver: (key) => {
        found()
        return Effect.sync(() => {
          rung.push(key)
          set(key, Timers.none)
          return true
        })
      }
    })
    return { alarms, rung, set }
  })

it.effect("a delivery that was interrupted before it began is made by the next run", () =>
  Effect.gen(function*() {
    // What is forked in this very turn has not begun.
    const { alarms, rung, set } = yield* delivering(() => one.interruptUnsafe())
    const one: Fiber.Fiber<never> = yield* now(alarms.run)
    set("a", due(1000))
    yield* TestClock.adjust(1000)
    yield* Fiber.await(one)
    assert.deepStrictEqual(rung, [])
    const other = yield* now(alarms.run)
    yield* TestClock.adjust("2 minutes")
    assert.deepStrictEqual(rung, ["a"])
    yield* Fiber.interrupt(other)
  }))

it.effect("a run that follows looks at once: what came due between the two is not left until something else is set", () =>
  Effect.gen(function*() {
    const { alarms, rung, set } = yield* delivering()
    const one = yield* now(alarms.run)
    set("a", due(1000))
    yield* TestClock.adjust(0)
    yield* Fiber.interrupt(one)
    yield* TestClock.adjust(5000)
    assert.deepStrictEqual(rung, [])
    const other = yield* now(alarms.run)
    yield* TestClock.adjust(0)
    assert.deepStrictEqual(rung, ["a"])
    yield* Fiber.interrupt(other)
  }))
