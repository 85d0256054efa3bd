/**
 * A real tree under observation: what the harness records, what the view draws, what is logged and what is counted.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, References } from "effect"
import { Metrics, StateContainer, Supervisor, SystemView } from "../../../src/index.ts"
import { Harness } from "../../../src/testing.ts"
import { behavior, Counter } from "../../kit/Counter.ts"
import { recordedLog } from "../../kit/Log.ts"

const Tree = Supervisor.layer({ id: "app", strategy: "one_for_one" }, [
  StateContainer.layerMemory(Counter),
  Counter.layer(behavior)
])

const Live = Layer.provideMerge(Tree, Harness.Harness.layer)

const crashOnce = Effect.gen(function*() {
  const [harness, counter] = [yield* Harness.Harness, yield* Counter]
  yield* counter.Add({ by: 41 })
  assert.include(String(yield* Effect.exit(counter.Crash())), "the server crashed: Error: boom")
  yield* harness.awaitIncarnation(counter, 2)
  assert.strictEqual(yield* counter.Add({ by: 1 }), 42)
  return { harness, counter }
})

const quiet = Layer.succeed(References.CurrentLoggers, new Set<never>())

describe("a tree under observation", () => {
  it.effect("tells its crash and its recovery in order", () =>
    Effect.gen(function*() {
      const { counter, harness } = yield* crashOnce
      assert.deepStrictEqual(yield* harness.historyOf(counter), [
        "Started",
        "Exited",
        "Restarting",
        "StateRestored",
        "Started"
      ])
      assert.deepStrictEqual(SystemView.toText(yield* harness.view).split("\n"), [
        "app                             #1 running",
        "├─ test/Counter:StateContainer  #1 running",
        "└─ test/Counter                 #2 running  1 restart, last exit crashed: Error: boom"
      ])
    }).pipe(Effect.provide(Layer.provide(Live, quiet))))

  it.effect("logs one error for one crash, with the message in hand, and neither payload nor state", () => {
    const { layer, lines } = recordedLog()
    return Effect.gen(function*() {
      yield* crashOnce
      assert.deepStrictEqual(lines.map(({ annotations, level, text }) => [level, text, annotations]), [[
        "Error",
        "app > test/Counter #1 crashed; it is restarted",
        { path: "app > test/Counter", incarnation: 1, message: "Crash", next: "it is restarted" }
      ]])
    }).pipe(Effect.provide(Layer.provide(Live, layer)))
  })

  it.effect("counts messages, crashes and restarts, and how long a recovery took", () => {
    const registry: Metric.MetricRegistry = new Map()
    return Effect.gen(function*() {
      const { counter } = yield* crashOnce
      yield* counter.Put({ to: 0 })
      yield* counter.Add({ by: 1 })
      assert.strictEqual((yield* Metric.value(Metrics.messages)).count, 5)
      assert.strictEqual((yield* Metric.value(Metrics.crashes)).count, 1)
      assert.strictEqual((yield* Metric.value(Metrics.restarts)).count, 1)
      assert.strictEqual((yield* Metric.value(Metrics.mailboxDepth)).value, 0)
      assert.strictEqual((yield* Metric.value(Metrics.recovery)).count, 1)
    }).pipe(
      Effect.provide(Layer.provide(Live, quiet)),
      Effect.provideService(Metric.MetricRegistry, registry)
    )
  })
})
