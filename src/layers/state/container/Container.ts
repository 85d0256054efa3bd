/**
 * The container of one server class: what programs see of its companions, and its place in the tree.
 *
 * The container is a child of the supervisor, so that it has its place in the tree: a fiber that flushes what is
 * conserved at intervals. The states are not in that fiber: when it crashes they stay. Over a store, the fiber that
 * writes is the store's own (`StoreWriter`).
 *
 * @since 0.1.0
 */
import { type Context, Effect, type Scope, Stream } from "effect"
import { InvalidOption } from "../../../domain/options/InvalidOption.ts"
import type { Change } from "../../../domain/state/shown/Change.ts"
import type { Codec } from "../../../domain/state/StateSchema.ts"
import type { Grade } from "../../../domain/state/Survival.ts"
import type { StartRecipe } from "../../process/Child.ts"
import { InspectedReference } from "../../process/Inspection.ts"
import { type HasProcess, type Process, processOf } from "../../process/Process.ts"
import { Supervisor } from "../../supervision/tree/SupervisorHandle.ts"
import { Worker } from "../../supervision/tree/Worker.ts"
import type { CompanionPort, Conserved } from "../companion/Companion.ts"
import { CompanionTable, type Design } from "../companion/CompanionTable.ts"
import { changes, type ChangesOptions } from "./Changes.ts"

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
 * The conserved state of one server, for any code.
 *
 * @category models
 * @since 0.1.0
 */
export interface Companion<in out S> extends Conserved<S> {
  /**
   * The state and what becomes of it, as `GenServer.changes` has it of a server: the newest one first. It goes on
   * whichever server has the key, until the state is gone with its server, or the container is.
   */
  readonly changes: (options?: ChangesOptions) => Stream.Stream<Change<S>>
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

/** A companion in the hands of others than its server: companions come and go, so it looks its own up each time. */
class View<in out S> implements Companion<S> {
  readonly key: string
  private readonly companions: CompanionTable<S>
  private readonly of: string

  constructor(of: string, key: string, companions: CompanionTable<S>) {
    this.of = of
    this.key = key
    this.companions = companions
  }

  /** Does something with the companion as it is by then, and lets it go again if nothing is left in it. */
  private using<A>(f: (companion: CompanionPort<S>) => Effect.Effect<A>): Effect.Effect<A> {
    return Effect.suspend(() => {
      const companion = this.companions.companion(this.key)
      return Effect.ensuring(f(companion), Effect.sync(() => this.companions.tidy(companion)))
    })
  }

  readonly changes = (options?: ChangesOptions): Stream.Stream<Change<S>> =>
    Stream.suspend(() => changes(this.companions, this.of, this.key, options))

  get get(): Companion<S>["get"] {
    return this.using((companion) => companion.get)
  }

  set(state: S): Effect.Effect<void> {
    return this.using((companion) => companion.set(state))
  }

  get clear(): Effect.Effect<void> {
    return this.using((companion) => companion.clear)
  }

  get snapshots(): Companion<S>["snapshots"] {
    return this.using((companion) => companion.snapshots)
  }

  get aside(): Companion<S>["aside"] {
    return this.using((companion) => companion.aside)
  }
}

const table: unique symbol = Symbol("heirloom/StateContainer/table")

class Container<in out S> extends InspectedReference implements StateContainer<S> {
  readonly [processOf]: Process
  readonly [table]: CompanionTable<S>
  readonly survives: Grade
  readonly keys: Effect.Effect<ReadonlyArray<string>>
  private readonly of: string

  constructor(of: string, process: Process, design: Design<S>, companions: CompanionTable<S>) {
    super()
    this.of = of
    this[processOf] = process
    this[table] = companions
    this.survives = design.survives
    this.keys = Effect.map(
      design.stored?.all ?? Effect.succeed<ReadonlyArray<string>>([]),
      (stored) => Array.from(new Set([...stored, ...companions.keys()])).sort()
    )
  }

  readonly for = (key = ""): Companion<S> => new View(this.of, key, this[table])
}

/** The companions behind a container, for the engine of servers. */
export const tableOf = <S>(container: StateContainer<S>): CompanionTable<S> => {
  if (container instanceof Container) return container[table]
  const expected = "one that a layer of StateContainer made"
  throw new InvalidOption({ of: "a server", option: "StateContainer", given: container, expected })
}

/** Starts the container of a server class as a child of the nearest supervisor. */
export const container = <Self, Id extends string, S>(
  server: Stateful<Self, Id, S>,
  design: Design<S>
): Effect.Effect<StateContainer<S>, never, Supervisor | Scope.Scope> =>
  Effect.gen(function*() {
    const supervisor = yield* Supervisor
    const companions = new CompanionTable(design)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        design.alarms?.leave(companions)
        companions.close()
      })
    )
    design.whenLost?.((cause) => companions.end(cause))
    const recipe: StartRecipe<StateContainer<S>> = {
      // After the class's id no server has anything but a slash and its key: no key can be in the way of this.
      id: `${server.key}:StateContainer`,
      kind: "worker",
      options: {},
      make: (parent, context, id) => {
        const child = new Worker(parent, id, design.work, context)
        return { child, ref: new Container(server.key, child, design, companions) }
      }
    }
    return yield* supervisor.register(recipe)
  })
