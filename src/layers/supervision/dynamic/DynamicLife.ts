/**
 * How a dynamic supervisor begins, with nobody, and how it ends: every child is stopped, all at the same time.
 *
 * *Tricky*: children may stop in the very loop that tells them to, so the count of those that are still to stop is held open
 * until all were told. Children that need time share one timer for each length of it, and whoever has not stopped by then
 * is killed. A second, brutal end overtakes one that takes its time.
 *
 * @since 0.1.0
 */
import { Effect, type Fiber } from "effect"
import { crashed, type ExitReason, killed, shutdown as orderly } from "../../../domain/process/ExitReason.ts"
import type { ChildSpec, Shutdown } from "../../../domain/supervision/ChildSpec.ts"
import type { Child, Fate, Started } from "../../process/Child.ts"
import { execute, guarded } from "../../process/Execute.ts"
import { startedExit } from "../../process/LocalProcess.ts"
import * as Turn from "../../process/Turn.ts"
import { SupervisingProcess } from "../tree/SupervisingProcess.ts"
import { answer, done, type Exceptional, isAlive, isExceptional, stopped } from "./DynamicChild.ts"
import { DynamicChildren } from "./DynamicChildren.ts"

/** A dynamic supervisor as its own supervisor's child. */
export abstract class DynamicLife extends SupervisingProcess {
  readonly children = new DynamicChildren()
  /** The reason it is ending with. */
  protected ending: ExitReason | undefined = undefined
  private brutal = false
  private stopping = 0
  private deadlines: Array<Fiber.Fiber<void>> = []

  get isUp(): boolean {
    return this.status === "running" && this.ending === undefined
  }

  start(): Effect.Effect<Started> {
    this.forget()
    this.incarnation++
    this.status = "running"
    this.ending = undefined
    this.brutal = false
    this.told = undefined
    return startedExit
  }

  exit(reason: ExitReason): void {
    if (this.isUp) this.shutdown(reason, reason._tag === "Killed")
  }

  protected shutdown(reason: ExitReason, brutal: boolean): void {
    // A tree of these is stopped level by level, each a hand-off of its own.
    Turn.run(() => this.end(reason, brutal))
  }

  settle(fate: Fate): void {
    this.fated(fate)
    // The children of a dynamic supervisor do not come back with it: nothing says which there should be.
    if (this.status !== "running") this.forget()
  }

  private forget(): void {
    const children = this.children.clear()
    if (children.length === 0) return
    Turn.run(() => {
      for (const child of children) left(child, "stopped")
    })
  }

  protected end(reason: ExitReason, brutal: boolean): void {
    if (this.status !== "running") return
    if (this.ending !== undefined && (!brutal || this.brutal)) return
    this.ending = reason
    this.brutal = brutal
    // Held open, so that children that stop at once do not end it before all of them were asked.
    this.stopping = 1
    const slow = new Map<number, Array<Child>>()
    for (const child of this.children.list()) {
      const entry = this.children.get(child)
      if (entry === undefined) continue
      if (isExceptional(entry) && !isAlive(entry)) {
        entry.timer?.interruptUnsafe()
        this.children.note(child, entry.spec, "ended")
        continue
      }
      // Told to stop before: how it ends is told by then.
      if (isExceptional(entry) && entry.status === "stopping") {
        this.stopping++
        if (brutal) this.kill(child)
        continue
      }
      const { shutdown } = isExceptional(entry) ? entry.spec : entry
      const patience = brutal ? "brutal_kill" : typeof shutdown === "number" ? "infinity" : shutdown
      this.stopping++
      const stopping = this.stopChild(child, entry, patience)
      // Children that need time share one timer for each length of it.
      if (!brutal && typeof shutdown === "number" && this.children.get(child) === stopping) {
        const others = slow.get(shutdown)
        if (others === undefined) slow.set(shutdown, [child])
        else others.push(child)
      }
    }
    for (const [millis, children] of slow) this.deadline(millis, () => this.killAll(children))
    this.stopped()
  }

  private killAll(children: ReadonlyArray<Child>): void {
    for (const child of children) {
      const entry = this.children.get(child)
      if (entry === undefined || !isExceptional(entry) || entry.status !== "stopping") continue
      this.kill(child)
    }
  }

  /** Kills a child that was told to stop: whoever did that hears of it. */
  private kill(child: Child): void {
    execute(this.reportContext, guarded(() => child.stop(killed, "brutal_kill")), () => {})
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

  protected stopChild(child: Child, entry: ChildSpec | Exceptional, shutdown: Shutdown): Exceptional {
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

  protected drop(child: Child, fate: Fate): void {
    if (this.children.drop(child)) left(child, fate)
  }
}

const left = (child: Child, fate: Fate): void => {
  child.settle(fate)
  child.removed?.()
}
