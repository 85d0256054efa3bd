/**
 * Restart intensity: at most so many restarts within so much time, counted in a true sliding window.
 *
 * The window is a ring of the times that still count. A decision costs the same however many restarts there have been
 * (OTP walks the list of all of them), and leaves nothing to the collector: a budget of many restarts a second keeps
 * that many times, and as list cells every one of them would be copied by it.
 *
 * @since 0.1.0
 */
import type { Duration } from "effect"
import * as GivenOption from "../../options/GivenOption.ts"

/**
 * The limit: at most `restarts` within `within` milliseconds.
 *
 * @since 0.1.0
 */
export interface Limit {
  readonly restarts: number
  readonly within: number
}

/**
 * The default of every supervisor, Elixir's: 3 restarts in 5 seconds (OTP's own is 1 in 5).
 *
 * @since 0.1.0
 */
export const defaultLimit: Limit = { restarts: 3, within: 5000 }

/**
 * What users say of a limit.
 *
 * @since 0.1.0
 */
export interface Options {
  /** How many restarts; 3 by default. */
  readonly restarts?: number | undefined
  /** Within how long; 5 seconds by default. */
  readonly within?: Duration.Input | undefined
}

/**
 * The limit that is meant; throws `InvalidOption`, in the name of `of`, for one that makes no sense.
 *
 * @since 0.1.0
 */
export const limitOf = (of: string, given: Options = {}): Limit => {
  const options = GivenOption.options(of, given)
  return {
    restarts: GivenOption.integer({ of, option: "restarts", given: options.restarts ?? defaultLimit.restarts }, 0),
    within: GivenOption.period({ of, option: "within", given: options.within ?? defaultLimit.within })
  }
}

/**
 * What of a budget is used: of a limit, the restarts that count now; of any other Schedule only that it is one.
 *
 * @category models
 * @since 0.1.0
 */
export type Usage =
  | { readonly _tag: "Intensity"; readonly used: number; readonly restarts: number; readonly within: number }
  | { readonly _tag: "Schedule" }

/**
 * The restarts that still counted at the last decision.
 *
 * @since 0.1.0
 */
export class Window {
  private readonly limit: Limit
  // Its length is a power of two, so that an index wraps around by a mask.
  private times = none
  private oldest = 0
  /** How many count. */
  size = 0

  constructor(limit: Limit) {
    this.limit = limit
  }

  /**
   * Decides on one more restart.
   *
   * **Details**
   *
   * A restart at exactly `now - within` still counts, as in OTP. One that is refused is not counted: it does not
   * happen.
   *
   * @since 0.1.0
   */
  allow(now: number): boolean {
    const since = now - this.limit.within
    while (this.size > 0 && this.times[this.oldest]! < since) {
      this.oldest = (this.oldest + 1) & (this.times.length - 1)
      this.size--
    }
    if (this.size >= this.limit.restarts) return false
    if (this.size === this.times.length) this.resize(Math.max(smallest, this.size * 2))
    else if (this.size === 0 && this.times.length > largeEmpty) this.resize(smallest)
    this.times[(this.oldest + this.size++) & (this.times.length - 1)] = now
    return true
  }

  /**
   * How many count at this time; the window is left as it is.
   *
   * @since 0.1.0
   */
  used(now: number): number {
    const since = now - this.limit.within
    let past = 0
    while (past < this.size && this.times[(this.oldest + past) & (this.times.length - 1)]! < since) past++
    return this.size - past
  }

  private resize(length: number): void {
    const times = new Float64Array(length)
    for (let i = 0; i < this.size; i++) times[i] = this.times[(this.oldest + i) & (this.times.length - 1)]!
    this.times = times
    this.oldest = 0
  }
}

// Most supervisors never restart anything: the first restart makes the ring.
const none = new Float64Array(0)
const smallest = 4
/** What an empty window may go on holding. */
const largeEmpty = 1024
