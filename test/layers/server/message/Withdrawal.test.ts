import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import { Process } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { Cell, gates, styles, tree } from "../../../kit/Cell.ts"
import { tagOf } from "../../../kit/Failures.ts"
import { now } from "../../../kit/Fibers.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

const noneQueued = Effect.gen(function*() {
  const { telemetry } = yield* Harness.Harness
  assert.strictEqual(sinkOf(telemetry).counters.queued, 0, "messages waiting at the end")
})

for (const style of styles) {
  describe(style, () => {
    it.effect("a caller interrupted while it waits withdraws a request that has not begun", () => {
      const own = gates()
      return Effect.gen(function*() {
        const cell = yield* Cell
        yield* own.hold.close
        yield* now(cell.Hold())
        const caller = yield* now(cell.Add({ by: 1 }))
        yield* Fiber.interrupt(caller)
        yield* own.hold.open
        assert.strictEqual(yield* cell.Get(), 0)
        yield* noneQueued
      }).pipe(Effect.provide(tree(style, own)))
    })

    it.effect("a request is withdrawn at once, even when its caller's own finalizers take long", () => {
      const own = gates()
      const finalizer = Latch.makeUnsafe()
      return Effect.gen(function*() {
        const cell = yield* Cell
        yield* own.hold.close
        yield* now(cell.Hold())
        const caller = yield* now(Effect.ensuring(cell.Add({ by: 1 }), finalizer.await))
        caller.interruptUnsafe()
        yield* own.hold.open
        assert.strictEqual(yield* cell.Get(), 0)
        assert.isUndefined(caller.pollUnsafe())
        yield* finalizer.open
        yield* Fiber.await(caller)
        yield* noneQueued
      }).pipe(Effect.provide(tree(style, own)))
    })

    it.effect("a request that timed out before it began is never handled", () => {
      const own = gates()
      return Effect.gen(function*() {
        const cell = yield* Cell
        yield* own.hold.close
        yield* now(cell.Hold())
        const caller = yield* now(cell.Add({ by: 1 }, { timeout: "1 second" }))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(tagOf(yield* Fiber.await(caller)), "Timeout")
        yield* own.hold.open
        assert.strictEqual(yield* cell.Get(), 0)
        yield* noneQueued
      }).pipe(Effect.provide(tree(style, own)))
    })

    it.effect("nor when its caller, which has failed with the timeout, sets the server free", () => {
      const own = gates()
      return Effect.gen(function*() {
        const cell = yield* Cell
        yield* own.hold.close
        yield* now(cell.Hold())
        const caller = yield* now(Effect.tap(
          Effect.exit(cell.Add({ by: 1 }, { timeout: "1 second" })),
          () => Effect.sync(() => own.hold.openUnsafe())
        ))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(tagOf(yield* Fiber.join(caller)), "Timeout")
        assert.strictEqual(yield* cell.Get(), 0)
        yield* noneQueued
      }).pipe(Effect.provide(tree(style, own)))
    })
  })
}

it.effect("a caller waits 5 seconds by default, as in OTP", () => {
  const own = gates()
  return Effect.gen(function*() {
    const cell = yield* Cell
    yield* own.hold.close
    yield* now(cell.Hold())
    const caller = yield* now(cell.Get())
    yield* TestClock.adjust("4999 millis")
    assert.isUndefined(caller.pollUnsafe())
    yield* TestClock.adjust("1 millis")
    const exit = yield* Fiber.await(caller)
    assert.strictEqual(tagOf(exit), "Timeout")
    yield* own.hold.open
  }).pipe(Effect.provide(tree("a plain handler", own)))
})

for (const gone of ["timed out", "was interrupted"] as const) {
  it.effect(`a handler in progress goes on when its caller ${gone}: its commit counts, its reply is dropped`, () => {
    const own = gates()
    return Effect.gen(function*() {
      const cell = yield* Cell
      yield* own.hold.close
      yield* cell.Add({ by: 1 })
      const caller = yield* now(cell.Hold({ by: 10 }, { timeout: "1 second" }))
      if (gone === "was interrupted") yield* Fiber.interrupt(caller)
      else yield* TestClock.adjust("1 second")
      const exit = yield* Fiber.await(caller)
      assert.strictEqual(tagOf(exit), gone === "timed out" ? "Timeout" : undefined)
      const next = yield* now(cell.Add({ by: 1 }))
      assert.isUndefined(next.pollUnsafe(), "the server is still at work")
      yield* own.hold.open
      assert.strictEqual(yield* Fiber.join(next), 12)
      assert.strictEqual(yield* Process.incarnation(cell), 1)
      yield* noneQueued
    }).pipe(Effect.provide(tree("a plain handler", own)))
  })
}

it.effect("whenever a caller is interrupted, its request is withdrawn unless it has begun", () => {
  const own = gates()
  return Effect.gen(function*() {
    const cell = yield* Cell
    // A caller that gives way after every few operations, interrupted after every few turns.
    for (let operations = 2; operations < 12; operations++) {
      for (let turns = 0; turns < 8; turns++) {
        yield* own.hold.close
        const held = yield* now(cell.Hold())
        const caller = yield* now(
          Effect.provideService(
            Effect.andThen(Effect.void, Effect.andThen(cell.Add({ by: 1 }), Effect.void)),
            Scheduler.MaxOpsBeforeYield,
            operations
          )
        )
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        yield* Fiber.interrupt(caller)
        yield* own.hold.open
        yield* Fiber.join(held)
        assert.strictEqual(yield* cell.Get(), 0, `${operations} operations, ${turns} turns`)
      }
    }
    yield* noneQueued
  }).pipe(Effect.provide(tree("a plain handler", own)))
})

it.effect("a withdrawn request leaves its place in a bounded mailbox", () => {
  const own = gates()
  return Effect.gen(function*() {
    const cell = yield* Cell
    yield* own.hold.close
    yield* now(cell.Hold())
    const first = yield* now(cell.Add({ by: 1 }))
    const second = yield* now(cell.Add({ by: 2 }))
    assert.strictEqual(tagOf(yield* Effect.exit(cell.Add({ by: 3 }))), "MailboxFull")
    yield* Fiber.interrupt(first)
    const third = yield* now(cell.Add({ by: 4 }))
    assert.isUndefined(third.pollUnsafe())
    yield* own.hold.open
    assert.deepStrictEqual([yield* Fiber.join(second), yield* Fiber.join(third)], [2, 6])
    yield* noneQueued
  }).pipe(Effect.provide(tree("a plain handler", own, { mailbox: { capacity: 2, overflow: "fail" } })))
})

it.live("the timer of a call is gone with its last caller, and keeps no process alive", () => {
  const own = gates()
  const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length
  return Effect.gen(function*() {
    const cell = yield* Cell
    const before = timers()
    for (let i = 0; i < 10; i++) {
      yield* own.hold.close
      const held = yield* now(cell.Hold({}, { timeout: "1 hour" }))
      const callers = yield* Effect.forEach([1, 2, 3], (n) => now(cell.Add({ by: n }, { timeout: `${n} hours` })))
      assert.isAbove(timers(), before)
      yield* Fiber.interrupt(yield* now(cell.Add({ by: 1 }, { timeout: "4 hours" })))
      yield* own.hold.open
      yield* Fiber.join(held)
      yield* Effect.forEach(callers, (caller) => Fiber.join(caller))
    }
    yield* Effect.yieldNow
    assert.isAtMost(timers(), before)
  }).pipe(Effect.provide(tree("a plain handler", own)))
})
