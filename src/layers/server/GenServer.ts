/**
 * Servers: a process with a state, a mailbox, and one handler per message (OTP: `gen_server`).
 *
 * Use a server when several fibers share a state that has rules, when work must be done one message at a time, or when
 * the state must outlive the crash of the code that changes it. If you do not need a process, you do not need a
 * process: a `Ref` or a plain service is simpler. For servers on several machines see `ClusterServer` of
 * `heirloom/cluster`.
 *
 * @since 0.1.0
 */
import { type Context, type Duration, Effect, type Layer, type Stream } from "effect"
import { CallError } from "../../domain/process/CallError.ts"
import type {
  Handlers,
  HandlersServices,
  MessageOf,
  Messages,
  MessageValues,
  Methods,
  NoExtra,
  NoReserved
} from "../../domain/server/Message.ts"
import type { Change } from "../../domain/state/shown/Change.ts"
import type { Pure, StateSchema, TypeOf } from "../../domain/state/StateSchema.ts"
import type { StoreError } from "../../domain/state/stored/StoreError.ts"
import type { Demands, Grade } from "../../domain/state/Survival.ts"
import type { StartRecipe } from "../process/Child.ts"
import type { ChangesOptions } from "../state/container/Changes.ts"
import type { ListOptions } from "../state/container/Listing.ts"
import type { StateContainer, Stateful, StateOf } from "../state/StateContainer.ts"
import type { Supervisor } from "../supervision/Supervisor.ts"
import type { StartError } from "../supervision/tree/SupervisorErrors.ts"
import type { Behavior, BehaviorInput, Client, KeyedBehavior, Needs, Options, SelfClient } from "./class/Behavior.ts"
import { checkedBehavior } from "./class/Checked.ts"
import { clientClass, messageTypes } from "./class/Client.ts"
import type { Keyed, KeyedNeeds } from "./class/Keyed.ts"
import type { Counts, Live } from "./class/Live.ts"
import { make as makeClass } from "./class/ServerClass.ts"
import type { SelfOf } from "./class/ServerRef.ts"

export { CallError, CallErrorReason, WaitsFor } from "../../domain/process/CallError.ts"
export {
  type Call,
  call,
  type CallOptions,
  type Cast,
  cast,
  type From,
  type HandlerContext,
  type Handlers,
  type MessageOf,
  type Messages,
  type MessageValues,
  type Methods,
  type ServerKey
} from "../../domain/server/Message.ts"
export {
  Fenced,
  InitTimeout,
  InvalidReply,
  InvalidResult,
  MissingCallback,
  NameTaken,
  NoTimers,
  ReplaceFailed,
  StateRefused,
  StopFailed
} from "../../domain/server/ServerErrors.ts"
export type { Change, Committed, Ended, Restored, RolledBack } from "../../domain/state/shown/Change.ts"
export type { ChangesOptions } from "../state/container/Changes.ts"
export type { ListOptions } from "../state/container/Listing.ts"
export type {
  Behavior,
  BehaviorInput,
  Client,
  HasKey,
  KeyedBehavior,
  Needs,
  Options,
  SelfClient
} from "./class/Behavior.ts"
export { castAfter, reply, spawnLink, stored } from "./class/HandlerEffects.ts"
export type { Keyed, KeyedNeeds } from "./class/Keyed.ts"
export type { Counts, Live } from "./class/Live.ts"
export type { SelfOf, ServerOf } from "./class/ServerRef.ts"
export type { PassivateOptions } from "./parts/Limits.ts"
export { changes } from "./system/Changes.ts"
export { replace, type ReplaceOptions } from "./system/Replace.ts"
export { stop, type StopOptions } from "./system/Stop.ts"

/**
 * The name of a child that is started at run time.
 *
 * @category options
 * @since 0.1.0
 */
export interface KeyOptions {
  /** Its key among the servers of its class. */
  readonly key: string
}

/**
 * A server class: the key of its client in the context, and all that makes servers of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerClass<Self, Id extends string, S, Ms extends Messages>
  extends Context.ServiceClass<Self, Id, Client<Self, S, Ms>>, Stateful<Self, Id, S>
{
  readonly messages: Ms

  /** Makes its messages as values, internal ones too: for its timers (see `Timer`). */
  readonly message: MessageValues<Ms>

  /** The key of its companions. */
  readonly StateContainer: Context.Service<StateOf<Self>, StateContainer<S>>

  /**
   * The client of the server that runs this, with its internal messages too: for handlers, init and clean-up, and for
   * fibers they fork (OTP: `self/0`). It has the `key` of the server. Anywhere else it does not compile.
   */
  readonly self: Effect.Effect<SelfClient<Self, S, Ms>, never, SelfOf<Self>>

  /** A behaviour with its types from the context, for one that is built inside `Effect.gen`. */
  behavior<const H extends Handlers<S, Ms>, E = never, R = never>(
    behavior: Behavior<S, H & NoExtra<H, Ms>, E, R, MessageOf<Ms>>
  ): Behavior<S, H, E, R, MessageOf<Ms>>

  /**
   * The one server of this class, as a child of the nearest supervisor (OTP: a named `gen_server`). A behaviour that is
   * given as an Effect is made anew by every incarnation: what it acquires lives as long as the incarnation.
   */
  layer<
    const H extends Handlers<S, Ms, undefined>,
    BE = never,
    BR = never,
    E = never,
    R = never,
    const G extends Grade = "nothing"
  >(
    behavior: BehaviorInput<S, H & NoExtra<H, Ms>, BE, BR, E, R, MessageOf<Ms>>,
    options?: Options<G>
  ): Layer.Layer<
    Self,
    E | BE,
    Supervisor | StateOf<Self> | Demands<Self, G> | Needs<Self, R | BR | HandlersServices<H>>
  >

  /** A start recipe for a server with a key: what a `DynamicSupervisor` starts. */
  recipe<
    const H extends Handlers<S, Ms, string>,
    BE = never,
    BR = never,
    E = never,
    R = never,
    const G extends Grade = "nothing"
  >(
    behavior: KeyedBehavior<S, H & NoExtra<H, Ms>, BE, BR, E, R, MessageOf<Ms>>,
    options: KeyOptions & Options<G>
  ): StartRecipe<
    Client<Self, S, Ms>,
    E | BE,
    StateOf<Self> | Demands<Self, G> | Needs<Self, R | BR | HandlersServices<H>>
  >

  /** Starts a server with a key under the supervisor of the context (OTP: `start_child`). */
  start<
    const H extends Handlers<S, Ms, string>,
    BE = never,
    BR = never,
    E = never,
    R = never,
    const G extends Grade = "nothing"
  >(
    behavior: KeyedBehavior<S, H & NoExtra<H, Ms>, BE, BR, E, R, MessageOf<Ms>>,
    options: KeyOptions & Options<G>
  ): Effect.Effect<
    Client<Self, S, Ms>,
    StartError<E | BE>,
    Supervisor | StateOf<Self> | Demands<Self, G> | Needs<Self, R | BR | HandlersServices<H>>
  >

  /**
   * Servers of this class by key, started when they are first asked for, as children of the nearest supervisor: provide
   * a `DynamicSupervisor` for many. Get them with `at`. A behaviour may be a function of the key, so that `init` can
   * load what belongs to it. Its code asks for others of the class by `at` as well. Such servers are `transient` by
   * default: one that ends in order, or stops because it is left alone (`passivate`), is started again when it is asked
   * for, with the state that its companion has. Where `restart` is given, the companion's `afterStop` says what becomes
   * of the state of one that ends in order by itself.
   */
  layerKeyed<
    const H extends Handlers<S, Ms, string>,
    BE = never,
    BR = never,
    E = never,
    R = never,
    const G extends Grade = "nothing"
  >(
    behavior: KeyedBehavior<S, H & NoExtra<H, Ms>, BE, BR, E, R, MessageOf<Ms>>,
    options?: Options<G>
  ): Layer.Layer<
    Keyed<Self>,
    never,
    Supervisor | StateOf<Self> | Demands<Self, G> | KeyedNeeds<Self, R | BR | HandlersServices<H>>
  >

  /**
   * The keys of all servers of this class, those in memory and those in its store, in order: of their bytes in UTF-8.
   *
   * `prefix` leaves out those that begin otherwise, `after` those up to a key: the last of an earlier listing. The
   * store is read page by page as the stream is, so a million keys are never in memory at once. A key that is there
   * from beginning to end is answered once, whatever comes and goes meanwhile. Over a companion in memory these are the
   * servers that are in memory, and those that have left a state there.
   */
  keys(options?: ListOptions): Stream.Stream<string, StoreError, StateOf<Self>>

  /**
   * The state of the server of a key, or of the only one, and what becomes of it, whether it is in memory or not: see
   * `GenServer.changes`. It goes on whichever server has the key.
   */
  changes(key?: string, options?: ChangesOptions): Stream.Stream<Change<S>, never, StateOf<Self>>

  /** The servers of this class that are in memory, each with its status, in no order. */
  readonly live: Effect.Effect<ReadonlyArray<Live>, never, StateOf<Self>>

  /** How many servers of this class are in memory, and how many have something conserved. */
  readonly count: Effect.Effect<Counts, StoreError, StateOf<Self>>

  /**
   * The server of a key: the one there is, or a new one. However many ask at the same time, it is started once. One
   * that is about to end is waited for: it comes back, or another one is started in its place.
   */
  at(key: string): Effect.Effect<Client<Self, S, Ms>, StartError, Keyed<Self>>

  /**
   * A client of a key, and of no server in particular: each message goes to the server that has the key when it is
   * sent, which is started if need be. For servers that stop when they have been idle for a while: such a client never
   * stands for a server that is gone (Orleans: a grain reference).
   *
   * A call that came just when its server went, and was not begun, goes to the next one; its timeout begins anew. A
   * message that was begun is never sent twice. Each message looks the key up: where a server is called often and does
   * not stop, use `at`.
   */
  via(key: string): Effect.Effect<Methods<Ms, StartError>, never, Keyed<Self>>
}

/**
 * The description of a server class.
 *
 * @category options
 * @since 0.1.0
 */
export interface Description<S extends Pure | StateSchema<Pure>, Ms extends Messages> {
  /** The schema of its state, or its versions (`StateSchema`). */
  readonly state: S
  readonly messages: Ms
  /** How long a call waits unless its message or its caller says otherwise; 5 seconds by default, as in OTP. */
  readonly timeout?: Duration.Input | "infinity" | undefined
  /**
   * Checks payloads before they are sent and replies before they are committed, of every message that does not say
   * otherwise itself. Off by default: in a process the compiler sees to both.
   *
   * A call with a wrong payload fails with `CallError`, reason `InvalidPayload`; a cast with one is a defect of its
   * sender, `InvalidOption`. Neither reaches a handler. A wrong reply is a defect of the handler, `InvalidReply`: the
   * server crashes, and nothing is committed. A value is checked as it is (the type side of its schema): nothing is
   * decoded.
   */
  readonly validate?: boolean | undefined
}

/**
 * Declares a server class: its state, and what it understands.
 *
 * **When to use**
 *
 * Once per kind of server, as a class: the class is the `Context` key of the client, the type of its identity, and the
 * place of everything that makes servers of it.
 *
 * **Details**
 *
 * `id` names it in the context, in paths, and in stores: use `package/Name`. Messages are described with {@link call}
 * and {@link cast}; their tags become the client's methods, so `then`, `constructor`, `pipe`, `toJSON` and `toString`
 * cannot be one.
 *
 * **Example**
 *
 * ```ts
 * import { Schema } from "effect"
 * import { GenServer } from "heirloom"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", {
 *   state: Schema.Int,
 *   messages: {
 *     Increment: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
 *     Reset: GenServer.cast()
 *   }
 * }) {}
 *
 * console.log(Counter.key) // => app/Counter
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service =
  <Self>() =>
  <const Id extends string, S extends Pure | StateSchema<Pure>, const Ms extends Messages>(
    id: Id,
    description: Description<S, Ms> & { readonly messages: NoReserved<Ms> }
  ): ServerClass<Self, Id, TypeOf<S>, Ms> => {
    const types = messageTypes(id, description.messages, description)
    const Client = clientClass(types.filter(({ message }) => message.internal !== true))
    const SelfClient = types.some(({ message }) => message.internal === true) ? clientClass(types, Client) : Client
    // The methods of `ServerClass` say what is inferred from behaviours and messages; behind this line the engine runs
    // what they have checked, without types. Nothing else of the public surface is cast.
    return makeClass<Self>()(id, {
      ...description,
      Client,
      SelfClient,
      types,
      checked: checkedBehavior(id, types)
    }) as unknown as ServerClass<
      Self,
      Id,
      TypeOf<S>,
      Ms
    >
  }

/**
 * Makes a call that gets no answer the crash of its caller: `CallError` becomes a defect, the message's own errors stay
 * (OTP: what `gen_server:call/2` does to its caller).
 *
 * **When to use**
 *
 * In a handler that calls another server it cannot do without: no message declares `CallError` among its errors, and a
 * crash is what the restart strategy of the two is for. Where the caller can do without the answer, catch `CallError`.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer } from "heirloom"
 *
 * class Ledger extends GenServer.Service<Ledger>()("app/Ledger", {
 *   state: Schema.Int,
 *   messages: { Book: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
 * }) {}
 *
 * class Till extends GenServer.Service<Till>()("app/Till", {
 *   state: Schema.Int,
 *   messages: { Pay: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
 * }) {}
 *
 * const TillLive = Till.layer({
 *   init: 0,
 *   handlers: {
 *     Pay: (payments, { by }) =>
 *       Effect.gen(function*() {
 *         const ledger = yield* Ledger
 *         const balance = yield* GenServer.orCrash(ledger.Book({ by }))
 *         return [balance, payments + 1]
 *       })
 *   }
 * })
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const orCrash = <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, Exclude<E, CallError>, R> =>
  Effect.catch(
    call,
    // Here it is no CallError; of a type parameter TypeScript does not conclude that.
    (error) => error instanceof CallError ? Effect.die(error) : Effect.fail(error as Exclude<E, CallError>)
  )
