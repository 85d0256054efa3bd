/**
 * A kill, in every phase: nothing of the server's own code holds it up, and what is being released only for a while.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now, turns } from "../../../kit/Fibers.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, timeout: "infinity" }),
    Hang: GenServer.call({ timeout: "infinity" })
  }
}) {}

interface Hangs {
  /** What each incarnation releases at its end. */
  readonly release?: Effect.Effect<void>
  readonly terminate?: Effect.Effect<void>
  readonly work?: Effect.Effect<never>
}

/** A server whose first incarnation hangs somewhere; the next ones do not, so that the test can end. */
const app = (hangs: Hangs, shutdown: "infinity" | "5 seconds") => {
  let incarnations = 0
  const behavior = Effect.gen(function*() {
    const { release = Effect.void, terminate = Effect.void, work = Effect.never } = incarnations++ === 0 ? hangs : {}
    yield* Effect.acquireRelease(Effect.void, () => release)
    return Num.behavior({
      init: 0,
      terminate: () => terminate,
      handlers: { Add: (n, { by }) => [n + by, n + by], Hang: () => work }
    })
  })
  return Layer.provideMerge(
    Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Num), Num.layer(behavior, { shutdown })]),
    Harness.Harness.layer
  )
}

for (const shutdown of ["infinity", "5 seconds"] as const) {
  describe(`a kill, with a shutdown of ${shutdown}`, () => {
    for (
      const [what, terminate] of [
        ["does not end", Effect.never],
        ["cannot be interrupted", Effect.uninterruptible(Effect.never)]
      ] as const
    ) {
      it.effect(`ends at once a server whose terminate ${what}`, () => {
        let began = false
        const hanging = Effect.andThen(Effect.sync(() => began = true), terminate)
        return Effect.gen(function*() {
          const num = yield* Num
          assert.strictEqual(yield* num.Add({ by: 41 }), 41)
          const stopping = yield* now(Effect.flip(GenServer.stop(num)))
          yield* turns
          assert.isTrue(began, "terminate has begun")
          assert.isUndefined(stopping.pollUnsafe())
          yield* Process.kill(num)
          const failed = yield* Fiber.join(stopping)
          assert.deepStrictEqual(failed._tag === "StopFailed" && failed.reason, { _tag: "Killed" })
          assert.strictEqual(yield* num.Add({ by: 1 }), 42)
          assert.strictEqual(yield* Process.incarnation(num), 2)
        }).pipe(Effect.provide(app({ terminate: hanging }, shutdown)))
      })
    }

    it.effect("interrupts terminate, and releases what the incarnation has acquired", () => {
      const log: Array<string> = []
      const note = (line: string) => Effect.sync(() => void log.push(line))
      return Effect.gen(function*() {
        const num = yield* Num
        yield* now(Effect.exit(GenServer.stop(num)))
        yield* turns
        yield* Process.kill(num)
        assert.deepStrictEqual(log, ["interrupted", "released"])
        const events = yield* (yield* Harness.Harness).eventsOf(num)
        assert.notInclude(events.map(({ _tag }) => _tag), "Abandoned")
      }).pipe(Effect.provide(
        app(
          { terminate: Effect.onInterrupt(Effect.never, () => note("interrupted")), release: note("released") },
          shutdown
        )
      ))
    })

    const waitedFor: Record<string, (gate: Latch.Latch) => Hangs> = {
      "a handler that cannot be interrupted": (gate) => ({
        work: Effect.uninterruptible(Effect.andThen(gate.await, Effect.never))
      }),
      "what is released at its end": (gate) => ({ release: gate.await })
    }
    for (const [what, hangs] of Object.entries(waitedFor)) {
      it.effect(`waits five seconds for ${what}, and no longer`, () => {
        const gate = Latch.makeUnsafe()
        return Effect.gen(function*() {
          const harness = yield* Harness.Harness
          const num = yield* Num
          yield* now(Effect.exit(num.Hang()))
          yield* Process.kill(num)
          const next = yield* now(num.Add({ by: 1 }))
          yield* TestClock.adjust("4999 millis")
          assert.isUndefined(next.pollUnsafe())
          yield* TestClock.adjust("1 millis")
          yield* harness.awaitTag("Abandoned", num)
          assert.strictEqual(yield* Fiber.join(next), 1)
          yield* gate.open
        }).pipe(Effect.provide(app(hangs(gate), shutdown)))
      })
    }

    it.effect("waits five seconds for a start that cannot be interrupted", () => {
      const gate = Latch.makeUnsafe()
      let starts = 0
      const behavior = Effect.gen(function*() {
        if (starts++ === 1) yield* Effect.uninterruptible(gate.await)
        return Num.behavior({ init: 0, handlers: { Add: (n, { by }) => [n + by, n + by], Hang: () => Effect.never } })
      })
      return Effect.gen(function*() {
        const num = yield* Num
        yield* num.Add({ by: 1 })
        yield* Process.kill(num)
        assert.strictEqual(yield* Process.status(num), "starting")
        yield* Process.kill(num)
        const next = yield* now(num.Add({ by: 1 }))
        yield* TestClock.adjust("4999 millis")
        assert.isUndefined(next.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* Fiber.join(next), 2)
        yield* gate.open
      }).pipe(Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [
        StateContainer.layerMemory(Num),
        Num.layer(behavior, { shutdown })
      ])))
    })
  })
}

it.effect("a signal that ends a start is named by all that is said of it", () =>
  Effect.gen(function*() {
    const scope = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerMemory(Num),
      Num.layer({
        init: Effect.flatMap(Num.self, (self) =>
          Effect.andThen(Process.exit(self, { _tag: "Shutdown", detail: "not today" }), Effect.never)),
        handlers: {
          Add: (n, { by }) => [n + by, n + by],
          Hang: () =>
            Effect.never
        }
      })
    ])
    const exit = yield* Effect.exit(Effect.provide(Num, scope))
    assert.include(String(exit), "shutdown (not today)")
    assert.notInclude(String(exit), "interrupted")
  }))

it.effect("a caller whose message stopped a permanent server without a reply hears why", () => {
  class Quits extends GenServer.Service<Quits>()("test/Quits", {
    state: Schema.Int,
    messages: { Quit: GenServer.call() }
  }) {}
  return Effect.gen(function*() {
    const quits = yield* Quits
    const error = yield* Effect.flip(quits.Quit())
    assert.include(error.message, "shutdown (enough)")
    assert.deepStrictEqual(error.reason._tag === "Crashed" && error.reason.reason, {
      _tag: "Shutdown",
      detail: "enough"
    })
  }).pipe(Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerMemory(Quits),
    Quits.layer({ init: 0, handlers: { Quit: () => Next.stop({ _tag: "Shutdown", detail: "enough" }) } })
  ])))
})
