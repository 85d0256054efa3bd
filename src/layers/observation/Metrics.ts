/**
 * Heirloom's numbers: plain counters that the engines increment, read as Effect `Metric`s when they are asked for.
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
 * (`Metric.value(Metrics.restarts)`). They count from the moment on at which the root supervisor is built.
 *
 * @since 0.1.0
 */
import { Metric } from "effect"

/**
 * Messages taken by servers: calls and casts.
 *
 * @category metrics
 * @since 0.1.0
 */
export const messages: Metric.Counter<number> = Metric.counter("heirloom_messages_total", {
  description: "Messages taken by servers: calls and casts",
  incremental: true
})

/**
 * Incarnations that ended abnormally.
 *
 * @category metrics
 * @since 0.1.0
 */
export const crashes: Metric.Counter<number> = Metric.counter("heirloom_crashes_total", {
  description: "Incarnations that ended abnormally",
  incremental: true
})

/**
 * Incarnations started in place of one that ended.
 *
 * @category metrics
 * @since 0.1.0
 */
export const restarts: Metric.Counter<number> = Metric.counter("heirloom_restarts_total", {
  description: "Incarnations started in place of one that ended",
  incremental: true
})

/**
 * Starts from an older state than was acknowledged, or from `init` for want of one: updates were lost.
 *
 * @category metrics
 * @since 0.1.0
 */
export const rollbacks: Metric.Counter<number> = Metric.counter("heirloom_rollbacks_total", {
  description: "Starts from an older state than was acknowledged",
  incremental: true
})

/**
 * Messages waiting now, in all mailboxes.
 *
 * @category metrics
 * @since 0.1.0
 */
export const mailboxDepth: Metric.Gauge<number> = Metric.gauge("heirloom_mailbox_depth", {
  description: "Messages waiting in all mailboxes"
})

/**
 * Upper bounds of the buckets of {@link recovery}, in seconds: 1 µs to 4 minutes, each four times the last.
 *
 * @category metrics
 * @since 0.1.0
 */
export const recoveryBounds: ReadonlyArray<number> = Metric.exponentialBoundaries({
  start: 0.000_001,
  factor: 4,
  count: 16
})

/**
 * Seconds from a crash to the next incarnation being up.
 *
 * @category metrics
 * @since 0.1.0
 */
export const recovery: Metric.Histogram<number> = Metric.histogram("heirloom_recovery_seconds", {
  description: "Seconds from a crash to the next incarnation being up",
  boundaries: recoveryBounds
})

/**
 * Attempts that failed because a store was away, full or unusable; one series for each `store`.
 *
 * @category metrics
 * @since 0.1.0
 */
export const storeFailures: Metric.Counter<number> = Metric.counter("heirloom_store_failures_total", {
  description: "Attempts that failed because a state store was away, full or unusable",
  incremental: true
})

/**
 * 1 while a store is away, full or unusable, else 0; one series for each `store`.
 *
 * @category metrics
 * @since 0.1.0
 */
export const storeUnavailable: Metric.Gauge<number> = Metric.gauge("heirloom_store_unavailable", {
  description: "Whether a state store is away, full or unusable"
})
