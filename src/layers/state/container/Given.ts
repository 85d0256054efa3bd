/**
 * The options of companions, read and checked.
 *
 * @since 0.1.0
 */
import { type Duration, Predicate } from "effect"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import { defaultLimits } from "../../../domain/state/Answers.ts"
import type { Policy } from "../companion/Companion.ts"

type AfterStop = "keep" | "forget"

const suspicions = ["rollback", "refuse"] as const

/** The class whose companions are made; `by` makes them. */
export const serverOf = <S extends object>(by: string, server: S): S =>
  Predicate.hasProperty(server, "StateContainer")
    ? server
    : GivenOption.refuse({ of: by, option: "server", given: server }, "a class of GenServer.Service or Agent.Service")

export const policyOf = (
  of: string,
  { answers, onSuspect }: {
    readonly onSuspect?: (typeof suspicions)[number] | undefined
    readonly answers?:
      | { readonly maxCount?: number | undefined; readonly maxAge?: Duration.Input | undefined }
      | undefined
  }
): Policy => ({
  onSuspect: onSuspect === undefined
    ? undefined
    : GivenOption.oneOf({ of, option: "onSuspect", given: onSuspect }, suspicions),
  answers: {
    maxCount: answers?.maxCount === undefined
      ? defaultLimits.maxCount
      : GivenOption.limit({ of, option: "answers.maxCount", given: answers.maxCount }, 1),
    maxAge: answers?.maxAge === undefined
      ? defaultLimits.maxAge
      : GivenOption.millis({ of, option: "answers.maxAge", given: answers.maxAge })
  }
})

/** Milliseconds between two writes, for those that are late. */
export const intervalOf = (
  of: string,
  when: "commit" | "terminate" | { readonly every: Duration.Input }
): number | undefined => {
  if (Predicate.isObject(when)) return GivenOption.millis({ of, option: "when.every", given: when.every })
  if (when !== "commit" && when !== "terminate") {
    GivenOption.refuse({ of, option: "when", given: when }, "\"commit\", \"terminate\" or { every: a duration }")
  }
  return undefined
}

export const afterStopOf = (of: string, given: AfterStop): AfterStop =>
  GivenOption.oneOf({ of, option: "afterStop", given }, ["keep", "forget"])
