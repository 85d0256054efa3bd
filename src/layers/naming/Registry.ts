/**
 * Names for processes: register one under a key, find it by that key, and never find one that is gone.
 *
 * A registry is a service of its own ({@link Service}), so that an app has as many name spaces as it needs and the
 * types say what is registered where. Keys are compared by value: `["room", 7]` is the same key however it is made.
 * Mirrors Elixir's `Registry`. When one server per class is enough, you need no registry: the class is its name. When
 * you only want a server started once per key, `Server.at(key)` does it.
 *
 * A registration belongs to a *process*, which outlives its incarnations: it stays while its owner is restarted or
 * parked, since the reference stays good, and ends when the owner is down for good. An owner that is started again
 * after that (`restartChild`, or with its supervisor) has its registrations again, except for unique keys that another
 * process has taken meanwhile. In OTP a restarted process has a new identity and has to register again; here it may, in
 * `init`: what it has already it registers with success.
 *
 * *Tricky*: (1) an owner may end between any two steps. Its registrations go in the same step as it ends, by an
 * observer on the process, and whatever is looked up is checked once more, so that an owner whose end is not known yet
 * is not returned. (2) A registration of a process that has ended would stay for ever: it is refused. (3) The observer
 * must not outlive the last registration, nor the registry: it is taken off with the last key and when the registry
 * closes. (4) Every operation is one synchronous step, so that no other fiber sees a key half registered; what the
 * caller brings along (`dispatch`, `lock`, `start`) runs between steps, over a copy. While `start` runs, its key is
 * reserved.
 *
 * @since 0.1.0
 */
import { Context, Effect, Exit, Layer, Option, Queue, Result, type Scope, type Types } from "effect"
import type { Keys } from "../../domain/naming/Names.ts"
import { callable, refuse, words } from "../../domain/options/GivenOption.ts"
import { shown } from "../../domain/text/ForeignText.ts"
import { guarded } from "../process/Execute.ts"
import { from, type HasProcess, processOf } from "../process/Process.ts"
import * as KeyLock from "./KeyLock.ts"
import { NameTable, type Refusal, type Registration, type RegistryEvent } from "./NameTable.ts"
import { RegistryError, type RegistryErrorReason } from "./RegistryError.ts"
import { type Via, via } from "./Via.ts"

export type { Registration, RegistryEvent } from "./NameTable.ts"
export { RegistryError } from "./RegistryError.ts"
export type { Via } from "./Via.ts"

/**
 * The types of a registry: of its keys, references and values.
 *
 * @category models
 * @since 0.1.0
 */
export interface RegistryTypes {
  readonly key?: unknown
  readonly ref?: HasProcess
  readonly value?: unknown
}

type KeyOf<T> = T extends { readonly key: infer K } ? K : string
type RefOf<T> = T extends { readonly ref: infer R extends HasProcess } ? R : HasProcess
type ValueOf<T> = T extends { readonly value: infer V } ? V : void

/**
 * A registry of which a process may have many entries under one key, and a key many owners.
 *
 * @category models
 * @since 0.1.0
 */
export interface Duplicate<K, R extends HasProcess, V> {
  readonly id: string
  /**
   * Registers a process under a key, with a value of your own beside it. Fails when another process has the key
   * (unique), or when this one has ended. A process that has the unique key already gets the new value. Under duplicate
   * keys each registration counts; but what a server registers of itself, in `init` or a handler, takes the place of
   * what an incarnation before it had registered so, and a crash adds none. Elixir's `Registry.register/3`.
   */
  readonly register: (key: K, ref: R, value: V) => Effect.Effect<void, RegistryError>
  /** Ends all registrations of a process under a key; nothing when there are none. Elixir's `unregister/2`. */
  readonly unregister: (key: K, ref: HasProcess) => Effect.Effect<void>
  /** Ends those whose value matches, and says how many. Elixir's `unregister_match/4`. */
  readonly unregisterMatch: (key: K, ref: HasProcess, matches: (value: V) => boolean) => Effect.Effect<number>
  /** The registrations under a key, the oldest first. Elixir's `lookup/2`. */
  readonly lookup: (key: K) => Effect.Effect<ReadonlyArray<Registration<K, R, V>>>
  /** Those under a key whose value matches. Elixir's `match/4`. */
  readonly match: (
    key: K,
    matches: (value: V) => boolean
  ) => Effect.Effect<ReadonlyArray<Registration<K, R, V>>>
  /** How many {@link match} would find. Elixir's `count_match/4`. */
  readonly countMatch: (key: K, matches: (value: V) => boolean) => Effect.Effect<number>
  /** All registrations, or those that match, in no order. Elixir's `select/2`. */
  readonly select: (
    matches?: (registration: Registration<K, R, V>) => boolean
  ) => Effect.Effect<ReadonlyArray<Registration<K, R, V>>>
  /** How many {@link select} would find. Elixir's `count_select/2`. */
  readonly countSelect: (matches: (registration: Registration<K, R, V>) => boolean) => Effect.Effect<number>
  /** How many registrations there are: under duplicate keys each one counts. Elixir's `count/1`. */
  readonly count: Effect.Effect<number>
  /** The keys a process is registered under, as often as it is. Elixir's `keys/2`. */
  readonly keys: (ref: HasProcess) => Effect.Effect<ReadonlyArray<K>>
  /** The values a process has under a key. Elixir's `values/3`. */
  readonly values: (key: K, ref: HasProcess) => Effect.Effect<ReadonlyArray<V>>
  /**
   * Does something with each registration under a key, one after the other in the caller's fiber, or side by side with
   * `concurrency`. Not run at all for a key without owners; one that ended meanwhile is passed over; the first failure
   * ends it. Elixir's `dispatch/4`.
   */
  readonly dispatch: <X, E, Q>(
    key: K,
    f: (registration: Registration<K, R, V>) => Effect.Effect<X, E, Q>,
    options?: { readonly concurrency?: Types.Concurrency | undefined }
  ) => Effect.Effect<void, E, Q>
  /**
   * Runs an effect while no other runs under the same key here; other keys are free. The lock is given back however
   * the effect ends. It is not re-entrant, and locks nothing but other `lock`s and `start`s. Elixir's `lock/3`.
   */
  readonly lock: <A, E, Q>(key: K, effect: Effect.Effect<A, E, Q>) => Effect.Effect<A, E, Q>
  /** The registrations that begin and end from now on, until the scope closes. Elixir's `listeners`. */
  readonly listen: Effect.Effect<Queue.Dequeue<RegistryEvent<K, R, V>>, never, Scope.Scope>
  /** Metadata of the registry as a whole, under a name. Elixir's `meta/2`, `put_meta/3`, `delete_meta/2`. */
  readonly meta: (name: string) => Effect.Effect<Option.Option<unknown>>
  readonly putMeta: (name: string, value: unknown) => Effect.Effect<void>
  readonly deleteMeta: (name: string) => Effect.Effect<void>
}

/**
 * A registry in which a key has one owner at most: it can name processes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Unique<K, R extends HasProcess, V> extends Duplicate<K, R, V> {
  /** The process that has the key. Elixir's `whereis_name/1`. */
  readonly whereis: (key: K) => Effect.Effect<Option.Option<R>>
  /**
   * Changes the value of a registration and answers with the new and the old one. Fails, without running `f`, for all
   * but its owner. Elixir's `update_value/3`.
   */
  readonly updateValue: (
    key: K,
    ref: HasProcess,
    f: (value: V) => V
  ) => Effect.Effect<readonly [current: V, previous: V], RegistryError>
  /**
   * Starts a process under a key: fails with the one that has it; otherwise runs `start` with the key reserved, and
   * registers what it gives. A start that fails or is interrupted frees the key. Starts under one key run one after the
   * other. Elixir's `name: {:via, Registry, {registry, key}}`.
   */
  readonly start: <E, Q>(
    key: K,
    start: Effect.Effect<R, E, Q>,
    value: V
  ) => Effect.Effect<R, E | RegistryError, Q>
  /**
   * A client of a key: each call goes to the owner of that moment, and fails with `NotRunning` when there is none.
   * Elixir's `{:via, Registry, {registry, key}}` as the address of a call.
   */
  readonly via: (key: K) => Via<R>
}

/**
 * The key of a registry in the context, and its layer.
 *
 * @category models
 * @since 0.1.0
 */
export interface RegistryClass<Self, Id extends string, Shape> extends Context.ServiceClass<Self, Id, Shape> {
  /** The registry, empty; it closes with the scope of the layer. */
  readonly layer: Layer.Layer<Self>
}

/**
 * Defines a registry: `unique` keys name one process each, `duplicate` keys any number.
 *
 * **When to use**
 *
 * You most likely want `unique`. `duplicate` is for topics: all that are interested register under the topic,
 * `dispatch` reaches them all. For that without values, and counted, see `Groups`.
 *
 * **Details**
 *
 * The second type argument says what is registered: `key` (default `string`), `ref` (default: any process) and `value`
 * (default: none). `updateValue`, `start` and `via` exist on unique registries only.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer, Registry, StateContainer, Supervisor } from "heirloom"
 *
 * class Room extends GenServer.Service<Room>()("app/Room", {
 *   state: Schema.Array(Schema.String),
 *   messages: { Say: GenServer.call({ payload: { text: Schema.String }, reply: Schema.Int }) }
 * }) {}
 *
 * class Rooms extends Registry.Service<Rooms, { readonly ref: Room["Service"] }>()("app/Rooms", { keys: "unique" }) {}
 * class Tree extends Supervisor.Service<Tree>()("app/Tree") {}
 *
 * const App = Tree.layer({ strategy: "one_for_one" }, [Rooms.layer, StateContainer.layerMemory(Room)])
 *
 * const behavior = Room.behavior({
 *   init: [],
 *   handlers: { Say: (lines, { text }) => [lines.length + 1, [...lines, text]] }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const [rooms, tree] = [yield* Rooms, yield* Tree]
 *   yield* rooms.start("lobby", tree.startChild(Room.recipe(behavior, { key: "lobby" })))
 *   console.log(yield* rooms.via("lobby").Say({ text: "hello" })) // => 1
 * })
 *
 * await Effect.runPromise(Effect.provide(program, App))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self, T extends RegistryTypes = {}>() => {
  type K = KeyOf<T>
  type R = RefOf<T>
  type V = ValueOf<T>
  function define<const Id extends string>(
    id: Id,
    options: { readonly keys: "unique" }
  ): RegistryClass<Self, Id, Unique<K, R, V>>
  function define<const Id extends string>(
    id: Id,
    options: { readonly keys: "duplicate" }
  ): RegistryClass<Self, Id, Duplicate<K, R, V>>
  function define<const Id extends string>(id: Id, { keys }: { readonly keys: Keys }) {
    switch (keys) {
      case "unique": {
        const key = Context.Service<Self, Unique<K, R, V>>()(id)
        return Object.assign(key, { layer: Layer.effect(key, make<K, R, V, Unique<K, R, V>>(id, keys, unique)) })
      }
      case "duplicate": {
        const key = Context.Service<Self, Duplicate<K, R, V>>()(id)
        return Object.assign(key, { layer: Layer.effect(key, make<K, R, V, Duplicate<K, R, V>>(id, keys, duplicate)) })
      }
      default:
        return refuse({ of: id, option: "keys", given: keys }, words(["unique", "duplicate"]))
    }
  }
  return define
}

const reasonOf = <R extends HasProcess>(key: unknown, ref: R | undefined, refusal: Refusal<R>): RegistryErrorReason => {
  switch (refusal._tag) {
    case "AlreadyRegistered":
      return { _tag: "AlreadyRegistered", key, holder: refusal.holder }
    case "BeingStarted":
      return { _tag: "BeingStarted", key }
    case "NotAlive":
      return { _tag: "NotAlive", key, path: ref?.[processOf].path ?? [] }
    case "Closed":
      return { _tag: "RegistryClosed", key }
  }
}

const make = <K, R extends HasProcess, V, Shape>(
  id: string,
  keys: Keys,
  shape: (inside: Inside<K, R, V>) => Shape
): Effect.Effect<Shape, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new NameTable<K, R, V>(keys)),
      (table) => Effect.sync(() => table.close())
    ),
    (table) => shape(insideOf(id, table))
  )

/** The parts that both kinds of registries have. */
interface Inside<K, R extends HasProcess, V> {
  readonly id: string
  readonly table: NameTable<K, R, V>
  readonly locks: KeyLock.KeyLock<K>
  readonly fail: (reason: RegistryErrorReason) => Effect.Effect<never, RegistryError>
  readonly answer: (
    key: K,
    ref: R | undefined,
    result: Result.Result<void, Refusal<R>>
  ) => Effect.Effect<void, RegistryError>
}

const insideOf = <K, R extends HasProcess, V>(id: string, table: NameTable<K, R, V>): Inside<K, R, V> => {
  const fail = (reason: RegistryErrorReason) => Effect.fail(new RegistryError({ registry: id, reason }))
  return {
    id,
    table,
    locks: KeyLock.make<K>(),
    fail,
    answer: (key, ref, result) => Result.isSuccess(result) ? Effect.void : fail(reasonOf(key, ref, result.failure))
  }
}

/** What is asked of each registration. */
const matcherOf = <F extends (one: never) => boolean>(of: string, matches: F): F =>
  callable({ of, option: "matches", given: matches })

const duplicate = <K, R extends HasProcess, V>({ answer, id, locks, table }: Inside<K, R, V>): Duplicate<K, R, V> => {
  const metadata = new Map<string, unknown>()
  const matching = (key: K, matches: (value: V) => boolean) =>
    table.lookup(key).filter(({ value }) => matcherOf(id, matches)(value))
  return {
    id,
    register: (key, ref, value) =>
      Effect.suspend(() => {
        from(ref, id)
        return answer(key, ref, table.register(key, ref, value))
      }),
    unregister: (key, ref) => Effect.sync(() => void table.unregister(key, from(ref, id))),
    unregisterMatch: (key, ref, matches) => Effect.sync(() => table.unregister(key, from(ref, id), matches)),
    lookup: (key) => Effect.sync(() => table.lookup(key)),
    match: (key, matches) => Effect.sync(() => matching(key, matches)),
    countMatch: (key, matches) => Effect.sync(() => matching(key, matches).length),
    select: (matches = () => true) => Effect.sync(() => table.all().filter(matcherOf(id, matches))),
    countSelect: (matches) => Effect.sync(() => table.all().filter(matcherOf(id, matches)).length),
    count: Effect.sync(() => table.all().length),
    keys: (ref) => Effect.sync(() => table.of(from(ref, id)).map(({ key }) => key)),
    values: (key, ref) => Effect.sync(() => table.at(key, from(ref, id)).map(({ value }) => value)),
    dispatch: (key, f, options) =>
      Effect.suspend(() =>
        Effect.forEach(
          table.lookup(key),
          (registration) =>
            Effect.suspend(() =>
              registration.ref[processOf].status === "stopped"
                ? Effect.void
                : guarded("the function of dispatch", () => f(registration))
            ),
          { discard: true, concurrency: options?.concurrency }
        )
      ),
    lock: locks.withLock,
    listen: Effect.flatMap(
      Queue.unbounded<RegistryEvent<K, R, V>>(),
      (queue) =>
        Effect.as(
          Effect.acquireRelease(
            Effect.sync(() => table.listen(queue)),
            (stop) => Effect.andThen(Effect.sync(stop), Queue.shutdown(queue))
          ),
          queue
        )
    ),
    meta: (name) => Effect.sync(() => metadata.has(name) ? Option.some(metadata.get(name)) : Option.none()),
    putMeta: (name, value) => Effect.sync(() => void metadata.set(name, value)),
    deleteMeta: (name) => Effect.sync(() => void metadata.delete(name))
  }
}

const unique = <K, R extends HasProcess, V>(inside: Inside<K, R, V>): Unique<K, R, V> => {
  const { answer, fail, id, locks, table } = inside
  const first = (key: K) => table.lookup(key)[0]?.ref
  return {
    ...duplicate(inside),
    whereis: (key) => Effect.sync(() => Option.fromUndefinedOr(first(key))),
    updateValue: (key, ref, f) =>
      Effect.suspend(() => {
        const owner = from(ref, id)
        return Option.match(table.update(key, owner, f), {
          onNone: () => fail({ _tag: "NotRegistered", key, path: owner.path }),
          onSome: Effect.succeed
        })
      }),
    start: (key, start, value) =>
      locks.withLock(
        key,
        Effect.acquireUseRelease(
          Effect.suspend(() => answer(key, undefined, table.reserve(key))),
          () =>
            Effect.map(start, (ref) => {
              from(ref, id)
              return ref
            }),
          // A process that has ended by now is handed out as it is: there is nothing to name.
          (_, exit) =>
            Effect.sync(() => void table.redeem(key, Exit.isSuccess(exit) ? { ref: exit.value, value } : undefined))
        )
      ),
    via: (key) => via(id, shown(key), () => first(key))
  }
}
