/** A kill of what is no server: workers and supervisors end in every phase, also while they are stopped in order. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Latch, Layer } from "effect"
import { TestClock } from "effect/testing"
import { DynamicSupervisor, Process, Supervisor, TaskSupervisor } from "../../../../src/index.ts"
import { now } from "../../../kit/Fibers.ts"
import { probe, recipe, Script, Top, top } from "../../../kit/Probe.ts"

const one = { strategy: "one_for_one" } as const

/** Holds something that it does not release before the gate opens. */
const holding = (gate: Latch.Latch) =>
  Effect.andThen(Effect.acquireRelease(Effect.void, () => gate.await), Effect.never)

describe("a worker that does not release what it holds", () => {
  const phases: Record<
    string,
    (worker: Process.Process, stop: Effect.Effect<unknown, unknown>) => Effect.Effect<unknown>
  > = {
    "at work": () => Effect.void,
    "that was given an exit signal": (worker) => Process.exit(worker, { _tag: "Shutdown" }),
    "that its supervisor stops": (_, stop) => now(Effect.exit(stop))
  }
  for (const [phase, begin] of Object.entries(phases)) {
    for (const shutdown of ["infinity", "1 second", "1 minute"] as const) {
      it.effect(`ends soon when it is killed: ${phase}, with a shutdown of ${shutdown}`, () =>
        Effect.gen(function*() {
          const gate = Latch.makeUnsafe()
          const { supervisor } = yield* top(one, Supervisor.worker("first", Effect.never))
          const worker = yield* supervisor.startChild(Supervisor.workerRecipe("w", holding(gate), { shutdown }))
          yield* begin(worker, supervisor.terminateChild("w"))
          yield* Process.kill(worker)
          const left = shutdown === "1 second" ? 1000 : 5000
          yield* TestClock.adjust(left - 1)
          assert.deepStrictEqual([worker.incarnation, worker.status], [1, "running"])
          yield* TestClock.adjust(1)
          assert.deepStrictEqual(worker.lastExit, { _tag: "Killed" })
          assert.deepStrictEqual(
            [worker.incarnation, worker.status],
            phase === "that its supervisor stops" ? [1, "stopped"] : [2, "running"]
          )
          yield* gate.open
        }))
    }
  }

  it.effect("has as long as its supervisor would give it after any other signal, and then is left behind", () =>
    Effect.gen(function*() {
      const gate = Latch.makeUnsafe()
      const { supervisor, take } = yield* top(one)
      const worker = yield* supervisor.startChild(Supervisor.workerRecipe("w", holding(gate), { shutdown: "1 minute" }))
      take()
      yield* Process.exit(worker, { _tag: "Shutdown" })
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(worker.incarnation, 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(take(), ["Abandoned w#1", "Exited w#1 killed", "Restarting w in 0", "Started w#2"])
      yield* gate.open
    }))

  it.effect("or ends with its own reason, when it has released it by then", () =>
    Effect.gen(function*() {
      const gate = Latch.makeUnsafe()
      const { supervisor } = yield* top(one)
      const worker = yield* supervisor.startChild(Supervisor.workerRecipe("w", holding(gate), { restart: "transient" }))
      yield* Process.exit(worker, { _tag: "Shutdown" })
      yield* gate.open
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual([worker.lastExit, worker.status], [{ _tag: "Shutdown" }, "stopped"])
    }))
})

describe("a supervisor that is being stopped, and waits for a child", () => {
  class Pool extends DynamicSupervisor.Service<Pool>()("pool") {}
  class Jobs extends TaskSupervisor.Service<Jobs>()("jobs") {}

  it.effect("ends at once when it is killed (DynamicSupervisor)", () =>
    Effect.gen(function*() {
      const script = new Script()
      script.stops.push("hang")
      const context = yield* Layer.build(Top.layer(one, [Pool.layer()]))
      const [pool, root] = [Context.get(context, Pool), Context.get(context, Top)]
      yield* pool.startChild(recipe("a", script, { shutdown: "infinity" }))
      const stopping = yield* now(root.terminateChild("pool"))
      assert.isUndefined(stopping.pollUnsafe())
      yield* Process.kill(pool)
      yield* Effect.yieldNow
      assert.isDefined(stopping.pollUnsafe())
      assert.deepStrictEqual(script.log, ["start a", "stop a", "stop a brutally", "a is stopped"])
    }))

  it.effect("so does one of tasks (TaskSupervisor)", () =>
    Effect.gen(function*() {
      const gate = Latch.makeUnsafe()
      const context = yield* Layer.build(Top.layer(one, [Jobs.layer()]))
      const [jobs, root] = [Context.get(context, Jobs), Context.get(context, Top)]
      yield* jobs.startChild(holding(gate), { shutdown: "infinity" })
      const stopping = yield* now(root.terminateChild("jobs"))
      assert.isUndefined(stopping.pollUnsafe())
      yield* Process.kill(jobs)
      yield* Effect.yieldNow
      assert.isDefined(stopping.pollUnsafe())
      yield* gate.open
    }))

  it.effect("and a static one (Supervisor)", () =>
    Effect.gen(function*() {
      const script = new Script()
      script.stops.push("hang")
      const { supervisor } = yield* top(
        one,
        Supervisor.layer({ ...one, id: "sub" }, [probe("a", script, { shutdown: "infinity" })])
      )
      const { process } = yield* supervisor.whichChild("sub")
      const stopping = yield* now(supervisor.terminateChild("sub"))
      assert.isUndefined(stopping.pollUnsafe())
      yield* Process.kill(process)
      yield* Effect.yieldNow
      assert.isDefined(stopping.pollUnsafe())
    }))
})
