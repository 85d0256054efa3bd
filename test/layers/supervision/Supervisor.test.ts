import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Ref } from "effect"
import * as Supervisor from "../../../src/layers/supervision/Supervisor.ts"

describe("smoke", () => {
  it.effect("a worker that dies is restarted", () =>
    Effect.gen(function*() {
      const starts = yield* Ref.make(0)
      const third = yield* Deferred.make<void>()
      const App = Supervisor.layer({ strategy: "one_for_one" }, [
        Supervisor.worker(
          "a",
          Effect.gen(function*() {
            const n = yield* Ref.updateAndGet(starts, (n) => n + 1)
            if (n < 3) return yield* Effect.die(new Error(`crash ${n}`))
            yield* Deferred.succeed(third, undefined)
            return yield* Effect.never
          })
        )
      ])
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Layer.build(App)
        yield* Deferred.await(third)
      }))
      assert.strictEqual(yield* Ref.get(starts), 3)
    }))
})
