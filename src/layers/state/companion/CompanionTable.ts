/**
 * The companions of one server class, by key: which there are, and which server has each. For the engine of servers.
 *
 * Each key is a `Slot`; what becomes of it at each event is `Slot.next`, and this performs it.
 *
 * *Tricky*
 * - A key has one owner at a time, and two starts for one key may come at the same time. Everything here is
 *   synchronous: the second finds the first as the owner.
 * - There may be a million keys. So a server that has no companion yet stands in the table itself, and the companion
 *   takes its place when the server goes and leaves one behind.
 *
 * @since 0.1.0
 */
import { type Cause, Effect, Option } from "effect"
import * as Slot from "../../../domain/state/Slot.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Grade } from "../../../domain/state/Survival.ts"
import type { Process } from "../../process/Process.ts"
import type { Alarms, Served } from "../store/Alarms.ts"
import type { KeyPage } from "../store/StoreShape.ts"
import type { CompanionPort, Owner } from "./Companion.ts"
import { KeyTable } from "./KeyTable.ts"
import { type Reader, Watched } from "./Watched.ts"

/** What makes a class's companions, and what their container does by itself. */
export interface Design<in out S> {
  readonly survives: Grade
  /** Makes the companion of a key. */
  readonly make: (key: string) => CompanionPort<S>
  /** Whether a key that is new to the table has nothing conserved: its companion can wait for the first commit. */
  readonly isLazy: boolean
  /** Whether a server can have its state leave memory: a store has it. */
  readonly letsGo: boolean
  readonly afterStop: "keep" | "forget"
  /** The keys that something is conserved for beyond those in the table; nothing where there are none. */
  readonly stored: Stored | undefined
  /** The companion of a key is no longer needed. */
  readonly dropped: (key: string) => void
  /** What has timers delivered; absent where none can be set. */
  readonly alarms: Alarms | undefined
  /** The key of a server, of the name under which its timers are found; nothing for those of other classes. */
  readonly keyOf: (name: string) => string | undefined
  /** Has `end` called when the store is another process's; absent where no other can have it. */
  readonly whenLost?: ((end: (cause: Cause.Cause<unknown>) => void) => void) | undefined
  /** What the container's fiber does. */
  readonly work: Effect.Effect<unknown>
}

/** The keys of a class in its store. */
export interface Stored {
  readonly all: Effect.Effect<ReadonlyArray<string>>
  readonly page: (prefix: string, page: KeyPage) => Effect.Effect<ReadonlyArray<string>, StoreError>
  readonly count: Effect.Effect<number, StoreError>
}

const isCompanion = <S>(entry: CompanionPort<S> | Owner<S>): entry is CompanionPort<S> => "takeOver" in entry

const isOwner = <S>(process: Process): process is Owner<S> => "fire" in process

const companionOf = <S>(entry: CompanionPort<S> | Owner<S> | undefined): CompanionPort<S> | undefined =>
  entry !== undefined && isCompanion(entry) ? entry : entry?.companion

/** A state that is watched; and what its server has in memory. */
export interface Watching<in out S> {
  readonly watched: Watched<S>
  readonly inMemory: Option.Option<S>
  readonly leave: () => void
}

/** A companion itself, also one that is watched. */
const plain = <S>(companion: CompanionPort<S> | undefined): CompanionPort<S> | undefined =>
  companion instanceof Watched ? companion.inner : companion

/** The companions of one server class. */
export class CompanionTable<in out S> implements Served {
  private readonly design: Design<S>
  /** By key: a companion, or the server that has it, or will have it when it needs one. */
  private readonly entries = new KeyTable<CompanionPort<S> | Owner<S>>()
  /** By companion: servers that are down and may yet have forgotten what they have left, all of it in a store. */
  private readonly standBy = new Map<CompanionPort<S>, Set<Owner<S>>>()
  /** Starts the server of a key that has none, where a keyed layer does so. */
  private starter: ((key: string) => Effect.Effect<unknown, unknown>) | undefined = undefined
  /** Those that are watched. */
  private watched: Set<Watched<S>> | undefined = undefined

  constructor(design: Design<S>) {
    this.design = design
  }

  /** Whether what is conserved goes with a server that stops. */
  get forgets(): boolean {
    return this.design.afterStop === "forget"
  }

  get letsGo(): boolean {
    return this.design.letsGo
  }

  /** The keys of all that is in the table. */
  *keys(): Generator<string> {
    for (const key of this.entries.keys()) if (!this.isOnlyWatched(key)) yield key
  }

  /** Whether a key is in the table for its readers alone. */
  private isOnlyWatched(key: string): boolean {
    if (this.watched === undefined || this.watched.size === 0) return false
    const entry = this.entries.get(key)
    return entry instanceof Watched && entry.owner === undefined && entry.inner.isSpare
  }

  /** Those in the store. */
  get stored(): Stored | undefined {
    return this.design.stored
  }

  /** How many have something conserved. */
  get conserved(): Effect.Effect<number, StoreError> {
    return this.design.stored?.count ?? Effect.sync(() => {
      let count = 0
      for (const key of this.keys()) if (plain(companionOf(this.entries.get(key)))?.isSpare === false) count++
      return count
    })
  }

  /** The state of a key. */
  slot(key: string): Slot.Slot {
    return this.slotOf(this.entries.get(key))
  }

  // A look-up is the dearest part of a server's end: each step has one.
  private slotOf(entry: CompanionPort<S> | Owner<S> | undefined): Slot.Slot {
    if (entry === undefined) return "Free"
    if (!isCompanion(entry)) return entry.companion === undefined ? "HeldBare" : "Held"
    return entry.owner !== undefined ? "Held" : this.isStoodBy(entry) ? "StandBy" : "Orphan"
  }

  /** The server of a key, if one lives. */
  owner(key: string): Process | undefined {
    const entry = this.entries.get(key)
    return entry !== undefined && isCompanion(entry) ? entry.owner : entry
  }

  /** There are servers that timers can be delivered to; `starter` starts those that are not there. */
  serve(starter = this.starter): void {
    this.starter = starter
    this.design.alarms?.serve(this)
  }

  /** Looks for timers that are due, where other processes set some, too. */
  lookForTimers(): void {
    this.design.alarms?.look()
  }

  /** The keyed layer is gone that has started them. */
  startNone(): void {
    this.starter = undefined
  }

  keyOf(name: string): string | undefined {
    return this.design.keyOf(name)
  }

  deliver(key: string, after: number): Effect.Effect<boolean, unknown> | undefined {
    const fire = (): Effect.Effect<boolean, unknown> => {
      const owner = this.owner(key)
      return owner !== undefined && isOwner(owner) ? owner.fire(after) : Effect.succeed(false)
    }
    if (this.starter !== undefined) return Effect.flatMap(this.starter(key), fire)
    return this.owner(key) === undefined ? undefined : Effect.suspend(fire)
  }

  /** Ends all servers: their states are another's. */
  end(cause: Cause.Cause<unknown>): void {
    for (const key of Array.from(this.keys())) this.owner(key)?.exit({ _tag: "NotConserved", cause })
  }

  /** The companion of a key, made if there is none. */
  companion(key: string): CompanionPort<S> {
    const entry = this.entries.get(key)
    if (entry !== undefined) return isCompanion(entry) ? entry : entry.companion ??= this.open(entry)
    const companion = this.design.make(key)
    this.entries.put(companion)
    return companion
  }

  /**
   * Takes its key for a server: the companion, whose owner says whether another server was first, or nothing where
   * there is nothing to take over.
   */
  enter(server: Owner<S>): CompanionPort<S> | undefined {
    // A free slot, or the server's own, in one look-up: what `Slot.next` says of it.
    const holder = this.design.isLazy ? this.entries.add(server) : null
    return holder === undefined || holder === server ? undefined : this.claim(server.key, server)
  }

  /** Takes the companion of a key for a process; the owner that it had stays its owner. */
  claim(key: string, process: Process): CompanionPort<S> {
    const companion = this.companion(key)
    companion.owner ??= process
    return companion
  }

  /** Has a reader see what becomes of the state of a key; the returned function ends that. */
  watch(key: string, reader: Reader<S>): Watching<S> {
    const companion = this.companion(key)
    const watched = companion instanceof Watched ? companion : new Watched(companion)
    this.watched ??= new Set()
    this.watched.add(watched)
    this.replace(companion, watched)
    const { owner } = watched
    const inMemory = owner !== undefined && isOwner<S>(owner) ? owner.inMemory : Option.none()
    watched.join(reader, inMemory)
    return { watched, inMemory, leave: () => this.unwatch(watched, reader) }
  }

  private unwatch(watched: Watched<S>, reader: Reader<S>): void {
    watched.leave(reader)
    if (watched.isWatched || this.watched?.delete(watched) !== true) return
    this.replace(watched, watched.inner)
    this.tidy(watched.inner)
  }

  /** Puts a companion in the place of another one, which it wraps or is wrapped by. */
  private replace(before: CompanionPort<S>, after: CompanionPort<S>): void {
    const { key, owner } = before
    if (owner !== undefined && isOwner<S>(owner) && owner.companion === before) owner.companion = after
    if (this.entries.get(key) === before) this.entries.put(after)
  }

  /** The container is gone: there is nothing more to see. */
  close(): void {
    for (const watched of this.watched ?? []) watched.close()
  }

  /** Makes the companion of a server that has entered without one. */
  open(server: Owner<S>): CompanionPort<S> {
    const companion = this.design.make(server.key)
    companion.owner = server
    companion.fenceOff(server.incarnation - 1)
    return companion
  }

  /** A server is down: for now (`keep`), or for good, and its state with it where the class says so (`forget`). */
  release(server: Owner<S>, what: "keep" | "forget"): void {
    const { key } = server
    const entry = this.entries.get(key)
    const companion = companionOf(entry)
    const gone = (isOver: boolean) => companion instanceof Watched && companion.released(server, isOver)
    const isOwn = companion === undefined ? entry === server : Slot.isOwn({
      isOwner: companion.owner === server,
      isOwned: companion.owner !== undefined,
      had: plain(companion) === plain(server.companion),
      youngest: companion.youngest,
      incarnation: server.incarnation
    })
    if (!isOwn) return void gone(false)
    const keep = this.keepOf(what)
    const others = companion !== undefined && this.standsBy(companion, server)
    const after = Slot.next(this.slotOf(entry), { _tag: "Released", isOwn, keep, others })
    gone(keep === "Forget" || after === "Free")
    if (companion === undefined || after === "Free") return this.entries.delete(key)
    companion.owner = undefined
    if (entry === server) this.entries.put(companion)
    if (keep === "Forget") companion.forget()
    if (keep === "Undecided") this.standIn(companion).add(server)
    else this.leave(server)
    this.tidy(companion)
  }

  /** Whether a server other than this one may yet have a state forgotten. */
  private standsBy(companion: CompanionPort<S>, server: Owner<S>): boolean {
    const servers = this.standBy.get(plain(companion)!)
    return servers !== undefined && servers.size > (servers.has(server) ? 1 : 0)
  }

  private isStoodBy(companion: CompanionPort<S>): boolean {
    return this.standBy.size > 0 && this.standBy.has(plain(companion)!)
  }

  private standIn(companion: CompanionPort<S>): Set<Owner<S>> {
    const of = plain(companion)!
    const servers = this.standBy.get(of) ?? new Set()
    this.standBy.set(of, servers)
    return servers
  }

  private keepOf(what: "keep" | "forget"): Slot.Keep {
    if (this.design.afterStop === "keep") return "Keep"
    if (what === "forget") return "Forget"
    // A companion in memory stays with its state; one over a store would be dropped when all is stored.
    return this.design.isLazy ? "Keep" : "Undecided"
  }

  /** A server that is down is gone for good, and what it has left stays: it will not have it forgotten. */
  leave(server: Owner<S>): void {
    if (this.standBy.size === 0) return
    const companion = companionOf(this.entries.get(server.key))
    const of = plain(companion)
    const servers = of && this.standBy.get(of)
    if (companion === undefined || of === undefined || servers?.delete(server) !== true || servers.size > 0) return
    this.standBy.delete(of)
    this.tidy(companion)
  }

  /** Drops a companion that no server has, as soon as nothing would be lost with it. */
  tidy(companion: CompanionPort<S>): void {
    const { key } = companion
    const drop = () => {
      if (this.entries.get(key) !== companion || Slot.next(this.slot(key), { _tag: "Spare" }) !== "Free") return
      this.entries.delete(key)
      this.design.dropped(key)
    }
    if (companion.owner !== undefined || this.isStoodBy(companion)) return
    if (companion.isSpare) drop()
    else companion.whenSpare(drop)
  }
}
