/**
 * A supervisor's restart budget: any Schedule, asked once for every decision to restart.
 *
 * A plain `Restart.intensity`, which is what most supervisors have, carries its limit: it is answered from its window,
 * with no Schedule in between. An end that is final (`isFinal`) is answered before the Schedule is asked.
 *
 * Elapsed time is monotonic: a Schedule is given the date at which the budget was made, and what has passed since. So
 * no change of the wall clock is a restart more or less; a Schedule of dates (`Schedule.cron`) goes by that date, too.
 *
 * *Tricky*: (1) A Schedule keeps its progress between its steps, so they are taken one after the other, in the order of
 * the questions; one that answers without waiting is answered without a fiber, or in a fiber that has ended already.
 * (2) Answers to questions asked by an incarnation that has ended are dropped (`close`). (3) A Schedule is foreign
 * code: one that fails, dies or answers nonsense is exhausted, and that is logged.
 *
 * @since 0.1.0
 */
import { Cause, Clock, Context, type Duration, Effect, type Exit, type Pull, Schedule } from "effect"
import { pathText } from "../../../domain/observation/Lifecycle.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import { isCharged, isFinal } from "../../../domain/supervision/ChildSpec.ts"
import * as Intensity from "../../../domain/supervision/restart/Intensity.ts"
import type { BudgetAnswer } from "../../../domain/supervision/SupervisionEvents.ts"
import { bounded } from "../../../domain/text/ForeignCause.ts"
import { ask } from "../../../domain/text/ForeignText.ts"
import { logIn } from "../../observation/SafeLog.ts"
import { execute, guarded } from "../../process/Execute.ts"
import { delayOf, hasEnded, instantOf } from "../../process/Timer.ts"

/** Decides on restarts: done means give up. */
export type RestartSchedule = Schedule.Schedule<unknown, ExitReason>

/** Where a Schedule that is a plain intensity has its limit. */
export const plainLimit = "~heirloom/Restart/limit"

const limitOf = (
  schedule: RestartSchedule & { readonly [plainLimit]?: Intensity.Limit }
): Intensity.Limit | undefined => ask(() => schedule[plainLimit], undefined)

type Step = (now: number, input: ExitReason) => Pull.Pull<[unknown, Duration.Duration], never, unknown>

/** The progress of one incarnation of a supervisor through its Schedule. */
export class Budget {
  private readonly schedule: RestartSchedule
  private readonly path: ReadonlyArray<string>
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock
  private readonly limit: Intensity.Limit | undefined
  /** The date at which monotonic time began. */
  private readonly origin: number
  private window: Intensity.Window | undefined
  private step: Step | undefined = undefined
  private questions: Array<() => void> = []
  private busy = false
  private incarnation = 0

  /** `path` is the supervisor's, for the log. */
  constructor(schedule: RestartSchedule, path: ReadonlyArray<string>, context: Context.Context<never>) {
    this.schedule = schedule
    this.path = path
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
    this.origin = this.clock.currentTimeMillisUnsafe() - instantOf(this.clock)
    this.limit = limitOf(schedule)
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

  /** What of it is used now. */
  get usage(): Intensity.Usage {
    const { limit, window } = this
    if (limit === undefined || window === undefined) return { _tag: "Schedule" }
    return { _tag: "Intensity", used: window.used(instantOf(this.clock)), ...limit }
  }

  /**
   * Asks for one more restart at once, at this instant of monotonic time. False says that {@link consult} has to be
   * asked: the budget is a Schedule, or refuses. A refusal is not counted, so asking again costs nothing.
   */
  grants(instant: number, reason: ExitReason): boolean {
    if (isFinal(reason)) return false
    return !isCharged(reason) || (this.window !== undefined && this.window.allow(instant))
  }

  /** Asks; `answered` is called at once when the Schedule does not wait. */
  consult(reason: ExitReason, answered: (answer: BudgetAnswer) => void): void {
    if (isFinal(reason)) return answered(exhausted)
    if (!isCharged(reason)) return answered(atOnce)
    const instant = instantOf(this.clock)
    if (this.window !== undefined) return answered(this.window.allow(instant) ? atOnce : exhausted)
    const now = this.origin + instant
    // Those that wait were asked before this one, also while the last is being answered.
    if (this.busy || this.questions.length > 0) this.questions.push(() => this.ask(now, reason, answered))
    else this.ask(now, reason, answered)
  }

  private ask(now: number, reason: ExitReason, answered: (answer: BudgetAnswer) => void): void {
    const { incarnation, step } = this
    this.busy = true
    const answer = step === undefined ? this.first(now, reason) : stepped(step, now, reason)
    execute(this.context, answer, (exit) => {
      if (this.incarnation !== incarnation) return
      this.busy = false
      answered(this.answerOf(exit))
      if (!this.busy) this.questions.shift()?.()
    })
  }

  private first(now: number, reason: ExitReason): ReturnType<Step> {
    const { incarnation } = this
    return Effect.flatMap(guarded("a restart Schedule", () => Schedule.toStep(this.schedule)), (step) => {
      if (this.incarnation === incarnation) this.step = step
      return stepped(step, now, reason)
    })
  }

  private answerOf(exit: Exit.Exit<[unknown, Duration.Duration], Cause.Done<unknown>>): BudgetAnswer {
    if (exit._tag === "Failure") {
      if (!hasEnded(exit.cause)) this.complain(exit.cause)
      return exhausted
    }
    const millis = delayOf(exit.value)
    if (millis !== undefined) return { _tag: "Delay", millis }
    this.complain(Cause.die(new TypeError("a step of a restart Schedule must answer an output and a Duration")))
    return exhausted
  }

  private complain(cause: Cause.Cause<unknown>): void {
    const text = `The restart Schedule of ${
      pathText(this.path)
    } failed: no restart is left. Mend the Schedule, or give another.`
    logIn(this.context, Effect.logError(text, bounded(cause)))
  }
}

const stepped: (step: Step, now: number, input: ExitReason) => ReturnType<Step> = (step, now, input) =>
  guarded("a step of a restart Schedule", () => step(now, input))

const atOnce: BudgetAnswer = { _tag: "Delay", millis: 0 }
const exhausted: BudgetAnswer = { _tag: "Exhausted" }
