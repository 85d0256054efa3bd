/** What of servers and agents compiles, and what does not. */
import { Context, Effect, type Layer, Schema, type Stream } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import { Agent, GenServer, Next, type Process, StateContainer, Supervisor, Sys, Timer } from "../../src/index.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}
class Rate extends Context.Service<Rate, number>()("types/Rate") {}

class Account extends GenServer.Service<Account>()("types/Account", {
  state: Schema.Struct({ balance: Schema.Int, open: Schema.Boolean }),
  messages: {
    Pay: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, error: Refused }),
    Tick: GenServer.cast({ internal: true })
  }
}) {}

class Visits extends Agent.Service<Visits>()("types/Visits", { state: Schema.Int }) {}

type State = { readonly balance: number; readonly open: boolean }

const behavior = Account.behavior({
  init: { balance: 0, open: true },
  handlers: {
    Pay: (state, { by }) => by > 0 ? [by, { ...state, balance: state.balance + by }] : Effect.fail(new Refused()),
    Tick: (state) => state
  }
})

declare const account: Account["Service"]
declare const visits: Visits["Service"]
declare const anyProcess: Process.HasProcess

describe("clients", () => {
  it("have no internal messages; the server's own has them", () => {
    expectTypeOf(account).toHaveProperty("Pay")
    expectTypeOf(account).not.toHaveProperty("Tick")
    const ticking = Effect.flatMap(Account.self, (self) => self.Tick())
    expectTypeOf(ticking).toEqualTypeOf<Effect.Effect<void, never, GenServer.SelfOf<Account>>>()
  })

  it("have no method that makes something else of them", () => {
    const state = Schema.Int
    const thenable = Object.create(null) as { readonly [K in "Get" | "then"]: GenServer.Cast<{}> }
    // @ts-expect-error a client would be a thenable
    GenServer.Service<never>()("types/Then", { state, messages: thenable })
    // @ts-expect-error
    GenServer.Service<never>()("types/Constructor", { state, messages: { constructor: GenServer.cast() } })
    // @ts-expect-error
    GenServer.Service<never>()("types/Json", { state, messages: { toJSON: GenServer.cast() } })
    // @ts-expect-error
    GenServer.Service<never>()("types/Pipe", { state, messages: { pipe: GenServer.cast() } })
    // @ts-expect-error
    GenServer.Service<never>()("types/Text", { state, messages: { toString: GenServer.cast() } })
    // @ts-expect-error it is what the server goes by
    GenServer.Service<never>()("types/Key", { state, messages: { key: GenServer.cast() } })
  })

  it("of a key may fail to start their server, too", () => {
    const client = Account.via("a")
    expectTypeOf<Effect.Services<typeof client>>().toEqualTypeOf<GenServer.Keyed<Account>>()
    const paid = Effect.flatMap(client, (account) => account.Pay({ by: 1 }))
    const direct = Effect.flatMap(Account.at("a"), (account) => account.Pay({ by: 1 }))
    expectTypeOf<Effect.Error<typeof paid>>().toEqualTypeOf<Effect.Error<typeof direct>>()
    expectTypeOf<Effect.Success<typeof paid>>().toEqualTypeOf<Effect.Success<typeof direct>>()
  })

  it("know the key of their server, if it has one", () => {
    expectTypeOf(account.key).toEqualTypeOf<string | undefined>()
    expectTypeOf<Effect.Success<typeof Account.self>["key"]>().toEqualTypeOf<string | undefined>()
  })

  it("self is met by a server of the class, and by nothing else", () => {
    const server = Account.layer({
      init: Effect.as(Account.self, { balance: 0, open: true }),
      handlers: { ...behavior.handlers, Tick: (state) => Effect.as(Account.self, state) }
    })
    const app = Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerForget(Account), server])
    expectTypeOf(Effect.provide(Account, app)).toEqualTypeOf<Effect.Effect<Account["Service"]>>()
    // @ts-expect-error outside a server there is no self
    Effect.runFork(Account.self)
  })
})

describe("the key in a handler's context", () => {
  const { init } = behavior
  const { Pay } = behavior.handlers

  it("is a string where the server was given one", () => {
    const Tick = (state: State, _: {}, { key }: { readonly key: string }) => ({ ...state, open: key !== "" })
    Account.layerKeyed({ init, handlers: { Pay, Tick } })
    Account.recipe({ init, handlers: { Pay, Tick } }, { key: "a" })
    Account.start({ init, handlers: { Pay, Tick } }, { key: "a" })
    // @ts-expect-error the one server of a class has none
    Account.layer({ init, handlers: { Pay, Tick } })
    Account.layerKeyed({
      init,
      handlers: {
        Pay,
        Tick: (state, _, { key }) => {
          expectTypeOf(key).toEqualTypeOf<string>()
          return state
        }
      }
    })
  })

  it("is undefined where it was not, and either in a behaviour for both", () => {
    Account.layer({
      init,
      handlers: {
        Pay,
        Tick: (state, _, { key }) => {
          expectTypeOf(key).toEqualTypeOf<undefined>()
          return state
        }
      }
    })
    const both = Account.behavior({
      init,
      handlers: {
        Pay,
        Tick: (state, _, { key, seq }) => {
          expectTypeOf(key).toEqualTypeOf<string | undefined>()
          expectTypeOf(seq).toEqualTypeOf<number>()
          return state
        }
      }
    })
    Account.layer(both)
    Account.layerKeyed(both)
  })

  it("is what a behaviour may be made of, by a function or an Effect, and its needs are the layer's", () => {
    const plain = Account.layerKeyed((key) => ({
      init: { balance: key.length, open: true },
      handlers: { Pay, Tick: (state) => ({ ...state, open: false }) }
    }))
    const effectful = Account.layerKeyed((key) =>
      Effect.map(Rate, (rate) => Account.behavior({ ...behavior, init: { balance: rate, open: key !== "" } }))
    )
    type In<L> = L extends Layer.Layer<any, any, infer R> ? R : never
    expectTypeOf<In<typeof plain>>().toEqualTypeOf<Supervisor.Supervisor | StateContainer.StateOf<Account>>()
    expectTypeOf<In<typeof effectful>>().toEqualTypeOf<In<typeof plain> | Rate>()
    // @ts-expect-error a handler lacks
    Account.layerKeyed((key) => ({ init: { balance: key.length, open: true }, handlers: { Pay } }))
    // @ts-expect-error the one server of a class has no key to make it of
    Account.layer((key: string) => ({ ...behavior, init: { balance: key.length, open: true } }))
  })
})

describe("answers", () => {
  it("are as good as their state, written in place", () => {
    Account.behavior({
      init: Next.start({ balance: 0, open: true }, { idleAfter: 10 }),
      handlers: {
        Pay: (state) => Next.reply(1, { balance: 0, open: false }, { continueWith: () => state }),
        Tick: () => Next.noReply({ balance: 0, open: true }, { idleAfter: 10 })
      }
    })
    Account.behavior({
      init: { balance: 0, open: true },
      handlers: {
        Pay: (state) => [1, state],
        // @ts-expect-error a state lacks a field
        Tick: () => Next.noReply({ balance: 0 })
      }
    })
    Account.behavior({
      init: { balance: 0, open: true },
      handlers: {
        Pay: (state) => [1, state],
        // @ts-expect-error a continuation makes no state of it
        Tick: (state) => Next.noReply(state, { continueWith: () => "nonsense" })
      }
    })
  })
})

describe("Sys", () => {
  it("knows the state of a server from its reference", () => {
    expectTypeOf(Sys.getState(account)).toEqualTypeOf<Effect.Effect<State, GenServer.CallError>>()
    expectTypeOf(Sys.getState(visits)).toEqualTypeOf<Effect.Effect<number, GenServer.CallError>>()
    expectTypeOf(Sys.replaceState(visits, (n) => Effect.map(Rate, (rate) => n * rate))).toEqualTypeOf<
      Effect.Effect<number, GenServer.CallError | GenServer.ReplaceFailed, Rate>
    >()
  })

  it("refuses another state, and a process that is no server", () => {
    // @ts-expect-error
    Sys.replaceState(account, () => 1)
    // @ts-expect-error
    Sys.getState(anyProcess)
    // @ts-expect-error
    Sys.suspend(anyProcess)
    expectTypeOf(Sys.getStatus(anyProcess)).toEqualTypeOf<Effect.Effect<Sys.Status, GenServer.CallError>>()
  })
})

describe("replace", () => {
  it("takes a behaviour of the class, and its needs from the caller", () => {
    expectTypeOf(GenServer.replace(account, behavior)).toEqualTypeOf<
      Effect.Effect<void, GenServer.CallError | GenServer.ReplaceFailed>
    >()
    const needing = GenServer.replace(account, {
      ...behavior,
      handlers: {
        Pay: (state, { by }) => Effect.map(Rate, (rate) => [rate, { ...state, balance: by }] as const),
        Tick: (state) => Effect.as(Account.self, state)
      }
    }, { migrate: (state) => Effect.map(Rate, (rate) => ({ ...state, balance: state.balance * rate })) })
    expectTypeOf(needing).toEqualTypeOf<Effect.Effect<void, GenServer.CallError | GenServer.ReplaceFailed, Rate>>()
  })

  it("refuses a behaviour that lacks a handler, has one too many, or fails otherwise than declared", () => {
    const { Pay } = behavior.handlers
    const init = { balance: 0, open: true }
    // @ts-expect-error no handler for Tick
    GenServer.replace(account, { init, handlers: { Pay } })
    // @ts-expect-error a handler for nothing
    GenServer.replace(account, { init, handlers: { ...behavior.handlers, Other: () => init } })
    // @ts-expect-error a failure that is not declared
    GenServer.replace(account, { init, handlers: { ...behavior.handlers, Pay: () => Effect.fail("undeclared") } })
    // @ts-expect-error a state of another class
    GenServer.replace(account, behavior, { migrate: () => 1 })
  })
})

describe("agents", () => {
  it("answer what functions answer, and fail as they fail", () => {
    expectTypeOf(visits.get()).toEqualTypeOf<Effect.Effect<number, GenServer.CallError>>()
    expectTypeOf(visits.get(String)).toEqualTypeOf<Effect.Effect<string, GenServer.CallError>>()
    expectTypeOf(visits.get((n) => n > 0 ? Effect.succeed(n) : Effect.fail(new Refused()))).toEqualTypeOf<
      Effect.Effect<number, GenServer.CallError | Refused>
    >()
    expectTypeOf(visits.getAndUpdate((n) => [String(n), n + 1])).toEqualTypeOf<
      Effect.Effect<string, GenServer.CallError>
    >()
    expectTypeOf(visits.update(() => Effect.fail(new Refused()))).toEqualTypeOf<
      Effect.Effect<void, GenServer.CallError | Refused>
    >()
  })

  it("refuse a function that makes another state, or needs what the agent has not", () => {
    // @ts-expect-error
    visits.update(String)
    // @ts-expect-error
    visits.cast(() => Effect.fail("nobody hears of it"))
    // @ts-expect-error
    visits.update((n) => Effect.map(Rate, (rate) => n * rate))
  })

  it("take a timeout, and no idempotency key: two functions cannot be compared", () => {
    visits.update((n) => n + 1, { timeout: "1 second" })
    // @ts-expect-error
    visits.update((n) => n + 1, { idempotencyKey: "a" })
    // @ts-expect-error
    visits.getAndUpdate((n) => [n, n + 1] as const, { idempotencyKey: "a" })
    // @ts-expect-error
    visits.get((n) => n, { idempotencyKey: "a" })
  })
})

describe("orCrash", () => {
  it("takes CallError out of what can fail, and nothing else", () => {
    expectTypeOf(GenServer.orCrash(account.Pay({ by: 1 }))).toEqualTypeOf<Effect.Effect<number, Refused>>()
    expectTypeOf(account.Pay({ by: 1 }).pipe(GenServer.orCrash)).toEqualTypeOf<Effect.Effect<number, Refused>>()
    expectTypeOf(GenServer.orCrash(visits.get())).toEqualTypeOf<Effect.Effect<number>>()
    expectTypeOf(GenServer.orCrash(Effect.void)).toEqualTypeOf<Effect.Effect<void>>()
  })
})

describe("durable timers", () => {
  const tick = Timer.every("tick", "1 hour", Account.message.Tick())
  const pay = Timer.at("pay", 0, Account.message.Pay({ by: 1 }))
  class Other extends GenServer.Service<Other>()("types/Other", {
    state: Schema.Int,
    messages: { Ring: GenServer.cast() }
  }) {}
  const ring = Timer.after("ring", "1 second", Other.message.Ring())

  it("are for messages of the server's own class, internal ones too", () => {
    const timed = Account.behavior({
      init: Next.start({ balance: 0, open: true }, { timers: [tick] }),
      restore: (state) => Next.start(state, { timers: [Timer.cancel("pay")] }),
      handlers: {
        Pay: (state, { by }) => Next.reply(by, state, { timers: [pay, tick, Timer.cancel("pay")] }),
        Tick: (state, _, { timer }) => {
          expectTypeOf(timer).toEqualTypeOf<Timer.Fired | undefined>()
          return Next.noReply(state, {
            timers: [tick],
            continueWith: (state) => Next.noReply(state, { timers: [pay] })
          })
        }
      }
    })
    Account.layer(timed)
    Account.layerKeyed(timed)
    Account.layer({
      ...behavior,
      // @ts-expect-error a message of another class
      init: Next.start({ balance: 0, open: true }, { timers: [ring] })
    })
    Account.layer({
      ...behavior,
      handlers: {
        ...behavior.handlers,
        // @ts-expect-error
        Pay: (state, { by }) => Next.reply(by, state, { timers: [ring] })
      }
    })
    Account.layer({
      ...behavior,
      handlers: {
        ...behavior.handlers,
        // @ts-expect-error
        Tick: (state) => Effect.succeed(Next.noReply(state, { timers: [tick, ring] }))
      }
    })
  })

  it("have the payload of their message", () => {
    // @ts-expect-error it has one
    Account.message.Pay()
    // @ts-expect-error of another type
    Account.message.Pay({ by: "1" })
    // @ts-expect-error it has none
    Account.message.Tick({ by: 1 })
    // @ts-expect-error there is no such message
    void Account.message.Refund
  })
})

describe("the changes of a state", () => {
  it("have the state of their server, agent, key or companion", () => {
    expectTypeOf(GenServer.changes(account)).toEqualTypeOf<Stream.Stream<GenServer.Change<State>>>()
    expectTypeOf(GenServer.changes(visits)).toEqualTypeOf<Stream.Stream<GenServer.Change<number>>>()
    expectTypeOf(Account.changes("a")).toEqualTypeOf<
      Stream.Stream<GenServer.Change<State>, never, StateContainer.StateOf<Account>>
    >()
    const companion = Effect.map(Visits.StateContainer, (container) => container.for("a").changes())
    expectTypeOf<Effect.Success<typeof companion>>().toEqualTypeOf<Stream.Stream<GenServer.Change<number>>>()
    // @ts-expect-error a process of any kind has no state to show
    GenServer.changes(anyProcess)
    // @ts-expect-error a server does not wait for its readers
    GenServer.changes(account, { buffer: { capacity: 1, strategy: "suspend" } })
  })
})
