/**
 * The process of a dynamic supervisor: many children of few kinds, each restarted on its own.
 *
 * A static supervisor keeps a full entry per child; here a running child is one entry of an array from the child to its
 * spec, which all children of one recipe share. Only a child that is starting, stopping, waiting for its restart or
 * parked has a record of its own. Decisions are the table of a child's status (`domain/supervision/DynamicChild`), the
 * truth table of the restart types, and the budget.
 *
 * Its parts: `children`, `queue` (ends that wait), `budget`, `ending` (how it ends), `stopping` (how its own supervisor
 * stops it), `events` (what is published). The commonest restart takes a shorter way (`Revival`).
 *
 * *Tricky*: an exit may arrive in the stack of the very child that is being started or stopped here, so exits and
 * failed attempts go through one queue; a restart that fails again and again is therefore a loop that gives way to
 * others, never a recursion.
 *
 * @since 0.1.0
 */
import { type Context, type Effect, Exit } from "effect"
import { crashed, type ExitReason, isOrderly } from "../../../domain/process/ExitReason.ts"
import type { Fate, Shutdown } from "../../../domain/process/Fate.ts"
import { gaveUp } from "../../../domain/process/GiveUp.ts"
import { reasonOfStart } from "../../../domain/process/StartFailure.ts"
import { type ChildSpec, isLetGo, isRestarted } from "../../../domain/supervision/ChildSpec.ts"
import { type Event, isAlive } from "../../../domain/supervision/DynamicChild.ts"
import type { Usage } from "../../../domain/supervision/restart/Intensity.ts"
import type { Sink } from "../../observation/Sink.ts"
import type { Child, Parent, Started } from "../../process/Child.ts"
import { execute, isUp, started as startedAs, startOf } from "../../process/Execute.ts"
import { LocalProcess, startedExit } from "../../process/LocalProcess.ts"
import { after } from "../../process/Timer.ts"
import * as Turn from "../../process/Turn.ts"
import { Budget, type RestartSchedule } from "../restart/Budget.ts"
import { ChildEvents } from "../tree/ChildEvents.ts"
import { EventQueue } from "../tree/EventQueue.ts"
import { StopRequest } from "../tree/StopRequest.ts"
import { failed } from "../tree/SupervisorErrors.ts"
import {
  answer,
  done,
  type Ended,
  type Entry,
  type Exceptional,
  isExceptional,
  type Outcome,
  outcomeOf,
  specOf,
  statusOf
} from "./DynamicChild.ts"
import { DynamicChildren } from "./DynamicChildren.ts"
import { DynamicEnd, type Host } from "./DynamicEnd.ts"
import { revive, type Reviver } from "./Revival.ts"

/** What a dynamic supervisor is made of, beside its budget. */
export interface Options {
  readonly maxChildren: number
  readonly onGiveUp: "escalate" | "park"
}

/** The process behind `DynamicSupervisor`. */
export class DynamicProcess extends LocalProcess implements Child, Parent, Reviver, Host {
  readonly kind = "supervisor"
  readonly telemetry: Sink
  readonly options: Options
  readonly children = new DynamicChildren()
  readonly budget: Budget
  readonly events: ChildEvents
  readonly queue: EventQueue<Ended>
  protected readonly reportContext: Context.Context<never>
  private readonly ending: DynamicEnd
  private readonly stopping: StopRequest

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
    this.reportContext = context
    this.budget = new Budget(schedule, this.path, context)
    this.events = new ChildEvents(this, parent.telemetry, context)
    this.queue = new EventQueue(context, (end) => this.onEnd(end))
    this.ending = new DynamicEnd(this, context)
    this.stopping = new StopRequest(context)
  }

  // ---- as a child

  get isEnding(): boolean {
    return this.ending.reason !== undefined
  }

  /** Whether it takes requests. */
  get isUp(): boolean {
    return this.status === "running" && !this.isEnding
  }

  start(): Effect.Effect<Started> {
    this.incarnation++
    this.status = "running"
    this.began()
    this.ending.reset()
    this.stopping.reason = undefined
    return startedExit
  }

  stop(reason: ExitReason, shutdown: Shutdown): Effect.Effect<ExitReason> {
    if (this.status !== "running") return Exit.succeed(this.lastExit ?? reason)
    return this.stopping.stop(reason, shutdown, (reason, brutal) => this.shutDown(reason, brutal))
  }

  exit(reason: ExitReason): void {
    // A kill ends it also while it is ending in order.
    const isKill = reason._tag === "Killed"
    if (this.isUp || (isKill && this.status === "running")) this.shutDown(reason, isKill)
  }

  settle(fate: Fate): void {
    this.fated(fate)
  }

  below(): Iterable<Child> {
    return this.children.list()
  }

  get usage(): Usage {
    return this.budget.usage
  }

  private shutDown(reason: ExitReason, brutal: boolean): void {
    // A tree of these is stopped level by level, each a hand-off of its own.
    Turn.run(() => {
      if (this.status === "running") this.ending.begin(reason, brutal)
    })
  }

  over(reason: ExitReason): void {
    this.budget.close()
    const { incarnation } = this
    const answer = this.stopping.over(reason)
    this.ended(reason, reason !== this.stopping.reason)
    if (answer === undefined) this.parent.exited(this, incarnation, reason)
    else Turn.run(answer)
  }

  // ---- as a parent

  exited(child: Child, incarnation: number, reason: ExitReason): void {
    if (revive(this, child, incarnation, reason)) return
    this.children.materialize()
    this.queue.post({ child, incarnation, reason, failedSince: undefined })
  }

  private onEnd(end: Ended): void {
    const { child, failedSince, incarnation, reason } = end
    const entry = this.children.get(child)
    if (entry === undefined) return
    if (isExceptional(entry)) {
      if (failedSince !== undefined) {
        if (entry.status === "restarting") this.consult(child, entry, reason, failedSince)
      } else if (entry.status === "starting" || entry.status === "reviving") {
        entry.early = { incarnation, reason }
      }
      return
    }
    if (incarnation !== child.incarnation) return
    this.events.exited(child, incarnation, reason)
    if (this.isEnding || !isRestarted(entry.restart, reason) || isLetGo(reason, false)) {
      return this.left(child, entry, "exited", isOrderly(reason) ? "finished" : "stopped")
    }
    this.consult(child, this.children.step(child, entry, "crashed")!, reason, this.events.instant)
  }

  /** Asks the budget whether, and when, a child is started again. */
  private consult(child: Child, asked: Exceptional, reason: ExitReason, downSince: number): void {
    this.budget.consult(reason, (answer) => {
      if (this.children.get(child) !== asked) return
      if (answer._tag === "Exhausted") return this.exhausted(child, asked, reason)
      this.events.settle(child, "restarting")
      if (this.children.get(child) !== asked) return
      this.events.restarting(child, reason, answer.millis)
      if (answer.millis <= 0) return this.restart(child, asked, downSince)
      asked.cancel = after(this.reportContext, answer.millis, () => this.restart(child, asked, downSince))
    })
  }

  private restart(child: Child, entry: Exceptional, downSince: number): void {
    if (this.children.get(child) !== entry) return
    const record = this.children.step(child, entry, entry.status === "parked" ? "resume" : "due")
    if (record !== undefined) this.starting(child, record, startOf(child), downSince)
  }

  starting(child: Child, record: Exceptional, start: Effect.Effect<Started, unknown>, downSince: number): void {
    execute(this.reportContext, start, (come) => {
      const exit = startedAs(come)
      if (this.children.get(child) !== record) return
      if (exit._tag === "Failure") {
        const reason = reasonOfStart(exit.cause)
        if (isLetGo(reason, false)) {
          this.events.startFailed(child, reason, "nothing is left of it")
          return this.left(child, record, "refused", "stopped")
        }
        this.events.startFailed(child, reason, "another attempt, if the budget allows")
        this.children.step(child, record, "failed")
        return this.queue.post({ child, incarnation: child.incarnation, reason, failedSince: downSince })
      }
      if (exit.value._tag === "Ignored") return this.ignored(child, record)
      this.up(child, record, downSince)
    })
  }

  private exhausted(child: Child, entry: Exceptional, reason: ExitReason): void {
    this.events.gaveUp(child.id, reason)
    if (this.options.onGiveUp === "park") {
      this.children.step(child, entry, "exhausted")
      this.events.settle(child, "parked")
      return this.events.decided("Parked", child)
    }
    this.ending.begin(gaveUp(child.id, reason), false)
  }

  // ---- requests

  /** Starts a child that was just made. Synchronous when its start is. */
  startChild(child: Child, spec: ChildSpec): Effect.Effect<Outcome> {
    const { children } = this
    const noted = children.bring(child, spec, "starting") ? undefined : children.note(child, spec, "starting")
    const start = startOf(child)
    const seen = noted ?? children.brought()
    if (seen === undefined && isUp(start)) {
      children.join(child, spec)
      this.publishUp(child, spec, undefined)
      return start
    }
    return this.awaitStart(child, seen ?? children.note(child, spec, "starting"), start)
  }

  private awaitStart(
    child: Child,
    record: Exceptional,
    start: Effect.Effect<Started, unknown>
  ): Effect.Effect<Outcome> {
    execute(this.reportContext, start, (come) => {
      const exit = startedAs(come)
      // It was asked to stop meanwhile: that has been answered.
      if (this.children.get(child) !== record) return
      if (exit._tag === "Failure") {
        this.events.startFailed(child, crashed(exit.cause), "nothing is left of it")
        this.left(child, record, "failed", "stopped")
        return answer(record, Exit.succeed(failed(exit.cause)))
      }
      if (exit.value._tag === "Ignored") this.ignored(child, record)
      else this.up(child, record, undefined)
      answer(record, Exit.succeed(exit.value))
    })
    return outcomeOf(record)
  }

  /** Stops a child and forgets it. `undefined` when it is none of ours. */
  terminateChild(child: Child): Effect.Effect<Outcome> | undefined {
    const entry = this.children.look(child)
    if (entry === undefined) return undefined
    if (isExceptional(entry) && entry.status === "stopping") return outcomeOf(entry)
    if (!isAlive(statusOf(entry))) {
      this.left(child, entry, "terminate", "stopped")
      return done
    }
    const stopping = this.ending.stopChild(child, entry, specOf(entry).shutdown)
    return this.children.get(child) === stopping ? outcomeOf(stopping) : done
  }

  /** Starts a parked child again. */
  resumeChild(child: Child): "Done" | "NotParked" | "NotFound" {
    const entry = this.children.look(child)
    if (entry === undefined) return "NotFound"
    if (!isExceptional(entry) || entry.status !== "parked") return "NotParked"
    this.budget.reset()
    this.events.settle(child, "restarting")
    this.events.decided("Resumed", child)
    this.restart(child, entry, this.events.instant)
    return "Done"
  }

  // ---- bookkeeping

  /**
   * A child is down for good, and leaves at once, also while the supervisor is ending: no child comes back with it,
   * since nothing says which there should be.
   */
  left(child: Child, entry: Entry, event: Event, fate: Fate): void {
    this.children.step(child, entry, event)
    this.events.settle(child, fate)
    this.events.removed(child)
  }

  private up(child: Child, record: Exceptional, downSince: number | undefined): void {
    const { early, spec } = record
    this.children.step(child, record, "up")
    const { incarnation } = child
    this.publishUp(child, spec, downSince)
    if (early?.incarnation === incarnation) this.exited(child, incarnation, early.reason)
  }

  private publishUp(child: Child, { restart }: ChildSpec, downSince: number | undefined): void {
    if (restart === "temporary") this.events.startsNoMore(child)
    this.events.started(child, child.incarnation, downSince)
  }

  private ignored(child: Child, record: Exceptional): void {
    this.events.ignored(child)
    this.left(child, record, "ignored", "stopped")
  }
}
