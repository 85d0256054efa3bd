/**
 * What a supervisor knows: its children, each in exactly one status, and the group plans in progress.
 *
 * `restarting` is a status of its own, not a process that happens to be missing: listing, counting, deletion, restart
 * and termination all see it. The words of the machine (events, commands) are in `SupervisionEvents`, its rule in
 * `Supervision`.
 *
 * @since 0.1.0
 */
import type { Cause } from "effect"
import type { ExitReason } from "../process/ExitReason.ts"
import type { Fate } from "../process/Fate.ts"
import { Children } from "./Children.ts"
import type { AutoShutdown, ChildSpec } from "./ChildSpec.ts"
import type { Strategy } from "./Strategy.ts"
import type { Command } from "./SupervisionEvents.ts"

/** The options of a supervisor, as it is made. */
export interface Options {
  readonly strategy: Strategy
  readonly autoShutdown: AutoShutdown
  readonly onGiveUp: "escalate" | "park"
  /** Whether nothing is above it that could restart it. */
  readonly isRoot?: boolean | undefined
}

/**
 * Why a child that is kept is down.
 *
 * `terminated`: by a request. `finished`: it ended by itself. `ignored`: its init said so. `stranded`: one that it
 * stands on was terminated. `ended`: its supervisor ended. `settled`: likewise, for good, so that the child is settled
 * already.
 */
export type DownWhy = "terminated" | "finished" | "ignored" | "stranded" | "ended" | "settled"

/** A child that is kept is down. */
export interface Down {
  readonly _tag: "Down"
  readonly why: DownWhy
  /** The child that it was stranded by. */
  readonly by?: string | undefined
}

/** Where a child is in its life. A `ticket` names the one result that is waited for; any other is stale. */
export type Status =
  | {
    readonly _tag: "Starting"
    readonly ticket: number
    /** The request that is answered with the outcome. */
    readonly request: number | undefined
    /** Its first start: when it fails, the spec is not kept. */
    readonly first: boolean
    /** What it was before, and is again when a manual restart fails. */
    readonly before: Down
    /** An exit that overtook the news of its start. */
    readonly ended: { readonly incarnation: number; readonly reason: ExitReason } | undefined
  }
  | { readonly _tag: "Running" }
  | {
    readonly _tag: "Stopping"
    readonly ticket: number
    /** Whether it was terminated on purpose; else its plan says what becomes of it. */
    readonly terminated: boolean
    readonly requests: ReadonlyArray<number>
    /** Its incarnation had come up. */
    readonly up: boolean
    /** It was in its first start: the spec is not kept. */
    readonly discard: boolean
  }
  | {
    readonly _tag: "Restarting"
    readonly ticket: number
    readonly phase: "budget" | "delay" | "plan"
    readonly reason: ExitReason
  }
  | { readonly _tag: "Parked"; readonly by: string; readonly reason: ExitReason }
  | Down

/** A child. */
export interface Entry {
  readonly spec: ChildSpec
  /** Its place in the start order; it gets another when a child that it needs is added again. */
  readonly order: number
  /** Whether it belongs to the supervisor's own specification: such children come back when the supervisor does. */
  readonly initial: boolean
  /** Number of the incarnation that is alive, or of the last one. */
  readonly incarnation: number
  readonly status: Status
  /** The group plan that is about to stop or start it. */
  readonly plan: number | undefined
}

/**
 * A group on its way down, up again, or both: one step outstanding at a time, so that requests are heard in between.
 */
export interface Plan {
  readonly id: number
  readonly kind: "restart" | "park" | "end"
  /** The child that is the cause. */
  readonly by: string
  readonly reason: ExitReason
  readonly stops: ReadonlyArray<string>
  readonly stopAt: number
  readonly starts: ReadonlyArray<string>
  readonly startAt: number
  /** Children whose stop or start is outstanding. */
  readonly outstanding: ReadonlyArray<string>
  /** Timers that must ring before the first start. */
  readonly gates: ReadonlyArray<number>
}

/** Where the supervisor is in its own life. */
export type Phase =
  | { readonly _tag: "Down" }
  | { readonly _tag: "Booting" }
  | { readonly _tag: "Up" }
  | {
    readonly _tag: "Ending"
    readonly reason: ExitReason
    readonly brutal: boolean
    /** Whether it is known that it does not come back. */
    readonly forGood: boolean
    readonly boot: { readonly id: string; readonly cause: Cause.Cause<unknown> } | undefined
  }

/** Running totals, so that counting is a look-up (OTP: `supervisor:count_children/1`). */
export interface Counts {
  readonly specs: number
  readonly active: number
  readonly supervisors: number
  readonly workers: number
  /** Significant children that are neither down nor parked. */
  readonly significant: number
  /** Children that are down, or parked, until another one is up, or they are resumed. */
  readonly held: number
  /** Children that start or stop by a request: no plan waits for them. */
  readonly loose: number
}

/** Everything a supervisor knows. */
export interface State {
  readonly options: Options
  readonly phase: Phase
  readonly children: Children<Entry>
  readonly counts: Counts
  readonly plans: ReadonlyArray<Plan>
  readonly nextOrder: number
  readonly nextTicket: number
  /** Questions to the budget that have not been answered yet. */
  readonly consulting: number
}

/** A supervisor that has not been started. */
export const make = (options: Options): State => ({
  options,
  phase: { _tag: "Down" },
  children: Children.none(),
  counts: { specs: 0, active: 0, supervisors: 0, workers: 0, significant: 0, held: 0, loose: 0 },
  plans: [],
  nextOrder: 0,
  nextTicket: 1,
  consulting: 0
})

/** The same supervisor with one more child of its own specification, down until it boots. */
export const withChild = (state: State, spec: ChildSpec): State => {
  const draft = new Draft(state)
  draft.add({
    spec,
    order: draft.nextOrder++,
    initial: true,
    incarnation: 0,
    status: { _tag: "Down", why: "ended" },
    plan: undefined
  })
  return draft.state()
}

/** The child of that id. */
export const find = (state: State, id: string): Entry | undefined => state.children.get(id)

/** Whether a child's incarnation is alive, or may be. */
export const isAlive = (entry: Entry): boolean => {
  const { _tag } = entry.status
  return _tag === "Running" || _tag === "Starting" || _tag === "Stopping"
}

/** Whether it waits to be started again. */
export const isWaiting = (entry: Entry): boolean => entry.status._tag === "Restarting"

/** Whether its supervisor is about to start it again, or doing so: not up, and not to be started by a request. */
export const isRestarting = (entry: Entry): boolean =>
  entry.status._tag === "Restarting" || (entry.status._tag === "Starting" && entry.status.request === undefined)

/** One decision in the making: a state that may still change, and the commands so far. */
export class Draft {
  readonly options: Options
  readonly commands: Array<Command> = []
  phase: Phase
  children: Children<Entry>
  plans: ReadonlyArray<Plan>
  nextOrder: number
  nextTicket: number
  consulting: number
  private specs: number
  private active: number
  private supervisors: number
  private workers: number
  significant: number
  held: number
  loose: number

  constructor(state: State) {
    this.options = state.options
    this.phase = state.phase
    this.children = state.children
    this.plans = state.plans
    this.nextOrder = state.nextOrder
    this.nextTicket = state.nextTicket
    this.consulting = state.consulting
    this.specs = state.counts.specs
    this.active = state.counts.active
    this.supervisors = state.counts.supervisors
    this.workers = state.counts.workers
    this.significant = state.counts.significant
    this.held = state.counts.held
    this.loose = state.counts.loose
  }

  get(id: string): Entry | undefined {
    return this.children.get(id)
  }

  /** A child that was not there before. */
  add(entry: Entry): void {
    this.count(entry, 1)
    this.children = this.children.set(entry)
  }

  /** What is known of a child from now on, in place of what is known of it now: it is not looked up again. */
  replace(now: Entry, next: Entry): void {
    this.count(now, -1)
    this.add(next)
  }

  status(now: Entry, status: Status, plan: number | undefined): void {
    this.replace(now, { ...now, status, plan })
  }

  remove(entry: Entry): void {
    this.count(entry, -1)
    this.children = this.children.without(entry.spec.id)
    this.commands.push({ _tag: "Forget", id: entry.spec.id })
  }

  do(command: Command): void {
    this.commands.push(command)
  }

  ticket(): number {
    return this.nextTicket++
  }

  plan(id: number | undefined): Plan | undefined {
    return id === undefined ? undefined : this.plans.find((plan) => plan.id === id)
  }

  replan(plan: Plan): void {
    this.plans = this.plans.map((other) => other.id === plan.id ? plan : other)
  }

  state(): State {
    return {
      options: this.options,
      phase: this.phase,
      children: this.children,
      counts: {
        specs: this.specs,
        active: this.active,
        supervisors: this.supervisors,
        workers: this.workers,
        significant: this.significant,
        held: this.held,
        loose: this.loose
      },
      plans: this.plans,
      nextOrder: this.nextOrder,
      nextTicket: this.nextTicket,
      consulting: this.consulting
    }
  }

  private count({ plan, spec, status }: Entry, by: 1 | -1): void {
    const { _tag } = status
    this.specs += by
    if (spec.kind === "worker") this.workers += by
    else this.supervisors += by
    if (_tag === "Running" || _tag === "Stopping") this.active += by
    if (spec.significant && _tag !== "Down" && _tag !== "Parked") this.significant += by
    if (_tag === "Parked" || (_tag === "Down" && status.why === "stranded")) this.held += by
    if (plan === undefined && (_tag === "Starting" || _tag === "Stopping")) this.loose += by
  }
}

/** Down and not to be started: kept with its spec, or forgotten when temporary. */
export const down = (draft: Draft, entry: Entry, why: "terminated" | "finished" | "ignored", fate: Fate): void => {
  draft.do({ _tag: "Settle", id: entry.spec.id, fate })
  if (entry.spec.restart === "temporary") draft.remove(entry)
  else draft.status(entry, { _tag: "Down", why }, undefined)
}
