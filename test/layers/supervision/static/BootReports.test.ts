import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, References, Schema } from "effect"
import { GenServer, Process, Restart, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"

class Cell extends GenServer.Service<Cell>()("Cell", { state: Schema.Int, messages: {} }) {}
class Inner extends Supervisor.Service<Inner>()("inner") {}

describe("a supervisor that does not come up again", () => {
  it.effect("is reported once for each attempt, as any child is", () => {
    const reports: Array<string> = []
    const logger = Logger.make(({ message }) => void reports.push(String(message)))
    let starts = 0
    const init = Effect.suspend(() => ++starts === 2 ? Effect.fail("away") : Effect.succeed(0))
    const app = Supervisor.layer(
      { id: "outer", strategy: "one_for_one", restart: Restart.intensity({ restarts: 5, within: "1 minute" }) },
      [
        Inner.layer({ strategy: "one_for_one" }, [
          StateContainer.layerForget(Cell),
          Cell.layer({ init: Effect.orDie(init), handlers: {} })
        ])
      ]
    ).pipe(
      Layer.provideMerge(Harness.Harness.layer),
      Layer.provide(Layer.succeed(References.CurrentLoggers, new Set([logger])))
    )
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const inner = yield* Inner
      yield* Process.kill(inner)
      yield* harness.awaitIncarnation(inner, 3)
      assert.deepStrictEqual(reports, [
        "outer > inner #1 killed; it is restarted",
        "outer > inner > Cell #2 did not start; its supervisor does not come up",
        "outer > inner #2 did not start, since outer > inner > Cell did not; another attempt, if the budget allows"
      ])
    }).pipe(Effect.provide(app))
  })
})
