/** How tests run things beside themselves, and let them run. */
import { Effect, type Fiber } from "effect"
import { TestClock } from "effect/testing"

/** Forks at once: what is sent is sent before the next line. */
export const now = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Fiber.Fiber<A, E>, never, R> =>
  Effect.forkChild(effect, { startImmediately: true })

/** Lets everything run that waits for its turn alone. */
export const turns = TestClock.adjust(0)

/** How a fiber ended; `undefined` while it runs. */
export const poll = <A, E>(fiber: Fiber.Fiber<A, E>) => fiber.pollUnsafe()
