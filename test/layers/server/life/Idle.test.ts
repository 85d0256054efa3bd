import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now } from "../../../kit/Fibers.ts"

/** Counts how often it was idle; every message asks for an idle callback after a second, unless it says otherwise. */
class Idler extends GenServer.Service<Idler>()("test/Idler", {
  state: Schema.Int,
  messages: {
    After: GenServer.call({ payload: { millis: Schema.Number } }),
    Plain: GenServer.call({ reply: Schema.Int }),
    Note: GenServer.cast(),
    Hold: GenServer.call({ timeout: "infinity" })
  }
}) {}

const app = (
  idle: (idled: number) => number | Next.Stop<never, number> | Effect.Effect<number> | Next.NoReply<number>,
  gate = Latch.makeUnsafe(true)
) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerMemory(Idler),
      Idler.layer({
        init: 0,
        handlers: {
          After: (idled, { millis }) => Next.reply(undefined, idled, { idleAfter: millis }),
          Plain: (idled) => [idled, idled],
          Note: (idled) => idled,
          Hold: (idled) => Effect.as(gate.await, Next.reply(undefined, idled, { idleAfter: 0 }))
        },
        idle
      })
    ]),
    Harness.Harness.layer
  )

const idled = Effect.flatMap(Idler, (idler) => idler.Plain())

describe("idleAfter", () => {
  it.effect("calls idle when that long has passed without a message, once", () =>
    Effect.gen(function*() {
      const idler = yield* Idler
      yield* idler.After({ millis: 1000 })
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* (yield* Idler.StateContainer).for().get.pipe(Effect.map(String)), "some(0)")
      yield* TestClock.adjust("1 millis")
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* idled, 1)
    }).pipe(Effect.provide(app((n) => n + 1))))

  for (const style of ["Plain", "Note"] as const) {
    it.effect(`any message cancels it: ${style === "Plain" ? "a call" : "a cast"}`, () =>
      Effect.gen(function*() {
        const idler = yield* Idler
        yield* idler.After({ millis: 1000 })
        yield* TestClock.adjust("999 millis")
        yield* idler[style]()
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(yield* idled, 0)
      }).pipe(Effect.provide(app((n) => n + 1))))
  }

  it.effect("a new one replaces the one before", () =>
    Effect.gen(function*() {
      const idler = yield* Idler
      yield* idler.After({ millis: 1000 })
      yield* idler.After({ millis: 5000 })
      yield* TestClock.adjust("4999 millis")
      yield* TestClock.adjust("1 millis")
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* idled, 1)
    }).pipe(Effect.provide(app((n) => n + 1))))

  it.effect("of no time at all is over at once", () =>
    Effect.gen(function*() {
      const idler = yield* Idler
      yield* idler.After({ millis: 0 })
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      assert.strictEqual(yield* idled, 1)
    }).pipe(Effect.provide(app((n) => n + 1))))

  it.effect("a message that waits already beats a timeout of 0", () => {
    const gate = Latch.makeUnsafe()
    return Effect.gen(function*() {
      const idler = yield* Idler
      const held = yield* now(idler.Hold())
      const waiting = yield* now(idler.Plain())
      yield* gate.open
      yield* Fiber.join(held)
      assert.strictEqual(yield* Fiber.join(waiting), 0)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* idled, 0)
    }).pipe(Effect.provide(app((n) => n + 1, gate)))
  })

  it.effect("a request withdrawn before it began is no message", () => {
    const gate = Latch.makeUnsafe()
    return Effect.gen(function*() {
      const idler = yield* Idler
      const held = yield* now(idler.Hold())
      yield* Fiber.interrupt(yield* now(idler.Plain()))
      yield* gate.open
      yield* Fiber.join(held)
      yield* Effect.yieldNow
      assert.strictEqual(yield* idled, 1)
    }).pipe(Effect.provide(app((n) => n + 1, gate)))
  })

  it.effect("idle may be an Effect, may ask for the next timeout, and may stop the server", () => {
    const seen: Array<number> = []
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const idler = yield* Idler
      yield* idler.After({ millis: 1000 })
      yield* TestClock.adjust("10 seconds")
      const exited = yield* harness.awaitTag("Exited", idler)
      assert.deepStrictEqual(exited.reason, { _tag: "Normal" })
      assert.deepStrictEqual(seen, [0, 1, 2])
    }).pipe(Effect.provide(app((n) => {
      seen.push(n)
      return n === 2 ? Next.stop("normal") : Next.noReply(n + 1, { idleAfter: "1 second" })
    })))
  })

  it.effect("ends with the incarnation: the next one is not called for it", () =>
    Effect.gen(function*() {
      const idler = yield* Idler
      yield* idler.After({ millis: 1000 })
      yield* Process.kill(idler)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* idled, 0)
      assert.strictEqual(yield* Process.incarnation(idler), 2)
    }).pipe(Effect.provide(app((n) => n + 1))))
})
