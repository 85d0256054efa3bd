/**
 * The real supervisor against its own rule.
 *
 * A random program drives a supervisor whose children follow their scripts: crash, finish, hang, fail, ignore, end
 * while they are being stopped. The supervisor records the events it was sent and the answers of its budget; folding
 * `Supervision.decide` over them says what must have happened: what was asked of each child in which order, what each
 * request was answered, which lifecycle events were published, and what the listing and the counts are now. All of it
 * is compared with what was observed from outside. What the rule itself might get wrong is held against something else:
 * the budget's answers against a plain sliding window, the number of its questions against the truth table, the running
 * totals against the listing; no child is ever started while it is alive; and left alone, every supervisor comes to
 * rest.
 *
 * A program that fails is made smaller, and printed with the token that repeats it. `MODEL_RUNS=1000` does more of
 * them.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Exit, Layer, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { type ExitReason, killed, normal } from "../../src/domain/process/ExitReason.ts"
import type { AutoShutdown } from "../../src/domain/supervision/ChildSpec.ts"
import * as Strategy from "../../src/domain/supervision/Strategy.ts"
import { concerned, decide, newestFirst } from "../../src/domain/supervision/Supervision.ts"
import type { Answer, Command, Event } from "../../src/domain/supervision/SupervisionEvents.ts"
import { type Entry, find, isRestarting, type State } from "../../src/domain/supervision/SupervisionState.ts"
import { Process, Restart, type Supervisor, Telemetry } from "../../src/index.ts"
import { SupervisorProcess } from "../../src/layers/supervision/static/SupervisorProcess.ts"
import { boom, recipe, record, Script, Top } from "../kit/Probe.ts"

/** Which child: one of those there are, or one that is not there. */
const Child = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 19 }))
const Shutdown = Schema.Literals([1000, "infinity", "brutal_kill"])

const Spec = Schema.Struct({
  restart: Schema.Literals(["permanent", "permanent", "transient", "temporary"]),
  significant: Schema.Literals([false, false, true]),
  shutdown: Shutdown,
  needs: Schema.Array(Child).check(Schema.isMaxLength(2)),
  begins: Schema.Literals([...Array<"ok">(20).fill("ok"), "fail", "ignore", "hang"])
})

const Crash = Schema.TaggedStruct("Crash", { child: Child, kill: Schema.Boolean })
const NextStart = Schema.TaggedStruct("NextStart", {
  child: Child,
  is: Schema.Literals(["fail", "fail", "hang", "ignore", "throw"])
})
const Wait = Schema.TaggedStruct("Wait", { millis: Schema.Literals([0, 300, 500, 700, 1000, 2500, 5001]) })
const Start = Schema.TaggedStruct("Start", { spec: Spec, again: Child })

/** One thing to do; what stands here twice is done twice as often. */
const Step = Schema.Union([
  Crash,
  Crash,
  Crash,
  Crash,
  Schema.TaggedStruct("Finish", { child: Child, shutdown: Schema.Boolean }),
  NextStart,
  NextStart,
  Schema.TaggedStruct("NextStop", { child: Child, is: Schema.Literals(["hang", "crash"]) }),
  Schema.TaggedStruct("Release", { child: Child, as: Schema.Literals(["ok", "ok", "fail"]) }),
  Schema.TaggedStruct("Release", { child: Child, as: Schema.Literal("ok") }),
  Wait,
  Wait,
  Wait,
  Start,
  Start,
  Schema.TaggedStruct("Terminate", { child: Child }),
  Schema.TaggedStruct("Restart", { child: Child }),
  Schema.TaggedStruct("Delete", { child: Child }),
  Schema.TaggedStruct("Resume", { child: Child }),
  Schema.TaggedStruct("Yield", {})
])

const Program = Schema.Struct({
  autoShutdown: Schema.Literals(["never", "never", "any_significant", "all_significant"]),
  restarts: Schema.Literals([1, 3, 8]),
  delays: Schema.Literals(["none", "fixed", "slow"]),
  onGiveUp: Schema.Literals(["escalate", "park"]),
  children: Schema.Tuple([Spec, Spec, Spec, Spec]),
  steps: Schema.Array(Step),
  /** Before which step an exit signal comes to the supervisor itself; in most programs there is no such step. */
  signal: Schema.Struct({
    step: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 })),
    kill: Schema.Boolean
  })
})

/** Steps of the longest program; a supervisor that gives up ends its program early. */
const length = 320

interface World {
  readonly process: SupervisorProcess
  readonly supervisor: Supervisor.Supervisor
  /** Every child that was ever started, by id; a child started anew under an old id has a new script. */
  readonly scripts: Map<string, Script>
  readonly everybody: Array<Script>
  readonly log: Array<string>
  readonly answers: Array<string>
  readonly autoShutdown: AutoShutdown
  names: number
}

const options = ({ autoShutdown, delays, onGiveUp, restarts }: typeof Program.Type, strategy: Strategy.Strategy) => {
  const limit = { restarts, within: 5000 }
  const intensity = Restart.intensity(limit)
  const restart = delays === "none" ? intensity : delays === "fixed"
    ? Restart.max([intensity, Schedule.spaced("700 millis")])
    // A budget that takes half a second to make up its mind.
    : Schedule.fromStep(
      Effect.map(
        Schedule.toStep(intensity),
        (step) => (now: number, reason: ExitReason) => Effect.delay(step(now, reason), "500 millis")
      )
    )
  return { limit, slow: delays === "slow", supervisor: { autoShutdown, strategy, onGiveUp, restart } }
}

const specOf = ({ needs, restart, shutdown, significant }: typeof Spec.Type, world: World, id: string) => {
  const known = Array.from(world.process.slots.keys())
  return {
    restart,
    significant: significant && restart !== "permanent" && world.autoShutdown !== "never",
    shutdown,
    needs: Array.from(new Set(needs.flatMap((n) => known[n] ?? []))).filter((other) => other !== id)
  }
}

const newScript = (world: World, id: string, { begins }: typeof Spec.Type): Script => {
  const script = new Script(world.log)
  if (begins !== "ok") script.starts.push(begins)
  world.scripts.set(id, script)
  world.everybody.push(script)
  return script
}

/** Asks without waiting: the answer may come much later, or with the end. */
const ask = <A, E extends { readonly reason: { readonly _tag: string } }>(
  world: World,
  request: Effect.Effect<A, E>,
  nameOf: (value: A) => string
) =>
  Effect.gen(function*() {
    const at = world.answers.push("waiting") - 1
    yield* Effect.forkChild(
      Effect.map(Effect.result(request), (result) => {
        world.answers[at] = result._tag === "Success" ? nameOf(result.success) : result.failure.reason._tag
      }),
      { startImmediately: true }
    )
  })

/** Does one thing. */
const perform = (world: World, step: typeof Step.Type): Effect.Effect<unknown> => {
  const { scripts, supervisor } = world
  const ids = Array.from(scripts.keys())
  const idOf = (child: number) => child === 19 || ids.length === 0 ? "none" : ids[child % ids.length]!
  const scriptOf = ({ child }: { readonly child: number }) => scripts.get(idOf(child))
  switch (step._tag) {
    case "Crash":
      return Effect.sync(() => scriptOf(step)?.end(step.kill ? killed : boom))
    case "Finish":
      return Effect.sync(() => scriptOf(step)?.end(step.shutdown ? { _tag: "Shutdown" } : normal))
    case "NextStart":
      return Effect.sync(() => scriptOf(step)?.starts.push(step.is))
    case "NextStop":
      return Effect.sync(() => scriptOf(step)?.stops.push(step.is === "hang" ? "hang" : boom))
    case "Release":
      return Effect.sync(() => scriptOf(step)?.release(step.as))
    case "Wait":
      return TestClock.adjust(step.millis)
    case "Start": {
      // Now and then under an id that is taken, or was.
      const id = step.again > 13 && ids.length > 0 ? idOf(step.again) : `c${world.names++}`
      // Only a spec that is free brings its own script into play.
      const own = find(world.process.materialize(), id) === undefined
        ? newScript(world, id, step.spec)
        : new Script(world.log)
      return ask(
        world,
        supervisor.startChildInfo(recipe(id, own, specOf(step.spec, world, id))),
        ({ started }) => started._tag
      )
    }
    case "Terminate":
      return ask(world, supervisor.terminateChild(idOf(step.child)), () => "Done")
    case "Restart":
      return ask(world, supervisor.restartChild(idOf(step.child)), ({ _tag }) => _tag)
    case "Delete":
      return ask(world, supervisor.deleteChild(idOf(step.child)), () => "Done")
    case "Resume":
      return ask(world, supervisor.resumeChild(idOf(step.child)), () => "Done")
    case "Yield":
      return Effect.yieldNow
  }
}

interface Recorded {
  readonly event: Event
  readonly commands: ReadonlyArray<Command>
  readonly at: number
}

/** What folding the rule over the recorded events says. */
const fold = (initial: State, recorded: ReadonlyArray<Recorded>) => {
  let state = initial
  const asked: Array<string> = []
  const noted: Array<string> = []
  const answers = new Map<number, Answer>()
  const commands: Array<ReadonlyArray<Command>> = []
  /** Timers that are set, and neither rang nor were cancelled. */
  const timers = new Set<number>()
  /** What was started by itself, and the state after that decision. */
  const starts: Array<{ readonly id: string; readonly state: State }> = []
  for (const { event } of recorded) {
    const before = state
    const [next, todo] = decide(before, event)
    state = next
    commands.push(todo)
    noted.push(...tellings(before, event))
    if (event._tag === "RestartDue") timers.delete(event.ticket)
    for (const command of todo) {
      switch (command._tag) {
        case "Start":
          if (event._tag !== "RestartChild" && event._tag !== "StartChild") starts.push({ id: command.id, state })
          asked.push(`start ${command.id}`)
          break
        case "SetTimer":
          timers.add(command.ticket)
          break
        case "CancelTimer":
          timers.delete(command.ticket)
          break
        case "Stop":
          asked.push(`stop ${command.id}${command.shutdown === "brutal_kill" ? " brutally" : ""}`)
          break
        case "Settle":
          asked.push(`${command.id} is ${command.fate}`)
          break
        case "Answer":
          answers.set(command.request, command.answer)
          break
        case "Publish":
          noted.push(`${command.decision._tag} ${command.decision.id}`)
      }
    }
  }
  return { state, asked, noted, answers, commands, starts, timers }
}

/** Whether an event is news, and not about an incarnation or attempt that is over. */
const isCurrent = (state: State, event: Event): boolean => {
  switch (event._tag) {
    case "ChildExited":
    case "ChildStarted":
    case "ChildIgnored":
    case "ChildStartFailed":
    case "ChildStopped":
    case "BudgetAnswered":
      return concerned(state, event) !== undefined
    default:
      return true
  }
}

/** The events that are published of a child, as the rule sees it. */
const tellings = (before: State, event: Event): ReadonlyArray<string> => {
  if (!isCurrent(before, event)) return []
  switch (event._tag) {
    case "ChildStarted": {
      const status = find(before, event.id)?.status
      const overtaken = status?._tag === "Starting" && status.ended?.incarnation === event.incarnation
      return overtaken ? [`Started ${event.id}`, `Exited ${event.id}`] : [`Started ${event.id}`]
    }
    case "ChildIgnored":
      return [`Ignored ${event.id}`]
    case "ChildStartFailed":
      return [`StartFailed ${event.id}`]
    case "ChildExited":
      return [`Exited ${event.id}`]
    case "ChildStopped": {
      const status = find(before, event.id)?.status
      return status?._tag === "Stopping" && status.up ? [`Exited ${event.id}`] : []
    }
    default:
      return []
  }
}

/** A plain sliding window over the questions that were asked, in the order they were asked. */
const windowAnswers = (
  limit: { readonly restarts: number; readonly within: number },
  recorded: ReadonlyArray<Recorded>
) => {
  let counted: Array<number> = []
  const answers: Array<boolean> = []
  for (const { at, commands } of recorded) {
    for (const command of commands) {
      if (command._tag === "ResetBudget") counted = []
      if (command._tag !== "ConsultBudget") continue
      counted = counted.filter((time) => time >= at - limit.within)
      const allowed = counted.length < limit.restarts
      if (allowed) counted.push(at)
      answers.push(allowed)
    }
  }
  return answers
}

const run = Effect.fnUntraced(function*(program: typeof Program.Type, strategy: Strategy.Strategy) {
  const { limit, slow, supervisor: rest } = options(program, strategy)
  const recording = record()
  const noted: Array<string> = []
  recording.telemetry.subscribe((event) => {
    const id = event._tag === "GaveUp" ? event.child : event.path.at(-1)
    if (event._tag === "GaveUp" || event.path.length === 2) noted.push(`${event._tag} ${id}`)
  })
  const context = yield* Layer.build(Top.layer(rest, [])).pipe(
    Effect.provideService(Telemetry.CurrentTelemetry, recording.telemetry)
  )
  const supervisor = Context.get(context, Top)
  const process = supervisor[Process.processOf]
  assert(process instanceof SupervisorProcess)
  const recorded: Array<Recorded> = []
  const clock = yield* Clock.Clock
  const initial = process.materialize()
  process.recorder = (event, commands) => recorded.push({ event, commands, at: clock.currentTimeMillisUnsafe() })
  const world: World = {
    process,
    supervisor,
    scripts: new Map(),
    everybody: [],
    log: [],
    answers: [],
    autoShutdown: rest.autoShutdown,
    names: 0
  }
  for (const spec of program.children) {
    const id = `c${world.names++}`
    const own = newScript(world, id, spec)
    yield* ask(
      world,
      supervisor.startChildInfo(recipe(id, own, specOf(spec, world, id))),
      ({ started }) => started._tag
    )
  }
  // As far as it has come: to fold all of it anew after each step takes most of the time.
  let state = initial
  let folded = 0
  const { signal } = program
  for (const [i, step] of program.steps.entries()) {
    if (process.status !== "running") break
    if (i === signal.step) process.exit(signal.kill ? killed : { _tag: "Shutdown" })
    yield* perform(world, step)
    for (; folded < recorded.length; folded++) [state] = decide(state, recorded[folded]!.event)
    assert.deepStrictEqual(
      (yield* supervisor.whichChildren).map(({ id, status }) => `${id} ${status}`),
      newestFirst(state).map((entry) =>
        `${entry.spec.id} ${isRestarting(entry) ? "restarting" : statuses[entry.status._tag]}`
      )
    )
    assert.deepInclude(state.counts, yield* supervisor.countChildren)
    assert.deepInclude(state.counts, recount(state), "the running totals are those of the listing")
  }
  // Left alone, it comes to rest: no child is half started, half stopped or forgotten on the way up.
  for (const script of world.everybody) {
    script.starts.length = 0
    script.stops.length = 0
  }
  for (let i = 0; i < 30; i++) {
    for (const script of world.everybody) script.release()
    yield* TestClock.adjust("1 minute")
  }
  const atRest = (yield* supervisor.whichChildren).map(({ status }) => status)
  if (process.status === "running") {
    assert.includeMembers(["running", "stopped", "parked"], atRest)
    for (const { status } of newestFirst(process.materialize())) {
      if (status._tag === "Down") assert.notStrictEqual(status.why, "ended", "nobody stays down without a reason")
    }
    assert.deepStrictEqual([process.materialize().plans, process.materialize().consulting], [[], 0])
  }
  assert.notInclude(world.answers, "waiting", "every request is answered in the end")

  const ending = yield* Effect.forkChild(supervisor.stop(), { startImmediately: true })
  yield* TestClock.adjust("1 hour")
  assert.deepStrictEqual(ending.pollUnsafe(), Exit.void)

  const expected = fold(initial, recorded)
  assert.deepStrictEqual(recorded.map(({ commands }) => commands), expected.commands, "it does what the rule says")
  assert.deepStrictEqual(world.log, expected.asked, "each child was asked just that, in that order")
  assert.deepStrictEqual(noted, expected.noted, "just that was told, in that order")
  assert.strictEqual(expected.state.phase._tag, "Down")
  assert.deepStrictEqual(Array.from(expected.timers), [], "no timer outlives its supervisor")

  const answered = recorded.flatMap(({ event }) =>
    "request" in event ? [expected.answers.get(event.request)?._tag ?? "none"] : []
  )
  assert.deepStrictEqual(world.answers, answered, "every request was answered so")

  // A slow budget may be asked before, and think after, it began anew: then there is no plain window to compare with.
  const begunAnew = expected.commands.flat().some(({ _tag }) => _tag === "ResetBudget")
  const budget = recorded.flatMap(({ event }) => event._tag === "BudgetAnswered" ? [event.answer._tag === "Delay"] : [])
  // A budget that takes its time may lose its last questions to the end of the supervisor.
  if (!(slow && begunAnew)) {
    assert.deepStrictEqual(budget, windowAnswers(limit, recorded).slice(0, budget.length), "it is a sliding window")
  }

  for (const { id, state } of expected.starts) {
    const entry = find(state, id)
    assert(entry !== undefined)
    assert.deepStrictEqual(
      underIt(state, entry).filter((other) => isLeftDown(state, other) || isOnItsWay(other)),
      [],
      `${id} is started without what it stands on`
    )
  }

  const restarts = expected.commands.flat().filter(({ _tag }) => _tag === "ConsultBudget").length
  assert.strictEqual(restarts, decisions(initial, recorded), "it was asked once for each decision to restart")
  for (const script of world.everybody) {
    assert.include(["stopped", undefined], script.process?.status, "nobody is left running")
  }
  return { events: recorded.length, restarts }
})

/** The siblings that a child stands on. */
const underIt = (state: State, { order, spec }: Entry): ReadonlyArray<Entry> => {
  const { strategy } = state.options
  return newestFirst(state).filter((other) =>
    strategy === "dependents" ? spec.needs.includes(other.spec.id) : strategy !== "one_for_one" && other.order < order
  )
}

/** Whether it is down until something else happens. */
const isLeftDown = (state: State, { status }: Entry): boolean =>
  status._tag === "Parked" || (status._tag === "Down" &&
    (status.why === "stranded" || (status.why === "terminated" && state.options.strategy === "dependents")))

/** Whether it is neither up nor down. */
const isOnItsWay = ({ status }: Entry): boolean => status._tag !== "Running" && status._tag !== "Down"

/** Whether one that it stands on is left down: then so is the child. */
const hasNothingToStandOn = (state: State, entry: Entry): boolean =>
  underIt(state, entry).some((other) => isLeftDown(state, other))

/** Ends and failed restarts that ask for another attempt, by the truth table alone. */
const decisions = (initial: State, recorded: ReadonlyArray<Recorded>): number => {
  let state = initial
  let count = 0
  const asks = (id: string, reason: ExitReason) => {
    const entry = find(state, id)
    const restart = entry?.spec.restart
    if (entry === undefined || state.phase._tag === "Ending" || restart === "temporary") return
    if (hasNothingToStandOn(state, entry)) return
    if (restart === "permanent" || (reason._tag !== "Normal" && reason._tag !== "Shutdown")) count++
  }
  for (const { event } of recorded) {
    if (isCurrent(state, event)) {
      const status = "id" in event ? find(state, event.id)?.status : undefined
      if (event._tag === "ChildExited") asks(event.id, event.reason)
      if (status?._tag === "Starting") {
        if (event._tag === "ChildStarted" && status.ended?.incarnation === event.incarnation) {
          asks(event.id, status.ended.reason)
        }
        if (event._tag === "ChildStartFailed" && status.request === undefined) asks(event.id, boom)
      }
    }
    state = decide(state, event)[0]
  }
  return count
}

const recount = (state: State) => {
  const entries = newestFirst(state)
  return {
    specs: entries.length,
    active: entries.filter(({ status }) => status._tag === "Running" || status._tag === "Stopping").length,
    workers: entries.length,
    significant:
      entries.filter(({ spec, status }) => spec.significant && status._tag !== "Down" && status._tag !== "Parked")
        .length
  }
}

const statuses = {
  Starting: "starting",
  Running: "running",
  Stopping: "running",
  Restarting: "restarting",
  Parked: "parked",
  Down: "stopped"
} as const

const runs = Number(globalThis.process.env["MODEL_RUNS"] ?? 30)

for (const strategy of Strategy.all) {
  describe(`the real supervisor and its rule agree: ${strategy}`, () => {
    const seen = { runs: 0, restarts: 0 }

    it.effect.prop(
      "any program of crashes, requests and time",
      [Program],
      ([program]) =>
        Effect.gen(function*() {
          const { restarts } = yield* Effect.scoped(run(program, strategy))
          seen.runs++
          seen.restarts += restarts
        }),
      { arbitrary: { runs, size: length }, timeout: 300_000 }
    )

    it("the programs made it restart children", () => {
      if (runs > 20) assert.isAbove(seen.restarts, seen.runs)
    })
  })
}
