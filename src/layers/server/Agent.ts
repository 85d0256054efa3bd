/**
 * Agents: a state with a process around it, and nothing else (Elixir: `Agent`).
 *
 * An agent has no messages of its own: holders of a reference send functions, which run one after the other on its
 * state. It is a server in all else: a child of any supervisor, with a companion that conserves its state, a reference
 * that follows it over restarts, and `Sys` to look into it. Once a state has rules, declare a `GenServer` with messages
 * instead, so that the rules are in one place. For a state without supervision, a `Ref` is enough.
 *
 * @since 0.1.0
 */
import { type Context, Effect, type Layer, type Pipeable, Schema, type Stream } from "effect"
import type { CallError } from "../../domain/process/CallError.ts"
import { call, type CallOptions as ServerCallOptions, cast } from "../../domain/server/Message.ts"
import type { Change } from "../../domain/state/shown/Change.ts"
import type { Pure, StateSchema, TypeOf } from "../../domain/state/StateSchema.ts"
import type { Demands, Grade } from "../../domain/state/Survival.ts"
import type { StartRecipe } from "../process/Child.ts"
import type { HasProcess } from "../process/Process.ts"
import type { ChangesOptions } from "../state/container/Changes.ts"
import type { StateContainer, Stateful, StateOf } from "../state/StateContainer.ts"
import type { Supervisor } from "../supervision/Supervisor.ts"
import type { StartError } from "../supervision/tree/SupervisorErrors.ts"
import { type AnyClient, clientClass, messageTypes } from "./class/Client.ts"
import type { Keyed, KeyedNeeds } from "./class/Keyed.ts"
import { make as makeClass } from "./class/ServerClass.ts"
import type { ServerOf } from "./class/ServerRef.ts"
import type { Description as ServerDescription, KeyOptions, Needs, Options } from "./GenServer.ts"
import type { ClientClass } from "./parts/ServerSpec.ts"

/**
 * The options of one call of an agent. There is no `idempotencyKey`: what is sent is a function, and two functions
 * cannot be compared. A call that is to be safe to make again is a message of a `GenServer`.
 *
 * @category options
 * @since 0.1.0
 */
export type CallOptions = Omit<ServerCallOptions, "idempotencyKey">

/**
 * The operations on an agent whose state is an `S`; each may also fail with a `More`.
 *
 * Every function may answer with a value or an Effect, and runs in the agent, one at a time: others wait. A typed
 * failure comes back to the sender of the function and changes nothing; a defect crashes the agent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Methods<S, More = never> {
  /** Answers with the result of a function of the state; without one, with the state itself (Elixir: `Agent.get/3`). */
  readonly get: {
    (): Effect.Effect<S, CallError | More>
    <A, E = never>(
      f: (state: S) => A | Effect.Effect<A, E>,
      options?: CallOptions
    ): Effect.Effect<A, E | CallError | More>
  }
  /** Changes the state (Elixir: `Agent.update/3`). */
  readonly update: <E = never>(
    f: (state: S) => S | Effect.Effect<S, E>,
    options?: CallOptions
  ) => Effect.Effect<void, E | CallError | More>
  /** Changes the state and answers something, in one step (Elixir: `Agent.get_and_update/3`). */
  readonly getAndUpdate: <A, E = never>(
    f: (state: S) => readonly [answer: A, state: S] | Effect.Effect<readonly [answer: A, state: S], E>,
    options?: CallOptions
  ) => Effect.Effect<A, E | CallError | More>
  /** Changes the state without an answer (Elixir: `Agent.cast/2`). */
  readonly cast: (f: (state: S) => S | Effect.Effect<S>) => Effect.Effect<void, More>
}

/**
 * A client of an agent whose state is an `S`, and the process behind it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Client<Self, S> extends Methods<S>, HasProcess, Pipeable.Pipeable, ServerOf<Self, S, {}> {}

/**
 * An agent class: the key of its reference in the context, and how its agents are made.
 *
 * @category models
 * @since 0.1.0
 */
export interface AgentClass<Self, Id extends string, S>
  extends Context.ServiceClass<Self, Id, Client<Self, S>>, Stateful<Self, Id, S>
{
  /** The key of its companions. */
  readonly StateContainer: Context.Service<StateOf<Self>, StateContainer<S>>

  /** The one agent of this class, as a child of the nearest supervisor. `init` is used when nothing is conserved. */
  layer<E = never, R = never, const G extends Grade = "nothing">(
    init: S | Effect.Effect<S, E, R>,
    options?: Options<G>
  ): Layer.Layer<Self, E, Supervisor | StateOf<Self> | Demands<Self, G> | Needs<Self, R>>

  /** A start recipe for an agent with a key: what a `DynamicSupervisor` starts. */
  recipe<E = never, R = never, const G extends Grade = "nothing">(
    init: S | Effect.Effect<S, E, R>,
    options: KeyOptions & Options<G>
  ): StartRecipe<Client<Self, S>, E, StateOf<Self> | Demands<Self, G> | Needs<Self, R>>

  /** Starts an agent with a key under the supervisor of the context. */
  start<E = never, R = never, const G extends Grade = "nothing">(
    init: S | Effect.Effect<S, E, R>,
    options: KeyOptions & Options<G>
  ): Effect.Effect<
    Client<Self, S>,
    StartError<E>,
    Supervisor | StateOf<Self> | Demands<Self, G> | Needs<Self, R>
  >

  /** Agents by key, started when they are first asked for with `at`. */
  layerKeyed<E = never, R = never, const G extends Grade = "nothing">(
    init: S | Effect.Effect<S, E, R>,
    options?: Options<G>
  ): Layer.Layer<Keyed<Self>, never, Supervisor | StateOf<Self> | Demands<Self, G> | KeyedNeeds<Self, R>>

  /**
   * The state of the server of a key, or of the only one, and what becomes of it, whether it is in memory or not: see
   * `GenServer.changes`. It goes on whichever server has the key.
   */
  changes(key?: string, options?: ChangesOptions): Stream.Stream<Change<S>, never, StateOf<Self>>

  /** The agent of a key: the one there is, or a new one, started once however many ask. */
  at(key: string): Effect.Effect<Client<Self, S>, StartError, Keyed<Self>>

  /**
   * A client of a key: each function goes to the agent that has the key when it is sent, which is started if need be.
   */
  via(key: string): Effect.Effect<Methods<S, StartError>, never, Keyed<Self>>
}

/**
 * The description of an agent class.
 *
 * @category options
 * @since 0.1.0
 */
export type Description<S extends Pure | StateSchema<Pure>> = Omit<ServerDescription<S, {}>, "messages">

type AnyFunction = (state: unknown) => unknown

const functionField = { f: Schema.Unknown }
const messages = {
  get: call({ payload: functionField, reply: Schema.Unknown, error: Schema.Unknown }),
  update: call({ payload: functionField, error: Schema.Unknown }),
  getAndUpdate: call({ payload: functionField, reply: Schema.Unknown, error: Schema.Unknown }),
  cast: cast({ payload: functionField })
}

const identity: AnyFunction = (state) => state

// Only the client below sends these: it has no other methods.
const functionOf = (payload: unknown): AnyFunction => (payload as { readonly f: AnyFunction }).f

const then = (answer: unknown, f: (value: unknown) => unknown): unknown =>
  Effect.isEffect(answer) ? Effect.map(answer, f) : f(answer)

const handlers = {
  get: (state: unknown, payload: unknown) => then(functionOf(payload)(state), (answer) => [answer, state]),
  update: (state: unknown, payload: unknown) => then(functionOf(payload)(state), (next) => [undefined, next]),
  getAndUpdate: (state: unknown, payload: unknown) => functionOf(payload)(state),
  cast: (state: unknown, payload: unknown) => functionOf(payload)(state)
}

type Method = (payload: { readonly f: AnyFunction }, options?: CallOptions) => Effect.Effect<unknown, unknown>

/** The class of its references: the server's client, with functions in place of payloads. */
const agentClient = (id: string, timeout: Description<Pure>["timeout"]): ClientClass => {
  const Base = clientClass(messageTypes(id, messages, { timeout }))
  class AgentClient extends Base {}
  for (const tag of Object.keys(messages)) {
    const send: Method = Reflect.get(Base.prototype, tag)
    Object.defineProperty(AgentClient.prototype, tag, {
      value(this: AnyClient, f: AnyFunction = identity, options?: CallOptions) {
        return send.call(this, { f }, options)
      }
    })
  }
  return AgentClient
}

/**
 * Declares an agent class, by its id and its state.
 *
 * **When to use**
 *
 * Once per kind of shared state: the class is the `Context` key of the reference, and the place of what makes agents of
 * it.
 *
 * **Details**
 *
 * Like every server it needs a companion: `StateContainer.layerMemory(Self)` conserves its state over crashes,
 * `layerForget` is Elixir's way.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent, StateContainer, Supervisor } from "heirloom"
 *
 * class Visits extends Agent.Service<Visits>()("app/Visits", { state: Schema.Int }) {}
 *
 * const App = Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Visits), Visits.layer(0)])
 *
 * const program = Effect.gen(function*() {
 *   const visits = yield* Visits
 *   yield* visits.update((n) => n + 41)
 *   console.log(yield* visits.getAndUpdate((n) => [n, n + 1])) // => 41
 *   console.log(yield* visits.get()) // => 42
 * })
 *
 * await Effect.runPromise(Effect.provide(program, App))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() =>
<const Id extends string, S extends Pure | StateSchema<Pure>>(
  id: Id,
  { state, timeout }: Description<S>
): AgentClass<Self, Id, TypeOf<S>> => {
  const Client = agentClient(id, timeout)
  const Class = makeClass<Self>()(id, { state, messages, Client, SelfClient: Client })
  let last = { init: undefined as unknown, handlers }
  // A thousand agents started alike share one behaviour, and with it all that is computed of it.
  const behavior = (init: unknown) => Object.is(last.init, init) ? last : last = { init, handlers }
  const { layer, layerKeyed, recipe, start } = Class
  // As in `GenServer.Service`: the types of `AgentClass` are what the engine runs without.
  return Object.assign(Class, {
    layer: (init: unknown, options?: Options<Grade>) => layer(behavior(init), options),
    recipe: (init: unknown, options: KeyOptions & Options<Grade>) => recipe(behavior(init), options),
    start: (init: unknown, options: KeyOptions & Options<Grade>) => start(behavior(init), options),
    layerKeyed: (init: unknown, options?: Options<Grade>) => layerKeyed(behavior(init), options)
  }) as unknown as AgentClass<Self, Id, TypeOf<S>>
}
