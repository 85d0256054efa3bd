/**
 * Restart budgets: when a supervisor restarts a child, after how long, and when it gives up.
 *
 * A budget is any `Schedule<unknown, ExitReason>`: its input is how the child ended, its delay is waited before the
 * restart, and when it is done the supervisor gives up. The two that OTP's users reach for are here; {@link max}
 * combines them with each other and with Effect's own.
 *
 * You most likely want the default, {@link intensity} of 3 in 5 seconds. `Schedule.recurs(n)` counts for ever: a server
 * that crashes once a week is given up after `n` weeks.
 *
 * @since 0.1.0
 */
import { Cause, Duration, Effect, Exit, Random, Schedule } from "effect"
import { refuse } from "../../../domain/options/GivenOption.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import * as Backoff from "../../../domain/supervision/restart/Backoff.ts"
import * as Intensity from "../../../domain/supervision/restart/Intensity.ts"
import { plainLimit } from "./Budget.ts"

/**
 * At most `restarts` restarts within any stretch of `within`: OTP's `intensity` and `period`, as a true sliding window.
 *
 * **When to use**
 *
 * For every supervisor whose children should come back at once after a crash, and whose supervisor should hear of it
 * when that does not help.
 *
 * **Details**
 *
 * Defaults: 3 restarts within 5 seconds. No delay. A restart at exactly `now - within` still counts. The output is the
 * number of restarts that count, the one decided on included. `restarts: 0` gives up at the first crash.
 * Elapsed time is monotonic: no change of the wall clock makes the window longer or shorter.
 *
 * **Gotchas**
 *
 * It throws an `InvalidOption` at once when `restarts` is no integer of 0 or more, or `within` no finite duration above
 * 0.
 *
 * @category budgets
 * @since 0.1.0
 */
export const intensity = (options?: Intensity.Options): Schedule.Schedule<number, ExitReason> => {
  const limit = Intensity.limitOf("Restart.intensity", options)
  const schedule: Schedule.Schedule<number, ExitReason> = Schedule.fromStep(Effect.sync(() => {
    const window = new Intensity.Window(limit)
    return (now: number, _reason: ExitReason) =>
      window.allow(now)
        ? Exit.succeed<[number, Duration.Duration]>([window.size, Duration.zero])
        : Cause.done(window.size + 1)
  }))
  return Object.assign(schedule, { [plainLimit]: limit })
}

/**
 * Waits before each restart, longer and longer up to a cap; never gives up by itself.
 *
 * **When to use**
 *
 * For children that depend on something outside that may be down for a while: a database, a service, a device.
 *
 * **Details**
 *
 * Defaults: `base` 100 ms, `factor` 2, `cap` 30 seconds, `jitter` 0.2 (up to a fifth of the delay is taken off at
 * random, drawn from the `Random` of the context), `resetAfter` 1 minute (a crash that comes this long after the last
 * restart was due begins at `base` again). The output is the delay in milliseconds.
 *
 * **Gotchas**
 *
 * One supervisor has one budget: all its children share the delay. It throws an `InvalidOption` at once for options
 * that make no sense.
 *
 * @category budgets
 * @since 0.1.0
 */
export const backoff = (options?: Backoff.Options): Schedule.Schedule<number, ExitReason> => {
  const rule = Backoff.ruleOf("Restart.backoff", options)
  return Schedule.fromStep(Effect.sync(() => {
    let progress = Backoff.initial
    const step = (now: number, draw: number): [number, Duration.Duration] => {
      const [next, delay] = Backoff.step(rule, progress, now, draw)
      progress = next
      return [delay, Duration.millis(delay)]
    }
    return (now: number, _reason: ExitReason) =>
      rule.jitter === 0 ? Exit.succeed(step(now, 0)) : Effect.map(Random.next, (draw) => step(now, draw))
  }))
}

/**
 * Several budgets at once: waits the longest of their delays, and gives up as soon as one of them does.
 *
 * **When to use**
 *
 * Most often to bound a backoff:
 * `Restart.max([Restart.backoff(), Restart.intensity({ restarts: 10, within: "1 hour" })])`.
 *
 * **Gotchas**
 *
 * It is `Schedule.max`, typed for exit reasons: that one takes the intersection of all of them as its input, which is
 * none.
 *
 * @category budgets
 * @since 0.1.0
 */
export const max = (
  budgets: readonly [
    Schedule.Schedule<unknown, ExitReason>,
    ...ReadonlyArray<Schedule.Schedule<unknown, ExitReason>>
  ]
): Schedule.Schedule<Duration.Duration, ExitReason> =>
  // Every budget takes any exit reason, so what is passed on to all of them may be any.
  Schedule.max(schedulesOf(budgets)) as Schedule.Schedule<Duration.Duration, unknown> as Schedule.Schedule<
    Duration.Duration,
    ExitReason
  >

const schedulesOf = <A extends ReadonlyArray<unknown>>(budgets: A): A =>
  Array.isArray(budgets) && budgets.length > 0 && budgets.every(Schedule.isSchedule)
    ? budgets
    : refuse({ of: "Restart.max", option: "budgets", given: budgets }, "a list of Schedules, one at least")

/**
 * Gives up at the first crash.
 *
 * **When to use**
 *
 * For a supervisor that only groups its children, so that every crash is its parent's to repair; or with
 * `onGiveUp: "park"`, to have every crash looked at by a person.
 *
 * @category budgets
 * @since 0.1.0
 */
export const never: Schedule.Schedule<number, ExitReason> = intensity({ restarts: 0 })

/**
 * The default of supervisors: 3 restarts within 5 seconds.
 *
 * @category budgets
 * @since 0.1.0
 */
export const standard: Schedule.Schedule<number, ExitReason> = intensity()
