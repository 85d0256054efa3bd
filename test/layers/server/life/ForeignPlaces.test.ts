/** A table: every place of a server where a value of the app's own goes in, and every value that does harm there. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { reportLength } from "../../../../src/domain/text/ForeignCause.ts"
import { type ExitReason, GenServer, Next, Process, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { hostiles } from "../../../kit/Hostile.ts"
import { often } from "../../../kit/Restarts.ts"
import { written } from "../../../kit/Written.ts"

class Taker extends GenServer.Service<Taker>()("test/Taker", {
  state: Schema.Unknown,
  messages: {
    Take: GenServer.call({ payload: { what: Schema.Unknown }, reply: Schema.Unknown, error: Schema.Unknown }),
    Rest: GenServer.cast(),
    Go: GenServer.cast({ payload: { what: Schema.Unknown } }),
    Count: GenServer.call({ reply: Schema.Int })
  }
}) {}
type Taken = typeof Taker.Service

type Hooks = {
  readonly formatStatus?: (shown: unknown) => {}
  readonly terminate?: () => Effect.Effect<void>
}

interface Place {
  /** What the server's own code does with the value. */
  readonly handle?: (value: () => unknown) => unknown
  readonly hooks?: (value: () => unknown) => Hooks
  /** What is done to it from outside. */
  readonly from: (taker: Taken, value: () => unknown) => Effect.Effect<unknown, unknown>
}

const take = (taker: Taken) => taker.Take({ what: 1 })
const die = () => Effect.die(new Error("boom"))
// What the type checker refuses comes from code without types.
const given = <A>(value: unknown): A => value as A

const whole = (value: () => unknown) => () => ({ state: value(), message: value(), reason: value(), log: value() })
const thrown = (value: () => unknown) => () => {
  throw value()
}

const places: Readonly<Record<string, Place>> = {
  "what formatStatus answers, in a crash report": {
    handle: die,
    hooks: (v) => ({ formatStatus: () => given(v()) }),
    from: take
  },
  "each part of what it answers": { handle: die, hooks: (v) => ({ formatStatus: whole(v) }), from: take },
  "what it throws": { handle: die, hooks: (v) => ({ formatStatus: thrown(v) }), from: take },
  "each part of it, in a status": { hooks: (v) => ({ formatStatus: whole(v) }), from: (taker) => Sys.getStatus(taker) },
  "one of many reasons of a crash": {
    handle: (v) => Effect.failCause(Cause.fromReasons([Cause.makeFailReason(v()), Cause.makeDieReason(v())])),
    from: take
  },
  "what a cast dies of": { handle: thrown, from: (taker) => taker.Go({ what: 1 }) },
  "what a cast fails with": { handle: (v) => Effect.fail(v()), from: (taker) => taker.Go({ what: 1 }) },
  "what a continuation dies of": {
    handle: (v) => Next.noReply(1, { continueWith: thrown(v) as () => never }),
    from: (taker) => taker.Go({ what: 1 })
  },
  "what idle dies of": {
    from: (taker) => Effect.andThen(taker.Rest(), TestClock.adjust("1 second"))
  },
  "a state that is set by hand": { from: (taker, v) => Sys.replaceState(taker, () => v()) },
  "what that dies of": { from: (taker, v) => Sys.replaceState(taker, () => Effect.die(v())) },
  "what that fails with": { from: (taker, v) => Sys.replaceState(taker, () => Effect.fail(v())) },
  "what a debug function starts from, and answers": {
    from: (taker, v) =>
      Effect.andThen(Effect.exit(Effect.suspend(() => Sys.install(taker, () => v(), v()))), take(taker))
  },
  "what a debug function throws": {
    from: (taker, v) => Effect.andThen(Sys.install(taker, thrown(v) as () => never, 0), take(taker))
  },
  "a payload": { from: (taker, v) => Effect.suspend(() => taker.Take(given(v()))) },
  "the payload of a cast": { from: (taker, v) => Effect.suspend(() => taker.Go(given(v()))) },
  "the options of a call": { from: (taker, v) => Effect.suspend(() => taker.Take({ what: 1 }, given(v()))) },
  "its timeout": { from: (taker, v) => Effect.suspend(() => taker.Take({ what: 1 }, given({ timeout: v() }))) },
  "its key": { from: (taker, v) => Effect.suspend(() => taker.Take({ what: 1 }, given({ idempotencyKey: v() }))) },
  "a reason to exit": { from: (taker, v) => Effect.suspend(() => Process.exit(taker, given(v()))) },
  "the cause in one": {
    from: (taker, v) =>
      Effect.suspend(() => Process.exit(taker, given<ExitReason.ExitReason>({ _tag: "Crash", cause: Cause.die(v()) })))
  },
  "the detail in one": {
    from: (taker, v) =>
      Effect.suspend(() => Process.exit(taker, given<ExitReason.ExitReason>({ _tag: "Shutdown", detail: v() })))
  },
  "what it is stopped with": {
    from: (taker, v) => Effect.suspend(() => GenServer.stop(taker, given({ reason: v() })))
  },
  "what clean-up dies of": {
    hooks: (v) => ({ terminate: () => Effect.die(v()) }),
    from: (taker) => GenServer.stop(taker)
  },
  "an annotation of the log": { handle: die, from: take },
  "an attribute of a span": {
    from: (taker, v) => take(taker).pipe(Effect.withSpan("span", { attributes: { v: v() } }))
  }
}

/** Endless to make keys of, or to annotate with: what code that never returns does is its own. */
const finite = hostiles.filter(([name]) => !name.includes("four thousand million"))

describe("a value that does harm", () => {
  it.effect.each(Object.entries(places))(
    "as %s: who asked is answered, and the server goes on",
    ([place, { from, handle, hooks }]) =>
      Effect.gen(function*() {
        for (const [name, value] of finite) {
          const log = written()
          const answer = (): readonly [1, 1] => given(handle === undefined ? [1, 1] : handle(value))
          const app = Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
            StateContainer.layerForget(Taker),
            Taker.layer({
              init: 0,
              handlers: {
                Take: answer,
                Go: () => place === "what a cast dies of" ? thrown(value)() : answer(),
                Rest: () => Next.noReply(1, { idleAfter: "1 second" }),
                Count: (state) => [1, state]
              },
              idle: thrown(value) as () => never,
              ...hooks?.(value)
            })
          ])
          const annotations = place === "an annotation of the log" ? { value: value() } : {}
          yield* Effect.gen(function*() {
            const taker = yield* Taker
            yield* Effect.exit(from(taker, value))
            assert.strictEqual(yield* taker.Count(), 1, name)
          }).pipe(Effect.provide(app), Effect.annotateLogs(annotations), Effect.provide(log.layer))
          for (const line of log.lines) assert.isAtMost(line.length, 8 * reportLength, name)
        }
      }),
    120_000
  )
})
