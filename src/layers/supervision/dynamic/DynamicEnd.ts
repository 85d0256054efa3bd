/**
 * How a dynamic supervisor ends: every child is stopped, all at the same time.
 *
 * *Tricky*: children may stop in the very loop that asks them to, or before it comes to them, so the count of those
 * that were asked and are still to stop is held open until all were asked. Children that need time share one timer for
 * each length of it, and those that have not stopped by then are killed. A second, brutal end overtakes one that takes
 * its time.
 *
 * @since 0.1.0
 */
import { Clock, Context, Scheduler } from "effect"
import { type ExitReason, killed, shutdown as orderly } from "../../../domain/process/ExitReason.ts"
import type { Fate, Shutdown } from "../../../domain/process/Fate.ts"
import { isAlive } from "../../../domain/supervision/DynamicChild.ts"
import type { Child } from "../../process/Child.ts"
import { endedAs, execute, stopOf } from "../../process/Execute.ts"
import { after, instantOf } from "../../process/Timer.ts"
import * as Turn from "../../process/Turn.ts"
import type { ChildEvents } from "../tree/ChildEvents.ts"
import { passMillis, timed } from "../tree/EventQueue.ts"
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

/** Those that need time, by how much of it they have. */
type Slow = Map<number, Array<Child>>

/** The end of one dynamic supervisor, of one incarnation after the other. */
export class DynamicEnd {
  /** The reason it is ending with. */
  reason: ExitReason | undefined = undefined
  private readonly host: Host
  private readonly context: Context.Context<never>
  private brutal = false
  private stopping = 0
  private limits: Array<() => void> = []
  /** Those that run, while not all of them were asked. */
  private running: ReadonlyArray<Child> | undefined = undefined

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
    const all = children.list()
    // At once those that something else may happen to: one that waits for its restart, or starts.
    if (children.exceptional > 0) this.stopExceptionals(all)
    this.running = all
    this.stopRunning(all, 0, undefined)
  }

  private stopExceptionals(all: ReadonlyArray<Child>): void {
    const slow: Slow = new Map()
    for (const child of all) {
      const entry = this.host.children.get(child)
      if (entry !== undefined && isExceptional(entry)) this.stopExceptional(child, entry, slow)
    }
    this.limit(slow)
  }

  private stopExceptional(child: Child, entry: Exceptional, slow: Slow): void {
    if (!isAlive(entry.status)) return this.host.left(child, entry, "terminate", "stopped")
    if (entry.status !== "stopping") return this.ask(child, entry, slow)
    // One that was asked to stop before: its end is awaited already.
    this.stopping++
    if (this.brutal) this.kill(child)
  }

  /**
   * Asks those that run, from one on. Thousands take their time, and the event loop gets its turn in between: what a
   * child does before it is asked is an end like any other, and none comes back.
   */
  private stopRunning(all: ReadonlyArray<Child>, from: number, turn: Turn.RunQueue | undefined): void {
    const { children } = this.host
    const clock = Context.get(this.context, Clock.Clock)
    const slow: Slow = new Map()
    let until: number | undefined
    for (let i = from; i < all.length; i++) {
      const child = all[i]!
      const entry = children.get(child)
      if (entry !== undefined && !isExceptional(entry)) this.ask(child, entry, slow)
      // A brutal end has overtaken it.
      if (this.running !== all) return
      let isOver = turn?.spend(clock) === true
      if (turn === undefined && (i - from) % timed === timed - 1) {
        const now = instantOf(clock)
        until ??= now + passMillis
        isOver = now >= until
      }
      if (!isOver) continue
      this.limit(slow)
      const turns = Turn.runQueue(Context.get(this.context, Scheduler.Scheduler))
      return turns.push({
        queued: false,
        drain: () => {
          if (this.running === all) this.stopRunning(all, i + 1, turns)
        }
      })
    }
    this.limit(slow)
    this.running = undefined
    this.oneLess()
  }

  private ask(child: Child, entry: Entry, slow: Slow): void {
    const { brutal } = this
    const { shutdown } = specOf(entry)
    const isTimed = !brutal && typeof shutdown === "number"
    const stopping = this.stopChild(child, entry, brutal ? "brutal_kill" : isTimed ? "infinity" : shutdown)
    if (!isTimed || this.host.children.get(child) !== stopping) return
    const others = slow.get(shutdown)
    if (others === undefined) slow.set(shutdown, [child])
    else others.push(child)
  }

  /** Children that need time share one timer for each length of it. */
  private limit(slow: Slow): void {
    for (const [millis, children] of slow) {
      this.limits.push(after(this.context, millis, () => {
        for (const child of children) this.killLate(child)
      }))
    }
  }

  /** Stops one child: its record, until it has stopped. */
  stopChild(child: Child, entry: Entry, shutdown: Shutdown): Exceptional {
    const { children, events } = this.host
    const { incarnation } = child
    const wasUp = !isExceptional(entry)
    const stopping = children.step(child, entry, "terminate")!
    if (this.reason !== undefined) this.stopping++
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
