/** A world of children for the pure rule: performs its commands at once, and writes down what happened. */
import { Cause, Result } from "effect"
import { crashed, type ExitReason, normal } from "../../src/domain/process/ExitReason.ts"
import * as ChildSpec from "../../src/domain/supervision/ChildSpec.ts"
import { decide, newestFirst } from "../../src/domain/supervision/Supervision.ts"
import type { Answer, BudgetAnswer, Command, Event } from "../../src/domain/supervision/SupervisionEvents.ts"
import { make, type Options, type State, withChild } from "../../src/domain/supervision/SupervisionState.ts"

export const boom = crashed(Cause.die("boom"))

/** The budget has no restart left. */
export const exhausted = { _tag: "Exhausted" } as const

/** The budget allows a restart after a delay. */
export const delay = (millis: number) => ({ _tag: "Delay", millis }) as const

type Start = "ok" | "fail" | "ignore" | "hang"
type Stop = "ok" | "hang"

export class World {
  state: State
  readonly answers = new Map<number, Answer>()
  /** What the next starts of a child come to; `ok` when nothing is said. */
  readonly starts = new Map<string, Array<Start>>()
  readonly stops = new Map<string, Array<Stop>>()
  /** What the budget says next; no delay when nothing is said. */
  budget: Array<BudgetAnswer | "later"> = []
  asked = 0
  private log: Array<string> = []
  private readonly incarnations = new Map<string, number>()
  private readonly hanging = new Map<string, Command>()
  /** Timers that are set and were not cancelled, by their ticket. */
  readonly timers = new Map<number, string>()
  private queue: Array<Event> = []
  private nextRequest = 1

  constructor(options: Partial<Options> = {}) {
    this.state = make({ strategy: "one_for_one", autoShutdown: "never", onGiveUp: "escalate", ...options })
    this.send({ _tag: "Boot" })
    this.take()
  }

  spec(draft: ChildSpec.Draft): ChildSpec.ChildSpec {
    return Result.getOrThrow(ChildSpec.make(draft, this.state.options.autoShutdown))
  }

  /** What happened since the last time. */
  take(): Array<string> {
    const log = this.log
    this.log = []
    return log
  }

  send(event: Event): void {
    this.queue.push(event)
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
      this.heard(next)
      const [state, commands] = decide(this.state, next)
      this.state = state
      const outcomes: Array<Event> = []
      for (const command of commands) {
        const outcome = this.perform(command)
        if (outcome !== undefined) outcomes.push(outcome)
      }
      this.queue.unshift(...outcomes)
    }
  }

  // ---- requests

  /** Starts children, as the supervisor's own. */
  add(...drafts: ReadonlyArray<ChildSpec.Draft | string>): void {
    for (const draft of drafts) this.start(typeof draft === "string" ? { id: draft } : draft, true)
    this.take()
  }

  start(draft: ChildSpec.Draft, initial = false): Answer | undefined {
    return this.request((request) => ({ _tag: "StartChild", request, spec: this.spec(draft), initial }))
  }

  terminate(id: string): Answer | undefined {
    return this.request((request) => ({ _tag: "TerminateChild", request, id }))
  }

  restart(id: string): Answer | undefined {
    return this.request((request) => ({ _tag: "RestartChild", request, id }))
  }

  delete(id: string): Answer | undefined {
    return this.request((request) => ({ _tag: "DeleteChild", request, id }))
  }

  resume(id: string): Answer | undefined {
    return this.request((request) => ({ _tag: "ResumeChild", request, id }))
  }

  // ---- what children do

  exit(id: string, reason: ExitReason = boom, incarnation = this.incarnation(id)): void {
    this.send({ _tag: "ChildExited", id, incarnation, reason })
  }

  finish(id: string): void {
    this.exit(id, normal)
  }

  /** A start or stop that was left hanging comes to an end. */
  release(id: string, outcome: "ok" | "fail" = "ok"): void {
    const command = this.hanging.get(id)
    this.hanging.delete(id)
    if (command?._tag === "Start") this.send(this.started(id, command.ticket, outcome))
    if (command?._tag === "Stop") {
      this.send({ _tag: "ChildStopped", id, ticket: command.ticket, reason: command.reason })
    }
  }

  /** The budget answers a question that was left open. */
  answerBudget(id: string, answer: BudgetAnswer): void {
    const command = this.hanging.get(`budget ${id}`)
    if (command?._tag === "ConsultBudget") {
      // A question is answered once.
      this.hanging.delete(`budget ${id}`)
      this.send({ _tag: "BudgetAnswered", id, ticket: command.ticket, answer })
    }
  }

  /** A timer rings. */
  ring(id: string): void {
    const command = this.hanging.get(`timer ${id}`)
    if (command?._tag === "SetTimer") this.send({ _tag: "RestartDue", id, ticket: command.ticket })
  }

  /** All that was left hanging comes to an end, and what follows from it, until nothing does. */
  settle(): void {
    for (let i = 0; i < 200 && (this.hanging.size > 0 || this.timers.size > 0); i++) {
      for (const [name, command] of this.hanging) {
        if (command._tag === "Start" || command._tag === "Stop") this.release(name)
        else if (command._tag === "ConsultBudget") this.answerBudget(command.id, delay(0))
        else this.hanging.delete(name)
      }
      for (const [ticket, id] of this.timers) {
        this.timers.delete(ticket)
        this.send({ _tag: "RestartDue", id, ticket })
      }
    }
  }

  incarnation(id: string): number {
    return this.incarnations.get(id) ?? 0
  }

  /** The listing, oldest first: `a#1`, `b restarting`. */
  list(): Array<string> {
    return newestFirst(this.state).map((entry) =>
      entry.status._tag === "Running"
        ? `${entry.spec.id}#${entry.incarnation}`
        : `${entry.spec.id} ${entry.status._tag.toLowerCase()}`
    ).reverse()
  }

  private request(event: (request: number) => Event): Answer | undefined {
    const request = this.nextRequest++
    this.send(event(request))
    return this.answers.get(request)
  }

  /** Each event, before it is decided on. */
  protected heard(_event: Event): void {}

  protected perform(command: Command): Event | undefined {
    switch (command._tag) {
      case "Start": {
        const { id, ticket } = command
        const outcome = this.starts.get(id)?.shift() ?? "ok"
        this.incarnations.set(id, this.incarnation(id) + 1)
        this.log.push(`start ${id}#${this.incarnation(id)}`)
        if (outcome !== "hang") return this.started(id, ticket, outcome)
        this.hanging.set(id, command)
        return undefined
      }
      case "Stop": {
        const { id, reason, shutdown, ticket } = command
        this.log.push(`stop ${id}${shutdown === "brutal_kill" ? " brutally" : ""}`)
        if (this.stops.get(id)?.shift() !== "hang") return { _tag: "ChildStopped", id, ticket, reason }
        this.hanging.set(id, command)
        return undefined
      }
      case "ConsultBudget": {
        this.asked++
        const answer = this.budget.shift() ?? { _tag: "Delay", millis: 0 }
        if (answer !== "later") return { _tag: "BudgetAnswered", id: command.id, ticket: command.ticket, answer }
        this.hanging.set(`budget ${command.id}`, command)
        return undefined
      }
      case "SetTimer": {
        this.log.push(`wait ${command.millis} for ${command.id}`)
        this.hanging.set(`timer ${command.id}`, command)
        this.timers.set(command.ticket, command.id)
        return undefined
      }
      case "CancelTimer": {
        this.timers.delete(command.ticket)
        this.log.push("cancel timer")
        return undefined
      }
      case "Settle": {
        this.log.push(`${command.id} is ${command.fate}`)
        return undefined
      }
      case "Answer": {
        this.answers.set(command.request, command.answer)
        return undefined
      }
      case "Publish": {
        if (command.decision._tag === "GaveUp") this.log.push(`gave up on ${command.decision.id}`)
        return undefined
      }
      case "ResetBudget": {
        this.log.push("budget anew")
        return undefined
      }
      case "Forget":
        return undefined
      case "Booted":
      case "BootFailed":
      case "Terminated": {
        this.log.push(command._tag === "Terminated" ? `ended ${command.reason._tag}` : command._tag)
        return undefined
      }
    }
  }

  private started(id: string, ticket: number, outcome: Start): Event {
    if (outcome === "fail") return { _tag: "ChildStartFailed", id, ticket, cause: Cause.fail("no") }
    if (outcome === "ignore") return { _tag: "ChildIgnored", id, ticket }
    return { _tag: "ChildStarted", id, ticket, incarnation: this.incarnation(id), info: undefined }
  }
}

/** A world whose children were there from the beginning. */
export const booted = (options: Partial<Options>, ids: ReadonlyArray<string>): World => {
  const world = new World(options)
  world.state = ids.reduce((state, id) => withChild(state, world.spec({ id })), make(world.state.options))
  return world
}
