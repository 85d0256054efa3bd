/** What a child's settlement brings about in its own stack may overtake the decision that it is part of. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { DynamicSupervisor, Restart, Telemetry } from "../../../../src/index.ts"
import { recipe, record, Script } from "../../../kit/Probe.ts"

class Pool extends DynamicSupervisor.Service<Pool>()("pool") {}

const pool = Effect.fnUntraced(function*(options: DynamicSupervisor.Options) {
  const recording = record()
  const context = yield* Layer.build(Pool.layer(options)).pipe(
    Effect.provideService(Telemetry.CurrentTelemetry, recording.telemetry)
  )
  const script = new Script()
  const pool = Context.get(context, Pool)
  const child = yield* pool.startChild(recipe("a", script))
  const terminate = () => Effect.runSync(Effect.exit(pool.terminateChild(child)))
  return { pool, child, script, terminate, ...recording }
})

describe("a child that is terminated by one who hears that it is restarted", () => {
  it.effect("is neither announced nor started", () =>
    Effect.gen(function*() {
      const { pool: { countChildren }, script, take, terminate } = yield* pool({ restart: Schedule.spaced("1 second") })
      take()
      script.meanwhile.settle = terminate
      script.end()
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(take(), ["Exited a#1 crashed: boom"])
      assert.deepStrictEqual([script.started, (yield* countChildren).specs], [1, 0])
    }))

  it.effect("nor is one that was resumed", () =>
    Effect.gen(function*() {
      const parked = yield* pool({ restart: Restart.never, onGiveUp: "park" })
      const { child, script, terminate } = parked
      script.end()
      assert.strictEqual(child.status, "parked")
      script.meanwhile.settle = terminate
      yield* parked.pool.resumeChild(child)
      assert.deepStrictEqual([script.started, (yield* parked.pool.countChildren).specs], [1, 0])
    }))
})
