/**
 * The companions of one server class: what outlives a server's crash, and what decides how much of it does.
 *
 * Which companion a server has is a Layer, and the type checker asks for one. `layerMemory` is what you most likely want.
 * `layerForget` is OTP's default: no state survives. `layerTable` keeps states in a shared table, the ETS way. If your
 * state can be recomputed from elsewhere, you do not need to conserve it: forget it, and let `init` fetch it.
 *
 * The container is a child of the supervisor, so that it has its place in the tree: a fiber that writes what is written
 * late. The states are not in that fiber: when it crashes they stay.
 *
 * *Tricky*: a key has one owner at a time, and two starts for one key may come at the same time. `claim` is synchronous:
 * whoever is second is told who was first.
 *
 * @since 0.1.0
 */
import { type Context, type Duration, Effect, Layer, type Scope } from "effect"
import type { Grade, Grants } from "../../domain/state/Survival.ts"
import { type HasProcess, type Process, processOf } from "../naming/Process.ts"
import type { StartRecipe } from "../supervision/Child.ts"
import { Supervisor } from "../supervision/Supervisor.ts"
import { Worker } from "../supervision/Worker.ts"
import { type Companion, Delayed, Forgetful, InMemory, type Keeper } from "./Companion.ts"
import { InTable, StateTable } from "./StateTable.ts"

export type { Grade, Survives } from "../../domain/state/Survival.ts"

/** The identity of the companions of server class `Self`, as a service. */
export interface StateOf<in out Self> {
  readonly "~heirloom/StateOf": (_: Self) => Self
}

/** The companions of one server class. */
export interface StateContainer<in out S> extends HasProcess {
  /** What these companions survive. */
  readonly survives: Grade
  /** The companion of one server: of the one with that key, or of the only one. */
  readonly for: (key?: string) => Companion<S>
  /** The keys of all servers that have conserved state or are alive. */
  readonly keys: Effect.Effect<ReadonlyArray<string>>
  /** Takes the companion of a key for its server; whoever has it is its owner afterwards. */
  readonly claim: (key: string, process: Process) => Keeper<S>
  /** The server of a key, if one lives. */
  readonly owner: (key: string) => Process | undefined
  /** The server of a key is down for now (`keep`) or for good (`forget`). */
  readonly release: (key: string, what: "keep" | "forget") => void
}

/** What a container needs to know of a server class. */
export interface Stateful<in out Self, Id extends string, in out S> {
  readonly key: Id
  readonly StateContainer: Context.Service<StateOf<Self>, StateContainer<S>>
}

/** When a state is conserved. */
export type When = "commit" | "terminate" | { readonly every: Duration.Input }

/** What every companion may be told. */
export interface Options {
  /**
   * `"commit"` (default): after every handled message, before the reply. `{ every }`: late, at that interval; a crash of
   * the server loses nothing by it. `"terminate"`: when the server ends in a way that leaves it its last word, the
   * original pattern; a kill loses everything since.
   */
  readonly when?: When | undefined
  /**
   * What becomes of the state of a server that has ended for good. A companion in memory or in a table forgets it by
   * default, so that a million finished servers leave nothing behind.
   */
  readonly afterStop?: "keep" | "forget" | undefined
  /**
   * What to do about a state that crashes whoever starts from it. By default it gives way to the last good one when a
   * callback (`restore`, `continueWith`) crashed on it, and the server gives up with a report when only messages did;
   * `"rollback"` gives way on either, `"refuse"` never. See `Recovery`.
   */
  readonly onSuspect?: "rollback" | "refuse" | undefined
}

/** Makes the companion of a key. */
export type Make<S> = (key: string) => Keeper<S>

class Container<in out S> implements StateContainer<S> {
  readonly survives: Grade
  readonly [processOf]: Process
  private readonly make: Make<S>
  private readonly afterStop: "keep" | "forget"
  private readonly keepers: Map<string, Keeper<S>>

  constructor(
    process: Process,
    survives: Grade,
    make: Make<S>,
    keepers: Map<string, Keeper<S>>,
    afterStop: "keep" | "forget"
  ) {
    this[processOf] = process
    this.survives = survives
    this.make = make
    this.keepers = keepers
    this.afterStop = afterStop
  }

  private keeper(key: string): Keeper<S> {
    let keeper = this.keepers.get(key)
    if (keeper === undefined) this.keepers.set(key, keeper = this.make(key))
    return keeper
  }

  readonly for = (key = ""): Companion<S> => this.keeper(key)

  readonly keys = Effect.sync(() => Array.from(this.keepers.keys()))

  readonly claim = (key: string, process: Process): Keeper<S> => {
    const keeper = this.keeper(key)
    keeper.owner ??= process
    return keeper
  }

  readonly owner = (key: string): Process | undefined => this.keepers.get(key)?.owner

  readonly release = (key: string, what: "keep" | "forget"): void => {
    const keeper = this.keepers.get(key)
    if (keeper === undefined) return
    keeper.owner = undefined
    if (what === "forget" && this.afterStop === "forget") {
      keeper.forget()
      this.keepers.delete(key)
    }
  }
}

const container = <Self, Id extends string, S>(
  server: Stateful<Self, Id, S>,
  survives: Grade,
  options: Options | undefined,
  make: Make<S>
): Effect.Effect<StateContainer<S>, never, Supervisor | Scope.Scope> =>
  Effect.gen(function*() {
    const supervisor = yield* Supervisor
    const keepers = new Map<string, Keeper<S>>()
    const late = new Set<Delayed<S>>()
    const when = options?.when ?? "commit"
    const recipe: StartRecipe<StateContainer<S>> = {
      id: `${server.key}/StateContainer`,
      kind: "worker",
      options: {},
      make: (parent, context) => {
        const child = new Worker(
          parent,
          recipe.id,
          typeof when === "object" ? flush(late, when.every) : Effect.never,
          context
        )
        const afterStop = options?.afterStop ?? "forget"
        return { child, ref: new Container(child, survives, conserving(when, make, late), keepers, afterStop) }
      }
    }
    return yield* supervisor.register(recipe)
  })

const conserving = <S>(when: When, make: Make<S>, late: Set<Delayed<S>>): Make<S> =>
  when === "commit" ? make : (key) => new Delayed(make(key), when === "terminate", late)

/** Writes what is written late. */
const flush = <S>(late: Set<Delayed<S>>, every: Duration.Input): Effect.Effect<never> =>
  Effect.sync(() => {
    for (const keeper of late) keeper.flush()
    late.clear()
  }).pipe(Effect.delay(every), Effect.forever({ disableYield: true }))

/**
 * Companions in memory: a `Ref` per server, which survives everything but the process.
 *
 * **When to use**
 *
 * As the first child beside its server, whenever the state is worth more than a crash and less than a disk. It costs one
 * write to a cell per message: not measurable.
 *
 * **Details**
 *
 * Grants `"crash"`. Options: `when` (`"commit"`), `afterStop` (`"forget"`).
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer, StateContainer, Supervisor } from "heirloom"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", {
 *   state: Schema.Int,
 *   messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }), Crash: GenServer.call() }
 * }) {}
 *
 * const CounterLive = Counter.layer({
 *   init: 0,
 *   handlers: { Add: (n, { by }) => [n + by, n + by], Crash: () => Effect.die("boom") }
 * })
 *
 * const App = Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Counter), CounterLive])
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter
 *   yield* counter.Add({ by: 41 })
 *   yield* Effect.exit(counter.Crash())
 *   console.log(yield* counter.Add({ by: 1 })) // => 42
 * })
 *
 * await Effect.runPromise(Effect.provide(program, App))
 * ```
 *
 * @since 0.1.0
 */
export const layerMemory = <Self, Id extends string, S>(
  server: Stateful<Self, Id, S>,
  options?: Options
): Layer.Layer<StateOf<Self> | Grants<Self, "crash">, never, Supervisor> =>
  granting<Self, "crash">()(Layer.effect(
    server.StateContainer,
    container(server, "crash", options, (key) => new InMemory<S>(key, options))
  ))

/**
 * Companions that keep their states in the `StateTable` of the context: the ETS way.
 *
 * **When to use**
 *
 * When many servers' states must be read, or changed, by others than their servers. The table is shared, and with it
 * races come in: see `StateTable`. Otherwise use {@link layerMemory}.
 *
 * **Details**
 *
 * Grants `"crash"`. `row` names the row of a server; by default the class's id, a slash, and the key. The table is built
 * above the supervisor, and outlives it.
 *
 * @since 0.1.0
 */
export const layerTable = <Self, Id extends string, S>(
  server: Stateful<Self, Id, S>,
  options?: Options & { readonly row?: ((key: string) => string) | undefined }
): Layer.Layer<StateOf<Self> | Grants<Self, "crash">, never, Supervisor | StateTable> => {
  const row = options?.row ?? ((key: string) => key === "" ? server.key : `${server.key}/${key}`)
  return granting<Self, "crash">()(Layer.effect(
    server.StateContainer,
    Effect.flatMap(
      StateTable,
      (table) => container(server, "crash", options, (key) => new InTable<S>(key, row(key), table.unsafe, options))
    )
  ))
}

/**
 * No companion to speak of: a new incarnation starts from `init` (OTP's default).
 *
 * **When to use**
 *
 * When the state is a cache, or when starting clean is the cure. Grants nothing: a server that asks to survive a crash
 * does not compile over it.
 *
 * @since 0.1.0
 */
export const layerForget = <Self, Id extends string, S>(
  server: Stateful<Self, Id, S>
): Layer.Layer<StateOf<Self>, never, Supervisor> =>
  Layer.effect(server.StateContainer, container(server, "nothing", undefined, (key) => new Forgetful<S>(key)))

// Grants are evidence for the type checker alone: no value stands behind them, so nothing but a cast can give them.
const granting = <Self, G extends Grade>() => <E, R>(layer: Layer.Layer<StateOf<Self>, E, R>) =>
  layer as Layer.Layer<StateOf<Self> | Grants<Self, G>, E, R>
