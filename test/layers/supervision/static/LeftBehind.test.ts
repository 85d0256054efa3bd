/**
 * What a supervisor has left behind concerns it no more: children that it has forgotten, questions to its budget,
 * timers.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import type { ExitReason } from "../../../../src/domain/process/ExitReason.ts"
import { DynamicSupervisor, Process, Supervisor } from "../../../../src/index.ts"
import { boom, listing, probe, recipe, Script, Top, top } from "../../../kit/Probe.ts"

const one = { strategy: "one_for_one" } as const

describe("the exit of a child that was forgotten", () => {
  for (const strategy of ["one_for_one", "one_for_all"] as const) {
    it.effect(`is not that of another one under its id (${strategy})`, () =>
      Effect.gen(function*() {
        const forgotten = new Script()
        const { supervisor, take } = yield* top({ strategy })
        yield* supervisor.startChild(recipe("a", forgotten))
        yield* supervisor.terminateChild("a")
        yield* supervisor.deleteChild("a")
        yield* supervisor.startChild(recipe("a"))
        take()
        const { process } = forgotten
        process?.parent.exited(process, 1, boom)
        assert.deepStrictEqual([yield* listing(supervisor), take()], [["a#1"], []])
      }))
  }
})

it.effect("a child below one that leaves the tree has left it, too, on every level", () =>
  Effect.gen(function*() {
    const left: Array<string> = []
    const leaving = (id: string) => {
      const { make, ...rest } = recipe(id)
      const noting: typeof make = (parent, context, id) => {
        const made = make(parent, context, id)
        return { ...made, child: Object.assign(made.child, { removed: () => left.push(id) }) }
      }
      return { ...rest, make: noting }
    }
    const { supervisor } = yield* top(one)
    yield* supervisor.startChild(
      Supervisor.recipe({ ...one, id: "sub" }, [
        leaving("a"),
        Supervisor.recipe({ ...one, id: "inner" }, [leaving("b")])
      ])
    )
    yield* supervisor.terminateChild("sub")
    assert.deepStrictEqual(left, [])
    yield* supervisor.deleteChild("sub")
    assert.deepStrictEqual(left, ["a", "b"])
  }))

/** A clock that counts who sleeps by it. */
const counted = Effect.map(Clock.Clock, (clock) => {
  const sleepers = { now: 0 }
  const sleep: Clock.Clock["sleep"] = (duration) =>
    Effect.suspend(() => {
      sleepers.now++
      return Effect.ensuring(clock.sleep(duration), Effect.sync(() => sleepers.now--))
    })
  const own: Clock.Clock = Object.assign(Object.create(clock), { sleep })
  return { sleepers, own }
})

it.effect("the time that children have to stop is not waited for when they have, by a dynamic supervisor", () =>
  Effect.gen(function*() {
    class Pool extends DynamicSupervisor.Service<Pool>()("pool") {}
    const { own, sleepers } = yield* counted
    const context = yield* Effect.provideService(Layer.build(Pool.layer()), Clock.Clock, own)
    const pool = Context.get(context, Pool)
    const script = new Script()
    script.stops.push("hang")
    yield* pool.startChild(recipe("a", script, { shutdown: "1 minute" }))
    yield* Process.exit(pool, { _tag: "Shutdown" })
    assert.strictEqual(sleepers.now, 1)
    script.release()
    yield* Effect.yieldNow
    assert.deepStrictEqual([sleepers.now, yield* Process.status(pool)], [0, "stopped"])
  }))

describe("a delayed restart", () => {
  const later = { restart: Schedule.spaced("1 hour") }
  class Pool extends DynamicSupervisor.Service<Pool>()("pool") {}

  /** What breaks it off: something is done to the child `a` and its supervisor, each below `top`. */
  const ends: Record<
    string,
    (
      top: Top["Service"],
      pool: DynamicSupervisor.DynamicSupervisor,
      child: Process.Process
    ) => Effect.Effect<unknown, unknown>
  > = {
    "the child is terminated": (top, pool, child) =>
      Effect.andThen(Effect.exit(top.terminateChild("a")), Effect.exit(pool.terminateChild(child))),
    "its supervisor is stopped": (top) => Effect.andThen(Effect.exit(top.terminateChild("pool")), top.stop()),
    "its supervisor is killed": (top, pool) => Effect.andThen(Process.kill(pool), Process.kill(top))
  }
  for (const [how, end] of Object.entries(ends)) {
    for (const strategy of ["one_for_one", "rest_for_one"] as const) {
      it.effect(`is broken off, and leaves no timer, when ${how} (${strategy})`, () =>
        Effect.gen(function*() {
          const { own, sleepers } = yield* counted
          const context = yield* Layer.build(Top.layer({ strategy, ...later }, [Pool.layer(later)])).pipe(
            Effect.provideService(Clock.Clock, own)
          )
          const [root, pool] = [Context.get(context, Top), Context.get(context, Pool)]
          const [mine, its] = [new Script(), new Script()]
          yield* root.startChild(recipe("a", mine))
          const child = yield* pool.startChild(recipe("a", its))
          mine.end()
          its.end()
          assert.strictEqual(sleepers.now, 2)
          yield* end(root, pool, child)
          yield* Effect.yieldNow
          assert.strictEqual(sleepers.now, 0)
          assert.deepStrictEqual([mine.started, its.started], [1, 1])
        }))
    }
  }
})

describe("a question to the budget that is open when its supervisor ends", () => {
  /** The first question is never answered, the others are at once. */
  const thinking = () => {
    let asked = 0
    const answer: [number, Duration.Duration] = [0, Duration.seconds(1)]
    return Schedule.fromStep(
      Effect.succeed((_now: number, _reason: ExitReason) => asked++ === 0 ? Effect.never : Effect.succeed(answer))
    )
  }

  it.effect("holds up none of the next incarnation", () =>
    Effect.gen(function*() {
      const script = new Script()
      const sub = { ...one, id: "sub", restart: thinking() }
      const { supervisor } = yield* top(one, Supervisor.layer(sub, [probe("a", script)]))
      const { process } = yield* supervisor.whichChild("sub")
      script.end()
      yield* Process.kill(process)
      assert.strictEqual(script.started, 2)
      script.end()
      yield* TestClock.adjust("1 second")
      assert.strictEqual(script.started, 3)
    }))
})
