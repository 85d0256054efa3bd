/**
 * What a registry holds: its registrations by key and by owner, and who listens.
 *
 * Every method is one synchronous step. Use `Registry`; this is its inside.
 *
 * *Tricky*: the two indexes and the observers on the owners change together or not at all. A registration enters only when
 * the observer is on (an owner that has ended refuses it), and the last registration of an owner takes its observer along,
 * so that an owner's end finds exactly what is left of it, and nothing is left of a closed table anywhere.
 *
 * @since 0.1.0
 */
import { HashMap, HashSet, Option, Queue, Result } from "effect"
import * as Names from "../../domain/naming/Names.ts"
import { type GoneObserver, type HasProcess, type Process, processOf } from "./Process.ts"

/** One name of one process. */
export interface Registration<out K, out R, out V> {
  readonly key: K
  readonly ref: R
  readonly value: V
}

/** What a registry tells its listeners. */
export type RegistryEvent<K, R, V> =
  | { readonly _tag: "Registered"; readonly key: K; readonly ref: R; readonly value: V }
  | { readonly _tag: "Unregistered"; readonly key: K; readonly ref: R; readonly value: V }

/** Why a registration was refused. */
export type Refusal<R> =
  | { readonly _tag: "AlreadyRegistered"; readonly holder: R }
  | { readonly _tag: "BeingStarted" }
  | { readonly _tag: "NotAlive" }
  | { readonly _tag: "Closed" }

interface Held<K, R, V> extends Names.Holder<Process, V> {
  readonly registration: Registration<K, R, V>
}

interface Owner<K> {
  keys: HashSet.HashSet<K>
  readonly observer: GoneObserver
}

// A process that is being restarted, or is parked, keeps its names; one that is down for good has none, even when its end
// has not been told to the table yet.
const isAlive = <V>(held: Names.Holder<Process, V>): boolean => held.owner.status !== "stopped"

/** The registrations of one registry. */
export class NameTable<K, R extends HasProcess, V> {
  private readonly keys: Names.Keys
  private held = HashMap.empty<K, ReadonlyArray<Held<K, R, V>>>()
  private readonly owners = new Map<Process, Owner<K>>()
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
    const [holder] = this.under(key)
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
  unregister(key: K, owner: Process, matches?: (value: V) => boolean): number {
    const { kept, released } = Names.release(
      this.under(key),
      owner,
      matches === undefined ? undefined : (holder) => matches(holder.value)
    )
    if (released.length === 0) return 0
    this.put(key, kept)
    if (!kept.some((holder) => holder.owner === owner)) this.forgetKey(owner, key)
    for (const holder of released) this.tell("Unregistered", holder.registration)
    return released.length
  }

  /** Replaces the value an owner has under a key; nothing when it has none. */
  update(key: K, owner: Process, f: (value: V) => V): Option.Option<readonly [current: V, previous: V]> {
    const holders = this.under(key)
    const at = holders.findIndex((holder) => holder.owner === owner && isAlive(holder))
    const found = holders[at]
    if (found === undefined) return Option.none()
    const value = f(found.value)
    const updated = { owner, value, registration: { ...found.registration, value } }
    this.put(key, holders.map((holder, i) => i === at ? updated : holder))
    return Option.some([value, found.value])
  }

  /** The registrations of the living under a key, the oldest first. */
  lookup(key: K): ReadonlyArray<Registration<K, R, V>> {
    return this.under(key).filter(isAlive).map((holder) => holder.registration)
  }

  /** The registrations of the living, all of them. */
  all(): ReadonlyArray<Registration<K, R, V>> {
    const found: Array<Registration<K, R, V>> = []
    for (const holders of HashMap.values(this.held)) {
      for (const holder of holders) if (isAlive(holder)) found.push(holder.registration)
    }
    return found
  }

  /** The registrations of one owner. */
  of(owner: Process): ReadonlyArray<Registration<K, R, V>> {
    const keys = this.owners.get(owner)?.keys
    if (keys === undefined) return []
    return Array.from(keys).flatMap((key) => this.lookup(key).filter(({ ref }) => ref[processOf] === owner))
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
    this.listeners.clear()
    this.held = HashMap.empty()
  }

  private under(key: K): ReadonlyArray<Held<K, R, V>> {
    return Option.getOrElse(HashMap.get(this.held, key), () => [])
  }

  private put(key: K, holders: ReadonlyArray<Held<K, R, V>>): void {
    this.held = holders.length === 0 ? HashMap.remove(this.held, key) : HashMap.set(this.held, key, holders)
  }

  private claim(key: K, ref: R, value: V): Result.Result<void, Refusal<R>> {
    if (this.isClosed) return Result.fail({ _tag: "Closed" })
    const owner = ref[processOf]
    const registration = { key, ref, value }
    const claimed = Names.claim(this.keys, this.under(key), { owner, value, registration })
    if (Result.isFailure(claimed)) {
      return Result.fail({ _tag: "AlreadyRegistered", holder: claimed.failure.registration.ref })
    }
    if (!this.rememberKey(owner, key)) return Result.fail({ _tag: "NotAlive" })
    this.put(key, claimed.success)
    this.tell("Registered", registration)
    return Result.void
  }

  private rememberKey(owner: Process, key: K): boolean {
    if (owner.status === "stopped") return false
    const known = this.owners.get(owner)
    if (known !== undefined) {
      known.keys = HashSet.add(known.keys, key)
      return true
    }
    const observer = () => this.gone(owner)
    if (!owner.addGoneObserver(observer)) return false
    this.owners.set(owner, { keys: HashSet.make(key), observer })
    return true
  }

  private forgetKey(owner: Process, key: K): void {
    const known = this.owners.get(owner)
    if (known === undefined) return
    known.keys = HashSet.remove(known.keys, key)
    if (HashSet.size(known.keys) > 0) return
    this.owners.delete(owner)
    owner.removeGoneObserver(known.observer)
  }

  private gone(owner: Process): void {
    const keys = this.owners.get(owner)?.keys
    if (keys === undefined) return
    // First, so that nothing is taken off an owner that is telling its observers.
    this.owners.delete(owner)
    for (const key of keys) this.unregister(key, owner)
  }

  private tell(_tag: RegistryEvent<K, R, V>["_tag"], registration: Registration<K, R, V>): void {
    for (const listener of this.listeners) Queue.offerUnsafe(listener, { _tag, ...registration })
  }
}
