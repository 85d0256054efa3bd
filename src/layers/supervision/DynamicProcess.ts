/**
 * The dynamic supervisor at work: many children of few kinds, each restarted on its own.
 *
 * A static supervisor keeps a full entry per child; here a running child is one entry of a map from the child to its spec,
 * which all children of one recipe share. Only a child that is starting, stopping, waiting for its restart or parked has a
 * record of its own. Decisions come from the restart types' truth table and the budget.
 *
 * *Tricky*: an exit may arrive in the stack of the very child that is being started or stopped here, so exits and failed
 * attempts go through one queue that is worked off by whoever is first; a restart that fails again and again is therefore
 * a loop that gives way to others, never a recursion. The commonest restart needs neither queue nor record (`revive`): it is
 * over before anybody looks, and whoever does look has the record made (`DynamicChildren`).
 *
 * @since 0.1.0
 */
import { type Context, Effect, Exit, type Fiber } from "effect"
import {
  crashed,
  type ExitReason,
  isOrderly,
  killed,
  shutdown as orderly,
  toCause
} from "../../domain/server/ExitReason.ts"
import { reasonOfStart } from "../../domain/server/StartFailure.ts"
import { type ChildSpec, isRestarted, type Shutdown } from "../../domain/supervision/ChildSpec.ts"
import type { Telemetry } from "../observation/Telemetry.ts"
import { Budget, type RestartSchedule } from "./Budget.ts"
import type { Child, Fate, Parent, ShutdownMillis, Started } from "./Child.ts"
import { ChildNews } from "./ChildNews.ts"
import {
  answer,
  done,
  type Ended,
  type Exceptional,
  isAlive,
  isExceptional,
  type Outcome,
  outcomeOf,
  stopped
} from "./DynamicChild.ts"
import { DynamicChildren } from "./DynamicChildren.ts"
import { execute, guarded, isUp, started as startedAs, startOf } from "./Execute.ts"
import { LocalProcess, startedExit } from "./LocalProcess.ts"
import * as Turn from "./Turn.ts"

/** Ends handled before the event loop gets a turn. */
const passLength = 4096

/** The process behind `DynamicSupervisor`. */
export class DynamicProcess extends LocalProcess implements Child, Parent {
  readonly kind = "supervisor"
  readonly telemetry: Telemetry
  readonly maxChildren: number
  readonly children = new DynamicChildren()
  protected readonly reportContext: Context.Context<never>
  private readonly news: ChildNews
  private readonly budget: Budget
  private readonly onGiveUp: "escalate" | "park"
  private ends: Array<Ended> = []
  private busy = false
  private ending: ExitReason | undefined = undefined
  private brutal = false
  private stopping = 0
  private deadlines: Array<Fiber.Fiber<void>> = []
  private stopWaiters: Array<(reason: ExitReason) => void> | undefined = undefined
  private told: ExitReason | undefined = undefined

  constructor(
    parent: Parent,
    id: string,
    options: { readonly maxChildren: number; readonly onGiveUp: "escalate" | "park" },
    schedule: RestartSchedule,
    context: Context.Context<never>
  ) {
    super(parent, id)
    this.telemetry = parent.telemetry
    this.maxChildren = options.maxChildren
    this.onGiveUp = options.onGiveUp
    this.reportContext = context
    this.news = new ChildNews(this, parent.telemetry, context)
    this.budget = new Budget(schedule, context)
  }

  get isUp(): boolean {
    return this.status === "running" && this.ending === undefined
  }

  // ---- as a child

  start(): Effect.Effect<Started> {
    this.forget("stopped")
    this.incarnation++
    this.status = "running"
    this.ending = undefined
    this.brutal = false
    this.told = undefined
    return startedExit
  }

  stop(reason: ExitReason, shutdown: ShutdownMillis): Effect.Effect<ExitReason> {
    if (this.status !== "running") return Exit.succeed(this.lastExit ?? reason)
    const brutal = shutdown === "brutal_kill"
    const stopped: Array<ExitReason> = []
    let arrived = (reason: ExitReason): void => {
      stopped.push(reason)
    }
    this.stopWaiters = [...this.stopWaiters ?? [], (reason) => arrived(reason)]
    const told = brutal ? killed : reason
    this.told = told
    // A tree of these is stopped level by level, each a hand-off of its own.
    Turn.run(() => this.end(told, brutal))
    if (stopped.length > 0) return Exit.succeed(stopped[0]!)
    return Effect.callback<ExitReason>((resume) => {
      if (stopped.length > 0) return resume(Exit.succeed(stopped[0]!))
      if (typeof shutdown === "number") {
        this.deadline(shutdown, () => {
          this.told = killed
          this.end(killed, true)
        })
      }
      arrived = (reason) => resume(Exit.succeed(reason))
    })
  }

  exit(reason: ExitReason): void {
    if (this.isUp) Turn.run(() => this.end(reason, reason._tag === "Killed"))
  }

  settle(fate: Fate): void {
    this.fated(fate)
    // The children of a dynamic supervisor do not come back with it: nothing says which there should be.
    if (this.status !== "running") this.forget(fate === "deleted" ? "deleted" : "stopped")
  }

  private forget(fate: Fate): void {
    const children = this.children.clear()
    if (children.size === 0) return
    Turn.run(() => {
      for (const child of children.keys()) child.settle(fate)
    })
  }

  // ---- as a parent

  exited(child: Child, incarnation: number, reason: ExitReason): void {
    if (this.revive(child, incarnation, reason)) return
    this.children.look()
    this.ends.push({ child, incarnation, reason, failedSince: undefined })
    if (!this.busy) Turn.run(this.pass)
  }

  /**
   * The commonest restart: the budget lets a child that ended come back at once, and it is up again before anybody looks.
   * Then nothing has to be written down. False when it calls for more, or when this is not the moment.
   */
  private revive(child: Child, incarnation: number, reason: ExitReason): boolean {
    // What is in progress or waits already comes first.
    if (this.busy || this.ends.length > 0 || this.ending !== undefined || !Turn.isShallow()) return false
    const spec = this.children.get(child)
    if (spec === undefined || isExceptional(spec) || incarnation !== child.incarnation) return false
    if (!isRestarted(spec.restart, reason)) return false
    const downSince = this.news.instant
    if (!this.children.bring(child, spec, "reviving")) return false
    if (!this.budget.grants(downSince, reason)) {
      this.children.brought()
      return false
    }
    this.busy = true
    Turn.enter()
    try {
      this.news.exited(child, incarnation, reason)
      child.settle("restarting")
      // A caller who was told may have stopped it, or everything.
      if (this.children.isTaken(child)) return true
      this.news.restarting(child, reason, 0)
      const start = startOf(child)
      const seen = this.children.brought()
      if (seen === undefined && isUp(start)) this.news.started(child, child.incarnation, downSince)
      else this.starting(child, seen ?? this.children.note(child, spec, "reviving"), start, downSince)
    } finally {
      this.children.brought()
      this.busy = false
      if (this.ends.length > 0) this.pass()
      Turn.leave()
    }
    return true
  }

  private readonly pass = (): void => {
    if (this.busy) return
    this.busy = true
    let handled = 0
    try {
      for (; handled < this.ends.length && handled < passLength; handled++) this.onEnd(this.ends[handled]!)
    } finally {
      this.busy = false
      this.ends = this.ends.slice(handled)
      if (this.ends.length > 0) {
        Effect.runForkWith(this.reportContext)(Effect.yieldNow).addObserver(() => Turn.run(this.pass))
      }
    }
  }

  private onEnd(end: Ended): void {
    const { child, failedSince, incarnation, reason } = end
    const entry = this.children.get(child)
    if (entry === undefined) return
    if (isExceptional(entry)) {
      if (failedSince !== undefined) {
        if (entry.status === "restarting") this.decide(child, entry.spec, reason, failedSince)
      } else if (entry.status === "starting" || entry.status === "reviving") {
        entry.early = { incarnation, reason }
      }
      return
    }
    if (incarnation !== child.incarnation) return
    this.news.exited(child, incarnation, reason)
    if (this.ending !== undefined) {
      this.children.note(child, entry, "ended")
      return
    }
    this.decide(child, entry, reason, this.news.instant)
  }

  private decide(child: Child, spec: ChildSpec, reason: ExitReason, downSince: number): void {
    if (!isRestarted(spec.restart, reason)) return this.drop(child, isOrderly(reason) ? "finished" : "stopped")
    const asked = this.children.note(child, spec, "restarting")
    this.budget.consult(reason, (answer) => {
      if (this.children.get(child) !== asked || this.ending !== undefined) return
      if (answer._tag === "Exhausted") return this.exhausted(child, spec, reason)
      child.settle("restarting")
      if (this.children.get(child) !== asked) return
      this.news.restarting(child, reason, answer.millis)
      if (answer.millis <= 0) return this.restart(child, spec, downSince)
      const timer = Effect.runForkWith(this.reportContext)(Effect.sleep(answer.millis))
      const waiting: Exceptional = { ...asked, timer }
      this.children.put(child, waiting)
      timer.addObserver((exit) => {
        if (exit._tag === "Success" && this.children.get(child) === waiting) {
          Turn.run(() => this.restart(child, spec, downSince))
        }
      })
    })
  }

  private restart(child: Child, spec: ChildSpec, downSince: number): void {
    const starting = this.children.note(child, spec, "reviving")
    this.starting(child, starting, startOf(child), downSince)
  }

  private starting(
    child: Child,
    starting: Exceptional,
    start: Effect.Effect<Started, unknown>,
    downSince: number
  ): void {
    const { spec } = starting
    execute(this.reportContext, start, (come) => {
      const exit = startedAs(come)
      if (this.children.get(child) !== starting) return
      if (exit._tag === "Failure") {
        const reason = reasonOfStart(exit.cause)
        this.news.startFailed(child, reason, "another attempt, if the budget allows")
        this.children.note(child, spec, "restarting")
        this.ends.push({ child, incarnation: child.incarnation, reason, failedSince: downSince })
        if (!this.busy) Turn.run(this.pass)
        return
      }
      if (exit.value._tag === "Ignored") return this.ignored(child)
      this.up(child, starting, downSince)
    })
  }

  private exhausted(child: Child, spec: ChildSpec, reason: ExitReason): void {
    this.news.gaveUp(child.id, reason)
    if (this.onGiveUp === "park") {
      this.children.note(child, spec, "parked")
      child.settle("parked")
      return this.news.decided("Parked", child)
    }
    this.end({ _tag: "GaveUp", child: child.id, cause: toCause(reason) }, false)
  }

  // ---- requests

  /** Starts a child that was just made. Synchronous when its start is. */
  startChild(child: Child, spec: ChildSpec): Effect.Effect<Outcome> {
    const noted = this.children.bring(child, spec, "starting") ? undefined : this.children.note(child, spec, "starting")
    const start = startOf(child)
    const seen = noted ?? this.children.brought()
    if (seen === undefined && isUp(start)) {
      this.children.join(child, spec)
      this.tellUp(child, spec, undefined)
      return start
    }
    const starting = seen ?? this.children.note(child, spec, "starting")
    execute(this.reportContext, start, (come) => {
      const exit = startedAs(come)
      // It was told to stop meanwhile: whoever did that has answered.
      if (this.children.get(child) !== starting) return
      if (exit._tag === "Failure") {
        this.news.startFailed(child, crashed(exit.cause), "nothing is left of it")
        this.drop(child, "stopped")
        return answer(starting, Exit.succeed({ _tag: "Failed", cause: exit.cause }))
      }
      if (exit.value._tag === "Ignored") {
        this.ignored(child)
        return answer(starting, Exit.succeed(exit.value))
      }
      this.up(child, starting, undefined)
      answer(starting, Exit.succeed(exit.value))
    })
    return outcomeOf(starting)
  }

  /** Stops a child and forgets it. `undefined` when it is none of ours. */
  terminateChild(child: Child): Effect.Effect<Outcome> | undefined {
    this.children.look()
    const entry = this.children.get(child)
    if (entry === undefined) return undefined
    if (isExceptional(entry)) {
      if (entry.status === "restarting" || entry.status === "parked" || entry.status === "ended") {
        entry.timer?.interruptUnsafe()
        this.drop(child, "stopped")
        return done
      }
      if (entry.status === "stopping") return outcomeOf(entry)
    }
    const spec = isExceptional(entry) ? entry.spec : entry
    const stopping = this.stopChild(child, entry, spec.shutdown)
    return this.children.get(child) === stopping ? outcomeOf(stopping) : done
  }

  /** Starts a parked child again. */
  resumeChild(child: Child): "Done" | "NotParked" | "NotFound" {
    this.children.look()
    const entry = this.children.get(child)
    if (entry === undefined) return "NotFound"
    if (!isExceptional(entry) || entry.status !== "parked") return "NotParked"
    this.budget.reset()
    child.settle("restarting")
    this.news.decided("Resumed", child)
    this.restart(child, entry.spec, this.news.instant)
    return "Done"
  }

  private stopChild(child: Child, entry: ChildSpec | Exceptional, shutdown: Shutdown): Exceptional {
    const spec = isExceptional(entry) ? entry.spec : entry
    const { incarnation } = child
    const wasUp = !isExceptional(entry)
    const stopping = this.children.note(child, spec, "stopping")
    if (isExceptional(entry)) answer(entry, stopped)
    const reason = shutdown === "brutal_kill" ? killed : orderly
    execute(this.reportContext, guarded(() => child.stop(reason, shutdown)), (exit) => {
      if (this.children.get(child) !== stopping) return
      if (wasUp) {
        this.news.stopped(child, incarnation, exit._tag === "Success" ? exit.value : crashed(exit.cause))
      }
      if (this.ending === undefined) this.drop(child, "stopped")
      else this.children.note(child, spec, "ended")
      answer(stopping, done)
      this.stopped()
    })
    return stopping
  }

  // ---- the end

  private end(reason: ExitReason, brutal: boolean): void {
    if (this.status !== "running") return
    const begun = this.ending !== undefined
    if (begun && (!brutal || this.brutal)) return
    this.ending = begun && !brutal ? this.ending : reason
    this.brutal = brutal
    // Held open, so that children that stop at once do not end it before all of them were asked.
    this.stopping = 1
    const slow = new Map<number, Array<Child>>()
    for (const [child, entry] of this.children.all) {
      if (isExceptional(entry) && !isAlive(entry)) {
        entry.timer?.interruptUnsafe()
        this.children.note(child, entry.spec, "ended")
        continue
      }
      const spec = isExceptional(entry) ? entry.spec : entry
      const { shutdown } = spec
      const patience = brutal ? "brutal_kill" : typeof shutdown === "number" ? "infinity" : shutdown
      if (isExceptional(entry) && entry.status === "stopping" && !brutal) {
        this.stopping++
        continue
      }
      this.stopping++
      const stopping = this.stopChild(child, entry, patience)
      // Children that need time share one timer for each length of it.
      if (!brutal && typeof shutdown === "number" && this.children.get(child) === stopping) {
        const others = slow.get(shutdown)
        if (others === undefined) slow.set(shutdown, [child])
        else others.push(child)
      }
    }
    for (const [millis, children] of slow) this.deadline(millis, () => this.overdue(children))
    this.stopped()
  }

  private overdue(children: ReadonlyArray<Child>): void {
    for (const child of children) {
      const entry = this.children.get(child)
      if (entry === undefined || !isExceptional(entry) || entry.status !== "stopping") continue
      execute(this.reportContext, guarded(() => child.stop(killed, "brutal_kill")), () => {})
    }
  }

  private stopped(): void {
    if (this.ending === undefined || --this.stopping > 0) return
    const reason = this.ending
    const { incarnation, stopWaiters } = this
    for (const deadline of this.deadlines) deadline.interruptUnsafe()
    this.deadlines = []
    this.stopWaiters = undefined
    this.budget.close()
    this.ended(reason, reason !== this.told)
    if (stopWaiters === undefined) this.parent.exited(this, incarnation, reason)
    else for (const waiter of stopWaiters) Turn.run(() => waiter(reason))
  }

  private deadline(millis: number, act: () => void): void {
    const { incarnation } = this
    const timer = Effect.runForkWith(this.reportContext)(Effect.sleep(millis))
    this.deadlines.push(timer)
    timer.addObserver((exit) => {
      if (exit._tag === "Success" && this.incarnation === incarnation && this.status === "running") Turn.run(act)
    })
  }

  // ---- bookkeeping

  private up(child: Child, { early, spec }: Exceptional, downSince: number | undefined): void {
    this.children.put(child, spec)
    const { incarnation } = child
    this.tellUp(child, spec, downSince)
    if (early?.incarnation === incarnation) this.exited(child, incarnation, early.reason)
  }

  private tellUp(child: Child, { restart }: ChildSpec, downSince: number | undefined): void {
    if (restart === "temporary") child.startsNoMore?.()
    this.news.started(child, child.incarnation, downSince)
  }

  private drop(child: Child, fate: Fate): void {
    if (this.children.drop(child)) child.settle(fate)
  }

  private ignored(child: Child): void {
    this.news.ignored(child)
    this.drop(child, "stopped")
  }
}
