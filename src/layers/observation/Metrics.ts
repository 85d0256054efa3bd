/**
 * Heirloom's numbers: plain counters that the engines increment, read as Effect `Metric`s when they are asked for.
 *
 * A metric that is *pushed* costs some hundred nanoseconds an update, as much as a call to a server. Here a message
 * costs one increment of a field, and `Metric.snapshot`, `Metric.value` or an exporter *pulls*: the series in the
 * metric registry read the counters of every tree attached to it.
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
 * | `heirloom_store_outages_total` | counter, by `store` | how often that has begun |
 *
 * The last three are pushed, since a failure is rare: by each store that a `StateContainer.layerStore` uses, under its
 * name.
 *
 * By class, where `Telemetry.byClass` asks for it; `server` is the class's id, `message` the tag:
 *
 * | series | kind | what it says |
 * |---|---|---|
 * | `heirloom_server_messages_total` | counter, by `server`, `message`, `outcome` | messages: `handled`, `failed` (a typed failure), `crashed` |
 * | `heirloom_handler_seconds` | histogram, by `server`, `message` | how long handlers took |
 * | `heirloom_mailbox_seconds` | histogram, by `server` | how long messages waited that had to |
 * | `heirloom_commit_seconds` | histogram, by `server` | over a store: from a commit until it is stored and its answer given |
 * | `heirloom_first_reply_seconds` | histogram, by `server` | from a crash to the next message that is handled |
 * | `heirloom_server_crashes_total`, `heirloom_server_restarts_total` | counter, by `server` | crashes; incarnations that were followed by another |
 * | `heirloom_server_mailbox_depth` | gauge, by `server` | messages waiting now |
 * | `heirloom_servers_live`, `heirloom_servers_hibernating` | gauge, by `server` | servers in memory; those of them whose state has left it |
 * | `heirloom_messages_quarantined` | gauge, by `server` | messages in quarantine now |
 *
 * You do not need this module to see the metrics: a root supervisor attaches its tree by itself. Use it to name a
 * series (`Metric.value(Metrics.restarts)`). They count from the moment on at which the root supervisor is built.
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

/**
 * How often a store was found away, full or unusable; one series for each `store`.
 *
 * @category metrics
 * @since 0.1.0
 */
export const storeOutages: Metric.Counter<number> = Metric.counter("heirloom_store_outages_total", {
  description: "How often a state store was found away, full or unusable",
  incremental: true
})

/**
 * Messages of a class by tag and outcome.
 *
 * @category metrics by class
 * @since 0.1.0
 */
export const classMessages: Metric.Counter<number> = Metric.counter("heirloom_server_messages_total", {
  description: "Messages by server class, tag and outcome",
  incremental: true
})

/**
 * Seconds that handlers took.
 *
 * @category metrics by class
 * @since 0.1.0
 */
export const handlerTime: Metric.Histogram<number> = Metric.histogram("heirloom_handler_seconds", {
  description: "Seconds that handlers took",
  boundaries: recoveryBounds
})

/**
 * Seconds that messages waited in a mailbox: those that had to.
 *
 * @category metrics by class
 * @since 0.1.0
 */
export const mailboxTime: Metric.Histogram<number> = Metric.histogram("heirloom_mailbox_seconds", {
  description: "Seconds that messages waited in a mailbox",
  boundaries: recoveryBounds
})

/**
 * Seconds from a commit until it is stored, of those whose answer waits for that.
 *
 * @category metrics by class
 * @since 0.1.0
 */
export const commitTime: Metric.Histogram<number> = Metric.histogram("heirloom_commit_seconds", {
  description: "Seconds from a commit until it is stored",
  boundaries: recoveryBounds
})

/**
 * Seconds from a crash to the next message that is handled.
 *
 * @category metrics by class
 * @since 0.1.0
 */
export const firstReplyTime: Metric.Histogram<number> = Metric.histogram("heirloom_first_reply_seconds", {
  description: "Seconds from a crash to the next message that is handled",
  boundaries: recoveryBounds
})

/**
 * Incarnations of a class that crashed.
 *
 * @category metrics by class
 * @since 0.1.0
 */
export const classCrashes: Metric.Counter<number> = Metric.counter("heirloom_server_crashes_total", {
  description: "Incarnations of a server class that crashed",
  incremental: true
})

/**
 * Incarnations of a class that ended and were followed by another.
 *
 * @category metrics by class
 * @since 0.1.0
 */
export const classRestarts: Metric.Counter<number> = Metric.counter("heirloom_server_restarts_total", {
  description: "Incarnations of a server class that were followed by another",
  incremental: true
})

/**
 * Messages waiting now in the mailboxes of a class.
 *
 * @category metrics by class
 * @since 0.1.0
 */
export const classDepth: Metric.Gauge<number> = Metric.gauge("heirloom_server_mailbox_depth", {
  description: "Messages waiting in the mailboxes of a server class"
})

/**
 * Servers of a class in memory.
 *
 * @category metrics by class
 * @since 0.1.0
 */
export const live: Metric.Gauge<number> = Metric.gauge("heirloom_servers_live", {
  description: "Servers of a class in memory"
})

/**
 * Servers of a class whose state has left memory.
 *
 * @category metrics by class
 * @since 0.1.0
 */
export const hibernating: Metric.Gauge<number> = Metric.gauge("heirloom_servers_hibernating", {
  description: "Servers of a class whose state has left memory"
})

/**
 * Messages of a class in quarantine now.
 *
 * @category metrics by class
 * @since 0.1.0
 */
export const quarantined: Metric.Gauge<number> = Metric.gauge("heirloom_messages_quarantined", {
  description: "Messages of a server class in quarantine"
})
