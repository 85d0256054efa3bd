/**
 * The lifecycle events, crash reports and counters that a supervisor publishes about its children.
 *
 * An event is built only while something listens: otherwise it costs one read of a flag.
 *
 * @since 0.1.0
 */
import { Cause, Clock, Context, Stream } from "effect"
import { type Lifecycle, pathText } from "../../../domain/observation/Lifecycle.ts"
import { type ExitReason, isOrderly, toCause } from "../../../domain/process/ExitReason.ts"
import type { Fate } from "../../../domain/process/Fate.ts"
import type { Sink } from "../../observation/Sink.ts"
import { stream } from "../../observation/Telemetry.ts"
import type { Child } from "../../process/Child.ts"
import type { Process } from "../../process/Process.ts"
import { instantOf } from "../../process/Timer.ts"
import { failedBelow } from "./SupervisorErrors.ts"

/** What one supervisor publishes. */
export class ChildEvents {
  private readonly supervisor: Process
  private readonly telemetry: Sink
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock

  constructor(supervisor: Process, telemetry: Sink, context: Context.Context<never>) {
    this.supervisor = supervisor
    this.telemetry = telemetry
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
  }

  /** Milliseconds of wall-clock time, for events. */
  private get now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  /** For spans. */
  get instant(): number {
    return instantOf(this.clock)
  }

  /**
   * Tells a child what becomes of it. A child may be foreign code: one that throws is reported, and nothing else
   * changes.
   */
  settle(child: Child, fate: Fate): void {
    try {
      child.settle(fate)
    } catch (defect) {
      this.childFailed(child, `when it was settled as ${fate}`, defect)
    }
  }

  /** It has left the tree; likewise. */
  removed(child: Child): void {
    try {
      child.removed?.()
    } catch (defect) {
      this.childFailed(child, "when it was removed", defect)
    }
  }

  /** It is up, and never started again; likewise. */
  startsNoMore(child: Child): void {
    try {
      child.startsNoMore?.()
    } catch (defect) {
      this.childFailed(child, "when it was up for good", defect)
    }
  }

  private childFailed(child: Child, when: string, defect: unknown): void {
    this.telemetry.failed(`${pathText(child.path)} threw ${when}`, Cause.die(defect), this.context)
  }

  /** It is up; `downSince` is the instant at which its last incarnation ended, when this is a restart. */
  started(child: Process, incarnation: number, downSince: number | undefined): void {
    if (downSince !== undefined) {
      this.telemetry.counters.restarts++
      this.telemetry.counters.recovered(this.instant - downSince)
    }
    if (!this.telemetry.listening) return
    const { kind, path } = child
    this.telemetry.publish({ _tag: "Started", path, at: this.now, kind, incarnation })
  }

  ignored(child: Process): void {
    if (!this.telemetry.listening) return
    const { incarnation, kind, path } = child
    this.telemetry.publish({ _tag: "Ignored", path, at: this.now, kind, incarnation })
  }

  startFailed(child: Process, reason: ExitReason, next: string): void {
    const { incarnation, kind, path } = child
    if (this.telemetry.listening) {
      this.telemetry.publish({ _tag: "StartFailed", path, at: this.now, kind, incarnation, reason })
    }
    const since = failedBelow(toCause(reason))
    const start = since === undefined ? {} : { since }
    this.telemetry.crashed({ path, incarnation, reason, start, next }, this.context)
  }

  /** It ended by itself: unless in order, a crash. */
  exited(child: Process, incarnation: number, reason: ExitReason): void {
    if (!isOrderly(reason)) this.telemetry.counters.crashes++
    this.stopped(child, incarnation, reason)
  }

  /** Whether anything listens. */
  get isHeard(): boolean {
    return this.telemetry.listening
  }

  /** It ended, by itself or because it was stopped. */
  stopped(child: Process, incarnation: number, reason: ExitReason): void {
    if (!this.telemetry.listening) return
    const { kind, path } = child
    this.telemetry.publish({ _tag: "Exited", path, at: this.now, kind, incarnation, reason })
  }

  restarting(child: Process, reason: ExitReason, delay: number): void {
    if (!this.telemetry.listening) return
    const { incarnation, kind, path } = child
    this.telemetry.publish({ _tag: "Restarting", path, at: this.now, kind, incarnation, reason, delay })
  }

  decided(_tag: "Parked" | "Resumed" | "Deleted", child: Process): void {
    if (!this.telemetry.listening) return
    const { incarnation, kind, path } = child
    this.telemetry.publish({ _tag, path, at: this.now, kind, incarnation })
  }

  gaveUp(child: string, reason: ExitReason): void {
    if (!this.telemetry.listening) return
    this.telemetry.publish({ _tag: "GaveUp", path: this.supervisor.path, at: this.now, child, reason })
  }
}

/** What happens to the process at `path` and everything below it. */
export const eventsBelow = (telemetry: Sink, path: ReadonlyArray<string>): Stream.Stream<Lifecycle> =>
  Stream.filter(stream(telemetry), (event) => path.every((id, depth) => event.path[depth] === id))
