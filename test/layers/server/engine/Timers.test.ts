/** Durable timers, as servers over every kind of companion that keeps them have them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch } from "effect"
import { TestClock } from "effect/testing"
import { Process, Sys } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { app, Bell, keyed, kinds, Seen } from "../../../kit/Bell.ts"
import { turns } from "../../../kit/Fibers.ts"

const fired = Effect.flatMap(
  Harness.Harness,
  (harness) => Effect.map(harness.events, (events) => events.filter((event) => event._tag === "TimerFired"))
)

describe("a durable timer", () => {
  for (const kind of Object.keys(kinds) as ReadonlyArray<keyof typeof kinds>) {
    const test = (name: string, body: (seen: Seen) => Effect.Effect<void, unknown, any>) =>
      it.effect(`${name} (${kind})`, () => {
        const seen = new Seen()
        return body(seen).pipe(Effect.provide(app(seen, kind)))
      })

    test("is delivered when it is due, once, with a key of its own", (seen) =>
      Effect.gen(function*() {
        const bell = yield* Bell
        yield* bell.Set({ timers: [{ name: "one", at: 5000 }, { name: "two", after: 7000 }] })
        yield* TestClock.adjust("4999 millis")
        assert.deepStrictEqual(yield* bell.Rung(), [])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(yield* bell.Rung(), [["one", 0, 0]])
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(yield* bell.Rung(), [["one", 0, 0], ["two", 0, 0]])
        assert.deepStrictEqual(seen.keys, ["5000/one/test/Bell", "7000/two/test/Bell"])
        assert.deepStrictEqual(
          (yield* fired).map(({ due, late, message, missed, timer }) => [timer, message, due, late, missed]),
          [["one", "Ring", 5000, 0, 0], ["two", "Ring", 7000, 0, 0]]
        )
      }))

    test("takes the place of one of its name, and is cancelled by it", (seen) =>
      Effect.gen(function*() {
        const bell = yield* Bell
        yield* bell.Set({ timers: [{ name: "one", at: 5000 }, { name: "two", at: 5000 }] })
        yield* bell.Set({ timers: [{ name: "one", at: 9000 }, { name: "two" }, { name: "three" }] })
        yield* TestClock.adjust("8999 millis")
        assert.deepStrictEqual(yield* bell.Rung(), [])
        assert.deepStrictEqual((yield* Sys.timers(bell)).map(({ due, name }) => [name, due]), [["one", 9000]])
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(seen.keys, ["9000/one/test/Bell"])
        assert.deepStrictEqual(yield* Sys.timers(bell), [])
      }))

    test("that repeats keeps its beat", () =>
      Effect.gen(function*() {
        const bell = yield* Bell
        yield* bell.Set({ timers: [{ name: "tick", every: 60_000 }] })
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* bell.Rung()).length, 10)
        assert.deepStrictEqual((yield* fired).map(({ due }) => due / 60_000), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      }))

    test("that init sets is set with the first state", (seen) =>
      Effect.gen(function*() {
        const bell = yield* Bell
        yield* Process.kill(bell)
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(yield* bell.Rung(), [["first", 0, 0]])
        assert.strictEqual(seen.keys.length, 1)
      }).pipe((effect) => {
        seen.first = [{ name: "first", after: 60_000 }]
        return effect
      }))

    test("survives a kill of its server, and a crash", () =>
      Effect.gen(function*() {
        const bell = yield* Bell
        yield* bell.Set({ timers: [{ name: "one", at: 5000 }] })
        yield* Process.kill(bell)
        yield* Effect.exit(bell.Die())
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(yield* bell.Rung(), [["one", 0, 0]])
      }))

    test("whose handler dies is delivered again, with the same key, and counts once", (seen) =>
      Effect.gen(function*() {
        const bell = yield* Bell
        seen.deaths = 3
        yield* bell.Set({ timers: [{ name: "one", at: 1000 }] })
        yield* TestClock.adjust("1 second")
        assert.strictEqual(seen.keys.length, 1)
        // A second later, then two, then four: the restart budget is not its to spend.
        yield* TestClock.adjust("7 seconds")
        assert.deepStrictEqual(seen.keys, Array.from({ length: 4 }, () => "1000/one/test/Bell"))
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(yield* bell.Rung(), [["one", 7000, 0]])
      }))

    test("that its server dies of each time makes no other of the same server late", () =>
      Effect.gen(function*() {
        const bell = yield* Bell
        yield* bell.Set({ timers: [{ name: "bad", at: 1000, how: "die" }, { name: "tick", every: 5000 }] })
        // Each is looked for where the one before was handled.
        for (let i = 0; i < 24; i++) yield* Effect.andThen(TestClock.adjust("5 seconds"), turns)
        assert.deepStrictEqual(yield* bell.Rung(), Array.from({ length: 24 }, () => ["tick", 0, 0] as const))
        assert.deepStrictEqual((yield* Sys.timers(bell)).map(({ name }) => name), ["bad", "tick"])
      }))

    test("whose time is past is due at once, also where one of the same time was just handled", (seen) =>
      Effect.gen(function*() {
        const bell = yield* Bell
        yield* TestClock.adjust("10 seconds")
        for (const name of ["one", "one", "two"]) {
          yield* bell.Set({ timers: [{ name, at: 1000 }] })
          for (let i = 0; i < 5; i++) yield* turns
        }
        assert.deepStrictEqual(yield* bell.Rung(), [["one", 9000, 0], ["one", 9000, 0], ["two", 9000, 0]])
        assert.strictEqual(seen.keys.length, 3)
      }))

    test("that was replaced by another of the same time while its message waited is not delivered", () =>
      Effect.gen(function*() {
        const bell = yield* Bell
        yield* bell.Set({ timers: [{ name: "one", at: 1000 }] })
        yield* Sys.suspend(bell)
        yield* Effect.forkChild(bell.Set({ timers: [{ name: "one", at: 1000, how: "noReply" }] }))
        yield* turns
        yield* TestClock.adjust("1 second")
        yield* Sys.resume(bell)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual((yield* bell.Rung()).map(([note]) => note), ["noReply"])
      }))

    for (const how of ["ask", "fail", "noReply", "stop"] as const) {
      test(`is over when its message was handled, whatever the answer is: ${how}`, (seen) =>
        Effect.gen(function*() {
          const bell = yield* Bell
          yield* bell.Set({ timers: [{ name: "one", at: 1000, how }] })
          yield* TestClock.adjust("1 hour")
          assert.strictEqual(seen.keys.length, 1)
          assert.deepStrictEqual(yield* bell.Rung(), how === "ask" || how === "noReply" ? [[how, 0, 0]] : [])
          assert.deepStrictEqual(yield* Sys.timers(bell), [])
        }))
    }

    test("that was cancelled while its message waited is not delivered", (seen) =>
      Effect.gen(function*() {
        const bell = yield* Bell
        yield* bell.Set({ timers: [{ name: "one", at: 1000, how: "cancel" }, { name: "other", at: 1000 }] })
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(seen.keys, ["1000/one/test/Bell"])
        assert.deepStrictEqual((yield* fired).map(({ timer }) => timer), ["one"])
        assert.deepStrictEqual(yield* bell.Rung(), [["cancel", 0, 0]])
      }))

    test("that was cancelled while it was looked for is over: one that is set to its time again is due at once", (seen) =>
      Effect.gen(function*() {
        const [bell, gate] = [yield* Bell, Latch.makeUnsafe(false)]
        yield* bell.Set({ timers: [{ name: "one", at: 1000 }] })
        yield* Effect.forkChild(Sys.replaceState(bell, (state) => Effect.as(gate.await, state)))
        yield* turns
        yield* Effect.forkChild(bell.Set({ timers: [{ name: "one" }] }))
        yield* turns
        yield* TestClock.adjust("1 second")
        yield* gate.open
        for (let i = 0; i < 5; i++) yield* turns
        assert.deepStrictEqual(seen.keys, [])
        yield* bell.Set({ timers: [{ name: "one", at: 1000 }] })
        for (let i = 0; i < 5; i++) yield* turns
        assert.deepStrictEqual(seen.keys, ["1000/one/test/Bell"])
      }))

    test("whose server is suspended waits, and is delivered once", (seen) =>
      Effect.gen(function*() {
        const bell = yield* Bell
        yield* bell.Set({ timers: [{ name: "one", at: 1000 }] })
        yield* Sys.suspend(bell)
        // Behind what others have sent.
        yield* Effect.forkChild(bell.Rung({}, { timeout: "infinity" }))
        for (let i = 0; i < 10; i++) yield* Effect.andThen(TestClock.adjust("1 minute"), turns)
        assert.strictEqual(seen.keys.length, 0)
        // It is looked for again and again, and waits once.
        assert.strictEqual((yield* Sys.getStatus(bell)).queued, 2)
        yield* Sys.resume(bell)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(seen.keys.length, 1)
        assert.strictEqual((yield* bell.Rung()).length, 1)
      }))

    test("is that of the snapshot that a rollback goes back to", (seen) =>
      Effect.gen(function*() {
        const bell = yield* Bell
        yield* bell.Set({ timers: [{ name: "good", at: 50_000 }, { name: "bad", at: 1000, how: "poison" }] })
        const names = Effect.map(Sys.timers(bell), (timers) => timers.map(({ name }) => name))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* names, ["good", "worse"])
        yield* Process.kill(bell)
        yield* turns
        assert.deepStrictEqual(yield* names, ["good", "bad"])
        assert.deepStrictEqual(seen.keys, ["1000/bad/test/Bell"])
        // It is delivered again, as the state is that of before.
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(seen.keys, ["1000/bad/test/Bell", "1000/bad/test/Bell"])
      }))

    it.effect(`starts the server of its key when there is none (${kind})`, () => {
      const seen = new Seen()
      return Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const bell = yield* Bell.at("a")
        yield* bell.Set({ timers: [{ name: "one", at: 5000 }] })
        yield* (yield* Bell.at("b")).Set({ timers: [{ name: "one", at: 5000 }] })
        yield* bell.Stop()
        yield* turns
        assert.strictEqual(yield* Process.status(bell), "stopped")
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(yield* (yield* Bell.via("a")).Rung(), [["one", 0, 0]])
        assert.deepStrictEqual(seen.keys.toString(), "5000/one/test/Bell/a,5000/one/test/Bell/b")
        assert.strictEqual((yield* harness.events).filter((event) => event._tag === "TimerFired").length, 2)
      }).pipe(Effect.provide(keyed(seen, kind)))
    })
  }
})
