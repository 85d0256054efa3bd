/**
 * What a restart budget promises, held against the events of a tree: never more restarts than it allows, never fewer.
 */
import { Cause, Clock, Effect, Layer } from "effect"
import { pathText } from "../../../src/domain/observation/Lifecycle.ts"
import { type ExitReason, isOrderly, toCause } from "../../../src/domain/process/ExitReason.ts"
import { adviceOf } from "../../../src/domain/process/RestartAdvice.ts"
import { type Lifecycle, Telemetry } from "../../../src/index.ts"
import { Simulation } from "../../../src/testing.ts"

/** So many restarts within so many milliseconds. */
export interface Limit {
  readonly restarts: number
  readonly within: number
}

const adviceIn = (reason: ExitReason) =>
  toCause(reason).reasons.map((one) => adviceOf(Cause.isFailReason(one) ? one.error : undefined))

/**
 * Whether a restart after this end is one of the budget's: the retries of a store that is away are bounded by
 * themselves.
 */
const isCharged = (reason: ExitReason): boolean =>
  reason._tag !== "NotConserved" || !adviceIn(reason).includes("uncharged")

/** Whether no start can succeed any more, so that no budget is asked. */
const isFutile = (reason: ExitReason): boolean => adviceIn(reason).includes("futile")

/** The supervisors that restart one child at a time, by their paths, and the restarts of each that may count. */
export class BudgetLaw {
  private readonly limits: ReadonlyMap<string, Limit>
  private readonly restarts = new Map<string, Array<number>>()
  /** The processes whose last event was a crash, or a start that failed. */
  private readonly failed = new Set<string>()

  constructor(limits: ReadonlyMap<string, Limit>) {
    this.limits = limits
  }

  /** Looks at the next event; says what is wrong with it. */
  see(event: Lifecycle.Lifecycle, now: number): string | undefined {
    const path = pathText(event.path)
    if (event._tag === "Exited" || event._tag === "StartFailed") {
      if (event._tag === "StartFailed" || !isOrderly(event.reason)) this.failed.add(path)
      // A supervisor that is started again begins with a budget of its own.
      this.restarts.delete(path)
    } else if (event._tag === "Started") this.failed.delete(path)
    else if (event._tag === "Restarting") {
      const isCounted = this.failed.delete(path) && isCharged(event.reason)
      return isCounted ? this.restarted(pathText(event.path.slice(0, -1)), now) : undefined
    } else if (event._tag === "GaveUp" && !isFutile(event.reason)) return this.gaveUp(path, now)
    return undefined
  }

  private restarted(supervisor: string, now: number): string | undefined {
    const limit = this.limits.get(supervisor)
    if (limit === undefined) return undefined
    const times = [...(this.restarts.get(supervisor) ?? []).filter((at) => at > now - limit.within + 1), now]
    this.restarts.set(supervisor, [...(this.restarts.get(supervisor) ?? []), now].slice(-limit.restarts - 1))
    if (times.length <= limit.restarts) return undefined
    return `${supervisor} has restarted its children ${times.length} times within ${limit.within} ms: it may ${limit.restarts}`
  }

  private gaveUp(supervisor: string, now: number): string | undefined {
    const limit = this.limits.get(supervisor)
    if (limit === undefined) return undefined
    const times = (this.restarts.get(supervisor) ?? []).filter((at) => at >= now - limit.within - 1)
    if (times.length >= limit.restarts) return undefined
    return `${supervisor} gave up after ${times.length} restarts within ${limit.within} ms: it has ${limit.restarts}`
  }
}

/** Watches the budgets of an app, and tells the run what is wrong. */
export const layer = (limits: ReadonlyMap<string, Limit>): Layer.Layer<never> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const telemetry = yield* Telemetry.CurrentTelemetry
    const broken = yield* Simulation.Violations
    const clock = yield* Clock.Clock
    const law = new BudgetLaw(limits)
    telemetry?.subscribe((event) => {
      const what = law.see(event, Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
      if (what !== undefined) broken(what)
    })
  }))
