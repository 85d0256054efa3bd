/** What a name stands for, and what can be written in a pipe, as types. */
import { Context, Effect, Exit, type Layer, Schema } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import {
  Agent,
  type DynamicSupervisor,
  GenServer,
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

describe("what a name stands for", () => {
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

  it("is a server: what is asked of it has the type of its state", () => {
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

  it("a reference is asked, and told, what functions of it ask and tell", () => {
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
