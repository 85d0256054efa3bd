/**
 * What a supervision tree reports to, as its engines have it: events to listeners, crash reports to the log, counters
 * to the metrics. Users have it as a `Telemetry`.
 *
 * Engines ask `listening` before they build an event, so that a million starts without a listener build none.
 *
 * *Tricky*: `publish` runs inside the stack that caused the event, which may be a server's in the middle of a hand-off.
 * A listener that resumed a fiber there would run it inside that stack; so listeners only enqueue, into queues whose
 * takers wake on their own turn.
 *
 * @since 0.1.0
 */
import { Cause, Context, Effect, LogLevel, Metric, Record, References, type Scope } from "effect"
import { type CrashReport, isCauseNew, title } from "../../domain/observation/CrashReport.ts"
import { type Lifecycle, pathText } from "../../domain/observation/Lifecycle.ts"
import { type Rollback, toText as rollbackText } from "../../domain/observation/Rollback.ts"
import { toCause } from "../../domain/process/ExitReason.ts"
import { bounded, printable } from "../../domain/text/ForeignCause.ts"
import { attach, type Counters, makeCounters } from "./Counters.ts"
import { Listeners } from "./Listeners.ts"
import { logIn } from "./SafeLog.ts"

/**
 * Hears every event, synchronously, in the stack of the engine that caused it: it must only enqueue. One that throws,
 * or whose promise is rejected, is removed, and that is logged.
 *
 * @category models
 * @since 0.1.0
 */
export type Listener = (event: Lifecycle) => void

/**
 * Hears of every crash report, likewise.
 *
 * @category models
 * @since 0.1.0
 */
export type ReportListener = (report: CrashReport) => void

/**
 * Where supervision trees report what happens to them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Telemetry {
  readonly "~heirloom/Telemetry": "~heirloom/Telemetry"
  /** Adds a listener; the returned function removes it. */
  subscribe(listener: Listener): () => void
  /** Adds a listener for crash reports, whether they are logged or not; the returned function removes it. */
  subscribeReports(listener: ReportListener): () => void
}

/** The same as the engines have it. */
export interface Sink extends Telemetry {
  /** Whether there is a listener. */
  readonly listening: boolean
  /** Whether there is one for reports. */
  readonly reporting: boolean
  publish(event: Lifecycle): void
  /**
   * Logs the report at `Error` level with the loggers of `context`: nothing dies silently. Does next to nothing when
   * these loggers would not show it. Does not touch `counters.crashes`.
   */
  crashed(report: CrashReport, context: Context.Context<never>): void
  /** Logs, likewise, that a server goes on from an older state than it had acknowledged. */
  rolledBack(rollback: Rollback, context: Context.Context<never>): void
  /**
   * Logs, likewise, that code of the app's own failed where an engine goes on without it: an observer, a hook, a
   * Schedule. `what` says which, and what follows.
   */
  failed(what: string, cause: Cause.Cause<unknown>, context: Context.Context<never>): void
  /** Counters, plainly incremented by the engines and read by the metrics. */
  readonly counters: Counters
}

class TreeSink implements Sink {
  readonly "~heirloom/Telemetry" = "~heirloom/Telemetry"
  listening = false
  reporting = false
  readonly counters = makeCounters()
  /** Where it logs what is wrong with a listener: the services of the root that it was made for. */
  context: Context.Context<never> = Context.empty()
  private readonly events = new Listeners<Lifecycle>(
    (areThere) => void (this.listening = areThere),
    (event, defect) => this.lost("listener", event._tag, event.path, defect)
  )
  private readonly reports = new Listeners<CrashReport>(
    (areThere) => void (this.reporting = areThere),
    ({ path }, defect) => this.lost("listener for reports", "the crash", path, defect)
  )

  publish(event: Lifecycle): void {
    this.events.call(event)
  }

  subscribe(listener: Listener): () => void {
    return this.events.add(listener)
  }

  subscribeReports(listener: ReportListener): () => void {
    return this.reports.add(listener)
  }

  private lost(who: string, at: string, path: ReadonlyArray<string>, defect: unknown): void {
    const what = `a ${who} of Telemetry failed at ${at} of ${pathText(path)}: it is removed`
    this.failed(what, Cause.die(defect), this.context)
  }

  crashed(report: CrashReport, context: Context.Context<never>): void {
    this.reports.call(report)
    if (isLogging(context)) logIn(context, logReport(report))
  }

  failed(what: string, cause: Cause.Cause<unknown>, context: Context.Context<never>): void {
    if (isLogging(context)) logIn(context, Effect.logError(what, bounded(cause)))
  }

  rolledBack(rollback: Rollback, context: Context.Context<never>): void {
    this.counters.rollbacks++
    if (!isLogging(context)) return
    const { from, incarnation, path, to } = rollback
    logIn(
      context,
      Effect.annotateLogs(
        Effect.logError(rollbackText(rollback)),
        { path: pathText(path), incarnation, from, ...(to === undefined ? {} : { to }) }
      )
    )
  }
}

const logReport = (report: CrashReport): Effect.Effect<void> => {
  const shown: { readonly [part: string]: unknown } = report.shown ?? {}
  return Effect.annotateLogs(
    Effect.logError(
      // The loggers print the cause below it.
      `${title(report)}; ${report.next}`,
      isCauseNew(report) ? bounded(toCause(report.reason)) : Cause.empty
    ),
    {
      path: pathText(report.path),
      incarnation: report.incarnation,
      ...(report.message === undefined ? {} : { message: report.message }),
      ...(report.restoredFrom === undefined ? {} : { restoredFrom: report.restoredFrom }),
      ...(report.undone === undefined ? {} : { undone: report.undone }),
      ...Record.map(shown, printable),
      next: report.next
    }
  )
}

/**
 * Whether a crash report would be shown by the loggers of `context`: a caller that has to build the report asks first.
 */
export const isLogging = (context: Context.Context<never>): boolean =>
  !LogLevel.isGreaterThan(Context.get(context, References.MinimumLogLevel), "Error") &&
  Context.get(context, References.CurrentLoggers).size > 0

/** Makes one without a listener, that no metric reads. */
export const make = (): Sink => new TreeSink()

/** The one that root supervisors report to; none by default, and each root then makes its own. */
export const CurrentSink: Context.Reference<Sink | undefined> = Context.Reference<Sink | undefined>(
  "heirloom/Telemetry",
  { defaultValue: () => undefined }
)

const attached = Effect.fnUntraced(function*(sink: Sink) {
  const context = yield* Effect.context()
  if (sink instanceof TreeSink) sink.context = context
  const registry = yield* Metric.MetricRegistry
  // The registry is the app's own: one that throws leaves the metrics empty, and stops no app.
  const failed = (cause: Cause.Cause<never>): Effect.Effect<void> =>
    Effect.sync(() => sink.failed("the metric registry failed: nothing is counted in it", cause, context))
  yield* Effect.acquireRelease(
    Effect.sync(() => attach(sink.counters, registry)),
    (detach) => Effect.catchCause(Effect.sync(detach), failed)
  ).pipe(Effect.catchCause(failed))
  return sink
})

/** That of a root: the one of the context, or a fresh one; its counters feed the metrics until the scope closes. */
export const root: Effect.Effect<Sink, never, Scope.Scope> = Effect.flatMap(
  CurrentSink,
  (current) => attached(current ?? make())
)

/** A fresh one, whatever the context has; its counters feed the metrics until the scope closes. */
export const scoped: Effect.Effect<Sink, never, Scope.Scope> = Effect.suspend(() => attached(make()))
