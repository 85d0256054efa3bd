/**
 * Restart intensity: at most so many restarts within so much time, counted in a true sliding window.
 *
 * The window is a ring of the last `restarts` times: a decision looks at the oldest of them only, however many restarts
 * there have been. The ring is reused from decision to decision, so a window is used linearly: go on with the one that
 * `allow` answered.
 *
 * @since 0.1.0
 */

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
 * The restarts that still count.
 *
 * @since 0.1.0
 */
export interface Window {
  readonly limit: Limit
  /** Times of the last restarts; the one at `next` is the oldest once the ring is full. */
  readonly ring: Array<number>
  readonly next: number
}

/**
 * The default of every supervisor, Elixir's: 3 restarts in 5 seconds (OTP's own is 1 in 5).
 *
 * @since 0.1.0
 */
export const defaultLimit: Limit = { restarts: 3, within: 5000 }

/**
 * What is wrong with a limit, in words; `undefined` when nothing is.
 *
 * @since 0.1.0
 */
export const problem = (limit: Limit): string | undefined => {
  if (!Number.isInteger(limit.restarts) || limit.restarts < 0) {
    return `restarts must be an integer of 0 or more, got ${limit.restarts}`
  }
  if (!Number.isFinite(limit.within) || limit.within <= 0) {
    return `within must be a finite duration above 0, got ${limit.within} ms`
  }
  return undefined
}

/**
 * A window in which nothing has been restarted yet.
 *
 * @since 0.1.0
 */
export const make = (limit: Limit): Window => ({ limit, ring: [], next: 0 })

/**
 * Decides on one more restart: the window to go on with, whether it is allowed, and how many count now, this one included.
 *
 * **Details**
 *
 * A restart at exactly `now - within` still counts, as in OTP. One that is refused is not counted: it does not happen.
 *
 * @since 0.1.0
 */
export const allow = (window: Window, now: number): readonly [window: Window, allowed: boolean, count: number] => {
  const { limit, next, ring } = window
  const { restarts } = limit
  if (ring.length < restarts) {
    ring.push(now)
    return [window, true, countSince(window, now - limit.within)]
  }
  if (restarts === 0 || ring[next]! >= now - limit.within) return [window, false, restarts + 1]
  ring[next] = now
  const slid = { limit, ring, next: next + 1 === restarts ? 0 : next + 1 }
  return [slid, true, countSince(slid, now - limit.within)]
}

const countSince = (window: Window, since: number): number => {
  // Times only grow along the ring, so the ones that still count are a suffix: found by halving.
  const size = window.ring.length
  let low = 0
  let high = size - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (window.ring[(window.next + middle) % size]! >= since) high = middle
    else low = middle + 1
  }
  return size - low
}
