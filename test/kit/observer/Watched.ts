/**
 * A tree to be watched, with a server of each kind that an observer has to show: one that can crash, one that is busy
 * until it is let go, one with secrets, one that keeps what crashes it in quarantine, and many under a dynamic
 * supervisor.
 */
import { Deferred, Effect, Layer, Schema } from "effect"
import {
  DynamicSupervisor,
  GenServer,
  Restart,
  StateContainer,
  StateSchema,
  StateStore,
  Supervisor,
  Telemetry
} from "../../../src/index.ts"
import * as Observer from "../../../src/layers/observer/Observer.ts"

export class Counter extends GenServer.Service<Counter>()("watched/Counter", {
  state: Schema.Struct({ count: Schema.Int, by: Schema.String }),
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Name: GenServer.call({ payload: { name: Schema.String } }),
    Crash: GenServer.call()
  }
}) {}

export class Store extends StateStore.Service<Store>()("watched/Store", "crash") {}

export class Clerk extends GenServer.Service<Clerk>()("watched/Clerk", {
  state: Schema.Int,
  messages: { File: GenServer.cast({ payload: { until: Schema.Any } }) }
}) {}

export class Vault extends GenServer.Service<Vault>()("watched/Vault", {
  state: Schema.Struct({ owner: Schema.String, pin: StateSchema.redacted(Schema.String) }),
  messages: { Open: GenServer.call(), Poison: GenServer.cast({ redeliver: { maxAttempts: 1 } }) }
}) {}

export class Leaf extends GenServer.Service<Leaf>()("watched/Leaf", {
  state: Schema.Int,
  messages: { Tick: GenServer.cast() }
}) {}

export class Crowd extends DynamicSupervisor.Service<Crowd>()("crowd") {}

const leaf = Leaf.behavior({ init: 0, handlers: { Tick: (n) => n + 1 } })

/** Starts many. */
export const gather = (many: number) =>
  Effect.flatMap(Crowd, (crowd) =>
    Effect.forEach(
      Array.from({ length: many }, (_, i) => `${i}`.padStart(5, "0")),
      (key) => crowd.startChild(Leaf.recipe(leaf, { key })),
      { discard: false }
    ))

export const Tree = Supervisor.layer({
  id: "app",
  strategy: "one_for_one",
  restart: Restart.intensity({ restarts: 50, within: "1 minute" })
}, [
  StateContainer.layerStore(Counter, { store: Store }),
  Counter.layer({
    init: { count: 0, by: "" },
    handlers: {
      Add: (state, { by }) => [state.count + by, { ...state, count: state.count + by }],
      Name: (state, { name }) => [undefined, { ...state, by: name }],
      Crash: () => Effect.die(new Error("boom"))
    }
  }),
  StateContainer.layerMemory(Clerk),
  Clerk.layer({
    init: 0,
    handlers: { File: (n, { until }) => Effect.as(Deferred.await(until as Deferred.Deferred<void>), n + 1) }
  }, { mailbox: { capacity: 10 } }),
  StateContainer.layerMemory(Vault),
  Vault.layer({
    init: { owner: "ann", pin: "very secret" },
    handlers: { Open: (state) => [undefined, state], Poison: () => Effect.die(new Error("poisoned")) }
  }),
  StateContainer.layerMemory(Leaf),
  Crowd.layer({ restart: Restart.intensity({ restarts: 50, within: "1 minute" }) })
])

/** The tree, with an observer of it alone. */
export const watched = (options: Observer.Options) =>
  Layer.provideMerge(Tree, Observer.layer({ port: 0, ...options })).pipe(
    Layer.provide([Telemetry.layer, StateStore.layerMemory(Store)])
  )
