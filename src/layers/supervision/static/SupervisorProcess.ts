/**
 * The process of a static supervisor: turns what happens into events, and performs what `Supervision.decide` decides.
 *
 * It has no fiber of its own. Whatever brings an event (a child that ended, a timer, a request) drives it, and every
 * command is performed without waiting: what can answer at once feeds its outcome back at once, anything else runs in a
 * fiber whose observer brings the outcome as one more event. So a crash, the decision and the restart of a child that
 * has nothing to wait for are one synchronous pass. The commonest restart takes a shorter way (`Revival`).
 *
 * Its parts: `queue` says which event is next, `budget` whether a restart is allowed, `stopping` how its own supervisor
 * stops it, `requests` who waits for an answer, `events` what is published about its children.
 *
 * @since 0.1.0
 */
import { Cause, Context, Deferred, type Effect, Exit } from "effect"
import { crashed, type ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Fate, Shutdown } from "../../../domain/process/Fate.ts"
import type { ChildSpec } from "../../../domain/supervision/ChildSpec.ts"
import type { Usage } from "../../../domain/supervision/restart/Intensity.ts"
import { decide } from "../../../domain/supervision/Supervision.ts"
import type { Answer, Command, Event } from "../../../domain/supervision/SupervisionEvents.ts"
import { find, make, type Options, type State, withChild } from "../../../domain/supervision/SupervisionState.ts"
import type { Sink } from "../../observation/Sink.ts"
import type { Child, Parent, Started } from "../../process/Child.ts"
import { endedAs, execute, madeBy, outcomeOf, started as startedAs, startOf, stopOf } from "../../process/Execute.ts"
import { LocalProcess, startedExit } from "../../process/LocalProcess.ts"
import { after } from "../../process/Timer.ts"
import { Budget, type RestartSchedule } from "../restart/Budget.ts"
import { ChildEvents } from "../tree/ChildEvents.ts"
import { EventQueue } from "../tree/EventQueue.ts"
import { StopRequest } from "../tree/StopRequest.ts"
import { FailedStart } from "../tree/SupervisorErrors.ts"
import { type Make, RequestTable } from "./RequestTable.ts"
import { type Revival, revive, type Reviver, takeSteps } from "./Revival.ts"
import { publishDecision, publishEvent, type Slot } from "./SupervisorEvents.ts"

/** Called with every event and what was decided on it, for tests that replay the rule. */
export type Recorder = (event: Event, commands: ReadonlyArray<Command>) => void

/** The process behind `Supervisor.layer`. */
export class SupervisorProcess extends LocalProcess implements Child, Parent, Reviver {
  readonly kind = "supervisor"
  readonly telemetry: Sink
  readonly options: Options
  readonly slots = new Map<string, Slot>()
  readonly budget: Budget
  readonly events: ChildEvents
  readonly queue: EventQueue<Event>
  /** Makes the children of its own specification, right before its first start: a tree is made level by level. */
  seeds: (() => void) | undefined = undefined
  recorder: Recorder | undefined = undefined
  /** The state but for the restart in progress: code that is not part of that reads {@link materialize}. */
  known: State
  revival: Revival | undefined = undefined
  protected readonly reportContext: Context.Context<never>
  private readonly requests = new RequestTable()
  private readonly stopping: StopRequest
  private readonly timers = new Map<number, () => void>()
  private booted = Deferred.makeUnsafe<Started, unknown>()

  constructor(
    parent: Parent,
    id: string,
    options: Options,
    schedule: RestartSchedule,
    context: Context.Context<never>
  ) {
    super(parent, id)
    this.telemetry = parent.telemetry
    this.options = options
    this.known = make(options)
    this.reportContext = context
    this.budget = new Budget(schedule, this.path, context)
    this.events = new ChildEvents(this, parent.telemetry, context)
    this.queue = new EventQueue(context, (event) => this.handle(event))
    this.stopping = new StopRequest(context)
  }

  // ---- as a child

  start(): Effect.Effect<Started, unknown> {
    this.seeds?.()
    this.seeds = undefined
    this.incarnation++
    this.status = "starting"
    this.began()
    this.stopping.reason = undefined
    this.booted = Deferred.makeUnsafe()
    this.queue.post({ _tag: "Boot" })
    return outcomeOf(this.booted)
  }

  stop(reason: ExitReason, shutdown: Shutdown, forGood = false): Effect.Effect<ExitReason> {
    if (!this.isAlive) return Exit.succeed(this.lastExit ?? reason)
    return this.stopping.stop(reason, shutdown, (reason, brutal) => this.shutDown(reason, brutal, forGood))
  }

  exit(reason: ExitReason): void {
    if (this.isAlive) this.shutDown(reason, reason._tag === "Killed", false)
  }

  settle(fate: Fate): void {
    this.decided(fate)
    this.queue.post({ _tag: "Settled", fate })
  }

  removed(): void {
    for (const { child } of this.slots.values()) this.events.removed(child)
  }

  below(): Iterable<Child> {
    return Array.from(this.slots.values(), ({ child }) => child)
  }

  get usage(): Usage {
    return this.budget.usage
  }

  private get isAlive(): boolean {
    return this.status === "running" || this.status === "starting"
  }

  private shutDown(reason: ExitReason, brutal: boolean, forGood: boolean): void {
    this.queue.post({ _tag: "Shutdown", reason, brutal, forGood })
  }

  // ---- as a parent

  exited(child: Child, incarnation: number, reason: ExitReason): void {
    // A child that was forgotten, or replaced by another of its id, is no longer ours.
    const slot = this.slots.get(child.id)
    if (slot?.child !== child) return
    if (revive(this, slot, incarnation, reason)) return
    this.queue.post({ _tag: "ChildExited", id: child.id, incarnation, reason })
  }

  // ---- what it knows

  /** The state, also in the middle of a restart that took the short way: that goes on the long way from here. */
  materialize(): State {
    takeSteps(this)
    return this.known
  }

  get isRecorded(): boolean {
    return this.recorder !== undefined
  }

  note(event: Event): ReadonlyArray<Command> {
    const [state, commands] = decide(this.known, event)
    this.known = state
    this.recorder?.(event, commands)
    return commands
  }

  private handle(event: Event): void {
    const before = this.known
    const commands = this.note(event)
    publishEvent(this.events, this.slots, before, event)
    for (const command of commands) this.perform(command)
    // After its children: one of them is the cause.
    if (event._tag === "Settled") this.report(event.fate)
  }

  // ---- requests

  /** Adds a child that the first boot starts, like every later one. */
  seed(spec: ChildSpec, made: ReturnType<Make>): void {
    this.known = withChild(this.known, spec)
    this.slots.set(spec.id, { child: made.child, ref: made.ref, downSince: undefined })
  }

  /** Starts a child; `make` is called when its id is free. */
  startChild(spec: ChildSpec, initial: boolean, make: Make): Effect.Effect<Answer> {
    return this.ask((request) => ({ _tag: "StartChild", request, spec, initial }), make)
  }

  /** Any other request. */
  request(_tag: "TerminateChild" | "RestartChild" | "DeleteChild" | "ResumeChild", id: string): Effect.Effect<Answer> {
    return this.ask((request) => ({ _tag, request, id }), undefined)
  }

  private ask(event: (request: number) => Event, make: Make | undefined): Effect.Effect<Answer> {
    return this.requests.ask((request) => this.queue.post(event(request)), make)
  }

  // ---- what is performed

  private perform(command: Command): void {
    switch (command._tag) {
      case "Start":
        return this.startIncarnation(command.id, command.ticket, command.request)
      case "Stop": {
        const { forGood, id, reason, shutdown, ticket } = command
        const slot = this.slots.get(id)
        if (slot === undefined) return this.queue.outcome({ _tag: "ChildStopped", id, ticket, reason })
        return execute(
          this.reportContext,
          stopOf(slot.child, reason, shutdown, forGood),
          (exit) => this.queue.outcome({ _tag: "ChildStopped", id, ticket, reason: endedAs(exit) })
        )
      }
      case "ConsultBudget": {
        const { id, ticket } = command
        return this.budget.consult(
          command.reason,
          (answer) => this.queue.outcome({ _tag: "BudgetAnswered", id, ticket, answer })
        )
      }
      case "ResetBudget":
        return this.budget.reset()
      case "SetTimer": {
        const { id, millis, ticket } = command
        const cancel = after(this.reportContext, millis, () => {
          this.timers.delete(ticket)
          this.queue.post({ _tag: "RestartDue", id, ticket })
        })
        this.timers.set(ticket, cancel)
        return
      }
      case "CancelTimer": {
        this.timers.get(command.ticket)?.()
        this.timers.delete(command.ticket)
        return
      }
      case "Settle": {
        const slot = this.slots.get(command.id)
        if (slot === undefined) return
        if (command.fate !== "restarting") slot.downSince = undefined
        return this.events.settle(slot.child, command.fate)
      }
      case "Forget": {
        const slot = this.slots.get(command.id)
        this.slots.delete(command.id)
        return slot && this.events.removed(slot.child)
      }
      case "Answer":
        // After the pass: a request from inside it has had no chance to wait yet.
        return this.queue.afterwards(() => this.requests.answer(command.request, command.answer))
      case "Publish":
        return publishDecision(this.events, this.slots, command.decision)
      case "Booted": {
        this.status = "running"
        return this.bootedAs(startedExit)
      }
      case "BootFailed": {
        const cause = this.blamed(command.id, command.cause)
        this.down(crashed(cause))
        return this.bootedAs(Exit.failCause(cause))
      }
      case "Terminated":
        return this.terminated(command.reason)
    }
  }

  private startIncarnation(id: string, ticket: number, request: number | undefined): void {
    const make = request === undefined ? undefined : this.requests.makeOf(request)
    if (make !== undefined) {
      const made = madeBy(make)
      if (made._tag !== "Success") {
        return this.queue.outcome({ _tag: "ChildStartFailed", id, ticket, cause: made.cause })
      }
      this.slots.set(id, { child: made.value.child, ref: made.value.ref, downSince: undefined })
    }
    const slot = this.slots.get(id)
    if (slot !== undefined) this.starting(slot, ticket, startOf(slot.child))
  }

  starting(slot: Slot, ticket: number, start: Effect.Effect<Started, unknown>): void {
    const { child } = slot
    const { id } = child
    execute(this.reportContext, start, (come) => {
      const exit = startedAs(come)
      if (exit._tag === "Failure") {
        return this.queue.outcome({ _tag: "ChildStartFailed", id, ticket, cause: exit.cause })
      }
      if (exit.value._tag === "Ignored") return this.queue.outcome({ _tag: "ChildIgnored", id, ticket })
      const { incarnation } = child
      // Most do not care. A temporary child of the supervisor's own may still come back with it.
      if (child.startsNoMore !== undefined) {
        const entry = find(this.materialize(), id)
        if (entry?.spec.restart === "temporary" && !entry.initial) this.events.startsNoMore(child)
      }
      this.queue.outcome({ _tag: "ChildStarted", id, ticket, incarnation, info: exit.value.info })
    })
  }

  /** The cause, which says which process did not start: the child, or one further below. */
  private blamed(id: string, cause: Cause.Cause<unknown>): Cause.Cause<unknown> {
    const path = this.slots.get(id)?.child.path
    return path === undefined ? cause : Cause.annotate(cause, Context.make(FailedStart, path))
  }

  private bootedAs(exit: Exit.Exit<Started, unknown>): void {
    const { booted } = this
    this.queue.afterwards(() => Deferred.doneUnsafe(booted, exit))
  }

  private terminated(reason: ExitReason): void {
    const booting = this.status === "starting"
    const { incarnation } = this
    const answer = this.down(reason)
    if (answer !== undefined) this.queue.afterwards(answer)
    else if (!booting) this.queue.afterwards(() => this.parent.exited(this, incarnation, reason))
    if (booting) this.bootedAs(Exit.interrupt())
  }

  /** What answers those who wait for its end. */
  private down(reason: ExitReason): (() => void) | undefined {
    this.budget.close()
    const answer = this.stopping.over(reason)
    // A start that comes to nothing is reported by its supervisor.
    this.ended(reason, this.status !== "starting" && reason !== this.stopping.reason)
    return answer
  }
}
