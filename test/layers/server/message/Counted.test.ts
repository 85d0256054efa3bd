/** How many messages wait, and how many were sent: what the metrics read, whatever becomes of a message. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, Restart, StateContainer, Supervisor, Sys, Telemetry } from "../../../../src/index.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { quiet } from "../../../kit/Log.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

class Line extends GenServer.Service<Line>()("test/Line", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ reply: Schema.Int, timeout: "infinity" }),
    Note: GenServer.cast(),
    Hold: GenServer.call({ timeout: "infinity" }),
    Again: GenServer.call({ reply: Schema.Int, redeliver: { maxAttempts: 2 }, timeout: "infinity" }),
    Poison: GenServer.call({ redeliver: { maxAttempts: 1 } }),
    Circle: GenServer.cast()
  }
}) {}

class Root extends Supervisor.Service<Root>()("root") {}

/** A server that is at a message until the gate opens, and what is counted of it. */
const counting = <E>(
  body: (one: {
    readonly line: typeof Line.Service
    readonly root: typeof Root.Service
    readonly gate: Latch.Latch
    readonly circles: { left: number }
    readonly queued: Effect.Effect<number>
    readonly sent: Effect.Effect<readonly [calls: number, casts: number]>
  }) => Effect.Effect<void, E, Root | Line>,
  options: GenServer.Options = {}
) => {
  const gate = Latch.makeUnsafe(false)
  const circles = { left: 0 }
  const telemetry = Telemetry.make()
  const { counters } = sinkOf(telemetry)
  const circle = (n: number): Effect.Effect<number> | Next.NoReply<number> =>
    circles.left-- > 0 ? Next.noReply(n + 1, { continueWith: circle as never }) : Next.noReply(n)
  let failures = 0
  const App = Root.layer({ strategy: "one_for_one", restart: Restart.backoff({ base: "1 second", jitter: 0 }) }, [
    StateContainer.layerMemory(Line),
    Line.layer({
      init: 0,
      handlers: {
        Add: (n) => [n + 1, n + 1],
        Note: (n) => n + 1,
        Hold: (n) => Effect.as(gate.await, [undefined, n] as const),
        Again: (n) => failures++ === 0 ? Effect.die("once") : Effect.succeed([n, n] as const),
        Poison: () => Effect.die("poison"),
        Circle: circle as never
      }
    }, options)
  ])
  return quiet(
    Effect.gen(function*() {
      const [line, root] = [yield* Line, yield* Root]
      const queued = Effect.sync(() => counters.queued)
      yield* body({
        line,
        root,
        gate,
        circles,
        queued,
        sent: Effect.sync(() => [counters.calls, counters.casts] as const)
      })
      yield* gate.open
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(counters.queued, 0, "nothing waits in the end")
    }).pipe(Effect.provide(App), Effect.provideService(Telemetry.CurrentTelemetry, telemetry))
  )
}

describe("a message counts as waiting", () => {
  it.effect("until its handler begins, whatever it is; each is counted once as sent", () =>
    counting(({ gate, line, queued, sent }) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* line.Add(), 1)
        const held = yield* now(line.Hold())
        assert.strictEqual(yield* queued, 0)
        const waiting = yield* Effect.forEach([line.Add(), line.Add(), Sys.getState(line)], (one) => now(one))
        yield* line.Note()
        yield* line.Note()
        assert.strictEqual(yield* queued, 5)
        assert.deepStrictEqual(yield* sent, [4, 2])
        yield* gate.open
        yield* Fiber.join(held)
        assert.deepStrictEqual(yield* Effect.forEach(waiting, Fiber.join), [2, 3, 3])
        yield* turns
        assert.deepStrictEqual([yield* queued, yield* sent], [0, [4, 2]])
      })
    ))

  it.effect("until its sender has gone", () =>
    counting(({ line, queued }) =>
      Effect.gen(function*() {
        yield* now(line.Hold())
        const late = yield* now(Effect.exit(line.Add({}, { timeout: "1 second" })))
        const gone = yield* now(line.Add())
        assert.strictEqual(yield* queued, 2)
        yield* TestClock.adjust("1 second")
        assert.isDefined(late.pollUnsafe())
        assert.strictEqual(yield* queued, 1)
        yield* Fiber.interrupt(gone)
        assert.strictEqual(yield* queued, 0)
      })
    ))

  it.effect("before a full mailbox, too", () =>
    counting(
      ({ gate, line, queued }) =>
        Effect.gen(function*() {
          yield* now(line.Hold())
          const senders = yield* Effect.forEach([1, 2, 3], () => now(line.Note()))
          const caller = yield* now(line.Add())
          assert.strictEqual(yield* queued, 4)
          yield* Fiber.interrupt(senders[1]!)
          assert.strictEqual(yield* queued, 3)
          yield* gate.open
          assert.strictEqual(yield* Fiber.join(caller), 3)
        }),
      { mailbox: { capacity: 1 } }
    ))

  it.effect("no more when there is no room for it, or another took its place", () =>
    Effect.forEach(["fail", "drop_oldest"] as const, (overflow) =>
      counting(
        ({ line, queued }) =>
          Effect.gen(function*() {
            yield* now(line.Hold())
            const callers = yield* Effect.forEach([1, 2, 3], () => now(Effect.exit(line.Add())))
            assert.strictEqual(yield* queued, 1)
            assert.strictEqual(callers.filter((one) => one.pollUnsafe() !== undefined).length, 2)
            yield* line.Note()
            assert.strictEqual(yield* queued, 1)
          }),
        { mailbox: { capacity: 1, overflow } }
      )))

  it.effect("while its server is down, and when it is to be handled again", () =>
    counting(({ line, queued }) =>
      Effect.gen(function*() {
        const again = yield* now(line.Again())
        yield* now(line.Add())
        yield* line.Note()
        assert.strictEqual(yield* Process.status(line), "restarting")
        assert.strictEqual(yield* queued, 3)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(again), 0)
        assert.strictEqual(yield* queued, 0)
        yield* Effect.exit(line.Poison())
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Sys.quarantined(line)).length, 1)
        assert.strictEqual(yield* queued, 0)
      })
    ))

  it.effect("until its server has ended for good", () =>
    counting(({ line, queued, root }) =>
      Effect.gen(function*() {
        const callers = yield* Effect.forEach([line.Hold(), line.Add(), line.Add()], (one) => now(Effect.exit(one)))
        yield* line.Note()
        assert.strictEqual(yield* queued, 3)
        yield* root.terminateChild("test/Line")
        for (const caller of callers) assert.strictEqual((yield* Fiber.join(caller))._tag, "Failure")
        assert.strictEqual(yield* queued, 0)
        yield* line.Note()
        assert.strictEqual(yield* queued, 0)
      })
    ))

  it.effect("while a server is suspended; and a request of the system no longer than until it is answered", () =>
    counting(({ line, queued }) =>
      Effect.gen(function*() {
        yield* Sys.suspend(line)
        const caller = yield* now(line.Add())
        yield* line.Note()
        assert.strictEqual(yield* Sys.getState(line), 0)
        assert.strictEqual(yield* queued, 2)
        yield* Sys.resume(line)
        yield* Fiber.join(caller)
        yield* turns
        assert.strictEqual(yield* queued, 0)
      })
    ))

  it.effect("behind continuations without end, of which one request of the system is answered in each turn", () =>
    counting(({ circles, line, queued }) =>
      Effect.gen(function*() {
        circles.left = 100_000
        yield* line.Circle()
        yield* Effect.yieldNow
        const caller = yield* now(line.Add())
        const looks = yield* Effect.forEach([1, 2], () => now(Sys.getState(line)))
        assert.strictEqual(yield* queued, 3)
        while (looks.some((one) => one.pollUnsafe() === undefined)) yield* Effect.yieldNow
        assert.strictEqual(yield* queued, 1)
        assert.isAbove(circles.left, 0)
        circles.left = 0
        yield* Fiber.join(caller)
        assert.strictEqual(yield* queued, 0)
      })
    ))
})
