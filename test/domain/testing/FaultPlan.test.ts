import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type Point, points } from "../../../src/domain/testing/Fault.ts"
import * as FaultPlan from "../../../src/domain/testing/FaultPlan.ts"

const unit = Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 0.999999 }))
const Draws = Schema.Array(Schema.Tuple([unit, unit]))
const Messages = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))

const key = ({ container, point, server }: FaultPlan.Way): string => `${point} ${server ?? "-"} ${container}`

/** Passes messages through all points until so many have gone by: nothing is struck but the plan's progress. */
const run = (plan: ReadonlyArray<FaultPlan.Strike>, messages: number) => {
  let progress = FaultPlan.begin(plan)
  const hits: Array<readonly [message: number, point: Point, strike: FaultPlan.Strike]> = []
  for (let message = 0; message < messages; message++) {
    for (const point of points) {
      const [strike, next] = FaultPlan.pass(progress, point)
      progress = next
      if (strike !== undefined) hits.push([message, point, strike])
    }
  }
  return { hits, progress }
}

describe("a plan of faults", () => {
  it.prop("has one strike a draw, in order, each within the messages", [Messages, Draws], ([messages, draws]) => {
    const plan = FaultPlan.make(messages, draws)
    assert.strictEqual(plan.length, draws.length)
    assert.deepStrictEqual(plan.map(({ at }) => at), plan.map(({ at }) => at).sort((a, b) => a - b))
    for (const { at } of plan) assert.isTrue(at >= 0 && at < Math.max(1, messages))
  })

  it.prop("spreads its strikes: every share of the messages has its own", [Draws], ([draws]) => {
    const plan = FaultPlan.make(draws.length * 10, draws)
    plan.forEach(({ at }, i) => assert.isTrue(at >= i * 10 && at < (i + 1) * 10))
  })

  it("knows 15 ways: defect, interruption, kill, the container's crash and both together, at each of three points", () => {
    assert.strictEqual(new Set(FaultPlan.ways.map(key)).size, 15)
    for (const point of points) {
      const here = FaultPlan.ways.filter((way) => way.point === point)
      assert.deepStrictEqual(here.map(({ server }) => server), ["Defect", "Interrupt", "Kill", undefined, "Defect"])
      assert.deepStrictEqual(here.map(({ container }) => container), [false, false, false, true, true])
    }
  })

  it.prop("uses every way before it uses one again", [Draws], ([draws]) => {
    const plan = FaultPlan.make(1000, draws)
    for (let i = 0; i < plan.length; i += 15) {
      const round = plan.slice(i, i + 15).map(key)
      assert.strictEqual(new Set(round).size, round.length)
    }
  })

  it("says each way in words of its own", () => {
    assert.strictEqual(new Set(FaultPlan.ways.map(FaultPlan.toText)).size, 15)
    assert.deepStrictEqual(FaultPlan.ways.slice(0, 5).map(FaultPlan.toText), [
      "a defect before the handler",
      "an interruption before the handler",
      "a kill before the handler",
      "a crash of the container before the handler",
      "a defect and a crash of the container before the handler"
    ])
  })
})

describe("carrying a plan out", () => {
  it.prop(
    "strikes each once, in order, at its point, never before its message",
    [Messages, Draws],
    ([messages, draws]) => {
      const plan = FaultPlan.make(messages, draws)
      const { hits, progress } = run(plan, messages + draws.length + 1)
      assert.deepStrictEqual(hits.map(([, , strike]) => strike), plan)
      assert.strictEqual(progress.struck, plan.length)
      for (const [message, point, strike] of hits) {
        assert.isAtLeast(message, strike.at)
        assert.strictEqual(point, strike.point)
      }
    }
  )

  it("a strike that is due waits for its point", () => {
    const plan: ReadonlyArray<FaultPlan.Strike> = [{ at: 1, point: "afterCommit", server: "Kill", container: false }]
    const passed: Array<Point> = ["beforeHandler", "afterHandler", "afterCommit", "beforeHandler", "beforeHandler"]
    let progress = FaultPlan.begin(plan)
    for (const point of passed) {
      const [strike, next] = FaultPlan.pass(progress, point)
      assert.isUndefined(strike)
      progress = next
    }
    assert.deepStrictEqual(FaultPlan.pass(progress, "afterCommit")[0], plan[0])
  })

  it("a fault that is left when the messages run out has not struck", () => {
    const plan = FaultPlan.make(100, [[0, 0], [0, 0]])
    assert.strictEqual(run(plan, 10).progress.struck, 1)
  })
})
