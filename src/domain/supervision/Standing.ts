/**
 * What children stand on: none is started by its supervisor without it.
 *
 * A group comes up in order, because each member may rely on those before it. So when a member is terminated that the others
 * wait for, those after it are left down, *stranded* by it; they come back when it is started again. Under `dependents` a
 * child is not restarted either while one that it `needs` was terminated or is parked.
 *
 * A sibling that was terminated while nothing waited for it (the group was up), that has finished, or that does not want to
 * run, is passed over in a group restart. What is started by hand is started: that request decides.
 *
 * @since 0.1.0
 */
import { group, inOrder } from "./Strategy.ts"
import { type Draft, type Entry, isWaiting, type Plan } from "./SupervisionState.ts"

/** Leaves down what is still to come up in a plan, and stands on a member of it that was terminated. */
export const strandAfter = (draft: Draft, gone: Entry, plan: Plan | undefined): void => {
  if (plan?.kind !== "restart") return
  const { strategy } = draft.options
  // In any order of starts those after it stand on it.
  const after = group(strategy === "one_for_all" ? "rest_for_one" : strategy, gone, draft.children.values)
  for (const entry of after) {
    if (entry.spec.id !== gone.spec.id && entry.plan === plan.id && isWaiting(entry)) strand(draft, entry, gone.spec.id)
  }
}

/** Leaves a child down until the one that it stands on is started again. */
export const strand = (draft: Draft, entry: Entry, by: string): void => {
  const { id } = entry.spec
  if (entry.status._tag === "Restarting" && entry.status.phase === "delay") {
    draft.do({ _tag: "CancelTimer", ticket: entry.status.ticket })
  }
  draft.do({ _tag: "Settle", id, fate: "stopped" })
  draft.status(entry, { _tag: "Down", why: "stranded", by }, undefined)
}

/** The sibling that a child needs and that was terminated, or is parked. */
export const missing = (draft: Draft, { spec }: Entry): string | undefined =>
  draft.options.strategy !== "dependents" ? undefined : spec.needs.find((id) => {
    const status = draft.get(id)?.status
    return status?._tag === "Parked" ||
      (status?._tag === "Down" && (status.why === "terminated" || status.why === "stranded"))
  })

/** The children that were left down when this one was terminated, in start order. */
export const strandedBy = (draft: Draft, id: string): ReadonlyArray<Entry> =>
  inOrder(draft.children.values).filter(({ status }) => status._tag === "Down" && status.by === id)
