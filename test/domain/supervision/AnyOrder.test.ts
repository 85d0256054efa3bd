/**
 * The rule of a supervisor, whatever happens in whatever order: random programs of crashes, ends, requests, slow starts
 * and stops, and slow answers of the budget, under each strategy; and what holds at each step, and when all has come to
 * an end.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Schema } from "effect"
import { normal, shutdown } from "../../../src/domain/process/ExitReason.ts"
import { type ChildEvent, concerned, decide } from "../../../src/domain/supervision/Supervision.ts"
import type { Command, Event } from "../../../src/domain/supervision/SupervisionEvents.ts"
import { type Counts, type Entry, find, isAlive, type State } from "../../../src/domain/supervision/SupervisionState.ts"
import { boom, delay, exhausted, World } from "../../kit/World.ts"

const ids = ["a", "b", "c", "d"] as const

const Step = Schema.Struct({
  what: Schema.Literals([
    "crash",
    "crash",
    "crash",
    "finish",
    "terminate",
    "restart",
    "resume",
    "delete",
    "start",
    "hang",
    "hang stop",
    "fail",
    "ignore",
    "release",
    "release",
    "ring",
    "answer"
  ]),
  who: Schema.Literals(ids),
  budget: Schema.Literals(["at once", "at once", "delay", "later", "exhausted"])
})

const Program = Schema.Struct({
  strategy: Schema.Literals(["one_for_one", "one_for_all", "rest_for_one", "dependents"]),
  onGiveUp: Schema.Literals(["park", "park", "escalate"]),
  /** How it ends: not at all, in order, or brutally after that. */
  end: Schema.Literals(["none", "order", "brutal"]),
  restart: Schema.Literals(["permanent", "permanent", "transient", "temporary"]),
  steps: Schema.Array(Step).check(Schema.isMaxLength(30))
})
type Program = typeof Program.Type

/** The siblings that a child stands on. */
const standsOn = (state: State, { order, spec }: Entry): ReadonlyArray<Entry> => {
  const all = [...state.children.values]
  switch (state.options.strategy) {
    case "one_for_one":
      return []
    case "dependents":
      return all.filter((other) => spec.needs.includes(other.spec.id))
    default:
      return all.filter((other) => other.order < order)
  }
}

const isHeld = ({ status }: Entry) => status._tag === "Parked" || (status._tag === "Down" && status.why === "stranded")

/** A world that looks at each decision. */
class Watched extends World {
  private readonly alive = new Set<string>()
  private last: Event | undefined
  /** Children that are stopping, and whether they heard that it is for good. */
  private readonly forGood = new Map<string, boolean>()

  override send(event: Event): void {
    super.send(event)
    const { children, counts } = this.state
    const all = [...children.values]
    const count = (is: (entry: Entry) => boolean) => all.filter(is).length
    const counted: Counts = {
      specs: all.length,
      active: count(({ status }) => status._tag === "Running" || status._tag === "Stopping"),
      supervisors: count(({ spec }) => spec.kind === "supervisor"),
      workers: count(({ spec }) => spec.kind === "worker"),
      significant: count(({ spec, status }) => spec.significant && status._tag !== "Down" && status._tag !== "Parked"),
      held: count(isHeld),
      loose: count(({ plan, status }) =>
        plan === undefined && (status._tag === "Starting" || status._tag === "Stopping")
      )
    }
    assert.strictEqual(JSON.stringify(counts), JSON.stringify(counted), event._tag)
  }

  protected override heard(event: Event): void {
    this.last = event
    switch (event._tag) {
      case "ChildStartFailed":
      case "ChildIgnored":
      case "ChildStopped":
        if (concerned(this.state, event) !== undefined) this.alive.delete(event.id)
        break
      case "ChildExited":
        this.alive.delete(event.id)
    }
  }

  protected override perform(command: Command): Event | undefined {
    if (command._tag === "Start") {
      const entry = find(this.state, command.id)!
      assert.isFalse(this.alive.has(command.id), `${command.id} is started while it is alive`)
      assert.notStrictEqual(this.state.phase._tag, "Ending", `${command.id} is started while all end`)
      this.alive.add(command.id)
      const byPlan = entry.status._tag === "Starting" && entry.status.request === undefined
      assert.isFalse(byPlan && this.forGood.get(command.id) === true, `${command.id} was stopped for good`)
      this.forGood.delete(command.id)
      // By hand a child is started whatever it stands on.
      if (byPlan) {
        for (const other of standsOn(this.state, entry)) {
          const { _tag } = other.status
          const isOnItsWay = _tag === "Starting" || _tag === "Stopping" || _tag === "Restarting"
          assert.isFalse(isHeld(other) || isOnItsWay, `${command.id} is started, and ${other.spec.id} is ${_tag}`)
        }
      }
    }
    if (command._tag === "Stop") this.forGood.set(command.id, command.forGood)
    if (command._tag === "Forget") {
      const wasStopped = this.last?._tag === "ChildStopped" && this.last.id === command.id
      assert.isFalse(
        wasStopped && this.forGood.get(command.id) === false,
        `${command.id} did not hear that it is for good`
      )
      this.forGood.delete(command.id)
    }
    return super.perform(command)
  }
}

const run = ({ end, onGiveUp, restart, steps, strategy }: Program): Watched => {
  const world = new Watched({ strategy, onGiveUp })
  const needs = strategy === "dependents"
  world.add("a", { id: "b", restart }, { id: "c", ...(needs ? { needs: ["a"] } : {}) }, {
    id: "d",
    ...(needs ? { needs: ["b", "c"] } : {})
  })
  for (const { budget, what, who } of steps) {
    world.budget = budget === "at once"
      ? []
      : [budget === "delay" ? delay(5) : budget === "exhausted" ? exhausted : "later"]
    const status = find(world.state, who)?.status._tag
    switch (what) {
      case "crash":
      case "finish":
        if (status === "Running" || status === "Starting") world.exit(who, what === "crash" ? boom : normal)
        break
      case "start":
        world.start({ id: who })
        break
      case "hang":
      case "fail":
      case "ignore":
        world.starts.set(who, [what])
        break
      case "hang stop":
        world.stops.set(who, ["hang"])
        break
      case "release":
        world.release(who)
        break
      case "ring":
        world.ring(who)
        break
      case "answer":
        world.answerBudget(who, budget === "exhausted" ? exhausted : delay(0))
        break
      default:
        world[what](who)
    }
  }
  if (end !== "none") world.send({ _tag: "Shutdown", reason: shutdown, brutal: false, forGood: true })
  if (end === "brutal") world.send({ _tag: "Shutdown", reason: shutdown, brutal: true, forGood: true })
  return world
}

const changesNothing = (state: State, event: Event): void => {
  const [after, commands] = decide(state, event)
  const isSame = after.children === state.children && JSON.stringify(after.plans) === JSON.stringify(state.plans) &&
    after.phase === state.phase
  assert.isTrue(isSame && commands.length === 0, `${event._tag} is old news`)
}

const check = (program: Program): void => {
  const world = run(program)
  const { state } = world
  // News that is not waited for changes nothing.
  for (const id of ids) {
    const entry = find(state, id)
    for (let ticket = Math.max(0, state.nextTicket - 8); ticket <= state.nextTicket; ticket++) {
      const status = entry?.status
      const isAwaited = status !== undefined && "ticket" in status && status.ticket === ticket
      const news: ReadonlyArray<readonly [ChildEvent, isOne: boolean]> = [
        [{ _tag: "ChildStarted", id, ticket, incarnation: 99, info: undefined }, status?._tag === "Starting"],
        [{ _tag: "ChildIgnored", id, ticket }, status?._tag === "Starting"],
        [{ _tag: "ChildStartFailed", id, ticket, cause: Cause.fail("no") }, status?._tag === "Starting"],
        [{ _tag: "ChildStopped", id, ticket, reason: shutdown }, status?._tag === "Stopping"]
      ]
      for (const [event, isOne] of news) {
        if (isAwaited && isOne) continue
        assert.isUndefined(concerned(state, event))
        changesNothing(state, event)
      }
      const isAsked = isAwaited && status._tag === "Restarting" && status.phase === "budget"
      const answered = { _tag: "BudgetAnswered", id, ticket, answer: exhausted } as const
      assert.strictEqual(concerned(state, answered), isAsked ? entry : undefined)
      const [{ children }, commands] = decide(state, answered)
      if (!isAsked && state.plans.length === 0) assert.isTrue(children === state.children && commands.length === 0)
      const isTimed = state.plans.some(({ gates }) => gates.includes(ticket))
      if (isTimed || (isAwaited && status._tag === "Restarting")) continue
      changesNothing(state, { _tag: "RestartDue", id, ticket })
    }
  }
  // When nothing is outstanding, nothing is on its way.
  world.settle()
  const after = world.state
  assert.deepStrictEqual([after.plans, after.consulting, after.counts.loose], [[], 0, 0])
  for (const { spec, status } of after.children.values) {
    assert.include(["Running", "Down", "Parked"], status._tag, spec.id)
    if (status._tag === "Parked") assert.strictEqual(program.onGiveUp, "park")
    if (status._tag === "Down" && status.why === "finished") assert.notStrictEqual(spec.restart, "permanent")
  }
  if (program.end === "none") return
  assert.strictEqual(after.phase._tag, "Down")
  assert.isFalse([...after.children.values].some(isAlive))
  assert.strictEqual(world.timers.size, 0)
  // It has ended, and does not end again.
  changesNothing(after, { _tag: "Shutdown", reason: shutdown, brutal: true, forGood: true })
}

describe("a supervisor, whatever happens in whatever order", () => {
  it.prop(
    "starts a child when it is down and has what it stands on, hears no old news, and comes to rest",
    [Program],
    ([program]) => check(program),
    { arbitrary: { runs: 100, size: 40 } }
  )
})
