/**
 * The options of a run, read and checked: one that tests nothing passes for one that found nothing.
 *
 * @since 0.1.0
 */
import { Effect, Predicate } from "effect"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import type { Options } from "./Scenario.ts"

const kinds = ["messages", "lives", "store", "clock", "machine"]

const most = Number.MAX_SAFE_INTEGER

/** What draws faults, checked. */
export const planOf = <O extends Pick<Options<never>, "faults" | "for" | "seed">>(of: string, options: O): O => {
  if (!Predicate.isObject(options)) return GivenOption.refuse({ of, option: "options", given: options }, "an object")
  const { faults = {}, for: duration, seed } = options
  GivenOption.integer({ of, option: "seed", given: seed }, -most)
  GivenOption.period({ of, option: "for", given: duration })
  if (!Predicate.isObject(faults)) GivenOption.refuse({ of, option: "faults", given: faults }, "an object")
  for (const [kind, rate] of Object.entries(faults)) {
    GivenOption.oneOf({ of, option: "a kind of faults", given: kind }, kinds)
    if (rate !== undefined) GivenOption.between({ of, option: `faults.${kind}`, given: rate }, 0, most)
  }
  return options
}

/** A whole run, checked. */
export const runOf = <A, O extends Options<A>>(of: string, options: O): O => {
  const { clients, invariant, pause, recovery } = planOf(of, options)
  if (!Predicate.isObject(clients)) {
    GivenOption.refuse({ of, option: "clients", given: clients }, "an object with the step of each client")
  }
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
