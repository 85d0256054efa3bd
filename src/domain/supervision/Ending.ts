/**
 * How children go down with their supervisor.
 *
 * What becomes of them is decided with the supervisor's own fate: when it comes back, they do, and keep their names and
 * queues meanwhile. Mostly that is known only when the supervisor has ended. Where it is known before that it ends for
 * good, each child is settled as it goes down: nothing has to wait for a sibling that takes its time.
 *
 * @since 0.1.0
 */
import type { Fate } from "../process/Fate.ts"
import { inOrder } from "./Strategy.ts"
import type { Draft, Entry } from "./SupervisionState.ts"

const endsForGood = (draft: Draft): boolean => draft.phase._tag === "Ending" && draft.phase.forGood

/** The child is down because its supervisor ends. */
export const leaveDown = (draft: Draft, entry: Entry): void => {
  const settled = endsForGood(draft)
  draft.status(entry, { _tag: "Down", why: settled ? "settled" : "ended" }, undefined)
  if (settled) draft.do({ _tag: "Settle", id: entry.spec.id, fate: "stopped" })
}

/** It has become known that the supervisor ends for good. */
export const settleThoseDown = (draft: Draft): void => {
  for (const entry of inOrder(draft.children.values)) {
    const { status } = entry
    if (status._tag === "Down" && status.why === "ended") leaveDown(draft, entry)
  }
}

/** The supervisor has ended, and its own fate is known. */
export const settled = (draft: Draft, fate: Fate): void => {
  if (fate === "restarting" || fate === "parked") leaveRunTimeChildren(draft)
  // A supervisor that finished in order has stopped its children, it has not finished their work.
  const own: Fate = fate === "finished" ? "stopped" : fate
  for (const { spec, status } of inOrder(draft.children.values)) {
    if (own === "stopped" && status._tag === "Down" && status.why === "settled") continue
    draft.do({ _tag: "Settle", id: spec.id, fate: own })
  }
}

/** Children that were added at run time do not come back with their supervisor. */
export const leaveRunTimeChildren = (draft: Draft): void => {
  for (const entry of draft.children.values) {
    if (entry.initial) continue
    draft.do({ _tag: "Settle", id: entry.spec.id, fate: "stopped" })
    draft.remove(entry)
  }
}
