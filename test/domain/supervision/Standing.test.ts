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
      // Callers of those that are to come back wait for them.
      assert.deepStrictEqual(world.take(), [
        "start a#2",
        "b is restarting",
        "c is restarting",
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

describe("a child that ends while one that it stands on is on its way", () => {
  it("waits for one that is to be started by another group (dependents)", () => {
    const world = family("dependents")
    world.budget = [delay(1000)]
    world.exit("a")
    world.terminate("a")
    // Up by hand, without what it needs.
    world.restart("c")
    world.starts.set("b", ["hang"])
    world.restart("a")
    world.exit("c")
    assert.deepStrictEqual(world.list(), ["a#2", "b starting", "c restarting"])
    world.release("b")
    assert.deepStrictEqual(world.list(), ["a#2", "b#2", "c#3"])
  })

  it("and is left down with it when it is, also by the same decision (dependents)", () => {
    const world = new World({ strategy: "dependents", onGiveUp: "park" })
    world.add("x", "a", { id: "b", needs: ["a"] }, { id: "c", needs: ["b"] })
    // Nothing comes up while the budget thinks about `x`.
    world.budget = ["later", delay(0)]
    world.exit("x")
    world.exit("c")
    world.terminate("a")
    world.exit("b")
    world.restart("a")
    assert.deepStrictEqual(world.list(), ["x restarting", "a#2", "b restarting", "c restarting"])
    world.terminate("a")
    // Nothing happens after it that would look at them once more.
    world.answerBudget("x", exhausted)
    assert.deepStrictEqual(world.list(), ["x parked", "a down", "b down", "c down"])
    world.restart("a")
    assert.deepStrictEqual(world.list(), ["x parked", "a#3", "b#2", "c#2"])
  })

  it("waits for one that is started by hand (rest_for_one)", () => {
    const world = family("rest_for_one")
    world.terminate("b")
    world.starts.set("b", ["hang"])
    world.restart("b")
    world.exit("c")
    assert.deepStrictEqual(world.list(), ["a#1", "b starting", "c restarting"])
    world.release("b")
    assert.deepStrictEqual(world.list(), ["a#1", "b#2", "c#2"])
  })

  it("or to stop", () => {
    for (const strategy of ["rest_for_one", "dependents"] as const) {
      const world = family(strategy)
      world.stops.set("b", ["hang"])
      world.terminate("b")
      world.exit("c")
      assert.deepStrictEqual(world.list(), ["a#1", "b stopping", "c restarting"])
      world.release("b")
      assert.deepStrictEqual(world.list(), ["a#1", "b down", strategy === "dependents" ? "c down" : "c#2"])
    }
  })

  for (const strategy of ["rest_for_one", "dependents"] as const) {
    it(`waits for those before it, whose group it has joined since (${strategy})`, () => {
      const world = family(strategy)
      world.budget = [delay(1000)]
      world.exit("a")
      world.start({ id: "d", needs: ["a"] })
      world.exit("d")
      assert.deepStrictEqual(world.list(), ["a restarting", "b restarting", "c restarting", "d restarting"])
      world.take()
      world.ring("a")
      const starts = world.take().filter((line) => line.startsWith("start"))
      assert.sameMembers(starts, ["start a#2", "start b#2", "start c#2", "start d#2"])
      assert.isBelow(starts.indexOf("start a#2"), starts.indexOf("start d#2"))
    })

    it(`and is left down with them when the first is terminated (${strategy})`, () => {
      const world = family(strategy)
      world.budget = [delay(1000), delay(500)]
      world.exit("a")
      world.start({ id: "d", needs: ["a"] })
      world.exit("d")
      world.terminate("a")
      world.ring("d")
      assert.deepStrictEqual(world.list(), ["a down", "b down", "c down", "d down"])
      world.restart("a")
      assert.deepStrictEqual(world.list(), ["a#2", "b#2", "c#2", "d#2"])
    })
  }
})

describe("a child that ends while one before it is parked", () => {
  for (const strategy of ["rest_for_one", "one_for_all", "dependents"] as const) {
    it(`is left down until that is resumed, and comes back after it (${strategy})`, () => {
      const world = family(strategy, "park")
      world.budget = [exhausted]
      world.exit("a")
      world.start({ id: "d", needs: ["c"] })
      world.exit("d")
      assert.deepStrictEqual(world.list(), ["a parked", "b parked", "c parked", "d down"])
      world.resume("c")
      assert.deepStrictEqual(world.list(), ["a#2", "b#2", "c#2", "d#2"])
    })
  }
})

it("a child that was left down, and cannot be started by hand, still comes back with the one that it stands on", () => {
  const world = family("rest_for_one")
  world.budget = [delay(1000)]
  world.exit("a")
  world.terminate("a")
  world.starts.set("b", ["fail"])
  assert.strictEqual(world.restart("b")?._tag, "Failed")
  world.restart("a")
  assert.deepStrictEqual(world.list(), ["a#2", "b#3", "c#2"])
})

describe("a child that is added again, and that others need", () => {
  const replaced = () => {
    const world = family("dependents")
    world.add({ id: "d", needs: ["c"] }, "e")
    world.terminate("a")
    world.delete("a")
    return world
  }

  it("comes before them", () => {
    const world = replaced()
    world.start({ id: "a", needs: ["e"] })
    assert.deepStrictEqual(world.list(), ["e#1", "a#2", "b#1", "c#1", "d#1"])
    world.take()
    world.exit("e")
    assert.deepStrictEqual(world.take().filter((line) => line.startsWith("st")), [
      "stop d",
      "stop c",
      "stop b",
      "stop a",
      "start e#2",
      "start a#3",
      "start b#2",
      "start c#2",
      "start d#2"
    ])
  })

  it("and so it does for a group that is coming up", () => {
    const world = replaced()
    world.budget = [delay(1000)]
    world.exit("c")
    world.starts.set("a", ["hang"])
    world.start({ id: "a" })
    world.exit("b")
    world.ring("c")
    assert.deepStrictEqual(world.list(), ["e#1", "a starting", "b restarting", "c restarting", "d restarting"])
    world.release("a")
    assert.deepStrictEqual(world.list(), ["e#1", "a#2", "b#2", "c#2", "d#2"])
  })

  it("also when they wait in one plan with what it needs itself", () => {
    const world = new World({ strategy: "dependents" })
    world.add("root", "x", { id: "b", needs: ["root", "x"] }, { id: "c", needs: ["root"] })
    world.terminate("x")
    world.delete("x")
    world.budget = [delay(1000)]
    world.exit("root")
    world.start({ id: "x", needs: ["c"] })
    world.take()
    world.ring("root")
    assert.deepStrictEqual(world.take(), ["start root#2", "start c#2", "start b#2"])
  })

  it("is refused when it needs one of them: it would wait for itself", () => {
    const world = replaced()
    assert.deepInclude(world.start({ id: "a", needs: ["e", "c"] }), { of: "a", option: "needs", given: ["e", "c"] })
    assert.deepStrictEqual(world.list(), ["b#1", "c#1", "d#1", "e#1"])
  })
})
