/** A restart Schedule is foreign code, and may take its time: what becomes of the questions to it. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Schedule } from "effect"
import { TestClock } from "effect/testing"
import type { ExitReason } from "../../../../src/domain/process/ExitReason.ts"
import type { BudgetAnswer } from "../../../../src/domain/supervision/SupervisionEvents.ts"
import { Budget, type RestartSchedule } from "../../../../src/layers/supervision/restart/Budget.ts"
import { hostiles } from "../../../kit/Hostile.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { boom } from "../../../kit/Probe.ts"

const budgetOf = (schedule: RestartSchedule) =>
  Effect.map(Effect.context<never>(), (context) => new Budget(schedule, ["top", "a"], context))

/** A Schedule whose steps come to what is listed, one after the other. */
const scripted = (...steps: ReadonlyArray<() => unknown>): RestartSchedule => {
  const left = steps.slice()
  return Schedule.fromStep(Effect.succeed(() => left.shift()!() as never))
}

const atOnce = Exit.succeed([0, Duration.zero])

const nonsense: Record<string, RestartSchedule> = {
  "whose first step throws": scripted(() => {
    throw new Error("foreign")
  }),
  "whose later step throws": scripted(() => atOnce, () => {
    throw new Error("foreign")
  }),
  "that dies": scripted(() => Effect.die(new Error("foreign"))),
  "that cannot be begun": Schedule.fromStep(Effect.die(new Error("foreign"))),
  "that answers no delay": scripted(() => Exit.succeed("foreign")),
  "that answers nothing": scripted(() => Exit.void),
  "that is none": "foreign" as never
}

describe("Budget", () => {
  for (const [name, schedule] of Object.entries(nonsense)) {
    it.effect(`a Schedule ${name} is exhausted, and that is logged`, () =>
      Effect.gen(function*() {
        const log = recordedLog()
        const answers: Array<BudgetAnswer["_tag"]> = []
        const budget = yield* Effect.provide(budgetOf(schedule), log.layer)
        const ask = () => budget.consult(boom, ({ _tag }) => answers.push(_tag))
        ask()
        if (name === "whose later step throws") ask()
        yield* TestClock.adjust(0)
        assert.strictEqual(answers.at(-1), "Exhausted")
        assert.deepStrictEqual(log.lines.map(({ text }) => text), [
          "The restart Schedule of top > a failed: no restart is left. Mend the Schedule, or give another."
        ])
      }))
  }

  it.effect.each(hostiles)("a Schedule whose steps answer with %s is exhausted", ([, value]) =>
    Effect.gen(function*() {
      const schedules: ReadonlyArray<RestartSchedule> = [
        scripted(value),
        scripted(() => Effect.sync(value)),
        scripted(() => Exit.succeed([0, value()])),
        Schedule.fromStep(Effect.sync(value) as Effect.Effect<never>),
        value() as never
      ]
      for (const schedule of schedules) {
        const answers: Array<BudgetAnswer["_tag"]> = []
        const budget = yield* Effect.provide(budgetOf(schedule), recordedLog().layer)
        for (let i = 0; i < 2; i++) budget.consult(boom, ({ _tag }) => answers.push(_tag))
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(answers, ["Exhausted", "Exhausted"])
      }
    }))

  it.effect("questions to a slow Schedule are answered one after the other, in their order", () =>
    Effect.gen(function*() {
      const budget = yield* budgetOf(
        Schedule.fromStep(
          Effect.succeed((_now: number, _reason: ExitReason) =>
            Effect.delay(Effect.succeed<[number, Duration.Duration]>([0, Duration.zero]), 100)
          )
        )
      )
      const answered: Array<string> = []
      for (const name of ["a", "b", "c"]) budget.consult(boom, () => answered.push(name))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(answered, ["a"])
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(answered, ["a", "b", "c"])
    }))

  it.effect("a question that is open, or waits, when the supervisor ends is never answered", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let asked = 0
      const budget = yield* budgetOf(Schedule.fromStep(Effect.succeed((_now: number, _reason: ExitReason) => {
        asked++
        return Effect.as(Deferred.await(gate), [0, Duration.zero] as [number, Duration.Duration])
      })))
      const answered: Array<string> = []
      budget.consult(boom, () => answered.push("open"))
      budget.consult(boom, () => answered.push("waits"))
      budget.close()
      budget.consult(boom, () => answered.push("of the next incarnation"))
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual([answered, asked], [["of the next incarnation"], 2])
    }))

  it.effect("nor does a Schedule that an incarnation began go on in the next one", () =>
    Effect.gen(function*() {
      let begun = 0
      const budget = yield* budgetOf(Schedule.fromStep(Effect.suspend(() => {
        const which = ++begun
        const step = (_now: number, _reason: ExitReason): Exit.Exit<[number, Duration.Duration]> =>
          Exit.succeed([0, Duration.millis(which)])
        return which === 1 ? Effect.delay(Effect.succeed(step), 1000) : Effect.succeed(step)
      })))
      const answers: Array<BudgetAnswer> = []
      const ask = () => budget.consult(boom, (answer) => answers.push(answer))
      ask()
      budget.close()
      ask()
      yield* TestClock.adjust(1000)
      ask()
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(answers, [{ _tag: "Delay", millis: 2 }, { _tag: "Delay", millis: 2 }])
    }))
})
