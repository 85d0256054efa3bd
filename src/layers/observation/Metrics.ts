/**
 * Heirloom's numbers: plain counters that the engines increment, read as Effect `Metric`s when somebody asks.
 *
 * A metric that is *pushed* costs some hundred nanoseconds an update, as much as a call to a server. Here a message costs
 * one increment of a field, and `Metric.snapshot`, `Metric.value` or an exporter *pulls*: the series in the metric
 * registry read the counters of every tree attached to it.
 *
 * | series | kind | what it says |
 * |---|---|---|
 * | `heirloom_messages_total` | counter | messages taken by servers: calls and casts |
 * | `heirloom_crashes_total` | counter | incarnations that ended abnormally |
 * | `heirloom_restarts_total` | counter | incarnations started in place of one that ended |
 * | `heirloom_rollbacks_total` | counter | starts from an older state than was acknowledged, or from `init` for want of one |
 * | `heirloom_mailbox_depth` | gauge | messages waiting now, in all mailboxes |
 * | `heirloom_recovery_seconds` | histogram | from a crash to the next incarnation being up |
 * | `heirloom_store_failures_total` | counter, by `store` | attempts that failed because the store was away, full or unusable |
 * | `heirloom_store_unavailable` | gauge, by `store` | 1 from such a failure on until the store answers again, else 0 |
 *
 * The last two are pushed, since a failure is rare: by each store that a `StateContainer.layerStore` uses, under its name.
 *
 * You do not need this module to see the metrics: a root supervisor attaches its tree by itself. Use it to name a series
 * (`Metric.value(Metrics.restarts)`) or to report a `Telemetry` into a registry of your own.
 *
 * *Tricky*: totals must never fall. When a tree ends, its totals are added to what the registry keeps, and the tree is let
 * go in the same step, so that a reader sees each message counted once and a registry holds no dead trees. Attaching a
 * tree twice to one registry counts it once, until the last attachment is given up.
 *
 * @since 0.1.0
 */
import { Context, Metric } from "effect"

/** Plain counters: one increment a message, read by {@link attach}ed metrics when somebody asks. */
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

/** Messages taken by servers: calls and casts. */
export const messages: Metric.Counter<number> = Metric.counter("heirloom_messages_total", {
  description: "Messages taken by servers: calls and casts",
  incremental: true
})

/** Incarnations that ended abnormally. */
export const crashes: Metric.Counter<number> = Metric.counter("heirloom_crashes_total", {
  description: "Incarnations that ended abnormally",
  incremental: true
})

/** Incarnations started in place of one that ended. */
export const restarts: Metric.Counter<number> = Metric.counter("heirloom_restarts_total", {
  description: "Incarnations started in place of one that ended",
  incremental: true
})

/** Starts from an older state than was acknowledged, or from `init` for want of one: updates were lost. */
export const rollbacks: Metric.Counter<number> = Metric.counter("heirloom_rollbacks_total", {
  description: "Starts from an older state than was acknowledged",
  incremental: true
})

/** Messages waiting now, in all mailboxes. */
export const mailboxDepth: Metric.Gauge<number> = Metric.gauge("heirloom_mailbox_depth", {
  description: "Messages waiting in all mailboxes"
})

/** Upper bounds of the buckets of {@link recovery}, in seconds: 1 µs to 4 minutes, each four times the last. */
export const recoveryBounds: ReadonlyArray<number> = Metric.exponentialBoundaries({
  start: 0.000_001,
  factor: 4,
  count: 16
})

/** Seconds from a crash to the next incarnation being up. */
export const recovery: Metric.Histogram<number> = Metric.histogram("heirloom_recovery_seconds", {
  description: "Seconds from a crash to the next incarnation being up",
  boundaries: recoveryBounds
})

/** Attempts that failed because a store was away, full or unusable; one series for each `store`. */
export const storeFailures: Metric.Counter<number> = Metric.counter("heirloom_store_failures_total", {
  description: "Attempts that failed because a state store was away, full or unusable",
  incremental: true
})

/** 1 while a store is away, full or unusable, else 0; one series for each `store`. */
export const storeUnavailable: Metric.Gauge<number> = Metric.gauge("heirloom_store_unavailable", {
  description: "Whether a state store is away, full or unusable"
})

/** Makes counters, all at zero. */
export const makeCounters = (): Counters => {
  const buckets = recoveryBounds.map(() => 0)
  let count = 0
  let sum = 0
  let min = Number.MAX_VALUE
  let max = -Number.MAX_VALUE
  return {
    calls: 0,
    casts: 0,
    crashes: 0,
    restarts: 0,
    rollbacks: 0,
    queued: 0,
    recovered: (millis) => {
      const seconds = millis / 1000
      const bucket = recoveryBounds.findIndex((bound) => seconds <= bound)
      buckets[bucket] = buckets[bucket]! + 1
      count++
      sum += seconds
      min = Math.min(min, seconds)
      max = Math.max(max, seconds)
    },
    recoveries: () => {
      let cumulated = 0
      return { buckets: recoveryBounds.map((bound, i) => [bound, cumulated += buckets[i]!]), count, sum, min, max }
    }
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

const ignore = () => {}

/** Puts a series into the registry whose state is read by `get`, under the key that the metric itself would use. */
const pull = <State>(registry: Metric.MetricRegistry, metric: Metric.Metric<number, State>, get: () => State): void => {
  const probe: Metric.MetricRegistry = new Map()
  metric.valueUnsafe(Context.make(Metric.MetricRegistry, probe))
  for (const [key, metadata] of probe) {
    registry.set(key, { ...metadata, hooks: { get, update: ignore, modify: ignore } })
  }
}

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
