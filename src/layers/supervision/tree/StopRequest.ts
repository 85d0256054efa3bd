/**
 * How a process is stopped by its supervisor: the reason it was given, who waits, and when the waiting is over.
 *
 * One object serves all incarnations of a process; what it holds concerns the one that is alive.
 *
 * *Tricky*: a process may have ended before the caller begins to wait: then the answer is an outcome, and there is
 * nothing to wait for. A process that takes longer than it may is ended once more, brutally. A later stop adds a limit
 * of its own, and the first limit that is reached counts.
 *
 * @since 0.1.0
 */
import { type Context, Deferred, type Effect, Exit } from "effect"
import { type ExitReason, killed } from "../../../domain/process/ExitReason.ts"
import type { Shutdown } from "../../../domain/process/Fate.ts"
import { outcomeOf } from "../../process/Execute.ts"
import { after } from "../../process/Timer.ts"

/** Begins to end the process: in order, or at once. */
export type End = (reason: ExitReason, brutal: boolean) => void

/** The stop of one process. */
export class StopRequest {
  /** The reason that the incarnation was given to end with, by its supervisor or by an exit signal. */
  reason: ExitReason | undefined = undefined
  private readonly context: Context.Context<never>
  private ended: Deferred.Deferred<ExitReason> | undefined = undefined
  private limits: ReadonlyArray<() => void> = []

  constructor(context: Context.Context<never>) {
    this.context = context
  }

  /** Ends the incarnation that is alive, and waits for its end. */
  stop(reason: ExitReason, shutdown: Shutdown, end: End): Effect.Effect<ExitReason> {
    const ended = this.ended ??= Deferred.makeUnsafe<ExitReason>()
    const begin = (reason: ExitReason, brutal: boolean): void => {
      this.reason = reason
      end(reason, brutal)
    }
    if (shutdown === "brutal_kill") begin(killed, true)
    else begin(reason, false)
    if (typeof shutdown === "number" && this.ended === ended) {
      this.limits = [...this.limits, after(this.context, shutdown, () => begin(killed, true))]
    }
    return outcomeOf(ended)
  }

  /** The incarnation has ended: what answers those who wait for that; nothing when there was no order. */
  over(reason: ExitReason): (() => void) | undefined {
    const { ended, limits } = this
    this.ended = undefined
    this.limits = []
    for (const cancel of limits) cancel()
    return ended && (() => Deferred.doneUnsafe(ended, Exit.succeed(reason)))
  }
}
