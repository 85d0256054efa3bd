/**
 * Crashes, and how long it took to be back: a fold of lifecycle events with the moments at which they came. Pure.
 */
import { type Lifecycle, pathText } from "../../domain/observation/Lifecycle.ts"
import { isOrderly } from "../../domain/process/ExitReason.ts"

/** An event, and when it came, in nanoseconds of a clock that is never put back. */
export type Timed = readonly [event: Lifecycle, nanos: bigint]

export interface Outages {
  /** Incarnations that ended abnormally, the container's included. */
  readonly crashes: number
  /** Incarnations that came up in place of one that ended. */
  readonly restarts: number
  /** From the end of an incarnation to the next one being up, in microseconds, shortest first. */
  readonly recoverMicros: ReadonlyArray<number>
}

export const fromEvents = (events: Iterable<Timed>): Outages => {
  const downSince = new Map<string, bigint>()
  const recoverMicros: Array<number> = []
  let crashes = 0
  let restarts = 0
  for (const [event, nanos] of events) {
    const process = pathText(event.path)
    if (event._tag === "Exited" && !isOrderly(event.reason)) {
      crashes++
      downSince.set(process, nanos)
    }
    if (event._tag !== "Started" || event.incarnation === 1) continue
    restarts++
    const since = downSince.get(process)
    downSince.delete(process)
    if (since !== undefined) recoverMicros.push(Number(nanos - since) / 1000)
  }
  return { crashes, restarts, recoverMicros: recoverMicros.sort((a, b) => a - b) }
}

/** The middle one of sorted numbers; `null` of none. */
export const median = (sorted: ReadonlyArray<number>): number | null => {
  if (sorted.length === 0) return null
  const half = sorted.length / 2
  const upper = sorted[Math.floor(half)]!
  return Number.isInteger(half) ? (sorted[half - 1]! + upper) / 2 : upper
}

/** The last one of sorted numbers; `null` of none. */
export const longest = (sorted: ReadonlyArray<number>): number | null => sorted.at(-1) ?? null
