/**
 * Where the engines tell what happens: lifecycle events, crash reports and counters.
 *
 * A root supervisor takes the `Telemetry` of its context ({@link CurrentTelemetry}), or makes one; everything below it shares that
 * one. Engines ask `listening` before they build an event, so that a million starts nobody watches build none. You do not
 * need this module to have crashes logged or metrics counted: that happens by itself. Use it to watch a tree live
 * ({@link stream}) or to have several trees report to one place ({@link layer}).
 *
 * *Tricky*: `publish` runs inside the stack of whoever caused the event, which may be a server in the middle of a hand-off.
 * A listener that resumed a fiber there would run it inside that stack; so listeners only enqueue, into queues whose
 * takers wake on their own turn, and {@link stream} slides rather than wait for a slow reader. A listener may subscribe or
 * leave while an event is being told: the set of listeners is replaced, never changed in place.
 *
 * @since 0.1.0
 */
import { Cause, Context, Effect, Layer, LogLevel, Metric, Queue, Record, References, type Scope, Stream } from "effect"
import { type CrashReport, title } from "../../domain/observation/CrashReport.ts"
import { type Lifecycle, pathText } from "../../domain/observation/Lifecycle.ts"
import { type Rollback, toText as rollbackText } from "../../domain/observation/Rollback.ts"
import { toCause } from "../../domain/process/ExitReason.ts"
import { bounded, printable } from "../../domain/text/ForeignCause.ts"
import { isInstance } from "../../domain/text/ForeignText.ts"
import { attach, type Counters, makeCounters } from "./Metrics.ts"
import { logIn } from "./SafeLog.ts"

export type { Counters } from "./Metrics.ts"

/**
 * Hears every event, synchronously, in the stack of the engine that caused it: it must only enqueue. One that throws, or whose
 * promise is rejected, is removed, and that is logged.
 */
export type Listener = (event: Lifecycle) => void

/** The sink that a supervision tree reports to. */
export interface Telemetry {
  /** Whether anybody listens to events. */
  readonly listening: boolean
  publish(event: Lifecycle): void
  /** Adds a listener; the returned function removes it. */
  subscribe(listener: Listener): () => void
  /**
   * Logs the report at `Error` level with the loggers of `context`: nothing dies silently. Does next to nothing when
   * these loggers would not show it. Does not touch `counters.crashes`.
   */
  crashed(report: CrashReport, context: Context.Context<never>): void
  /** Logs, likewise, that a server goes on from an older state than it had acknowledged. */
  rolledBack(rollback: Rollback, context: Context.Context<never>): void
  /** Counters, plainly incremented by the engines and read by the metrics. */
  readonly counters: Counters
}

class Sink implements Telemetry {
  listening = false
  readonly counters = makeCounters()
  /** Where it logs what is wrong with a listener: the services of the root that it was made for. */
  context: Context.Context<never> = Context.empty()
  private listeners: ReadonlyArray<Listener> = []

  publish(event: Lifecycle): void {
    for (const listener of this.listeners) this.call(listener, event)
  }

  private call(listener: Listener, event: Lifecycle): void {
    try {
      const answer: unknown = listener(event)
      // Left alone, its rejection would end the program.
      if (isInstance(answer, Promise)) answer.catch((defect) => this.remove(listener, event, defect))
    } catch (defect) {
      this.remove(listener, event, defect)
    }
  }

  private remove(listener: Listener, event: Lifecycle, defect: unknown): void {
    if (!this.listeners.includes(listener)) return
    this.leave(listener)
    logIn(
      this.context,
      Effect.logError(
        `a listener of Telemetry failed at ${event._tag} of ${pathText(event.path)}: it is removed`,
        bounded(Cause.die(defect))
      )
    )
  }

  private leave(listener: Listener): void {
    this.listeners = this.listeners.filter((other) => other !== listener)
    this.listening = this.listeners.length > 0
  }

  subscribe(listener: Listener): () => void {
    // A closure of its own per subscription, so that one function subscribed twice is told twice and leaves once a time.
    const own: Listener = (event) => listener(event)
    this.listeners = [...this.listeners, own]
    this.listening = true
    return () => this.leave(own)
  }

  crashed(report: CrashReport, context: Context.Context<never>): void {
    if (isLogging(context)) logIn(context, logReport(report))
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
      // A reason that its format hook changed is not to be seen as it is.
      report.shown?.reason === undefined ? bounded(toCause(report.reason)) : Cause.empty
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
 *
 * @since 0.1.0
 */
export const isLogging = (context: Context.Context<never>): boolean =>
  !LogLevel.isGreaterThan(Context.get(context, References.MinimumLogLevel), "Error") &&
  Context.get(context, References.CurrentLoggers).size > 0

/**
 * Makes a fresh `Telemetry` that nobody listens to and no metric reads.
 *
 * @since 0.1.0
 */
export const make = (): Telemetry => new Sink()

/**
 * The `Telemetry` that root supervisors below report to; none by default, and each root then makes its own.
 *
 * @since 0.1.0
 */
export const CurrentTelemetry: Context.Reference<Telemetry | undefined> = Context.Reference<Telemetry | undefined>(
  "heirloom/Telemetry",
  { defaultValue: () => undefined }
)

const attached = Effect.fnUntraced(function*(telemetry: Telemetry) {
  if (telemetry instanceof Sink) telemetry.context = yield* Effect.context()
  const registry = yield* Metric.MetricRegistry
  yield* Effect.acquireRelease(
    Effect.sync(() => attach(telemetry.counters, registry)),
    (detach) => Effect.sync(detach)
  )
  return telemetry
})

/**
 * The `Telemetry` of a root: that of the context, or a fresh one; its counters feed the metrics until the scope closes.
 *
 * @since 0.1.0
 */
export const root: Effect.Effect<Telemetry, never, Scope.Scope> = Effect.flatMap(
  CurrentTelemetry,
  (current) => attached(current ?? make())
)

/**
 * A fresh `Telemetry`, whatever the context has; its counters feed the metrics until the scope closes.
 *
 * @since 0.1.0
 */
export const scoped: Effect.Effect<Telemetry, never, Scope.Scope> = Effect.suspend(() => attached(make()))

/**
 * One fresh `Telemetry` for everything below: all root supervisors share it.
 *
 * **When to use**
 *
 * Provide it to an app with several roots, or to one whose events you want to see from its very first start on: take
 * `Telemetry.CurrentTelemetry` beside the app and {@link stream} it.
 *
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.effect(CurrentTelemetry, scoped)

/**
 * The events of a tree from now on, as a `Stream`.
 *
 * **Details**
 *
 * A reader that falls more than `bufferSize` events behind (default 1,024) loses the oldest; the tree never waits for it.
 * The stream does not end by itself.
 *
 * **Gotchas**
 *
 * It subscribes when it is run: what happened before is not in it.
 *
 * @since 0.1.0
 */
export const stream = (
  telemetry: Telemetry,
  options?: { readonly bufferSize?: number | undefined }
): Stream.Stream<Lifecycle> =>
  Stream.callback<Lifecycle>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => telemetry.subscribe((event) => Queue.offerUnsafe(queue, event))),
        (unsubscribe) => Effect.sync(unsubscribe)
      ),
    { bufferSize: options?.bufferSize ?? 1024, strategy: "sliding" }
  )
