/**
 * The options of a run, read and checked: one that tests nothing passes for one that found nothing.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import type { Rates } from "../../domain/testing/TimedFaults.ts"
import type { Options } from "./Scenario.ts"

const kinds: Record<keyof Rates, true> = {
  messages: true,
  lives: true,
  store: true,
  clock: true,
  machine: true
}

const most = Number.MAX_SAFE_INTEGER

/** What draws faults, checked. */
export const planOf = <O extends Pick<Options<never>, "faults" | "for" | "seed">>(of: string, options: O): O => {
  const { faults = {}, for: duration, seed } = GivenOption.options(of, options)
  GivenOption.integer({ of, option: "seed", given: seed }, -most)
  GivenOption.period({ of, option: "for", given: duration })
  for (const [kind, rate] of Object.entries(GivenOption.object({ of, option: "faults", given: faults }))) {
    GivenOption.oneOf({ of, option: "a kind of faults", given: kind }, Object.keys(kinds))
    if (rate !== undefined) GivenOption.between({ of, option: `faults.${kind}`, given: rate }, 0, most)
  }
  return options
}

/** A whole run, checked. */
export const runOf = <A, O extends Options<A>>(of: string, options: O): O => {
  const { clients, invariant, pause, recovery } = planOf(of, options)
  GivenOption.object({ of, option: "clients", given: clients }, "an object with the step of each client")
  for (const [name, step] of Object.entries(clients)) {
    if (!Effect.isEffect(step)) GivenOption.refuse({ of, option: `clients.${name}`, given: step }, "an Effect")
  }
  if (invariant !== undefined && !Effect.isEffect(invariant)) {
    GivenOption.refuse({ of, option: "invariant", given: invariant }, "an Effect")
  }
  if (pause !== undefined) GivenOption.period({ of, option: "pause", given: pause })
  if (recovery !== undefined) GivenOption.patience({ of, option: "recovery", given: recovery })
  return options
}
