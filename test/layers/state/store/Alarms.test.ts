/** What delivers timers, interrupted and run again: nothing that is due is left behind. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Timers from "../../../../src/domain/state/Timers.ts"
import { inMemory } from "../../../../src/layers/state/store/Alarms.ts"
import { now } from "../../../kit/Fibers.ts"
import { quiet } from "../../../kit/Log.ts"

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

/** Delivers as `deliver` says, and counts how often it was asked to, by key. */
const counting = (deliver: (key: string) => Effect.Effect<boolean, string>) =>
  Effect.map(inMemory("test/Bell"), ({ alarms, set }) => {
    const asked = new Map<string, number>()
    alarms.serve({
      keyOf: (name) => name,
      deliver: (key) => {
        asked.set(key, (asked.get(key) ?? 0) + 1)
        return deliver(key)
      }
    })
    return { asked, run: Effect.forkScoped(alarms.run), set }
  })

it.effect("what failed waits for its time to be tried again, whatever else is due, in whatever page", () =>
  Effect.gen(function*() {
    const keys = Array.from({ length: 1001 }, (_, i) => `k${i}`)
    const { asked, run, set } = yield* counting(() => Effect.fail("away"))
    for (const key of keys) set(key, due(1000))
    yield* run
    yield* TestClock.adjust(1000)
    for (const one of ["a", "b", "z"]) {
      set(one, due(1000))
      yield* TestClock.adjust(100)
    }
    assert.deepStrictEqual(Array.from(asked.values()), Array.from(asked, () => 1))
    assert.strictEqual(asked.size, 1004)
    yield* TestClock.adjust(700)
    assert.deepStrictEqual(keys.filter((key) => asked.get(key) !== 2), [])
  }).pipe(quiet))

it.effect("one that is cancelled after it failed, and set anew, does not wait for what was tried before, in whatever page", () =>
  Effect.gen(function*() {
    const { asked, run, set } = yield* counting(() => Effect.fail("away"))
    yield* run
    for (let i = 0; i < 1000; i++) set(`k${i}`, due(1000))
    for (const key of ["a", "z"]) set(key, due(1000))
    yield* TestClock.adjust(1000)
    for (const key of ["a", "z"]) set(key, Timers.none)
    set("b", due(1000))
    yield* TestClock.adjust(100)
    for (const key of ["a", "z"]) set(key, due(1000))
    yield* TestClock.adjust(100)
    assert.deepStrictEqual(["a", "b", "k0", "k999", "z"].map((key) => asked.get(key)), [2, 1, 1, 1, 2])
    // Set to another time, it is another one.
    set("b", due(900))
    yield* TestClock.adjust(100)
    assert.deepStrictEqual(["a", "b", "k0", "k999", "z"].map((key) => asked.get(key)), [2, 2, 1, 1, 2])
  }).pipe(quiet))

it.effect("one that is set anew while it is delivered is delivered at once after that, and not beside it", () =>
  Effect.gen(function*() {
    const gate = yield* Deferred.make<boolean>()
    const { asked, run, set } = yield* counting((key) => key === "a" ? Deferred.await(gate) : Effect.never)
    yield* run
    set("a", due(1000))
    yield* TestClock.adjust(1000)
    set("a", Timers.none)
    set("b", due(1000))
    yield* TestClock.adjust(100)
    set("a", due(1100))
    yield* TestClock.adjust(10_000)
    assert.strictEqual(asked.get("a"), 1)
    yield* Deferred.succeed(gate, true)
    yield* TestClock.adjust(0)
    assert.strictEqual(asked.get("a"), 2)
  }))
