/**
 * How often, and how long, a store that is away is asked again: a session's `retry`, one step for each attempt that
 * failed.
 *
 * Elapsed time is monotonic. A Schedule is foreign code: one that dies is over, and that is logged.
 *
 * @since 0.1.0
 */
import { type Duration, Effect, type Pull, Schedule, type Scope } from "effect"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import { bounded } from "../../../domain/text/ForeignCause.ts"
import { safely } from "../../observation/SafeLog.ts"
import { guarded } from "../../process/Execute.ts"
import { delayOf, hasEnded, steady } from "../../process/Timer.ts"
import { keepingIf } from "../lock/RealTime.ts"
import { defaultPatience } from "./Holding.ts"

/** From 50 ms on, doubling up to 2 s, for so many milliseconds. */
const retryFor = (millis: number): Schedule.Schedule<unknown, StoreError> =>
  Schedule.max([
    Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")]),
    Schedule.during(millis)
  ])

/** How often, and how long, a store that is away is asked again by default. */
export const defaultRetry = retryFor(defaultPatience)

/**
 * Opens a store, and tries again for so many milliseconds while it is away. What a failed attempt has opened is closed.
 */
export const opened = <A, R>(
  open: Effect.Effect<A, StoreError, R>,
  millis: number
): Effect.Effect<A, StoreError, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.suspend(() => {
    let isFirst = true
    const attempt = Effect.tapError(keepingIf(open, () => true), (error) => {
      if (!isFirst || !error.isRetryable || millis === 0) return Effect.void
      isFirst = false
      return safely(Effect.logWarning(`the state store "${error.store}" is waited for, ${millis} ms at most`, error))
    })
    return Effect.retry(attempt, { schedule: steady(retryFor(millis)), while: (error) => error.isRetryable })
  })

type Step = (now: number, error: StoreError) => Pull.Pull<[unknown, Duration.Duration], never, unknown>

/** A session's patience with its store. */
export class Patience {
  private readonly retry: Schedule.Schedule<unknown, StoreError>
  private step: Step | undefined = undefined

  constructor(retry: Schedule.Schedule<unknown, StoreError>) {
    this.retry = retry
  }

  /** The store has answered: the next outage begins from the first step. */
  reset(): void {
    this.step = undefined
  }

  /** Milliseconds until the next attempt after one that failed so; `undefined` when patience is over. */
  after(error: StoreError): Effect.Effect<number | undefined> {
    return Effect.matchCauseEffect(
      Effect.flatMap(
        this.current,
        (step) => Effect.map(guarded("a step of a retry Schedule", () => step(0, error)), millisOf)
      ),
      {
        onSuccess: Effect.succeed,
        onFailure: (cause) => {
          this.reset()
          return hasEnded(cause)
            ? Effect.undefined
            : Effect.as(
              safely(Effect.logError("a retry Schedule failed: the store is not asked again", bounded(cause))),
              undefined
            )
        }
      }
    )
  }

  private get current(): Effect.Effect<Step> {
    return Effect.suspend(() =>
      this.step === undefined
        ? Effect.map(Schedule.toStep(steady(this.retry)), (step) => this.step = step)
        : Effect.succeed(this.step)
    )
  }
}

const millisOf = (answer: unknown): number => {
  const millis = delayOf(answer)
  if (millis === undefined) throw new TypeError("a step of a retry Schedule must answer an output and a Duration")
  return millis
}
