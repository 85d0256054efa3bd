import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { type ExitReason, killed, normal, shutdown } from "../../../src/domain/process/ExitReason.ts"
import { boom, booted, World } from "../../kit/World.ts"

const exhausted = { _tag: "Exhausted" } as const
const delay = (millis: number) => ({ _tag: "Delay", millis }) as const
const end = (world: World, reason: ExitReason = shutdown, brutal = false) =>
  world.send({ _tag: "Shutdown", reason, brutal })

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

  it("ignores what an older incarnation or attempt has to say", () => {
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

  it("stops the others in reverse start order and starts everybody in start order, for one question", () => {
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

  it("leaves down what was stopped on purpose or has finished, and forgets temporary children", () => {
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

  it("refuses a need that no child started before can meet", () => {
    const world = new World({ strategy: "dependents" })
    assert.deepInclude(world.start({ id: "web", needs: ["db"] }), { _tag: "InvalidSpec", field: "needs" })
    assert.deepStrictEqual(world.list(), [])
  })
})

describe("requests", () => {
  it("answers as OTP does, whatever the child is doing", () => {
    const world = new World()
    assert.deepStrictEqual(
      [world.terminate("hej"), world.restart("hej"), world.delete("hej"), world.resume("hej")].map((a) => a?._tag),
      ["NotFound", "NotFound", "NotFound", "NotFound"]
    )
    world.add("a")
    assert.deepStrictEqual(
      [world.start({ id: "a" }), world.restart("a"), world.delete("a"), world.resume("a")].map((a) => a?._tag),
      ["AlreadyStarted", "Running", "Running", "NotParked"]
    )
    assert.strictEqual(world.terminate("a")?._tag, "Done")
    assert.strictEqual(world.terminate("a")?._tag, "Done")
    assert.strictEqual(world.start({ id: "a" })?._tag, "AlreadyPresent")
    assert.strictEqual(world.restart("a")?._tag, "Started")
    world.budget = [delay(10)]
    world.exit("a")
    assert.deepStrictEqual(
      [world.start({ id: "a" }), world.restart("a"), world.delete("a")].map((a) => a?._tag),
      ["AlreadyPresent", "Restarting", "Restarting"]
    )
    world.take()
    assert.strictEqual(world.terminate("a")?._tag, "Done")
    assert.deepStrictEqual(world.take(), ["cancel timer", "a is stopped"])
    world.ring("a")
    assert.deepStrictEqual(world.list(), ["a down"])
    assert.strictEqual(world.delete("a")?._tag, "Done")
    assert.deepStrictEqual(world.take(), ["a is deleted"])
    assert.deepStrictEqual(world.list(), [])
  })

  it("a start that fails leaves nothing; a manual restart that fails leaves the child down", () => {
    const world = new World()
    world.starts.set("a", ["fail", "ok", "fail"])
    assert.strictEqual(world.start({ id: "a" })?._tag, "Failed")
    assert.deepStrictEqual(world.list(), [])
    assert.strictEqual(world.start({ id: "a" })?._tag, "Started")
    world.terminate("a")
    assert.strictEqual(world.restart("a")?._tag, "Failed")
    assert.deepStrictEqual(world.list(), ["a down"])
    assert.strictEqual(world.asked, 0)
  })

  it("a child that ignores is kept with its spec, unless it is temporary", () => {
    const world = new World()
    world.starts.set("a", ["ignore"]).set("b", ["ignore"])
    assert.strictEqual(world.start({ id: "a" })?._tag, "Ignored")
    assert.strictEqual(world.start({ id: "b", restart: "temporary" })?._tag, "Ignored")
    assert.deepStrictEqual(world.list(), ["a down"])
    assert.deepStrictEqual(world.state.counts, { specs: 1, active: 0, supervisors: 0, workers: 1, significant: 0 })
  })

  it("termination ends a start in progress; the starter is told, and nothing is left", () => {
    const world = new World()
    world.starts.set("a", ["hang"])
    assert.isUndefined(world.start({ id: "a" }))
    assert.strictEqual(world.terminate("a")?._tag, "Done")
    assert.strictEqual(world.answers.get(1)?._tag, "Stopped")
    assert.deepStrictEqual(world.list(), [])
  })

  it("is heard between the steps of a group restart", () => {
    const world = new World({ strategy: "one_for_all" })
    world.add("a", "b", "c")
    world.stops.set("c", ["hang"])
    world.exit("a")
    assert.deepStrictEqual(world.take(), ["a is restarting", "stop c"])
    assert.strictEqual(world.terminate("b")?._tag, "Done")
    assert.isUndefined(world.terminate("c"))
    assert.strictEqual(world.start({ id: "d" })?._tag, "Started")
    world.release("c")
    assert.strictEqual(world.answers.get(5)?._tag, "Done")
    assert.deepStrictEqual(world.list(), ["a#2", "b down", "c down", "d#1"])
  })

  it("counts specs, the living, and kinds", () => {
    const world = new World()
    world.add("a", { id: "b", kind: "supervisor" }, { id: "c", kind: "supervisor" })
    world.terminate("c")
    assert.deepStrictEqual(world.state.counts, { specs: 3, active: 2, supervisors: 2, workers: 1, significant: 0 })
  })
})

describe("significant children", () => {
  const spec = (id: string, restart: "transient" | "temporary", significant = true) => ({ id, restart, significant })

  it("any_significant: the end of a temporary one ends the supervisor, in whatever way it ended", () => {
    for (const reason of [normal, killed, boom]) {
      const world = new World({ autoShutdown: "any_significant" })
      world.add(spec("a", "temporary"), spec("b", "temporary"), spec("c", "temporary", false))
      world.exit("a", reason)
      assert.deepStrictEqual(world.take().slice(1), ["stop c", "stop b", "ended Shutdown"])
    }
  })

  it("all_significant: one that is parked does not hold the end up", () => {
    const world = new World({ autoShutdown: "all_significant", onGiveUp: "park" })
    const significant = { restart: "transient", significant: true } as const
    world.add({ id: "a", ...significant }, { id: "b", ...significant })
    world.budget = [exhausted]
    world.exit("a")
    assert.deepStrictEqual(world.list(), ["a parked", "b#1"])
    world.take()
    world.finish("b")
    assert.deepStrictEqual(world.take().at(-1), "ended Shutdown")
  })

  it("any_significant: a transient one is restarted after a crash, and ends the supervisor when it finishes", () => {
    const world = new World({ autoShutdown: "any_significant" })
    world.add(spec("a", "transient"), spec("b", "transient"))
    world.exit("a")
    assert.deepStrictEqual(world.list(), ["a#2", "b#1"])
    world.take()
    world.finish("a")
    assert.deepStrictEqual(world.take(), ["a is finished", "stop b", "ended Shutdown"])
  })

  it("all_significant: the last of them ends the supervisor; a restarting one is still there", () => {
    const world = new World({ autoShutdown: "all_significant" })
    world.add(spec("a", "transient"), spec("b", "transient"), "c")
    world.budget = [delay(10)]
    world.exit("b")
    world.finish("a")
    assert.strictEqual(world.state.phase._tag, "Up")
    world.ring("b")
    world.take()
    world.finish("b")
    assert.deepStrictEqual(world.take(), ["b is finished", "stop c", "ended Shutdown"])
  })

  it("stopping one through the supervisor, or losing one that is not significant, ends nothing", () => {
    const world = new World({ autoShutdown: "any_significant" })
    world.add(spec("a", "temporary"), spec("b", "temporary", false))
    world.terminate("a")
    world.exit("b")
    assert.strictEqual(world.state.phase._tag, "Up")
  })
})

describe("giving up", () => {
  it("escalate: the children are stopped in reverse and their fate is left to the parent", () => {
    const world = new World()
    world.add("a", "b", "c")
    world.budget = [exhausted]
    world.exit("b")
    assert.deepStrictEqual(world.take(), ["gave up on b", "stop c", "stop a", "ended GaveUp"])
    world.send({ _tag: "Settled", fate: "restarting" })
    assert.deepStrictEqual(world.take(), ["a is restarting", "b is restarting", "c is restarting"])
  })

  it("park: the child waits for somebody to resume it, and the others go on", () => {
    const world = new World({ onGiveUp: "park" })
    world.add("a", "b")
    world.budget = [exhausted]
    world.exit("a")
    assert.deepStrictEqual(world.take(), ["gave up on a", "a is parked"])
    assert.deepStrictEqual(world.list(), ["a parked", "b#1"])
    assert.strictEqual(world.restart("a")?._tag, "Parked")
    assert.strictEqual(world.resume("a")?._tag, "Done")
    assert.deepStrictEqual(world.take(), ["budget anew", "a is restarting", "start a#2"])
  })

  it("park: a group is parked, and resumed, as a whole", () => {
    const world = new World({ onGiveUp: "park", strategy: "rest_for_one" })
    world.add("a", "b", "c", { id: "d", restart: "temporary" })
    world.budget = [exhausted]
    world.exit("b")
    assert.deepStrictEqual(world.take(), [
      "gave up on b",
      "b is parked",
      "stop d",
      "d is stopped",
      "stop c",
      "c is parked"
    ])
    assert.deepStrictEqual(world.list(), ["a#1", "b parked", "c parked"])
    world.resume("c")
    assert.deepStrictEqual(world.list(), ["a#1", "b#2", "c#2"])
  })

  it("park: what is parked stays out of the group of a sibling that is restarted", () => {
    const world = new World({ onGiveUp: "park", strategy: "rest_for_one" })
    world.add("a", "b", "c")
    world.budget = [exhausted]
    world.exit("c")
    world.take()
    world.exit("a")
    assert.deepStrictEqual(world.take(), [
      "a is restarting",
      "stop b",
      "b is restarting",
      "start a#2",
      "start b#2"
    ])
    assert.deepStrictEqual(world.list(), ["a#2", "b#2", "c parked"])
    world.resume("c")
    assert.deepStrictEqual(world.list(), ["a#2", "b#2", "c#2"])
  })

  it("park: a group that is being parked is parked whoever else crashes meanwhile", () => {
    const world = new World({ onGiveUp: "park", strategy: "one_for_all" })
    world.add("a", "b", "c")
    world.stops.set("c", ["hang"])
    world.budget = [exhausted, delay(0)]
    world.exit("b")
    world.exit("a")
    world.release("c")
    assert.deepStrictEqual(world.list(), ["a parked", "b parked", "c parked"])
    world.resume("a")
    assert.deepStrictEqual(world.list(), ["a#2", "b#2", "c#2"])
  })

  it("a parked child can be terminated and deleted", () => {
    const world = new World({ onGiveUp: "park", strategy: "one_for_one" })
    world.add("a")
    world.budget = [exhausted]
    world.exit("a")
    assert.strictEqual(world.terminate("a")?._tag, "Done")
    assert.deepStrictEqual(world.list(), ["a down"])
    world.restart("a")
    world.budget = [exhausted]
    world.exit("a")
    assert.strictEqual(world.delete("a")?._tag, "Done")
    assert.deepStrictEqual(world.list(), [])
  })
})

describe("the supervisor's own life", () => {
  it("stops its children in reverse start order", () => {
    const world = new World()
    world.add("a", "b", "c")
    end(world)
    assert.deepStrictEqual(world.take(), ["stop c", "stop b", "stop a", "ended Shutdown"])
    assert.strictEqual(world.start({ id: "d" })?._tag, "NotRunning")
    assert.strictEqual(world.terminate("a")?._tag, "NotRunning")
  })

  it("does not start what was about to be: timers are cancelled, starts in progress are stopped", () => {
    const world = new World()
    world.add("a", "b")
    world.starts.set("c", ["hang"])
    world.start({ id: "c" })
    world.budget = [delay(10)]
    world.exit("a")
    world.take()
    end(world)
    assert.deepStrictEqual(world.take(), ["cancel timer", "stop c", "c is stopped", "stop b", "ended Shutdown"])
    assert.strictEqual(world.answers.get(3)?._tag, "Stopped")
    world.ring("a")
    assert.deepStrictEqual(world.take(), [])
  })

  it("is heard in the middle of a group restart", () => {
    const world = new World({ strategy: "one_for_all" })
    world.add("a", "b", "c")
    world.starts.set("b", ["hang"])
    world.exit("c")
    world.take()
    end(world)
    assert.deepStrictEqual(world.take(), ["stop b", "stop a", "ended Shutdown"])
  })

  it("a child that crashes while the others stop is not restarted", () => {
    const world = new World()
    world.add("a", "b")
    world.stops.set("b", ["hang"])
    end(world)
    world.exit("a")
    world.release("b")
    assert.deepStrictEqual(world.take(), ["stop b", "ended Shutdown"])
    assert.strictEqual(world.asked, 0)
  })

  it("a second, brutal shutdown waits for nobody", () => {
    const world = new World()
    world.add("a", "b")
    world.stops.set("b", ["hang"])
    end(world)
    end(world, killed, true)
    assert.deepStrictEqual(world.take(), ["stop b", "stop b brutally", "stop a brutally", "ended Killed"])
  })

  it("boots its own children in order, with a new budget; those added at run time are gone", () => {
    const world = new World()
    world.add("a", "b")
    world.start({ id: "c" })
    world.terminate("b")
    end(world)
    world.take()
    world.send({ _tag: "Settled", fate: "restarting" })
    world.send({ _tag: "Boot" })
    assert.deepStrictEqual(world.take(), [
      "c is stopped",
      "a is restarting",
      "b is restarting",
      "budget anew",
      "start a#2",
      "start b#2",
      "Booted"
    ])
  })

  it("those added at run time are gone also when it was stopped, and is started again by hand", () => {
    const world = new World()
    world.add("a")
    world.start({ id: "c" })
    end(world)
    world.send({ _tag: "Settled", fate: "stopped" })
    world.send({ _tag: "Boot" })
    assert.deepStrictEqual(world.list(), ["a#2"])
  })

  it("the timer of a group that waits is cancelled when it ends", () => {
    const world = new World({ strategy: "one_for_all" })
    world.add("a", "b")
    world.budget = [delay(10)]
    world.exit("a")
    world.take()
    end(world)
    assert.deepStrictEqual(world.take(), ["cancel timer", "ended Shutdown"])
  })

  it("a child that fails to start while booting: what was started is stopped in reverse, and the boot fails", () => {
    const world = booted({}, ["a", "b", "c", "d"])
    world.starts.set("c", ["fail"])
    world.send({ _tag: "Boot" })
    assert.deepStrictEqual(world.take(), [
      "budget anew",
      "start a#1",
      "start b#1",
      "start c#1",
      "stop b",
      "stop a",
      "BootFailed"
    ])
    assert.strictEqual(world.asked, 0)
  })

  it("a temporary child that has ended does not come back with its supervisor", () => {
    const world = new World()
    world.add("a", { id: "b", restart: "temporary" })
    world.exit("b")
    end(world)
    world.send({ _tag: "Boot" })
    assert.deepStrictEqual(world.list(), ["a#2"])
  })

  it("what becomes of it becomes of its children, except that a finished supervisor has not finished their work", () => {
    const fates = (["parked", "stopped", "finished", "deleted"] as const).map((fate) => {
      const world = new World()
      world.add("a")
      end(world)
      world.take()
      world.send({ _tag: "Settled", fate })
      return world.take()
    })
    assert.deepStrictEqual(fates, [["a is parked"], ["a is stopped"], ["a is stopped"], ["a is deleted"]])
  })
})
