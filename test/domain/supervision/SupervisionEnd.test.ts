/** The rule of a supervisor: when it gives up, how it boots, and how it ends. */
import { assert, describe, it } from "@effect/vitest"
import { type ExitReason, killed, shutdown } from "../../../src/domain/process/ExitReason.ts"
import { decide } from "../../../src/domain/supervision/Supervision.ts"
import { find } from "../../../src/domain/supervision/SupervisionState.ts"
import { booted, delay, exhausted, World } from "../../kit/World.ts"

const end = (world: World, reason: ExitReason = shutdown, brutal = false) =>
  world.send({ _tag: "Shutdown", reason, brutal, forGood: false })

it("a supervisor is up when all of its children are, also those that crashed meanwhile", () => {
  const world = booted({ strategy: "dependents" }, ["a", "b"])
  world.starts.set("b", ["hang"])
  world.send({ _tag: "Boot" })
  world.exit("a")
  assert.notInclude(world.take(), "Booted")
  assert.deepStrictEqual(world.list(), ["a#2", "b starting"])
  world.release("b")
  assert.deepStrictEqual(world.take(), ["Booted"])
})

it("a child that is given up in its first start is stopped for good: nothing of it comes back", () => {
  const world = new World({ strategy: "one_for_all" })
  world.add("a")
  world.starts.set("b", ["hang"])
  world.start({ id: "b" })
  world.budget = ["later"]
  world.exit("a")
  const status = find(world.state, "a")?.status
  assert(status?._tag === "Restarting")
  const answered = { _tag: "BudgetAnswered", id: "a", ticket: status.ticket, answer: delay(0) } as const
  const stops = decide(world.state, answered)[1].flatMap((command) => command._tag === "Stop" ? [command] : [])
  assert.deepStrictEqual(stops.map(({ forGood, id }) => [id, forGood]), [["b", true]])
})

it("a supervisor below that stops meanwhile hears that it ends for good, a worker needs not", () => {
  const world = new World()
  world.add({ id: "sub", kind: "supervisor" })
  world.stops.set("sub", ["hang", "hang"])
  end(world)
  world.take()
  world.send({ _tag: "Shutdown", reason: shutdown, brutal: false, forGood: true })
  assert.deepStrictEqual(world.take(), ["stop sub"])
  const other = new World()
  other.add("worker")
  other.stops.set("worker", ["hang"])
  end(other)
  other.take()
  other.send({ _tag: "Shutdown", reason: shutdown, brutal: false, forGood: true })
  assert.deepStrictEqual(other.take(), [])
})

describe("a brutal end", () => {
  it("overtakes the stop of a child that was terminated before", () => {
    const world = new World()
    world.add("a")
    world.stops.set("a", ["hang"])
    world.terminate("a")
    world.take()
    end(world, shutdown, true)
    assert.deepStrictEqual(world.take(), ["stop a brutally", "a is stopped", "ended Shutdown"])
  })

  it("leaves nothing of one that was terminated in its first start", () => {
    const world = new World()
    world.starts.set("a", ["hang"])
    world.stops.set("a", ["hang"])
    world.start({ id: "a" }, true)
    world.terminate("a")
    end(world, shutdown, true)
    assert.deepStrictEqual(world.list(), [])
    world.send({ _tag: "Settled", fate: "restarting" })
    world.send({ _tag: "Boot" })
    assert.deepStrictEqual(world.list(), [])
  })
})

it("a parked child is settled as soon as it is known that its supervisor ends for good", () => {
  const world = new World({ onGiveUp: "park" })
  world.add("a", "b")
  world.budget = [exhausted]
  world.exit("a")
  world.stops.set("b", ["hang"])
  const end = { _tag: "Shutdown", reason: { _tag: "Shutdown" }, brutal: false } as const
  world.send({ ...end, forGood: false })
  world.take()
  world.send({ ...end, forGood: true })
  assert.deepStrictEqual(world.take(), ["a is stopped"])
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

  it("park: the child waits until it is resumed, and the others go on", () => {
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

  it("park: those that were parked each for itself are resumed each for itself", () => {
    const world = new World({ onGiveUp: "park" })
    world.add("a", "b")
    world.budget = [exhausted, exhausted]
    world.exit("a")
    world.exit("b")
    world.resume("a")
    assert.deepStrictEqual(world.list(), ["a#2", "b parked"])
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

  it("park: a group takes the timers of those that it takes over along", () => {
    const world = new World({ onGiveUp: "park", strategy: "rest_for_one" })
    world.add("a", "b")
    world.budget = [delay(10_000), exhausted]
    world.exit("b")
    world.take()
    world.exit("a")
    assert.deepStrictEqual(world.take(), ["gave up on a", "a is parked", "b is parked", "cancel timer"])
  })

  it("park: a parked child stays out of the group of a sibling that is restarted", () => {
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

  it("park: a group that is being parked is parked although another of its children crashes meanwhile", () => {
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

  it("starts no child after that: timers are cancelled, starts in progress are stopped", () => {
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

  it("does not wait for a child whose start fails while others are stopped before it", () => {
    const world = new World()
    world.add("a", "b")
    world.starts.set("a", ["hang"])
    world.stops.set("b", ["hang"])
    world.exit("a")
    world.take()
    end(world)
    assert.deepStrictEqual(world.take(), ["stop b"])
    world.release("a", "fail")
    assert.deepStrictEqual(world.take(), [])
    world.release("b")
    assert.deepStrictEqual(world.take(), ["ended Shutdown"])
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

  it("a second, brutal shutdown waits for no child", () => {
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

  it("a child that fails to start while booting: the children before it are stopped in reverse, and the boot fails", () => {
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

  it("its fate is that of its children, except that a finished supervisor has not finished their work", () => {
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
