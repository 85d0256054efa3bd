/**
 * Whether a store answers, as far as those who use it know: reported once when it stops, and once when it is back.
 *
 * Every question to a store goes through it, so that an outage is one line in the log however many servers wait and
 * however often they try again. It decides nothing: how often and how long a store is asked again is its askers'
 * `Schedule`. You do not need it to see an outage: the log, the metrics (`Metrics.storeFailures`,
 * `Metrics.storeUnavailable`) and the errors tell.
 *
 * *Tricky*: a store that is given up is still away. Not the end of a caller's patience ends an outage, but the next
 * answer, whichever caller gets it; a refusal (`Fenced`, `Invalid`) is an answer, too. One that says nothing at all is
 * away as well. A database may still be read when nothing can be written: an outage of writes ends with a write. Many
 * wait for one store with patience of their own, and the report at the end says how many of them waited then.
 *
 * @since 0.1.0
 */
import { type Cause, Clock, Duration, Effect, Exit, Fiber, Metric, type Schedule } from "effect"
import { StoreError } from "../../../domain/state/stored/StoreError.ts"
import { storeFailures, storeOutages, storeUnavailable } from "../../observation/Metrics.ts"
import { safely } from "../../observation/SafeLog.ts"
import { after, instantOf, steady } from "../../process/Timer.ts"
import { defaultPatience } from "./Holding.ts"

/** How many wait for one who asks. */
type Waiting = () => number

/** What it is asked to do. */
export type Use = "read" | "write"

/** How many milliseconds a store may be silent before the log says so. */
export const silence = 5_000

/** What is known of one store. */
export class StoreHealth {
  /** What the store said last, while it is away; absent while it answers. */
  outage: StoreError | undefined = undefined
  /** The date at which the store was away first, and the instant: the one is logged, the other measures how long. */
  private since = 0
  private sinceInstant = 0
  private away: Use = "read"
  private readonly name: string
  private readonly waiting = new Set<Waiting>()

  constructor(name: string) {
    this.name = name
  }

  /** Puts the store into the metrics, before anything is amiss. */
  get begin(): Effect.Effect<void> {
    return Effect.andThen(this.count(0), this.mark)
  }

  /** Asks the store, and again for as long as the Schedule says. */
  ask<A>(
    effect: Effect.Effect<A, StoreError>,
    retry: Schedule.Schedule<unknown, StoreError>,
    waiting: Waiting,
    use: Use
  ): Effect.Effect<A, StoreError> {
    return Effect.matchCauseEffect(effect, {
      onSuccess: (value) =>
        this.outage === undefined ? Exit.succeed(value) : Effect.as(this.recovered(use, waiting()), value),
      onFailure: (cause) => this.askAgain(effect, cause, retry, waiting, use)
    })
  }

  /**
   * Asks the store once. The log says when it is silent; a question that `givesUp` counts as failed in the end. A write
   * is not given up: it may be stored late.
   */
  heard<A, R>(
    operation: string,
    effect: Effect.Effect<A, StoreError, R>,
    use: Use,
    givesUp: boolean
  ): Effect.Effect<A, StoreError, R> {
    return Effect.contextWith((context) => {
      const run = Effect.runForkWith(context)
      const asking = run(effect)
      const exit = asking.pollUnsafe()
      if (exit !== undefined) return exit
      return Effect.callback<A, StoreError>((resume) => {
        let cancel = after(context, silence, () => {
          run(this.awaited(operation, use))
          if (!givesUp) return
          cancel = after(context, defaultPatience - silence, () => {
            // What does not answer may not end for being interrupted, either: it is not waited for.
            resume(Effect.fail(this.silentFor(defaultPatience, operation)))
            asking.interruptUnsafe()
          })
        })
        asking.addObserver((exit) => {
          cancel()
          resume(exit)
        })
        return Effect.suspend(() => {
          cancel()
          return Fiber.interrupt(asking)
        })
      })
    })
  }

  /** One that is waited for has said nothing for {@link silence}. */
  awaited(operation: string, use: Use): Effect.Effect<void> {
    return this.silent(this.silentFor(silence, operation), use)
  }

  private silentFor(millis: number, operation: string): StoreError {
    const cause = `it has not answered for ${Duration.format(Duration.millis(millis))}`
    return new StoreError({ store: this.name, operation, reason: { _tag: "Unavailable", cause } })
  }

  /** It says nothing, and is waited for. */
  private silent(error: StoreError, use: Use): Effect.Effect<void> {
    if (this.outage !== undefined) return Effect.void
    this.away = use
    this.outage = error
    return this.tellAway(error, "It is waited for")
  }

  /** Asks again after a first attempt that failed. */
  askAgain<A>(
    effect: Effect.Effect<A, StoreError>,
    failed: Cause.Cause<StoreError>,
    retry: Schedule.Schedule<unknown, StoreError>,
    waiting: Waiting,
    use: Use
  ): Effect.Effect<A, StoreError> {
    let first: Cause.Cause<StoreError> | undefined = failed
    const attempt = Effect.suspend(() => {
      const cause = first
      first = undefined
      return cause === undefined ? effect : Effect.failCause(cause)
    })
    return Effect.suspend(() => {
      this.waiting.add(waiting)
      return attempt.pipe(
        Effect.tapError((error) => error.isOutage ? this.failed(error, use) : this.recovered(use)),
        Effect.retry({ schedule: steady(retry), while: (error) => error.isRetryable }),
        Effect.tap(() => this.recovered(use)),
        Effect.ensuring(Effect.sync(() => this.waiting.delete(waiting)))
      )
    })
  }

  /** It is away, or full, or cannot be used. */
  failed(error: StoreError, use: Use): Effect.Effect<void> {
    const isFirst = this.outage === undefined
    if (isFirst || use === "write") this.away = use
    this.outage = error
    const next = error.isRetryable
      ? "It is tried again; answers wait until what they were computed from is stored"
      : "It is not tried again by itself"
    return isFirst ? Effect.andThen(this.count(1), this.tellAway(error, next)) : this.count(1)
  }

  private tellAway(error: StoreError, next: string): Effect.Effect<void> {
    return Clock.clockWith((clock) => {
      const now = this.since = clock.currentTimeMillisUnsafe()
      this.sinceInstant = instantOf(clock)
      const entry = Effect.annotateLogs(Effect.logWarning(`${error.what}. ${next}.`), { store: this.name, since: now })
      const outage = counted(Metric.update(Metric.withAttributes(storeOutages, { store: this.name }), 1))
      return Effect.andThen(safely(entry), Effect.andThen(outage, this.mark))
    })
  }

  /** It has answered: if it was away, that is over. `more` wait beside those who ask again. */
  recovered(use: Use, more = 0): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.outage === undefined || (this.away === "write" && use === "read")) return Effect.void
      this.outage = undefined
      let waited = more
      for (const waiting of this.waiting) waited += waiting()
      return Clock.clockWith((clock) => {
        const entry = Effect.annotateLogs(
          Effect.logInfo(
            `the state store "${this.name}" answers again after ${
              Math.round(instantOf(clock) - this.sinceInstant)
            } ms: ${waited} waited for it.`
          ),
          { store: this.name, since: this.since }
        )
        return Effect.andThen(safely(entry), this.mark)
      })
    })
  }

  private count(failures: number): Effect.Effect<void> {
    return counted(Metric.update(Metric.withAttributes(storeFailures, { store: this.name }), failures))
  }

  private get mark(): Effect.Effect<void> {
    return Effect.suspend(() =>
      counted(Metric.update(
        Metric.withAttributes(storeUnavailable, { store: this.name }),
        this.outage === undefined ? 0 : 1
      ))
    )
  }
}

// The registry of metrics is the app's own: what it throws is no failure of the store.
const counted = (update: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchCause(update, (cause) => safely(Effect.logError("a metric of a store was not updated", cause)))
