/**
 * What is heard of the trees: their roots, their events, their crash reports and their counters.
 *
 * Those of the `Telemetry` of the context, if it has one; else of all roots of this JavaScript thread, each of which is
 * heard from the moment that it is seen on.
 *
 * @since 0.1.0
 */
import { Cause, Context, Effect } from "effect"
import { type CrashReport, isCauseNew, toText } from "../../domain/observation/CrashReport.ts"
import type { Lifecycle } from "../../domain/observation/Lifecycle.ts"
import { pathText } from "../../domain/observation/Path.ts"
import { empty, heard } from "../../domain/observer/Feed.ts"
import { type Counted, type Group, nothingCounted } from "../../domain/observer/Wire.ts"
import { toCause } from "../../domain/process/ExitReason.ts"
import { bounded } from "../../domain/text/ForeignCause.ts"
import { CurrentSink, type Sink } from "../observation/Sink.ts"
import type { Process } from "../process/Process.ts"
import { roots } from "../supervision/tree/Roots.ts"
import { parentOf, type Watched } from "./look/Look.ts"

/** How many processes' crashes are kept. */
const mostReports = 500

/** The last crash of each process. */
class Reports {
  private readonly last = new Map<string, CrashReport>()

  add(report: CrashReport): void {
    const path = pathText(report.path)
    this.last.delete(path)
    this.last.set(path, report)
    const [oldest] = this.last.keys()
    if (this.last.size > mostReports && oldest !== undefined) this.last.delete(oldest)
  }

  /** For people: the report, and what it died of with its stack. */
  text(path: ReadonlyArray<string>): string | null {
    const report = this.last.get(pathText(path))
    if (report === undefined) return null
    const cause = isCauseNew(report) ? bounded(toCause(report.reason)) : Cause.empty
    return cause.reasons.length === 0 ? toText(report) : `${toText(report)}\n\n${Cause.pretty(cause)}`
  }
}

/** Events between two looks that are read; of more, the newest are. */
const mostPending = 2000

/** Hears of all trees that report to one place. */
export class Hearing {
  private readonly reports = new Reports()
  private readonly leaves = new Map<Sink, () => void>()
  private readonly context: Context.Context<never>
  private heard = empty
  private pending: Array<Lifecycle> = []

  constructor(context: Context.Context<never>) {
    this.context = context
    const sink = Context.get(context, CurrentSink)
    if (sink !== undefined) this.listen(sink)
  }

  /** The roots by now; those that are new are heard from now on. */
  get roots(): ReadonlyArray<Watched> {
    const found: ReadonlyArray<Process> = Effect.runSyncWith(this.context)(roots)
    for (const root of found) {
      const sink = parentOf(root)?.telemetry
      if (sink !== undefined) this.listen(sink)
    }
    return found
  }

  /** What has happened, the newest first. */
  get feed(): ReadonlyArray<Group> {
    const { pending } = this
    this.pending = []
    for (const event of pending) this.heard = heard(this.heard, event)
    return this.heard.groups
  }

  /** In the stack of the engine that caused it. */
  private take(event: Lifecycle): void {
    // A first start follows no crash: there may be a million of them.
    if (event._tag === "Started" && event.incarnation === 1) return
    if (this.pending.length >= mostPending) this.pending = this.pending.slice(mostPending / 2)
    this.pending.push(event)
  }

  get totals(): Counted {
    let totals = nothingCounted
    for (const { counters } of this.leaves.keys()) {
      const { count, sum } = counters.recoveries()
      totals = {
        messages: totals.messages + counters.calls + counters.casts,
        queued: totals.queued + counters.queued,
        crashes: totals.crashes + counters.crashes,
        restarts: totals.restarts + counters.restarts,
        rollbacks: totals.rollbacks + counters.rollbacks,
        recoveries: totals.recoveries + count,
        recoveryMillis: totals.recoveryMillis + sum * 1000
      }
    }
    return totals
  }

  /** The last crash of the process at a path, for people. */
  crashOf(path: ReadonlyArray<string>): string | null {
    return this.reports.text(path)
  }

  private listen(sink: Sink): void {
    if (this.leaves.has(sink)) return
    const leaves = [
      sink.subscribe((event) => this.take(event)),
      sink.subscribeReports((report) => this.reports.add(report))
    ]
    this.leaves.set(sink, () => leaves.forEach((leave) => leave()))
  }

  /** What is done between looks: new roots are heard, and what was heard is read. */
  keepUp(): void {
    void this.roots
    void this.feed
  }

  /** Hears no more. */
  leave(): void {
    for (const leave of this.leaves.values()) leave()
    this.leaves.clear()
  }
}
