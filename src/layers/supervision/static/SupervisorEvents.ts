/**
 * What a static supervisor publishes: an event and the state it found say what happened, a decision says what will.
 *
 * @since 0.1.0
 */
import { reasonOfStart } from "../../../domain/process/StartFailure.ts"
import { type ChildEvent, concerned } from "../../../domain/supervision/Supervision.ts"
import type { Decision, Event } from "../../../domain/supervision/SupervisionEvents.ts"
import type { Entry, State, Status } from "../../../domain/supervision/SupervisionState.ts"
import type { Child } from "../../process/Child.ts"
import type { ChildEvents } from "../tree/ChildEvents.ts"

/** A child and what its starter got. */
export interface Slot {
  readonly child: Child
  readonly ref: unknown
  /** The instant at which its last incarnation ended, while another is to follow. */
  downSince: number | undefined
}

/** Publishes an event, if it concerns the incarnation or attempt that is alive; `before` is the state it found. */
export const publishEvent = (
  events: ChildEvents,
  slots: ReadonlyMap<string, Slot>,
  before: State,
  event: Event
): void => {
  switch (event._tag) {
    case "ChildStarted":
    case "ChildIgnored":
    case "ChildStartFailed":
    case "ChildExited":
    case "ChildStopped": {
      const entry = concerned(before, event)
      const slot = entry === undefined ? undefined : slots.get(event.id)
      if (entry !== undefined && slot !== undefined) publishOf(events, slot, entry, before, event)
    }
  }
}

const publishOf = (
  events: ChildEvents,
  slot: Slot,
  { incarnation, status }: Entry,
  before: State,
  event: Exclude<ChildEvent, { readonly _tag: "BudgetAnswered" }>
): void => {
  const { child, downSince } = slot
  switch (event._tag) {
    case "ChildStarted": {
      slot.downSince = undefined
      events.started(child, event.incarnation, downSince)
      if (status._tag !== "Starting" || status.ended?.incarnation !== event.incarnation) return
      slot.downSince = events.instant
      return events.exited(child, event.incarnation, status.ended.reason)
    }
    case "ChildIgnored":
      return events.ignored(child)
    case "ChildStartFailed":
      return events.startFailed(child, reasonOfStart(event.cause), nextAfterFailure(before, status))
    case "ChildExited": {
      slot.downSince = events.instant
      return events.exited(child, event.incarnation, event.reason)
    }
    case "ChildStopped": {
      // A start that was given up on its way has been no incarnation.
      if (status._tag !== "Stopping" || !status.up) return
      slot.downSince = events.instant
      return events.stopped(child, incarnation, event.reason)
    }
  }
}

const nextAfterFailure = ({ phase }: State, status: Status): string => {
  if (status._tag !== "Starting") return "it stays down"
  if (status.first) return "nothing is left of it"
  if (status.request !== undefined) return "it stays down"
  return phase._tag === "Booting" ? "its supervisor does not come up" : "another attempt, if the budget allows"
}

/** Publishes a decision. */
export const publishDecision = (
  events: ChildEvents,
  slots: ReadonlyMap<string, Slot>,
  decision: Decision
): void => {
  if (decision._tag === "GaveUp") return events.gaveUp(decision.id, decision.reason)
  const slot = slots.get(decision.id)
  if (slot === undefined) return
  if (decision._tag === "Restarting") return events.restarting(slot.child, decision.reason, decision.delay)
  events.decided(decision._tag, slot.child)
}
