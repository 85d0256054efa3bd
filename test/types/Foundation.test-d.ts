/**
 * The promises that the type checker keeps: what composes, what each client method comes to, and what does not compile.
 */
import { Context, Effect, type Exit, Layer, Schema, type Scope } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import {
  DynamicSupervisor,
  GenServer,
  Next,
  StateContainer,
  StateStore,
  StateTable,
  Supervisor
} from "../../src/index.ts"
import * as StateStoreFile from "../../src/layers/state/StateStoreFile.ts"

class Db extends Context.Service<Db, { readonly q: Effect.Effect<number, "down"> }>()("types/Db") {}
class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { amount: Schema.Int }) {}

class Counter extends GenServer.Service<Counter>()("types/Counter", {
  state: Schema.Int,
  messages: {
    Increment: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Withdraw: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int, error: Overdrawn }),
    Step: GenServer.call({ payload: { by: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(1))) } }),
    Get: GenServer.call({ reply: Schema.Int }),
    Reset: GenServer.cast(),
    Put: GenServer.cast({ payload: { to: Schema.Int } }),
    Crash: GenServer.call()
  }
}) {}

const CounterLive = Counter.layer({
  init: 0,
  handlers: {
    Increment: (count, { by }) => [count + by, count + by],
    Withdraw: (count, { amount }) =>
      amount > count ? Effect.fail(new Overdrawn({ amount })) : Effect.succeed([count - amount, count - amount]),
    Step: (n, { by }) => [undefined, n + by],
    Get: (n) => [n, n],
    Reset: () => 0,
    Put: (_n, { to }) => to,
    Crash: () => Effect.die("boom")
  }
})

const handlers = Counter.behavior({
  init: 0,
  handlers: {
    Increment: (n) => [n, n],
    Withdraw: (n) => [n, n],
    Step: (n) => [undefined, n],
    Get: (n) => [n, n],
    Reset: () => 0,
    Put: (_n, { to }) => to,
    Crash: (n) => [undefined, n]
  }
}).handlers

const CounterDurable = Counter.layer(
  Effect.gen(function*() {
    const db = yield* Db
    return Counter.behavior({
      init: db.q,
      handlers: { ...handlers, Reset: () => Effect.succeed(0) }
    })
  }),
  { survives: "process" }
)

class Disk extends StateStore.Service<Disk>()("types/Disk", "process") {}

declare const counter: Counter["Service"]

const one = { strategy: "one_for_one" } as const

describe("trees", () => {
  it("provide their servers and need nothing, when every child has what it needs", () => {
    const app = Supervisor.layer(one, [StateContainer.layerMemory(Counter), CounterLive])
    expectTypeOf(app).toExtend<Layer.Layer<Counter>>()
    expectTypeOf(Effect.provide(Counter, app)).toEqualTypeOf<Effect.Effect<Counter["Service"]>>()
  })

  it("pass on the needs of their children, and the errors of building them", () => {
    const app = Supervisor.layer(one, [StateContainer.layerStore(Counter, { store: Disk }), CounterDurable])
    expectTypeOf(Effect.provide(Counter, app)).toEqualTypeOf<
      Effect.Effect<Counter["Service"], "down" | StateStore.StoreError, Db | Disk>
    >()
  })

  it("without a companion for a server do not compile where nothing is left to be needed", () => {
    const app = Supervisor.layer(one, [CounterLive])
    // @ts-expect-error the companion is not provided
    Effect.runFork(Effect.provide(Counter, app))
  })

  it("with children in the wrong order do not compile there, either", () => {
    const app = Supervisor.layer(one, [CounterLive, StateContainer.layerMemory(Counter)])
    // @ts-expect-error the companion must come before the server that needs it
    Effect.runFork(Effect.provide(Counter, app))
  })

  it("do not compile there, either, when a companion survives less than its server asks for", () => {
    const asking = Counter.layer({ init: 0, handlers }, { survives: "process" })
    const memory = Supervisor.layer(one, [StateContainer.layerMemory(Counter), asking])
    // @ts-expect-error a companion in memory does not survive the process
    Effect.runFork(Effect.provide(Counter, memory))
    const forgetful = Supervisor.layer(one, [StateContainer.layerForget(Counter), asking])
    // @ts-expect-error nor does none at all
    Effect.runFork(Effect.provide(Counter, forgetful))
    const table = Supervisor.layer(one, [StateContainer.layerTable(Counter), asking])
    // @ts-expect-error nor does one in a table
    Effect.runFork(Effect.provide(Effect.provide(Counter, table), StateTable.StateTable.layer))
  })

  it("compile when a companion survives more than its server asks for", () => {
    const asking = Counter.layer({ init: 0, handlers }, { survives: "crash" })
    const app = Supervisor.layer(one, [StateContainer.layerStore(Counter, { store: Disk }), asking])
    expectTypeOf(Effect.provide(Counter, app)).toEqualTypeOf<
      Effect.Effect<Counter["Service"], StateStore.StoreError, Disk>
    >()
    const forgetful = Supervisor.layer(one, [StateContainer.layerForget(Counter), asking])
    // @ts-expect-error it asks to survive a crash, and layerForget survives nothing
    Effect.runFork(Effect.provide(Counter, forgetful))
  })

  it("say whose fence a companion has: what spreads keys over processes does not compile over one of the whole store", () => {
    const spread = Layer.effectDiscard(Effect.void as Effect.Effect<void, never, StateContainer.FencedByKey<Counter>>)
    const whole = Layer.provide(spread, Supervisor.layer(one, [StateContainer.layerStore(Counter, { store: Disk })]))
    expectTypeOf(whole).toEqualTypeOf<
      Layer.Layer<never, StateStore.StoreError, Disk | StateContainer.FencedByKey<Counter>>
    >()
    const either = StateContainer.layerStore(Counter, { store: Disk, fence: "key" as "class" | "key" })
    const unknown = Layer.provide(spread, Supervisor.layer(one, [either]))
    expectTypeOf(unknown).toEqualTypeOf<
      Layer.Layer<never, StateStore.StoreError, Disk | StateContainer.FencedByKey<Counter>>
    >()
    const container = StateContainer.layerStore(Counter, { store: Disk, fence: "key" })
    const byKey = Layer.provide(spread, Supervisor.layer(one, [container]))
    expectTypeOf(byKey).toEqualTypeOf<Layer.Layer<never, StateStore.StoreError, Disk>>()
    // @ts-expect-error a folder has one owner
    StateStoreFile.layer(Disk, { directory: "data", ownership: "shared" })
  })

  it("do not mix up the companions of two classes", () => {
    class Other extends GenServer.Service<Other>()("types/Other", { state: Schema.Int, messages: {} }) {}
    const app = Supervisor.layer(one, [StateContainer.layerMemory(Other), CounterLive])
    // @ts-expect-error that is another class's companion
    Effect.runFork(Effect.provide(Counter, app))
  })
})

describe("clients", () => {
  it("have the exact channels of each message", () => {
    expectTypeOf(counter.Increment({ by: 1 })).toEqualTypeOf<Effect.Effect<number, GenServer.CallError>>()
    expectTypeOf(counter.Withdraw({ amount: 1 }, { timeout: "1 second" })).toEqualTypeOf<
      Effect.Effect<number, Overdrawn | GenServer.CallError>
    >()
    expectTypeOf(counter.Crash()).toEqualTypeOf<Effect.Effect<void, GenServer.CallError>>()
    expectTypeOf(counter.Reset()).toEqualTypeOf<Effect.Effect<void>>()
    expectTypeOf(counter.Get({}, { timeout: "infinity" })).toEqualTypeOf<Effect.Effect<number, GenServer.CallError>>()
  })

  it("refuse a wrong payload, a missing one, and messages there are not", () => {
    // @ts-expect-error wrong payload
    counter.Increment({ by: "x" })
    // @ts-expect-error a field is missing
    counter.Increment({})
    // @ts-expect-error the payload is missing
    counter.Increment()
    // @ts-expect-error a call without a payload has its options second, like every other
    counter.Get({ timeout: "1 second" })
    // @ts-expect-error a cast without a payload takes nothing
    counter.Reset({ by: 1 })
    // @ts-expect-error there is no such message
    counter.Decrement()
    // @ts-expect-error a cast's sender waits for nothing, so there is nothing to time out
    counter.Put({ to: 1 }, { timeout: "1 second" })
  })

  it("let fields with a constructor default be left out", () => {
    expectTypeOf(counter.Step()).toEqualTypeOf<Effect.Effect<void, GenServer.CallError>>()
    expectTypeOf(counter.Step({ by: 2 })).toEqualTypeOf<Effect.Effect<void, GenServer.CallError>>()
  })
})

describe("handlers", () => {
  it("may fail only with what their message declares", () => {
    Counter.layer({
      init: 0,
      handlers: {
        ...handlers,
        // @ts-expect-error Get declares no error
        Get: () => Effect.fail("undeclared")
      }
    })
    Counter.layer({
      init: 0,
      handlers: {
        ...handlers,
        // @ts-expect-error a cast has no caller to fail
        Reset: () => Effect.fail(new Overdrawn({ amount: 1 }))
      }
    })
  })

  it("exist for every message, and for no other", () => {
    Counter.layer({
      init: 0,
      // @ts-expect-error messages without a handler
      handlers: { Reset: () => 0 }
    })
    Counter.layer({
      init: 0,
      handlers: {
        ...handlers,
        // @ts-expect-error there is no such message
        Nope: () => 0
      }
    })
  })

  it("answer with what their message promises", () => {
    Counter.layer({
      init: 0,
      handlers: {
        ...handlers,
        // @ts-expect-error the reply is a number
        Get: (n) => ["one", n]
      }
    })
    Counter.layer({
      init: 0,
      handlers: {
        ...handlers,
        // @ts-expect-error the next state is a number
        Put: () => "one"
      }
    })
    Counter.layer({
      init: 0,
      handlers: {
        ...handlers,
        // @ts-expect-error a call is answered, or promised an answer
        Get: (n) => n
      }
    })
  })

  it("know state, payload, and the caller to answer later", () => {
    Counter.layer({
      init: 0,
      handlers: {
        ...handlers,
        Withdraw: (n, payload, context) => {
          expectTypeOf(n).toEqualTypeOf<number>()
          expectTypeOf(payload).toEqualTypeOf<{ readonly amount: number }>()
          expectTypeOf(context.from).toEqualTypeOf<GenServer.From<number, Overdrawn>>()
          return Next.noReply(n)
        }
      }
    })
    const from = null as unknown as GenServer.From<number, Overdrawn>
    expectTypeOf(GenServer.reply<number, Overdrawn>).toBeCallableWith(
      from,
      null as unknown as Exit.Exit<number, Overdrawn>
    )
    // @ts-expect-error the caller was promised a number
    GenServer.reply(from, null as unknown as Exit.Exit<string, Overdrawn>)
  })

  it("may use services, which the layer then needs, and the incarnation's Scope, which it has", () => {
    const server = Counter.layer({
      init: 0,
      handlers: {
        ...handlers,
        Get: (n) => Effect.map(Effect.orDie(Effect.flatMap(Db, (db) => db.q)), (read) => [read, n] as const),
        Reset: (n) => Effect.as(GenServer.castAfter(counter.Reset(), "1 second"), n)
      }
    })
    expectTypeOf<Layer.Services<typeof server>>().toEqualTypeOf<
      Db | Supervisor.Supervisor | StateContainer.StateOf<Counter>
    >()
    expectTypeOf<Extract<Layer.Services<typeof server>, Scope.Scope>>().toBeNever()
  })

  it("may not mutate what they are given", () => {
    class Names extends GenServer.Service<Names>()("types/Names", {
      state: Schema.Array(Schema.String),
      messages: { Add: GenServer.cast({ payload: { name: Schema.String } }) }
    }) {}
    Names.layer({
      init: [],
      handlers: {
        Add: (names, { name }) => {
          // @ts-expect-error the state is readonly
          names.push(name)
          return names
        }
      }
    })
  })
})

describe("servers at run time", () => {
  class Pool extends DynamicSupervisor.Service<Pool>()("types/Pool") {}

  it("are references with the same methods, and fail to start with the error of their init", () => {
    const started = Effect.flatMap(
      Pool,
      (pool) => pool.startChild(Counter.recipe({ init: Effect.fail("no" as const), handlers }, { key: "a" }))
    )
    expectTypeOf(started).toEqualTypeOf<
      Effect.Effect<Counter["Service"], Supervisor.StartError<"no">, Pool | StateContainer.StateOf<Counter>>
    >()
  })

  it("have a key", () => {
    // @ts-expect-error a key is missing
    Counter.start({ init: 0, handlers }, {})
  })
})
