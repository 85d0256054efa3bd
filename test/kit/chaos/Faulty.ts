/** How soon the hunt finds a deliberate fault. */
import { Effect } from "effect"
import type { SimulationFailed } from "../../../src/layers/testing/Simulation.ts"
import { type DeliberateFault, usualMinutes, withinSeeds } from "./Faults.ts"
import { huntWith } from "./Patched.ts"

/** What was found, and by which seed. */
export interface Found {
  readonly seed: number
  readonly kind: string
  readonly what: string
}

/** The first seed that finds it; nothing when none does. */
export const find = Effect.fnUntraced(function*(fault: DeliberateFault): Effect.fn.Return<Found | undefined> {
  const { hunt } = yield* huntWith(fault)
  for (let seed = 1; seed <= withinSeeds; seed++) {
    const failed: SimulationFailed | undefined = yield* hunt({ minutes: usualMinutes, attempts: 0, ...fault.how, seed })
      .pipe(
        Effect.matchEffect({ onSuccess: () => Effect.undefined, onFailure: (error) => Effect.succeed(error) })
      )
    if (failed !== undefined) return { seed, kind: failed.kind, what: failed.what }
  }
  return undefined
})
