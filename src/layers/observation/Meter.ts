/**
 * What is counted of each class of servers, where that is asked for (`Metrics.layer`): plain numbers, read when a
 * registry is.
 *
 * A class has one of these in each registry, however many trees have servers of it, and it stays: totals never fall.
 *
 * *Tricky*: a class is counted in its behaviour, its mailboxes and at the crash of a server, each of which is made
 * otherwise where nothing is counted. So the engine asks for nothing on a message's way.
 *
 * @since 0.1.0
 */
import { Context, Metric } from "effect"
import { Histogram } from "./Histogram.ts"
import * as Metrics from "./Metrics.ts"

/** How the handling of a message ended. */
export type Outcome = "handled" | "failed" | "crashed"

/** What there is of a class now. */
export interface Gauges {
  readonly live: number
  readonly hibernating: number
  readonly queued: number
  readonly quarantined: number
}

type Read = () => Gauges

/** Code of the app's own failed: what follows, and why. Each is logged once. */
type Failed = (what: string, defect: unknown) => void

const ignore = () => {}

/** Puts a series into the registry whose state is read by `get`. */
export const pull = <State>(
  registry: Metric.MetricRegistry,
  metric: Metric.Metric<number, State>,
  get: () => State
): void =>
  void Metric.registerUnsafe(metric, Context.make(Metric.MetricRegistry, registry), {
    get,
    update: ignore,
    modify: ignore
  })

/** The messages of one tag. */
export class TagMeter {
  readonly counts: Record<Outcome, number> = { handled: 0, failed: 0, crashed: 0 }
  readonly time = new Histogram()

  note(outcome: Outcome, millis: number): void {
    this.counts[outcome]++
    this.time.note(millis)
  }
}

/** What is counted of one class. */
export class ClassMeter {
  readonly id: string
  readonly waited = new Histogram()
  readonly stored = new Histogram()
  readonly firstReply = new Histogram()
  crashes = 0
  restarts = 0
  private readonly registry: Metric.MetricRegistry
  private readonly failed: Failed
  private readonly tags = new Map<string, TagMeter>()
  /** What says how many there are now, by what it belongs to: that may be gone. */
  private readers: ReadonlyArray<WeakRef<object>> = []
  private readonly reads = new WeakMap<object, Read>()
  /** When servers crashed that have not answered since. */
  private readonly crashed = new WeakMap<object, number>()

  constructor(registry: Metric.MetricRegistry, id: string, failed: Failed) {
    this.registry = registry
    this.id = id
    this.failed = failed
    const labels = { server: id }
    const histogram = (metric: Metric.Histogram<number>, of: Histogram) =>
      this.show(Metric.withAttributes(metric, labels), () => of.state)
    histogram(Metrics.mailboxTime, this.waited)
    histogram(Metrics.commitTime, this.stored)
    histogram(Metrics.firstReplyTime, this.firstReply)
    const counter = (metric: Metric.Counter<number>, get: () => number) =>
      this.show(Metric.withAttributes(metric, labels), () => ({ count: get(), incremental: true }))
    counter(Metrics.classCrashes, () => this.crashes)
    counter(Metrics.classRestarts, () => this.restarts)
    const gauge = (metric: Metric.Gauge<number>, part: keyof Gauges) =>
      this.show(Metric.withAttributes(metric, labels), () => ({ value: this.sum(part) }))
    gauge(Metrics.live, "live")
    gauge(Metrics.hibernating, "hibernating")
    gauge(Metrics.classDepth, "queued")
    gauge(Metrics.quarantined, "quarantined")
  }

  /** A registry is the app's own: one that throws shows less, and that is all. */
  private show<State>(metric: Metric.Metric<number, State>, get: () => State): void {
    try {
      pull(this.registry, metric, get)
    } catch (defect) {
      this.failed("a metric registry failed: not all is counted in it", defect)
    }
  }

  /** A tracer is the app's own, too: it failed, and the message has no span. */
  untraced(defect: unknown): void {
    this.failed("a tracer failed: not all messages have a span", defect)
  }

  /** The messages of a tag; its series are there from the first time on. */
  message(tag: string): TagMeter {
    const known = this.tags.get(tag)
    if (known !== undefined) return known
    const made = new TagMeter()
    this.tags.set(tag, made)
    const labels = { server: this.id, message: tag }
    for (const outcome of ["handled", "failed", "crashed"] as const) {
      this.show(Metric.withAttributes(Metrics.classMessages, { ...labels, outcome }), () => ({
        count: made.counts[outcome],
        incremental: true
      }))
    }
    this.show(Metric.withAttributes(Metrics.handlerTime, labels), () => made.time.state)
    return made
  }

  /** Has the gauges ask what belongs to `owner`, as long as that is there. */
  counts(owner: object, read: Read): void {
    if (this.reads.has(owner)) return
    this.reads.set(owner, read)
    this.readers = [...this.readers.filter((ref) => ref.deref() !== undefined), new WeakRef(owner)]
  }

  private sum(part: keyof Gauges): number {
    let sum = 0
    for (const ref of this.readers) {
      const owner = ref.deref()
      if (owner !== undefined) sum += this.reads.get(owner)?.()[part] ?? 0
    }
    return sum
  }

  /** A server has ended, and it is decided what becomes of it. */
  settled(server: object, isCrash: boolean, isRestarted: boolean, instant: number): void {
    if (isRestarted) this.restarts++
    if (!isCrash) return
    this.crashes++
    if (isRestarted && !this.crashed.has(server)) this.crashed.set(server, instant)
  }

  /** A server has handled a message. */
  handled(server: object, instant: number): void {
    const since = this.crashed.get(server)
    if (since === undefined) return
    this.crashed.delete(server)
    this.firstReply.note(instant - since)
  }
}

/** What counts the classes of one registry. */
export class Meter {
  /** Whether each message is a span, too. */
  readonly hasSpans: boolean
  private readonly registry: Metric.MetricRegistry
  private readonly failed: Failed

  constructor(registry: Metric.MetricRegistry, hasSpans: boolean, failed: Failed) {
    this.registry = registry
    this.hasSpans = hasSpans
    const logged = new Set<string>()
    this.failed = (what, defect) => {
      if (!logged.has(what)) failed(what, defect)
      logged.add(what)
    }
  }

  /** A registry counts a class once, for whatever it is counted. */
  of(id: string): ClassMeter {
    const classes = known.get(this.registry) ?? new Map<string, ClassMeter>()
    known.set(this.registry, classes)
    const meter = classes.get(id) ?? new ClassMeter(this.registry, id, this.failed)
    classes.set(id, meter)
    return meter
  }
}

const known = new WeakMap<Metric.MetricRegistry, Map<string, ClassMeter>>()

/** What counts the classes of servers below; absent, and nothing is counted. */
export const CurrentMeter: Context.Reference<Meter | undefined> = Context.Reference<Meter | undefined>(
  "heirloom/Meter",
  { defaultValue: () => undefined }
)
