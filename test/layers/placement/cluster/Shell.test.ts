/** The entity of a key: what it does with a message, without a cluster that sends it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, References } from "effect"
import { TestClock } from "effect/testing"
import { StateStore } from "../../../../src/index.ts"
import { byHand } from "../../../kit/placement/ByHand.ts"
import { Counter, type Life, life, passing, runner, Store } from "../../../kit/placement/Counters.ts"

const begin = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(Effect.exit(effect), { startImmediately: true })

const within = <A, E>(
  own: Life,
  program: (open: ReturnType<typeof byHand>["open"]) => Effect.Effect<A, E, any>
): Effect.Effect<A, E> => {
  const { layer, open } = byHand(Counter.key)
  const around = runner(own).pipe(Layer.provide(StateStore.layerMemory(Store)), Layer.provideMerge(layer))
  return Effect.andThen(TestClock.adjust(1000), program(open)).pipe(
    Effect.provide(around),
    Effect.provideService(References.MinimumLogLevel, "None")
  ) as Effect.Effect<A, E>
}

describe("an entity", () => {
  it.effect("has the messages that any code may send, and what wakes its server, which starts it", () => {
    const own = life()
    return within(own, (open) =>
      Effect.gen(function*() {
        const { building, send } = yield* open("a")
        const handlers = yield* Fiber.join(building)
        assert.sameMembers(Object.keys(handlers), [
          "heirloom/Wake",
          "Add",
          "Get",
          "Crash",
          "Hold",
          "Reset",
          "Leave",
          "Remind"
        ])
        assert.deepStrictEqual(own.log, [])
        yield* passing(send("heirloom/Wake", undefined))
        assert.deepStrictEqual(own.log, ["+a"])
      }))
  })

  it.effect("waits for a start that takes long to end, when it is woken", () => {
    const own = life()
    own.boot.closeUnsafe()
    return within(own, (open) =>
      Effect.gen(function*() {
        const { send } = yield* open("a")
        const waking = yield* begin(send("heirloom/Wake", undefined))
        yield* TestClock.adjust("20 seconds")
        assert.isUndefined(waking.pollUnsafe())
        yield* own.boot.open
        yield* passing(Fiber.join(waking))
        assert.deepStrictEqual(own.log, ["+a"])
      }))
  })

  it.effect("gives its server what is left of its caller's time when that is up", () => {
    const own = life()
    own.boot.closeUnsafe()
    own.hold.closeUnsafe()
    return within(own, (open) =>
      Effect.gen(function*() {
        const { send } = yield* open("a")
        const holding = yield* begin(Effect.flip(send("Hold", {}, { timeout: 500 })))
        yield* TestClock.adjust(300)
        yield* own.boot.open
        yield* TestClock.adjust(199)
        assert.isUndefined(holding.pollUnsafe())
        yield* TestClock.adjust(1)
        const error = yield* yield* passing(Fiber.join(holding))
        assert.deepInclude(Object(error).reason, { _tag: "Timeout", millis: 200, begun: true })
        // One that is up has all of it.
        yield* own.hold.open
        yield* passing(send("Get", {}))
        own.hold.closeUnsafe()
        const again = yield* begin(Effect.flip(send("Hold", {}, { timeout: 500 })))
        yield* TestClock.adjust(499)
        assert.isUndefined(again.pollUnsafe())
        yield* TestClock.adjust(1)
        assert.deepInclude(Object(yield* yield* passing(Fiber.join(again))).reason, { _tag: "Timeout", millis: 500 })
      }))
  })

  it.effect("hands what a server had not begun when it ended to the next one, in its order", () => {
    const own = life()
    return within(own, (open) =>
      Effect.gen(function*() {
        const { send } = yield* open("a")
        assert.strictEqual(yield* passing(send("Add", { by: 41 })), 41)
        own.hold.closeUnsafe()
        const holding = yield* begin(send("Hold", {}))
        yield* send("Leave", {})
        const adding = yield* begin(send("Add", { by: 1 }))
        const other = yield* begin(send("Get", {}))
        yield* own.hold.open
        assert.strictEqual(yield* yield* passing(Fiber.join(holding)), 41)
        assert.strictEqual(yield* yield* passing(Fiber.join(adding)), 42)
        assert.strictEqual(yield* yield* passing(Fiber.join(other)), 42)
        assert.deepStrictEqual(own.log, ["+a", "-a", "+a"])
        assert.strictEqual(own.most, 1)
      }))
  })

  it.effect("fails a call under way when it is closed as one that has moved, and one that comes later", () => {
    const own = life()
    return within(own, (open) =>
      Effect.gen(function*() {
        const { close, send } = yield* open("a")
        yield* passing(send("Get", {}))
        own.hold.closeUnsafe()
        const holding = yield* begin(Effect.flip(send("Hold", {})))
        const adding = yield* begin(Effect.flip(send("Add", { by: 1 })))
        const closing = yield* begin(close)
        yield* TestClock.adjust("10 seconds")
        yield* passing(Fiber.join(closing))
        const moved = { _tag: "Unreachable", why: "moved" }
        assert.deepInclude(Object(yield* yield* passing(Fiber.join(holding))).reason, { ...moved, begun: true })
        assert.deepInclude(Object(yield* yield* passing(Fiber.join(adding))).reason, { ...moved, begun: false })
        const late = yield* passing(Effect.flip(send("Get", {})))
        assert.deepInclude(Object(late).reason, { ...moved, begun: false })
        assert.deepStrictEqual(own.log, ["+a", "-a"])
      }))
  })
})
