/**
 * The part of a process that is the same for workers and supervisors: who it is, how it ended, and who wants to know.
 *
 * Most processes are never observed: what holds observers is made on first use.
 *
 * @since 0.1.0
 */
import { Cause, type Context, Effect, Exit } from "effect"
import type { CrashReport } from "../../domain/observation/CrashReport.ts"
import { pathText } from "../../domain/observation/Lifecycle.ts"
import { type ExitReason, isOrderly, shutdown } from "../../domain/process/ExitReason.ts"
import { type Fate, nextText } from "../../domain/process/Fate.ts"
import * as GivenReason from "../../domain/process/GivenReason.ts"
import type { Parent, Started } from "./Child.ts"
import { inspected } from "./Inspection.ts"
import { Observers } from "./Observers.ts"
import {
  type ExitObserver,
  type GoneObserver,
  type Process,
  processOf,
  type ReturnObserver,
  type Status
} from "./Process.ts"

/** A process of this JavaScript thread, supervised by `parent`. */
export abstract class LocalProcess implements Process {
  abstract readonly kind: "worker" | "supervisor"
  readonly id: string
  readonly path: ReadonlyArray<string>
  readonly parent: Parent
  incarnation = 0
  slot = -1
  status: Status = "stopped"
  lastExit: ExitReason | undefined = undefined
  private observers: Observers | undefined = undefined
  /** The end that is not reported yet: what becomes of the process is not decided. */
  private unreported: Pick<CrashReport, "incarnation" | "reason" | "abandoned"> | undefined = undefined

  static {
    inspected(this)
  }

  constructor(parent: Parent, id: string) {
    this.parent = parent
    this.id = id
    this.path = [...parent.path, id]
  }

  get [processOf](): Process {
    return this
  }

  abstract exit(reason: ExitReason): void
  protected abstract readonly reportContext: Context.Context<never>

  addExitObserver(observer: ExitObserver): boolean {
    if (this.status !== "running" && this.status !== "starting") return false
    ;(this.observers ??= new Observers()).addExit(observer)
    return true
  }

  removeExitObserver(observer: ExitObserver): void {
    this.observers?.removeExit(observer)
  }

  addGoneObserver(observer: GoneObserver): boolean {
    if (this.status === "stopped") return false
    ;(this.observers ??= new Observers()).addGone(observer)
    return true
  }

  removeGoneObserver(observer: GoneObserver): void {
    this.observers?.removeGone(observer)
  }

  addReturnObserver(observer: ReturnObserver): boolean {
    if (this.status !== "stopped") return false
    ;(this.observers ??= new Observers()).addReturn(observer)
    return true
  }

  /** Ends it and completes when it has ended: for good as the owner of a root, as an exit of its own under a parent. */
  endAndWait(reason: ExitReason = shutdown): Effect.Effect<void> {
    const ended = Effect.callback<void>((resume) => {
      const given = GivenReason.given(pathText(this.path), reason)
      if (this.addExitObserver(() => resume(Exit.void))) this.exit(given)
      else resume(Exit.void)
    })
    // Observers are called first: one turn later, what became of it and of its children is settled.
    return Effect.andThen(ended, Effect.yieldNow)
  }

  private observerFailed(defect: unknown): void {
    const what = `an observer of ${pathText(this.path)} failed`
    this.parent.telemetry.failed(what, Cause.die(defect), this.reportContext)
  }

  /** An incarnation has begun. */
  protected began(): void {
    this.observers?.returned((defect) => this.observerFailed(defect))
  }

  /** The incarnation has ended; its supervisor is to decide what becomes of the process. */
  protected ended(reason: ExitReason, report: boolean, abandoned = false): void {
    this.lastExit = reason
    this.status = "restarting"
    const late = abandoned ? { abandoned } : undefined
    this.unreported = report && !isOrderly(reason) ? { incarnation: this.incarnation, reason, ...late } : undefined
    this.observers?.exited(this.incarnation, reason, (defect) => this.observerFailed(defect))
  }

  /** The supervisor has decided. */
  protected decided(fate: Fate): void {
    if (this.status === "running" || this.status === "starting") return
    this.status = fate === "restarting" || fate === "parked" ? fate : "stopped"
    if (this.status === "stopped") {
      this.observers?.gone(this.lastExit ?? shutdown, (defect) => this.observerFailed(defect))
    }
  }

  /** Both, where no child is to be settled in between. */
  protected fated(fate: Fate): void {
    this.report(fate)
    this.decided(fate)
  }

  /** Reports the end, if it has not been, with what happens next. */
  protected report(fate: Fate): void {
    const { path, unreported } = this
    if (unreported === undefined) return
    this.unreported = undefined
    this.parent.telemetry.crashed({ path, ...unreported, next: nextText[fate] }, this.reportContext)
  }
}

/** A start that came to nothing but a running process, made once. */
export const startedExit: Exit.Exit<Started> = Exit.succeed({ _tag: "Started" })
