/**
 * The real dynamic supervisor against the table of its children's status.
 *
 * A random program drives a supervisor whose children do as their scripts say. All that can be seen from outside is
 * written down in its order: what was asked of each child, and which lifecycle events were published. Each line means
 * an event of `domain/supervision/DynamicChild` for the child it names. Folding `next` over them says what the listing
 * must be after every step of the program; an event that the table does not have for that status fails the test.
 *
 * `MODEL_RUNS=1000` does more of them; a failing program is printed with the seed that repeats it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { type ExitReason, killed, normal } from "../../src/domain/process/ExitReason.ts"
import { isRestarted, type Restart as RestartType } from "../../src/domain/supervision/ChildSpec.ts"
import { type Event, isAlive, next, type Status } from "../../src/domain/supervision/DynamicChild.ts"
import { DynamicSupervisor, Restart, Telemetry } from "../../src/index.ts"
import { boom, recipe, record, Script } from "../kit/Probe.ts"

const Step = Schema.Struct({
  what: Schema.Literals(
    [
      "start",
      "crash",
      "crash",
      "crash",
      "finish",
      "kill",
      "starts",
      "starts",
      "hang",
      "release",
      "release",
      "wait",
      "wait"
    ]
  ),
  ask: Schema.Literals(["nothing", "nothing", "nothing", "nothing", "terminate", "resume"]),
  who: Schema.Literals([0, 1, 2, 3, 4, 5]),
  restart: Schema.Literals(["permanent", "permanent", "transient", "temporary"]),
  next: Schema.Literals(["ok", "ok", "ok", "fail", "ignore", "hang", "throw"]),
  shutdown: Schema.Literals([1000, "infinity", "brutal_kill"]),
  millis: Schema.Literals([0, 300, 700, 1000, 5001])
})

const Program = Schema.Struct({
  steps: Schema.Array(Step).check(Schema.isMinLength(20), Schema.isMaxLength(60)),
  budget: Schema.Literals(["plain", "delayed", "slow"]),
  restarts: Schema.Literals([1, 8, 50]),
  onGiveUp: Schema.Literals(["escalate", "park", "park"])
})

/** Each program begins with these children. */
const restarts = ["permanent", "permanent", "transient", "temporary"] as const

class Pool extends DynamicSupervisor.Service<Pool>()("top") {}

const budgetOf = ({ budget, restarts }: typeof Program.Type): Schedule.Schedule<unknown, ExitReason> => {
  const intensity = Restart.intensity({ restarts, within: 5000 })
  if (budget === "plain") return intensity
  if (budget === "delayed") return Restart.max([intensity, Schedule.spaced("700 millis")])
  // One that takes half a second to make up its mind.
  return Schedule.fromStep(
    Effect.map(
      Schedule.toStep(intensity),
      (step) => (now: number, reason: ExitReason) => Effect.delay(step(now, reason), "500 millis")
    )
  )
}

/** What the lines so far mean for each child. */
class Model {
  readonly statuses = new Map<string, Status>()
  readonly restarts = new Map<string, RestartType>()
  isEnding = false
  private readonly escalates: boolean

  constructor(escalates: boolean) {
    this.escalates = escalates
  }

  take(id: string, event: Event, line: string): void {
    const before = this.statuses.get(id)!
    const after = next(before, event)
    assert.isDefined(after, `${line}: ${event} in ${before}`)
    this.statuses.set(id, after!)
  }

  /** The supervisor ends: those that are down already are not asked to stop. */
  end(): void {
    if (this.isEnding) return
    this.isEnding = true
    for (const [id, status] of this.statuses) {
      if (!isAlive(status) && status !== "gone") this.take(id, "terminate", "the supervisor ends")
    }
  }

  read(line: Line): void {
    const { id, reason, what } = line
    const status = this.statuses.get(id)
    if (what === "GaveUp") return this.escalates ? this.end() : undefined
    if (status === undefined) return
    const event = eventOf(line, status, this.restarts.get(id)!)
    if (event !== undefined) this.take(id, event, `${what} ${id} ${reason?._tag ?? ""}`)
  }

  /** The listing, as it must be. */
  get listing(): ReadonlyArray<string> {
    return [...this.statuses].filter(([, status]) => status !== "gone").map(([id, status]) => `${id} ${shown[status]}`)
  }
}

interface Line {
  readonly what: string
  readonly id: string
  readonly reason?: ExitReason | undefined
}

const eventOf = ({ reason, what }: Line, status: Status, restart: RestartType): Event | undefined => {
  switch (what) {
    case "start":
      return status === "parked" ? "resume" : status === "restarting" ? "due" : undefined
    case "stop":
      return "terminate"
    case "Started":
      return "up"
    case "Ignored":
      return "ignored"
    case "StartFailed":
      return "failed"
    case "Parked":
      return "exhausted"
    case "Exited":
      return status === "stopping" ? "stopped" : isRestarted(restart, reason!) ? "crashed" : "exited"
    case "stopped":
      return status === "stopping" ? "stopped" : undefined
    default:
      return undefined
  }
}

const shown: Record<Status, string> = {
  starting: "starting",
  running: "running",
  restarting: "restarting",
  reviving: "restarting",
  parked: "parked",
  stopping: "running",
  gone: "gone"
}

const run = Effect.fnUntraced(function*(program: typeof Program.Type) {
  const log: Array<string> = []
  const lines: Array<Line> = []
  const push = log.push.bind(log)
  // What a probe writes down: `start a`, `stop a brutally`, `a is stopped`.
  log.push = (...texts) => {
    for (const text of texts) {
      const [first = "", second = "", third = ""] = text.split(" ")
      lines.push(second === "is" ? { what: third, id: first } : { what: first, id: second })
    }
    return push(...texts)
  }
  const { telemetry } = record()
  telemetry.subscribe((event) => {
    const id = event._tag === "GaveUp" ? event.child : event.path[1]
    const reason = event._tag === "Exited" ? event.reason : undefined
    if (id !== undefined) lines.push({ what: event._tag, id, reason })
  })
  const context = yield* Layer.build(Pool.layer({ restart: budgetOf(program), onGiveUp: program.onGiveUp })).pipe(
    Effect.provideService(Telemetry.CurrentTelemetry, telemetry)
  )
  const pool = Context.get(context, Pool)
  const model = new Model(program.onGiveUp === "escalate")
  const scripts: Array<Script> = []
  let read = 0
  const ask = (request: Effect.Effect<unknown, unknown>) =>
    Effect.forkChild(Effect.exit(request), { startImmediately: true })

  const check = Effect.gen(function*() {
    for (; read < lines.length; read++) model.read(lines[read]!)
    const listing = (yield* pool.whichChildren).map(({ id, status }) => `${id} ${status}`)
    assert.deepStrictEqual([...listing].sort(), [...model.listing].sort())
    const { active, specs } = yield* pool.countChildren
    assert.deepStrictEqual([specs, active], [
      listing.length,
      listing.filter((line) => line.endsWith(" running")).length
    ])
  })

  const begin = ({ next, restart, shutdown }: Pick<typeof Step.Type, "next" | "restart" | "shutdown">) => {
    const id = `c${scripts.length}`
    const script = new Script(log)
    if (next !== "ok") script.starts.push(next)
    scripts.push(script)
    if (!model.isEnding) {
      model.statuses.set(id, "starting")
      model.restarts.set(id, restart)
    }
    return ask(pool.startChild(recipe(id, script, { restart, shutdown })))
  }

  /** A request to stop one that is down asks nothing of the child itself. */
  const terminate = (script: Script) => {
    const { process } = script
    if (process === undefined) return Effect.void
    for (; read < lines.length; read++) model.read(lines[read]!)
    const status = model.statuses.get(process.id)
    if (status !== undefined && status !== "gone" && !isAlive(status) && !model.isEnding) {
      model.take(process.id, "terminate", "terminateChild")
    }
    return ask(pool.terminateChild(process))
  }

  const act = (step: typeof Step.Type) =>
    Effect.gen(function*() {
      const script = scripts[step.who]
      switch (step.what) {
        case "start":
          yield* begin(step)
          break
        case "crash":
          script?.end(boom)
          break
        case "finish":
          script?.end(normal)
          break
        case "kill":
          script?.end(killed)
          break
        case "starts":
          script?.starts.push(step.next)
          break
        case "hang":
          script?.stops.push("hang")
          break
        case "release":
          script?.release(step.next === "fail" ? "fail" : "ok")
          break
        case "wait":
          yield* TestClock.adjust(step.millis)
      }
      if (script === undefined) return
      if (step.ask === "terminate") yield* terminate(script)
      if (step.ask === "resume" && script.process !== undefined) yield* ask(pool.resumeChild(script.process))
    })

  for (const restart of restarts) yield* begin({ next: "ok", restart, shutdown: 1000 })
  for (const step of program.steps) {
    yield* act(step)
    yield* check
  }
  for (; read < lines.length; read++) model.read(lines[read]!)
  model.end()
  const ending = yield* Effect.forkChild(pool.stop(), { startImmediately: true })
  yield* check
  for (const script of scripts) script.release()
  yield* TestClock.adjust("1 hour")
  for (const script of scripts) script.release()
  assert.deepStrictEqual(ending.pollUnsafe(), Exit.void)
  yield* check
  assert.deepStrictEqual(model.listing, [], "all of them are gone")
})

describe("DynamicSupervisor", () => {
  it.effect.prop(
    "every step of every child is in the table of its status, and the listing follows from the steps",
    [Program],
    ([program]) => Effect.scoped(run(program)),
    { arbitrary: { runs: Number(globalThis.process.env["MODEL_RUNS"] ?? 100) } }
  )
})
