/**
 * Backoff: how long to wait before the next attempt, growing from attempt to attempt up to a cap.
 *
 * @since 0.1.0
 */

/**
 * The rule; times in milliseconds.
 *
 * @since 0.1.0
 */
export interface Rule {
  /** The delay before the first restart. */
  readonly base: number
  /** What each further delay is multiplied by. */
  readonly factor: number
  /** The longest delay, jitter included. */
  readonly cap: number
  /** The share of the delay that is drawn: 0 takes it whole, 1 takes anything from nothing to all of it. */
  readonly jitter: number
  /** A restart that comes this long after the one before, its delay included, begins at `base` again. */
  readonly resetAfter: number
}

/**
 * Where a backoff stands.
 *
 * @since 0.1.0
 */
export interface Progress {
  /** Attempts since it began at `base`. */
  readonly attempt: number
  /** When the last one was due. */
  readonly last: number
}

/**
 * A backoff that has not begun.
 *
 * @since 0.1.0
 */
export const initial: Progress = { attempt: 0, last: -Infinity }

/**
 * What is wrong with a rule, in words; `undefined` when nothing is.
 *
 * @since 0.1.0
 */
export const problem = (rule: Rule): string | undefined => {
  if (!(rule.base >= 0) || rule.base === Infinity) {
    return `base must be a finite duration of 0 or more, got ${rule.base} ms`
  }
  if (!(rule.factor >= 1)) return `factor must be 1 or more, got ${rule.factor}`
  if (!(rule.cap >= rule.base)) return `cap must not be below base, got ${rule.cap} ms`
  if (!(rule.jitter >= 0 && rule.jitter <= 1)) return `jitter must be between 0 and 1, got ${rule.jitter}`
  if (!(rule.resetAfter > 0)) return `resetAfter must be above 0, got ${rule.resetAfter} ms`
  return undefined
}

/**
 * The delay before attempt `attempt` (from 1); `draw` is a random number from 0 to 1.
 *
 * @since 0.1.0
 */
export const delay = (rule: Rule, attempt: number, draw: number): number => {
  // A base of 0 stays 0, also when the factor has grown to infinity.
  const whole = rule.base === 0 ? 0 : Math.min(rule.cap, rule.base * rule.factor ** (attempt - 1))
  return whole * (1 - rule.jitter * draw)
}

/**
 * One more attempt, wanted at `now`: where the backoff stands then, and how long to wait.
 *
 * @since 0.1.0
 */
export const step = (
  rule: Rule,
  progress: Progress,
  now: number,
  draw: number
): readonly [progress: Progress, delay: number] => {
  const attempt = now - progress.last >= rule.resetAfter ? 1 : progress.attempt + 1
  const wait = delay(rule, attempt, draw)
  return [{ attempt, last: now + wait }, wait]
}
