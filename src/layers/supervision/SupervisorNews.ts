/**
 * What a static supervisor tells: an event and the state it found say what happened, a decision says what will.
 *
 * @since 0.1.0
 */
import { crashed } from "../../domain/server/ExitReason.ts"
import { isCurrent } from "../../domain/supervision/Supervision.ts"
import type { Event, News } from "../../domain/supervision/SupervisionEvents.ts"
import { find, type State } from "../../domain/supervision/SupervisionState.ts"
import type { Child } from "./Child.ts"
import type { ChildNews } from "./ChildNews.ts"

/** A child and what its starter got. */
export interface Slot {
  readonly child: Child
  readonly ref: unknown
  /** The instant at which its last incarnation ended, while another is to follow. */
  downSince: number | undefined
}

/** Tells of an event, if it concerns the incarnation or attempt that is alive; `before` is the state it found. */
export const tellEvent = (news: ChildNews, slots: ReadonlyMap<string, Slot>, before: State, event: Event): void => {
  switch (event._tag) {
    case "ChildStarted": {
      const slot = current(slots, before, event)
      if (slot === undefined) return
      const { child, downSince } = slot
      slot.downSince = undefined
      news.started(child, event.incarnation, downSince)
      const status = find(before, event.id)?.status
      if (status?._tag !== "Starting" || status.ended?.incarnation !== event.incarnation) return
      slot.downSince = news.instant
      return news.exited(child, event.incarnation, status.ended.reason)
    }
    case "ChildIgnored": {
      const slot = current(slots, before, event)
      if (slot !== undefined) news.ignored(slot.child)
      return
    }
    case "ChildStartFailed": {
      const slot = current(slots, before, event)
      if (slot !== undefined) news.startFailed(slot.child, crashed(event.cause), nextAfterFailure(before, event.id))
      return
    }
    case "ChildExited": {
      const slot = current(slots, before, event)
      if (slot === undefined) return
      slot.downSince = news.instant
      return news.exited(slot.child, event.incarnation, event.reason)
    }
    case "ChildStopped": {
      const slot = current(slots, before, event)
      const entry = find(before, event.id)
      // A start that was given up on its way has been no incarnation.
      if (slot === undefined || entry?.status._tag !== "Stopping" || !entry.status.up) return
      slot.downSince = news.instant
      return news.stopped(slot.child, entry.incarnation, event.reason)
    }
  }
}

const current = (
  slots: ReadonlyMap<string, Slot>,
  before: State,
  event: Extract<Event, { readonly id: string }>
): Slot | undefined => isCurrent(before, event) ? slots.get(event.id) : undefined

const nextAfterFailure = (before: State, id: string): string => {
  const status = find(before, id)?.status
  if (status?._tag !== "Starting") return "it stays down"
  if (status.first) return "nothing is left of it"
  if (status.request !== undefined) return "it stays down"
  return before.phase._tag === "Booting" ? "its supervisor does not come up" : "another attempt, if the budget allows"
}

/** Tells of a decision. */
export const tellNews = (news: ChildNews, slots: ReadonlyMap<string, Slot>, decision: News): void => {
  if (decision._tag === "GaveUp") return news.gaveUp(decision.id, decision.reason)
  const slot = slots.get(decision.id)
  if (slot === undefined) return
  if (decision._tag === "Restarting") return news.restarting(slot.child, decision.reason, decision.delay)
  news.decided(decision._tag, slot.child)
}
