/**
 * A supervisor's restart budget: any Schedule, asked once for every decision to restart.
 *
 * A plain `Restart.intensity`, which is what most supervisors have, is known as the limit it is: it is answered from its
 * window, with no Schedule in between, and by monotonic time, so that no change of the clock on the wall is a restart more
 * or less. An end that is final (`isFinal`) is answered before anybody is asked.
 *
 * *Tricky*: a Schedule keeps its progress between its steps, so they are taken one after the other, in the order of the
 * questions; one that answers without waiting is answered without a fiber, or in a fiber that has ended already. Answers to
 * questions asked by an incarnation that has ended are dropped (`close`).
 *
 * @since 0.1.0
 */
import { type Cause, Clock, Context, Duration, Effect, type Exit, type Pull, Schedule } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import { isCharged, isFinal } from "../../../domain/supervision/ChildSpec.ts"
import * as Intensity from "../../../domain/supervision/restart/Intensity.ts"
import type { BudgetAnswer } from "../../../domain/supervision/SupervisionEvents.ts"
import { execute } from "../../process/Execute.ts"
import { instantOf } from "../../process/Timer.ts"

/** Decides on restarts: done means give up. */
export type RestartSchedule = Schedule.Schedule<unknown, ExitReason>

/** The limits behind those that are plain intensities. */
export const plainLimits = new WeakMap<RestartSchedule, Intensity.Limit>()

type Step = (now: number, input: ExitReason) => Pull.Pull<[unknown, Duration.Duration], never, unknown>

/** The progress of one incarnation of a supervisor through its Schedule. */
export class Budget {
  private readonly schedule: RestartSchedule
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock
  private readonly limit: Intensity.Limit | undefined
  private window: Intensity.Window | undefined
  private step: Step | undefined = undefined
  private questions: Array<() => void> = []
  private busy = false
  private incarnation = 0

  constructor(schedule: RestartSchedule, context: Context.Context<never>) {
    this.schedule = schedule
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
    this.limit = plainLimits.get(schedule)
    this.reset()
  }

  /** Begins anew; questions that wait are answered from there. */
  reset(): void {
    this.step = undefined
    this.window = this.limit === undefined ? undefined : new Intensity.Window(this.limit)
  }

  /** Drops the questions that wait: their supervisor has ended. */
  close(): void {
    this.incarnation++
    this.reset()
    this.questions = []
    this.busy = false
  }

  /**
   * Asks for one more restart at once, at this instant of monotonic time. False says that {@link consult} has to be asked:
   * the budget is a Schedule, or refuses. A refusal is not counted, so asking again costs nothing.
   */
  grants(instant: number, reason: ExitReason): boolean {
    if (isFinal(reason)) return false
    return !isCharged(reason) || (this.window !== undefined && this.window.allow(instant))
  }

  /** Asks; `answered` is called at once when the Schedule does not wait. A Schedule that fails or dies is exhausted. */
  consult(reason: ExitReason, answered: (answer: BudgetAnswer) => void): void {
    if (isFinal(reason)) return answered(exhausted)
    if (!isCharged(reason)) return answered(atOnce)
    if (this.window !== undefined) return answered(this.window.allow(instantOf(this.clock)) ? atOnce : exhausted)
    const now = this.clock.currentTimeMillisUnsafe()
    // Those that wait were asked before this one, also while the answer to the last is being told.
    if (this.busy || this.questions.length > 0) this.questions.push(() => this.ask(now, reason, answered))
    else this.ask(now, reason, answered)
  }

  private ask(now: number, reason: ExitReason, answered: (answer: BudgetAnswer) => void): void {
    const { incarnation, step } = this
    this.busy = true
    execute(this.context, step === undefined ? this.first(now, reason) : step(now, reason), (exit) => {
      if (this.incarnation !== incarnation) return
      this.busy = false
      answered(answerOf(exit))
      if (!this.busy) this.questions.shift()?.()
    })
  }

  private first(now: number, reason: ExitReason): ReturnType<Step> {
    const { incarnation } = this
    return Effect.flatMap(Schedule.toStep(this.schedule), (step) => {
      if (this.incarnation === incarnation) this.step = step
      return step(now, reason)
    })
  }
}

const answerOf = (
  exit: Exit.Exit<[unknown, Duration.Duration], Cause.Done<unknown>>
): BudgetAnswer => exit._tag === "Success" ? { _tag: "Delay", millis: Duration.toMillis(exit.value[1]) } : exhausted

const atOnce: BudgetAnswer = { _tag: "Delay", millis: 0 }
const exhausted: BudgetAnswer = { _tag: "Exhausted" }
