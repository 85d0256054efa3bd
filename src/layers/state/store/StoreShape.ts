/**
 * What a store is: what it is asked, and what it promises.
 *
 * @since 0.1.0
 */
import { Context, type Effect, Predicate, type Scope } from "effect"
import { object, refuse } from "../../../domain/options/GivenOption.ts"
import type { Holder, StoreOwnership } from "../../../domain/state/stored/Ownership.ts"
import type { AsideRecord, Doubt, DueKey, SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Grade } from "../../../domain/state/Survival.ts"

/**
 * A part of a store's keys.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyPage {
  /** Those after this one. */
  readonly after?: string | undefined
  /** At most so many. */
  readonly limit: number
}

/**
 * How a process has a store for itself.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hold {
  /** What becomes of a process that comes second: it waits and fails in the end, takes over, or shares the store. */
  readonly ownership: StoreOwnership
  /** How many milliseconds it waits for the one before. */
  readonly patience: number
  /**
   * Takes the store until the Scope ends, and answers nothing; or answers at once who has it. What is taken is free as
   * soon as the process has ended, however it did. With ownership `"shared"` those that share it do not keep each other
   * out.
   */
  readonly take: Effect.Effect<Holder | undefined, StoreError, Scope.Scope>
}

/**
 * A store of snapshots that survives `G`.
 *
 * @category models
 * @since 0.1.0
 */
export interface StateStore<out G extends Grade> {
  /** What it is called in messages. */
  readonly name: string
  readonly grade: G
  /**
   * Begins a session of `owner`: older epochs of the same owner are refused from now on, and those of all owners when
   * it is `StateStore.wholeStore`. Epochs only grow, over all owners of a store. Two owners must not write the same
   * keys.
   *
   * It begins with its process alive, or not at all: a request that is carried out after its process has gone would end
   * the session of the one that has come after it. A transaction of several statements does that.
   *
   * With `of: "key"` the owner is called as a key is, and writes that key alone: there may be a million such owners, so
   * it is to wait for no other owner's write, and it may come late: the key is claimed again when it is next asked for.
   * A store of your own need not look at it.
   */
  readonly acquireEpoch: (owner: string, of?: "key") => Effect.Effect<number, StoreError>
  /**
   * Fails `Fenced` when an epoch is not in force any more; with a key, when it is not in force for that. A store of
   * your own may leave this out: an older owner of it then learns at its next write that it is that, and
   * `confirm: true` of a message does nothing.
   */
  readonly confirm?: ((epoch: number, key?: string) => Effect.Effect<void, StoreError>) | undefined
  /**
   * How this process has the store for itself. A store of your own may leave this out: who begins a session of it takes
   * over.
   */
  readonly hold?: Hold | undefined
  /** The key's snapshots, newest first. */
  readonly load: (key: string) => Effect.Effect<ReadonlyArray<SnapshotRecord>, StoreError>
  /**
   * Stores a batch, whole or not at all. When it has succeeded, the batch survives what the store's grade says. A batch
   * that failed `Unavailable` may be saved again as it is. One that is refused as `Fenced` names all that it is refused
   * for (`others`): what it does not name is found out by saving the rest again.
   */
  readonly save: (records: ReadonlyArray<SnapshotRecord>) => Effect.Effect<void, StoreError>
  /**
   * Moves a snapshot aside: it is kept, not loaded any more, never deleted. With the newest one go the answers recorded
   * since the one before. Does nothing when there is no such snapshot.
   */
  readonly setAside: (
    snapshot: { readonly key: string; readonly seq: number; readonly epoch: number; readonly why: string }
  ) => Effect.Effect<void, StoreError>
  /** What was set aside of a key, or of every key, in the order in which it was. */
  readonly listAside: (key?: string) => Effect.Effect<ReadonlyArray<AsideRecord>, StoreError>
  /**
   * The keys that have snapshots, sorted; or a page of them, in the order of their bytes in UTF-8. A page is empty when
   * no key is left. A store of your own may answer with all of them instead.
   */
  readonly keys: (prefix?: string, page?: KeyPage) => Effect.Effect<ReadonlyArray<string>, StoreError>
  /** How many there are; a store of your own may leave this out: its keys are counted then. */
  readonly count?: ((prefix?: string) => Effect.Effect<number, StoreError>) | undefined
  /** Removes the keys' snapshots and answers; what was set aside stays. */
  readonly remove: (keys: ReadonlyArray<string>, epoch: number) => Effect.Effect<void, StoreError>
  /**
   * Whether a part of it was lost of which it is not known what it held, and since when; `settle` ends that, for a
   * person who knows it. A store of your own that always knows what it held leaves both out.
   */
  readonly doubt?: Effect.Effect<Doubt | undefined, StoreError> | undefined
  /** Ends the doubt: what has no snapshot had none, and no recorded answer is in doubt. */
  readonly settle?: ((epoch: number) => Effect.Effect<void, StoreError>) | undefined
  /**
   * The keys whose newest snapshot has timers, those whose earliest timer is due first before the others: at most
   * `limit` of them, after one that was answered before. With `until`, those that are due by then and the first that is
   * not: what comes after it is not needed, and may be left out.
   *
   * A store of your own may leave this out: over it no server can set a timer. One that has it keeps `timers` of the
   * records: with the snapshot they came with, and with those that follow until they change.
   */
  readonly timers?:
    | ((
      limit: number,
      after?: Pick<DueKey, "due" | "key">,
      until?: number
    ) => Effect.Effect<ReadonlyArray<DueKey>, StoreError>)
    | undefined
}

/**
 * What a store is asked by those who only look.
 *
 * @category models
 * @since 0.1.0
 */
export type StoreView = Pick<StateStore<Grade>, "name" | "load" | "listAside" | "keys" | "timers" | "doubt">

/** The class of a store; refuses, in the name of what it was given to, what is none. */
export const storeKeyOf = <K extends object>(of: string, store: K): K =>
  Context.isKey(store) ? store : refuse({ of, option: "store", given: store }, "a class of StateStore.Service")

/** A store, or a view of one, likewise. */
export const viewOf = <V extends StoreView>(of: string, store: V): V =>
  Predicate.hasProperty(store, "load") && Predicate.hasProperty(store, "listAside")
    ? store
    : refuse({ of, option: "store", given: store }, "a store, or a view of one")

/** Whose snapshots are asked for, likewise. */
export const placeOf = <P extends { readonly key: string }>(of: string, place: P): P => {
  object({ of, option: "place", given: place }, "a place: { key }")
  if (typeof place.key !== "string") refuse({ of, option: "key", given: place.key }, "a string")
  return place
}

/** How the keys begin that are asked for, likewise. */
export const prefixOf = (of: string, prefix: string): string =>
  typeof prefix === "string" ? prefix : refuse({ of, option: "prefix", given: prefix }, "a string")
