/**
 * The supervisor's rule: `decide(state, event)` answers the next state and what to do.
 *
 * All of OTP's supervision is this one function of values: a layer that performs the commands and reports what came of
 * them is a supervisor. Where a Schedule is to decide whether a child may be restarted, `decide` asks (`ConsultBudget`)
 * and is given (`BudgetAnswered`); so it is the same for every Schedule, and time is never its business.
 *
 * The promises it keeps:
 *
 * - the budget is asked once for every decision to restart, also after a restart that failed; never for a first start,
 *   a manual restart or an end that asks for none;
 * - a failed restart asks the budget and is tried again later, never in a loop: everything else is heard in between;
 * - a group stops in reverse start order and starts in start order; one that fails to come back takes those already
 *   back down again under `one_for_all`, and is where `rest_for_one` and `dependents` go on;
 * - children that were stopped on purpose, or finished, stay down when their group restarts; temporary ones are
 *   forgotten;
 * - one that was added at run time and cannot be started again, for a reason that concerns it alone, stays down
 *   (`isLetGo`);
 * - no child is started by it without what it stands on (`Standing`);
 * - whatever belongs to an older incarnation, an older attempt or an older timer is ignored.
 *
 * @since 0.1.0
 */
import type { Cause } from "effect"
import { crashed, type ExitReason, isOrderly } from "../process/ExitReason.ts"
import { gaveUp } from "../process/GiveUp.ts"
import { reasonOfStart } from "../process/StartFailure.ts"
import { isLetGo, isRestarted } from "./ChildSpec.ts"
import * as Ending from "./Ending.ts"
import * as Group from "./GroupPlan.ts"
import { request } from "./Requests.ts"
import * as Standing from "./Standing.ts"
import { inOrder } from "./Strategy.ts"
import type { Command, Event } from "./SupervisionEvents.ts"
import { down, Draft, type Entry, find, type State } from "./SupervisionState.ts"

/**
 * Decides what an event means.
 *
 * @since 0.1.0
 */
export const decide = (state: State, event: Event): readonly [state: State, commands: ReadonlyArray<Command>] => {
  const draft = new Draft(state)
  handle(draft, event)
  if (draft.plans.length > 0) Group.advanceAll(draft)
  return [draft.state(), draft.commands]
}

/**
 * News of one child: how a start, a stop or a question to the budget came out, or that it ended by itself.
 *
 * @since 0.1.0
 */
export type ChildEvent = Extract<
  Event,
  {
    readonly _tag:
      | "ChildStarted"
      | "ChildIgnored"
      | "ChildStartFailed"
      | "ChildExited"
      | "ChildStopped"
      | "BudgetAnswered"
  }
>

/**
 * The child, if the news concerns the incarnation or attempt that is alive now; anything else is ignored.
 *
 * @since 0.1.0
 */
export const concerned = (state: State, event: ChildEvent): Entry | undefined => {
  const entry = find(state, event.id)
  return entry !== undefined && isOf(entry, event) ? entry : undefined
}

const isOf = ({ incarnation, status }: Entry, event: ChildEvent): boolean => {
  switch (event._tag) {
    case "ChildExited":
      return status._tag === "Running" && incarnation === event.incarnation
    case "ChildStarted":
    case "ChildIgnored":
    case "ChildStartFailed":
      return status._tag === "Starting" && status.ticket === event.ticket
    case "ChildStopped":
      return status._tag === "Stopping" && status.ticket === event.ticket
    case "BudgetAnswered":
      return status._tag === "Restarting" && status.phase === "budget" && status.ticket === event.ticket
  }
}

/**
 * The children, the newest first (OTP: `supervisor:which_children/1`).
 *
 * @since 0.1.0
 */
export const newestFirst = (state: State): ReadonlyArray<Entry> => inOrder(state.children.values).reverse()

const handle = (draft: Draft, event: Event): void => {
  switch (event._tag) {
    case "Boot":
      return boot(draft)
    case "Shutdown":
      return shutDown(draft, event.reason, event.brutal, event.forGood)
    case "Settled":
      return Ending.settled(draft, event.fate)
    case "ChildStarted":
      return started(draft, event.id, event.ticket, event.incarnation, event.info)
    case "ChildIgnored":
      return ignored(draft, event.id, event.ticket)
    case "ChildStartFailed":
      return startFailed(draft, event.id, event.ticket, event.cause)
    case "ChildExited":
      return exited(draft, event.id, event.incarnation, event.reason)
    case "ChildStopped":
      return stopped(draft, event.id, event.ticket)
    case "BudgetAnswered":
      draft.consulting--
      return budgetAnswered(draft, event)
    case "RestartDue":
      return due(draft, event.id, event.ticket)
    case "StartChild":
    case "TerminateChild":
    case "RestartChild":
    case "DeleteChild":
    case "ResumeChild":
      return request(draft, event)
  }
}

// ---- the supervisor's own life

const boot = (draft: Draft): void => {
  if (draft.phase._tag !== "Down") return
  draft.phase = { _tag: "Booting" }
  draft.consulting = 0
  draft.do({ _tag: "ResetBudget" })
  Ending.leaveRunTimeChildren(draft)
  Group.beginStarts(draft, draft.children.values, "", startedAgain)
}

const startedAgain: ExitReason = { _tag: "Shutdown", detail: "its supervisor was restarted" }

const shutDown = (draft: Draft, reason: ExitReason, brutal: boolean, known = false): void => {
  const forGood = known || draft.options.isRoot === true
  if (draft.phase._tag === "Down") return
  if (draft.phase._tag !== "Ending") {
    draft.phase = { _tag: "Ending", reason, brutal, forGood, boot: undefined }
    return Group.beginEnd(draft, reason)
  }
  if (forGood && !draft.phase.forGood) {
    draft.phase = { ...draft.phase, forGood }
    Ending.settleThoseDown(draft)
    Group.stopAgain(draft, ({ spec }) => spec.kind === "supervisor")
  }
  if (brutal && !draft.phase.brutal) {
    draft.phase = { ...draft.phase, reason, brutal }
    Group.stopAgain(draft)
  }
}

const giveUp = (draft: Draft, entry: Entry, reason: ExitReason): void => {
  const { id } = entry.spec
  draft.do({ _tag: "Publish", decision: { _tag: "GaveUp", id, reason } })
  shutDown(draft, gaveUp(id, reason), false)
}

// ---- what becomes of a child's incarnation

const started = (draft: Draft, id: string, ticket: number, incarnation: number, info: unknown): void => {
  const entry = draft.get(id)
  if (entry?.status._tag !== "Starting" || entry.status.ticket !== ticket) return
  const { ended, request } = entry.status
  const { plan } = entry
  const ofPlan = draft.plan(plan)?.outstanding.includes(id) === true
  const running: Entry = { ...entry, incarnation, status: { _tag: "Running" }, plan: ofPlan ? undefined : plan }
  draft.replace(entry, running)
  if (request !== undefined) draft.do({ _tag: "Answer", request, answer: { _tag: "Started", info } })
  if (ended !== undefined && ended.incarnation === incarnation) endedByItself(draft, running, ended.reason)
  else Group.beginStranded(draft, id)
  Group.arrived(draft, id, plan)
}

const ignored = (draft: Draft, id: string, ticket: number): void => {
  const entry = draft.get(id)
  if (entry?.status._tag !== "Starting" || entry.status.ticket !== ticket) return
  const { request } = entry.status
  down(draft, entry, "ignored", "stopped")
  if (request !== undefined) draft.do({ _tag: "Answer", request, answer: { _tag: "Ignored" } })
  Group.arrived(draft, id, entry.plan)
}

const startFailed = (draft: Draft, id: string, ticket: number, cause: Cause.Cause<unknown>): void => {
  const entry = draft.get(id)
  if (entry?.status._tag !== "Starting" || entry.status.ticket !== ticket) return
  const { before, first, request } = entry.status
  if (first) {
    // Nothing is left of a child that never came up.
    draft.do({ _tag: "Settle", id, fate: "stopped" })
    draft.remove(entry)
  } else if (request !== undefined) {
    draft.status(entry, before, undefined)
    draft.do({ _tag: "Settle", id, fate: "stopped" })
  } else if (draft.phase._tag === "Ending") {
    Ending.leaveDown(draft, entry)
  } else if (draft.phase._tag === "Booting" && entry.plan !== undefined) {
    const reason = crashed(cause)
    const forGood = draft.options.isRoot === true
    draft.phase = { _tag: "Ending", reason, brutal: false, forGood, boot: { id, cause } }
    Ending.leaveDown(draft, entry)
    return Group.beginEnd(draft, reason)
  } else {
    const reason = reasonOfStart(cause)
    if (isLetGo(reason, entry.initial)) down(draft, entry, "finished", "stopped")
    else consult(draft, entry, reason)
  }
  if (request !== undefined) draft.do({ _tag: "Answer", request, answer: { _tag: "Failed", cause } })
  Group.arrived(draft, id, entry.plan)
}

const exited = (draft: Draft, id: string, incarnation: number, reason: ExitReason): void => {
  const entry = draft.get(id)
  if (entry === undefined) return
  if (entry.status._tag === "Starting") {
    return draft.replace(entry, { ...entry, status: { ...entry.status, ended: { incarnation, reason } } })
  }
  if (entry.status._tag === "Running" && entry.incarnation === incarnation) endedByItself(draft, entry, reason)
}

const endedByItself = (draft: Draft, entry: Entry, reason: ExitReason): void => {
  if (draft.phase._tag === "Ending") return Ending.leaveDown(draft, entry)
  if (isRestarted(entry.spec.restart, reason) && !isLetGo(reason, entry.initial)) {
    const missing = Standing.missing(draft, entry)
    return missing === undefined ? consult(draft, entry, reason) : Standing.strand(draft, entry, missing)
  }
  down(draft, entry, "finished", isOrderly(reason) ? "finished" : "stopped")
  if (!entry.spec.significant) return
  const { autoShutdown } = draft.options
  if (autoShutdown === "any_significant" || (autoShutdown === "all_significant" && draft.significant === 0)) {
    shutDown(draft, { _tag: "Shutdown", detail: `significant child ${entry.spec.id} ended` }, false)
  }
}

const stopped = (draft: Draft, id: string, ticket: number): void => {
  const entry = draft.get(id)
  if (entry?.status._tag !== "Stopping" || entry.status.ticket !== ticket) return
  const { discard, requests, terminated } = entry.status
  const plan = draft.plan(entry.plan)
  if (discard) {
    draft.do({ _tag: "Settle", id, fate: "stopped" })
    draft.remove(entry)
  } else if (terminated || plan === undefined) {
    down(draft, entry, "terminated", "stopped")
    if (plan?.kind === "restart") Standing.strandAfter(draft, entry)
  } else if (plan.kind === "end") {
    Ending.leaveDown(draft, entry)
  } else if (entry.spec.restart === "temporary") {
    down(draft, entry, "terminated", "stopped")
  } else if (plan.kind === "park") {
    Group.park(draft, entry, plan.by, plan.reason)
  } else {
    draft.status(entry, { _tag: "Restarting", ticket: 0, phase: "plan", reason: plan.reason }, plan.id)
    draft.do({ _tag: "Settle", id, fate: "restarting" })
  }
  for (const request of requests) draft.do({ _tag: "Answer", request, answer: { _tag: "Done" } })
  Group.arrived(draft, id, entry.plan)
}

// ---- the budget

const consult = (draft: Draft, entry: Entry, reason: ExitReason): void => {
  const ticket = draft.ticket()
  draft.consulting++
  draft.status(entry, { _tag: "Restarting", ticket, phase: "budget", reason }, entry.plan)
  draft.do({ _tag: "ConsultBudget", id: entry.spec.id, ticket, reason })
}

const budgetAnswered = (draft: Draft, event: Extract<Event, { readonly _tag: "BudgetAnswered" }>): void => {
  const entry = draft.get(event.id)
  if (entry?.status._tag !== "Restarting" || entry.status.phase !== "budget") return
  if (entry.status.ticket !== event.ticket) return
  const { reason } = entry.status
  const { id } = entry.spec
  if (event.answer._tag === "Exhausted") {
    return draft.options.onGiveUp === "park" ? park(draft, entry, reason) : giveUp(draft, entry, reason)
  }
  const delay = event.answer.millis
  draft.do({ _tag: "Settle", id, fate: "restarting" })
  draft.do({ _tag: "Publish", decision: { _tag: "Restarting", id, reason, delay } })
  if (draft.options.strategy !== "one_for_one" || entry.plan !== undefined) {
    draft.status(entry, { _tag: "Restarting", ticket: 0, phase: "plan", reason }, entry.plan)
    Group.begin(draft, draft.get(id)!, reason, delay, "restart")
  } else if (delay > 0) {
    const ticket = draft.ticket()
    draft.status(entry, { _tag: "Restarting", ticket, phase: "delay", reason }, undefined)
    draft.do({ _tag: "SetTimer", id, ticket, millis: delay })
  } else {
    Group.start(draft, entry)
  }
}

const park = (draft: Draft, entry: Entry, reason: ExitReason): void => {
  const { id } = entry.spec
  draft.do({ _tag: "Publish", decision: { _tag: "GaveUp", id, reason } })
  draft.status(entry, { _tag: "Restarting", ticket: 0, phase: "plan", reason }, entry.plan)
  Group.begin(draft, draft.get(id)!, reason, 0, "park")
}

const due = (draft: Draft, id: string, ticket: number): void => {
  const entry = draft.get(id)
  if (entry?.status._tag === "Restarting" && entry.status.phase === "delay" && entry.status.ticket === ticket) {
    return Group.start(draft, entry)
  }
  for (const plan of draft.plans) {
    if (!plan.gates.includes(ticket)) continue
    draft.replan({ ...plan, gates: plan.gates.filter((gate) => gate !== ticket) })
    return Group.arrived(draft, "", plan.id)
  }
}
