/** Starts that fail at once, under a budget without end: the supervisor goes on hearing everything else. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, ManagedRuntime, Schedule } from "effect"
import type { HasProcess } from "../../../../src/layers/process/Process.ts"
import * as DynamicSupervisor from "../../../../src/layers/supervision/DynamicSupervisor.ts"
import * as Supervisor from "../../../../src/layers/supervision/Supervisor.ts"
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
