/** Starts that fail at once, under a budget without end: the supervisor goes on hearing everything else. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, ManagedRuntime, Schedule, Scheduler } from "effect"
import type { StartRecipe } from "../../../../src/layers/process/Child.ts"
import type { HasProcess } from "../../../../src/layers/process/Process.ts"
import * as Turn from "../../../../src/layers/process/Turn.ts"
import * as DynamicSupervisor from "../../../../src/layers/supervision/DynamicSupervisor.ts"
import * as Restart from "../../../../src/layers/supervision/restart/Restart.ts"
import * as Supervisor from "../../../../src/layers/supervision/Supervisor.ts"
import { EventQueue } from "../../../../src/layers/supervision/tree/EventQueue.ts"
import { turns } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { recipe, Script } from "../../../kit/Probe.ts"

class Fixed extends Supervisor.Service<Fixed>()("fixed") {}
class Pool extends DynamicSupervisor.Service<Pool>()("pool") {}

const restart = Schedule.forever

/** What both supervisors do alike. */
interface Starts {
  readonly start: (id: string, script?: Script) => Effect.Effect<HasProcess, unknown>
  readonly terminate: (script: Script) => Effect.Effect<void, unknown>
}

class Tree extends Context.Service<Tree, Starts>()("test/Tree") {}

const kinds = {
  Supervisor: Layer.effect(
    Tree,
    Effect.map(Fixed, (fixed) => ({
      start: (id, script) => fixed.startChild(recipe(id, script)),
      terminate: ({ process }) => fixed.terminateChild(process!.id)
    }))
  ).pipe(Layer.provide(Fixed.layer({ strategy: "one_for_one", restart }, []))),
  DynamicSupervisor: Layer.effect(
    Tree,
    Effect.map(Pool, (pool) => ({
      start: (id, script) => pool.startChild(recipe(id, script)),
      terminate: ({ process }) => pool.terminateChild(process!)
    }))
  ).pipe(Layer.provide(Pool.layer({ restart })))
}

/** Has a child fail in its own start from now on, at once and without end. */
const loop = Effect.gen(function*() {
  const tree = yield* Tree
  const script = new Script()
  yield* tree.start("a", script)
  script.usually = "fail"
  script.end()
  return { script, tree }
})

for (const [name, layer] of Object.entries(kinds)) {
  describe(name, () => {
    it.live("a child that fails in its own start without end starves no timer and no request, and can be terminated", () =>
      Effect.gen(function*() {
        const { script, tree } = yield* loop
        yield* Effect.sleep(20)
        yield* tree.start("b")
        yield* tree.terminate(script)
        const { started } = script
        assert.isAbove(started, 2, "it was tried again meanwhile")
        yield* Effect.sleep(20)
        assert.strictEqual(script.started, started)
      }).pipe(Effect.provide(layer), Effect.provide(recordedLog().layer)))

    it.live("nor does it keep the supervisor from ending", () =>
      Effect.gen(function*() {
        const runtime = ManagedRuntime.make(Layer.provideMerge(layer, recordedLog().layer))
        const { script } = yield* Effect.promise(() => runtime.runPromise(loop))
        yield* Effect.promise(() => runtime.dispose())
        assert.strictEqual(script.process?.status, "stopped")
      }))
  })
}

describe("fifty supervisors, or fifty children of one, that fail without end", () => {
  let starts = 0
  const dying = Supervisor.workerRecipe("w", Effect.suspend(() => Effect.die(`boom ${++starts}`)))
  const crowds: Record<string, StartRecipe<unknown>> = {
    "children of a dynamic supervisor": dying,
    "supervisors of one child": Supervisor.recipe({ id: "s", strategy: "one_for_one", restart }, [dying]),
    "supervisors of a group": Supervisor.recipe({ id: "s", strategy: "one_for_all", restart }, [
      Supervisor.workerRecipe("v", Effect.never),
      dying
    ]),
    "supervisors three deep": Supervisor.recipe({ id: "a", strategy: "one_for_one", restart }, [
      Supervisor.recipe({ id: "b", strategy: "rest_for_one", restart: Restart.never }, [
        Supervisor.recipe({ id: "c", strategy: "one_for_all", restart: Restart.never }, [dying])
      ])
    ])
  }
  const immediate = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

  it.live.each(Object.entries(crowds))(
    "%s: together they take one turn of the event loop at a time",
    ([, recipe]) =>
      Effect.gen(function*() {
        const pool = yield* Pool
        for (let i = 0; i < 50; i++) yield* pool.startChild(recipe)
        yield* immediate
        const before = starts
        for (let turn = 0; turn < 20; turn++) yield* immediate
        // A pass of each of them in every turn would be some tens of thousands.
        assert.isAbove(starts - before, 0)
        assert.isBelow(starts - before, 21 * 1024)
      }).pipe(Effect.provide(Pool.layer({ restart })), Effect.provide(recordedLog().layer))
  )
})

it.effect("a supervisor that handles events gives way after 32 of them while others wait for their turn", () =>
  Effect.gen(function*() {
    const context = yield* Effect.context<never>()
    const seen: Array<number> = []
    const other = { queued: false, drain: () => void seen.push(-1) }
    const events = new EventQueue<number>(context, (n) => {
      seen.push(n)
      if (n > 0) return
      Turn.runQueue(Context.get(context, Scheduler.Scheduler)).push(other)
      for (let i = 1; i < 100; i++) events.post(i)
    })
    events.post(0)
    yield* turns
    assert.deepStrictEqual([seen.indexOf(-1), seen.length], [32, 101])
  }))
