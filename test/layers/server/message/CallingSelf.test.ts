import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now } from "../../../kit/Fibers.ts"

/** A server that does what the test says while it handles a message. */
const puppet = <const Id extends string>(id: Id) => {
  class Puppet extends GenServer.Service<Puppet>()(id, {
    state: Schema.Int,
    messages: {
      Do: GenServer.call({ reply: Schema.String, timeout: "infinity" }),
      Ping: GenServer.call({ reply: Schema.String }),
      Note: GenServer.cast()
    }
  }) {}
  return Puppet
}

class A extends puppet("test/A") {}
class B extends puppet("test/B") {}
class C extends puppet("test/C") {}

type Client = {
  readonly Do: (payload?: {}, options?: GenServer.CallOptions) => Effect.Effect<string, GenServer.CallError>
  readonly Ping: (payload?: {}, options?: GenServer.CallOptions) => Effect.Effect<string, GenServer.CallError>
  readonly Note: () => Effect.Effect<void>
}

interface Script {
  a: Effect.Effect<string>
  b: Effect.Effect<string>
  c: Effect.Effect<string>
}

const handlers = (work: () => Effect.Effect<string>) => ({
  Do: (n: number) => Effect.map(Effect.suspend(work), (answer) => [answer, n + 1] as const),
  Ping: (n: number) => ["pong", n] as const,
  Note: (n: number) => n + 1
})

const app = (script: Script) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerMemory(A),
      StateContainer.layerMemory(B),
      StateContainer.layerMemory(C),
      A.layer({ init: 0, handlers: handlers(() => script.a) }),
      B.layer({ init: 0, handlers: handlers(() => script.b) }),
      C.layer({ init: 0, handlers: handlers(() => script.c) })
    ]),
    Harness.Harness.layer
  )

/** The answer, or why there was none. */
const seen = (call: Effect.Effect<string, GenServer.CallError>): Effect.Effect<string> =>
  Effect.catch(
    call,
    ({ reason }) =>
      Effect.succeed(reason._tag === "CallingSelf" ? `CallingSelf ${reason.chain.join(" ")}` : reason._tag)
  )

const run = (
  body: (script: Script, a: Client, b: Client, c: Client) => Effect.Effect<void, unknown, Harness.Harness>
) => {
  const none = Effect.succeed("done")
  const script: Script = { a: none, b: none, c: none }
  return Effect.gen(function*() {
    yield* body(script, yield* A, yield* B, yield* C)
  }).pipe(Effect.provide(app(script)))
}

const self = "CallingSelf root > test/A"

describe("a call that would wait for itself fails at once", () => {
  it.effect("from a handler to its own server", () =>
    run((script, a) =>
      Effect.gen(function*() {
        script.a = seen(a.Ping())
        assert.strictEqual(yield* a.Do(), `${self} root > test/A`)
        assert.strictEqual(yield* a.Ping(), "pong")
      })
    ))

  it.effect("after the handler has waited", () =>
    run((script, a) =>
      Effect.gen(function*() {
        script.a = Effect.andThen(Effect.yieldNow, seen(a.Ping()))
        assert.strictEqual(yield* a.Do(), `${self} root > test/A`)
      })
    ))

  it.effect("by way of others, with the whole way in the error", () =>
    run((script, a, b, c) =>
      Effect.gen(function*() {
        script.a = Effect.orDie(b.Do())
        script.b = Effect.andThen(Effect.yieldNow, Effect.orDie(c.Do()))
        script.c = seen(a.Ping())
        assert.strictEqual(yield* a.Do(), `${self} root > test/B root > test/C root > test/A`)
      })
    ))

  it.effect("when one of those on the way was busy at first", () =>
    run((script, a, b) =>
      Effect.gen(function*() {
        const gate = Latch.makeUnsafe()
        script.b = Effect.as(gate.await, "first")
        const first = yield* now(b.Do())
        script.a = Effect.orDie(b.Do())
        const through = yield* now(a.Do())
        script.b = seen(a.Ping())
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(first), "first")
        assert.strictEqual(yield* Fiber.join(through), `${self} root > test/B root > test/A`)
      })
    ))
})

describe("a call that would not wait for itself is none of this", () => {
  it.effect("from a fiber that a handler forked: the server does not wait for it", () =>
    run((script, a) =>
      Effect.gen(function*() {
        const answers: Array<string> = []
        script.a = Effect.as(
          Effect.forkDetach(Effect.tap(seen(a.Ping()), (answer) => Effect.sync(() => answers.push(answer))), {
            startImmediately: true
          }),
          "forked"
        )
        assert.strictEqual(yield* a.Do(), "forked")
        yield* a.Ping()
        yield* Effect.yieldNow
        assert.deepStrictEqual(answers, ["pong"])
      })
    ))

  it.effect("a cast", () =>
    run((script, a) =>
      Effect.gen(function*() {
        script.a = Effect.as(a.Note(), "noted")
        assert.strictEqual(yield* a.Do(), "noted")
        assert.strictEqual(yield* a.Ping(), "pong")
      })
    ))

  it.effect("to a server whose call has timed out: it does not wait any more", () =>
    run((script, a, b) =>
      Effect.gen(function*() {
        const answers: Array<string> = []
        script.a = seen(b.Do({}, { timeout: "1 second" }))
        script.b = Effect.tap(Effect.delay(Effect.suspend(() => seen(a.Ping())), "2 seconds"), (answer) =>
          Effect.sync(() => answers.push(answer)))
        const through = yield* now(a.Do())
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(through), "Timeout")
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(answers, ["pong"])
      })
    ))

  it.effect("to a server that has its answer already", () =>
    Effect.gen(function*() {
      const early = Latch.makeUnsafe()
      class Early extends GenServer.Service<Early>()("test/Early", {
        state: Schema.Int,
        messages: { Ask: GenServer.call({ reply: Schema.String }) }
      }) {}
      const script: Script = { a: Effect.succeed(""), b: Effect.succeed(""), c: Effect.succeed("") }
      const answers: Array<string> = []
      const tree = Layer.provideMerge(
        Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          StateContainer.layerMemory(A),
          StateContainer.layerMemory(Early),
          A.layer({ init: 0, handlers: handlers(() => script.a) }),
          Early.layer(Effect.gen(function*() {
            const a = yield* A
            return Early.behavior({
              init: 0,
              handlers: {
                Ask: (n, _payload, { from }) =>
                  Effect.gen(function*() {
                    yield* GenServer.reply(from, Exit.succeed("early"))
                    answers.push(yield* seen(a.Ping()))
                    yield* early.open
                    return Next.noReply(n)
                  })
              }
            })
          }))
        ]),
        Harness.Harness.layer
      )
      yield* Effect.gen(function*() {
        const a = yield* A
        const other = yield* Early
        script.a = Effect.orDie(other.Ask())
        assert.strictEqual(yield* a.Do(), "early")
        yield* early.await
        assert.deepStrictEqual(answers, ["pong"])
      }).pipe(Effect.provide(tree))
    }))
})

describe("a server that calls itself where no message is in hand", () => {
  it.effect("in its init, or in terminate, fails at once", () => {
    const seen: Array<string> = []
    const ask = (ping: Effect.Effect<unknown, GenServer.CallError>) =>
      Effect.flatMap(Effect.flip(ping), ({ reason }) => Effect.sync(() => seen.push(reason._tag)))
    const ref: { current: Effect.Effect<string, GenServer.CallError> | undefined } = { current: undefined }
    const tree = Layer.provideMerge(
      Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerMemory(A),
        A.layer({
          init: Effect.suspend(() =>
            ref.current === undefined ? Effect.succeed(0) : Effect.as(Effect.orDie(ask(ref.current)), 0)
          ),
          handlers: handlers(() => Effect.die("boom")),
          terminate: () => ref.current === undefined ? Effect.void : Effect.asVoid(Effect.orDie(ask(ref.current)))
        })
      ]),
      Harness.Harness.layer
    )
    return Effect.gen(function*() {
      const a = yield* A
      ref.current = a.Ping()
      yield* Effect.exit(a.Do())
      ref.current = undefined
      assert.deepStrictEqual(seen, ["CallingSelf", "CallingSelf"])
      assert.strictEqual(yield* a.Ping(), "pong")
    }).pipe(Effect.provide(tree))
  })
})
