/** Servers that are handed values which do harm when they are looked at: they answer, and go on. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { reportLength } from "../../../../src/domain/text/ForeignCause.ts"
import { GenServer, Next, Process, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { Harness } from "../../../../src/layers/testing/Harness.ts"
import { harmful, hostiles } from "../../../kit/Hostile.ts"
import { often } from "../../../kit/Restarts.ts"
import { written } from "../../../kit/Written.ts"

class Holder extends GenServer.Service<Holder>()("test/Holder", {
  state: Schema.Unknown,
  messages: {
    Take: GenServer.call({ payload: { what: Schema.Unknown }, reply: Schema.Unknown, error: Schema.Unknown }),
    Put: GenServer.cast({ payload: { what: Schema.Unknown } }),
    Count: GenServer.call({ reply: Schema.Int })
  }
}) {}

/** Where a handler answers with the value. */
const places: Readonly<Record<string, (value: unknown, state: unknown) => unknown>> = {
  "the result of a call": (value) => value,
  "a reply": (value, state) => [value, state],
  "a state": (value) => ["a reply", value],
  "a result in an Effect": (value) => Effect.succeed(value),
  "a result that takes time": (value) => Effect.as(Effect.yieldNow, value),
  "a typed failure": (value) => Effect.fail(value),
  "a time without messages": (value, state) => Next.reply("a reply", state, { idleAfter: value as number }),
  "what comes after an answer": (value, state) => Next.reply("a reply", state, { continueWith: value as () => string }),
  "what comes of that": (value, state) => Next.reply("a reply", state, { continueWith: () => value as string }),
  "all that comes with an answer": (value, state) => Next.reply("a reply", state, value as {}),
  "why it stops": (value, state) => Next.stop(value as "normal", { reply: "a reply", state }),
  "what it answers when it stops": (value) => Next.stop("normal", value as {}),
  "a payload of a message that crashes": () => {
    throw new Error("boom")
  }
}

const treeOf = (place: string, server: GenServer.Options) => {
  const log = written()
  const app = Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
    StateContainer.layerMemory(Holder),
    Holder.layer({
      init: "the first state",
      // What no handler may answer: the type checker knows it, the engine has to.
      handlers: {
        Take: (state, { what }) => places[place]!(what, state) as readonly [unknown, unknown],
        Put: (_state, { what }) => what,
        Count: (state) => [1, state]
      },
      idle: (state) => state
    }, server)
  ]).pipe(Layer.provideMerge(Harness.layer), Layer.provide(log.layer))
  return { app, log }
}

// Nothing is looked at to its end.
const among = [...harmful, ...hostiles.filter(([name]) => name.includes("four thousand million"))]

describe.each(among)("a server that is handed %s", (_, value) => {
  it.effect.each(Object.keys(places))("as %s: answers, and goes on", (place) =>
    Effect.gen(function*() {
      for (const isolation of ["share", "freeze"] as const) {
        const { app, log } = treeOf(place, { isolation })
        yield* Effect.gen(function*() {
          const holder = yield* Holder
          yield* Sys.log(holder, true)
          yield* Effect.exit(holder.Take({ what: value() }))
          yield* Effect.exit(holder.Take({ what: value() }))
          yield* Sys.noDebug(holder)
          yield* Effect.exit(holder.Take({ what: value() }))
          yield* holder.Put({ what: value() })
          assert.strictEqual(yield* holder.Count(), 1)
          yield* Process.kill(holder)
          assert.strictEqual(yield* holder.Count(), 1)
        }).pipe(Effect.provide(app))
        for (const line of log.lines) assert.isAtMost(line.length, 4 * reportLength)
      }
    }))

  it.effect("as its first state: it starts, or fails to start, and is restarted either way", () =>
    Effect.gen(function*() {
      for (const plain of [true, false]) {
        let starts = 0
        const next = () => ++starts === 1 || starts > 3 ? "a state" : value()
        const app = Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
          StateContainer.layerMemory(Holder),
          Holder.layer({
            init: plain ? Effect.sync(next) : Effect.andThen(Effect.yieldNow, Effect.sync(next)),
            handlers: { Take: (state) => ["a reply", state], Put: (state) => state, Count: (state) => [1, state] }
          })
        ])
        yield* Effect.gen(function*() {
          const holder = yield* Holder
          for (let i = 0; i < 4; i++) {
            yield* Process.kill(holder)
            assert.strictEqual(yield* holder.Count(), 1)
          }
        }).pipe(Effect.provide(app), Effect.provide(written().layer))
      }
    }))
})
