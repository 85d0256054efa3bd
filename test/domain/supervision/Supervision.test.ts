/** The rule of a supervisor: which children an exit ends and starts, by strategy and by need. */
import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { normal } from "../../../src/domain/process/ExitReason.ts"
import { StoreError } from "../../../src/domain/state/stored/StoreError.ts"
import { boom, delay, exhausted, World } from "../../kit/World.ts"

describe("one_for_one", () => {
  it("restarts the child that crashed, and only it", () => {
    const world = new World()
    world.add("a", "b", "c")
    world.exit("b")
    assert.deepStrictEqual(world.take(), ["b is restarting", "start b#2"])
    assert.deepStrictEqual(world.list(), ["a#1", "b#2", "c#1"])
  })

  it("asks the budget once for each decision, failed attempts included, and never for first or manual starts", () => {
    const world = new World()
    world.add("a")
    world.terminate("a")
    world.restart("a")
    assert.strictEqual(world.asked, 0)
    world.starts.set("a", ["fail", "fail", "ok"])
    world.exit("a")
    assert.strictEqual(world.asked, 3)
  })

  it("asks for a permanent child that ended normally, not for a transient one", () => {
    const world = new World()
    world.add("a", { id: "b", restart: "transient" })
    world.finish("b")
    assert.strictEqual(world.asked, 0)
    world.finish("a")
    assert.strictEqual(world.asked, 1)
  })

  it("waits out the delay the budget asks for, in a status of its own", () => {
    const world = new World()
    world.add("a")
    world.budget = [delay(100)]
    world.exit("a")
    assert.deepStrictEqual(world.take(), ["a is restarting", "wait 100 for a"])
    assert.deepStrictEqual(world.list(), ["a restarting"])
    world.ring("a")
    assert.deepStrictEqual(world.take(), ["start a#2"])
    world.ring("a")
    assert.deepStrictEqual(world.take(), [], "a timer counts once")
  })

  it("waits out a delay of a millisecond, too", () => {
    const world = new World()
    world.add("a")
    world.budget = [delay(1)]
    world.exit("a")
    assert.deepStrictEqual(world.take(), ["a is restarting", "wait 1 for a"])
  })

  it("one that was added at run time is let go when its key was taken over; what it is made of ends it", () => {
    const reason = { _tag: "Fenced", epoch: 1, current: 2, key: "a" } as const
    const cause = Cause.fail(new StoreError({ store: "test", operation: "save", reason }))
    const world = new World()
    world.add("a")
    world.start({ id: "b" })
    world.start({ id: "c" })
    world.take()
    world.exit("b", { _tag: "NotConserved", cause })
    assert.deepStrictEqual(world.take(), ["b is stopped"])
    world.exit("c", { _tag: "GaveUp", child: "c", cause })
    assert.deepStrictEqual(world.take(), ["c is stopped"])
    assert.strictEqual(world.asked, 0)
    world.budget = [exhausted]
    world.exit("a", { _tag: "NotConserved", cause })
    assert.strictEqual(world.take()[0], "gave up on a")
  })

  it("tries a failed restart again after asking the budget, and gives up when it says so", () => {
    const world = new World()
    world.add("a", "b")
    world.starts.set("a", ["fail", "fail"])
    world.budget = [delay(0), delay(0), exhausted]
    world.exit("a")
    assert.deepStrictEqual(world.take(), [
      "a is restarting",
      "start a#2",
      "a is restarting",
      "start a#3",
      "gave up on a",
      "stop b",
      "ended GaveUp"
    ])
  })

  it("ignores events of an older incarnation or attempt", () => {
    const world = new World()
    world.add("a")
    world.exit("a")
    world.take()
    world.exit("a", boom, 1)
    world.send({ _tag: "ChildStartFailed", id: "a", ticket: 1, cause: Cause.die("late") })
    world.send({ _tag: "BudgetAnswered", id: "a", ticket: 1, answer: exhausted })
    world.send({ _tag: "ChildStopped", id: "a", ticket: 1, reason: normal })
    assert.deepStrictEqual(world.take(), [])
    assert.deepStrictEqual(world.list(), ["a#2"])
  })

  it("hears of an exit that overtakes the news of the start", () => {
    const world = new World()
    world.starts.set("a", ["hang"])
    world.start({ id: "a" })
    world.exit("a", boom, 1)
    assert.deepStrictEqual(world.list(), ["a starting"])
    world.take()
    world.release("a")
    assert.deepStrictEqual(world.take(), ["a is restarting", "start a#2"])
  })
})

describe("one_for_all", () => {
  const all = { strategy: "one_for_all" } as const

  it("stops the others in reverse start order and starts every child in start order, for one question", () => {
    const world = new World(all)
    world.add("a", "b", "c")
    world.exit("b")
    assert.deepStrictEqual(world.take(), [
      "b is restarting",
      "stop c",
      "c is restarting",
      "stop a",
      "a is restarting",
      "start a#2",
      "start b#2",
      "start c#2"
    ])
    assert.strictEqual(world.asked, 1)
  })

  it("a sibling that fails to come back: those already back are stopped and all is done again", () => {
    const world = new World(all)
    world.add("a", "b", "c")
    world.starts.set("b", ["fail"])
    world.exit("c")
    assert.deepStrictEqual(world.take().slice(-6), [
      "b is restarting",
      "stop a",
      "a is restarting",
      "start a#3",
      "start b#3",
      "start c#2"
    ])
    assert.strictEqual(world.asked, 2)
  })

  it("waits between the stops and the starts when the budget asks for a delay", () => {
    const world = new World(all)
    world.add("a", "b")
    world.budget = [delay(50)]
    world.exit("a")
    assert.deepStrictEqual(world.take(), ["a is restarting", "wait 50 for a", "stop b", "b is restarting"])
    assert.deepStrictEqual(world.list(), ["a restarting", "b restarting"])
    world.ring("a")
    assert.deepStrictEqual(world.take(), ["start a#2", "start b#2"])
  })

  it("leaves children down that were stopped on purpose or have finished, and forgets temporary ones", () => {
    const world = new World(all)
    world.add("a", "b", { id: "c", restart: "transient" }, { id: "d", restart: "temporary" })
    world.terminate("b")
    world.finish("c")
    world.take()
    world.exit("a")
    assert.deepStrictEqual(world.take(), ["a is restarting", "stop d", "d is stopped", "start a#2"])
    assert.deepStrictEqual(world.list(), ["a#2", "b down", "c down"])
  })

  it("one more crash in the middle of a restart is one more decision, and all is done again", () => {
    const world = new World(all)
    world.add("a", "b", "c")
    world.starts.set("c", ["hang"])
    world.exit("b")
    world.take()
    world.exit("a")
    assert.strictEqual(world.asked, 2)
    assert.deepStrictEqual(world.take(), [
      "a is restarting",
      "stop c",
      "c is restarting",
      "stop b",
      "b is restarting",
      "start a#3",
      "start b#3",
      "start c#3"
    ])
  })

  it("two crashes while the budget thinks: nothing comes up before both are answered", () => {
    const world = new World(all)
    world.add("a", "b", "c")
    world.budget = ["later", "later"]
    world.exit("a")
    world.exit("b")
    world.take()
    world.answerBudget("a", delay(0))
    assert.deepStrictEqual(world.take(), ["a is restarting", "stop c", "c is restarting"])
    world.answerBudget("b", delay(0))
    assert.deepStrictEqual(world.take(), ["b is restarting", "start a#2", "start b#2", "start c#2"])
  })

  it("a child whose init says ignore is asked again by the next group restart", () => {
    const world = new World(all)
    world.starts.set("b", ["ignore"])
    world.add("a", "b")
    assert.deepStrictEqual(world.list(), ["a#1", "b down"])
    world.exit("a")
    assert.deepStrictEqual(world.list(), ["a#2", "b#2"])
  })
})

describe("rest_for_one", () => {
  const rest = { strategy: "rest_for_one" } as const

  it("restarts the child and those after it", () => {
    const world = new World(rest)
    world.add("ch7", "ch3", "ch10", "ch2", "ch5")
    world.exit("ch10")
    assert.deepStrictEqual(world.take().filter((line) => line.startsWith("st")), [
      "stop ch5",
      "stop ch2",
      "start ch10#2",
      "start ch2#2",
      "start ch5#2"
    ])
    assert.deepStrictEqual(world.list(), ["ch7#1", "ch3#1", "ch10#2", "ch2#2", "ch5#2"])
  })

  it("a sibling that fails to come back: it goes on from that one", () => {
    const world = new World(rest)
    world.add("a", "b", "c")
    world.starts.set("b", ["fail"])
    world.exit("a")
    assert.deepStrictEqual(world.list(), ["a#2", "b#3", "c#2"])
    assert.deepStrictEqual(world.take().slice(-3), ["b is restarting", "start b#3", "start c#2"])
    assert.strictEqual(world.asked, 2)
  })
})

describe("dependents", () => {
  it("restarts the child and those that need it, in dependency order, for one question", () => {
    const world = new World({ strategy: "dependents" })
    world.add("db", "cache", { id: "users", needs: ["db"] }, "mail", { id: "web", needs: ["users", "cache"] })
    world.exit("db")
    assert.deepStrictEqual(world.take().filter((line) => line.startsWith("st")), [
      "stop web",
      "stop users",
      "start db#2",
      "start users#2",
      "start web#2"
    ])
    assert.deepStrictEqual(world.list(), ["db#2", "cache#1", "users#2", "mail#1", "web#2"])
    assert.strictEqual(world.asked, 1)
  })

  it("two groups that do not touch are restarted independently of each other", () => {
    const world = new World({ strategy: "dependents" })
    world.add("a", { id: "a2", needs: ["a"] }, "b", { id: "b2", needs: ["b"] })
    world.budget = [delay(1000), delay(0)]
    world.exit("a")
    world.exit("b")
    assert.deepStrictEqual(world.list(), ["a restarting", "a2 restarting", "b#2", "b2#2"])
    world.ring("a")
    assert.deepStrictEqual(world.list(), ["a#2", "a2#2", "b#2", "b2#2"])
  })

  it("two groups that share a child become one", () => {
    const world = new World({ strategy: "dependents" })
    world.add("a", "b", { id: "c", needs: ["a", "b"] })
    world.budget = [delay(1000), delay(0)]
    world.exit("a")
    world.exit("b")
    assert.deepStrictEqual(world.list(), ["a restarting", "b restarting", "c restarting"])
    world.ring("a")
    assert.deepStrictEqual(world.list(), ["a#2", "b#2", "c#2"])
  })

  it("a child that the first group is stopping is waited for, and comes back with both", () => {
    const world = new World({ strategy: "dependents" })
    world.add("a", "b", { id: "c", needs: ["a"] }, { id: "d", needs: ["a", "b"] })
    world.stops.set("c", ["hang"])
    world.exit("a")
    world.exit("b")
    assert.deepStrictEqual(world.list(), ["a restarting", "b restarting", "c stopping", "d restarting"])
    world.release("c")
    assert.deepStrictEqual(world.list(), ["a#2", "b#2", "c#2", "d#2"])
  })

  it("a group that takes another over stops those, too, that the other was still to stop", () => {
    const world = new World({ strategy: "dependents" })
    world.add("a", { id: "b", needs: ["a"] }, { id: "c", needs: ["a"] }, { id: "d", needs: ["a"] })
    world.stops.set("d", ["hang"])
    world.exit("a")
    world.exit("c")
    world.take()
    world.release("d")
    assert.deepStrictEqual(world.take().filter((line) => line.startsWith("st")), [
      "stop b",
      "start a#2",
      "start b#2",
      "start c#2",
      "start d#2"
    ])
  })

  it("refuses a need that no child started before can meet", () => {
    const world = new World({ strategy: "dependents" })
    assert.deepInclude(world.start({ id: "web", needs: ["db"] }), {
      _tag: "InvalidOption",
      option: "needs",
      given: "db"
    })
    assert.deepStrictEqual(world.list(), [])
  })
})
