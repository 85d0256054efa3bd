/**
 * The supervisor at work: turns what happens into events, and performs what is decided on them.
 *
 * It has no fiber of its own. Whoever brings an event (a child that ended, a timer, a request) drives it, and every command
 * is performed without waiting: what can answer at once feeds its outcome back at once, anything else runs in a fiber whose
 * observer brings the outcome as one more event. So a crash, the decision and the restart of a child that has nothing to
 * wait for are one synchronous pass. The commonest of these, a child that comes back alone and at once, is not even told
 * in events (`revive`): it is written down when it is over, or as soon as somebody looks, whichever comes first. How events
 * are taken and decided on is `SupervisorPass`.
 *
 * @since 0.1.0
 */
import { Effect, Exit, type Fiber } from "effect"
import { crashed, type ExitReason } from "../../../domain/process/ExitReason.ts"
import type { ChildSpec } from "../../../domain/supervision/ChildSpec.ts"
import { revivable, revived, steps } from "../../../domain/supervision/Revival.ts"
import type { Answer, Command, Event } from "../../../domain/supervision/SupervisionEvents.ts"
import { type Entry, find, type State, withChild } from "../../../domain/supervision/SupervisionState.ts"
import type { Child, Fate, Started } from "../../process/Child.ts"
import { attempt, execute, guarded, isUp, started as startedAs, startOf } from "../../process/Execute.ts"
import { startedExit } from "../../process/LocalProcess.ts"
import * as Turn from "../../process/Turn.ts"
import { type Make, Pending } from "./Pending.ts"
import { type Slot, tellNews } from "./SupervisorNews.ts"
import { SupervisorPass } from "./SupervisorPass.ts"

/** The process behind `Supervisor.layer`. */
export class SupervisorProcess extends SupervisorPass {
  /** Makes the children of its own specification, right before its first start: a tree is made level by level. */
  seeds: (() => void) | undefined = undefined
  /** The end of a child that is dealt with right now, while nobody has looked. */
  private reviving: { readonly entry: Entry; readonly reason: ExitReason } | undefined = undefined
  private readonly timers = new Map<number, Fiber.Fiber<void>>()
  private readonly pending = new Pending()
  private booted: Exit.Exit<Started, unknown> | undefined = undefined
  private bootWaiter: ((exit: Exit.Exit<Started, unknown>) => void) | undefined = undefined

  // ---- as a child

  start(): Effect.Effect<Started, unknown> {
    this.seeds?.()
    this.seeds = undefined
    this.incarnation++
    this.status = "starting"
    this.told = undefined
    this.booted = undefined
    this.post({ _tag: "Boot" })
    return this.booted ?? Effect.callback<Started, unknown>((resume) => {
      if (this.booted === undefined) this.bootWaiter = resume
      else resume(this.booted)
    })
  }

  exit(reason: ExitReason): void {
    if (this.isStoppable) this.shutdown(reason, reason._tag === "Killed")
  }

  protected shutdown(reason: ExitReason, brutal: boolean): void {
    this.post({ _tag: "Shutdown", reason, brutal })
  }

  settle(fate: Fate): void {
    this.fated(fate)
    this.post({ _tag: "Settled", fate })
  }

  removed(): void {
    for (const { child } of this.slots.values()) child.removed?.()
  }

  // ---- as a parent

  exited(child: Child, incarnation: number, reason: ExitReason): void {
    // A child that was forgotten, or replaced by another of its id, is no longer ours.
    const slot = this.slots.get(child.id)
    if (slot?.child !== child) return
    if (this.revive(slot, incarnation, reason)) return
    this.post({ _tag: "ChildExited", id: slot.child.id, incarnation, reason })
  }

  // ---- the commonest restart

  /**
   * Restarts a child whose end calls for nothing else, in one pass without events; false when it calls for more, or when
   * this is not the moment.
   */
  private revive(slot: Slot, incarnation: number, reason: ExitReason): boolean {
    // What is in progress or waits already comes first.
    if (this.draining || this.isBehind || !Turn.isShallow()) return false
    const { child } = slot
    const before = this.known
    const entry = revivable(before, child.id, incarnation, reason)
    if (entry === undefined) return false
    const downSince = this.news.instant
    if (!this.budget.grants(downSince, reason)) return false
    this.draining = true
    this.reviving = { entry, reason }
    // From here on the order is that of the full pass: told, settled, told, started, told.
    Turn.enter()
    try {
      this.news.exited(child, incarnation, reason)
      child.settle("restarting")
      this.news.restarting(child, reason, 0)
      const start = startOf(child)
      if (this.reviving !== undefined && isUp(start)) {
        this.reviving = undefined
        if (this.recorder !== undefined) this.walk(steps(before, entry, reason, child.incarnation))
        this.known = revived(before, entry, child.incarnation)
        this.news.started(child, child.incarnation, downSince)
      } else {
        slot.downSince = downSince
        const { status } = find(this.state, child.id)!
        if (status._tag === "Starting") this.starting(slot, status.ticket, start)
      }
    } finally {
      this.draining = false
      if (this.isBehind) this.pass()
      Turn.leave()
    }
    return true
  }

  /** What it knows. Whoever looks in the middle of a revival sees the steps that it did not take for nobody. */
  get state(): State {
    const { reviving } = this
    if (reviving !== undefined) {
      this.reviving = undefined
      this.walk(steps(this.known, reviving.entry, reviving.reason))
    }
    return this.known
  }

  /** Decides on events whose commands are performed otherwise. */
  private walk(events: ReadonlyArray<Event>): void {
    for (const event of events) this.decide(event)
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
    return this.pending.ask((request) => this.post(event(request)), make)
  }

  // ---- what is performed

  protected perform(command: Command): void {
    switch (command._tag) {
      case "Start":
        return this.startIncarnation(command.id, command.ticket, command.request)
      case "Stop": {
        const { id, reason, shutdown, ticket } = command
        const slot = this.slots.get(id)
        if (slot === undefined) return this.outcome({ _tag: "ChildStopped", id, ticket, reason })
        return execute(this.reportContext, guarded(() => slot.child.stop(reason, shutdown)), (exit) => {
          const ended = exit._tag === "Success" ? exit.value : crashed(exit.cause)
          this.outcome({ _tag: "ChildStopped", id, ticket, reason: ended })
        })
      }
      case "ConsultBudget": {
        const { id, ticket } = command
        return this.budget.consult(
          command.reason,
          (answer) => this.outcome({ _tag: "BudgetAnswered", id, ticket, answer })
        )
      }
      case "ResetBudget":
        return this.budget.reset()
      case "SetTimer":
        return this.setTimer(command.id, command.ticket, command.millis)
      case "CancelTimer": {
        const timer = this.timers.get(command.ticket)
        this.timers.delete(command.ticket)
        timer?.interruptUnsafe()
        return
      }
      case "Settle": {
        const slot = this.slots.get(command.id)
        if (slot === undefined) return
        if (command.fate !== "restarting") slot.downSince = undefined
        return slot.child.settle(command.fate)
      }
      case "Forget": {
        const slot = this.slots.get(command.id)
        this.slots.delete(command.id)
        return slot?.child.removed?.()
      }
      case "Answer":
        return this.answer(command.request, command.answer)
      case "Tell":
        return tellNews(this.news, this.slots, command.news)
      case "Booted": {
        this.status = "running"
        return this.bootedAs(startedExit)
      }
      case "BootFailed": {
        this.down(crashed(command.cause))
        return this.bootedAs(Exit.failCause(command.cause))
      }
      case "Terminated":
        return this.terminated(command.reason)
    }
  }

  private startIncarnation(id: string, ticket: number, request: number | undefined): void {
    const make = request === undefined ? undefined : this.pending.makeOf(request)
    if (make !== undefined) {
      const made = attempt(make)
      if (made._tag !== "Success") {
        return this.outcome({ _tag: "ChildStartFailed", id, ticket, cause: made.cause })
      }
      this.slots.set(id, { child: made.value.child, ref: made.value.ref, downSince: undefined })
    }
    const slot = this.slots.get(id)
    if (slot !== undefined) this.starting(slot, ticket, startOf(slot.child))
  }

  private starting(slot: Slot, ticket: number, start: Effect.Effect<Started, unknown>): void {
    const { id } = slot.child
    execute(this.reportContext, start, (come) => {
      const exit = startedAs(come)
      if (exit._tag === "Failure") return this.outcome({ _tag: "ChildStartFailed", id, ticket, cause: exit.cause })
      if (exit.value._tag === "Ignored") return this.outcome({ _tag: "ChildIgnored", id, ticket })
      const { child } = slot
      const { incarnation } = child
      // Most do not care. A temporary child of the supervisor's own may still come back with it.
      if (child.startsNoMore !== undefined) {
        const entry = find(this.state, id)
        if (entry?.spec.restart === "temporary" && !entry.initial) child.startsNoMore()
      }
      this.outcome({ _tag: "ChildStarted", id, ticket, incarnation, info: exit.value.info })
    })
  }

  private setTimer(id: string, ticket: number, millis: number): void {
    const timer = Effect.runForkWith(this.reportContext)(Effect.sleep(millis))
    this.timers.set(ticket, timer)
    timer.addObserver((exit) => {
      if (exit._tag !== "Success" || !this.timers.delete(ticket)) return
      this.post({ _tag: "RestartDue", id, ticket })
    })
  }

  private answer(request: number, answer: Answer): void {
    // Told after the pass: whoever asked from inside it has had no chance to wait yet.
    const tell = this.pending.answer(request, answer)
    if (tell !== undefined) this.answers.push(tell)
  }

  private bootedAs(exit: Exit.Exit<Started, unknown>): void {
    this.booted = exit
    this.answers.push(() => {
      const waiter = this.bootWaiter
      this.bootWaiter = undefined
      waiter?.(exit)
    })
  }

  private terminated(reason: ExitReason): void {
    const booting = this.status === "starting"
    const { incarnation, stopWaiters: waiters } = this
    if (waiters !== undefined) {
      this.answers.push(() => {
        for (const waiter of waiters) waiter(reason)
      })
    } else if (!booting) {
      this.answers.push(() => this.parent.exited(this, incarnation, reason))
    }
    this.down(reason)
    if (booting) this.bootedAs(Exit.interrupt())
  }

  private down(reason: ExitReason): void {
    for (const timer of this.timers.values()) timer.interruptUnsafe()
    this.timers.clear()
    this.budget.close()
    this.stopWaiters = undefined
    this.ended(reason, reason !== this.told)
  }
}
