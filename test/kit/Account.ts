/** A server that answers in every way there is, over a scripted store. */
import { Effect, Exit, type Latch, Layer, Schema } from "effect"
import type { ExitReason } from "../../src/domain/process/ExitReason.ts"
import { DynamicSupervisor, GenServer, Next, StateContainer, Supervisor } from "../../src/index.ts"
import { Harness } from "../../src/testing.ts"
import { layer as storeLayer, Scripted, Store } from "./Scripted.ts"

export class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { by: Schema.Int }) {}

export class Account extends GenServer.Service<Account>()("test/Account", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Get: GenServer.call({ reply: Schema.Int }),
    Overdraw: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, error: Overdrawn }),
    /** Adds now, is answered when `Settle` comes. */
    AddLater: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Settle: GenServer.cast(),
    Put: GenServer.cast({ payload: { to: Schema.Int } }),
    /** Adds after a gate. */
    AddSlowly: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    /** Answers how many batches were asked for once all before it is stored. */
    Barrier: GenServer.call({ reply: Schema.Int }),
    Die: GenServer.call(),
    Finish: GenServer.call({ reply: Schema.Int })
  }
}) {}

/** Another class on the same store. */
export class Saving extends GenServer.Service<Saving>()("test/Saving", {
  state: Schema.Int,
  messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
}) {}

export class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}

export type Accounts = typeof Account.Service

/** What is seen of the servers from inside. */
export class Inside {
  readonly script: Scripted
  /** Messages whose handlers ran, in order. */
  readonly handled: Array<string> = []
  /** What happened to incarnations: `acquired 1`, `released 1`, `terminated Crashed`. */
  readonly life: Array<string> = []
  /** What `AddSlowly` waits for, and whether it can be interrupted. */
  slow: Latch.Latch | undefined = undefined
  uninterruptible = false

  constructor(script: Scripted) {
    this.script = script
  }
}

/** A script, and the inside of servers over it. */
export const scripted = () => {
  const script = new Scripted()
  return { script, inside: new Inside(script) }
}

/** Every incarnation acquires something; `restore` is what a test wants it to be. */
export const behavior = (inside: Inside, restore?: (conserved: number) => Effect.Effect<number>) =>
  Effect.gen(function*() {
    const number = inside.life.filter((line) => line.startsWith("acquired")).length + 1
    yield* Effect.acquireRelease(
      Effect.sync(() => inside.life.push(`acquired ${number}`)),
      () => Effect.sync(() => inside.life.push(`released ${number}`))
    )
    const later: Array<GenServer.From<number, never>> = []
    const note = (message: string) => inside.handled.push(message)
    return Account.behavior({
      init: 0,
      ...(restore === undefined ? {} : { restore }),
      handlers: {
        Add: (state, { by }) => {
          note("Add")
          return [state + by, state + by]
        },
        Get: (state) => [state, state],
        Overdraw: (_state, { by }) => {
          note("Overdraw")
          return Effect.fail(new Overdrawn({ by }))
        },
        AddLater: (state, { by }, { from }) => {
          later.push(from)
          return Next.noReply(state + by)
        },
        Settle: (state) =>
          Effect.as(
            Effect.forEach(later.splice(0), (from) => GenServer.reply(from, Exit.succeed(state)), { discard: true }),
            state
          ),
        Put: (_state, { to }) => {
          note("Put")
          return to
        },
        AddSlowly: (state, { by }) => {
          note("AddSlowly")
          const slowly = Effect.as(inside.slow?.await ?? Effect.void, [state + by, state + by] as const)
          return inside.uninterruptible ? Effect.uninterruptible(slowly) : slowly
        },
        Barrier: (state) =>
          Effect.map(GenServer.stored, () => {
            note("Barrier")
            return [inside.script.batches.length, state] as const
          }),
        Die: () => Effect.die("boom"),
        Finish: (state) => Next.stop("normal", { reply: state, state: state + 1000 })
      },
      terminate: (reason: ExitReason) => {
        inside.life.push(`terminated ${reason._tag}`)
      }
    })
  })

export type StoreOptions = Omit<
  Parameters<typeof StateContainer.layerStore<typeof Account, string, number, Store, "crash">>[1],
  "store"
>

/** One account, under a supervisor that forgives `restarts` crashes. */
export const one = (
  inside: Inside,
  options: StoreOptions = {},
  supervisor: Partial<Supervisor.Options> = {},
  restore?: (conserved: number) => Effect.Effect<number>
) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one", ...supervisor }, [
    StateContainer.layerStore(Account, { store: Store, ...options }),
    Account.layer(behavior(inside, restore))
  ]).pipe(Layer.provide(storeLayer(inside.script)), Layer.provideMerge(Harness.Harness.layer))

/** A pool for accounts by key, and a single server of another class beside it. */
export const many = (inside: Inside, options: StoreOptions = {}, supervisor: Partial<Supervisor.Options> = {}) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one", ...supervisor }, [
    StateContainer.layerStore(Account, { store: Store, ...options }),
    StateContainer.layerStore(Saving, { store: Store }),
    Saving.layer({ init: 0, handlers: { Add: (state, { by }) => [state + by, state + by] } }),
    Pool.layer()
  ]).pipe(Layer.provide(storeLayer(inside.script)), Layer.provideMerge(Harness.Harness.layer))

/** Starts an account with a key in the pool. */
export const start = (inside: Inside, key: string) =>
  Effect.flatMap(Pool, (pool) => pool.startChild(Account.recipe(behavior(inside), { key, restart: "transient" })))
