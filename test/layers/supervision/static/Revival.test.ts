/** A restart in one step, and one with a look in its middle: both supervisors, the same promises. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Fiber, Layer, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import type { ExitReason } from "../../../../src/domain/process/ExitReason.ts"
import {
  DynamicSupervisor,
  type Process,
  Restart,
  StateStore,
  type Supervisor,
  Telemetry
} from "../../../../src/index.ts"
import { boom, recipe, record, Script, top } from "../../../kit/Probe.ts"
import { often } from "../../../kit/Restarts.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

const within = 100
const lost: ExitReason = {
  _tag: "NotConserved",
  cause: Cause.fail(
    new StateStore.StoreError({ store: "a store", operation: "save", reason: { _tag: "Unavailable", cause: "away" } })
  )
}

/** An end of one child, some time after the last, and what happens in the middle of the restart that it calls for. */
const End = Schema.Struct({
  who: Schema.Literals(["a", "b"]),
  charged: Schema.Boolean,
  after: Schema.Literals([0, 0, 1, 60, 100, 101]),
  during: Schema.UndefinedOr(Schema.Struct({
    when: Schema.Literals(["settle", "start"]),
    what: Schema.Literals(["look", "charged", "lost"])
  }))
})

/** A supervisor with children `a` and `b`, as far as both kinds are alike. */
interface Family {
  readonly a: Script
  readonly b: Script
  readonly telemetry: Telemetry.Telemetry
  readonly take: () => Array<string>
  readonly list: Effect.Effect<ReadonlyArray<string>>
  readonly active: Effect.Effect<number>
  readonly status: (script: Script) => Effect.Effect<string>
  readonly terminate: (script: Script) => Effect.Effect<void>
  readonly stop: Effect.Effect<void>
}

const nameOf = ({ process, status }: { readonly process: Process.Process; readonly status: string }): string =>
  status === "running" ? `${process.id}#${process.incarnation}` : `${process.id} ${status}`

/** What both kinds of handle do alike; they differ in what a child is called by. */
interface Kin<Target> extends Pick<Supervisor.Supervisor, "startChild" | "whichChildren" | "countChildren" | "stop"> {
  whichChild(target: Target): Effect.Effect<Supervisor.ChildInfo, Supervisor.ChildError>
  terminateChild(target: Target): Effect.Effect<void, Supervisor.ChildError>
}

const familyOf = Effect.fnUntraced(function*<Target>(
  supervisor: Kin<Target>,
  target: (process: Process.Process) => Target,
  noted: Pick<Family, "take" | "telemetry">
) {
  const [a, b] = [new Script(), new Script()]
  yield* supervisor.startChild(recipe("a", a))
  yield* supervisor.startChild(recipe("b", b))
  const family: Family = {
    a,
    b,
    ...noted,
    list: Effect.map(supervisor.whichChildren, (children) => children.map(nameOf).sort()),
    active: Effect.map(supervisor.countChildren, ({ active }) => active),
    status: (script) =>
      Effect.map(Effect.orDie(supervisor.whichChild(target(script.process!))), ({ status }) => status),
    terminate: (script) => Effect.orDie(supervisor.terminateChild(target(script.process!))),
    stop: supervisor.stop()
  }
  return family
})

const statically = Effect.fnUntraced(function*(restart = often) {
  const { supervisor, ...noted } = yield* top({ strategy: "one_for_one", restart })
  return yield* familyOf(supervisor, ({ id }) => id, noted)
})

class Pool extends DynamicSupervisor.Service<Pool>()("top") {}

const dynamically = Effect.fnUntraced(function*(restart = often) {
  const noted = record()
  const context = yield* Layer.build(Pool.layer({ restart })).pipe(
    Effect.provideService(Telemetry.CurrentTelemetry, noted.telemetry)
  )
  return yield* familyOf(Context.get(context, Pool), (process) => process, noted)
})

const noted = ["Exited a#1 crashed: boom", "Restarting a in 0", "Started a#2"]

const promises = (
  name: string,
  family: (restart?: typeof often) => Effect.Effect<Family, unknown, Scope.Scope>,
  forgets: boolean
) =>
  describe(name, () => {
    for (const when of ["settle", "start"] as const) {
      it.effect(`a look in the middle (${when}) shows a child that restarts; afterwards all is as without the look`, () =>
        Effect.gen(function*() {
          const { a, active, list, status, take } = yield* family()
          take()
          const seen: Array<unknown> = []
          a.meanwhile[when] = () => {
            seen.push(Effect.runSync(active), Effect.runSync(status(a)), Effect.runSync(list))
          }
          a.end()
          assert.deepStrictEqual(seen, [1, "restarting", ["a restarting", "b#1"]])
          assert.deepStrictEqual([yield* list, yield* active], [["a#2", "b#1"], 2])
          assert.deepStrictEqual(take(), noted)
          a.end()
          assert.deepStrictEqual([yield* list, yield* active], [["a#3", "b#1"], 2])
        }))
    }

    it.effect("the same is published and counted without a look", () =>
      Effect.gen(function*() {
        const { a, active, list, take, telemetry } = yield* family()
        take()
        a.end()
        assert.deepStrictEqual([yield* list, yield* active, take()], [["a#2", "b#1"], 2, noted])
        const { crashes, recoveries, restarts } = sinkOf(telemetry).counters
        assert.deepStrictEqual([crashes, restarts, recoveries().count], [1, 1, 1])
        assert.deepStrictEqual(a.fates, ["restarting"])
      }))

    for (const when of ["settle", "start"] as const) {
      it.effect(`a child that is terminated in the middle of its restart (${when}) does not come back`, () =>
        Effect.gen(function*() {
          const { a, active, list, terminate } = yield* family()
          let terminated: Fiber.Fiber<void> | undefined
          a.meanwhile[when] = () => {
            terminated = Effect.runFork(terminate(a))
          }
          a.end()
          yield* Fiber.join(terminated!)
          assert.deepStrictEqual(yield* list, forgets ? ["b#1"] : ["a stopped", "b#1"])
          assert.deepStrictEqual([yield* active, a.process!.status], [1, "stopped"])
        }))

      it.effect(`a supervisor that is stopped in the middle (${when}) ends with all its children down`, () =>
        Effect.gen(function*() {
          const { a, b, stop } = yield* family()
          let ending: Fiber.Fiber<void> | undefined
          a.meanwhile[when] = () => {
            ending = Effect.runFork(stop)
          }
          a.end()
          yield* Fiber.join(ending!)
          assert.deepStrictEqual([a.process!.status, b.process!.status], ["stopped", "stopped"])
        }))
    }

    it.effect("news of an incarnation that is long over changes nothing, whatever goes on", () =>
      Effect.gen(function*() {
        const { a, b, list, take } = yield* family()
        const late = () => a.process!.parent.exited(a.process!, 1, boom)
        a.end()
        take()
        late()
        assert.deepStrictEqual([yield* list, take()], [["a#2", "b#1"], []])
        b.meanwhile.start = late
        b.end()
        assert.deepStrictEqual(yield* list, ["a#2", "b#2"])
        assert.deepStrictEqual(take(), ["Exited b#1 crashed: boom", "Restarting b in 0", "Started b#2"])
      }))

    it.effect("one that does not come up asks the budget again, and is tried again", () =>
      Effect.gen(function*() {
        const { a, list, take } = yield* family(Restart.intensity({ restarts: 3, within: "1 hour" }))
        take()
        a.starts.push("fail", "throw")
        a.end()
        assert.deepStrictEqual(yield* list, ["a#4", "b#1"])
        assert.deepStrictEqual(take().map((line) => line.split(" ")[0]), [
          "Exited",
          "Restarting",
          "StartFailed",
          "Restarting",
          "StartFailed",
          "Restarting",
          "Started"
        ])
        a.end()
        assert.include(take().join(), "GaveUp top on a", "that was the fourth")
      }))

    it.effect("one that takes its time to come up is restarting until it is up", () =>
      Effect.gen(function*() {
        const { a, active, list, take, telemetry } = yield* family()
        take()
        a.starts.push("hang")
        a.end()
        assert.deepStrictEqual([yield* list, yield* active], [["a restarting", "b#1"], 1])
        a.release()
        assert.deepStrictEqual([yield* list, yield* active], [["a#2", "b#1"], 2])
        assert.deepStrictEqual([take(), sinkOf(telemetry).counters.restarts], [noted, 1])
      }))

    it.effect("one that ignores its restart is down", () =>
      Effect.gen(function*() {
        const { a, active, list } = yield* family()
        a.starts.push("ignore")
        a.end()
        assert.deepStrictEqual(yield* list, forgets ? ["b#1"] : ["a stopped", "b#1"])
        assert.strictEqual(yield* active, 1)
      }))

    it.effect("a sibling that ends in the middle has its turn afterwards", () =>
      Effect.gen(function*() {
        const { a, b, list, take } = yield* family()
        take()
        a.meanwhile.start = () => b.end()
        a.end()
        assert.deepStrictEqual(yield* list, ["a#2", "b#2"])
        assert.deepStrictEqual(take(), [...noted, "Exited b#1 crashed: boom", "Restarting b in 0", "Started b#2"])
      }))

    it.effect("the budget is exact: restarts in one step count like any other", () =>
      Effect.gen(function*() {
        const { a, list, take } = yield* family(Restart.intensity({ restarts: 3, within: "1 hour" }))
        a.end()
        a.meanwhile.start = () => void Effect.runSync(list)
        a.end()
        a.end()
        assert.deepStrictEqual(yield* list, ["a#4", "b#1"])
        take()
        a.end()
        assert.include(take(), "GaveUp top on a")
      }))

    it.effect.prop(
      "the budget is exact for any ends at any times, charged or not, with looks or without, and also when one brings another",
      [Schema.Array(End)],
      ([ends]) =>
        Effect.gen(function*() {
          const { a, b, list, take } = yield* family(Restart.intensity({ restarts: 2, within: within }))
          const next = { a: 1, b: 1 }
          let counted: Array<number> = []
          let now = 0
          let isUp = true
          const expected = (who: "a" | "b", charged: boolean) => {
            if (!isUp) return
            if (charged) {
              counted = counted.filter((at) => at >= now - within)
              isUp = counted.length < 2
              if (isUp) counted.push(now)
            }
            if (isUp) next[who]++
          }
          for (const { charged, during, after, who } of ends) {
            yield* TestClock.adjust(after)
            now += after
            const [first, second] = who === "a" ? [a, b] : [b, a]
            delete first.meanwhile.settle
            delete first.meanwhile.start
            expected(who, charged)
            if (during !== undefined) {
              const { when, what } = during
              first.meanwhile[when] = () => {
                if (what === "look") Effect.runSync(list)
                else second.end(what === "charged" ? boom : lost)
              }
              if (what !== "look" && isUp) expected(who === "a" ? "b" : "a", what === "charged")
            }
            first.end(charged ? boom : lost)
            if (!isUp) break
          }
          assert.strictEqual(take().some((noted) => noted.startsWith("GaveUp")), !isUp)
          if (isUp) assert.deepStrictEqual(yield* list, [`a#${next.a}`, `b#${next.b}`])
        }).pipe(Effect.scoped)
    )
  })

promises("Supervisor", statically, false)
promises("DynamicSupervisor", dynamically, true)

it.effect("a delay between restarts is kept, with a look or without", () =>
  Effect.gen(function*() {
    const { supervisor } = yield* top({ strategy: "one_for_one", restart: Restart.backoff({ jitter: 0 }) })
    const script = new Script()
    yield* supervisor.startChild(recipe("a", script))
    script.end()
    assert.deepStrictEqual((yield* supervisor.whichChildren).map(({ status }) => status), ["restarting"])
    assert.strictEqual(script.started, 1)
  }))
