/**
 * The dynamic supervisor at work: many children of few kinds, each restarted on its own.
 *
 * A static supervisor keeps a full entry per child; here a running child is one entry of a map from the child to its spec,
 * which all children of one recipe share. Only a child that is starting, stopping, waiting for its restart or parked has a
 * record of its own. Decisions come from the restart types' truth table and the budget. How the supervisor itself begins and
 * ends is `DynamicLife`.
 *
 * *Tricky*: an exit may arrive in the stack of the very child that is being started or stopped here, so exits and failed
 * attempts go through one queue that is worked off by whoever is first; a restart that fails again and again is therefore
 * a loop that gives way to others, never a recursion. The commonest restart needs neither queue nor record (`revive`): it is
 * over before anybody looks, and whoever does look has the record made (`DynamicChildren`).
 *
 * @since 0.1.0
 */
import { type Context, Effect, Exit } from "effect"
import { crashed, type ExitReason, isOrderly, toCause } from "../../../domain/process/ExitReason.ts"
import { reasonOfStart } from "../../../domain/process/StartFailure.ts"
import { type ChildSpec, isRestarted } from "../../../domain/supervision/ChildSpec.ts"
import type { Child, Parent, Started } from "../../process/Child.ts"
import { execute, isUp, started as startedAs, startOf } from "../../process/Execute.ts"
import * as Turn from "../../process/Turn.ts"
import type { RestartSchedule } from "../restart/Budget.ts"
import { answer, done, type Ended, type Exceptional, isExceptional, type Outcome, outcomeOf } from "./DynamicChild.ts"
import { DynamicLife } from "./DynamicLife.ts"

/** Ends handled before the event loop gets a turn. */
const passLength = 4096

/** The process behind `DynamicSupervisor`. */
export class DynamicProcess extends DynamicLife {
  readonly maxChildren: number
  private readonly onGiveUp: "escalate" | "park"
  private ends: Array<Ended> = []
  private busy = false

  constructor(
    parent: Parent,
    id: string,
    options: { readonly maxChildren: number; readonly onGiveUp: "escalate" | "park" },
    schedule: RestartSchedule,
    context: Context.Context<never>
  ) {
    super(parent, id, schedule, context)
    this.maxChildren = options.maxChildren
    this.onGiveUp = options.onGiveUp
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
      if (this.children.get(child) !== asked) return
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

  private ignored(child: Child): void {
    this.news.ignored(child)
    this.drop(child, "stopped")
  }
}
