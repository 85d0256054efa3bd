/**
 * Backoff: how long to wait before the next attempt, growing from attempt to attempt up to a cap.
 *
 * @since 0.1.0
 */
import type { Duration } from "effect"
import * as GivenOption from "../../options/GivenOption.ts"
import * as Millis from "../../options/Millis.ts"

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
 * What users say of a rule.
 *
 * @since 0.1.0
 */
export interface Options {
  /** The delay before the first restart; 100 ms by default. */
  readonly base?: Duration.Input | undefined
  /** What each further delay is multiplied by; 2 by default. */
  readonly factor?: number | undefined
  /** The longest delay; 30 seconds by default. */
  readonly cap?: Duration.Input | undefined
  /** The share of a delay that is drawn at random; 0.2 by default. */
  readonly jitter?: number | undefined
  /** A crash that comes this long after the last restart was due begins at `base` again; 1 minute by default. */
  readonly resetAfter?: Duration.Input | undefined
}

/**
 * The rule that is meant; throws `InvalidOption`, in the name of `of`, for one that makes no sense.
 *
 * @since 0.1.0
 */
export const ruleOf = (of: string, options: Options = {}): Rule => {
  GivenOption.options(of, options)
  const base = GivenOption.patience({ of, option: "base", given: options.base ?? "100 millis" })
  const given = options.cap ?? "30 seconds"
  const cap = Millis.fromDuration(given) ?? Number.NaN
  return {
    base,
    factor: GivenOption.between({ of, option: "factor", given: options.factor ?? 2 }, 1, Infinity),
    cap: cap >= base
      ? cap
      : GivenOption.refuse({ of, option: "cap", given }, `a duration that is not below base (${base} ms)`),
    jitter: GivenOption.between({ of, option: "jitter", given: options.jitter ?? 0.2 }, 0, 1),
    resetAfter: GivenOption.millis({ of, option: "resetAfter", given: options.resetAfter ?? "1 minute" })
  }
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
