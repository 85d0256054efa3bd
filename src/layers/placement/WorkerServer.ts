/**
 * Servers whose handlers run in a thread, or a process, of their own: they may hang, compute for long, or blow up.
 *
 * Use it where a handler could bring the process down or hold it up: code of others, heavy computation, parsers of what
 * strangers send. The server stays what it is: the same class, messages, state, companion and errors. Mailbox,
 * companion and supervision stay beside its callers, so what a handler answers is committed there before its caller
 * hears of it. A call costs some 50 microseconds more, and the state crosses with each change: for handlers that do
 * little, and states that are large, use the `layer` of the class.
 *
 * **What it survives.** An error outside a handler, `process.exit`, a heap that is full (`resourceLimits`), an endless
 * loop (a kill, a supervisor's stop, `hang`): the server crashes, and its supervisor restarts it with its state. A
 * thread does not survive a native crash, and nothing bounds the buffers of one; a process (`placement: "process"`)
 * survives both. It is no sandbox: what runs there may do what the program may do.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Predicate, type Schema, type Scope } from "effect"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import type { ErrorOf, PayloadOf, ReplyOf } from "../../domain/placement/Wire.ts"
import type { WorkerFailed } from "../../domain/placement/WorkerErrors.ts"
import { defaultShutdown } from "../../domain/process/Fate.ts"
import type {
  Call,
  HandlerContext,
  HandlersServices,
  MessageOf,
  Messages,
  NoExtra,
  Payload,
  ServerKey
} from "../../domain/server/Message.ts"
import type { PlainNoReply, PlainReply, Stop } from "../../domain/server/Next.ts"
import type { Demands, Grade } from "../../domain/state/Survival.ts"
import type { Behavior, Options } from "../server/class/Behavior.ts"
import type { Keyed } from "../server/class/Keyed.ts"
import { insideOf } from "../server/class/ServerClass.ts"
import type { ServerClass } from "../server/GenServer.ts"
import { type AnyBehavior, type AnyBehaviorInput, givenBehavior } from "../server/parts/ServerSpec.ts"
import type { StateOf } from "../state/StateContainer.ts"
import type { Supervisor } from "../supervision/Supervisor.ts"
import { type Definition, guest, serve } from "./worker/Guest.ts"
import { type Lanes, make as makeLanes } from "./worker/Lanes.ts"
import { make as makeRemote, ownHost, shutdownOf } from "./worker/Remote.ts"
import { make as makeSupply, type PlacementOptions } from "./worker/Supply.ts"

export { NotCrossing, WorkerDied, WorkerFailed } from "../../domain/placement/WorkerErrors.ts"
export type { ResourceLimits } from "./worker/Place.ts"
export type { HangOptions, PlacementOptions } from "./worker/Supply.ts"

/**
 * What the handler of a call may answer in a worker: a reply, there and then, that no code follows.
 *
 * @category models
 * @since 0.1.0
 */
export type CallAnswer<A, S, M = never> = readonly [reply: A, state: S] | PlainReply<A, S, M> | Stop<A, S>

/**
 * What the handler of a cast may answer in a worker.
 *
 * @category models
 * @since 0.1.0
 */
export type CastAnswer<S, M = never> = S | PlainNoReply<S, M> | Stop<never, S>

/**
 * One handler per message, with answers that travel.
 *
 * @category models
 * @since 0.1.0
 */
export type Handlers<S, Ms extends Messages, K extends ServerKey = ServerKey> = {
  readonly [Tag in keyof Ms]: Ms[Tag] extends Call<any, infer A, infer E> ? (
      state: S,
      payload: Payload<Ms[Tag]>,
      context: HandlerContext<A["Type"], E["Type"], K>
    ) =>
      | CallAnswer<A["Type"], S, MessageOf<Ms>>
      | Effect.Effect<CallAnswer<A["Type"], S, MessageOf<Ms>>, E["Type"], any>
    : (
      state: S,
      payload: Payload<Ms[Tag]>,
      context: HandlerContext<never, never, K>
    ) => CastAnswer<S, MessageOf<Ms>> | Effect.Effect<CastAnswer<S, MessageOf<Ms>>, never, any>
}

/**
 * A module that serves a class in a thread or process.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry<in out Self, in out S> {
  readonly url: string
  readonly "~heirloom/WorkerEntry": {
    readonly self: (_: Self) => Self
    readonly state: (_: S) => S
  }
}

/**
 * Whether this module runs in a thread or process that serves an entry.
 *
 * **When to use**
 *
 * Where one bundle holds the program and its entries: the program itself is then loaded in each thread, too, and must
 * not begin there.
 *
 * @category guards
 * @since 0.1.0
 */
export const isWorker: boolean = guest !== undefined

/** The services of the handlers, where they need any. */
type EntryOptions<R> = [R] extends [never] ? [options?: { readonly layer?: Layer.Layer<never, unknown> | undefined }]
  : [options: { readonly layer: Layer.Layer<R, unknown> }]

/** The services that the schemas of messages need. */
type SchemaServices<Ms extends Messages> = {
  [K in keyof Ms]: CodecServices<PayloadOf<Ms[K]>> | CodecServices<ReplyOf<Ms[K]>> | CodecServices<ErrorOf<Ms[K]>>
}[keyof Ms]

type CodecServices<A> = A extends Schema.Top ? A["DecodingServices"] | A["EncodingServices"] : never

/** The URL of an entry, where the messages of its class can be written down by themselves. */
type UrlFor<Ms extends Messages> = [SchemaServices<Ms>] extends [never] ? string
  : "the schemas of the messages need services: they do not cross"

/** An entry as it is used here: what it serves, without its types. */
type AnyEntry = Definition & { readonly url: string }

/**
 * Names this module as the one that serves a class: in a thread it does, anywhere else it is a value for {@link layer}.
 *
 * **When to use**
 *
 * At the top level of a module of its own, beside the class and its behaviour:
 * `entry(Counter, behavior, import.meta.url)`. The module is loaded in each thread, by that URL, in whatever form it
 * runs: TypeScript under a loader or a Node that strips types, the output of `tsc`, a bundle. So it should begin
 * nothing when it is loaded.
 *
 * **Details**
 *
 * `layer` has the services of the callbacks. It is built in the thread, once for all servers there, and what it
 * acquires is released when the thread ends in order. If it fails, so does the start, with `WorkerFailed`. What
 * callbacks log, the parent logs.
 *
 * All callbacks run in the thread but `formatStatus`, and an `init` that is a plain state. Their state is what the
 * class's schema makes of it, their payloads, replies and errors what their messages' schemas do.
 *
 * **Gotchas**
 *
 * What cannot cross does not compile: `Next.noReply` of a call, `continueWith` in a handler, the server's `self`, its
 * Scope (and with it `GenServer.spawnLink` and `castAfter`), messages whose schemas need services. Past the type
 * checker, and in what `init`, `restore` and `idle` answer, it is a crash: `NotCrossing`. The thread has a clock, a
 * random and a tracer of its own: those of a test do not reach it.
 *
 * **Example**
 *
 * ```ts
 * import { Schema } from "effect"
 * import { GenServer } from "heirloom"
 * import { WorkerServer } from "heirloom/worker"
 *
 * export class Primes extends GenServer.Service<Primes>()("app/Primes", {
 *   state: Schema.Int,
 *   messages: { Next: GenServer.call({ reply: Schema.Int }) }
 * }) {}
 *
 * const isPrime = (n: number) => Array.from({ length: n - 2 }, (_, i) => i + 2).every((d) => n % d !== 0)
 *
 * const behavior = Primes.behavior({
 *   init: 1,
 *   handlers: {
 *     Next: (last) => {
 *       let next = last + 1
 *       while (!isPrime(next)) next++
 *       return [next, next]
 *     }
 *   }
 * })
 *
 * export const PrimesEntry = WorkerServer.entry(Primes, behavior, import.meta.url)
 *
 * console.log(WorkerServer.isWorker) // => false
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const entry = <
  Self,
  Id extends string,
  S,
  Ms extends Messages,
  const H extends Handlers<S, Ms, any>,
  E = never,
  R = never
>(
  server: ServerClass<Self, Id, S, Ms>,
  behavior: EntryBehavior<S, H & NoExtra<H, Ms>, E, R, Ms>,
  url: UrlFor<Ms>,
  ...[options]: EntryOptions<R | HandlersServices<H>>
): Entry<Self, S> => {
  insideOf(server, "WorkerServer.entry")
  givenBehavior(server.key, behavior as unknown as AnyBehaviorInput)
  GivenOption.text({ of: server.key, option: "url", given: url })
  if (options !== undefined) GivenOption.options(server.key, options)
  // What the types above have checked runs without them from here on.
  const definition = { server, behavior, layer: options?.layer, url } as unknown as AnyEntry
  if (guest !== undefined) serve(guest, definition)
  return definition as unknown as Entry<Self, S>
}

/** A behaviour, or that of a key. */
type EntryBehavior<S, H, E, R, Ms> =
  | Behavior<S, H, E, R, MessageOf<Ms>>
  | ((key: string) => Behavior<S, H, E, R, MessageOf<Ms>>)

/** The methods of a class as they are used here, without their types. */
interface AnyClass {
  readonly key: string
  layer(behavior: Effect.Effect<AnyBehavior, WorkerFailed, Scope.Scope>, options: object): Layer.Layer<never>
  layerKeyed(
    behavior: (key: string) => Effect.Effect<AnyBehavior, WorkerFailed, Scope.Scope>,
    options: object
  ): Layer.Layer<never>
}

/** The entry of a class, which has to be one of that class. */
const entryOf = (server: { readonly key: string }, entry: unknown): AnyEntry => {
  insideOf(server, "WorkerServer")
  return Predicate.hasProperty(entry, "server") && entry.server === server && Predicate.hasProperty(entry, "url")
    ? entry as unknown as AnyEntry
    : GivenOption.refuse({ of: server.key, option: "entry", given: entry }, "made by WorkerServer.entry, of this class")
}

/** A pool, which has to be a class. */
const poolOf = <Self, Id extends string>(of: string, pool: PoolClass<Self, Id>): PoolClass<Self, Id> =>
  Context.isKey(pool)
    ? pool
    : GivenOption.refuse({ of, option: "pool", given: pool }, "a class of WorkerServer.Pool")

/**
 * The one server of a class, as a child of the nearest supervisor, with a thread or process of its own.
 *
 * **Details**
 *
 * Each incarnation has a new one. A handler that is interrupted (a kill, a supervisor's stop) is interrupted there; one
 * that has not ended when the `shutdown` time is over, 5 seconds by default, is ended with its thread. A `brutal_kill`
 * ends it at once. A thread that dies while it is at nothing crashes its server as well.
 *
 * It fails with `WorkerFailed` when the thread does not come to serve it: its module does not load, its layer does not
 * build.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self, Id extends string, S, Ms extends Messages, const G extends Grade = "nothing">(
  server: ServerClass<Self, Id, S, Ms>,
  entry: Entry<Self, S>,
  options: PlacementOptions & Options<G> = {}
): Layer.Layer<Self, WorkerFailed, Supervisor | StateOf<Self> | Demands<Self, G>> => {
  const anyClass = server as unknown as AnyClass
  const made = Layer.unwrap(Effect.gen(function*() {
    const definition = entryOf(server, entry)
    GivenOption.options(server.key, options)
    const supply = yield* makeSupply(server.key, options, false)
    const shutdown = shutdownOf(server.key, options.shutdown)
    const behavior = Effect.gen(function*() {
      const host = yield* ownHost(supply, definition, shutdown)
      return yield* makeRemote({
        definition,
        key: undefined,
        kind: supply.kind,
        host: Effect.succeed(host),
        shutdown,
        killed: 0
      })
    })
    return anyClass.layer(behavior, options)
  }))
  return made as unknown as Layer.Layer<Self, WorkerFailed, Supervisor | StateOf<Self> | Demands<Self, G>>
}

/**
 * Threads, or processes, that servers share, as a service.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolClass<Self, Id extends string> extends Context.ServiceClass<Self, Id, Threads> {}

/**
 * Threads, or processes, that servers share.
 *
 * @category models
 * @since 0.1.0
 */
export interface Threads {
  readonly "~heirloom/WorkerPool": Lanes
}

/**
 * Declares threads, or processes, that servers share:
 * `class Threads extends WorkerServer.Pool<Threads>()("app/Threads") {}`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const Pool = <Self>() => <const Id extends string>(id: Id): PoolClass<Self, Id> =>
  Context.Service<Self, Threads>()(id)

/**
 * The options of a pool.
 *
 * @category options
 * @since 0.1.0
 */
export interface PoolOptions extends PlacementOptions {
  /** How many threads, or processes; as many as there are cores make sense, and no more. */
  readonly size: number
}

/**
 * The threads, or processes, of a pool: they start when they are first needed, and end with the layer.
 *
 * **When to use**
 *
 * For many servers that compute: {@link layerKeyed} spreads them over its threads.
 *
 * **Details**
 *
 * When one dies, only the servers whose messages it had begun crash. What it had not begun is handed to the next one,
 * and its callers notice nothing. Several handlers are under way in one thread only where they are Effects that wait.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPool = <Self, Id extends string>(
  pool: PoolClass<Self, Id>,
  options: PoolOptions
): Layer.Layer<Self> =>
  Layer.suspend(() => {
    const { key: of } = poolOf("WorkerServer.layerPool", pool)
    const lanes = makeLanes(of, GivenOption.options(of, options))
    return Layer.effect(pool, Effect.map(lanes, (lanes): Threads => ({ "~heirloom/WorkerPool": lanes })))
  })

/**
 * Servers of a class by key, started when they are first asked for, as with the class's own `layerKeyed`; the handlers
 * of each run in the thread of the pool that its key falls to.
 *
 * **Details**
 *
 * The same key goes to the same thread as long as the pool has the same size. A server that is stopped while its
 * handler does not end, takes its thread with it when the `shutdown` time is over: others whose handlers were under way
 * there crash.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerKeyed = <Self, Id extends string, S, Ms extends Messages, P, const G extends Grade = "nothing">(
  server: ServerClass<Self, Id, S, Ms>,
  entry: Entry<Self, S>,
  options: { readonly pool: PoolClass<P, string> } & Options<G>
): Layer.Layer<Keyed<Self>, never, P | Supervisor | StateOf<Self> | Demands<Self, G>> => {
  const anyClass = server as unknown as AnyClass
  const made = Layer.unwrap(Effect.gen(function*() {
    const definition = entryOf(server, entry)
    const { pool, ...given } = GivenOption.options(server.key, options)
    const { "~heirloom/WorkerPool": lanes } = yield* poolOf(server.key, pool)
    const shutdown = shutdownOf(server.key, options.shutdown)
    return anyClass.layerKeyed(
      (key) =>
        makeRemote({
          definition,
          key,
          kind: lanes.kind,
          host: lanes.host(`${server.key}/${key}`, definition),
          shutdown,
          killed: Math.min(shutdown, defaultShutdown)
        }),
      given
    )
  }))
  return made as unknown as Layer.Layer<Keyed<Self>, never, P | Supervisor | StateOf<Self> | Demands<Self, G>>
}
