/**
 * What the engines count, and how the metrics read it: plain numbers, incremented in place, and asked for when a
 * registry is.
 *
 * *Tricky*: totals must never fall. When a tree ends, its totals are added to what the registry keeps, and the tree is
 * let go in the same step, so that a reader sees each message counted once and a registry holds no dead trees.
 * Attaching a tree twice to one registry counts it once, until the last attachment is given up.
 *
 * @since 0.1.0
 */
import type { Metric } from "effect"
import { Histogram } from "./Histogram.ts"
import { pull } from "./Meter.ts"
import { crashes, mailboxDepth, messages, recovery, restarts, rollbacks } from "./Metrics.ts"

/** Plain counters: one increment a message, read by {@link attach}ed metrics when they are asked for. */
export interface Counters {
  calls: number
  casts: number
  /** Incarnations that ended abnormally. The engines count them; `Telemetry.crashed` only logs. */
  crashes: number
  restarts: number
  rollbacks: number
  /** Messages waiting in all mailboxes now. */
  queued: number
  /** Notes how long, in milliseconds, it took from a crash to the next incarnation being up. */
  readonly recovered: (millis: number) => void
  /** The recoveries noted so far, in seconds. */
  readonly recoveries: () => Metric.HistogramState
}

/** Makes counters, all at zero. */
export const makeCounters = (): Counters => {
  const recoveries = new Histogram()
  return {
    calls: 0,
    casts: 0,
    crashes: 0,
    restarts: 0,
    rollbacks: 0,
    queued: 0,
    recovered: (millis) => recoveries.note(millis),
    recoveries: () => recoveries.state
  }
}

/** What one metric registry knows: the trees that report to it, and what those that ended had counted. */
interface Report {
  readonly live: Map<Counters, number>
  messages: number
  crashes: number
  restarts: number
  rollbacks: number
  recoveries: Metric.HistogramState
}

const reports = new WeakMap<Metric.MetricRegistry, Report>()

const total = (report: Report, kept: number, read: (counters: Counters) => number): number => {
  let sum = kept
  for (const counters of report.live.keys()) sum += read(counters)
  return sum
}

const mergeHistograms = (a: Metric.HistogramState, b: Metric.HistogramState): Metric.HistogramState => ({
  buckets: a.buckets.map(([bound, n], i) => [bound, n + (b.buckets[i]?.[1] ?? 0)]),
  count: a.count + b.count,
  sum: a.sum + b.sum,
  min: Math.min(a.min, b.min),
  max: Math.max(a.max, b.max)
})

const reportOf = (registry: Metric.MetricRegistry): Report => {
  const known = reports.get(registry)
  if (known !== undefined) return known
  const report: Report = {
    live: new Map(),
    messages: 0,
    crashes: 0,
    restarts: 0,
    rollbacks: 0,
    recoveries: makeCounters().recoveries()
  }
  reports.set(registry, report)
  pull(registry, messages, () => ({
    count: total(report, report.messages, (counters) => counters.calls + counters.casts),
    incremental: true
  }))
  pull(registry, crashes, () => ({
    count: total(report, report.crashes, (counters) => counters.crashes),
    incremental: true
  }))
  pull(registry, restarts, () => ({
    count: total(report, report.restarts, (counters) => counters.restarts),
    incremental: true
  }))
  pull(registry, rollbacks, () => ({
    count: total(report, report.rollbacks, (counters) => counters.rollbacks),
    incremental: true
  }))
  pull(registry, mailboxDepth, () => ({ value: total(report, 0, (counters) => counters.queued) }))
  pull(registry, recovery, () => {
    let state = report.recoveries
    for (const counters of report.live.keys()) state = mergeHistograms(state, counters.recoveries())
    return state
  })
  return report
}

/**
 * Lets the metrics of `registry` read `counters` from now on; the returned function ends it.
 *
 * **Details**
 *
 * What was counted stays in the totals after the end; the mailbox depth does not. Calling the returned function again
 * does nothing.
 *
 * @since 0.1.0
 */
export const attach = (counters: Counters, registry: Metric.MetricRegistry): () => void => {
  const report = reportOf(registry)
  report.live.set(counters, (report.live.get(counters) ?? 0) + 1)
  let attached = true
  return () => {
    if (!attached) return
    attached = false
    const others = report.live.get(counters)! - 1
    if (others > 0) {
      report.live.set(counters, others)
      return
    }
    report.live.delete(counters)
    report.messages += counters.calls + counters.casts
    report.crashes += counters.crashes
    report.restarts += counters.restarts
    report.rollbacks += counters.rollbacks
    report.recoveries = mergeHistograms(report.recoveries, counters.recoveries())
  }
}
