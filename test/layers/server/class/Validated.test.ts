import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Schema } from "effect"
import { GenServer, Next, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"

const by = Schema.Int.check(Schema.isGreaterThan(0))

const messages = {
  Add: GenServer.call({ payload: { by }, reply: Schema.Int }),
  Defaulted: GenServer.call({ payload: { by: by.pipe(Schema.withConstructorDefault(Effect.succeed(1))) } }),
  Push: GenServer.cast({ payload: { by } }),
  Reply: GenServer.call({ payload: { with: Schema.Unknown }, reply: Schema.Int, error: Schema.String }),
  Later: GenServer.call({ payload: { with: Schema.Unknown }, reply: Schema.Int }),
  Free: GenServer.call({ payload: { by }, reply: Schema.Int, validate: false }),
  Hold: GenServer.call({ timeout: "infinity" })
}

class Counter
  extends GenServer.Service<Counter>()("test/Counter", { state: Schema.Finite, validate: true, messages })
{}

/** The same, unvalidated but for one message. */
class Lax extends GenServer.Service<Lax>()("test/Lax", {
  state: Schema.Finite,
  messages: { ...messages, Strict: GenServer.call({ payload: { by }, reply: Schema.Int, validate: true }) }
}) {}

/** How a handler may answer with a reply. */
const styles = {
  "at once": (reply: number, n: number) => [reply, n] as const,
  "with an Effect": (reply: number, n: number) => Effect.succeed([reply, n] as const),
  "with an Effect that takes time": (reply: number, n: number) => Effect.as(Effect.yieldNow, [reply, n] as const),
  "with Next.reply": (reply: number, n: number) => Next.reply(reply, n),
  "with an Effect of Next.reply": (reply: number, n: number) => Effect.sync(() => Next.reply(reply, n)),
  "with Next.stop": (reply: number, n: number) => Next.stop("normal", { reply, state: n })
}

// What a handler was given that its types do not say.
const unchecked = (value: unknown): number => value as number

const make = (
  style: (typeof styles)[keyof typeof styles] = styles["at once"],
  hold: Effect.Effect<void> = Effect.void
) => {
  const handled: Array<unknown> = []
  const note = (n: number, payload: { readonly by: number }) => {
    handled.push(payload.by)
    return [n + payload.by, n + payload.by] as const
  }
  const handlers = {
    Add: note,
    Free: note,
    Defaulted: (n: number, payload: { readonly by: number }) => [undefined, note(n, payload)[1]] as const,
    Push: (n: number, payload: { readonly by: number }) => note(n, payload)[1],
    Reply: (n: number, payload: { readonly with: unknown }) =>
      payload.with === "fail" ? Effect.fail("refused") : style(unchecked(payload.with), n + 1),
    Later: (n: number, payload: { readonly with: unknown }, { from }: { readonly from: GenServer.From<number> }) =>
      Effect.as(
        Effect.forkScoped(GenServer.reply(from, Exit.succeed(unchecked(payload.with)))),
        Next.noReply(n + 1)
      ),
    Hold: (n: number) => Effect.as(hold, [undefined, n] as const)
  }
  const layer = Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerMemory(Counter),
    Counter.layer({ init: 1, handlers }),
    StateContainer.layerMemory(Lax),
    Lax.layer({ init: 1, handlers: { ...handlers, Strict: note } })
  ])
  return { handled, handlers, layer }
}

const issue = "Expected a value greater than 0 at [\"by\"]"

describe("a wrong payload of a validated message", () => {
  const sends = {
    "an idle server": (counter: Counter["Service"]) => counter.Add({ by: -1 }),
    "with a key": (counter: Counter["Service"]) => counter.Add({ by: -1 }, { idempotencyKey: "k" }),
    "with a field left to its default, and one too many": (counter: Counter["Service"]) =>
      counter.Defaulted({ by: unchecked("2") }),
    "that is not even an object": (counter: Counter["Service"]): Effect.Effect<unknown, GenServer.CallError> =>
      Reflect.apply(counter.Add, counter, [null])
  }
  for (const [how, send] of Object.entries(sends)) {
    it.effect(`is a typed failure of its call, reaches no handler, changes no state: ${how}`, () => {
      const { handled, layer } = make()
      return Effect.gen(function*() {
        const counter = yield* Counter
        const error = yield* Effect.flip(send(counter))
        assert.deepInclude(error, { _tag: "CallError", server: "Supervisor > test/Counter" })
        assert.strictEqual(error.reason._tag, "InvalidPayload")
        assert.deepStrictEqual(handled, [])
        assert.strictEqual(yield* Sys.getState(counter), 1)
        assert.strictEqual((yield* Sys.getStatus(counter)).incarnation, 1)
      }).pipe(Effect.provide(layer))
    })
  }

  it.effect("says where it is wrong, and not what it is", () =>
    Effect.gen(function*() {
      const { message, reason } = yield* Effect.flip((yield* Counter).Add({ by: -41 }))
      assert.deepStrictEqual(reason, { _tag: "InvalidPayload", issue })
      assert.include(message, issue)
      assert.notInclude(message, "41")
    }).pipe(Effect.provide(make().layer)))

  it.effect("is found before the message waits for its turn", () => {
    const latch = Latch.makeUnsafe()
    return Effect.gen(function*() {
      const counter = yield* Counter
      const held = yield* Effect.forkChild(counter.Hold(), { startImmediately: true })
      assert.strictEqual((yield* Effect.flip(counter.Add({ by: 0 }))).reason._tag, "InvalidPayload")
      yield* latch.open
      yield* Fiber.join(held)
    }).pipe(Effect.provide(make(undefined, latch.await).layer))
  })

  it.effect("of a cast is a defect of its sender, and reaches no handler", () => {
    const { handled, layer } = make()
    return Effect.gen(function*() {
      const counter = yield* Counter
      const exit = yield* Effect.exit(counter.Push({ by: -1 }))
      assert.include(String(exit), "as payload: it must be what its schema says")
      if (Exit.isFailure(exit)) {
        const defect = Cause.squash(exit.cause)
        assert.deepInclude(defect, { _tag: "InvalidOption", request: "Push", option: "payload" })
      }
      yield* counter.Push({ by: 2 })
      assert.strictEqual(yield* Sys.getState(counter), 3)
      assert.deepStrictEqual(handled, [2])
    }).pipe(Effect.provide(layer))
  })

  it.effect("is checked as it is: an instance of a class is one, and its fields are none", () => {
    class Point extends Schema.Class<Point>("test/Point")({ x: Schema.Int }) {}
    class Plane extends GenServer.Service<Plane>()("test/Plane", {
      state: Schema.Int,
      validate: true,
      messages: { To: GenServer.call({ payload: Point, reply: Schema.Date }) }
    }) {}
    const live = Plane.layer({ init: 0, handlers: { To: (_, { x }) => [new Date(x), x] } })
    return Effect.gen(function*() {
      const plane = yield* Plane
      assert.deepStrictEqual(yield* plane.To(new Point({ x: 1 })), new Date(1))
      const { reason } = yield* Effect.flip(Reflect.apply(plane.To, plane, [{ x: 1 }]))
      assert.strictEqual(reason._tag, "InvalidPayload")
    }).pipe(
      Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Plane), live]))
    )
  })
})

describe("a wrong reply to a validated message", () => {
  for (const [how, style] of Object.entries(styles)) {
    it.effect(`is a crash of its handler, before the commit: ${how}`, () =>
      Effect.gen(function*() {
        const counter = yield* Counter
        const { message, reason } = yield* Effect.flip(counter.Reply({ with: "41" })) as Effect.Effect<
          GenServer.CallError
        >
        assert.strictEqual(reason._tag, "Crashed")
        assert.include(message, "the reply of test/Counter to Reply is not what its schema says (Expected number)")
        assert.notInclude(message, "41")
        assert.strictEqual(yield* Sys.getState(counter), 1)
        assert.strictEqual((yield* Sys.getStatus(counter)).incarnation, 2)
      }).pipe(Effect.provide(make(style).layer)))
  }

  it.effect("is found in a behaviour that took the place of another, too", () => {
    const { handlers, layer } = make()
    return Effect.gen(function*() {
      const counter = yield* Counter
      yield* GenServer.replace(counter, { init: 1, handlers })
      yield* GenServer.replace(counter, Effect.succeed(Counter.behavior({ init: 1, handlers })))
      for (const incarnation of [2, 3]) {
        const error = yield* Effect.flip(counter.Reply({ with: "nonsense" }))
        assert.strictEqual(error instanceof GenServer.CallError && error.reason._tag, "Crashed")
        assert.strictEqual((yield* Sys.getStatus(counter)).incarnation, incarnation)
      }
      assert.strictEqual(yield* Sys.getState(counter), 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("that follows later answers no caller, and is a defect where it is given", () => {
    let seen: unknown
    class Late extends GenServer.Service<Late>()("test/Late", {
      state: Schema.Int,
      validate: true,
      messages: { Ask: GenServer.call({ reply: Schema.Int }) }
    }) {}
    const live = Late.layer({
      init: 0,
      handlers: {
        Ask: (n, _, { from }) =>
          GenServer.reply(from, Exit.succeed(unchecked("nonsense"))).pipe(
            Effect.catchDefect((defect) => Effect.sync(() => void (seen = defect))),
            Effect.andThen(GenServer.reply(from, Exit.succeed(5))),
            Effect.as(Next.noReply(n))
          )
      }
    })
    return Effect.gen(function*() {
      const late = yield* Late
      assert.strictEqual(yield* late.Ask(), 5)
      assert.deepInclude(seen, { _tag: "InvalidReply", server: "Supervisor > test/Late", request: "Ask" })
    }).pipe(Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Late), live])))
  })

  it.effect("is no matter of right ones, of typed failures, and of other messages", () =>
    Effect.gen(function*() {
      const counter = yield* Counter
      assert.strictEqual(yield* counter.Reply({ with: 5 }), 5)
      assert.strictEqual(yield* counter.Later({ with: 6 }), 6)
      assert.strictEqual(yield* Effect.flip(counter.Reply({ with: "fail" })), "refused")
      yield* counter.Defaulted({})
      yield* counter.Hold()
      assert.strictEqual((yield* Sys.getStatus(counter)).incarnation, 1)
    }).pipe(Effect.provide(make().layer)))
})

describe("what is validated", () => {
  it.effect("is nothing, by default: a value that defeats the types is handled like any other", () => {
    const { handled, layer } = make()
    return Effect.gen(function*() {
      const lax = yield* Lax
      assert.strictEqual(yield* lax.Add({ by: -1 }), 0)
      yield* lax.Push({ by: -1 })
      assert.strictEqual(yield* lax.Reply({ with: "nonsense" }), unchecked("nonsense"))
      assert.deepStrictEqual(handled, [-1, -1])
    }).pipe(Effect.provide(layer))
  })

  it.effect("is what the message says, whatever its class says", () => {
    const { handled, layer } = make()
    return Effect.gen(function*() {
      assert.strictEqual(yield* (yield* Counter).Free({ by: -1 }), 0)
      assert.strictEqual((yield* Effect.flip((yield* Lax).Strict({ by: -1 }))).reason._tag, "InvalidPayload")
      assert.deepStrictEqual(handled, [-1])
    }).pipe(Effect.provide(layer))
  })

  it.effect("is sent by the server itself and by a key, too", () => {
    class Keyed extends GenServer.Service<Keyed>()("test/Keyed", {
      state: Schema.Int,
      validate: true,
      messages: {
        Add: GenServer.call({ payload: { by }, reply: Schema.Int }),
        Tick: GenServer.cast({ payload: { by }, internal: true }),
        Begin: GenServer.call()
      }
    }) {}
    const live = Keyed.layerKeyed({
      init: 0,
      handlers: {
        Add: (n, { by }) => [n + by, n + by],
        Tick: (n, { by }) => n + by,
        Begin: (n) => Effect.flatMap(Keyed.self, (self) => Effect.as(self.Tick({ by: -1 }), [undefined, n] as const))
      }
    })
    return Effect.gen(function*() {
      const error = yield* Effect.flip((yield* Keyed.via("a")).Add({ by: -1 }))
      assert.strictEqual(error._tag === "CallError" && error.reason._tag, "InvalidPayload")
      const server = yield* Keyed.at("a")
      assert.strictEqual((yield* Effect.flip(server.Begin())).reason._tag, "Crashed")
      assert.strictEqual(yield* Sys.getState(server), 0)
    }).pipe(
      Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Keyed), live]))
    )
  })
})
