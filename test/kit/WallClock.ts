/** A test clock whose wall can be set: dates jump, while monotonic time and sleeps go on. */
import { Clock, Duration, Effect } from "effect"

/** Runs a test by such a clock; `jump` sets the wall forward, or back by a negative duration. */
export const withJumps = <A, E, R>(
  body: (jump: (millis: number) => Effect.Effect<void>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.Clock, (clock) => {
    let ahead = 0
    // It has the methods of the test clock, which TestClock.adjust looks for in the Clock of the context.
    const jumping: Clock.Clock = Object.assign(Object.create(clock), {
      currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + ahead,
      currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + ahead),
      currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(ahead) * 1_000_000n,
      currentTimeNanos: Effect.map(clock.currentTimeNanos, (now) => now + BigInt(ahead) * 1_000_000n)
    })
    const jump = (millis: number) =>
      Effect.sync(() => {
        ahead += millis
      })
    return Effect.provideService(body(jump), Clock.Clock, jumping)
  })

export const day = Duration.toMillis("1 day")
