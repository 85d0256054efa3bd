/**
 * How a dynamic supervisor ends: every child is stopped, all at the same time.
 *
 * *Tricky*: children may stop in the very loop that asks them to, so the count of those that are still to stop is held
 * open until all were asked. Children that need time share one timer for each length of it, and those that have not
 * stopped by then are killed. A second, brutal end overtakes one that takes its time.
 *
 * @since 0.1.0
 */
import type { Context } from "effect"
import { type ExitReason, killed, shutdown as orderly } from "../../../domain/process/ExitReason.ts"
import type { Fate, Shutdown } from "../../../domain/process/Fate.ts"
import { isAlive } from "../../../domain/supervision/DynamicChild.ts"
import type { Child } from "../../process/Child.ts"
import { endedAs, execute, stopOf } from "../../process/Execute.ts"
import { after } from "../../process/Timer.ts"
import type { ChildEvents } from "../tree/ChildEvents.ts"
import { answer, done, type Entry, type Exceptional, isExceptional, specOf, statusOf, stopped } from "./DynamicChild.ts"
import type { DynamicChildren } from "./DynamicChildren.ts"

/** What an end needs of its supervisor. */
export interface Host {
  readonly children: DynamicChildren
  readonly events: ChildEvents
  /** A child is down for good. */
  left(child: Child, entry: Entry, event: "stopped" | "terminate", fate: Fate): void
  /** All children have stopped. */
  over(reason: ExitReason): void
}

/** The end of one dynamic supervisor, of one incarnation after the other. */
export class DynamicEnd {
  /** The reason it is ending with. */
  reason: ExitReason | undefined = undefined
  private readonly host: Host
  private readonly context: Context.Context<never>
  private brutal = false
  private stopping = 0
  private limits: Array<() => void> = []

  constructor(host: Host, context: Context.Context<never>) {
    this.host = host
    this.context = context
  }

  /** Another incarnation begins. */
  reset(): void {
    this.reason = undefined
  }

  /** Begins the end, or hurries the one that has begun. */
  begin(reason: ExitReason, brutal: boolean): void {
    if (this.reason !== undefined && (!brutal || this.brutal)) return
    const { children } = this.host
    this.reason = reason
    this.brutal = brutal
    // Held open, so that children that stop at once do not end it before all of them were asked.
    this.stopping = 1
    const slow = new Map<number, Array<Child>>()
    for (const child of children.list()) {
      const entry = children.get(child)
      if (entry === undefined) continue
      if (!isAlive(statusOf(entry))) {
        this.host.left(child, entry, "terminate", "stopped")
        continue
      }
      this.stopping++
      // One that was asked to stop before: its end is awaited already.
      if (statusOf(entry) === "stopping") {
        if (brutal) this.kill(child)
        continue
      }
      const { shutdown } = specOf(entry)
      const stopping = this.stopChild(
        child,
        entry,
        brutal ? "brutal_kill" : typeof shutdown === "number" ? "infinity" : shutdown
      )
      // Children that need time share one timer for each length of it.
      if (!brutal && typeof shutdown === "number" && children.get(child) === stopping) {
        const others = slow.get(shutdown)
        if (others === undefined) slow.set(shutdown, [child])
        else others.push(child)
      }
    }
    for (const [millis, children] of slow) {
      this.limits.push(after(this.context, millis, () => {
        for (const child of children) this.killLate(child)
      }))
    }
    this.oneLess()
  }

  /** Stops one child: its record, until it has stopped. */
  stopChild(child: Child, entry: Entry, shutdown: Shutdown): Exceptional {
    const { children, events } = this.host
    const { incarnation } = child
    const wasUp = !isExceptional(entry)
    const stopping = children.step(child, entry, "terminate")!
    if (isExceptional(entry)) answer(entry, stopped(this.reason))
    const reason = shutdown === "brutal_kill" ? killed : orderly
    execute(this.context, stopOf(child, reason, shutdown, true), (exit) => {
      if (children.get(child) !== stopping) return
      if (wasUp && events.isHeard) events.stopped(child, incarnation, endedAs(exit))
      this.host.left(child, stopping, "stopped", "stopped")
      answer(stopping, done)
      this.oneLess()
    })
    return stopping
  }

  private killLate(child: Child): void {
    const entry = this.host.children.get(child)
    if (entry !== undefined && statusOf(entry) === "stopping") this.kill(child)
  }

  /** Kills a child that was asked to stop: that stop ends by it. */
  private kill(child: Child): void {
    execute(this.context, stopOf(child, killed, "brutal_kill", true), () => {})
  }

  private oneLess(): void {
    if (this.reason === undefined || --this.stopping > 0) return
    for (const cancel of this.limits) cancel()
    this.limits = []
    this.host.over(this.reason)
  }
}
