/** A server whose state can be poisoned in every way, over every kind of companion. */
import { Effect, Layer, Schema } from "effect"
import { GenServer, Next, Restart, StateContainer, StateTable, Supervisor } from "../../src/index.ts"
import { Harness } from "../../src/testing.ts"
import { layer as storeLayer, Scripted, Store } from "./Scripted.ts"

/**
 * States that kill: at their restoring, at a continuation with them, in every handler but `Set`'s. The last one kills
 * in handlers too, and is another one after each start.
 */
export const poison = { restore: -1, continueWith: -2, handlers: -3, changing: -1000 } as const

/** A state whose continuation turns it into one that kills when it is restored, while the mood is bad. */
export const turning = 1000

/** What is outside the state, and may be mended. */
export const mood = { isBad: false }

const kills = (state: number): boolean => state === poison.handlers || state <= poison.changing

const continued = (state: number): number | Effect.Effect<never> =>
  state === poison.continueWith
    ? Effect.die("bad state")
    : state <= poison.changing
    ? state - 1
    : state === turning && mood.isBad
    ? poison.restore
    : state

export class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const dying = { payload: { n: Schema.optionalKey(Schema.Int) } } as const

export class Fragile extends GenServer.Service<Fragile>()("test/Fragile", {
  state: Schema.Int,
  messages: {
    Set: GenServer.call({ payload: { to: Schema.Int }, reply: Schema.Int }),
    Put: GenServer.cast({ payload: { to: Schema.Int } }),
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Get: GenServer.call({ reply: Schema.Int }),
    Refuse: GenServer.call({ error: Refused }),
    Crash: GenServer.call(dying),
    CrashAgain: GenServer.call({ ...dying, redeliver: { maxAttempts: 5 } }),
    Hang: GenServer.call({ payload: { n: Schema.Int }, timeout: "infinity" })
  }
}) {}

export const FragileLive = Fragile.layer({
  init: 0,
  restore: (state) =>
    state === poison.restore
      ? Effect.die("bad state")
      : Next.start(state, { continueWith: continued }),
  handlers: {
    Set: (_state, { to }) => [to, to],
    Put: (_state, { to }) => to,
    Add: (state, { by }) => kills(state) ? Effect.die("bad state") : Effect.succeed([state + by, state + by]),
    Get: (state) => kills(state) ? Effect.die("bad state") : Effect.succeed([state, state]),
    Refuse: (state) => kills(state) ? Effect.die("bad state") : Effect.fail(new Refused()),
    Crash: () => Effect.die("boom"),
    CrashAgain: () => Effect.die("boom"),
    Hang: () => Effect.never
  }
})

/** The kinds of companions that conserve. */
export const kinds = ["memory", "table", "store"] as const
export type Kind = typeof kinds[number]

type Options = StateContainer.Options

const companion = (kind: Kind, options: Options, script: Scripted) => {
  switch (kind) {
    case "memory":
      return StateContainer.layerMemory(Fragile, options)
    case "table":
      return StateContainer.layerTable(Fragile, options).pipe(Layer.provide(StateTable.StateTable.layer))
    case "store":
      return StateContainer.layerStore(Fragile, { store: Store, ...options }).pipe(Layer.provide(storeLayer(script)))
  }
}

/** One of them, under a supervisor that forgives so many crashes within 5 seconds. */
export const tree = (kind: Kind, options: Options = {}, restarts = 3, script: Scripted = new Scripted()) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one", restart: Restart.intensity({ restarts }) }, [
    companion(kind, options, script),
    FragileLive
  ]).pipe(Layer.provideMerge(Harness.Harness.layer))
