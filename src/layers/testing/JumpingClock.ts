/**
 * A clock whose time of day can be set, as that of a machine: dates jump, steady time and sleeps go on.
 *
 * @since 0.1.0
 */
import { type Clock, type Duration, Effect } from "effect"

/** Over another clock. */
export class JumpingClock implements Clock.Clock {
  /** By how much the time of day is ahead, in milliseconds. */
  ahead = 0
  private readonly clock: Clock.Clock
  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  constructor(clock: Clock.Clock) {
    this.clock = clock
  }

  currentTimeMillisUnsafe(): number {
    return this.clock.currentTimeMillisUnsafe() + this.ahead
  }

  currentTimeNanosUnsafe(): bigint {
    return this.clock.currentTimeNanosUnsafe() + BigInt(this.ahead) * 1_000_000n
  }

  monotonicTimeNanosUnsafe(): bigint {
    return this.clock.monotonicTimeNanosUnsafe()
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return this.clock.sleep(duration)
  }
}
