/**
 * The short way of a static supervisor: the commonest restart in one step.
 *
 * The long way is `SupervisorProcess.exited`: the exit is an event, the question to the budget and the start are
 * commands, and their outcomes are events again. Where a child comes back alone and at once, all of that is known
 * beforehand (`domain/supervision/Revival`), and this performs it at a fraction of the cost. Nothing is written down
 * until it is over. What reads the supervisor's state meanwhile materializes it ({@link takeSteps}), and the rest goes
 * the long way.
 *
 * Held equal to the long way by `test/layers/supervision/static/Revival.test.ts` and
 * `test/domain/supervision/Revival.test.ts`.
 *
 * @since 0.1.0
 */
import type { Effect } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import { revivable, revived, steps } from "../../../domain/supervision/Revival.ts"
import type { Event } from "../../../domain/supervision/SupervisionEvents.ts"
import { type Entry, find, type State } from "../../../domain/supervision/SupervisionState.ts"
import type { Started } from "../../process/Child.ts"
import { isUp, startOf } from "../../process/Execute.ts"
import * as Turn from "../../process/Turn.ts"
import type { Budget } from "../restart/Budget.ts"
import type { ChildEvents } from "../tree/ChildEvents.ts"
import type { EventQueue } from "../tree/EventQueue.ts"
import type { Slot } from "./SupervisorEvents.ts"

/** A restart that is in progress and not written down. */
export interface Revival {
  readonly entry: Entry
  readonly reason: ExitReason
}

/** What a revival needs of its supervisor. */
export interface Reviver {
  /** The state before the restart that is in progress. */
  known: State
  revival: Revival | undefined
  readonly isRecorded: boolean
  readonly queue: EventQueue<Event>
  readonly budget: Budget
  readonly events: ChildEvents
  /** Decides on an event whose commands are performed otherwise. */
  note(event: Event): void
  /** The long way from a start on. */
  starting(slot: Slot, ticket: number, start: Effect.Effect<Started, unknown>): void
}

/** Restarts a child whose end calls for nothing else; false when it calls for more, or when this is not the moment. */
export const revive = (supervisor: Reviver, slot: Slot, incarnation: number, reason: ExitReason): boolean => {
  const { budget, events, known: before, queue } = supervisor
  // What is in progress or waits already comes first.
  if (!queue.isIdle || !Turn.isShallow()) return false
  const { child } = slot
  const entry = revivable(before, child.id, incarnation, reason)
  if (entry === undefined) return false
  const downSince = events.instant
  if (!budget.grants(downSince, reason)) return false
  queue.begin()
  supervisor.revival = { entry, reason }
  // From here on the order is that of the long way: event, settled, event, started, event.
  Turn.enter()
  try {
    events.exited(child, incarnation, reason)
    events.settle(child, "restarting")
    events.restarting(child, reason, 0)
    const start = startOf(child)
    if (supervisor.revival !== undefined && isUp(start)) {
      supervisor.revival = undefined
      if (supervisor.isRecorded) note(supervisor, steps(before, entry, reason, child.incarnation))
      supervisor.known = revived(before, entry, child.incarnation)
      events.started(child, child.incarnation, downSince)
    } else {
      takeSteps(supervisor)
      slot.downSince = downSince
      const { status } = find(supervisor.known, child.id)!
      if (status._tag === "Starting") supervisor.starting(slot, status.ticket, start)
    }
  } finally {
    queue.end()
    Turn.leave()
  }
  return true
}

/** Writes down the steps of the restart in progress that were not taken, if there is one. */
export const takeSteps = (supervisor: Reviver): void => {
  const { revival } = supervisor
  if (revival === undefined) return
  supervisor.revival = undefined
  note(supervisor, steps(supervisor.known, revival.entry, revival.reason))
}

const note = (supervisor: Reviver, events: ReadonlyArray<Event>): void => {
  for (const event of events) supervisor.note(event)
}
