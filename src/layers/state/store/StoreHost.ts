/**
 * A store at work: the store, guarded, with its one writer, what delivers its timers, and its health.
 *
 * A store that is provided by a Layer of this library, or by `StateStore.layer`, has the fibers of both in the Layer's
 * Scope. One that was put into the context as a plain value has no Scope of its own: the first session that uses it
 * starts them, and the last one ends them.
 *
 * *Tricky*: a store may be a user's own code. Each call of it is an Effect here, so a method that throws, or
 * answers with something that is no Effect, fails that one operation with a defect.
 *
 * @since 0.1.0
 */
import { Context, Effect, Exit, Fiber, Schedule, Scope } from "effect"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Grade } from "../../../domain/state/Survival.ts"
import { guarded } from "../../process/Execute.ts"
import { Alarms } from "./Alarms.ts"
import { StoreHealth } from "./StoreHealth.ts"
import type { StateStore } from "./StoreShape.ts"
import { StoreWriter } from "./StoreWriter.ts"
import { Tenures } from "./Tenure.ts"

/** A store at work. */
export interface StoreHost {
  readonly store: StateStore<Grade>
  readonly writer: StoreWriter
  readonly health: StoreHealth
  readonly tenures: Tenures
  /** Absent when the store keeps no timers. */
  readonly alarms: Alarms | undefined
}

const hostKey: unique symbol = Symbol("heirloom/StateStore/host")

interface Hosted {
  readonly [hostKey]?: StoreHost
}

/** Asked once: what asks again is what delivers. */
const once = Schedule.recurs(0)

/** Runs a store's writer, and what delivers its timers, in a Scope. */
const start = (unguarded: StateStore<Grade>, context: Context.Context<never>, scope: Scope.Scope): StoreHost => {
  const health = new StoreHealth(unguarded.name)
  const store = guard(unguarded, health)
  const save: typeof store.save = (records) => calling(unguarded, "save", () => unguarded.save(records))
  const writer = new StoreWriter(store.name, save, health, context)
  const { timers } = store
  const alarms = timers === undefined
    ? undefined
    : new Alarms(store.name, (...page) => health.ask(timers(...page), once, () => 1, "read"), context)
  const run = Effect.runForkWith(context)
  Fiber.runIn(run(writer.run), scope)
  if (alarms !== undefined) Fiber.runIn(run(alarms.run), scope)
  return { store, writer, health, tenures: new Tenures(store, health, context), alarms }
}

/** A store that runs its writer in the Scope: the value that a Layer provides. */
export const hosted = <G extends Grade>(
  store: StateStore<Grade>,
  grade: G
): Effect.Effect<StateStore<G>, never, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) => {
    const host = start(store, context, Context.get(context, Scope.Scope))
    // Not copied with its methods: a copy with other methods is another store.
    return Effect.succeed(Object.defineProperty({ ...host.store, grade }, hostKey, { value: host }))
  })

/** The host of a store: that of its Layer, or one that lives as long as any session uses it. */
export const of = (store: StateStore<Grade> & Hosted): Effect.Effect<StoreHost, never, Scope.Scope> =>
  store[hostKey] === undefined ? shared(store) : Effect.succeed(store[hostKey])

interface Shared {
  readonly host: StoreHost
  readonly scope: Scope.Closeable
  sessions: number
}

/** Stores that are plain values, as long as a session uses them. */
const plain = new Map<StateStore<Grade>, Shared>()

const shared = (store: StateStore<Grade>): Effect.Effect<StoreHost, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.contextWith((context: Context.Context<never>) => {
      const scope = Scope.makeUnsafe()
      const one = plain.get(store) ?? { host: start(store, context, scope), scope, sessions: 0 }
      one.sessions++
      plain.set(store, one)
      return Effect.succeed(one)
    }),
    (one) =>
      Effect.suspend(() => {
        if (--one.sessions > 0) return Effect.void
        plain.delete(store)
        return Scope.close(one.scope, Exit.void)
      })
  ).pipe(Effect.map(({ host }) => host))

type Method = keyof StateStore<Grade>

/** What changes what is kept, or who may change it. */
const writes: ReadonlySet<Method> = new Set(["acquireEpoch", "hold", "remove", "save", "setAside", "settle"])

/** What is waited for, however long it takes: a write that is given up may be stored all the same. */
const awaited: ReadonlySet<Method> = new Set(["hold", "remove", "save"])

const calling = <A, R = never>(
  { name }: StateStore<Grade>,
  method: Method,
  make: () => Effect.Effect<A, StoreError, R>
): Effect.Effect<A, StoreError, R> => Effect.suspend(() => guarded(`${method} of the state store "${name}"`, make))

const guard = (store: StateStore<Grade>, health: StoreHealth): StateStore<Grade> => {
  const ask = <A, R = never>(
    method: Method,
    make: () => Effect.Effect<A, StoreError, R>
  ): Effect.Effect<A, StoreError, R> =>
    health.heard(
      method,
      calling(store, method, make),
      writes.has(method) ? "write" : "read",
      !awaited.has(method)
    )
  const { confirm, count, doubt, hold, settle } = store
  const timersOf = (timers: NonNullable<StateStore<Grade>["timers"]>): typeof timers => (limit, after, until) =>
    ask("timers", () => timers(limit, after, until))
  return {
    name: store.name,
    grade: store.grade,
    acquireEpoch: (owner, of) => ask("acquireEpoch", () => store.acquireEpoch(owner, of)),
    ...(confirm === undefined ? {} : { confirm: (epoch, key) => ask("confirm", () => confirm(epoch, key)) }),
    ...(hold === undefined
      ? {}
      : { hold: { ownership: hold.ownership, patience: hold.patience, take: ask("hold", () => hold.take) } }),
    load: (key) => ask("load", () => store.load(key)),
    save: (records) => ask("save", () => store.save(records)),
    setAside: (snapshot) => ask("setAside", () => store.setAside(snapshot)),
    listAside: (key) => ask("listAside", () => store.listAside(key)),
    keys: (prefix, page) => ask("keys", () => store.keys(prefix, page)),
    ...(count === undefined ? {} : { count: (prefix) => ask("count", () => count(prefix)) }),
    remove: (keys, epoch) => ask("remove", () => store.remove(keys, epoch)),
    ...(doubt === undefined ? {} : { doubt: ask("doubt", () => doubt) }),
    ...(settle === undefined ? {} : { settle: (epoch) => ask("settle", () => settle(epoch)) }),
    ...(store.timers === undefined ? {} : { timers: timersOf(store.timers) })
  }
}
