/** The rule of a supervisor: requests to start, stop and delete children, and the exits of significant ones. */
import { assert, describe, it } from "@effect/vitest"
import { killed, normal } from "../../../src/domain/process/ExitReason.ts"
import { boom, delay, exhausted, World } from "../../kit/World.ts"

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

  it("a child that stops runs until it has stopped, unless its supervisor is about to start it again", () => {
    const world = new World({ strategy: "one_for_all" })
    world.add("a", "b")
    world.stops.set("a", ["hang"])
    world.terminate("a")
    assert.deepStrictEqual([world.restart("a"), world.delete("a")].map((a) => a?._tag), ["Running", "Running"])
    world.release("a")
    world.restart("a")
    world.stops.set("a", ["hang"])
    world.exit("b")
    assert.deepStrictEqual([world.restart("a"), world.delete("a")].map((a) => a?._tag), ["Restarting", "Restarting"])
  })

  it("an answer of the budget to an older question is none to a newer one", () => {
    const world = new World()
    world.add("a")
    world.budget = ["later", "later"]
    world.exit("a")
    const first = world.state.nextTicket - 1
    world.terminate("a")
    world.restart("a")
    world.exit("a")
    world.send({ _tag: "BudgetAnswered", id: "a", ticket: first, answer: exhausted })
    assert.deepStrictEqual(world.list(), ["a restarting"])
    world.answerBudget("a", delay(0))
    assert.deepStrictEqual(world.list(), ["a#3"])
  })

  it("a temporary child that crashed is stopped, one that ended in order has finished", () => {
    const world = new World()
    world.add({ id: "a", restart: "temporary" }, { id: "b", restart: "temporary" })
    world.exit("a")
    world.finish("b")
    assert.deepStrictEqual(world.take(), ["a is stopped", "b is finished"])
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
    assert.deepStrictEqual(world.state.counts, {
      specs: 1,
      active: 0,
      supervisors: 0,
      workers: 1,
      significant: 0,
      held: 0,
      loose: 0
    })
  })

  it("termination ends a start in progress; the start fails, and nothing is left", () => {
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
    assert.deepStrictEqual(world.state.counts, {
      specs: 3,
      active: 2,
      supervisors: 2,
      workers: 1,
      significant: 0,
      held: 0,
      loose: 0
    })
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
