/**
 * The commonest restart, in one step: a child of a `one_for_one` supervisor ended, the budget lets it, it is up again.
 *
 * `Supervision.decide` takes three for it: it ended; the budget answered; it came up. They exist so that whatever
 * happens in between is heard, and a look in between shows how far things are. Mostly there is neither. Then
 * {@link revived} says what the three of them would have come to, at a fraction of their cost; it is held equal to them
 * by a property test. As soon as there is a look, or the child does not come up at once, the supervisor takes the steps
 * after all: it still knows what they are ({@link steps}).
 *
 * @since 0.1.0
 */
import type { ExitReason } from "../process/ExitReason.ts"
import { isRestarted } from "./ChildSpec.ts"
import type { Event } from "./SupervisionEvents.ts"
import { type Entry, find, type State } from "./SupervisionState.ts"

/**
 * The child, when its end calls for nothing but its own restart: no group, no plan, no question to the budget in the
 * air.
 *
 * @since 0.1.0
 */
export const revivable = (state: State, id: string, incarnation: number, reason: ExitReason): Entry | undefined => {
  if (state.options.strategy !== "one_for_one" || state.phase._tag !== "Up") return undefined
  if (state.consulting > 0 || state.plans.length > 0) return undefined
  const entry = find(state, id)
  if (entry?.status._tag !== "Running" || entry.incarnation !== incarnation || entry.plan !== undefined) {
    return undefined
  }
  return isRestarted(entry.spec.restart, reason) ? entry : undefined
}

/**
 * The steps: it ended, the budget lets it come back at once, and, if it did by now, it came up as `next`.
 *
 * @since 0.1.0
 */
export const steps = (
  { nextTicket: ticket }: State,
  { incarnation, spec: { id } }: Entry,
  reason: ExitReason,
  next?: number
): ReadonlyArray<Event> => {
  const events: Array<Event> = [
    { _tag: "ChildExited", id, incarnation, reason },
    { _tag: "BudgetAnswered", id, ticket, answer: { _tag: "Delay", millis: 0 } }
  ]
  if (next !== undefined) {
    events.push({ _tag: "ChildStarted", id, ticket: ticket + 1, incarnation: next, info: undefined })
  }
  return events
}

/**
 * What they come to once it is up: as before, but for its incarnation, and the two tickets that were spent.
 *
 * @since 0.1.0
 */
export const revived = (state: State, entry: Entry, incarnation: number): State => ({
  options: state.options,
  phase: state.phase,
  children: state.children.set({
    spec: entry.spec,
    order: entry.order,
    initial: entry.initial,
    incarnation,
    status: entry.status,
    plan: undefined
  }),
  counts: state.counts,
  plans: state.plans,
  nextOrder: state.nextOrder,
  nextTicket: state.nextTicket + 2,
  consulting: 0
})
