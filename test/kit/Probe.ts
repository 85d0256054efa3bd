/** Children that follow a script, and a recorder of their events. */
import { Cause, Clock, Context, Effect, Exit, Layer } from "effect"
import type { Lifecycle } from "../../src/domain/observation/Lifecycle.ts"
import { crashed, type ExitReason, killed, normal, toText } from "../../src/domain/process/ExitReason.ts"
import type { Fate, Shutdown } from "../../src/domain/process/Fate.ts"
import { type Process, Supervisor, Telemetry } from "../../src/index.ts"
import type { Child, ChildOptions, Parent, Started } from "../../src/layers/process/Child.ts"
import { LocalProcess, startedExit } from "../../src/layers/process/LocalProcess.ts"
import { sinkOf } from "./Sinks.ts"

export const boom = crashed(Cause.die("boom"))

type Start = "ok" | "ignore" | "fail" | "hang" | "throw" | { readonly info: unknown }
type Stop = "ok" | "hang" | ExitReason

/** The script of a probe, and the requests of its supervisor; outlives its incarnations. */
export class Script {
  readonly starts: Array<Start> = []
  /** What a start comes to that nothing is said of. */
  usually: Start = "ok"
  readonly stops: Array<Stop> = []
  readonly fates: Array<Fate> = []
  /** What its supervisor asked of it, in order; shared by the children of one test. */
  readonly log: Array<string>
  process: Probe | undefined = undefined
  started = 0
  /** Done once, in the stack of the next of these. */
  readonly meanwhile: { settle?: () => void; start?: () => void } = {}

  constructor(log: Array<string> = []) {
    this.log = log
  }

  /** Ends the incarnation that is alive, as if by itself. */
  end(reason: ExitReason = boom): void {
    this.process?.over(reason)
  }

  finish(): void {
    this.end(normal)
  }

  during(what: "settle" | "start"): void {
    const act = this.meanwhile[what]
    delete this.meanwhile[what]
    act?.()
  }

  /** Lets the start or stop that hangs come to its end. */
  release(outcome: "ok" | "fail" = "ok"): void {
    this.process?.release(outcome)
  }
}

/** A child under a script. */
export class Probe extends LocalProcess implements Child<string> {
  readonly kind: "worker" | "supervisor"
  protected readonly reportContext: Context.Context<never>
  private readonly script: Script
  private resumeStart: ((exit: Exit.Exit<Started, string>) => void) | undefined = undefined
  private stopped: Array<(reason: ExitReason) => void> = []

  constructor(
    parent: Parent,
    id: string,
    kind: "worker" | "supervisor",
    script: Script,
    context: Context.Context<never>
  ) {
    super(parent, id)
    this.kind = kind
    this.script = script
    this.reportContext = context
    script.process = this
  }

  start(): Effect.Effect<Started, string> {
    if (this.status === "running" || this.status === "starting") this.script.log.push(`${this.id} has two incarnations`)
    const order = this.script.starts.shift() ?? this.script.usually
    this.incarnation++
    this.script.started++
    this.script.log.push(`start ${this.id}`)
    if (this.script.meanwhile.start !== undefined && this.isStoppedMeanwhile()) {
      return Exit.fail("stopped on its way up")
    }
    if (order === "throw") throw new Error("thrown by start")
    if (order === "fail") return Exit.fail("no")
    if (order === "ignore") return Exit.succeed({ _tag: "Ignored" })
    if (order === "hang") {
      this.status = "starting"
      return Effect.callback<Started, string>((resume) => {
        this.resumeStart = resume
      })
    }
    this.status = "running"
    return order === "ok" ? startedExit : Exit.succeed({ _tag: "Started", info: order.info })
  }

  private isStoppedMeanwhile(): boolean {
    const { status } = this
    this.status = "starting"
    this.script.during("start")
    if (this.status !== "starting") return true
    this.status = status
    return false
  }

  stop(reason: ExitReason, shutdown: Shutdown): Effect.Effect<ExitReason> {
    this.script.log.push(`stop ${this.id}${shutdown === "brutal_kill" ? " brutally" : ""}`)
    if (this.status !== "running" && this.status !== "starting") return Exit.succeed(this.lastExit ?? reason)
    // A start in progress is given up with it.
    this.resumeStart = undefined
    if (shutdown === "brutal_kill") {
      this.ended(killed, false)
      for (const resume of this.stopped.splice(0)) resume(killed)
      return Exit.succeed(killed)
    }
    const order = this.script.stops.shift() ?? "ok"
    if (order !== "hang") {
      const real = order === "ok" ? reason : order
      this.ended(real, real !== reason)
      return Exit.succeed(real)
    }
    return Effect.callback<ExitReason>((resume) => {
      const done = (reason: ExitReason) => resume(Exit.succeed(reason))
      this.stopped.push(done)
      if (typeof shutdown !== "number") return
      Effect.runForkWith(this.reportContext)(Effect.sleep(shutdown)).addObserver(() => {
        if (!this.stopped.includes(done)) return
        this.ended(killed, true)
        for (const resume of this.stopped.splice(0)) resume(killed)
      })
    })
  }

  exit(reason: ExitReason): void {
    this.over(reason)
  }

  settle(fate: Fate): void {
    this.script.fates.push(fate)
    this.script.log.push(`${this.id} is ${fate}`)
    this.fated(fate)
    this.script.during("settle")
  }

  over(reason: ExitReason): void {
    if (this.status !== "running") return
    this.ended(reason, true)
    // While it is being stopped, that is how the stop ends, and no exit of its own.
    const stopped = this.stopped.splice(0)
    if (stopped.length === 0) this.parent.exited(this, this.incarnation, reason)
    for (const done of stopped) done(reason)
  }

  release(outcome: "ok" | "fail"): void {
    const resume = this.resumeStart
    this.resumeStart = undefined
    if (resume !== undefined) {
      this.status = outcome === "ok" ? "running" : "restarting"
      return resume(outcome === "ok" ? startedExit : Exit.fail("no"))
    }
    const reason: ExitReason = { _tag: "Shutdown" }
    const stopped = this.stopped.splice(0)
    if (stopped.length > 0) this.ended(reason, false)
    for (const done of stopped) done(reason)
  }
}

export const recipe = (
  id: string,
  script: Script = new Script(),
  options: ChildOptions & { readonly kind?: "worker" | "supervisor" } = {}
): Supervisor.StartRecipe<Process.Process, string> => {
  const kind = options.kind ?? "worker"
  return {
    id,
    kind,
    options,
    make: (parent, context, id) => {
      const process = new Probe(parent, id, kind, script, context)
      return { child: process, ref: process }
    }
  }
}

/** The layer of a probe. */
export const probe = (id: string, script?: Script, options?: ChildOptions) =>
  Layer.effectDiscard(
    Effect.flatMap(Supervisor.Supervisor, (supervisor) => supervisor.register(recipe(id, script, options)))
  )

/** A line for an event: the tail of its path below the root, its incarnation, and what matters of the rest. */
export const line = (event: Lifecycle): string => {
  const name = event.path.slice(1).join("/") || "top"
  switch (event._tag) {
    case "Exited":
    case "StartFailed":
      return `${event._tag} ${name}#${event.incarnation} ${toText(event.reason)}`
    case "Restarting":
      return `Restarting ${name} in ${event.delay}`
    case "GaveUp":
      return `GaveUp ${name} on ${event.child}`
    default:
      return `${event._tag} ${name}#${event.incarnation}`
  }
}

export interface Recording {
  readonly telemetry: Telemetry.Telemetry
  /** Lines since the last time. */
  readonly take: () => Array<string>
  /** Crash reports since the last time: `path: next`. */
  readonly reports: () => Array<string>
}

/** A fresh Telemetry that is listened to. */
export const record = (): Recording => {
  const telemetry = Telemetry.make()
  let lines: Array<string> = []
  let reports: Array<string> = []
  telemetry.subscribe((event) => {
    // The life of the root itself is published too; it would only frame everything here.
    const ofRoot = event.path.length === 1 && (event._tag === "Started" || event._tag === "Exited")
    if (!ofRoot) lines.push(line(event))
  })
  sinkOf(telemetry).crashed = (report) => {
    reports.push(`${report.path.slice(1).join("/") || "top"}#${report.incarnation}: ${report.next}`)
  }
  return {
    telemetry,
    take: () => {
      const taken = lines
      lines = []
      return taken
    },
    reports: () => {
      const taken = reports
      reports = []
      return taken
    }
  }
}

export class Top extends Supervisor.Service<Top>()("top") {}

/** A root supervisor in the scope of the test, with its events recorded. */
export const top = Effect.fnUntraced(function*(
  options: Supervisor.Options,
  ...children: ReadonlyArray<Layer.Layer<never, string, Supervisor.Supervisor>>
) {
  const recording = record()
  const context = yield* Layer.build(Top.layer(options, children)).pipe(
    Effect.provideService(Telemetry.CurrentTelemetry, recording.telemetry)
  )
  return { supervisor: Context.get(context, Top), ...recording }
})

/** The listing, oldest first. */
export const listing = (supervisor: Supervisor.Supervisor) =>
  Effect.map(
    supervisor.whichChildren,
    (children) =>
      children.map(({ id, process, status }) =>
        status === "running" ? `${id}#${process.incarnation}` : `${id} ${status}`
      )
        .reverse()
  )

export const now = Clock.currentTimeMillis
