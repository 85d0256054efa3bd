/** No child is started by its supervisor without what it stands on. */
import { assert, describe, it } from "@effect/vitest"
import type { Strategy } from "../../../src/domain/supervision/Strategy.ts"
import { delay, exhausted, World } from "../../kit/World.ts"

/** `b` and `c` stand on `a`, however that is said. */
const family = (strategy: Strategy, onGiveUp: "escalate" | "park" = "escalate") => {
  const world = new World({ strategy, onGiveUp })
  world.add("a", { id: "b", needs: ["a"] }, { id: "c", needs: ["b"] })
  return world
}

for (const strategy of ["rest_for_one", "one_for_all", "dependents"] as const) {
  describe(strategy, () => {
    it("those that stand on a child which is terminated while it waits for its restart are left down", () => {
      const world = family(strategy)
      world.budget = [delay(1000)]
      world.exit("a")
      world.terminate("a")
      world.ring("a")
      assert.deepStrictEqual(world.list(), ["a down", "b down", "c down"])
      assert.includeMembers(world.take(), ["b is stopped", "c is stopped"])
    })

    it("and so they are when it is terminated while it starts", () => {
      const world = family(strategy)
      world.starts.set("a", ["hang"])
      world.exit("a")
      world.stops.set("a", ["hang"])
      world.terminate("a")
      world.release("a")
      assert.deepStrictEqual(world.list(), ["a down", "b down", "c down"])
    })

    it("or when it failed to come back, and is terminated before the next attempt", () => {
      const world = family(strategy)
      world.starts.set("a", ["fail"])
      world.budget = [delay(0), "later"]
      world.exit("a")
      world.terminate("a")
      world.answerBudget("a", delay(0))
      assert.deepStrictEqual(world.list(), ["a down", "b down", "c down"])
    })

    it("they come back in start order when it is started again", () => {
      const world = family(strategy)
      world.budget = [delay(1000)]
      world.exit("a")
      world.terminate("a")
      world.take()
      assert.strictEqual(world.restart("a")?._tag, "Started")
      assert.deepStrictEqual(world.list(), ["a#2", "b#2", "c#2"])
      assert.deepStrictEqual(world.take().filter((line) => line.startsWith("start")), [
        "start a#2",
        "start b#2",
        "start c#2"
      ])
    })

    it("one of them may be started by hand before", () => {
      const world = family(strategy)
      world.budget = [delay(1000)]
      world.exit("a")
      world.terminate("a")
      assert.strictEqual(world.restart("c")?._tag, "Started")
      assert.deepStrictEqual(world.list(), ["a down", "b down", "c#2"])
      world.restart("a")
      assert.deepStrictEqual(world.list(), ["a#2", "b#2", "c#2"])
    })

    it("they come back with their supervisor, too", () => {
      const world = family(strategy)
      world.budget = [delay(1000)]
      world.exit("a")
      world.terminate("a")
      world.send({ _tag: "Shutdown", reason: { _tag: "Shutdown" }, brutal: false, forGood: false })
      world.send({ _tag: "Settled", fate: "restarting" })
      world.send({ _tag: "Boot" })
      assert.deepStrictEqual(world.list(), ["a#2", "b#2", "c#2"])
    })
  })
}

describe("a sibling that was terminated while nothing waited for it", () => {
  for (const strategy of ["rest_for_one", "one_for_all"] as const) {
    it(`is passed over in a group restart (${strategy})`, () => {
      const world = family(strategy)
      world.terminate("a")
      world.exit("b")
      assert.deepStrictEqual(world.list(), ["a down", "b#2", "c#2"])
    })
  }

  it("but keeps those that need it from coming back (dependents), at no cost to the budget", () => {
    const world = family("dependents")
    world.terminate("a")
    assert.deepStrictEqual(world.list(), ["a down", "b#1", "c#1"])
    world.exit("b")
    assert.deepStrictEqual([world.list(), world.asked], [["a down", "b down", "c#1"], 0])
    world.restart("a")
    assert.deepStrictEqual(world.list(), ["a#2", "b#2", "c#1"])
  })

  it("or that needs one that was left down itself (dependents)", () => {
    const world = family("dependents")
    world.terminate("a")
    world.exit("b")
    world.exit("c")
    assert.deepStrictEqual(world.list(), ["a down", "b down", "c down"])
    world.restart("a")
    assert.deepStrictEqual(world.list(), ["a#2", "b#2", "c#2"])
  })
})

it("one that is parked keeps those that need it from coming back, until it is resumed", () => {
  const world = new World({ strategy: "dependents", onGiveUp: "park" })
  world.add("a", { id: "b", needs: ["a"] })
  world.terminate("b")
  world.budget = [exhausted]
  world.exit("a")
  world.restart("b")
  world.exit("b")
  assert.deepStrictEqual(world.list(), ["a parked", "b down"])
  world.resume("a")
  assert.deepStrictEqual(world.list(), ["a#2", "b#3"])
})

it("one that has finished, or does not want to run, is passed over", () => {
  const world = new World({ strategy: "dependents" })
  world.add({ id: "a", restart: "transient" }, { id: "b", needs: ["a"] })
  world.finish("a")
  world.exit("b")
  assert.deepStrictEqual(world.list(), ["a down", "b#2"])
})
