/**
 * The short way of a dynamic supervisor: the commonest restart in one step.
 *
 * The long way is `DynamicProcess.exited`: the end is queued, the child gets a record while the budget is asked and
 * another while it starts. Where it is allowed to come back at once, and is up before anything reads the children,
 * nothing has to be written down. A reader meanwhile has its record made (`DynamicChildren.materialize`), and the rest
 * goes the long way.
 *
 * Held equal to the long way by `test/layers/supervision/static/Revival.test.ts`, which drives both supervisors.
 *
 * @since 0.1.0
 */
import type { Effect } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import { isRestarted } from "../../../domain/supervision/ChildSpec.ts"
import type { Child, Started } from "../../process/Child.ts"
import { isUp, startOf } from "../../process/Execute.ts"
import * as Turn from "../../process/Turn.ts"
import type { Budget } from "../restart/Budget.ts"
import type { ChildEvents } from "../tree/ChildEvents.ts"
import type { EventQueue } from "../tree/EventQueue.ts"
import { type Ended, type Exceptional, isExceptional } from "./DynamicChild.ts"
import type { DynamicChildren } from "./DynamicChildren.ts"

/** What a revival needs of its supervisor. */
export interface Reviver {
  readonly children: DynamicChildren
  readonly queue: EventQueue<Ended>
  readonly budget: Budget
  readonly events: ChildEvents
  readonly isEnding: boolean
  /** The long way from a start on. */
  starting(child: Child, record: Exceptional, start: Effect.Effect<Started, unknown>, downSince: number): void
}

/** Restarts a child whose end calls for nothing else; false when it calls for more, or when this is not the moment. */
export const revive = (supervisor: Reviver, child: Child, incarnation: number, reason: ExitReason): boolean => {
  const { budget, children, events, queue } = supervisor
  // What is in progress or waits already comes first.
  if (!queue.isIdle || supervisor.isEnding || !Turn.isShallow()) return false
  const spec = children.get(child)
  if (spec === undefined || isExceptional(spec) || incarnation !== child.incarnation) return false
  if (!isRestarted(spec.restart, reason)) return false
  const downSince = events.instant
  if (!children.bring(child, spec, "reviving")) return false
  if (!budget.grants(downSince, reason)) {
    children.brought()
    return false
  }
  queue.begin()
  Turn.enter()
  try {
    events.exited(child, incarnation, reason)
    events.settle(child, "restarting")
    // A caller that was answered may have stopped it, or everything.
    if (children.isOvertaken) return true
    events.restarting(child, reason, 0)
    const start = startOf(child)
    const record = children.brought()
    if (record === undefined && isUp(start)) events.started(child, child.incarnation, downSince)
    else supervisor.starting(child, record ?? children.note(child, spec, "reviving"), start, downSince)
  } finally {
    children.brought()
    queue.end()
    Turn.leave()
  }
  return true
}
