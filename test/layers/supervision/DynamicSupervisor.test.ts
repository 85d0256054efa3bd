import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as DynamicSupervisor from "../../../src/layers/supervision/DynamicSupervisor.ts"
import * as Supervisor from "../../../src/layers/supervision/Supervisor.ts"

class Jobs extends DynamicSupervisor.Service<Jobs>()("test/Jobs") {}

describe("DynamicSupervisor", () => {
  it.effect("starts, counts and terminates", () =>
    Effect.gen(function*() {
      const jobs = yield* Jobs
      const job = yield* jobs.startChild(Supervisor.workerRecipe("job", Effect.never))
      assert.deepStrictEqual(yield* jobs.countChildren, { specs: 1, active: 1, supervisors: 0, workers: 1 })
      yield* jobs.terminateChild(job)
      assert.deepStrictEqual(yield* jobs.countChildren, { specs: 0, active: 0, supervisors: 0, workers: 0 })
    }).pipe(Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [Jobs.layer()]))))
})
