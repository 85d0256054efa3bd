/**
 * Where the engines tell what happens: lifecycle events, crash reports and counters.
 *
 * A root supervisor takes the `Telemetry` of its context, or makes one; everything below it shares that one. Engines ask
 * `listening` before they build an event, so that a million starts nobody watches build none.
 *
 * @since 0.1.0
 */
import { Context } from "effect"
import type { CrashReport } from "../../domain/observation/CrashReport.ts"
import type { Lifecycle } from "../../domain/observation/Lifecycle.ts"

/** Told of every event, synchronously, in the stack of whoever caused it: must not throw and must only enqueue. */
export type Listener = (event: Lifecycle) => void

/** The sink that a supervision tree reports to. */
export interface Telemetry {
  /** Whether anybody listens to events. */
  readonly listening: boolean
  publish(event: Lifecycle): void
  subscribe(listener: Listener): () => void
  /** Logs the report with the loggers of `context` (nothing dies silently). */
  crashed(report: CrashReport, context: Context.Context<never>): void
  /** Counters, plainly incremented by the engines and read by the metrics. */
  readonly counters: Counters
}

/** Plain counters: one increment a message, read by `Metric`s when somebody asks. */
export interface Counters {
  calls: number
  casts: number
  crashes: number
  restarts: number
  /** Messages waiting in all mailboxes now. */
  queued: number
  /** Milliseconds from a crash to the next incarnation being up. */
  readonly recovered: (millis: number) => void
}
