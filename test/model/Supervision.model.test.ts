/**
 * The real supervisor against its own rule.
 *
 * A random sequence of commands drives a supervisor whose children do as they are told: crash, finish, hang, fail, ignore,
 * end while they are being stopped. The supervisor records the events it was told and the answers of its budget; folding
 * `Supervision.decide` over them says what must have happened: what was asked of each child in which order, what each
 * request was answered, which lifecycle events were told, and what the listing and the counts are now. All of it is
 * compared with what was observed from outside. What the rule itself might get wrong is held against something else: the
 * budget's answers against a plain sliding window, the number of its questions against the truth table, the running totals
 * against the listing; no child is ever started while it is alive; and left alone, every supervisor comes to rest.
 *
 * A failing run is repeated by its seed, which is in the test's name: `MODEL_SEED=… npx vitest run test/model`;
 * `MODEL_RUNS=1000` does more of them.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Exit, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { type ExitReason, killed, normal } from "../../src/domain/process/ExitReason.ts"
import type { AutoShutdown, Restart as RestartType } from "../../src/domain/supervision/ChildSpec.ts"
import * as Strategy from "../../src/domain/supervision/Strategy.ts"
import { decide, isCurrent, newestFirst } from "../../src/domain/supervision/Supervision.ts"
import type { Answer, Command, Event } from "../../src/domain/supervision/SupervisionEvents.ts"
import { find, isRestarting, type State } from "../../src/domain/supervision/SupervisionState.ts"
import * as Telemetry from "../../src/layers/observation/Telemetry.ts"
import { processOf } from "../../src/layers/process/Process.ts"
import * as Restart from "../../src/layers/supervision/restart/Restart.ts"
import { SupervisorProcess } from "../../src/layers/supervision/static/SupervisorProcess.ts"
import type * as Supervisor from "../../src/layers/supervision/Supervisor.ts"
import { boom, recipe, record, Script, Top } from "../kit/Probe.ts"

/** A small generator, so that a seed tells the whole run (mulberry32). */
class Dice {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  below(n: number): number {
    return Math.floor(this.next() * n)
  }

  chance(p: number): boolean {
    return this.next() < p
  }

  pick<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)]!
  }
}

interface World {
  readonly dice: Dice
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

const options = (dice: Dice, strategy: Strategy.Strategy) => {
  const autoShutdown = dice.pick<AutoShutdown>(["never", "never", "any_significant", "all_significant"])
  const limit = { restarts: dice.pick([1, 3, 8]), within: 5000 }
  const delays = dice.pick<"none" | "fixed" | "slow">(["none", "fixed", "slow"])
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
  const onGiveUp = dice.pick<"escalate" | "park">(["escalate", "park"])
  return { limit, slow: delays === "slow", supervisor: { autoShutdown, strategy, onGiveUp, restart } }
}

const specOf = (dice: Dice, world: World, id: string) => {
  const restart = dice.pick<RestartType>(["permanent", "permanent", "transient", "temporary"])
  const significant = restart !== "permanent" && world.autoShutdown !== "never" && dice.chance(0.3)
  const known = Array.from(world.process.slots.keys())
  return {
    restart,
    significant,
    shutdown: dice.pick<number | "infinity" | "brutal_kill">([1000, 1000, "infinity", "brutal_kill"]),
    needs: known.filter((other) => other !== id && dice.chance(0.3))
  }
}

const newScript = (world: World, id: string): Script => {
  const script = new Script(world.log)
  if (world.dice.chance(0.1)) script.starts.push(world.dice.pick(["fail", "ignore", "hang"] as const))
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

/** One random thing to do. */
const step = (world: World): Effect.Effect<unknown> => {
  const { dice, scripts, supervisor } = world
  const ids = Array.from(scripts.keys())
  const id = ids.length === 0 || dice.chance(0.05) ? "nobody" : dice.pick(ids)
  const script = scripts.get(id)
  const roll = dice.below(100)
  if (roll < 22) return Effect.sync(() => script?.end(dice.pick([boom, boom, killed])))
  if (roll < 30) return Effect.sync(() => script?.end(dice.pick<ExitReason>([normal, { _tag: "Shutdown" }])))
  if (roll < 38) {
    return Effect.sync(() => script?.starts.push(dice.pick(["fail", "fail", "hang", "ignore", "throw"] as const)))
  }
  if (roll < 43) return Effect.sync(() => script?.stops.push(dice.pick(["hang", boom] as const)))
  if (roll < 53) return Effect.sync(() => script?.release(dice.chance(0.7) ? "ok" : "fail"))
  if (roll < 66) return TestClock.adjust(dice.pick([0, 300, 500, 700, 1000, 2500, 5001]))
  if (roll < 75) {
    const fresh = dice.chance(0.3) && ids.length > 0 ? dice.pick(ids) : `c${world.names++}`
    const spec = specOf(dice, world, fresh)
    // Only a spec that is free brings its own script into play.
    const own = find(world.process.state, fresh) === undefined ? newScript(world, fresh) : new Script(world.log)
    return ask(world, supervisor.startChildInfo(recipe(fresh, own, spec)), ({ started }) => started._tag)
  }
  if (roll < 83) return ask(world, supervisor.terminateChild(id), () => "Done")
  if (roll < 89) return ask(world, supervisor.restartChild(id), ({ _tag }) => _tag)
  if (roll < 93) return ask(world, supervisor.deleteChild(id), () => "Done")
  if (roll < 98) return ask(world, supervisor.resumeChild(id), () => "Done")
  if (roll < 99 && dice.chance(0.3)) {
    return Effect.sync(() => world.process.exit(dice.pick<ExitReason>([{ _tag: "Shutdown" }, killed])))
  }
  return Effect.yieldNow
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
  const told: Array<string> = []
  const answers = new Map<number, Answer>()
  const commands: Array<ReadonlyArray<Command>> = []
  for (const { event } of recorded) {
    const before = state
    const [next, todo] = decide(before, event)
    state = next
    commands.push(todo)
    told.push(...tellings(before, event))
    for (const command of todo) {
      switch (command._tag) {
        case "Start":
          asked.push(`start ${command.id}`)
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
        case "Tell":
          told.push(`${command.news._tag} ${command.news.id}`)
      }
    }
  }
  return { state, asked, told, answers, commands }
}

/** The events that are told of a child, as the rule sees it. */
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

const run = Effect.fnUntraced(function*(seed: number, strategy: Strategy.Strategy) {
  const dice = new Dice(seed)
  const { limit, slow, supervisor: rest } = options(dice, strategy)
  const recording = record()
  const told: Array<string> = []
  recording.telemetry.subscribe((event) => {
    const id = event._tag === "GaveUp" ? event.child : event.path.at(-1)
    if (event._tag === "GaveUp" || event.path.length === 2) told.push(`${event._tag} ${id}`)
  })
  const context = yield* Layer.build(Top.layer(rest, [])).pipe(
    Effect.provideService(Telemetry.CurrentTelemetry, recording.telemetry)
  )
  const supervisor = Context.get(context, Top)
  const process = supervisor[processOf]
  assert(process instanceof SupervisorProcess)
  const recorded: Array<Recorded> = []
  const clock = yield* Clock.Clock
  const initial = process.state
  process.recorder = (event, commands) => recorded.push({ event, commands, at: clock.currentTimeMillisUnsafe() })
  const world: World = {
    dice,
    process,
    supervisor,
    scripts: new Map(),
    everybody: [],
    log: [],
    answers: [],
    autoShutdown: rest.autoShutdown,
    names: 0
  }
  for (let i = 0; i < 4; i++) {
    const id = `c${world.names++}`
    yield* ask(
      world,
      supervisor.startChildInfo(recipe(id, newScript(world, id), specOf(dice, world, id))),
      ({ started }) => started._tag
    )
  }
  for (let i = 0; i < 80 && process.status === "running"; i++) {
    yield* step(world)
    const { state } = fold(initial, recorded)
    assert.deepStrictEqual(
      (yield* supervisor.whichChildren).map(({ id, status }) => `${id} ${status}`),
      newestFirst(state).map((entry) =>
        `${entry.spec.id} ${isRestarting(entry) ? "restarting" : statuses[entry.status._tag]}`
      )
    )
    assert.deepInclude(state.counts, yield* supervisor.countChildren)
    assert.deepInclude(state.counts, recount(state), "the running totals are those of the listing")
  }
  // Left alone, it comes to rest: nobody is half started, half stopped or forgotten on the way up.
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
    for (const { status } of newestFirst(process.state)) {
      if (status._tag === "Down") assert.notStrictEqual(status.why, "ended", "nobody stays down without a reason")
    }
    assert.deepStrictEqual([process.state.plans, process.state.consulting], [[], 0])
  }
  assert.notInclude(world.answers, "waiting", "every request is answered in the end")

  const ending = yield* Effect.forkChild(supervisor.stop(), { startImmediately: true })
  yield* TestClock.adjust("1 hour")
  assert.deepStrictEqual(ending.pollUnsafe(), Exit.void)

  const expected = fold(initial, recorded)
  assert.deepStrictEqual(recorded.map(({ commands }) => commands), expected.commands, "it does what the rule says")
  assert.deepStrictEqual(world.log, expected.asked, "each child was asked just that, in that order")
  assert.deepStrictEqual(told, expected.told, "just that was told, in that order")
  assert.strictEqual(expected.state.phase._tag, "Down")

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

  const restarts = expected.commands.flat().filter(({ _tag }) => _tag === "ConsultBudget").length
  assert.strictEqual(restarts, decisions(initial, recorded), "it was asked once for each decision to restart")
  for (const script of world.everybody) {
    assert.include(["stopped", undefined], script.process?.status, "nobody is left running")
  }
  return { events: recorded.length, restarts }
})

/** Ends and failed restarts that ask for another attempt, by the truth table alone. */
const decisions = (initial: State, recorded: ReadonlyArray<Recorded>): number => {
  let state = initial
  let count = 0
  const asks = (id: string, reason: ExitReason) => {
    const restart = find(state, id)?.spec.restart
    if (restart === undefined || state.phase._tag === "Ending" || restart === "temporary") return
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

const given = globalThis.process.env["MODEL_SEED"]
const first = given === undefined ? Math.floor(Math.random() * 1_000_000_000) : Number(given)
const perStrategy = Number(globalThis.process.env["MODEL_RUNS"] ?? (given === undefined ? 40 : 1))

for (const strategy of Strategy.all) {
  describe(`the real supervisor and its rule agree: ${strategy}`, () => {
    it.effect(`seeds ${first} to ${first + perStrategy - 1}`, () =>
      Effect.gen(function*() {
        let restarts = 0
        for (let seed = first; seed < first + perStrategy; seed++) {
          const exit = yield* Effect.exit(Effect.scoped(run(seed, strategy)))
          if (Exit.isFailure(exit)) {
            yield* Effect.logError(`MODEL_SEED=${seed} repeats it`)
            return yield* exit
          }
          restarts += exit.value.restarts
        }
        if (perStrategy > 20) assert.isAbove(restarts, perStrategy, "the runs were worth their while")
      }), 300_000)
  })
}
