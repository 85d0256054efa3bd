/** Starts of dynamic children in one step, and with a look in their middle: the same promises. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer } from "effect"
import { DynamicSupervisor, Telemetry } from "../../../../src/index.ts"
import { boom, recipe, record, Script } from "../../../kit/Probe.ts"

class Pool extends DynamicSupervisor.Service<Pool>()("top") {}

const pool = Effect.gen(function*() {
  const { take, telemetry } = record()
  const context = yield* Layer.build(Pool.layer()).pipe(Effect.provideService(Telemetry.CurrentTelemetry, telemetry))
  const supervisor = Context.get(context, Pool)
  const list = Effect.map(supervisor.whichChildren, (children) => children.map(({ id, status }) => `${id} ${status}`))
  return { list, supervisor, take }
})

it.effect("a look while a child starts shows it starting; afterwards all is as without the look", () =>
  Effect.gen(function*() {
    const { list, supervisor, take } = yield* pool
    const a = new Script()
    const seen: Array<unknown> = []
    a.meanwhile.start = () => {
      seen.push(Effect.runSync(list), Effect.runSync(supervisor.countChildren))
    }
    yield* supervisor.startChild(recipe("a", a, { kind: "supervisor" }))
    assert.deepStrictEqual(seen, [["a starting"], { specs: 1, active: 0, supervisors: 1, workers: 0 }])
    assert.deepStrictEqual(yield* list, ["a running"])
    assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 1, active: 1, supervisors: 1, workers: 0 })
    assert.deepStrictEqual(take(), ["Started a#1"])
  }))

it.effect("children that are started while one starts are all there, counted once each", () =>
  Effect.gen(function*() {
    const { list, supervisor, take } = yield* pool
    const [a, b] = [new Script(), new Script()]
    b.meanwhile.start = () => Effect.runSync(Effect.orDie(supervisor.startChild(recipe("c"))))
    a.meanwhile.start = () => Effect.runSync(Effect.orDie(supervisor.startChild(recipe("b", b))))
    yield* supervisor.startChild(recipe("a", a))
    assert.deepStrictEqual(yield* list, ["a running", "b running", "c running"])
    assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 3, active: 3, supervisors: 0, workers: 3 })
    assert.deepStrictEqual(take(), ["Started c#1", "Started b#1", "Started a#1"])
  }))

it.effect("a look while another child restarts in the middle of a start shows both on their way", () =>
  Effect.gen(function*() {
    const { list, supervisor } = yield* pool
    const [a, b] = [new Script(), new Script()]
    yield* supervisor.startChild(recipe("b", b))
    const seen: Array<unknown> = []
    b.meanwhile.start = () => {
      seen.push(Effect.runSync(list), Effect.runSync(supervisor.countChildren))
    }
    a.meanwhile.start = () => b.end()
    yield* supervisor.startChild(recipe("a", a))
    assert.deepStrictEqual(seen, [["b restarting", "a starting"], { specs: 2, active: 0, supervisors: 0, workers: 2 }])
    assert.deepStrictEqual(yield* list, ["b running", "a running"])
    assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 2, active: 2, supervisors: 0, workers: 2 })
  }))

it.effect("a child that is stopped on its way up is not there afterwards, and its start fails", () =>
  Effect.gen(function*() {
    const { list, supervisor } = yield* pool
    const a = new Script()
    a.meanwhile.start = () => Effect.runSync(Effect.orDie(supervisor.terminateChild(a.process!)))
    const exit = yield* Effect.exit(supervisor.startChild(recipe("a", a)))
    assert.include(String(exit), "ordered to stop before it was up")
    assert.deepStrictEqual(yield* list, [])
    assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 0, active: 0, supervisors: 0, workers: 0 })
  }))

it.effect("a supervisor that is stopped while a child starts leaves none behind", () =>
  Effect.gen(function*() {
    const { supervisor } = yield* pool
    const a = new Script()
    a.meanwhile.start = () => {
      Effect.runFork(supervisor.stop())
    }
    assert(Exit.isFailure(yield* Effect.exit(supervisor.startChild(recipe("a", a)))))
    assert.notStrictEqual(a.process?.status, "running")
    assert.deepStrictEqual(a.fates.at(-1), "stopped")
  }))

it.effect("an end that overtakes the news of its start is dealt with after it", () =>
  Effect.gen(function*() {
    const { list, supervisor, take } = yield* pool
    const a = new Script()
    a.meanwhile.start = () => a.process!.parent.exited(a.process!, 1, boom)
    yield* supervisor.startChild(recipe("a", a))
    assert.deepStrictEqual(take(), ["Started a#1", "Exited a#1 crashed: boom", "Restarting a in 0", "Started a#2"])
    assert.deepStrictEqual(yield* list, ["a running"])
  }))

it.effect("a start that fails, or wants no process, leaves nothing", () =>
  Effect.gen(function*() {
    const { list, supervisor } = yield* pool
    for (const start of ["fail", "throw", "ignore"] as const) {
      const a = new Script()
      a.starts.push(start)
      const exit = yield* Effect.exit(supervisor.startChild(recipe("a", a)))
      assert.strictEqual(Exit.isSuccess(exit), start === "ignore")
      assert.deepStrictEqual(yield* list, [])
    }
    assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 0, active: 0, supervisors: 0, workers: 0 })
  }))
