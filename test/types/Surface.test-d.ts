/** What a name stands for, and what can be written in a pipe, as types. */
import { Context, Effect, Exit, type Layer, Schema } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import {
  Agent,
  type DynamicSupervisor,
  GenServer,
  Next,
  PartitionSupervisor,
  Process,
  type Registry,
  StateContainer,
  Supervisor,
  Sys,
  type TaskSupervisor
} from "../../src/index.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}
class Rate extends Context.Service<Rate, number>()("types/Rate") {}

class Visits extends Agent.Service<Visits>()("types/Visits", { state: Schema.Int }) {}
class Counter extends GenServer.Service<Counter>()("types/Counter", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, error: Refused }),
    Reset: GenServer.cast()
  }
}) {}

class Jobs extends PartitionSupervisor.Service<Jobs, DynamicSupervisor.DynamicSupervisor>()("types/Jobs") {}
class Tasks extends PartitionSupervisor.Service<Tasks, TaskSupervisor.TaskSupervisor>()("types/Tasks") {}

declare const visits: Registry.Via<Visits["Service"]>
declare const counters: Registry.Via<Counter["Service"]>
declare const counter: Counter["Service"]
declare const jobs: Jobs["Service"]
declare const tasks: Tasks["Service"]
declare const supervisors: Registry.Via<Supervisor.Supervisor>

describe("the process that a name stands for", () => {
  it("has the overloads and type parameters of an agent", () => {
    expectTypeOf(visits.get()).toEqualTypeOf<Effect.Effect<number, GenServer.CallError>>()
    expectTypeOf(visits.get(String)).toEqualTypeOf<Effect.Effect<string, GenServer.CallError>>()
    expectTypeOf(visits.get(() => Effect.fail(new Refused()))).toEqualTypeOf<
      Effect.Effect<never, GenServer.CallError | Refused>
    >()
    expectTypeOf(visits.getAndUpdate((n) => [String(n), n + 1])).toEqualTypeOf<
      Effect.Effect<string, GenServer.CallError>
    >()
    // @ts-expect-error it makes another state
    visits.update(String)
  })

  it("may not be there: a cast fails, too, and nothing else changes", () => {
    expectTypeOf(visits.cast((n) => n + 1)).toEqualTypeOf<Effect.Effect<void, GenServer.CallError>>()
    expectTypeOf(counters.Reset()).toEqualTypeOf<Effect.Effect<void, GenServer.CallError>>()
    expectTypeOf(counters.Add({ by: 1 }, { timeout: "1 second" })).toEqualTypeOf<
      Effect.Effect<number, GenServer.CallError | Refused>
    >()
    // @ts-expect-error it is an integer
    counters.Add({ by: "1" })
  })

  it("is a server: its answers have the type of its state", () => {
    expectTypeOf(Sys.getState(visits)).toEqualTypeOf<Effect.Effect<number, GenServer.CallError>>()
    expectTypeOf(Process.status(counters)).toEqualTypeOf<Effect.Effect<Process.Status>>()
  })

  it("has the type parameters of a supervisor, and may not be there", () => {
    const recipe = Counter.recipe({ init: 0, handlers: { Add: (n) => [n, n], Reset: () => 0 } }, { key: "a" })
    const started = jobs.via("joe").startChild(recipe)
    expectTypeOf<Effect.Success<typeof started>>().toEqualTypeOf<Counter["Service"]>()
    expectTypeOf<Effect.Error<typeof started>>().toEqualTypeOf<
      Supervisor.StartError<never> | GenServer.CallError
    >()
    const named = supervisors.startChild(recipe, { id: "b" })
    expectTypeOf<Effect.Success<typeof named>>().toEqualTypeOf<Counter["Service"]>()
    const task = tasks.via("joe").asyncNolink(Effect.map(Rate, String))
    expectTypeOf<Effect.Success<typeof task>>().toEqualTypeOf<TaskSupervisor.Task<string, never>>()
    expectTypeOf<Effect.Services<typeof task>>().toEqualTypeOf<Rate>()
    // @ts-expect-error what is no method has no counterpart
    const children = jobs.via("joe").whichChildren
    expectTypeOf(children).toBeAny()
  })

  it("of an agent's key may fail to start it", () => {
    const got = Effect.flatMap(Visits.via("a"), (agent) => agent.get())
    const direct = Effect.flatMap(Visits.at("a"), (agent) => agent.get())
    expectTypeOf(got).toEqualTypeOf(direct)
  })
})

describe("a continuation", () => {
  class Clock extends GenServer.Service<Clock>()("types/Clock", {
    state: Schema.Int,
    messages: {
      Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
      Tick: GenServer.cast({ internal: true })
    }
  }) {}
  const tick = (n: number) => Effect.as(Effect.flatMap(Clock.self, (self) => self.Tick()), n)
  const rated = (n: number) => Effect.map(Rate, (rate) => n + rate)
  type Usual = Supervisor.Supervisor | StateContainer.StateOf<Clock>

  it("may ask for the server itself, which is there", () => {
    const live = Clock.layer({
      init: Next.start(0, { continueWith: tick }),
      handlers: {
        Add: (n, { by }) => Next.reply(n, n + by, { continueWith: tick }),
        Tick: (n) => Effect.succeed(Next.noReply(n, { continueWith: tick }))
      },
      idle: (n) => Next.noReply(n, { continueWith: tick })
    })
    expectTypeOf<Layer.Services<typeof live>>().toEqualTypeOf<Usual>()
  })

  it("may need any service, which its server then does", () => {
    const live = Clock.layer({
      init: 0,
      handlers: { Add: (n, { by }) => Next.reply(n, n + by, { continueWith: rated }), Tick: (n) => n }
    })
    expectTypeOf<Layer.Services<typeof live>>().toEqualTypeOf<Usual | Rate>()
    const cast = Clock.layer({
      init: 0,
      handlers: {
        Add: (n, { by }) => [n, n + by],
        Tick: (n) => Effect.succeed(Next.noReply(n, { continueWith: rated }))
      }
    })
    expectTypeOf<Layer.Services<typeof cast>>().toEqualTypeOf<Usual | Rate>()
    const first = Clock.layer({
      init: Effect.succeed(Next.start(0, { continueWith: rated })),
      handlers: { Add: (n) => [n, n], Tick: (n) => n }
    })
    expectTypeOf<Layer.Services<typeof first>>().toEqualTypeOf<Usual | Rate>()
    const idle = Clock.layer({
      init: 0,
      handlers: { Add: (n) => [n, n], Tick: (n) => n },
      idle: (n) => Next.noReply(n, { continueWith: rated })
    })
    expectTypeOf<Layer.Services<typeof idle>>().toEqualTypeOf<Usual | Rate>()
  })

  it("needs nothing when there is none, or when it needs no more than a Scope", () => {
    const live = Clock.layer({
      init: 0,
      handlers: {
        Add: (n, { by }) =>
          by > 0
            ? Next.reply(n, n + by, { continueWith: (n) => Effect.as(Effect.addFinalizer(() => Effect.void), n) })
            : Next.reply(n, n),
        Tick: (n) => Next.noReply(n)
      }
    })
    expectTypeOf<Layer.Services<typeof live>>().toEqualTypeOf<Usual>()
  })

  it("of another class is not there", () => {
    const other = Clock.layer({
      init: 0,
      handlers: {
        Add: (n) => Next.reply(n, n, { continueWith: (n) => Effect.as(Counter.self, n) }),
        Tick: (n) => n
      }
    })
    expectTypeOf<Layer.Services<typeof other>>().toEqualTypeOf<Usual | GenServer.SelfOf<Counter>>()
  })

  it("cannot fail, and makes a state", () => {
    const behavior = { init: 0, handlers: { Add: (n: number) => [n, n] as const, Tick: (n: number) => n } }
    // @ts-expect-error a failure has no one to go to
    Clock.behavior({ ...behavior, init: Next.start(0, { continueWith: () => Effect.fail("no") }) })
    // @ts-expect-error another state
    Clock.behavior({ ...behavior, init: Next.start(0, { continueWith: () => "no" }) })
  })
})

describe("a handler's context", () => {
  it("of any message is a HandlerContext", () => {
    const attempts = (n: number, _: object, { attempt, incarnation }: GenServer.HandlerContext) =>
      [n, n + attempt + incarnation] as const
    const live = Counter.layer({
      init: 0,
      handlers: { Add: attempts, Reset: (n, _p, _context: GenServer.HandlerContext) => n }
    })
    expectTypeOf(live).toExtend<Layer.Layer<Counter, never, any>>()
  })
})

describe("in a pipe", () => {
  it("a child is given a spec of its own", () => {
    const live = Counter.layer({ init: 0, handlers: { Add: (n) => [n, n], Reset: () => 0 } })
    expectTypeOf(live.pipe(Supervisor.child({ restart: "transient" }))).toEqualTypeOf(live)
    const app = Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerForget(Counter),
      live.pipe(Supervisor.child({ id: "counter" }))
    ])
    expectTypeOf(app).toExtend<Layer.Layer<Counter>>()
  })

  it("a reference takes the calls and casts of its functions", () => {
    expectTypeOf(counter.pipe(Process.kill)).toEqualTypeOf<Effect.Effect<void>>()
    expectTypeOf(counter.pipe(Process.exit({ _tag: "Shutdown" }))).toEqualTypeOf<Effect.Effect<void>>()
    expectTypeOf(counter.pipe(Sys.getState)).toEqualTypeOf<Effect.Effect<number, GenServer.CallError>>()
    expectTypeOf(counter.pipe(Sys.replaceState((n) => n + 1))).toEqualTypeOf<
      Effect.Effect<number, GenServer.CallError | GenServer.ReplaceFailed>
    >()
    expectTypeOf(counter.pipe(GenServer.stop({ _tag: "Normal" }))).toEqualTypeOf(GenServer.stop(counter))
    expectTypeOf(counter.Reset().pipe(GenServer.castAfter("1 second"))).toEqualTypeOf(
      GenServer.castAfter(counter.Reset(), "1 second")
    )
    const answer = (from: GenServer.From<number, Refused>) => GenServer.reply(Exit.succeed(1))(from)
    expectTypeOf(answer).returns.toEqualTypeOf<Effect.Effect<void>>()
  })
})
