/** What every kind of child answers that is asked to stop when it has ended. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { DynamicSupervisor, GenServer, type Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import type { Child } from "../../../../src/layers/process/Child.ts"
import { execute, stopOf } from "../../../../src/layers/process/Execute.ts"
import { quiet } from "../../../kit/Log.ts"

class Num extends GenServer.Service<Num>()("test/Num", { state: Schema.Int, messages: {} }) {}
class Root extends Supervisor.Service<Root>()("root") {}
class Sub extends Supervisor.Service<Sub>()("sub") {}
class Pool extends DynamicSupervisor.Service<Pool>()("pool") {}

const App = Root.layer({ id: "root", strategy: "one_for_one" }, [
  StateContainer.layerForget(Num),
  Num.layer({ init: 0, handlers: {} }),
  Sub.layer({ strategy: "one_for_one" }, []),
  Pool.layer(),
  Supervisor.worker("job", Effect.never)
])

describe("a child that has ended, and is asked to stop", () => {
  for (const id of ["test/Num", "sub", "pool", "job"]) {
    it.effect(`answers at once how it ended: ${id}`, () =>
      Effect.gen(function*() {
        const root = yield* Root
        const { process } = yield* root.whichChild(id)
        yield* root.terminateChild(id)
        assert.strictEqual(process.status, "stopped")
        for (const limit of [1000, "infinity", "brutal_kill"] as const) {
          const answers: Array<unknown> = []
          // A supervisor's children are what their references stand for.
          execute(
            yield* Effect.context(),
            stopOf(process as Process.Process & Child, { _tag: "Shutdown", detail: "late" }, limit, true),
            (exit) => answers.push(exit)
          )
          assert.deepStrictEqual(answers, [Exit.succeed(process.lastExit)])
        }
      }).pipe(Effect.provide(App), quiet))
  }
})
