/**
 * Group plans: taking several children down in reverse start order and up again in start order, step by step.
 *
 * A plan never runs ahead: it asks for one stop or start and goes on with the outcome. Between two steps the supervisor
 * handles everything else; a child that was terminated, deleted or replaced meanwhile is simply passed over, because
 * its entry no longer names the plan. Two plans never hold the same child: a crash whose group overlaps a plan in
 * progress takes that plan over.
 *
 * @since 0.1.0
 */
import { type ExitReason, killed, shutdown } from "../process/ExitReason.ts"
import { leaveDown } from "./Ending.ts"
import { missing, mustWait, strand, strandedBy } from "./Standing.ts"
import { group, inOrder } from "./Strategy.ts"
import { type Down, type Draft, type Entry, isAlive, type Plan } from "./SupervisionState.ts"

/**
 * Restarts the group of `root` after `delay` milliseconds, or parks it.
 *
 * **Details**
 *
 * A plan in progress that holds members of the group is taken over: what it holds is added to the new plan, which goes
 * on from there. Here `a` crashes under `one_for_all` while a plan for `b` and `c` is on its way down:
 *
 * ```text
 *               stops     starts    outstanding   gates
 *   plan 1      c b       b c       c             1          the old plan: c is stopping, b is next
 *   plan 2      b a       a b c     c             1, 2       the new one: it waits for c and for both delays
 * ```
 *
 * A plan that parks makes every plan that takes it over park.
 */
export const begin = (
  draft: Draft,
  root: Entry,
  reason: ExitReason,
  delay: number,
  wanted: "restart" | "park"
): void => {
  const members = group(draft.options.strategy, root, draft.children.values).filter((entry) =>
    entry === root || belongs(draft, entry)
  )
  const overlapped = draft.plans.filter((plan) => members.some((entry) => entry.plan === plan.id))
  const parking = overlapped.find((plan) => plan.kind === "park")
  const kind = parking === undefined ? wanted : "park"
  const by = parking?.by ?? root.spec.id
  const id = draft.ticket()
  const names = new Set(members.map(nameOf))
  const { gates, others, outstanding, stopping } = takeOver(draft, overlapped, names)
  const ordered = inOrder([...members, ...others])
  for (const entry of ordered) adopt(draft, entry, id, kind, by, reason)
  if (kind === "park") cancelGates(draft, gates.splice(0))
  else if (delay > 0) {
    const ticket = draft.ticket()
    gates.push(ticket)
    draft.do({ _tag: "SetTimer", id: root.spec.id, ticket, millis: delay })
  }
  const stops = ordered
    .filter((entry) => isAlive(entry) && (names.has(nameOf(entry)) || stopping.has(nameOf(entry))))
    .map(nameOf)
    .reverse()
  const plan: Plan = { ...blank, id, kind, by, reason, stops, starts: ordered.map(nameOf), outstanding, gates }
  draft.plans = [...draft.plans.filter((other) => !overlapped.includes(other)), plan]
  advance(draft, plan)
}

const cancelGates = (draft: Draft, gates: ReadonlyArray<number>): void => {
  for (const ticket of gates) draft.do({ _tag: "CancelTimer", ticket })
}

/** What plans in progress leave to the plan of a group that takes them over. */
interface TakenOver {
  /** Children they hold that are not in the group. */
  readonly others: ReadonlyArray<Entry>
  /** Children they were still to stop. */
  readonly stopping: ReadonlySet<string>
  readonly outstanding: ReadonlyArray<string>
  readonly gates: Array<number>
}

const takeOver = (draft: Draft, plans: ReadonlyArray<Plan>, group: ReadonlySet<string>): TakenOver => {
  const others: Array<Entry> = []
  const outstanding: Array<string> = []
  for (const plan of plans) {
    const held = new Set([...plan.stops.slice(plan.stopAt), ...plan.starts.slice(plan.startAt), ...plan.outstanding])
    for (const name of held) {
      const entry = draft.get(name)
      if (entry !== undefined && entry.plan === plan.id && !group.has(name)) others.push(entry)
    }
    for (const name of plan.outstanding) {
      const entry = draft.get(name)
      // A member of the group that is coming up is taken down again at once; nothing waits for it to be up first.
      if (entry !== undefined && !(group.has(name) && entry.status._tag === "Starting")) outstanding.push(name)
    }
  }
  return {
    others,
    outstanding,
    stopping: new Set(plans.flatMap((plan) => plan.stops.slice(plan.stopAt))),
    gates: plans.flatMap((plan) => plan.gates)
  }
}

/** A plan with nothing to do. */
const blank = { stops: [], stopAt: 0, starts: [], startAt: 0, outstanding: [], gates: [] } as const

const nameOf = (entry: Entry): string => entry.spec.id

/** Starts children that are down, in start order. */
export const beginStarts = (draft: Draft, entries: Iterable<Entry>, by: string, reason: ExitReason): void => {
  const ordered = inOrder(entries)
  const id = draft.ticket()
  for (const entry of ordered) draft.status(entry, { _tag: "Restarting", ticket: 0, phase: "plan", reason }, id)
  const plan: Plan = { ...blank, id, kind: "restart", by, reason, starts: ordered.map(nameOf) }
  draft.plans = [...draft.plans, plan]
  advance(draft, plan)
}

/** Starts the children that were left down when this one was terminated: it is up again. */
export const beginStranded = (draft: Draft, id: string): void => {
  if (draft.held === 0) return
  const entries = strandedBy(draft, id)
  if (entries.length === 0) return
  for (const { spec } of entries) draft.do({ _tag: "Settle", id: spec.id, fate: "restarting" })
  beginStarts(draft, entries, id, { _tag: "Shutdown", detail: `${id} was started again` })
}

/** Takes everything down, whatever else was planned. */
export const beginEnd = (draft: Draft, reason: ExitReason): void => {
  for (const { gates } of draft.plans) cancelGates(draft, gates)
  const id = draft.ticket()
  const stops: Array<string> = []
  for (const entry of inOrder(draft.children.values)) {
    const { status } = entry
    if (isAlive(entry)) {
      draft.replace(entry, { ...entry, plan: id })
      stops.push(entry.spec.id)
    } else if (status._tag === "Restarting") {
      if (status.phase === "delay") draft.do({ _tag: "CancelTimer", ticket: status.ticket })
      leaveDown(draft, entry)
    } else if (status._tag === "Parked") {
      leaveDown(draft, entry)
    }
  }
  const plan: Plan = { ...blank, id, kind: "end", by: "", reason, stops: stops.reverse() }
  draft.plans = [plan]
  advance(draft, plan)
}

/** Whether a sibling is restarted along: not when it is down for good, parked, or being terminated. */
const belongs = (draft: Draft, entry: Entry): boolean => {
  const { status } = entry
  switch (status._tag) {
    case "Starting":
    case "Running":
    case "Restarting":
      return true
    case "Stopping":
      return draft.plan(entry.plan) !== undefined
    case "Parked":
      return false
    case "Down":
      return status.why === "ignored" && entry.spec.restart !== "temporary"
  }
}

const adopt = (
  draft: Draft,
  entry: Entry,
  plan: number,
  kind: Plan["kind"],
  by: string,
  reason: ExitReason
): void => {
  const { status } = entry
  if (isAlive(entry) || (status._tag === "Restarting" && status.phase === "budget")) {
    return draft.replace(entry, { ...entry, plan })
  }
  if (status._tag === "Restarting" && status.phase === "delay") {
    draft.do({ _tag: "CancelTimer", ticket: status.ticket })
  }
  if (kind === "restart") {
    const why = status._tag === "Restarting" ? status.reason : reason
    draft.status(entry, { _tag: "Restarting", ticket: 0, phase: "plan", reason: why }, plan)
  } else if (status._tag === "Restarting") {
    park(draft, entry, by, status.reason)
  }
}

/** Keeps a child that is down until it is resumed. */
export const park = (draft: Draft, entry: Entry, by: string, reason: ExitReason): void => {
  const { id } = entry.spec
  draft.status(entry, { _tag: "Parked", by, reason }, undefined)
  draft.do({ _tag: "Settle", id, fate: "parked" })
  draft.do({ _tag: "Publish", decision: { _tag: "Parked", id } })
}

/** The child's stop or start is no longer outstanding: its plan goes on. */
export const arrived = (draft: Draft, id: string, planId: number | undefined): void => {
  const plan = draft.plan(planId)
  if (plan === undefined) return
  const next = { ...plan, outstanding: plan.outstanding.filter((other) => other !== id) }
  draft.replan(next)
  advance(draft, next)
}

/** Every plan takes the steps it may take: what one of them waits for may have happened outside of it. */
export const advanceAll = (draft: Draft): void => {
  const { held } = draft
  for (const { id } of draft.plans) {
    const plan = draft.plan(id)
    if (plan === undefined || plan.outstanding.length > 0) continue
    if (plan.gates.length === 0) advance(draft, plan)
    else if (!plan.starts.some((name) => draft.get(name)?.plan === id)) {
      // All that it was to start were terminated meanwhile.
      cancelGates(draft, plan.gates)
      advance(draft, { ...plan, gates: [] })
    }
  }
  // One that was left down may be what a plan before it waits for.
  if (draft.held > held) advanceAll(draft)
}

const advance = (draft: Draft, plan: Plan): void => {
  let { outstanding, startAt, stopAt } = plan
  while (outstanding.length === 0) {
    if (stopAt < plan.stops.length) {
      const id = plan.stops[stopAt++]!
      const entry = draft.get(id)
      if (entry === undefined || entry.plan !== plan.id || !isAlive(entry)) continue
      outstanding = [id]
      const again = draft.phase._tag === "Ending" && draft.phase.brutal
      if (entry.status._tag === "Stopping" && !again) continue
      stop(draft, entry, undefined)
    } else if (plan.kind === "end") {
      draft.plans = []
      return ended(draft)
    } else if (plan.kind === "restart" && startAt < plan.starts.length) {
      // Nothing comes up while the budget is still thinking about another of them.
      if (plan.gates.length > 0 || draft.consulting > 0) break
      const id = plan.starts[startAt]!
      const entry = draft.get(id)
      if (entry?.plan === plan.id && entry.status._tag === "Restarting") {
        const absent = missing(draft, entry)
        if (absent !== undefined) strand(draft, entry, absent)
        else if (mustWait(draft, entry)) break
        else {
          outstanding = [id]
          start(draft, entry)
        }
      }
      startAt++
    } else {
      draft.plans = draft.plans.filter((other) => other.id !== plan.id)
      return booted(draft)
    }
  }
  draft.replan({ ...plan, outstanding, startAt, stopAt })
}

const down: Down = { _tag: "Down", why: "ended" }

/** Asks for the next incarnation of a child that is down. */
export const start = (draft: Draft, entry: Entry): void => {
  const ticket = draft.ticket()
  draft.replace(entry, {
    ...entry,
    status: { _tag: "Starting", ticket, request: undefined, first: false, before: down, ended: undefined }
  })
  draft.do({ _tag: "Start", id: entry.spec.id, ticket, request: undefined })
}

/** Asks a child that is alive, or about to be, to stop: for its plan, or for a request to terminate it. */
export const stop = (draft: Draft, entry: Entry, request: number | undefined): void => {
  const { status } = entry
  const ticket = draft.ticket()
  const starting = status._tag === "Starting"
  const stopping = status._tag === "Stopping" ? status : undefined
  const ending = draft.phase._tag === "Ending" ? draft.phase : undefined
  if (starting && status.request !== undefined) {
    draft.do({ _tag: "Answer", request: status.request, answer: { _tag: "Stopped", why: ending?.reason } })
  }
  const requests = stopping === undefined ? noRequests : stopping.requests
  const terminated = request !== undefined || stopping?.terminated === true
  const discard = (starting && status.first) || stopping?.discard === true
  draft.replace(entry, {
    ...entry,
    status: {
      _tag: "Stopping",
      ticket,
      terminated,
      requests: request === undefined ? requests : [...requests, request],
      up: status._tag === "Running" || stopping?.up === true,
      discard
    }
  })
  const brutal = entry.spec.shutdown === "brutal_kill" || ending?.brutal === true
  draft.do({
    _tag: "Stop",
    id: entry.spec.id,
    ticket,
    reason: brutal ? killed : shutdown,
    shutdown: brutal ? "brutal_kill" : entry.spec.shutdown,
    forGood: terminated || discard || ending?.forGood === true ||
      (ending === undefined && entry.spec.restart === "temporary")
  })
}

const noRequests: ReadonlyArray<number> = []

/** Asks children that are stopping once more, now that more is known: brutally, or for good. */
export const stopAgain = (draft: Draft, which: (entry: Entry) => boolean = () => true): void => {
  for (const plan of draft.plans) {
    for (const id of plan.outstanding) {
      const entry = draft.get(id)
      if (entry?.status._tag === "Stopping" && which(entry)) stop(draft, entry, undefined)
    }
  }
}

const booted = (draft: Draft): void => {
  if (draft.phase._tag !== "Booting" || draft.plans.length > 0) return
  draft.phase = { _tag: "Up" }
  draft.do({ _tag: "Booted" })
}

const ended = (draft: Draft): void => {
  if (draft.phase._tag !== "Ending") return
  const { boot, reason } = draft.phase
  draft.phase = { _tag: "Down" }
  if (boot === undefined) draft.do({ _tag: "Terminated", reason })
  else draft.do({ _tag: "BootFailed", id: boot.id, cause: boot.cause })
}
