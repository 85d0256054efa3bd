/**
 * Time that passes: how much has passed, and acting when enough has.
 *
 * Elapsed time is monotonic, so that no change of the wall clock makes a timeout longer or a window shorter. It comes from
 * the context's Clock, so that a test's virtual time drives it. Read the wall clock (`currentTimeMillisUnsafe`) only where
 * a date is meant: in events, reports and stored records.
 *
 * @since 0.1.0
 */
import { type Clock, type Context, Effect } from "effect"
import * as Turn from "./Turn.ts"

/** Milliseconds of monotonic time, with a fraction: restarting takes microseconds. */
export const instantOf = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

/**
 * Calls `f` once, after so many milliseconds, as a hand-off of its own. The returned function cancels that; afterwards, or
 * a second time, it does nothing.
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
