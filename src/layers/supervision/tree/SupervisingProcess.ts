/**
 * What static and dynamic supervisors have in common: what they tell and ask with, and how their own supervisor stops them.
 *
 * *Tricky*: a supervisor may have ended before whoever told it to has begun to wait, and then nobody has to: the reason is
 * there at once. One that takes longer than it may is told again, and this time to end whatever its children do; told by
 * an earlier stop, the timer finds another incarnation, or none, and does nothing.
 *
 * @since 0.1.0
 */
import { type Context, Effect, Exit } from "effect"
import { type ExitReason, killed } from "../../../domain/process/ExitReason.ts"
import type { Telemetry } from "../../observation/Telemetry.ts"
import type { Child, Fate, Parent, ShutdownMillis, Started } from "../../process/Child.ts"
import { LocalProcess } from "../../process/LocalProcess.ts"
import { Budget, type RestartSchedule } from "../restart/Budget.ts"
import { ChildNews } from "./ChildNews.ts"

/** A process that supervises others. */
export abstract class SupervisingProcess extends LocalProcess implements Child, Parent {
  readonly kind = "supervisor"
  readonly telemetry: Telemetry
  protected readonly reportContext: Context.Context<never>
  protected readonly news: ChildNews
  protected readonly budget: Budget
  protected stopWaiters: Array<(reason: ExitReason) => void> | undefined = undefined
  /** The reason its own supervisor gave it to end with. */
  protected told: ExitReason | undefined = undefined

  constructor(parent: Parent, id: string, schedule: RestartSchedule, context: Context.Context<never>) {
    super(parent, id)
    this.telemetry = parent.telemetry
    this.reportContext = context
    this.news = new ChildNews(this, parent.telemetry, context)
    this.budget = new Budget(schedule, context)
  }

  abstract start(): Effect.Effect<Started, unknown>
  abstract settle(fate: Fate): void
  abstract exited(child: Child, incarnation: number, reason: ExitReason): void
  /** Begins to end it, in order or brutally; the stop waiters are told when it has ended. */
  protected abstract shutdown(reason: ExitReason, brutal: boolean): void

  /** Whether it has an incarnation that can be ended. */
  protected get isStoppable(): boolean {
    return this.status === "running" || this.status === "starting"
  }

  stop(reason: ExitReason, shutdown: ShutdownMillis): Effect.Effect<ExitReason> {
    if (!this.isStoppable) return Exit.succeed(this.lastExit ?? reason)
    const brutal = shutdown === "brutal_kill"
    const stopped: Array<ExitReason> = []
    let arrived = (reason: ExitReason): void => {
      stopped.push(reason)
    }
    this.stopWaiters = [...this.stopWaiters ?? [], (reason) => arrived(reason)]
    this.told = brutal ? killed : reason
    this.shutdown(this.told, brutal)
    if (stopped.length > 0) return Exit.succeed(stopped[0]!)
    return Effect.callback<ExitReason>((resume) => {
      if (stopped.length > 0) return resume(Exit.succeed(stopped[0]!))
      const { incarnation } = this
      const timer = typeof shutdown === "number"
        ? Effect.runForkWith(this.reportContext)(Effect.sleep(shutdown))
        : undefined
      timer?.addObserver((exit) => {
        if (exit._tag === "Success" && this.incarnation === incarnation) this.overdue()
      })
      arrived = (reason) => {
        timer?.interruptUnsafe()
        resume(Exit.succeed(reason))
      }
    })
  }

  private overdue(): void {
    if (!this.isStoppable) return
    this.told = killed
    this.shutdown(killed, true)
  }
}
