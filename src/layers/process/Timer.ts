/**
 * Time that passes: how much has passed, and acting when enough has.
 *
 * Elapsed time is monotonic, so that no change of the wall clock makes a timeout longer or a window shorter. It comes
 * from the context's Clock, so that a test's virtual time drives it. Read the wall clock (`currentTimeMillisUnsafe`)
 * only where a date is meant: in events, reports and stored records.
 *
 * @since 0.1.0
 */
import { type Cause, Clock, Context, Duration, Effect, Pull, Schedule } from "effect"
import { type Given, refuse } from "../../domain/options/GivenOption.ts"
import { ask } from "../../domain/text/ForeignText.ts"
import * as Turn from "./Turn.ts"

/** Milliseconds of monotonic time, with a fraction: restarting takes microseconds. */
export const instantOf = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

const origins = new WeakMap<Clock.Clock, number>()

/**
 * A date that does not jump as long as the process lives: what the wall clock said when this was asked first, and the
 * time since then. For stored records that age.
 */
export const steadyDateOf = (clock: Clock.Clock): number => {
  let origin = origins.get(clock)
  if (origin === undefined) origins.set(clock, origin = clock.currentTimeMillisUnsafe() - instantOf(clock))
  return Math.round(origin + instantOf(clock))
}

/**
 * The same clock with dates that do not jump, for code of others that measures elapsed time by the wall clock: what
 * that said when this was made, and the time since then.
 */
export const steadyClock = (clock: Clock.Clock): Clock.Clock => {
  const origin = BigInt(clock.currentTimeMillisUnsafe()) * 1_000_000n - clock.monotonicTimeNanosUnsafe()
  const nanos = () => origin + clock.monotonicTimeNanosUnsafe()
  const millis = () => Number(nanos() / 1_000_000n)
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }
}

/**
 * The same Schedule by monotonic time, for those that drive it by the wall clock, as `Effect.retry` does: it is given
 * the date at which it began, and what has passed since.
 */
export const steady = <Output, Input, Error, R>(
  schedule: Schedule.Schedule<Output, Input, Error, R>
): Schedule.Schedule<Output, Input, Error, R> =>
  Schedule.fromStep(Effect.flatMap(Clock.Clock, (clock) => {
    const origin = clock.currentTimeMillisUnsafe() - instantOf(clock)
    return Effect.map(
      Schedule.toStep(schedule),
      (step) => (_now: number, input: Input) => step(origin + instantOf(clock), input)
    )
  }))

/**
 * Calls `f` once, after so many milliseconds, as a hand-off of its own. The returned function cancels that; afterwards,
 * or a second time, it does nothing.
 */
export const after = (context: Context.Context<never>, millis: number, f: () => void): () => void => {
  if (millis === Infinity) return never
  const sleeper = Effect.runForkWith(context)(Effect.sleep(millis))
  sleeper.addObserver((exit) => {
    if (exit._tag === "Success") Turn.run(f)
  })
  return () => sleeper.interruptUnsafe()
}

const never = () => {}

/** Something under way that a {@link Watch} looks after. */
export interface Watched {
  readonly since: number
  readonly onLong: () => void
}

/**
 * Looks after what is under way, and says of each that takes so many milliseconds that it does. One timer is for all:
 * what is done a thousand times a second costs no timer each time.
 *
 * *Tricky*: the timer outlives what it was set for. It ends when {@link Watch.rest} finds nothing under way, and with
 * {@link Watch.stop}.
 */
export class Watch {
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock
  private readonly millis: number
  /** Those of which nothing was said yet, the oldest first. */
  private readonly underWay = new Set<Watched>()
  private cancel: (() => void) | undefined = undefined

  constructor(context: Context.Context<never>, millis: number) {
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
    this.millis = millis
  }

  begin(onLong: () => void): Watched {
    const one = { since: instantOf(this.clock), onLong }
    this.underWay.add(one)
    if (this.cancel === undefined) this.look(one, this.millis)
    return one
  }

  end(one: Watched): void {
    this.underWay.delete(one)
  }

  /** Nothing is begun for a while. */
  rest(): void {
    if (this.underWay.size === 0) this.stop()
  }

  /** Nothing is said any more of what is under way. */
  stop(): void {
    this.underWay.clear()
    this.cancel?.()
    this.cancel = undefined
  }

  /** Looks again when one of them has taken so long. */
  private look(at: Watched, wait: number): void {
    this.cancel = after(this.context, wait, () => {
      this.cancel = undefined
      // A clock of fractions may fall short of what was waited for.
      const now = Math.max(instantOf(this.clock), at.since + this.millis)
      for (const one of this.underWay) {
        const left = one.since + this.millis - now
        if (left > 0) return this.look(one, left)
        this.underWay.delete(one)
        one.onLong()
      }
    })
  }
}

/**
 * The milliseconds of what a step of a Schedule has answered with; `undefined` when it is no output with a Duration.
 */
export const delayOf = (answer: unknown): number | undefined =>
  ask(() => {
    const delay: unknown = Array.isArray(answer) ? answer[1] : undefined
    return Duration.isDuration(delay) ? Duration.toMillis(delay) : undefined
  }, undefined)

/** A Schedule that was given as an option. */
export const scheduleOf = <S extends Schedule.Schedule<unknown, never>>(one: Given<S>): S =>
  Schedule.isSchedule(one.given) ? one.given : refuse(one, "a Schedule")

/** Whether a Schedule has come to its end, and has not failed. What throws when it is looked at is a failure. */
export const hasEnded = (cause: Cause.Cause<unknown>): boolean => ask(() => Pull.isDoneCause(cause), false)
