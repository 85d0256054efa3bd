/**
 * The companions of one server class, by key: which there are, and which server has each.
 *
 * The container is a child of the supervisor, so that it has its place in the tree: a fiber that writes what is written
 * late. The states are not in that fiber: when it crashes they stay.
 *
 * *Tricky*: a key has one owner at a time, and two starts for one key may come at the same time. `claim` is synchronous:
 * the second one hears which was first.
 *
 * @since 0.1.0
 */
import { type Context, Effect, type Scope } from "effect"
import type { Codec } from "../../../domain/state/StateSchema.ts"
import type { Grade } from "../../../domain/state/Survival.ts"
import type { StartRecipe } from "../../process/Child.ts"
import { InspectedReference } from "../../process/Inspection.ts"
import { type HasProcess, type Process, processOf } from "../../process/Process.ts"
import { Supervisor } from "../../supervision/tree/SupervisorHandle.ts"
import { Worker } from "../../supervision/tree/Worker.ts"
import type { Companion, CompanionPort, Owner } from "./Companion.ts"
import { KeyTable } from "./KeyTable.ts"

/**
 * The identity of the companions of server class `Self`, as a service.
 *
 * @category models
 * @since 0.1.0
 */
export interface StateOf<in out Self> {
  readonly "~heirloom/StateOf": (_: Self) => Self
}

/**
 * The companions of one server class.
 *
 * @category models
 * @since 0.1.0
 */
export interface StateContainer<in out S> extends HasProcess {
  /** What these companions survive. */
  readonly survives: Grade
  /** The companion of one server: of the one with that key, or of the only one. */
  readonly for: (key?: string) => Companion<S>
  /** The keys of all servers that have conserved state or are alive, in order. */
  readonly keys: Effect.Effect<ReadonlyArray<string>>
  /**
   * Takes its key for a server: the companion, whose owner says whether another server was first, or nothing where there is
   * nothing to take over. Most of a million servers wait for their first message, and have no companion until then.
   */
  readonly enter: (server: Owner<S>) => CompanionPort<S> | undefined
  /** Makes the companion of a server that has entered without one. */
  readonly open: (server: Owner<S>) => CompanionPort<S>
  /** Takes the companion of a key for its server, which is its owner afterwards. */
  readonly claim: (key: string, process: Process) => CompanionPort<S>
  /** The server of a key, if one lives. */
  readonly owner: (key: string) => Process | undefined
  /** A server is down for now (`keep`) or for good (`forget`). */
  readonly release: (server: Owner<S>, what: "keep" | "forget") => void
  /** A server that is down is gone for good, and what it has left stays: no supervisor will have it forgotten. */
  readonly leave: (server: Owner<S>) => void
}

/**
 * What a container needs to know of a server class.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stateful<in out Self, Id extends string, in out S> {
  readonly key: Id
  /** How its state becomes text and comes back. */
  readonly stateSchema: Codec<S>
  readonly StateContainer: Context.Service<StateOf<Self>, StateContainer<S>>
}

/**
 * Makes the companion of a key.
 *
 * @category models
 * @since 0.1.0
 */
export type Make<S> = (key: string) => CompanionPort<S>

type Using<S> = <A>(f: (keeper: CompanionPort<S>) => Effect.Effect<A>) => Effect.Effect<A>

/**
 * A companion in the hands of others than its server: keepers come and go with what is conserved, so it looks its own up
 * each time.
 */
class View<in out S> implements Companion<S> {
  readonly key: string
  private readonly using: Using<S>
  constructor(key: string, using: Using<S>) {
    this.key = key
    this.using = using
  }
  get get(): Companion<S>["get"] {
    return this.using((keeper) => keeper.get)
  }
  set(state: S): Effect.Effect<void> {
    return this.using((keeper) => keeper.set(state))
  }
  get clear(): Effect.Effect<void> {
    return this.using((keeper) => keeper.clear)
  }
  get snapshots(): Companion<S>["snapshots"] {
    return this.using((keeper) => keeper.snapshots)
  }
  get aside(): Companion<S>["aside"] {
    return this.using((keeper) => keeper.aside)
  }
}

/** By key: a companion, or the server that has it, or will have it when it needs one. */
type Keepers<S> = KeyTable<CompanionPort<S> | Owner<S>>

const isKeeper = <S>(held: CompanionPort<S> | Owner<S>): held is CompanionPort<S> => "takeOver" in held

class Container<in out S> extends InspectedReference implements StateContainer<S> {
  readonly survives: Grade
  readonly [processOf]: Process
  private readonly design: Design<S>
  private readonly keepers: Keepers<S>
  /** Servers that are down, but may have forgotten yet what they have left: it is all in a store, and not known otherwise. */
  private readonly standby = new Map<CompanionPort<S>, Set<Owner<S>>>()

  constructor(process: Process, design: Design<S>, keepers: Keepers<S>) {
    super()
    this[processOf] = process
    this.survives = design.survives
    this.design = design
    this.keepers = keepers
  }

  private keeper(key: string): CompanionPort<S> {
    const held = this.keepers.get(key)
    if (held !== undefined) return isKeeper(held) ? held : held.keeper ??= this.open(held)
    const keeper = this.design.make(key)
    this.keepers.put(keeper)
    return keeper
  }

  readonly for = (key = ""): Companion<S> => new View(key, this.using(key))

  /** Does something with the keeper of a key as it is by then, and lets it go again if nothing is left in it. */
  private using(key: string) {
    return <A>(f: (keeper: CompanionPort<S>) => Effect.Effect<A>): Effect.Effect<A> =>
      Effect.suspend(() => {
        const keeper = this.keeper(key)
        return Effect.ensuring(f(keeper), Effect.sync(() => this.tidy(keeper)))
      })
  }

  get keys(): Effect.Effect<ReadonlyArray<string>> {
    return Effect.map(this.design.stored, (stored) => Array.from(new Set([...stored, ...this.keepers.keys()])).sort())
  }

  readonly enter = (server: Owner<S>): CompanionPort<S> | undefined => {
    if (this.design.isLazy) {
      const first = this.keepers.add(server)
      if (first === undefined || first === server) return undefined
    }
    return this.claim(server.key, server)
  }

  readonly open = (server: Owner<S>): CompanionPort<S> => {
    const keeper = this.design.make(server.key)
    keeper.owner = server
    keeper.fenceOff(server.incarnation - 1)
    return keeper
  }

  readonly claim = (key: string, process: Process): CompanionPort<S> => {
    const keeper = this.keeper(key)
    keeper.owner ??= process
    return keeper
  }

  readonly owner = (key: string): Process | undefined => {
    const held = this.keepers.get(key)
    return held !== undefined && isKeeper(held) ? held.owner : held
  }

  readonly release = (server: Owner<S>, what: "keep" | "forget"): void => {
    const { key } = server
    const held = this.keepers.get(key)
    if (held === undefined) return
    const keeper = isKeeper(held) ? held : held.keeper
    if (keeper === undefined) return held === server ? void this.keepers.delete(key) : undefined
    // One without an owner may be what another server has left since, or what a person put there.
    const isOwn = keeper.owner === undefined
      ? keeper.youngest === 0 || (keeper === server.keeper && keeper.youngest === server.incarnation)
      : keeper.owner === server
    if (!isOwn) return
    keeper.owner = undefined
    // What it leaves behind takes its place.
    if (held === server) this.keepers.put(keeper)
    if (this.design.afterStop === "forget") {
      if (what === "forget") keeper.forget()
      else if (!this.design.isLazy) return this.standBy(keeper, server)
    }
    this.leave(server)
    this.tidy(keeper)
  }

  private standBy(keeper: CompanionPort<S>, server: Owner<S>): void {
    const servers = this.standby.get(keeper)
    if (servers === undefined) this.standby.set(keeper, new Set([server]))
    else servers.add(server)
  }

  readonly leave = (server: Owner<S>): void => {
    const { keeper } = server
    const servers = keeper === undefined ? undefined : this.standby.get(keeper)
    if (keeper === undefined || servers?.delete(server) !== true || servers.size > 0) return
    this.standby.delete(keeper)
    this.tidy(keeper)
  }

  private tidy(keeper: CompanionPort<S>): void {
    const { key } = keeper
    const isNeeded = () => keeper.owner !== undefined || this.standby.has(keeper)
    const drop = () => {
      if (isNeeded() || this.keepers.get(key) !== keeper) return
      this.keepers.delete(key)
      this.design.dropped(key)
    }
    if (isNeeded()) return
    if (keeper.isSpare) drop()
    else keeper.whenSpare(drop)
  }
}

/** What makes a class's companions, and what its container does by itself. */
export interface Design<in out S> {
  readonly survives: Grade
  readonly make: Make<S>
  /** Whether a key that is new to the container has nothing conserved: its companion can wait for the first commit. */
  readonly isLazy: boolean
  readonly afterStop: "keep" | "forget"
  /** The keys that something is conserved for beyond what the container knows of. */
  readonly stored: Effect.Effect<ReadonlyArray<string>>
  /** The companion of a key is no longer needed. */
  readonly dropped: (key: string) => void
  /** What the container's fiber does. */
  readonly work: Effect.Effect<unknown>
}

/** Starts the container of a server class as a child of the nearest supervisor. */
export const container = <Self, Id extends string, S>(
  server: Stateful<Self, Id, S>,
  design: Design<S>
): Effect.Effect<StateContainer<S>, never, Supervisor | Scope.Scope> =>
  Effect.flatMap(Supervisor, (supervisor) => {
    const keepers: Keepers<S> = new KeyTable()
    const recipe: StartRecipe<StateContainer<S>> = {
      // After the class's id no server has anything but a slash and its key: no key can be in the way of this.
      id: `${server.key}:StateContainer`,
      kind: "worker",
      options: {},
      make: (parent, context, id) => {
        const child = new Worker(parent, id, design.work, context)
        return { child, ref: new Container(child, design, keepers) }
      }
    }
    return supervisor.register(recipe)
  })
