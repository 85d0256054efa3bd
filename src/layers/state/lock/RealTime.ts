/**
 * What has to do with other processes goes by real time, whatever the time of a test is.
 *
 * @since 0.1.0
 */
import { Clock, Effect, Scope } from "effect"

/** The clock that other processes have. */
export const realClock = Clock.Clock.defaultValue()

/** Waits for so many real milliseconds. */
export const realSleep = (millis: number): Effect.Effect<void> =>
  Effect.provideService(Effect.sleep(millis), Clock.Clock, realClock)

/** What an Effect has acquired goes with it, unless it has come to what was wanted. */
export const keepingIf = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  isWanted: (value: A) => boolean
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.flatMap(Effect.scope, (parent) =>
    Effect.flatMap(Scope.fork(parent), (scope) =>
      Effect.onExit(
        Scope.provide(effect, scope),
        (exit) => exit._tag === "Success" && isWanted(exit.value) ? Effect.void : Scope.close(scope, exit)
      )))
