/**
 * The members of the cluster: runners, which have servers, and a client, which only calls them.
 */
import { NodeClusterSocket } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Console, Effect, Layer, Option, Redacted, Schema } from "effect"
import { RunnerAddress } from "effect/cluster"
import { ClusterServer } from "../../cluster.ts"
import { DynamicSupervisor, GenServer, StateContainer, StateStore, Supervisor } from "../../index.ts"
import * as StateStoreSql from "../../layers/state/StateStoreSql.ts"
import { says } from "./Fleet.ts"

// ---- The server: how many updates of its key there were, and how many words came with them.

const Counted = Schema.Struct({ updates: Schema.Int, words: Schema.Int })

export type Counted = typeof Counted.Type

export class Counter extends GenServer.Service<Counter>()("cluster/Counter", {
  state: Counted,
  messages: {
    /** Counts the words of some lines; answers with how many updates there were. */
    Add: GenServer.call({ payload: { words: Schema.Int }, reply: Schema.Int }),
    Get: GenServer.call({ reply: Counted, confirm: true })
  }
}) {}

export const behavior = Counter.behavior({
  init: { updates: 0, words: 0 },
  handlers: {
    Add: ({ updates, words }, { words: more }) => [updates + 1, { updates: updates + 1, words: words + more }],
    Get: (counted) => [counted, counted]
  }
})

// ---- A runner: its keys, each with an epoch of its own in a store that all runners share.

/**
 * How soon a runner that is gone is known to be: what is left out is effect's own, which is for networks that are slow.
 */
export const soon = {
  shardLockExpiration: "3 seconds",
  shardLockRefreshInterval: "1 second",
  refreshAssignmentsInterval: "500 millis",
  runnerHealthCheckInterval: "1 second",
  entityMessagePollInterval: "500 millis",
  sendRetryInterval: "50 millis",
  shardsPerGroup: 60
} as const

/** What a runner finds in its environment. */
export const Place = Schema.Struct({ port: Schema.Int, url: Schema.String })

export type Place = typeof Place.Type

export const database = (url: string, maxConnections: number) =>
  PgClient.layer({ url: Redacted.make(url), maxConnections, ssl: false })

export class Store extends StateStore.Service<Store>()("cluster/Store", "machine") {}

/** A store of the database which says of each write that it is refused, since another runner has the key by then. */
export const logged = Effect.map(StateStoreSql.make({ ownership: "shared" }), (store) => ({
  ...store,
  save: (records: Parameters<typeof store.save>[0]) =>
    Effect.tapError(
      store.save(records),
      ({ reason }) => reason._tag === "Fenced" ? Console.log(says.refused) : Effect.void
    )
}))

class Servers extends DynamicSupervisor.Service<Servers>()("cluster/Servers") {}

const Tree = Supervisor.layer({ id: "runner", strategy: "one_for_one" }, [
  StateContainer.layerStore(Counter, { store: Store, fence: "key" }),
  Servers.layer()
]).pipe(Layer.provide(StateStore.layer(Store, logged)))

/**
 * Ends the process when the servers have ended, and what is effect's takes longer than this. After a freeze it may take
 * for ever: a reply that was to go over a connection that is gone by then is waited for, and the runner keeps the locks
 * of its shards meanwhile.
 */
const parting = "500 millis"

const leaves = Layer.effectDiscard(Effect.gen(function*() {
  const context = yield* Effect.context<never>()
  const exit = Effect.delay(Effect.sync(() => process.exit()), parting)
  yield* Effect.addFinalizer(() => Effect.sync(() => void Effect.runForkWith(context)(exit)))
}))

export const runner = ({ port, url }: Place) =>
  ClusterServer.layer(Counter, behavior).pipe(
    Layer.provide(Servers.asSupervisor),
    Layer.provide(Tree),
    Layer.provide(leaves),
    Layer.provide(NodeClusterSocket.layer({
      storage: "sql",
      shardingConfig: { ...soon, runnerAddress: Option.some(RunnerAddress.make("127.0.0.1", port)) }
    })),
    Layer.provide(database(url, 8))
  )

/** A runner as a process: until it gets a signal to stop, or the process that has started it is gone. */
export const run = <E>(layer: Layer.Layer<never, E>): Effect.Effect<never, E> =>
  Effect.scoped(Effect.gen(function*() {
    process.stdin.on("end", () => process.exit()).resume()
    yield* Layer.build(layer)
    yield* Console.log(says.joined)
    return yield* Effect.never
  }))

// ---- A client: a member that has no servers.

export const client = (url: string) =>
  NodeClusterSocket.layer({
    storage: "sql",
    clientOnly: true,
    shardingConfig: { ...soon, runnerAddress: Option.none() }
  }).pipe(Layer.provide(database(url, 3)))
