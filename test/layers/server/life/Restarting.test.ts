/** Between two incarnations, and after the last: what senders and callers hear, and when. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Process, Restart, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { Cell, gates, Top, tree } from "../../../kit/Cell.ts"
import { errorOf } from "../../../kit/Failures.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { quiet } from "../../../kit/Log.ts"
import { never } from "../../../kit/Restarts.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

const slowly = Restart.backoff({ base: "1 minute", cap: "1 minute", jitter: 0 })

describe("a server that waits for its restart", () => {
  for (const span of ["without a span", "in a span"]) {
    it.effect(`keeps the casts that it is sent ${span}`, () =>
      Effect.gen(function*() {
        const cell = yield* Cell
        yield* Process.kill(cell)
        yield* turns
        assert.strictEqual(yield* Process.status(cell), "restarting")
        const put = cell.Put({ to: 7 })
        yield* span === "in a span" ? Effect.withSpan(put, "sender") : put
        const caller = yield* now(cell.Get({}, { timeout: "infinity" }))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* Process.incarnation(cell), 2)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(caller.pollUnsafe(), Exit.succeed(7))
      }).pipe(Effect.provide(tree("a plain handler", gates(), {}, { restart: slowly }))))
  }
})

class Sum extends GenServer.Service<Sum>()("test/Sum", {
  state: Schema.Int,
  messages: { Put: GenServer.cast({ payload: { to: Schema.Int } }), Get: GenServer.call({ reply: Schema.Int }) }
}) {}

describe("a server that is about to begin again", () => {
  const ends = {
    "while it cleans up": (sum: typeof Sum.Service) => Effect.exit(GenServer.stop(sum)),
    "while it starts": (sum: typeof Sum.Service) => Process.kill(sum)
  } satisfies Record<string, (sum: typeof Sum.Service) => Effect.Effect<unknown>>
  for (const [stage, end] of Object.entries(ends)) {
    for (const span of ["without a span", "in a span"]) {
      it.effect(`keeps the casts that it is sent ${stage}, ${span}`, () => {
        const gate = Latch.makeUnsafe(true)
        return Effect.gen(function*() {
          const sum = yield* Sum
          yield* gate.close
          const ending: Effect.Effect<unknown> = end(sum)
          yield* now(ending)
          yield* turns
          assert.strictEqual(yield* Process.status(sum), stage === "while it starts" ? "starting" : "running")
          yield* span === "in a span" ? Effect.withSpan(sum.Put({ to: 7 }), "sender") : sum.Put({ to: 7 })
          yield* gate.open
          yield* turns
          assert.deepStrictEqual([yield* sum.Get(), yield* Process.incarnation(sum)], [7, 2])
        }).pipe(Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [
          StateContainer.layerMemory(Sum),
          Sum.layer({
            init: Effect.as(gate.await, 0),
            terminate: () => gate.await,
            handlers: { Put: (_, { to }) => to, Get: (n) => [n, n] }
          })
        ])))
      })
    }
  }
})

describe("a server that ends for good", () => {
  const ends = {
    "a kill": (cell: typeof Cell.Service) => Process.kill(cell),
    "an order": () => Effect.flatMap(Top, (top) => top.terminateChild("test/Cell"))
  } satisfies Record<string, (cell: typeof Cell.Service) => Effect.Effect<unknown, unknown, Top>>
  for (const [what, end] of Object.entries(ends)) {
    it.effect(`lets casters go on that waited for room: by ${what}`, () => {
      const own = gates()
      return Effect.gen(function*() {
        const cell = yield* Cell
        yield* own.hold.close
        yield* now(Effect.exit(cell.Hold()))
        yield* cell.Put({ to: 1 })
        const casters = [yield* now(cell.Put({ to: 2 })), yield* now(Effect.withSpan(cell.Put({ to: 3 }), "caller"))]
        yield* turns
        assert.deepStrictEqual(casters.map((caster) => caster.pollUnsafe()), [undefined, undefined])
        const ending: Effect.Effect<unknown, unknown, Top> = end(cell)
        yield* ending
        yield* turns
        assert.deepStrictEqual(casters.map((caster) => caster.pollUnsafe()), [Exit.void, Exit.void])
      }).pipe(Effect.provide(tree("a plain handler", own, { mailbox: { capacity: 1 }, restart: "temporary" })))
    })
  }

  it.effect("a parked one is not said to restart", () =>
    Effect.gen(function*() {
      const cell = yield* Cell
      const reason = errorOf(yield* Effect.exit(cell.Die()))?.reason
      assert.strictEqual(yield* Process.status(cell), "parked")
      assert.isTrue(reason?._tag === "Crashed" && !reason.willRestart)
    }).pipe(Effect.provide(tree("a plain handler", gates(), {}, { restart: never, onGiveUp: "park" }))))
})

class Job extends GenServer.Service<Job>()("test/Job", {
  state: Schema.Int,
  messages: {
    Try: GenServer.call({ redeliver: { maxAttempts: 3 }, timeout: "1 second" }),
    Get: GenServer.call({ reply: Schema.Int })
  }
}) {}

describe("a message that waits to be handled again", () => {
  const gone = {
    "is interrupted": (caller: Fiber.Fiber<unknown, unknown>) => Fiber.interrupt(caller),
    "has timed out": () => TestClock.adjust("1 second")
  } satisfies Record<string, (caller: Fiber.Fiber<unknown, unknown>) => Effect.Effect<unknown>>
  for (const [what, go] of Object.entries(gone)) {
    it.effect(`is withdrawn when its caller ${what}`, () => {
      const attempts: Array<number> = []
      const app = Layer.provideMerge(
        Supervisor.layer({ id: "root", strategy: "one_for_one", restart: slowly }, [
          StateContainer.layerMemory(Job),
          Job.layer({
            init: 0,
            handlers: {
              Try: (n, _, { attempt }) => {
                attempts.push(attempt)
                return attempt === 1 ? Effect.die("boom") : [undefined, n + 1]
              },
              Get: (n) => [n, n]
            }
          })
        ]),
        Harness.Harness.layer
      )
      return Effect.gen(function*() {
        const [job, { telemetry }] = [yield* Job, yield* Harness.Harness]
        const caller = yield* now(Effect.exit(job.Try()))
        yield* turns
        assert.deepStrictEqual([attempts, sinkOf(telemetry).counters.queued], [[1], 1])
        const going: Effect.Effect<unknown> = go(caller)
        yield* going
        assert.strictEqual(sinkOf(telemetry).counters.queued, 0)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* job.Get(), 0)
        assert.deepStrictEqual(attempts, [1])
      }).pipe(Effect.provide(app), quiet)
    })
  }
})
