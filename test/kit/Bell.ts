/** Servers that set timers, and remember how they rang; over every kind of companion that keeps them. */
import { Effect, Layer, Schema } from "effect"
import {
  DynamicSupervisor,
  GenServer,
  Next,
  StateContainer,
  StateStore,
  StateTable,
  Supervisor,
  Timer
} from "../../src/index.ts"
import { Harness } from "../../src/testing.ts"
import { often } from "./Restarts.ts"

/** What a timer is to do when it is due. */
const How = Schema.Literals(["ring", "ask", "fail", "noReply", "stop", "die", "poison", "cancel", "hang"])

const SetTimer = Schema.Struct({
  name: Schema.String,
  at: Schema.optionalKey(Schema.Number),
  after: Schema.optionalKey(Schema.Number),
  every: Schema.optionalKey(Schema.Number),
  how: Schema.optionalKey(How)
})

/** A timer as tests set it; one with nothing but a name is cancelled. */
export type SetTimer = typeof SetTimer.Type

/** How it rang: the note of the message, how late, how often it was missed. */
const Rung = Schema.Tuple([Schema.String, Schema.Number, Schema.Number])

export class Bell extends GenServer.Service<Bell>()("test/Bell", {
  state: Schema.Struct({ rung: Schema.Array(Rung), poisoned: Schema.Boolean }),
  messages: {
    Set: GenServer.call({ payload: { timers: Schema.Array(SetTimer) } }),
    Rung: GenServer.call({ reply: Schema.Array(Rung) }),
    Sleep: GenServer.call(),
    Stop: GenServer.call(),
    Die: GenServer.call(),
    Ring: GenServer.cast({ payload: { note: Schema.String, on: Schema.Date }, internal: true }),
    Ask: GenServer.call({ payload: { how: How }, reply: Schema.Int, error: Schema.String, internal: true })
  }
}) {}

const messageOf = ({ how = "ring", name }: SetTimer) =>
  how === "ring" ? Bell.message.Ring({ note: name, on: new Date(7) }) : Bell.message.Ask({ how })

/** The changes that an answer makes. */
export const changes = (timers: ReadonlyArray<SetTimer>) =>
  timers.map((one) =>
    one.at !== undefined
      ? Timer.at(one.name, one.at, messageOf(one))
      : one.after !== undefined
      ? Timer.after(one.name, one.after, messageOf(one))
      : one.every !== undefined
      ? Timer.every(one.name, one.every, messageOf(one))
      : Timer.cancel(one.name)
  )

/** What tests see of the servers, beside their states. */
export class Seen {
  /** The idempotency keys of the timers whose messages began to be handled, in order. */
  readonly keys: Array<string> = []
  /** How many handlers of timers die before one does not. */
  deaths = 0
  /** Timers that a fresh server sets. */
  first: ReadonlyArray<SetTimer> = []
}

/** The behaviour of a server, which remembers in its state how its timers rang. */
export const behavior = (seen: Seen) =>
  Bell.behavior({
    init: Effect.sync(() => Next.start({ rung: [], poisoned: false }, { timers: changes(seen.first) })),
    restore: (state) => state.poisoned ? Effect.die("poisoned") : Effect.succeed(state),
    handlers: {
      Set: (state, { timers }) => Next.reply(undefined, state, { timers: changes(timers) }),
      Rung: (state) => [state.rung, state],
      Sleep: (state) => Next.reply(undefined, state, { hibernate: true }),
      Stop: (state) => Next.stop("normal", { reply: undefined, state }),
      Die: () => Effect.die("boom"),
      Ring: (state, { note, on }, { timer }) => {
        if (timer === undefined || on.getTime() !== 7) throw new Error("it is not from a timer")
        seen.keys.push(timer.idempotencyKey)
        if (seen.deaths-- > 0) throw new Error("boom")
        return { ...state, rung: [...state.rung, [note, timer.late, timer.missed]] }
      },
      Ask: (state, { how }, { timer }) => {
        seen.keys.push(timer!.idempotencyKey)
        const next = { ...state, rung: [...state.rung, [how, timer!.late, timer!.missed] as const] }
        switch (how) {
          case "fail":
            return Effect.fail("refused")
          case "noReply":
            return Next.noReply(next)
          case "stop":
            return Next.stop("normal")
          case "cancel":
            return Next.reply(1, next, { timers: changes([{ name: "other" }]) })
          case "die":
            return Effect.die("boom")
          case "hang":
            return Effect.never
          case "poison":
            return Next.reply(1, { ...next, poisoned: true }, { timers: changes([{ name: "worse", at: 60_000 }]) })
          default:
            return [1, next]
        }
      }
    }
  })

export class Store extends StateStore.Service<Store>()("test/BellStore", "crash") {}

export class Pool extends DynamicSupervisor.Service<Pool>()("test/Bells") {}

/** The companions that keep timers, each a layer. */
export const kinds = {
  memory: StateContainer.layerMemory(Bell, { afterStop: "keep" }),
  "a table": StateContainer.layerTable(Bell, { afterStop: "keep" }),
  "a store": StateContainer.layerStore(Bell, { store: Store }),
  "a store, by key": StateContainer.layerStore(Bell, { store: Store, fence: "key" })
}

/** What keeps the states, and an app of one server over it. */
export const app = (
  seen: Seen,
  kind: keyof typeof kinds,
  store: Layer.Layer<Store> = StateStore.layerMemory(Store)
) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
      kinds[kind],
      Bell.layer(behavior(seen))
    ]),
    Layer.mergeAll(Harness.Harness.layer, StateTable.StateTable.layer, store)
  )

/** The same with servers by key. */
export const keyed = (
  seen: Seen,
  kind: keyof typeof kinds,
  store: Layer.Layer<Store> = StateStore.layerMemory(Store),
  restart: "transient" | "permanent" = "transient"
) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      kinds[kind],
      Pool.layer({ restart: often }),
      Layer.provide(Bell.layerKeyed(behavior(seen), { restart }), Pool.asSupervisor)
    ]),
    Layer.mergeAll(Harness.Harness.layer, StateTable.StateTable.layer, store)
  )
