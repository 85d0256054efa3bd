/**
 * Watching supervision trees: the events of their life, as they happen.
 *
 * A root supervisor takes the `Telemetry` of its context ({@link CurrentTelemetry}), or makes one; everything below it
 * shares that one. You do not need this module to have crashes logged or metrics counted: that happens by itself. Use
 * it to watch a tree live ({@link stream}, {@link reports}) or to have several trees report to one place
 * ({@link layer}). A supervisor's own `events` are those of its subtree.
 *
 * *Tricky*: a listener runs inside the stack of the engine that caused the event, so it must only enqueue;
 * {@link stream} does, and slides rather than wait for a slow reader.
 *
 * @since 0.1.0
 */
import { Cause, type Context, Effect, Layer, Metric, Predicate, Queue, type Scope, Stream } from "effect"
import type { CrashReport } from "../../domain/observation/CrashReport.ts"
import type { Lifecycle } from "../../domain/observation/Lifecycle.ts"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import { bounded } from "../../domain/text/ForeignCause.ts"
import { CurrentMeter, Meter } from "./Meter.ts"
import { logIn } from "./SafeLog.ts"
import { CurrentSink, make as makeSink, scoped as scopedSink, type Telemetry } from "./Sink.ts"

export type { Listener, ReportListener, Telemetry } from "./Sink.ts"

/**
 * Makes a fresh `Telemetry` that nothing listens to and no metric reads.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: () => Telemetry = makeSink

/**
 * The `Telemetry` that root supervisors below report to; none by default, and each root then makes its own.
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentTelemetry: Context.Reference<Telemetry | undefined> =
  // Each `Telemetry` is made here, and is a sink.
  CurrentSink as Context.Reference<any> as Context.Reference<Telemetry | undefined>

/**
 * A fresh `Telemetry`, whatever the context has; its counters feed the metrics until the scope closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const scoped: Effect.Effect<Telemetry, never, Scope.Scope> = scopedSink

/**
 * One fresh `Telemetry` for everything below: all root supervisors share it.
 *
 * **When to use**
 *
 * Provide it to an app with several roots, or to one whose events you want to see from its very first start on: take
 * `Telemetry.CurrentTelemetry` beside the app and {@link stream} it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.effect(CurrentSink, scopedSink)

/**
 * What there is beside the metrics of each class of servers.
 *
 * @category options
 * @since 0.1.0
 */
export interface ByClassOptions {
  /** Whether each message is a span of its own; false by default. */
  readonly spans?: boolean | undefined
}

/**
 * Counts the messages, times and crashes of each class of servers below, in the metric registry of the context: the
 * series are listed in `Metrics`.
 *
 * **When to use**
 *
 * Provide it to an app whose classes are to be seen apart. Without it a message costs nothing for this; with it about
 * as much again as a call to a plain handler does, and with `spans` the price of a span, which is many times that.
 *
 * **Details**
 *
 * With `spans` each message is handled in a span `app/Counter.Add`, below the span of its sender, if it has one; a
 * handler that is a plain function is then run as an Effect.
 *
 * **Gotchas**
 *
 * The gauges look at every server of their class when they are read.
 *
 * @category layers
 * @since 0.1.0
 */
export const byClass = (options?: ByClassOptions): Layer.Layer<never> =>
  Layer.effect(
    CurrentMeter,
    Effect.contextWith((context: Context.Context<never>) => {
      const failed = (what: string, defect: unknown) =>
        logIn(context, Effect.logError(what, bounded(Cause.die(defect))))
      return Effect.map(Metric.MetricRegistry, (registry) => new Meter(registry, options?.spans === true, failed))
    })
  )

/**
 * The events of a tree from now on, as a `Stream`.
 *
 * **Details**
 *
 * A reader that falls more than `bufferSize` events behind (default 1,024) loses the oldest; the tree never waits for
 * it. The stream does not end by itself.
 *
 * **Gotchas**
 *
 * It subscribes when it is run: what happened before is not in it.
 *
 * @category streams
 * @since 0.1.0
 */
export const stream = (
  telemetry: Telemetry,
  options?: { readonly bufferSize?: number | undefined }
): Stream.Stream<Lifecycle> =>
  heard((listener) => telemetryOf("Telemetry.stream", telemetry).subscribe(listener), options)

/**
 * The crash reports of a tree from now on, as a `Stream`: what the log shows of each crash, as a value.
 *
 * **Details**
 *
 * Also those that no logger shows. A state is in it as the behaviour's `formatStatus` leaves it, or not at all. It is
 * as patient with slow readers as {@link stream}.
 *
 * @category streams
 * @since 0.1.0
 */
export const reports = (
  telemetry: Telemetry,
  options?: { readonly bufferSize?: number | undefined }
): Stream.Stream<CrashReport> =>
  heard((listener) => telemetryOf("Telemetry.reports", telemetry).subscribeReports(listener), options)

const telemetryOf = (of: string, telemetry: Telemetry): Telemetry =>
  Predicate.hasProperty(telemetry, "subscribeReports")
    ? telemetry
    : GivenOption.refuse({ of, option: "telemetry", given: telemetry }, "a Telemetry")

const heard = <A>(
  subscribe: (listener: (one: A) => void) => () => void,
  options: { readonly bufferSize?: number | undefined } | undefined
): Stream.Stream<A> =>
  Stream.callback<A>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => subscribe((one) => Queue.offerUnsafe(queue, one))),
        (unsubscribe) => Effect.sync(unsubscribe)
      ),
    { bufferSize: options?.bufferSize ?? 1024, strategy: "sliding" }
  )
