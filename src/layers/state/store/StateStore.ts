/**
 * Where durable companions keep their snapshots: one small service, and the store in memory.
 *
 * A store knows keys, texts and epochs; what a state is, when it is written and what to make of a suspect is its
 * callers' business. It keeps the last generations of every key, never drops the newest trusted one, and writes a batch
 * whole or not at all. Every write is made under an epoch, which its owner acquired when its session began; when a
 * younger session has acquired one, the older one's writes are refused. What a store survives is in its type.
 *
 * Use a `StateContainer` to conserve a server's state. Use a store directly for tools: to list, compare, back up.
 *
 * *Tricky*: the order "acquire an epoch, then load" is what makes a takeover safe. Once an epoch is acquired, no write
 * of an older one is stored any more, so what is loaded then is the last word of the session before.
 *
 * @since 0.1.0
 */
import { Clock, Context, type Duration, Effect, Layer, type Scope } from "effect"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import {
  acquired,
  fenced,
  fencedOff,
  type Refusal,
  type StoreOwnership
} from "../../../domain/state/stored/Ownership.ts"
import {
  type AsideRecord,
  generationsOf,
  invalid,
  keep,
  type Kept,
  loaded,
  type SnapshotRecord,
  timersOf,
  withoutSnapshot,
  withTimers
} from "../../../domain/state/stored/SnapshotRecord.ts"
import { StoreError, type StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import type { Grade } from "../../../domain/state/Survival.ts"
import { none } from "../../../domain/state/Timers.ts"
import { DueIndex } from "./DueIndex.ts"
import { KeyPages } from "./KeyPages.ts"
import { hosted } from "./StoreHost.ts"
import { type StateStore, storeKeyOf } from "./StoreShape.ts"

export { type StoreOwnership, wholeStore } from "../../../domain/state/stored/Ownership.ts"
export { StoreError, type StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
export type { Hold, KeyPage, StateStore, StoreView } from "./StoreShape.ts"

/**
 * The options of every store.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** Snapshots kept of every key, beside those set aside; 3 by default, 2 at least (fewer are refused). */
  readonly generations?: number | undefined
}

/**
 * The options of stores that other processes can reach.
 *
 * @category options
 * @since 0.1.0
 */
export interface OwnedOptions<O extends StoreOwnership = "exclusive" | "youngest"> extends Options {
  /**
   * What becomes of a process that begins to conserve states in the store while another one does. `"exclusive"`
   * (default): it waits for that one to leave, for `patience`, and fails with a `StoreError` that says who has it.
   * `"youngest"`: it takes over, and the older one ends; for rolling deploys. `"shared"`, in a SQL database: both go
   * on, and each key is one process's at a time (`fence: "key"` of `StateContainer.layerStore`); who wants it
   * exclusively waits for all of them.
   */
  readonly ownership?: O | undefined
  /**
   * How long a process waits for its store when it starts: for one that has it, and for one that is away; 30 s by
   * default.
   */
  readonly patience?: Duration.Input | undefined
}

/**
 * The key of a store in the `Context`, with the grade it demands of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface StateStoreClass<Self, Id extends string, G extends Grade>
  extends Context.ServiceClass<Self, Id, StateStore<G>>
{
  readonly grade: G
}

/**
 * Any key of a store whose grade is `G`.
 *
 * @category models
 * @since 0.1.0
 */
export interface StateStoreKey<Self, G extends Grade> extends Context.Service<Self, StateStore<G>> {
  readonly grade: G
}

/**
 * The grades that a store of grade `G` gives: its own and every lower one.
 *
 * @category models
 * @since 0.1.0
 */
export type AtMost<G extends Grade> = G extends "machine" ? Grade
  : G extends "process" ? "nothing" | "crash" | "process"
  : G extends "crash" ? "nothing" | "crash"
  : "nothing"

/**
 * Declares a store: a class that is the key of its service, with what it has to survive.
 *
 * **When to use**
 *
 * Once for every database or folder an app keeps states in.
 *
 * **Details**
 *
 * A layer that gives less than `grade` does not compile: memory survives `"crash"`, a folder or a SQLite database
 * `"process"`, a database on another machine `"machine"`.
 *
 * **Example**
 *
 * ```ts
 * import { StateStore } from "heirloom"
 * import * as StateStoreFile from "heirloom/StateStoreFile"
 *
 * class Store extends StateStore.Service<Store>()("app/Store", "process") {}
 *
 * const StoreLive = StateStoreFile.layer(Store, { directory: "./data" })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() =>
<const Id extends string, const G extends Grade>(
  id: Id,
  grade: G
): StateStoreClass<Self, Id, G> => Object.assign(Context.Service<Self, StateStore<G>>()(id), { grade })

/**
 * A store in memory, for tests and for apps that conserve over crashes only.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeMemory = (options: Options = {}): StateStore<"crash"> => {
  const name = "memory"
  GivenOption.options(name, options)
  const limit = generationsOf(name, options.generations)
  const epochs = new Map<string, number>()
  const owners = new Map<number, string>()
  const keys = new Map<string, Kept<SnapshotRecord>>()
  const aside: Array<AsideRecord> = []
  const due = new DueIndex()
  const pages = new KeyPages(() => keys.keys())
  const own = (prefix: string) => Array.from(keys.keys()).filter((key) => key.startsWith(prefix))

  const put = (key: string, kept: Kept<SnapshotRecord>) => {
    if (kept.snapshots.length === 0 || !keys.has(key)) pages.changed()
    if (kept.snapshots.length === 0) keys.delete(key)
    else keys.set(key, kept)
    due.set(key, timersOf(kept))
  }

  const fail = (operation: string, reason: StoreErrorReason) =>
    Effect.fail(new StoreError({ store: name, operation, reason }))

  const refusal = (epoch: number, key: string | undefined): Refusal | undefined => {
    const owner = owners.get(epoch)
    const current = owner === undefined ? undefined : epochs.get(owner)
    if (current !== epoch) return fencedOff(epoch, current ?? owners.size, owner, key)
    if (key === undefined) return undefined
    const written = keys.get(key)?.snapshots[0]?.epoch ?? 0
    return written > epoch ? { key, epoch, current: written } : undefined
  }

  /** Why writes are refused, if any is. */
  const stale = (writes: ReadonlyArray<{ readonly epoch: number; readonly key?: string | undefined }>) =>
    fenced(writes.flatMap(({ epoch, key }) => refusal(epoch, key) ?? []))

  return {
    name,
    grade: "crash",
    acquireEpoch: (owner) =>
      Effect.sync(() => {
        const epoch = owners.size + 1
        owners.set(epoch, owner)
        acquired(epochs, owner, epoch)
        return epoch
      }),
    confirm: (epoch, key) =>
      Effect.suspend(() => {
        const reason = stale([{ epoch, key }])
        return reason === undefined ? Effect.void : fail("confirm", reason)
      }),
    load: (key) =>
      Effect.sync(() => {
        const kept = keys.get(key)
        return kept === undefined ? [] : kept.snapshots.map((one) => loaded(one, kept.answers, kept.timers))
      }),
    save: (records) =>
      Effect.suspend(() => {
        const what = invalid(records)
        if (what !== undefined) return fail("save", { _tag: "Invalid", what })
        const reason = stale(records)
        if (reason !== undefined) return fail("save", reason)
        for (const { answers, forgetAnswersBefore, forgetMadeBefore, timers, ...record } of records) {
          const saved = { answers, forgetAnswersBefore, forgetMadeBefore, timers }
          put(record.key, keep(keys.get(record.key), record, saved, limit))
        }
        return Effect.void
      }),
    setAside: ({ epoch, key, seq, why }) =>
      Effect.flatMap(Clock.currentTimeMillis, (asideAt) => {
        const reason = stale([{ epoch, key }])
        if (reason !== undefined) return fail("setAside", reason)
        const kept = keys.get(key)
        const record = kept?.snapshots.find((one) => one.seq === seq)
        if (kept === undefined || record === undefined) return Effect.void
        const after = withoutSnapshot(kept, seq)
        put(key, after.kept)
        aside.push(withTimers({ ...record, answers: after.answers, why, asideAt }, after.timers))
        return Effect.void
      }),
    listAside: (key) => Effect.sync(() => key === undefined ? aside.slice() : aside.filter((one) => one.key === key)),
    keys: (prefix = "", page) => Effect.sync(() => page === undefined ? own(prefix).sort() : pages.page(prefix, page)),
    count: (prefix = "") => Effect.sync(() => own(prefix).length),
    remove: (removed, epoch) =>
      Effect.suspend(() => {
        const reason = stale(removed.map((key) => ({ epoch, key })))
        if (reason !== undefined) return fail("remove", reason)
        for (const key of removed) {
          keys.delete(key)
          pages.changed()
          due.set(key, none)
        }
        return Effect.void
      }),
    timers: (limit, after, until) => Effect.sync(() => due.page(limit, after, until))
  }
}

/**
 * The layer of a store of your own.
 *
 * **When to use**
 *
 * For a medium that this library has no store for. Its own stores have layers of their own.
 *
 * **Details**
 *
 * The one writer of the store, which all classes that conserve in it share, is a fiber in this layer's Scope. A store
 * that is put into the context as a plain value (`Layer.succeed`) works as well: its writer lives as long as any class
 * uses it.
 *
 * **Gotchas**
 *
 * A method that throws, or answers with something that is no Effect, fails that operation with a defect: the answers
 * that wait for it fail with `NotConserved`, as at any write that failed.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { StateStore } from "heirloom"
 *
 * class Store extends StateStore.Service<Store>()("app/Store", "crash") {}
 *
 * const noisy: StateStore.StateStore<"crash"> = StateStore.makeMemory()
 * const StoreLive = StateStore.layer(Store, Effect.succeed({
 *   ...noisy,
 *   save: (records) => Effect.andThen(Effect.log(`saves ${records.length}`), noisy.save(records))
 * }))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self, G extends Grade, H extends Grade, E, R>(
  store: StateStoreKey<Self, G> & (G extends AtMost<H> ? unknown : never),
  make: Effect.Effect<StateStore<H>, E, R>
): Layer.Layer<Self, E, Exclude<R, Scope.Scope>> =>
  Layer.effect(storeKeyOf("StateStore.layer", store), Effect.flatMap(make, (made) => hosted(made, store.grade)))

/**
 * The store in memory, for tests and for apps that conserve over crashes only.
 *
 * **Gotchas**
 *
 * It lasts as long as the Layer it is built in.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = <Self, G extends AtMost<"crash">>(
  store: StateStoreKey<Self, G>,
  options?: Options
): Layer.Layer<Self> =>
  Layer.effect(
    storeKeyOf("StateStore.layerMemory", store),
    Effect.suspend(() => hosted(makeMemory(options), store.grade))
  )
