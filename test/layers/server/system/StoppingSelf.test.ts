/** A server that waits for its own end, from what its end waits for. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now } from "../../../kit/Fibers.ts"

/** A server that does what the test says: while it handles a message, while it starts, while it cleans up. */
const puppet = <const Id extends string>(id: Id) => {
  class Puppet extends GenServer.Service<Puppet>()(id, {
    state: Schema.Int,
    messages: {
      Do: GenServer.call({ reply: Schema.String, timeout: "infinity" }),
      Ping: GenServer.call({ reply: Schema.String, timeout: "infinity" })
    }
  }) {}
  return Puppet
}

class A extends puppet("test/A") {}
class B extends puppet("test/B") {}

interface Script {
  work: Effect.Effect<string>
  init: Effect.Effect<unknown>
  terminate: Effect.Effect<unknown>
}

const blank = (): Script => ({ work: Effect.succeed("done"), init: Effect.void, terminate: Effect.void })

const following = (script: Script) => ({
  init: Effect.as(Effect.suspend(() => script.init), 0),
  restore: (n: number) => Effect.as(Effect.suspend(() => script.init), n),
  terminate: () => Effect.asVoid(Effect.suspend(() => script.terminate)),
  handlers: {
    Do: (n: number) => Effect.map(Effect.suspend(() => script.work), (answer) => [answer, n] as const),
    Ping: (n: number) => ["pong", n] as const
  }
})

const run = (
  body: (stage: {
    readonly a: typeof A.Service
    readonly b: typeof B.Service
    readonly ofA: Script
    readonly ofB: Script
  }) => Effect.Effect<void, unknown, Harness.Harness>
) => {
  const [ofA, ofB] = [blank(), blank()]
  return Effect.gen(function*() {
    yield* body({ a: yield* A, b: yield* B, ofA, ofB })
  }).pipe(Effect.provide(Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerMemory(A),
      StateContainer.layerMemory(B),
      A.layer(following(ofA)),
      B.layer(following(ofB))
    ]),
    Harness.Harness.layer
  )))
}

/** How it went: the answer, or why there was none. */
const seen = <T>(effect: Effect.Effect<T, GenServer.CallError | GenServer.StopFailed>): Effect.Effect<string> =>
  Effect.match(effect, {
    onSuccess: (answer) => typeof answer === "string" ? answer : "stopped",
    onFailure: (error) =>
      error._tag === "StopFailed"
        ? error._tag
        : error.reason._tag === "CallingSelf"
        ? `CallingSelf ${error.reason.chain.join(" ")}`
        : error.reason._tag
  })

const itself = "CallingSelf root > test/A root > test/A"

describe("a stop that would wait for itself fails at once", () => {
  it.effect("from a handler to its own server, which lives on", () =>
    run(({ a, ofA }) =>
      Effect.gen(function*() {
        ofA.work = seen(GenServer.stop(a))
        const doing = yield* now(a.Do())
        const waiting = yield* now(a.Ping())
        yield* Effect.yieldNow
        assert.isDefined(waiting.pollUnsafe(), "the handler waits for its own end, and the server is stuck for ever")
        assert.strictEqual(yield* Fiber.join(doing), itself)
        assert.strictEqual(yield* Fiber.join(waiting), "pong")
        assert.strictEqual(yield* Process.incarnation(a), 1)
      })
    ))

  it.effect("after the handler has waited, and with a timeout, too", () =>
    run(({ a, ofA }) =>
      Effect.gen(function*() {
        ofA.work = Effect.andThen(Effect.yieldNow, seen(GenServer.stop(a, undefined, { timeout: "1 second" })))
        assert.strictEqual(yield* a.Do(), itself)
        assert.strictEqual(yield* Process.incarnation(a), 1)
      })
    ))

  it.effect("by way of others, with the whole way in the error", () =>
    run(({ a, b, ofA, ofB }) =>
      Effect.gen(function*() {
        ofA.work = Effect.orDie(b.Do())
        ofB.work = Effect.andThen(Effect.yieldNow, seen(GenServer.stop(a)))
        assert.strictEqual(yield* a.Do(), "CallingSelf root > test/A root > test/B root > test/A")
        assert.strictEqual(yield* a.Ping(), "pong")
      })
    ))

  it.effect("from its init, and from its terminate", () =>
    run(({ a, ofA }) =>
      Effect.gen(function*() {
        const answers: Array<string> = []
        const stop = Effect.tap(seen(GenServer.stop(a)), (answer) => Effect.sync(() => answers.push(answer)))
        ofA.init = stop
        ofA.terminate = stop
        ofA.work = Effect.die("boom")
        assert.strictEqual(yield* seen(a.Do()), "Crashed")
        assert.strictEqual(yield* a.Ping(), "pong")
        assert.deepStrictEqual(answers, [itself, itself])
        ofA.terminate = Effect.void
      })
    ))
})

describe("a wait for the end of a server", () => {
  it.effect("is not waited for by its terminate: that call fails at once", () =>
    run(({ a, b, ofA, ofB }) =>
      Effect.gen(function*() {
        const answers: Array<string> = []
        ofA.terminate = Effect.tap(seen(b.Ping()), (answer) => Effect.sync(() => answers.push(answer)))
        ofB.work = seen(GenServer.stop(a))
        assert.strictEqual(yield* b.Do(), "stopped")
        assert.deepStrictEqual(answers, ["CallingSelf root > test/B root > test/A root > test/B"])
        ofA.terminate = Effect.void
      })
    ))

  it.effect("may be called by it as soon as it has given up", () =>
    run(({ a, b, ofA, ofB }) =>
      Effect.gen(function*() {
        const [gate, end] = [Latch.makeUnsafe(), Latch.makeUnsafe()]
        const answers: Array<string> = []
        ofA.work = Effect.as(gate.await, "held")
        ofA.terminate = Effect.tap(seen(b.Ping()), (answer) => Effect.sync(() => answers.push(answer)))
        ofB.work = Effect.tap(seen(GenServer.stop(a, undefined, { timeout: "1 second" })), () => end.await)
        const held = yield* now(a.Do())
        const stopping = yield* now(b.Do())
        yield* TestClock.adjust("1 second")
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(held), "held")
        yield* end.open
        assert.strictEqual(yield* Fiber.join(stopping), "Timeout")
        assert.strictEqual(yield* a.Ping(), "pong")
        assert.strictEqual(yield* Process.incarnation(a), 2, "it went on stopping")
        assert.deepStrictEqual(answers, ["pong"])
        ofA.terminate = Effect.void
      })
    ))
})

it.effect("a fiber that a handler forked may stop its server: the server does not wait for it", () =>
  run(({ a, ofA }) =>
    Effect.gen(function*() {
      const answers: Array<string> = []
      ofA.work = Effect.as(
        Effect.forkDetach(
          Effect.tap(seen(GenServer.stop(a)), (answer) => Effect.sync(() => answers.push(answer))),
          { startImmediately: true }
        ),
        "forked"
      )
      assert.strictEqual(yield* a.Do(), "forked")
      yield* (yield* Harness.Harness).awaitIncarnation(a, 2)
      assert.deepStrictEqual(answers, ["stopped"])
    })
  ))
