/**
 * What people may ask of a supervisor, and OTP's answers, whatever the child is doing.
 *
 * @since 0.1.0
 */
import { InvalidOption } from "../options/InvalidOption.ts"
import { unmetNeed } from "./ChildSpec.ts"
import * as Group from "./GroupPlan.ts"
import { moveBehind, needing, strandAfter } from "./Standing.ts"
import { inOrder } from "./Strategy.ts"
import type { Answer, Event } from "./SupervisionEvents.ts"
import { down, type Draft, type Entry, isAlive, isRestarting, type Status } from "./SupervisionState.ts"

type Request = Extract<Event, { readonly request: number }>

/** Does what is asked, and answers now or when it is done. */
export const request = (draft: Draft, event: Request): void => {
  const answer = reply(draft, event)
  if (answer !== undefined) draft.do({ _tag: "Answer", request: event.request, answer })
}

/** The answer, or `undefined` when it comes later. */
const reply = (draft: Draft, event: Request): Answer | undefined => {
  if (draft.phase._tag !== "Up" && draft.phase._tag !== "Booting") return { _tag: "NotRunning" }
  if (event._tag === "StartChild") return startChild(draft, event)
  const entry = draft.get(event.id)
  if (entry === undefined) return { _tag: "NotFound" }
  switch (event._tag) {
    case "TerminateChild":
      return terminateChild(draft, entry, event.request)
    case "RestartChild":
      return restartChild(draft, entry, event.request)
    case "DeleteChild":
      return deleteChild(draft, entry)
    case "ResumeChild":
      return resumeChild(draft, entry)
  }
}

const startChild = (draft: Draft, event: Extract<Event, { readonly _tag: "StartChild" }>): Answer | undefined => {
  const { initial, request, spec } = event
  const present = draft.get(spec.id)
  if (present !== undefined) {
    return isAlive(present) && !isRestarting(present) ? { _tag: "AlreadyStarted" } : { _tag: "AlreadyPresent" }
  }
  const unmet = draft.options.strategy === "dependents"
    ? unmetNeed(spec, (id) => draft.get(id) !== undefined)
    : undefined
  if (unmet !== undefined) return unmet
  const ticket = draft.ticket()
  const added: Entry = {
    spec,
    order: draft.nextOrder,
    initial,
    incarnation: 0,
    status: {
      _tag: "Starting",
      ticket,
      request,
      first: true,
      before: { _tag: "Down", why: "terminated" },
      ended: undefined
    },
    plan: undefined
  }
  const later = needing(draft, added)
  if (later.includes(added)) {
    return new InvalidOption({
      of: spec.id,
      option: "needs",
      given: spec.needs,
      expected: "children that can do without it: these need it themselves"
    })
  }
  draft.nextOrder++
  draft.add(added)
  moveBehind(draft, later)
  draft.do({ _tag: "Start", id: spec.id, ticket, request })
  return undefined
}

const terminateChild = (draft: Draft, entry: Entry, request: number): Answer | undefined => {
  const { status } = entry
  switch (status._tag) {
    case "Running":
    case "Starting": {
      Group.stop(draft, entry, request)
      return undefined
    }
    case "Stopping": {
      draft.replace(entry, {
        ...entry,
        status: { ...status, terminated: true, requests: [...status.requests, request] }
      })
      return undefined
    }
    case "Restarting": {
      if (status.phase === "delay") draft.do({ _tag: "CancelTimer", ticket: status.ticket })
      down(draft, entry, "terminated", "stopped")
      strandAfter(draft, entry)
      return { _tag: "Done" }
    }
    case "Parked": {
      down(draft, entry, "terminated", "stopped")
      return { _tag: "Done" }
    }
    case "Down":
      return { _tag: "Done" }
  }
}

const restartChild = (draft: Draft, entry: Entry, request: number): Answer | undefined => {
  const { status } = entry
  switch (status._tag) {
    case "Parked":
      return { _tag: "Parked" }
    case "Down": {
      const ticket = draft.ticket()
      draft.status(
        entry,
        { _tag: "Starting", ticket, request, first: false, before: status, ended: undefined },
        undefined
      )
      draft.do({ _tag: "Start", id: entry.spec.id, ticket, request: undefined })
      return undefined
    }
    default:
      return notDown(entry, status)
  }
}

const deleteChild = (draft: Draft, entry: Entry): Answer => {
  const { status } = entry
  switch (status._tag) {
    case "Parked":
    case "Down": {
      draft.do({ _tag: "Settle", id: entry.spec.id, fate: "deleted" })
      draft.do({ _tag: "Publish", decision: { _tag: "Deleted", id: entry.spec.id } })
      draft.remove(entry)
      return { _tag: "Done" }
    }
    default:
      return notDown(entry, status)
  }
}

/** The answer to a request for a child that is down, when it is not: it is up, or about to be. */
const notDown = (entry: Entry, status: Exclude<Status, { readonly _tag: "Parked" | "Down" }>): Answer => {
  switch (status._tag) {
    case "Starting":
      return isRestarting(entry) ? { _tag: "Restarting" } : { _tag: "Running" }
    case "Running":
      return { _tag: "Running" }
    case "Stopping":
      return status.terminated ? { _tag: "Running" } : { _tag: "Restarting" }
    case "Restarting":
      return { _tag: "Restarting" }
  }
}

/** Children that were parked together come back together, with a budget begun anew. */
const resumeChild = (draft: Draft, entry: Entry): Answer => {
  const { status } = entry
  if (status._tag !== "Parked") return { _tag: "NotParked" }
  const group = inOrder(draft.children.values).filter((other) =>
    other.status._tag === "Parked" && other.status.by === status.by
  )
  draft.do({ _tag: "ResetBudget" })
  for (const { spec } of group) {
    draft.do({ _tag: "Settle", id: spec.id, fate: "restarting" })
    draft.do({ _tag: "Publish", decision: { _tag: "Resumed", id: spec.id } })
  }
  Group.beginStarts(draft, group, status.by, status.reason)
  return { _tag: "Done" }
}
