import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type ExitReason, killed, normal } from "../../../src/domain/process/ExitReason.ts"
import { revivable, revived, steps } from "../../../src/domain/supervision/Revival.ts"
import { decide, newestFirst } from "../../../src/domain/supervision/Supervision.ts"
import type { Command } from "../../../src/domain/supervision/SupervisionEvents.ts"
import { find, type State } from "../../../src/domain/supervision/SupervisionState.ts"
import { boom, World } from "../../kit/World.ts"

/** All that is known, with the children as a list: how a map came about does not matter. */
const known = (state: State) => ({ ...state, children: newestFirst(state) })

const walk = (state: State, events: ReturnType<typeof steps>) => {
  const commands: Array<ReadonlyArray<Command>> = []
  for (const event of events) {
    const [next, todo] = decide(state, event)
    state = next
    commands.push(todo)
  }
  return { state, commands }
}

const Step = Schema.Struct({
  what: Schema.Literals([
    "crash",
    "finish",
    "kill",
    "delay",
    "think",
    "answer",
    "ring",
    "hang",
    "fail",
    "release",
    "terminate",
    "restart",
    "delete",
    "start",
    "exhaust",
    "resume"
  ]),
  id: Schema.Literals(["a", "b", "c", "d"])
})

const perform = (world: World, { id, what }: typeof Step.Type): void => {
  switch (what) {
    case "crash":
      return world.exit(id)
    case "finish":
      return world.finish(id)
    case "kill":
      return world.exit(id, killed)
    case "delay":
      return void world.budget.push({ _tag: "Delay", millis: 100 })
    case "think":
      return void world.budget.push("later")
    case "exhaust":
      return void world.budget.push({ _tag: "Exhausted" })
    case "answer":
      return world.answerBudget(id, { _tag: "Delay", millis: 0 })
    case "ring":
      return world.ring(id)
    case "hang":
    case "fail":
      return void world.starts.set(id, [what])
    case "release":
      return world.release(id)
    case "terminate":
      return void world.terminate(id)
    case "restart":
      return void world.restart(id)
    case "delete":
      return void world.delete(id)
    case "resume":
      return void world.resume(id)
    case "start":
      return void world.start({ id, restart: id === "d" ? "transient" : "permanent" })
  }
}

const reasons: ReadonlyArray<ExitReason> = [boom, killed, normal]

describe("Revival", () => {
  it.prop(
    "comes to what the three steps come to, whatever happened before",
    {
      walk: Schema.Array(Step),
      strategy: Schema.Literals(["one_for_one", "one_for_one", "one_for_one", "rest_for_one"]),
      onGiveUp: Schema.Literals(["park", "park", "escalate"]),
      isJoined: Schema.Boolean
    },
    ({ isJoined, onGiveUp, strategy, walk: past }) => {
      const world = new World({ strategy, onGiveUp })
      world.add("a", { id: "b", restart: "transient" }, { id: "c", restart: "temporary" })
      // One that was added at run time.
      if (isJoined) perform(world, { what: "start", id: "d" })
      for (const step of past) perform(world, step)
      for (const { incarnation, spec: { id } } of newestFirst(world.state)) {
        for (const reason of reasons) {
          const entry = revivable(world.state, id, incarnation, reason)
          if (entry === undefined) continue
          const next = incarnation + 1
          const { commands, state } = walk(world.state, steps(world.state, entry, reason, next))
          assert.deepStrictEqual(known(revived(world.state, entry, next)), known(state))
          assert.deepStrictEqual(commands.map((todo) => todo.map(({ _tag }) => _tag)), [
            ["ConsultBudget"],
            ["Settle", "Publish", "Start"],
            []
          ], "and nothing else is to be done than what a revival does")
        }
      }
    }
  )

  const crashing = (strategy: "one_for_one" | "one_for_all" = "one_for_one") => {
    const world = new World({ strategy })
    world.add("a", { id: "b", restart: "transient" }, { id: "c", restart: "temporary" })
    return world
  }
  const isRevivable = ({ state }: World, id: string, reason: ExitReason = boom, incarnation = 1) =>
    revivable(state, id, incarnation, reason) !== undefined

  it("is for ends that are answered with a restart", () => {
    const world = crashing()
    assert.deepStrictEqual(
      ["a", "b", "c", "nobody"].map((id) => reasons.map((reason) => isRevivable(world, id, reason))),
      [[true, true, true], [true, true, false], [false, false, false], [false, false, false]]
    )
  })

  it("is not for news of an older incarnation", () => {
    const world = crashing()
    world.exit("a")
    assert.isFalse(isRevivable(world, "a", boom, 1))
    assert.isTrue(isRevivable(world, "a", boom, 2))
  })

  it("is not for groups, nor while the budget thinks, nor while the supervisor is on its way", () => {
    assert.isFalse(isRevivable(crashing("one_for_all"), "a"))
    const thinking = crashing()
    thinking.budget = ["later"]
    thinking.exit("b")
    assert.isFalse(isRevivable(thinking, "a"))
    const ending = crashing()
    ending.stops.set("b", ["hang"])
    ending.send({ _tag: "Shutdown", reason: normal, brutal: false, forGood: false })
    assert.strictEqual(find(ending.state, "a")?.status._tag, "Running")
    assert.isFalse(isRevivable(ending, "a"))
  })

  it("shows a looker that it is restarting: the first two steps", () => {
    const { state } = crashing()
    const entry = revivable(state, "a", 1, boom)!
    const looked = walk(state, steps(state, entry, boom)).state
    assert.strictEqual(find(looked, "a")?.status._tag, "Starting")
    assert.strictEqual(looked.counts.active, state.counts.active - 1)
  })
})
