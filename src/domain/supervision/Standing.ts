/**
 * What children stand on: none is started by its supervisor without it.
 *
 * A group comes up in order, because each member may rely on those before it: so under `rest_for_one` and `one_for_all`
 * a child stands on every sibling before it, under `dependents` on those that it `needs`, under `one_for_one` on none.
 * What becomes of a child that is to be started depends on each of them:
 *
 * | the sibling | the child |
 * |---|---|
 * | starts, stops, or waits to be started | waits |
 * | is parked, or was left down itself | is left down, *stranded* by it |
 * | was terminated while others waited for it | is left down |
 * | was terminated while nothing waited for it | is left down under `dependents`; else it passes over the sibling |
 * | has finished, or does not want to run | passes over it |
 *
 * What was left down comes back when the sibling is started again. What is started by hand is started: that request
 * decides.
 *
 * @since 0.1.0
 */
import { group, inOrder } from "./Strategy.ts"
import { type Draft, type Entry, isWaiting } from "./SupervisionState.ts"

/** Whether a child waits for one that it stands on. Each waits for siblings before it alone, so there is no circle. */
export const mustWait = (draft: Draft, entry: Entry): boolean => {
  // What is on its way in the child's own plan comes before it there.
  const isOrdered = draft.options.strategy !== "dependents"
  if (isOrdered && draft.plans.length === 1 && draft.loose === 0) return false
  return standsOn(draft, entry, isOnItsWay) !== undefined
}

const isOnItsWay = ({ status }: Entry): boolean =>
  status._tag === "Starting" || status._tag === "Stopping" || status._tag === "Restarting"

/** The sibling without which a child is not started. */
export const missing = (draft: Draft, entry: Entry): string | undefined =>
  draft.options.strategy === "dependents"
    ? standsOn(draft, entry, (need) => isHeld(need) || wasTerminated(need))
    : draft.held === 0
    ? undefined
    : standsOn(draft, entry, isHeld)

const isHeld = ({ status }: Entry): boolean =>
  status._tag === "Parked" || (status._tag === "Down" && status.why === "stranded")

const wasTerminated = ({ status }: Entry): boolean => status._tag === "Down" && status.why === "terminated"

/** One that a child stands on, and that is such a one. */
const standsOn = (draft: Draft, { order, spec }: Entry, isSuch: (sibling: Entry) => boolean): string | undefined => {
  switch (draft.options.strategy) {
    case "one_for_one":
      return undefined
    case "dependents":
      return spec.needs.find((id) => {
        const need = draft.get(id)
        return need !== undefined && isSuch(need)
      })
    case "one_for_all":
    case "rest_for_one": {
      for (const sibling of draft.children.values) {
        if (sibling.order < order && isSuch(sibling)) return sibling.spec.id
      }
      return undefined
    }
  }
}

/** Leaves down what waits to be started, and stands on one that was terminated while it was waited for. */
export const strandAfter = (draft: Draft, gone: Entry): void => {
  const { strategy } = draft.options
  if (strategy === "one_for_one") return
  // In any order of starts those after it stand on it.
  const after = group(strategy === "one_for_all" ? "rest_for_one" : strategy, gone, draft.children.values)
  for (const entry of after) {
    if (entry.spec.id !== gone.spec.id && isWaiting(entry)) strand(draft, entry, gone.spec.id)
  }
}

/** Leaves a child down until the one that it stands on is started again. */
export const strand = (draft: Draft, entry: Entry, by: string): void => {
  const { id } = entry.spec
  draft.do({ _tag: "Settle", id, fate: "stopped" })
  draft.status(entry, { _tag: "Down", why: "stranded", by }, undefined)
}

/** The children that were left down because of this one, in start order. */
export const strandedBy = (draft: Draft, id: string): ReadonlyArray<Entry> =>
  inOrder(draft.children.values).filter(({ status }) => status._tag === "Down" && status.by === id)

/**
 * The children that need one that is to be added, directly or through others, in start order: itself, when there is a
 * circle.
 *
 * They can be there before it where one of its id was deleted.
 */
export const needing = (draft: Draft, added: Entry): ReadonlyArray<Entry> => {
  if (draft.options.strategy !== "dependents") return none
  for (const { spec } of draft.children.values) {
    if (!spec.needs.includes(added.spec.id)) continue
    return group("dependents", { ...added, order: -1 }, [...draft.children.values, added]).slice(1)
  }
  return none
}

/** Gives children the last places in the start order, and in the plans that are about to start them. */
export const moveBehind = (draft: Draft, entries: ReadonlyArray<Entry>): void => {
  if (entries.length === 0) return
  for (const entry of entries) draft.replace(entry, { ...entry, order: draft.nextOrder++ })
  const orderOf = (id: string) => draft.get(id)?.order ?? 0
  const sorted = (ids: ReadonlyArray<string>) => [...ids].sort((a, b) => orderOf(a) - orderOf(b))
  draft.plans = draft.plans.map((plan) => ({
    ...plan,
    starts: [...plan.starts.slice(0, plan.startAt), ...sorted(plan.starts.slice(plan.startAt))]
  }))
}

const none: ReadonlyArray<Entry> = []
