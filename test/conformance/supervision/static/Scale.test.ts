/** Other systems' cases of supervisors with many children: what is retained, and how the work grows. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { Supervisor } from "../../../../src/index.ts"
import { callCounter } from "../../../kit/Counting.ts"
import { count, start, testCase } from "../../../kit/Family.ts"
import { reachable } from "../../../kit/Garbage.ts"

const ids = (n: number) => Array.from({ length: n }, (_, i) => String(i + 1))

describe("supervisor: scale", () => {
  testCase(
    "SUP-059 Start arguments of temporary children are not retained",
    Effect.gen(function*() {
      for (const strategy of ["one_for_all", "one_for_one", "rest_for_one"] as const) {
        /** The arguments of 100 children, when all of them have been started. */
        const started = Effect.fnUntraced(function*(restart: "permanent" | "transient" | "temporary") {
          const sup = yield* start({ strategy })
          const given: Array<WeakRef<object>> = []
          yield* Effect.forEach(ids(100), (id) => {
            const argument = { large: Array.from({ length: 1000 }, () => id) }
            given.push(new WeakRef(argument))
            const body = Effect.andThen(Effect.sync(() => argument.large.length), Effect.never)
            return sup.startChild(Supervisor.workerRecipe(id, body, { restart }))
          }, { discard: true })
          assert.deepStrictEqual(yield* count(sup), [100, 100, 0, 100])
          return given
        })
        const [permanent, transient, temporary] = [
          yield* started("permanent"),
          yield* started("transient"),
          yield* started("temporary")
        ]
        assert.strictEqual(yield* reachable([...permanent, ...transient]), 200)
        // The engine's own registers may still hold one or two.
        assert.isBelow(temporary.filter((argument) => argument.deref() !== undefined).length, 10)
      }
    })
  )

  // The last one of the file: counting calls takes the counts away from a measurement of coverage.
  testCase(
    "SUP-066 Starting and stopping many children scales about linearly",
    Effect.gen(function*() {
      const calls = yield* callCounter
      const measured = Effect.fnUntraced(function*(n: number) {
        const sup = yield* start()
        const children = ids(n)
        const starts = yield* calls(
          Effect.forEach(children, (id) => sup.startChild(Supervisor.workerRecipe(id, Effect.never)), { discard: true })
        )
        assert.deepStrictEqual(yield* count(sup), [n, n, 0, n])
        const stops = yield* calls(Effect.forEach(children, (id) => sup.terminateChild(id), { discard: true }))
        assert.deepStrictEqual(yield* count(sup), [n, 0, 0, n])
        return { starts, stops }
      })
      const few = yield* measured(50)
      const many = yield* measured(50 * 20)
      // The case allows ten times as much; twice is for trees of ids, which are a little deeper the more there are.
      assert.isBelow(many.starts / few.starts, 2 * 20)
      assert.isBelow(many.stops / few.stops, 2 * 20)
    }),
    // Calls are slow while they are counted.
    30_000
  )
})
