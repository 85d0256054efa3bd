/**
 * Servers: a process with a state, a mailbox, and one handler per message (OTP: `gen_server`).
 *
 * Use a server when several fibers share a state that has rules, when work must be done one message at a time, or when the
 * state must outlive the crash of the code that changes it. If you do not need a process, you do not need a process: a
 * `Ref` or a plain service is simpler. For a state that lives on several machines use effect's cluster entities.
 *
 * @since 0.1.0
 */
import { Context, type Duration, Effect, Exit, Fiber, Layer, type Scope } from "effect"
import { type CallError, callError } from "../../domain/Errors.ts"
import { type ExitReason, killed, normal } from "../../domain/server/ExitReason.ts"
import type { Client, From, Handlers, HandlersServices, Messages, NoExtra } from "../../domain/server/Message.ts"
import { type CastNext, type Initial, stop as stopNext } from "../../domain/server/Next.ts"
import type { Isolation } from "../../domain/state/Isolation.ts"
import { from as stateSchema, type Pure, type StateSchema, type TypeOf } from "../../domain/state/StateSchema.ts"
import type { Demands, Grade } from "../../domain/state/Survival.ts"
import { type HasProcess, type Process, processOf, type Status } from "../naming/Process.ts"
import type { StateContainer, Stateful, StateOf } from "../state/StateContainer.ts"
import type { ChildOptions, StartRecipe } from "../supervision/Child.ts"
import { Supervisor } from "../supervision/Supervisor.ts"
import type { StartError } from "../supervision/SupervisorErrors.ts"
import { type AnyClient, clientClass, messageTypes } from "./Client.ts"
import { HandlerOf } from "./CallChain.ts"
import { Envelope } from "./Envelope.ts"
import { type At, type Keyed, make as makeKeyed } from "./Keyed.ts"
import type { MailboxOptions } from "./Mailbox.ts"
import { ServerProcess } from "./ServerProcess.ts"
import { type AnyBehavior, makeSpec } from "./ServerSpec.ts"

export {
  type Call,
  call,
  type CallOptions,
  type Cast,
  cast,
  type From,
  type HandlerContext
} from "../../domain/server/Message.ts"
export type { Keyed } from "./Keyed.ts"

/**
 * A reference to a server: its client, and the process behind it. It follows the server across restarts and never points
 * at a dead incarnation.
 *
 * @since 0.1.0
 */
export type Ref<Ms extends Messages> = Client<Ms> & HasProcess

/**
 * What a server does (OTP: the callback module).
 *
 * `init`: the first state, or an Effect of it; used when nothing is conserved. `restore`: makes the first state from what
 * is conserved, which is taken as it is without it. `handlers`: one per message. `terminate`: clean-up, with the reason
 * and the state from before the callback that crashed; skipped on a kill. `idle`: called when `idleAfter` has passed.
 *
 * @since 0.1.0
 */
export interface Behavior<S, H, E = never, R = never> {
  readonly init: S | Initial<S> | Effect.Effect<S | Initial<S>, E, R>
  readonly restore?: ((conserved: S) => S | Initial<S> | Effect.Effect<S | Initial<S>, E, R>) | undefined
  readonly handlers: H
  readonly terminate?: ((reason: ExitReason, state: S) => void | Effect.Effect<void, never, R>) | undefined
  readonly idle?: ((state: S) => CastNext<S> | Effect.Effect<CastNext<S>, never, R>) | undefined
}

/**
 * How a server is run.
 *
 * @since 0.1.0
 */
export interface Options<G extends Grade = "nothing"> extends ChildOptions {
  /** What its state must survive; asks for nothing by default. More than its companion grants does not compile. */
  readonly survives?: G | undefined
  /** How many messages may wait, and what happens then; unbounded by default. */
  readonly mailbox?: MailboxOptions | undefined
  /** How far the state is kept apart from the handlers: `"share"` by default, `"freeze"` for tests and development. */
  readonly isolation?: Isolation | undefined
  /** How long init may take; for ever by default, as in OTP. */
  readonly initTimeout?: Duration.Input | undefined
}

/** What a child started at run time is called. */
export interface KeyOptions {
  /** Its key among the servers of its class. */
  readonly key: string
}

/** A behaviour, or how each incarnation makes one in its Scope. */
export type BehaviorInput<S, H, BE, BR, E, R> = Behavior<S, H, E, R> | Effect.Effect<Behavior<S, H, E, R>, BE, BR>

/**
 * A server class: the key of its client in the context, and all that makes servers of it.
 *
 * @since 0.1.0
 */
export interface ServerClass<Self, Id extends string, S, Ms extends Messages>
  extends Context.ServiceClass<Self, Id, Ref<Ms>>, Stateful<Self, Id, S>
{
  readonly messages: Ms

  /** The key of its companions. */
  readonly StateContainer: Context.Service<StateOf<Self>, StateContainer<S>>

  /** A behaviour with its types from the context, for one that is built inside `Effect.gen`. */
  behavior<const H extends Handlers<S, Ms>, E = never, R = never>(
    behavior: Behavior<S, H & NoExtra<H, Ms>, E, R>
  ): Behavior<S, H, E, R>

  /** The one server of this class, as a child of the nearest supervisor (OTP: a named `gen_server`). */
  layer<const H extends Handlers<S, Ms>, E = never, R = never, const G extends Grade = "nothing">(
    behavior: Behavior<S, H & NoExtra<H, Ms>, E, R>,
    options?: Options<G>
  ): Layer.Layer<Self, E, Supervisor | StateOf<Self> | Demands<Self, G> | Exclude<R | HandlersServices<H>, Scope.Scope>>

  /** The same, with a behaviour that every incarnation makes anew: what it acquires lives as long as the incarnation. */
  layerEffect<
    const H extends Handlers<S, Ms>,
    BE,
    BR,
    E = never,
    R = never,
    const G extends Grade = "nothing"
  >(
    behavior: Effect.Effect<Behavior<S, H, E, R>, BE, BR>,
    options?: Options<G>
  ): Layer.Layer<
    Self,
    E | BE,
    Supervisor | StateOf<Self> | Demands<Self, G> | Exclude<R | BR | HandlersServices<H>, Scope.Scope>
  >

  /** A start recipe for a server with a key: what a `DynamicSupervisor` starts. */
  recipe<
    const H extends Handlers<S, Ms>,
    BE = never,
    BR = never,
    E = never,
    R = never,
    const G extends Grade = "nothing"
  >(
    behavior: BehaviorInput<S, H, BE, BR, E, R>,
    options: KeyOptions & Options<G>
  ): StartRecipe<
    Ref<Ms>,
    E | BE,
    StateOf<Self> | Demands<Self, G> | Exclude<R | BR | HandlersServices<H>, Scope.Scope>
  >

  /** Starts a server with a key under the supervisor of the context (OTP: `start_child`). */
  start<
    const H extends Handlers<S, Ms>,
    BE = never,
    BR = never,
    E = never,
    R = never,
    const G extends Grade = "nothing"
  >(
    behavior: BehaviorInput<S, H, BE, BR, E, R>,
    options: KeyOptions & Options<G>
  ): Effect.Effect<
    Ref<Ms>,
    StartError<E | BE>,
    Supervisor | StateOf<Self> | Demands<Self, G> | Exclude<R | BR | HandlersServices<H>, Scope.Scope>
  >

  /**
   * Servers of this class by key, started when they are first asked for, as children of the nearest supervisor: provide a
   * `DynamicSupervisor` for many. Get them with `at`.
   */
  layerKeyed<
    const H extends Handlers<S, Ms>,
    BE = never,
    BR = never,
    E = never,
    R = never,
    const G extends Grade = "nothing"
  >(
    behavior: BehaviorInput<S, H, BE, BR, E, R>,
    options?: Options<G>
  ): Layer.Layer<
    Keyed<Self>,
    never,
    Supervisor | StateOf<Self> | Demands<Self, G> | Exclude<R | BR | HandlersServices<H>, Scope.Scope>
  >

  /** The server of a key: the one there is, or a new one. However many ask at the same time, it is started once. */
  at(key: string): Effect.Effect<Ref<Ms>, StartError, Keyed<Self>>
}

/** What a server class is made of. */
export interface Description<S extends Pure | StateSchema<Pure>, Ms extends Messages> {
  /** The schema of its state, or its versions (`StateSchema`). */
  readonly state: S
  readonly messages: Ms
  /** How long a call waits unless its message or its caller says otherwise; 5 seconds by default, as in OTP. */
  readonly timeout?: Duration.Input | "infinity" | undefined
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
 * `id` names it in the context, in paths, and in stores: use `package/Name`. Messages are described with {@link call} and
 * {@link cast}; their tags become the client's methods.
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
 * @since 0.1.0
 */
export const Service = <Self>() =>
<const Id extends string, S extends Pure | StateSchema<Pure>, const Ms extends Messages>(
  id: Id,
  description: Description<S, Ms>
): ServerClass<Self, Id, TypeOf<S>, Ms> => {
  const Client = clientClass(messageTypes(description.messages, description.timeout))
  const container = Context.Service<StateOf<Self>, StateContainer<TypeOf<S>>>(`${id}/StateContainer`)
  const schema = stateSchema(description.state)
  const keyed = Context.Service<Keyed<Self>, At<AnyClient>>(`${id}/Keyed`)
  const specs = makeSpec({ id, state: schema.schema, Client, container })

  const recipe = (
    behavior: AnyBehavior | Effect.Effect<AnyBehavior, unknown>,
    options: Options<Grade> & { readonly key?: string } = {}
  ): StartRecipe<AnyClient, unknown> => {
    const key = options.key ?? ""
    const own = key === "" ? id : `${id}/${key}`
    return {
      id: own,
      kind: "worker",
      options,
      make: (parent, context, id) => {
        const spec = specs(parent, context, behavior, options)
        const server = new ServerProcess(spec, key, id === own ? undefined : id)
        return { child: server, ref: server.ref }
      }
    }
  }
  const layer = (behavior: AnyBehavior | Effect.Effect<AnyBehavior, unknown>, options?: Options<Grade>) =>
    Layer.effect(Self, Effect.flatMap(Supervisor, (supervisor) => supervisor.register(recipe(behavior, options))))
  const Self = Object.assign(Context.Service<Self, AnyClient>()(id), {
    stateSchema: schema,
    messages: description.messages,
    StateContainer: container,
    behavior: (behavior: unknown) => behavior,
    layer,
    layerEffect: layer,
    recipe,
    start: (behavior: AnyBehavior | Effect.Effect<AnyBehavior, unknown>, options: KeyOptions & Options<Grade>) =>
      Effect.flatMap(Supervisor, (supervisor) => supervisor.startChild(recipe(behavior, options))),
    layerKeyed: (behavior: AnyBehavior | Effect.Effect<AnyBehavior, unknown>, options?: Options<Grade>) =>
      Layer.effect(
        keyed,
        Effect.gen(function*() {
          return makeKeyed({
            supervisor: yield* Supervisor,
            container: yield* container,
            context: yield* Effect.context<never>(),
            recipe: (key) => recipe(behavior, { ...options, key })
          })
        })
      ),
    at: (key: string) => Effect.flatMap(keyed, (at) => at(key))
  })
  // The methods of `ServerClass` say what is inferred from behaviours and messages; behind this line the engine runs
  // what they have checked, without types. Nothing else of the public surface is cast.
  return Self as unknown as ServerClass<Self, Id, TypeOf<S>, Ms>
}

// The process behind a reference to a server is always the engine's.
const serverOf = (ref: HasProcess): ServerProcess | undefined => {
  const process = ref[processOf]
  return process instanceof ServerProcess ? process : undefined
}

const notRunning = (process: Process, request: string): CallError =>
  callError(process.path.join("/"), request, { _tag: "NotRunning" })

/**
 * Ends a server in order, after the messages that wait already, and waits for its end (OTP: `gen_server:stop/3`).
 *
 * **Details**
 *
 * Answers the reason it really ended with, which is another than asked for when `terminate` failed. Its supervisor decides
 * whether it is started again: a `permanent` child is. Fails with `NotRunning` when it does not run.
 *
 * @since 0.1.0
 */
export const stop = (ref: HasProcess, reason: ExitReason = normal): Effect.Effect<ExitReason, CallError> =>
  Effect.callback<ExitReason, CallError>((resume) => {
    const process = ref[processOf]
    const observer = (_incarnation: number, reason: ExitReason) => resume(Exit.succeed(reason))
    if (!process.addExitObserver(observer)) return resume(Exit.fail(notRunning(process, "stop")))
    const server = serverOf(ref)
    if (server === undefined) process.exit(reason)
    else server.tell(() => stopNext(reason))
    return Effect.sync(() => process.removeExitObserver(observer))
    // The caller goes on in a turn of its own: here its supervisor has not yet heard of the end.
  }).pipe(Effect.tap(() => Effect.yieldNow))

/**
 * Sends a process an exit signal: its incarnation is ended at once, in the middle of a message (OTP: `exit/2`). `Normal` is no signal:
 * it does nothing, as in OTP.
 *
 * @since 0.1.0
 */
export const exit = (ref: HasProcess, reason: ExitReason): Effect.Effect<void> =>
  Effect.sync(() => {
    if (reason._tag !== "Normal") ref[processOf].exit(reason)
  })

/**
 * Kills a process: ended at once, without `terminate` (OTP: `exit(Pid, kill)`). Its committed state is kept.
 *
 * @since 0.1.0
 */
export const kill = (ref: HasProcess): Effect.Effect<void> => exit(ref, killed)

/**
 * Where a process is in its life.
 *
 * @since 0.1.0
 */
export const status = (ref: HasProcess): Effect.Effect<Status> => Effect.sync(() => ref[processOf].status)

/**
 * The number of the incarnation that is alive, or of the last one.
 *
 * @since 0.1.0
 */
export const incarnation = (ref: HasProcess): Effect.Effect<number> => Effect.sync(() => ref[processOf].incarnation)

/**
 * Answers a caller that was promised a later reply with `Next.noReply` (OTP: `gen_server:reply/2`).
 *
 * **Details**
 *
 * Only the first answer counts. A caller that is still waiting when the incarnation ends is answered `Crashed`.
 *
 * @since 0.1.0
 */
export const reply = <A, E>(from: From<A, E>, exit: Exit.Exit<A, E>): Effect.Effect<void> =>
  Effect.sync(() => {
    if (from instanceof Envelope) from.server.answerLater(from, exit)
  })

/**
 * Sends a message after a delay, unless the scope is closed before (OTP: `erlang:send_after/3`).
 *
 * **When to use**
 *
 * In a handler, for a message of the server to itself: the handler's scope is the incarnation's, so a timer does not
 * outlive the incarnation that set it. Answers an Effect that cancels it.
 *
 * @since 0.1.0
 */
export const castAfter = (
  delay: Duration.Input,
  message: Effect.Effect<void>
): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  Effect.map(
    Effect.forkScoped(Effect.delay(message, delay), { startImmediately: true }),
    (fiber) => Effect.sync(() => fiber.interruptUnsafe())
  )

/**
 * Waits until all that the server of the running handler has committed before is stored.
 *
 * **When to use**
 *
 * In a handler that tells others what must not be taken back: its own answer waits by itself, what it sends does not.
 * Over a companion in memory, and outside a handler, it does not wait.
 *
 * @since 0.1.0
 */
export const stored: Effect.Effect<void> = Effect.callback<void>((resume) => {
  const fiber = Fiber.getCurrent()
  const server = fiber === undefined ? undefined : Context.get(fiber.context, HandlerOf)
  if (server === undefined) resume(Effect.void)
  else server.whenStored(() => resume(Effect.void))
})
