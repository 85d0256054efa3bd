/**
 * Restart intensity: at most so many restarts within so much time, counted in a true sliding window.
 *
 * The window is a queue of the times that still count, as two linked lists: new times are pushed on `back`, expired ones
 * are popped off `front`, which is `back` reversed whenever it runs out. So a decision costs the same however many restarts
 * there have been (OTP walks the list of all of them), and the window stays a value.
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

interface Times {
  readonly time: number
  readonly next: Times | undefined
}

/**
 * The restarts that still counted at the last decision.
 *
 * @since 0.1.0
 */
export interface Window {
  readonly limit: Limit
  /** Oldest first. */
  readonly front: Times | undefined
  /** Newest first; all of them newer than those in `front`. */
  readonly back: Times | undefined
  readonly size: number
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
export const make = (limit: Limit): Window => ({ limit, front: undefined, back: undefined, size: 0 })

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
  const { limit } = window
  const since = now - limit.within
  let { back, front, size } = window
  for (;;) {
    if (front === undefined) {
      for (; back !== undefined; back = back.next) front = { time: back.time, next: front }
    }
    if (front === undefined || front.time >= since) break
    front = front.next
    size--
  }
  if (size >= limit.restarts) return [{ limit, front, back, size }, false, size + 1]
  return [{ limit, front, back: { time: now, next: back }, size: size + 1 }, true, size + 1]
}
