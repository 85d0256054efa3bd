/** What a recipe in foreign code may do wrong: both supervisors answer alike. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { DynamicSupervisor, type Supervisor } from "../../../../src/index.ts"
import { recipe, top } from "../../../kit/Probe.ts"

class Pool extends DynamicSupervisor.Service<Pool>()("pool") {}

interface Starts {
  startChild<A, E>(recipe: Supervisor.StartRecipe<A, E>): Effect.Effect<A, Supervisor.StartError<E>>
}

const supervisors = {
  Supervisor: Effect.map(top({ strategy: "one_for_one" }), ({ supervisor }): Starts => supervisor),
  DynamicSupervisor: Effect.map(Layer.build(Pool.layer()), (context): Starts => Context.get(context, Pool))
}

const throwing: Supervisor.StartRecipe<never> = {
  ...recipe("a"),
  make: () => {
    throw new Error("thrown by make")
  }
}

for (const [name, supervisor] of Object.entries(supervisors)) {
  describe(name, () => {
    it.effect("a recipe whose make throws is a StartError, and the next child starts", () =>
      Effect.gen(function*() {
        const { startChild } = yield* supervisor
        const error = yield* Effect.flip(startChild(throwing))
        assert.strictEqual(error.reason._tag, "Failed")
        assert.include(error.message, "thrown by make")
        yield* startChild(recipe("a"))
      }))
  })
}
