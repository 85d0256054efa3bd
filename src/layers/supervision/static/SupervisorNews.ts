/**
 * What a static supervisor tells: an event and the state it found say what happened, a decision says what will.
 *
 * @since 0.1.0
 */
import { reasonOfStart } from "../../../domain/process/StartFailure.ts"
import { type ChildEvent, concerned } from "../../../domain/supervision/Supervision.ts"
import type { Event, News } from "../../../domain/supervision/SupervisionEvents.ts"
import type { Entry, State, Status } from "../../../domain/supervision/SupervisionState.ts"
import type { Child } from "../../process/Child.ts"
import type { ChildNews } from "../tree/ChildNews.ts"

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
    case "ChildStarted":
    case "ChildIgnored":
    case "ChildStartFailed":
    case "ChildExited":
    case "ChildStopped": {
      const entry = concerned(before, event)
      const slot = entry === undefined ? undefined : slots.get(event.id)
      if (entry !== undefined && slot !== undefined) tellOf(news, slot, entry, before, event)
    }
  }
}

const tellOf = (
  news: ChildNews,
  slot: Slot,
  { incarnation, status }: Entry,
  before: State,
  event: Exclude<ChildEvent, { readonly _tag: "BudgetAnswered" }>
): void => {
  const { child, downSince } = slot
  switch (event._tag) {
    case "ChildStarted": {
      slot.downSince = undefined
      news.started(child, event.incarnation, downSince)
      if (status._tag !== "Starting" || status.ended?.incarnation !== event.incarnation) return
      slot.downSince = news.instant
      return news.exited(child, event.incarnation, status.ended.reason)
    }
    case "ChildIgnored":
      return news.ignored(child)
    case "ChildStartFailed":
      return news.startFailed(child, reasonOfStart(event.cause), nextAfterFailure(before, status))
    case "ChildExited": {
      slot.downSince = news.instant
      return news.exited(child, event.incarnation, event.reason)
    }
    case "ChildStopped": {
      // A start that was given up on its way has been no incarnation.
      if (status._tag !== "Stopping" || !status.up) return
      slot.downSince = news.instant
      return news.stopped(child, incarnation, event.reason)
    }
  }
}

const nextAfterFailure = ({ phase }: State, status: Status): string => {
  if (status._tag !== "Starting") return "it stays down"
  if (status.first) return "nothing is left of it"
  if (status.request !== undefined) return "it stays down"
  return phase._tag === "Booting" ? "its supervisor does not come up" : "another attempt, if the budget allows"
}

/** Tells of a decision. */
export const tellNews = (news: ChildNews, slots: ReadonlyMap<string, Slot>, decision: News): void => {
  if (decision._tag === "GaveUp") return news.gaveUp(decision.id, decision.reason)
  const slot = slots.get(decision.id)
  if (slot === undefined) return
  if (decision._tag === "Restarting") return news.restarting(slot.child, decision.reason, decision.delay)
  news.decided(decision._tag, slot.child)
}
