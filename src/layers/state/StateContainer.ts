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
import { type Context, Duration, Effect, Layer, Schedule, type Scope } from "effect"
import { defaultLimits } from "../../domain/server/Idempotency.ts"
import type { StoreError } from "../../domain/state/StoreError.ts"
import type { Grade, Grants } from "../../domain/state/Survival.ts"
import { InspectedReference } from "../naming/Inspection.ts"
import { type HasProcess, type Process, processOf } from "../naming/Process.ts"
import type { StartRecipe } from "../supervision/Child.ts"
import { Supervisor } from "../supervision/Supervisor.ts"
import { Worker } from "../supervision/Worker.ts"
import { type Companion, Delayed, Forgetful, InMemory, type Keeper, type Owner, type Policy } from "./Companion.ts"
import { type Codec, Durable, type Session } from "./Durable.ts"
import type { StateStoreKey } from "./StateStore.ts"
import { InTable, StateTable } from "./StateTable.ts"
import { type Unsaved, writerOf } from "./StoreWriter.ts"

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
  /**
   * Takes a key for its server: the companion, whose owner says whether another server was first, or nothing where there is
   * nothing to take over. Most of a million servers wait for their first message, and have no companion until then.
   */
  readonly enter: (key: string, server: Owner<S>) => Keeper<S> | undefined
  /** Makes the companion of a server that has entered without one. */
  readonly open: (key: string, server: Owner<S>) => Keeper<S>
  /** Takes the companion of a key for its server; whoever has it is its owner afterwards. */
  readonly claim: (key: string, process: Process) => Keeper<S>
  /** The server of a key, if one lives. */
  readonly owner: (key: string) => Process | undefined
  /** The server of a key is down for now (`keep`) or for good (`forget`). */
  readonly release: (key: string, server: Owner<S>, what: "keep" | "forget") => void
}

/** What a container needs to know of a server class. */
export interface Stateful<in out Self, Id extends string, in out S> {
  readonly key: Id
  /** How its state becomes text and comes back. */
  readonly stateSchema: Codec<S>
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
  /** How many answers to calls with an `idempotencyKey` are kept on record, and how long; 1,000 and a day by default. */
  readonly answers?:
    | { readonly maxCount?: number | undefined; readonly maxAge?: Duration.Input | undefined }
    | undefined
}

const policyOf = (options: Options | undefined): Policy => ({
  onSuspect: options?.onSuspect,
  answers: {
    maxCount: options?.answers?.maxCount ?? defaultLimits.maxCount,
    maxAge: options?.answers?.maxAge === undefined
      ? defaultLimits.maxAge
      : Duration.toMillis(Duration.fromInputUnsafe(options.answers.maxAge))
  }
})

/** Makes the companion of a key. */
export type Make<S> = (key: string) => Keeper<S>

type Using<S> = <A>(f: (keeper: Keeper<S>) => Effect.Effect<A>) => Effect.Effect<A>

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
type Keepers<S> = Map<string, Keeper<S> | Owner<S>>

const isKeeper = <S>(held: Keeper<S> | Owner<S>): held is Keeper<S> => "takeOver" in held

class Container<in out S> extends InspectedReference implements StateContainer<S> {
  readonly survives: Grade
  readonly [processOf]: Process
  private readonly design: Design<S>
  private readonly keepers: Keepers<S>

  constructor(process: Process, design: Design<S>, keepers: Keepers<S>) {
    super()
    this[processOf] = process
    this.survives = design.survives
    this.design = design
    this.keepers = keepers
  }

  private keeper(key: string): Keeper<S> {
    const held = this.keepers.get(key)
    if (held !== undefined) return isKeeper(held) ? held : held.keeper ??= this.open(key, held)
    const keeper = this.design.make(key)
    this.keepers.set(key, keeper)
    return keeper
  }

  readonly for = (key = ""): Companion<S> => new View(key, this.using(key))

  /** Does something with the keeper of a key as it is by then, and lets it go again if nothing is left in it. */
  private using(key: string) {
    return <A>(f: (keeper: Keeper<S>) => Effect.Effect<A>): Effect.Effect<A> =>
      Effect.suspend(() => {
        const keeper = this.keeper(key)
        return Effect.ensuring(f(keeper), Effect.sync(() => this.tidy(key, keeper)))
      })
  }

  get keys(): Effect.Effect<ReadonlyArray<string>> {
    return Effect.map(this.design.stored, (stored) => Array.from(new Set([...stored, ...this.keepers.keys()])).sort())
  }

  readonly enter = (key: string, server: Owner<S>): Keeper<S> | undefined => {
    if (this.design.isLazy) {
      const held = this.keepers.get(key)
      if (held === undefined) this.keepers.set(key, server)
      if (held === undefined || held === server) return undefined
    }
    return this.claim(key, server)
  }

  readonly open = (key: string, server: Owner<S>): Keeper<S> => {
    const keeper = this.design.make(key)
    keeper.owner = server
    keeper.fenceOff(server.incarnation - 1)
    return keeper
  }

  readonly claim = (key: string, process: Process): Keeper<S> => {
    const keeper = this.keeper(key)
    keeper.owner ??= process
    return keeper
  }

  readonly owner = (key: string): Process | undefined => {
    const held = this.keepers.get(key)
    return held !== undefined && isKeeper(held) ? held.owner : held
  }

  readonly release = (key: string, server: Owner<S>, what: "keep" | "forget"): void => {
    const held = this.keepers.get(key)
    if (held === undefined) return
    const keeper = isKeeper(held) ? held : held.keeper
    if (keeper === undefined) return held === server ? void this.keepers.delete(key) : undefined
    // One that nobody owns may be what another server has left since; what a person put there is nobody's.
    const isOwn = keeper.owner === undefined
      ? keeper === server.keeper || keeper.youngest === 0
      : keeper.owner === server
    if (!isOwn) return
    keeper.owner = undefined
    if (what === "forget" && this.design.afterStop === "forget") keeper.forget()
    // What it leaves behind takes its place.
    if (held === server) this.keepers.set(key, keeper)
    this.tidy(key, keeper)
  }

  private tidy(key: string, keeper: Keeper<S>): void {
    if (keeper.owner !== undefined) return
    const drop = () => {
      if (keeper.owner === undefined && this.keepers.get(key) === keeper) this.keepers.delete(key)
    }
    if (keeper.isSpare) drop()
    else keeper.whenSpare(drop)
  }
}

/** What makes a class's companions, and what its container does by itself. */
interface Design<in out S> {
  readonly survives: Grade
  readonly make: Make<S>
  /** Whether a key that is new to the container has nothing conserved: its companion can wait for the first commit. */
  readonly isLazy: boolean
  readonly afterStop: "keep" | "forget"
  /** The keys that something is conserved for beyond what the container knows of. */
  readonly stored: Effect.Effect<ReadonlyArray<string>>
  /** What the container's fiber does. */
  readonly work: Effect.Effect<unknown>
}

const container = <Self, Id extends string, S>(
  server: Stateful<Self, Id, S>,
  design: Design<S>
): Effect.Effect<StateContainer<S>, never, Supervisor | Scope.Scope> =>
  Effect.flatMap(Supervisor, (supervisor) => {
    const keepers: Keepers<S> = new Map()
    const recipe: StartRecipe<StateContainer<S>> = {
      id: `${server.key}/StateContainer`,
      kind: "worker",
      options: {},
      make: (parent, context, id) => {
        const child = new Worker(parent, id, design.work, context)
        return { child, ref: new Container(child, design, keepers) }
      }
    }
    return supervisor.register(recipe)
  })

/** Companions that lose nothing but with the process, conserved when `options` says. */
const volatile = <S>(options: Options | undefined, isLazy: boolean, make: Make<S>): Design<S> => {
  const { afterStop = "forget", when = "commit" } = options ?? {}
  const late = new Set<Delayed<S>>()
  return {
    survives: "crash",
    afterStop,
    stored: noKeys,
    isLazy: isLazy && when === "commit",
    make: when === "commit" ? make : (key) => new Delayed(make(key), when === "terminate", late),
    work: typeof when !== "object" ? Effect.never : repeatedly(when.every, () => {
      for (const keeper of late) keeper.flush()
      late.clear()
    })
  }
}

const noKeys: Effect.Effect<ReadonlyArray<string>> = Effect.succeed([])

const repeatedly = (every: Duration.Input, f: () => void): Effect.Effect<never> =>
  Effect.sync(f).pipe(Effect.delay(every), Effect.forever({ disableYield: true }))

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
    Effect.suspend(() => {
      const policy = policyOf(options)
      return container(server, volatile(options, true, (key) => new InMemory<S>(key, policy)))
    })
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
      (table) => {
        const policy = policyOf(options)
        return container(server, volatile(options, false, (key) => new InTable<S>(key, row(key), table.unsafe, policy)))
      }
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
  Layer.effect(
    server.StateContainer,
    container(server, {
      survives: "nothing",
      make: (key) => new Forgetful<S>(key),
      isLazy: true,
      afterStop: "forget",
      stored: noKeys,
      work: Effect.never
    })
  )

/** What durable companions may be told. */
export interface StoreOptions<StoreSelf, G extends Grade> extends Options {
  /** The store, which says what is survived. */
  readonly store: StateStoreKey<StoreSelf, G>
  /**
   * How often, and how long, a store that is away is asked again, before what could not be stored is given up. By default
   * from 50 ms on, doubling up to 2 s, for half a minute.
   */
  readonly retry?: Schedule.Schedule<unknown, StoreError> | undefined
  /** Commits a server may be ahead of a slow store before it waits; 10,000 by default. */
  readonly maxAhead?: number | undefined
}

const defaultRetry: Schedule.Schedule<unknown, StoreError> = Schedule.max([
  Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")]),
  Schedule.during("30 seconds")
])

/** How long a store may take to write what is left when everything is shut down. */
const lastPatience = "30 seconds"

/**
 * Companions in a store: what is acknowledged survives what the store survives.
 *
 * **When to use**
 *
 * When a state must outlive the process: `"process"` with a file or SQLite, `"machine"` with PostgreSQL.
 *
 * **Details**
 *
 * The server never waits for the store, its answers do: each is held until the state it was computed from is stored, in
 * one transaction with every other server's that has something new. When a write has finally failed (`retry`), held
 * answers fail with `NotConserved`, the incarnation ends, and the next one starts from what the store really holds; that
 * is not charged to the restart budget. With `when: { every }` nothing is held, and the death of the process loses up to
 * that much. A server that answers with `hibernate` keeps its state in the store alone until the next message. Grants what
 * the store's grade says. `afterStop` is `"keep"` here.
 *
 * **Gotchas**
 *
 * Messages that a handler sends to others are not held back: `GenServer.stored` is a barrier for one that needs it. A
 * store belongs to one process at a time: a younger one that opens it fences the older one off.
 *
 * @since 0.1.0
 */
export const layerStore = <Self, Id extends string, S, StoreSelf, G extends Grade>(
  server: Stateful<Self, Id, S>,
  options: StoreOptions<StoreSelf, G>
): Layer.Layer<StateOf<Self> | Grants<Self, G>, StoreError, Supervisor | StoreSelf> =>
  granting<Self, G>()(Layer.effect(
    server.StateContainer,
    Effect.gen(function*() {
      const { afterStop = "keep", maxAhead = 10_000, retry = defaultRetry, when = "commit" } = options
      const store = yield* options.store
      const context = yield* Effect.context<never>()
      const writer = writerOf(store, context, retry)
      const late = new Set<Unsaved>()
      const writeLate = () => {
        for (const keeper of late) writer.add(keeper)
        late.clear()
      }
      const session: Session<S> = {
        store,
        writer,
        epoch: yield* Effect.retry(store.acquireEpoch(server.key), {
          schedule: retry,
          while: (error) => error.isRetryable
        }),
        schema: server.stateSchema,
        policy: policyOf(options),
        // The last word alone is written as soon as it is spoken.
        when: typeof when === "object" ? "late" : "commit",
        late,
        maxAhead,
        storeKey: (key) => key === "" ? server.key : `${server.key}/${key}`,
        retry,
        context,
        fenced: undefined
      }
      // The servers have stopped by now: what they left to be written is, unless the store does not answer at all.
      yield* Effect.addFinalizer(() =>
        Effect.andThen(Effect.sync(writeLate), writer.settled).pipe(
          Effect.timeoutOrElse({
            duration: lastPatience,
            orElse: () =>
              Effect.logError(`${store.name} did not answer: the last states of ${server.key} may not be stored.`)
          })
        )
      )
      return yield* container(server, {
        survives: options.store.grade,
        afterStop,
        stored: Effect.orDie(Effect.map(store.keys(server.key), (keys) => {
          const prefix = `${server.key}/`
          return keys.flatMap((key) =>
            key === server.key ? [""] : key.startsWith(prefix) ? [key.slice(prefix.length)] : []
          )
        })),
        isLazy: false,
        make: (key) => {
          const durable = new Durable<S>(key, session)
          return when === "terminate" ? new Delayed<S>(durable, true, new Set()) : durable
        },
        work: typeof when === "object" ? repeatedly(when.every, writeLate) : Effect.never
      })
    })
  ))

// Grants are evidence for the type checker alone: no value stands behind them, so nothing but a cast can give them.
const granting = <Self, G extends Grade>() => <E, R>(layer: Layer.Layer<StateOf<Self>, E, R>) =>
  layer as Layer.Layer<StateOf<Self> | Grants<Self, G>, E, R>
