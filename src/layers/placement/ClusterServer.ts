/**
 * Servers on a cluster: one server class, its servers by key on whichever machine has the key, over effect's own
 * cluster.
 *
 * Behaviour, messages, state and errors stay what they are; where a server runs is a Layer. Each key is an entity of
 * effect's, a shell around a server under a supervisor of its own, so that a server that crashes is restarted where it
 * is, and no key notices what another one does. A state belongs to one runner at a time, key by key
 * (`StateContainer.layerStore` with `fence: "key"`), and a call is handled once, also where the cluster sends it twice.
 *
 * Use it when the servers of a class are more than one machine has room for, or must not wait for one machine to come
 * back. Of one process use `layerKeyed`: it costs no message a way through a network.
 *
 * @since 0.1.0
 */
import { Clock, type Duration, Effect, Layer, Random, type Schedule } from "effect"
import { type Entity, RunnerStorage, Sharding } from "effect/cluster"
import type { Rpc } from "effect/rpc"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import type { ExitReason } from "../../domain/process/ExitReason.ts"
import type { Handlers, HandlersServices, MessageOf, Messages, Methods, NoExtra } from "../../domain/server/Message.ts"
import type { Demands, FencedByKey, Grade } from "../../domain/state/Survival.ts"
import type { KeyedBehavior, Needs, Options as ServerOptions } from "../server/class/Behavior.ts"
import { insideOf } from "../server/class/ServerClass.ts"
import type { ServerClass } from "../server/GenServer.ts"
import { Deadlines } from "../server/message/Deadlines.ts"
import { limitsOf } from "../server/parts/Limits.ts"
import { type AnyBehaviorInput, givenBehavior } from "../server/parts/ServerSpec.ts"
import { tableOf } from "../state/container/Container.ts"
import type { StateOf } from "../state/StateContainer.ts"
import { Supervisor } from "../supervision/Supervisor.ts"
import { clients, keys, type Remote } from "./cluster/Asker.ts"
import { callsAmong, entityOf, type RpcsOf, type Wiring } from "./cluster/Rpcs.ts"
import { register } from "./cluster/Shell.ts"

export type { CallTag, RpcsOf, Wiring } from "./cluster/Rpcs.ts"

/**
 * How the servers of a class are run on a runner.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<Ms extends Messages, G extends Grade = "nothing">
  extends Wiring<Ms>, Omit<ServerOptions<G>, "restart" | "significant" | "needs">
{
  /** How often the server of one key may be restarted, and after how long; 3 times within 5 seconds. */
  readonly restart?: Schedule.Schedule<unknown, ExitReason> | undefined
  /** How long a server that has crashed more often is left down before a call starts it again; 30 seconds. */
  readonly downFor?: Duration.Input | undefined
  /** How long no message has come when an entity is closed, and its server with it; as the cluster says, a minute. */
  readonly maxIdleTime?: Duration.Input | undefined
}

/**
 * The servers of a class on this runner: each key of which it has the shard.
 *
 * **When to use**
 *
 * Once for each class, in every process that is a runner of the cluster. What only calls them needs no more than
 * {@link client}.
 *
 * **Details**
 *
 * The servers are children of the nearest supervisor: provide a `DynamicSupervisor`, and end the entities before the
 * tree, as the example does. Each has a supervisor of its own above it, with the budget `restart`. One that has used it
 * up is left down for `downFor`: its calls fail with `NotRunning` meanwhile. An entity without a message for
 * `maxIdleTime` (5 seconds at least) is closed, and its server ends with its timers and its work; what is conserved
 * stays, and so do durable timers, which start it again when they are due. A behaviour may be a function of the key.
 *
 * **Gotchas**
 *
 * The companion has to be `layerStore` with `fence: "key"`, or one whose states may be lost ({@link volatile}): over
 * any other this does not compile. A class is registered once with a cluster in a process. A server may be called by
 * others of its class through {@link client}, not by `at`; a call that waits for itself by way of the cluster is not
 * found out, and ends with its timeout.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { TestRunner } from "effect/cluster"
 * import { DynamicSupervisor, GenServer, StateContainer, StateStore, Supervisor } from "heirloom"
 * import { ClusterServer } from "heirloom/cluster"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", {
 *   state: Schema.Int,
 *   messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
 * }) {}
 *
 * class Store extends StateStore.Service<Store>()("app/Store", "crash") {}
 * class Counters extends DynamicSupervisor.Service<Counters>()("app/Counters") {}
 *
 * const Tree = Supervisor.layer({ strategy: "one_for_one" }, [
 *   StateContainer.layerStore(Counter, { store: Store, fence: "key" }),
 *   Counters.layer()
 * ])
 *
 * const Runner = ClusterServer.layer(Counter, {
 *   init: 0,
 *   handlers: { Add: (n, { by }) => [n + by, n + by] }
 * }).pipe(
 *   Layer.provide(Counters.asSupervisor),
 *   Layer.provide(Tree),
 *   Layer.provide(StateStore.layerMemory(Store)),
 *   Layer.provideMerge(TestRunner.layer)
 * )
 *
 * const program = Effect.gen(function*() {
 *   const counters = yield* ClusterServer.client(Counter)
 *   console.log(yield* counters("a").Add({ by: 41 })) // => 41
 *   console.log(yield* counters("a").Add({ by: 1 })) // => 42
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Runner))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <
  Self,
  Id extends string,
  S,
  Ms extends Messages,
  const H extends Handlers<S, Ms, string>,
  BE = never,
  BR = never,
  E = never,
  R = never,
  const G extends Grade = "nothing"
>(
  server: ServerClass<Self, Id, S, Ms>,
  behavior: KeyedBehavior<S, H & NoExtra<H, Ms>, BE, BR, E, R, MessageOf<Ms>>,
  options: Options<Ms, G> = {}
): Layer.Layer<
  never,
  never,
  | Sharding.Sharding
  | Supervisor
  | StateOf<Self>
  | FencedByKey<Self>
  | Demands<Self, G>
  | Needs<Self, R | BR | HandlersServices<H>>
  | Rpc.ServicesServer<RpcsOf<Ms>>
> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const inside = insideOf(server, "ClusterServer.layer")
    const of = server.key
    givenBehavior(of, behavior as unknown as AnyBehaviorInput)
    const { downFor = "30 seconds", maxIdleTime, persisted, restart, ...run } = GivenOption.options(of, options)
    const given = GivenOption.givenTo(() => of)
    // Here, and not when a server is first started.
    limitsOf(of, { ...run, restart: "transient" })
    const context = yield* Effect.context<never>()
    yield* register({
      server,
      inside,
      // What the types above have checked is run without them behind this line.
      behavior: behavior as unknown as AnyBehaviorInput,
      wiring: { persisted },
      run: { ...run, restart: "transient" },
      restart,
      downFor: GivenOption.patience(given("downFor", downFor)),
      maxIdleTime: maxIdleTime === undefined ? undefined : GivenOption.millis(given("maxIdleTime", maxIdleTime)),
      supervisor: yield* Supervisor,
      sharding: yield* Sharding.Sharding,
      companions: tableOf(yield* server.StateContainer),
      clock: yield* Clock.Clock,
      context,
      scope: yield* Effect.scope
    })
  }))

/**
 * Says of a companion in memory that its states may be lost: with it {@link layer} compiles, as over a store that
 * fences each key.
 *
 * **When to use**
 *
 * For servers whose state is a cache, a session or a presence, and is made anew where the key is next. A crash loses
 * nothing, as anywhere; what ends an entity does: a runner that leaves or dies, a key that moves. The record of
 * idempotency keys goes with the state, so a call that is sent again after its runner died is handled again.
 *
 * **Example**
 *
 * ```ts
 * import { Schema } from "effect"
 * import { GenServer, StateContainer } from "heirloom"
 * import { ClusterServer } from "heirloom/cluster"
 *
 * class Presence extends GenServer.Service<Presence>()("app/Presence", {
 *   state: Schema.Array(Schema.String),
 *   messages: { Here: GenServer.cast({ payload: { name: Schema.String } }) }
 * }) {}
 *
 * const Companions = StateContainer.layerMemory(Presence).pipe(ClusterServer.volatile<Presence>())
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const volatile = <Self>() =>
<A, E, R>(
  companions: Layer.Layer<A, E, R>
): Layer.Layer<A | FencedByKey<Self>, E, R> =>
  // Evidence for the type checker alone: where each process has states of its own, there is nothing to claim.
  companions as Layer.Layer<A | FencedByKey<Self>, E, R>

/**
 * A client of the server of one key, wherever it is.
 *
 * @category models
 * @since 0.1.0
 */
export type Client<Ms extends Messages> = Methods<Ms> & {
  /** The key of its server. */
  readonly key: string
}

/**
 * How calls are made.
 *
 * @category options
 * @since 0.1.0
 */
export interface ClientOptions<Ms extends Messages> extends Wiring<Ms> {
  /**
   * The calls that have no idempotency key unless their caller gives one: those that do no harm when they are handled
   * twice, and need no row in the store for their answer; `"all"` for every call. None by default.
   */
  readonly keyless?:
    | "all"
    | ReadonlyArray<Wiring<Ms>["persisted"] extends ReadonlyArray<infer T> | undefined ? T : never>
    | undefined
}

/**
 * Clients of the servers of a class by key: with the methods of a local one, wherever in the cluster the server is.
 *
 * **When to use**
 *
 * In any process that is a member of the cluster, a runner or a client only. The servers need not be started: the first
 * message to a key starts its server, on the runner that has the key.
 *
 * **Details**
 *
 * A call fails with the message's own errors and `CallError`, as it does in one process; what the cluster adds is the
 * reason `Unreachable`. Each call has an idempotency key, its caller's or one that is made for it, so that it is
 * handled once however often the cluster sends it; and a call whose server is handed over is made again, until its time
 * is over. The key costs a row of the store for each call, which is forgotten soon after it: `keyless` names those that
 * do without. Casts are handed to the runner and no more is heard of them: one may be handled twice when its runner
 * dies. Internal messages do not travel.
 *
 * A call's timeout travels with it, so that a message that was not begun with is withdrawn there. Half a second later,
 * where nothing has come by then, the call fails with `Unreachable`, `"silent"`.
 *
 * @category clients
 * @since 0.1.0
 */
export const client = <Self, Id extends string, S, Ms extends Messages>(
  server: ServerClass<Self, Id, S, Ms>,
  options: ClientOptions<Ms> = {}
): Effect.Effect<
  (key: string) => Client<Ms>,
  never,
  Sharding.Sharding | Rpc.ServicesClient<RpcsOf<Ms>>
> =>
  Effect.gen(function*() {
    const { types } = insideOf(server, "ClusterServer.client")
    const { keyless = [], persisted = [] } = GivenOption.options(server.key, options)
    const sharding = yield* Sharding.Sharding
    const random = yield* Random.Random
    const remote = yield* sharding.makeClient(entityOf(server, options, false))
    if (keyless !== "all") callsAmong(server, "keyless", keyless)
    const nextKey = keys(random)
    const isKeyless = (tag: string) => keyless === "all" || keyless.some((one) => one === tag)
    return clients({
      of: server.key,
      types,
      deadlines: new Deadlines(yield* Effect.context<never>()),
      // A call that is stored may outlive its client.
      nextKey: (tag, millis) =>
        isKeyless(tag) ? undefined : nextKey(persisted.some((one) => one === tag) ? Infinity : millis),
      remote: remote as unknown as (key: string) => Remote
    }) as (key: string) => Client<Ms>
  })

/**
 * A line that says which runner this is, by its address, and which others there are: for the page of `Observer`, which
 * shows the trees of its own process.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { ClusterServer } from "heirloom/cluster"
 * import * as Observer from "heirloom/Observer"
 *
 * const Watching = Layer.unwrap(
 *   Effect.map(ClusterServer.about("10.0.0.5:34431"), (about) => Observer.layer({ about }))
 * )
 * ```
 *
 * @category observing
 * @since 0.1.0
 */
export const about = (own: string): Effect.Effect<Effect.Effect<string>, never, RunnerStorage.RunnerStorage> =>
  Effect.map(RunnerStorage.RunnerStorage, ({ getRunners }) =>
    getRunners.pipe(
      Effect.map((runners) => {
        const names = runners.map(([{ address: { host, port } }, isWell]) =>
          `${host}:${port}${isWell ? "" : " (not well)"}`
        )
        const others = names.filter((name) => !name.startsWith(own)).sort()
        return `Runner ${own}, ${others.length === 0 ? "the only one" : `beside ${others.join(", ")}`}`
      }),
      Effect.catch(() =>
        Effect.succeed(`Runner ${own}; which others there are is not known: the database does not answer`)
      )
    ))

/**
 * The entity of a server class, for effect's own tools: `EntityProxy`, `EntityProxyServer`, `Entity.client`.
 *
 * **Details**
 *
 * Its Rpcs are those of the messages that any code may send: see {@link RpcsOf}. Such a call has the idempotency key
 * that its payload gives it, or none.
 *
 * @category entities
 * @since 0.1.0
 */
export const entity = <Self, Id extends string, S, Ms extends Messages>(
  server: ServerClass<Self, Id, S, Ms>,
  options: Wiring<Ms> = {}
): Entity.Entity<Id, RpcsOf<Ms>> => {
  insideOf(server, "ClusterServer.entity")
  // Made of the messages whose types these are, which a loop over them cannot say.
  return entityOf(server, GivenOption.options(server.key, options), false) as unknown as Entity.Entity<Id, RpcsOf<Ms>>
}
