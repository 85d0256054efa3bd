import { assert, describe, it } from "@effect/vitest"
import { Cause, type Duration, Effect, type Exit, Layer, Option, Schema } from "effect"
import { InvalidOption } from "../../../../src/domain/options/InvalidOption.ts"
import { GenServer, Next, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { along, everyWay, type Gates, gates, type Style, styles } from "../../../kit/Cell.ts"
import { often } from "../../../kit/Restarts.ts"

/** Counts, and gets from its callers after how long it is idle. */
class Dozer extends GenServer.Service<Dozer>()("test/Dozer", {
  state: Schema.Int,
  messages: {
    Doze: GenServer.call({ payload: { after: Schema.Unknown } }),
    Nap: GenServer.cast({ payload: { after: Schema.Unknown } }),
    Go: GenServer.call({ payload: { after: Schema.Unknown } }),
    Strange: GenServer.call({ payload: { how: Schema.Unknown }, reply: Schema.Unknown }),
    Odd: GenServer.cast({ payload: { how: Schema.Unknown } }),
    Get: GenServer.call({ reply: Schema.Int }),
    Hold: GenServer.call({ timeout: "infinity" })
  }
}) {}

const inStyle = (style: Style) => <A>(answer: A): A | Effect.Effect<A> => {
  switch (style) {
    case "a plain handler":
      return answer
    case "an effectful handler":
      return Effect.succeed(answer)
    case "a handler that waits":
      return Effect.as(Effect.yieldNow, answer)
  }
}

// What a caller sent need not be what the type checker takes it for.
const idle = (after: unknown) => ({ idleAfter: after as Duration.Input })

const app = (
  style: Style,
  { boot, hold }: Gates,
  first?: unknown,
  callbacks = { idle: (n: number) => n } as object
) => {
  const answer = inStyle(style)
  const server = Dozer.layer({
    init: Effect.as(boot.await, Next.start(0, idle(first))),
    restore: (n) => Effect.as(boot.await, n),
    handlers: {
      Doze: (n, { after }) => answer(Next.reply(undefined, n + 1, idle(after))),
      Nap: (n, { after }) => answer(Next.noReply(n + 1, idle(after))),
      Go: (n, { after }) =>
        answer(Next.reply(undefined, n, { continueWith: (n) => answer(Next.noReply(n + 1, idle(after))) })),
      Strange: (_n, { how }) => answer(how as readonly [unknown, number]),
      Odd: (_n, { how }) => answer(how as number),
      Get: (n) => [n, n],
      Hold: (n) => Effect.as(hold.await, [undefined, n])
    },
    ...callbacks
  })
  return Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
      StateContainer.layerMemory(Dozer),
      server
    ]),
    Harness.Harness.layer
  )
}

const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown => {
  const error = exit._tag === "Failure" ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
  return error instanceof GenServer.CallError && error.reason._tag === "Crashed"
    ? Cause.squash(error.reason.cause)
    : exit
}

const nonsense = [NaN, -1, `${NaN} seconds`, "soon"]

describe("an idleAfter that is no time crashes the handler that answered it, before the commit", () => {
  for (const [path, style] of everyWay) {
    it.effect(`a call: ${path}, ${style}`, () => {
      const own = gates()
      return Effect.gen(function*() {
        const dozer = yield* Dozer
        for (const after of nonsense) {
          const error = defectOf(yield* along(path, dozer, own, dozer.Doze({ after })))
          assert(error instanceof InvalidOption)
          assert.strictEqual(error.of, "root > test/Dozer")
          assert.strictEqual(error.request, "Doze")
          assert.strictEqual(error.option, "idleAfter")
          assert.deepStrictEqual(error.given, after)
          assert.include(error.message, "Doze of root > test/Dozer was given")
          assert.include(error.message, "as idleAfter: it must be a duration, zero or longer")
          assert.strictEqual(yield* dozer.Get(), 0)
          yield* (yield* Harness.Harness).clear
        }
      }).pipe(Effect.provide(app(style, own)))
    })
  }

  for (const style of styles) {
    it.effect(`a cast and a continuation: ${style}`, () => {
      const own = gates()
      return Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const dozer = yield* Dozer
        yield* dozer.Nap({ after: NaN })
        const cast = yield* harness.awaitTag("Exited", dozer)
        assert(cast.reason._tag === "Crashed")
        assert.include(String(Cause.squash(cast.reason.cause)), "Nap of root > test/Dozer was given NaN as idleAfter")
        assert.strictEqual(yield* dozer.Get(), 0)
        yield* harness.clear
        yield* dozer.Go({ after: "soon" })
        const continued = yield* harness.awaitTag("Exited", dozer)
        assert(continued.reason._tag === "Crashed")
        assert.include(String(Cause.squash(continued.reason.cause)), `was given "soon" as idleAfter`)
        assert.strictEqual(yield* dozer.Get(), 0)
      }).pipe(Effect.provide(app(style, own)))
    })
  }

  it.effect("in the answer of init it fails the start", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.provide(Dozer, app("a plain handler", gates(), NaN)))
      assert.include(String(exit), "init of root > test/Dozer was given NaN as idleAfter")
    }))

  it.effect("no end to it is never", () => {
    const own = gates()
    return Effect.gen(function*() {
      const dozer = yield* Dozer
      yield* dozer.Doze({ after: Infinity })
      assert.strictEqual(yield* dozer.Get(), 1)
    }).pipe(Effect.provide(app("a plain handler", own)))
  })
})

describe("an option of an answer that is none crashes the handler that answered it, before the commit", () => {
  const wrong: ReadonlyArray<readonly [option: string, options: unknown]> = [
    ["continueWith", { continueWith: 5 }],
    ["continueWith", { continueWith: Effect.succeed(1) }],
    ["hibernate", { hibernate: "yes" }],
    ["options", null],
    ["options", 5]
  ]
  for (const [path, style] of everyWay) {
    it.effect(`is refused by name: ${path}, ${style}`, () => {
      const own = gates()
      return Effect.gen(function*() {
        const dozer = yield* Dozer
        for (const [option, options] of wrong) {
          const how = Next.reply(undefined, 7, options as object)
          const error = defectOf(yield* along(path, dozer, own, dozer.Strange({ how })))
          assert.instanceOf(error, InvalidOption)
          assert.deepStrictEqual([error.option, yield* dozer.Get()], [option, 0])
        }
      }).pipe(Effect.provide(app(style, own)))
    })
  }
})

describe("an idleAfter of a server without an idle callback is a crash that names it", () => {
  for (const [path, style] of everyWay) {
    it.effect(`${path}, ${style}`, () => {
      const own = gates()
      return Effect.gen(function*() {
        const dozer = yield* Dozer
        const error = defectOf(yield* along(path, dozer, own, dozer.Doze({ after: 1000 })))
        assert(error instanceof GenServer.MissingCallback)
        assert.deepStrictEqual([error.server, error.callback], ["root > test/Dozer", "idle"])
        assert.include(error.message, "has no idle: add it, or leave idleAfter out of what its handlers answer")
        assert.strictEqual(yield* dozer.Get(), 0)
      }).pipe(Effect.provide(app(style, own, undefined, {})))
    })
  }
})

describe("an answer that cannot even be looked at is a crash like any other", () => {
  const revoked = () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  }

  for (const [path, style] of everyWay) {
    it.effect(`of a call: ${path}, ${style}`, () => {
      const own = gates()
      return Effect.gen(function*() {
        const dozer = yield* Dozer
        yield* dozer.Doze({ after: 1000 })
        const error = defectOf(yield* along(path, dozer, own, dozer.Strange({ how: revoked() })))
        assert.instanceOf(error, TypeError)
        assert.strictEqual(yield* dozer.Get(), 1)
      }).pipe(Effect.provide(app(style, own)))
    })
  }

  for (const style of styles) {
    it.effect(`of a cast: ${style}`, () => {
      const own = gates()
      return Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const dozer = yield* Dozer
        yield* dozer.Odd({ how: revoked() })
        const { reason } = yield* harness.awaitTag("Exited", dozer)
        assert(reason._tag === "Crashed")
        assert.instanceOf(Cause.squash(reason.cause), TypeError)
        assert.strictEqual(yield* dozer.Get(), 0)
      }).pipe(Effect.provide(app(style, own)))
    })
  }
})
