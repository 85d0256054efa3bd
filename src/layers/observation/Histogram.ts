/**
 * A histogram that is plainly counted, and read when a metric registry is asked.
 *
 * @since 0.1.0
 */
import type { Metric } from "effect"
import { recoveryBounds } from "./Metrics.ts"

/** Times, noted in milliseconds and read in seconds. */
export class Histogram {
  private readonly buckets = recoveryBounds.map(() => 0)
  private count = 0
  private sum = 0
  private min = Number.MAX_VALUE
  private max = -Number.MAX_VALUE

  note(millis: number): void {
    const seconds = millis / 1000
    const bucket = recoveryBounds.findIndex((bound) => seconds <= bound)
    this.buckets[bucket] = this.buckets[bucket]! + 1
    this.count++
    this.sum += seconds
    this.min = Math.min(this.min, seconds)
    this.max = Math.max(this.max, seconds)
  }

  get state(): Metric.HistogramState {
    const { count, max, min, sum } = this
    let cumulated = 0
    return { buckets: recoveryBounds.map((bound, i) => [bound, cumulated += this.buckets[i]!]), count, sum, min, max }
  }
}
