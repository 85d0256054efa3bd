/** An exit signal is an end from outside, whatever its reason says: it is no evidence against the state. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Layer, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import { ExitReason, GenServer, Process, Restart, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Wait: GenServer.call({ payload: { n: Schema.Int }, timeout: "infinity" })
  }
}) {}

/** `restore` waits, if it is to. */
const app = (waits: { restore: boolean }, options: StateContainer.Options = {}) =>
  Supervisor.layer(
    { id: "root", strategy: "one_for_one", restart: Restart.intensity({ restarts: 100, within: "1 minute" }) },
    [
      StateContainer.layerMemory(Num, options),
      Num.layer({
        init: 0,
        restore: (n) => waits.restore ? Effect.as(Effect.sleep("1 second"), n) : n,
        handlers: {
          Add: (n, { by }) => [n + by, n + by],
          Wait: (n) => Effect.as(Effect.never, [undefined, n])
        }
      })
    ]
  ).pipe(
    Layer.provideMerge(Harness.Harness.layer),
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "None"))
  )

const crash = ExitReason.crashed(Cause.die(new Error("it is to end")))
const conserved = Effect.gen(function*() {
  const num = yield* Num
  yield* num.Add({ by: 41 })
  yield* num.Add({ by: 1 })
  return num
})

const nothingIsGivenUp = Effect.gen(function*() {
  const harness = yield* Harness.Harness
  const given = (yield* harness.events).filter(({ _tag }) => _tag === "StateSetAside" || _tag === "StateRolledBack")
  assert.deepStrictEqual(given, [])
})

describe("an exit signal with the reason of a crash", () => {
  it.effect("that ends restore is no evidence against the state that is restored", () => {
    const waits = { restore: false }
    return Effect.gen(function*() {
      const num = yield* conserved
      waits.restore = true
      for (let i = 0; i < 3; i++) {
        yield* Process.exit(num, crash)
        yield* TestClock.adjust("500 millis")
        assert.strictEqual(yield* Process.status(num), "starting")
      }
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* num.Add({ by: 0 }), 42)
      yield* nothingIsGivenUp
    }).pipe(Effect.provide(app(waits)))
  })

  it.effect("that ends handlers of different messages, each its incarnation's first, is none either", () =>
    Effect.gen(function*() {
      const num = yield* conserved
      yield* Process.kill(num)
      for (let n = 0; n < 4; n++) {
        const waiting = yield* Effect.forkChild(Effect.exit(num.Wait({ n })), { startImmediately: true })
        yield* Process.exit(num, crash)
        assert.strictEqual((yield* Fiber.join(waiting))._tag, "Failure")
      }
      assert.strictEqual(yield* num.Add({ by: 0 }), 42)
      yield* nothingIsGivenUp
    }).pipe(Effect.provide(app({ restore: false }, { onSuspect: "rollback" }))))
})
