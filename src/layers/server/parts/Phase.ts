/**
 * Where an incarnation is, and whether its handler's answer has to be run.
 *
 * @since 0.1.0
 */
import type { Effect } from "effect"
import { isEffect, isExit } from "../../process/Execute.ts"

// Numbers, because the first question of every call is "idle?".
export const Idle = 0
export const Busy = 1
/** Alive, but with something pending that the direct path must see to first: a continuation, an idle timer, its state. */
export const Attentive = 2
export const Starting = 3
export const Ending = 4
export const Restarting = 5
export const Parked = 6
export const Stopped = 7
export type Phase = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7

/** In the place of a state that has left memory: the next message brings it back. */
export const passivated = Symbol("heirloom/passivated")

/** Whether a handler's answer is an Effect that is still to be run; asked of every message, so the commonest answer is first. */
export const isRunnable = (next: unknown): next is Effect.Effect<unknown, unknown> =>
  !Array.isArray(next) && isEffect(next) && !isExit(next)
