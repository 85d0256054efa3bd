/**
 * The companions of one server class: what outlives a server's crash, and what decides how much of it does.
 *
 * Which companion a server has is a Layer, and the type checker asks for one. `layerMemory` is what you most likely
 * want. `layerForget` is OTP's default: no state survives. `layerTable` keeps states in a shared table, the ETS way. If
 * your state can be recomputed from elsewhere, you do not need to conserve it: forget it, and let `init` fetch it.
 *
 * @since 0.1.0
 */
import { type Duration, Effect, Layer, type Schedule } from "effect"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import { InvalidOption } from "../../domain/options/InvalidOption.ts"
import type { Fence } from "../../domain/state/stored/Ownership.ts"
import type { StoreError } from "../../domain/state/stored/StoreError.ts"
import type { FenceGrants, Grade, Grants } from "../../domain/state/Survival.ts"
import { scheduleOf } from "../process/Timer.ts"
import type { Supervisor } from "../supervision/tree/SupervisorHandle.ts"
import type { Design } from "./companion/CompanionTable.ts"
import { Forgetful } from "./companion/Forgetful.ts"
import { type Cell, RefCompanion, restOf } from "./companion/RefCompanion.ts"
import { rowsOf } from "./companion/TableRows.ts"
import { WriteBehindCompanion } from "./companion/WriteBehindCompanion.ts"
import { container, type Stateful, type StateOf } from "./container/Container.ts"
import { afterStopOf, intervalOf, policyOf, serverOf } from "./container/Given.ts"
import { Durable } from "./durable/Durable.ts"
import { keyOf, storedOf } from "./durable/StoredKeys.ts"
import { openSession, writeLate } from "./durable/StoreSession.ts"
import { StateTable } from "./StateTable.ts"
import * as Alarms from "./store/Alarms.ts"
import { defaultRetry } from "./store/Patience.ts"
import type { StateStoreKey } from "./store/StateStore.ts"
import { storeKeyOf } from "./store/StoreShape.ts"
import type { Unsaved } from "./store/WriteQueue.ts"

export type { Fence } from "../../domain/state/stored/Ownership.ts"
export { StateUnreadable } from "../../domain/state/stored/StateUnreadable.ts"
export type { FencedByKey, Grade, Survives } from "../../domain/state/Survival.ts"
export type { ChangesOptions } from "./container/Changes.ts"
export type { Companion, StateContainer, Stateful, StateOf } from "./container/Container.ts"

/**
 * When a state is conserved.
 *
 * @category models
 * @since 0.1.0
 */
export type When = "commit" | "terminate" | { readonly every: Duration.Input }

/**
 * The options of every companion; what makes no sense is refused as an `InvalidOption` when the layer is built.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * `"commit"` (default): after every handled message, before the reply. `{ every }`: late, at that interval; a crash
   * of the server loses nothing by it. `"terminate"`: when the server ends in a way that leaves it its last word, the
   * original pattern; a kill loses everything since.
   */
  readonly when?: When | undefined
  /**
   * What becomes of the state of a server that has ended for good. A companion in memory or in a table forgets it by
   * default, so that a million finished servers leave nothing behind.
   */
  readonly afterStop?: "keep" | "forget" | undefined
  /**
   * What to do about a state that crashes the servers that start from it. By default it gives way to the last good one
   * when a callback (`restore`, `continueWith`) crashed on it, and the server gives up with a report when only messages
   * did; `"rollback"` gives way on either, `"refuse"` never. See `Recovery`.
   */
  readonly onSuspect?: "rollback" | "refuse" | undefined
  /**
   * How many answers to calls with an `idempotencyKey` are kept on record, and how long; 1,000 and a day by default.
   */
  readonly answers?:
    | { readonly maxCount?: number | undefined; readonly maxAge?: Duration.Input | undefined }
    | undefined
}

const onUnreadables = ["refuse", "init"] as const

const onUnreadableOf = (of: string, { onUnreadable = "refuse" }: Pick<StoreOptions<never, Grade>, "onUnreadable">) =>
  GivenOption.oneOf({ of, option: "onUnreadable", given: onUnreadable }, onUnreadables)

const fences = ["class", "key"] as const

/** Companions that lose nothing but with the process, conserved when `options` says. */
const inMemory = <S>(
  of: string,
  options: Options,
  { alarms }: Alarms.InMemory,
  design: Pick<Design<S>, "isLazy" | "make" | "dropped">
): Design<S> => {
  const { when = "commit" } = GivenOption.options(of, options)
  const afterStop = afterStopOf(of, options.afterStop ?? "forget")
  const interval = intervalOf(of, when)
  const { answers } = policyOf(of, options)
  const late = new Set<WriteBehindCompanion<S>>()
  return {
    ...design,
    alarms,
    keyOf: (name) => name,
    survives: "crash",
    letsGo: false,
    afterStop,
    stored: undefined,
    isLazy: design.isLazy && when === "commit",
    make: when === "commit"
      ? design.make
      : (key) => new WriteBehindCompanion(design.make(key), when === "terminate", late, answers),
    work: interval === undefined ? alarms.run : Effect.raceFirst(
      alarms.run,
      repeatedly(interval, () => {
        for (const companion of late) companion.flush()
        late.clear()
      })
    )
  }
}

const noDeed = (): void => {}

/** What a state is called where those of other classes are, too: its class, and the key of its server if it has one. */
const nameOf = (server: string) => (key: string): string => key === "" ? server : `${server}/${key}`

const repeatedly = (every: number, f: () => void): Effect.Effect<never> =>
  Effect.sync(f).pipe(Effect.delay(every), Effect.forever({ disableYield: true }))

/**
 * Companions in memory: a cell per server, outside of any fiber, which survives everything but the process.
 *
 * **When to use**
 *
 * As the first child beside its server, whenever the state is worth more than a crash and less than a disk. It costs
 * one write to a cell per message: not measurable.
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
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = <Self, Id extends string, S>(
  server: Stateful<Self, Id, S>,
  options: Options = {}
): Layer.Layer<StateOf<Self> | Grants<Self, "crash">, never, Supervisor> =>
  granting<Self, "crash">()(Layer.effect(
    serverOf("StateContainer.layerMemory", server).StateContainer,
    Effect.flatMap(Alarms.inMemory(server.key), (due) => {
      const rest = restOf(policyOf(server.key, GivenOption.options(server.key, options)), due)
      return container(
        server,
        inMemory(server.key, options, due, {
          isLazy: true,
          make: (key) => new RefCompanion<S>(key, rest),
          dropped: noDeed
        })
      )
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
 * Grants `"crash"`. `row` names the row of a server; by default the class's id, a slash, and the key. The table is
 * built above the supervisor, and outlives it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerTable = <Self, Id extends string, S>(
  server: Stateful<Self, Id, S>,
  options: Options & { readonly row?: ((key: string) => string) | undefined } = {}
): Layer.Layer<StateOf<Self> | Grants<Self, "crash">, never, Supervisor | StateTable> => {
  serverOf("StateContainer.layerTable", server)
  const row = GivenOption.options(server.key, options).row ?? nameOf(server.key)
  return granting<Self, "crash">()(Layer.effect(
    server.StateContainer,
    Effect.gen(function*() {
      if (typeof row !== "function") {
        GivenOption.refuse({ of: server.key, option: "row", given: row }, "a function from a key to the name of a row")
      }
      const table = yield* StateTable
      const rows = rowsOf(table)
      if (rows === undefined) {
        const expected = "one that StateTable.layer made: only such a table has rows for companions"
        return yield* Effect.die(
          new InvalidOption({ of: server.key, option: "StateTable", given: table, expected })
        )
      }
      const due = yield* Alarms.inMemory(server.key)
      const rest = restOf(policyOf(server.key, options), due)
      const attached = new Set<string>()
      yield* Effect.addFinalizer(() => Effect.sync(() => attached.forEach((key) => rows.detach(row(key)))))
      return yield* container(
        server,
        inMemory(server.key, options, due, {
          isLazy: false,
          make: (key) => {
            attached.add(key)
            // A table is untyped, as ETS is: that its row holds an S is the promise of all who write it.
            return new RefCompanion<S>(key, rest, rows.attach(row(key)) as Cell<S>)
          },
          dropped: (key) => {
            attached.delete(key)
            rows.detach(row(key))
          }
        })
      )
    })
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
 * @category layers
 * @since 0.1.0
 */
export const layerForget = <Self, Id extends string, S>(
  server: Stateful<Self, Id, S>
): Layer.Layer<StateOf<Self>, never, Supervisor> =>
  Layer.effect(
    serverOf("StateContainer.layerForget", server).StateContainer,
    container(server, {
      survives: "nothing",
      make: (key) => new Forgetful<S>(key),
      isLazy: true,
      letsGo: false,
      afterStop: "forget",
      stored: undefined,
      dropped: noDeed,
      alarms: undefined,
      keyOf: () => undefined,
      work: Effect.never
    })
  )

/**
 * The options of durable companions.
 *
 * @category options
 * @since 0.1.0
 */
export interface StoreOptions<StoreSelf, G extends Grade, F extends Fence = Fence> extends Options {
  /** The store, which says what is survived. */
  readonly store: StateStoreKey<StoreSelf, G>
  /**
   * Whose epoch fences off those that have been taken over from. `"class"` (default): one of the whole store, which one
   * process has for itself. `"key"`: one of each key, claimed when its server starts, over a store with
   * `ownership: "shared"`: its keys may be in many processes, each in one at a time.
   */
  readonly fence?: F | undefined
  /**
   * What to do about a state that this code cannot read at all: a migration throws, the text does not decode, younger
   * code wrote it. `"refuse"` (default): its server does not start, and who asked for it gets a `StartError` that says
   * why; nothing is set aside, and it goes on where it was when the code is mended. `"init"`: the state is set aside,
   * and the server starts from an older one, or from `init`, which is an event and an error in the log.
   */
  readonly onUnreadable?: "refuse" | "init" | undefined
  /**
   * How often, and how long, a store that is away is asked again, before what could not be stored is given up. By
   * default from 50 ms on, doubling up to 2 s, for half a minute.
   */
  readonly retry?: Schedule.Schedule<unknown, StoreError> | undefined
  /** Commits a server may be ahead of a slow store before it waits; 10,000 by default, 1 at least. */
  readonly maxAhead?: number | undefined
}

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
 * answers fail with `NotConserved`, the incarnation ends, and the next one starts from what the store really holds;
 * that is not charged to the restart budget. With `when: { every }` nothing is held, and the death of the process loses
 * up to that much. A server that answers with `hibernate` keeps its state in the store alone until the next message.
 * Grants what the store's grade says. `afterStop` is `"keep"` here.
 *
 * **Gotchas**
 *
 * Messages that a handler sends to others are not held back: `GenServer.stored` is a barrier for one that needs it. A
 * store belongs to one process at a time: who comes second waits (`ownership`, `patience` of the store); or it is
 * shared, and each key is one process's (`fence: "key"`). Then a server whose key another process has claimed ends at
 * its next write, it alone; until then it answers reads from memory, except those with `confirm: true`. A class's id, a
 * slash and a server's key may have 512 bytes of UTF-8 together; a server with a longer key is not started.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStore = <Self, Id extends string, S, StoreSelf, G extends Grade, const F extends Fence = "class">(
  server: Stateful<Self, Id, S>,
  options: StoreOptions<StoreSelf, G, F>
): Layer.Layer<StateOf<Self> | Grants<Self, G> | FenceGrants<Self, F>, StoreError, Supervisor | StoreSelf> =>
  granting<Self, G, F>()(Layer.effect(
    serverOf("StateContainer.layerStore", server).StateContainer,
    Effect.gen(function*() {
      const of = server.key
      const { when = "commit" } = GivenOption.options(of, options)
      storeKeyOf(of, options.store)
      const afterStop = afterStopOf(of, options.afterStop ?? "keep")
      const retry = scheduleOf({ of, option: "retry", given: options.retry ?? defaultRetry })
      const policy = { ...policyOf(of, options), onUnreadable: onUnreadableOf(of, options) }
      const interval = intervalOf(of, when)
      const maxAhead = GivenOption.limit({ of, option: "maxAhead", given: options.maxAhead ?? 10_000 }, 1)
      const store = yield* options.store
      const late = new Set<Unsaved>()
      const session = yield* openSession(server, store, {
        policy,
        // The last word alone is written as soon as it is spoken.
        when: interval === undefined ? "commit" : "late",
        late,
        maxAhead,
        storeKey: nameOf(server.key),
        retry
      }, GivenOption.oneOf({ of, option: "fence", given: options.fence ?? "class" }, fences))
      return yield* container(server, {
        survives: options.store.grade,
        letsGo: when !== "terminate",
        afterStop,
        stored: storedOf(store, server.key),
        alarms: session.alarms,
        whenLost: (end) => {
          session.onLost = end
        },
        // Another process has taken over: it delivers.
        keyOf: (name) => session.isOver() ? undefined : keyOf(server.key, name),
        isLazy: false,
        make: (key) => {
          const durable = new Durable<S>(key, session)
          return when === "terminate" ? new WriteBehindCompanion<S>(durable, true, new Set(), policy.answers) : durable
        },
        dropped: noDeed,
        work: interval === undefined ? Effect.never : repeatedly(interval, () => writeLate(session))
      })
    })
  ))

// Grants are evidence for the type checker alone: no value stands behind them, so nothing but a cast can give them.
const granting =
  <Self, G extends Grade, F extends Fence = "class">() => <E, R>(layer: Layer.Layer<StateOf<Self>, E, R>) =>
    layer as Layer.Layer<StateOf<Self> | Grants<Self, G> | FenceGrants<Self, F>, E, R>
