/** A server that hibernates over a scripted store, and what is seen of it from inside. */
import { Effect, Exit, Layer, Schema } from "effect"
import type { ExitReason } from "../../src/domain/process/ExitReason.ts"
import { GenServer, Next, StateContainer, Supervisor } from "../../src/index.ts"
import { Harness } from "../../src/testing.ts"
import { layer as storeLayer, Scripted, Store } from "./Scripted.ts"

export class Sleeper extends GenServer.Service<Sleeper>()("test/Sleeper", {
  state: Schema.Struct({ n: Schema.Int }),
  messages: {
    /** Adds, and hibernates. */
    Sleep: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Read: GenServer.call({ reply: Schema.Int }),
    Put: GenServer.cast({ payload: { to: Schema.Int } }),
    /** Hibernates, is answered by `Settle`. */
    SleepOn: GenServer.call({ reply: Schema.Int }),
    Settle: GenServer.cast(),
    /** Hibernates for at most 100 ms. */
    Nap: GenServer.call(),
    Die: GenServer.call()
  }
}) {}

/** The supervisor of a sleeper. */
export class Top extends Supervisor.Service<Top>()("test/Top") {}

export interface State {
  readonly n: number
}

/** What is seen from inside: states as handlers were given them, ends, and a promised reply. */
export class Inside {
  readonly script = new Scripted()
  readonly states: Array<State> = []
  readonly life: Array<string> = []
  from: GenServer.From<number, never> | undefined = undefined
}

export type Options = Omit<
  Parameters<typeof StateContainer.layerStore<typeof Sleeper, string, State, Store, "crash">>[1],
  "store"
>

/** Notes every state that a handler is given, and every end. */
export const behavior = (inside: Inside) => {
  const seen = (state: State) => {
    inside.states.push(state)
    return state
  }
  return Sleeper.behavior({
    init: { n: 0 },
    handlers: {
      Sleep: (state, { by }) => Next.reply(seen(state).n + by, { n: state.n + by }, { hibernate: true }),
      Add: (state, { by }) => [seen(state).n + by, { n: state.n + by }],
      Read: (state) => [seen(state).n, state],
      Put: (_state, { to }) => ({ n: to }),
      SleepOn: (state, _, { from }) => {
        inside.from = from
        return Next.noReply(state, { hibernate: true })
      },
      Settle: (state) => Effect.as(GenServer.reply(inside.from!, Exit.succeed(seen(state).n)), state),
      Nap: (state) => Next.reply(undefined, { n: state.n + 1 }, { hibernate: true, idleAfter: 100 }),
      Die: () => Effect.die("boom")
    },
    idle: (state) => ({ n: seen(state).n + 1000 }),
    terminate: (reason: ExitReason, state) => {
      inside.life.push(`${reason._tag} at ${state.n}`)
    }
  })
}

/** One sleeper over the scripted store, watched by a harness. */
export const setUp = (inside: Inside, options: Options = {}, supervisor: Partial<Supervisor.Options> = {}) =>
  Top.layer({ id: "root", strategy: "one_for_one", ...supervisor }, [
    StateContainer.layerStore(Sleeper, { store: Store, ...options }),
    Sleeper.layer(behavior(inside))
  ]).pipe(Layer.provide(storeLayer(inside.script)), Layer.provideMerge(Harness.Harness.layer))

/** Loads since the server started. */
export const loads = (inside: Inside) => inside.script.count("load") - 1
