/**
 * The table of a registry: its registrations by key and by owner, and its listeners.
 *
 * Every method is one synchronous step. Use `Registry`; this is its inside.
 *
 * *Tricky*
 * - The two indexes and the observers on the owners change together or not at all. A registration enters only when the
 *   observer is on (an owner that has ended refuses it), and the last registration of an owner takes its observer
 *   along, so that an owner's end finds exactly what is left of it, and nothing is left of a closed table anywhere.
 * - An owner that has ended may be started again, and has its registrations back then. They are kept with it, so that
 *   they go with an owner that does not come back.
 * - Every registration is known twice, under its key by age and with its owner: registering, unregistering and an
 *   owner's end take as long as what they concern, however many hold the same key.
 *
 * @since 0.1.0
 */
import { Equal, HashMap, HashSet, Option, Queue, Result } from "effect"
import * as Names from "../../domain/naming/Names.ts"
import { inherited } from "../../domain/naming/Origin.ts"
import * as OneOrMany from "../process/OneOrMany.ts"
import { incarnationOf } from "../process/Own.ts"
import { type GoneObserver, type HasProcess, type Process, processOf } from "../process/Process.ts"

/**
 * One name of one process.
 *
 * @category models
 * @since 0.1.0
 */
export interface Registration<out K, out R, out V> {
  readonly key: K
  readonly ref: R
  readonly value: V
}

/**
 * An event for the listeners of a registry.
 *
 * @category models
 * @since 0.1.0
 */
export type RegistryEvent<K, R, V> =
  | { readonly _tag: "Registered"; readonly key: K; readonly ref: R; readonly value: V }
  | { readonly _tag: "Unregistered"; readonly key: K; readonly ref: R; readonly value: V }

/** Why a registration was refused. */
export type Refusal<R> =
  | { readonly _tag: "AlreadyRegistered"; readonly holder: R }
  | { readonly _tag: "BeingStarted" }
  | { readonly _tag: "NotAlive" }
  | { readonly _tag: "Closed" }

/** A registration in its place, which it keeps when its value is replaced. */
interface Held<K, R, V> {
  /** Whom its reference stood for when it was registered. */
  readonly owner: Process
  registration: Registration<K, R, V>
  /** The incarnation that registered itself; 0 when others did. */
  by: number
}

/** A key that is held. */
interface Place<K, R, V> {
  readonly key: K
  holders: OneOrMany.OneOrMany<Held<K, R, V>>
}

/** The registrations of one process, by their keys. */
interface Owner<K, R, V> {
  readonly places: Map<Place<K, R, V>, OneOrMany.OneOrMany<Held<K, R, V>>>
  readonly observer: GoneObserver
}

// A process that is being restarted, or is parked, keeps its names; one that is down for good has none, even when its
// end has not come to the table yet.
const isAlive = ({ owner }: { readonly owner: Process }): boolean => owner.status !== "stopped"

/** The registrations of one registry. */
export class NameTable<K, R extends HasProcess, V> {
  private readonly keys: Names.Keys
  private places = HashMap.empty<K, Place<K, R, V>>()
  private readonly owners = new Map<Process, Owner<K, R, V>>()
  /** What owners that have ended get back when they are started again. */
  private readonly away = new WeakMap<Process, ReadonlyArray<Held<K, R, V>>>()
  private readonly listeners = new Set<Queue.Enqueue<RegistryEvent<K, R, V>>>()
  private reserved = HashSet.empty<K>()
  private isClosed = false

  constructor(keys: Names.Keys) {
    this.keys = keys
  }

  register(key: K, ref: R, value: V): Result.Result<void, Refusal<R>> {
    if (HashSet.has(this.reserved, key)) return Result.fail({ _tag: "BeingStarted" })
    return this.claim(key, ref, value)
  }

  /** Keeps a key free for a process that is being started; the one that holds it when it is not free. */
  reserve(key: K): Result.Result<void, Refusal<R>> {
    if (this.isClosed) return Result.fail({ _tag: "Closed" })
    const holder = OneOrMany.first(this.place(key)?.holders)
    if (holder !== undefined) return Result.fail({ _tag: "AlreadyRegistered", holder: holder.registration.ref })
    this.reserved = HashSet.add(this.reserved, key)
    return Result.void
  }

  /** Ends a reservation: in a registration, when there is a process to register. */
  redeem(key: K, started: { readonly ref: R; readonly value: V } | undefined): Result.Result<void, Refusal<R>> {
    this.reserved = HashSet.remove(this.reserved, key)
    return started === undefined ? Result.void : this.claim(key, started.ref, started.value)
  }

  /** Ends an owner's registrations under a key, all or those whose value matches; returns how many. */
  unregister(key: K, owner: Process, matches: (value: V) => boolean = () => true): number {
    const kept = this.away.get(owner)?.filter(({ registration }) =>
      !Equal.equals(registration.key, key) || !matches(registration.value)
    )
    if (kept !== undefined) this.away.set(owner, kept)
    const place = this.place(key)
    const released = OneOrMany.filter(this.ownAt(place, owner), ({ registration }) => matches(registration.value))
    if (place === undefined || released.length === 0) return 0
    this.forget(owner, place, released)
    this.release(place, released)
    return released.length
  }

  /** Replaces the value an owner has under a key; nothing when it has none. */
  update(key: K, owner: Process, f: (value: V) => V): Option.Option<readonly [current: V, previous: V]> {
    const found = OneOrMany.first(this.ownAt(this.place(key), owner))
    if (found === undefined || !isAlive(found)) return Option.none()
    const previous = found.registration.value
    const value = f(previous)
    found.registration = { ...found.registration, value }
    return Option.some([value, previous])
  }

  /** The registrations of the living under a key, the oldest first. */
  lookup(key: K): ReadonlyArray<Registration<K, R, V>> {
    return living(this.place(key)?.holders, [])
  }

  /** The registrations of the living, all of them. */
  all(): ReadonlyArray<Registration<K, R, V>> {
    const found: Array<Registration<K, R, V>> = []
    for (const { holders } of HashMap.values(this.places)) living(holders, found)
    return found
  }

  /** The registrations of one owner. */
  of(owner: Process): ReadonlyArray<Registration<K, R, V>> {
    const found: Array<Registration<K, R, V>> = []
    for (const own of this.owners.get(owner)?.places.values() ?? []) living(own, found)
    return found
  }

  /** The registrations of one owner under a key, the oldest first. */
  at(key: K, owner: Process): ReadonlyArray<Registration<K, R, V>> {
    return living(this.ownAt(this.place(key), owner), [])
  }

  listen(listener: Queue.Enqueue<RegistryEvent<K, R, V>>): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Lets go of everything and takes nothing more. */
  close(): void {
    this.isClosed = true
    for (const [owner, { observer }] of this.owners) owner.removeGoneObserver(observer)
    this.owners.clear()
    this.places = HashMap.empty()
  }

  private place(key: K): Place<K, R, V> | undefined {
    return Option.getOrUndefined(HashMap.get(this.places, key))
  }

  private ownAt(place: Place<K, R, V> | undefined, owner: Process): OneOrMany.OneOrMany<Held<K, R, V>> {
    return place === undefined ? undefined : this.owners.get(owner)?.places.get(place)
  }

  private opened(key: K): Place<K, R, V> {
    const place: Place<K, R, V> = { key, holders: undefined }
    this.places = HashMap.set(this.places, key, place)
    return place
  }

  private claim(key: K, ref: R, value: V): Result.Result<void, Refusal<R>> {
    if (this.isClosed) return Result.fail({ _tag: "Closed" })
    const known = this.place(key)
    const owner = ref[processOf]
    const by = incarnationOf(owner)
    const claim = Names.claim(
      this.keys,
      OneOrMany.first(known?.holders),
      (held) => held.owner === owner && isAlive(held),
      () => by === 0 ? undefined : inherited(OneOrMany.filter(this.ownAt(known, owner), isAlive), by)
    )
    switch (claim._tag) {
      case "Refused":
        return Result.fail({ _tag: "AlreadyRegistered", holder: claim.holder.registration.ref })
      case "Again": {
        const { held } = claim
        held.registration = { key: held.registration.key, ref, value }
        held.by = by
        return Result.void
      }
      case "New":
        return this.enter({ owner, registration: { key, ref, value }, by })
          ? Result.void
          : Result.fail({ _tag: "NotAlive" })
    }
  }

  /** A registration gets its place; false when its owner has ended. */
  private enter(held: Held<K, R, V>): boolean {
    const own = this.remember(held.owner)
    if (own === undefined) return false
    const { key } = held.registration
    const place = this.place(key) ?? this.opened(key)
    place.holders = OneOrMany.add(place.holders, held)
    own.places.set(place, OneOrMany.add(own.places.get(place), held))
    this.tell("Registered", held.registration)
    return true
  }

  private remember(process: Process): Owner<K, R, V> | undefined {
    if (process.status === "stopped") return undefined
    const known = this.owners.get(process)
    if (known !== undefined) return known
    const places: Owner<K, R, V>["places"] = new Map()
    const owner = { places, observer: () => this.gone(process, places) }
    if (!process.addGoneObserver(owner.observer)) return undefined
    this.owners.set(process, owner)
    return owner
  }

  private forget(process: Process, place: Place<K, R, V>, released: ReadonlyArray<Held<K, R, V>>): void {
    const owner = this.owners.get(process)
    if (owner === undefined) return
    const left = released.reduce(OneOrMany.remove, owner.places.get(place))
    if (left === undefined) owner.places.delete(place)
    else owner.places.set(place, left)
    if (owner.places.size > 0) return
    this.owners.delete(process)
    process.removeGoneObserver(owner.observer)
  }

  private gone(process: Process, places: Owner<K, R, V>["places"]): void {
    // First, so that nothing is taken off an owner that is telling its observers.
    this.owners.delete(process)
    const away: Array<Held<K, R, V>> = []
    for (const [place, own] of places) {
      const released = OneOrMany.filter(own, () => true)
      away.push(...released)
      this.release(place, released)
    }
    if (process.addReturnObserver(() => this.returned(process))) this.away.set(process, away)
  }

  /** Its owner is back: it has again what no other process has taken meanwhile. */
  private returned(process: Process): void {
    const away = this.away.get(process)
    this.away.delete(process)
    if (away === undefined || this.isClosed) return
    for (const held of away) {
      const { key } = held.registration
      if (this.keys === "unique" && (this.place(key) !== undefined || HashSet.has(this.reserved, key))) continue
      this.enter(held)
    }
  }

  /** Takes registrations off their key, and tells of it. */
  private release(place: Place<K, R, V>, released: ReadonlyArray<Held<K, R, V>>): void {
    for (const held of released) place.holders = OneOrMany.remove(place.holders, held)
    if (place.holders === undefined) this.places = HashMap.remove(this.places, place.key)
    for (const { registration } of released) this.tell("Unregistered", registration)
  }

  private tell(_tag: RegistryEvent<K, R, V>["_tag"], registration: Registration<K, R, V>): void {
    for (const listener of this.listeners) Queue.offerUnsafe(listener, { _tag, ...registration })
  }
}

/** Adds what is registered by the living. */
const living = <K, R extends HasProcess, V>(
  holders: OneOrMany.OneOrMany<Held<K, R, V>>,
  found: Array<Registration<K, R, V>>
): ReadonlyArray<Registration<K, R, V>> => {
  OneOrMany.forEach(holders, (held) => {
    if (isAlive(held)) found.push(held.registration)
  })
  return found
}
