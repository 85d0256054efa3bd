/**
 * Long readings that give way: many servers may start at once, each from a large state, or one with many migrations.
 *
 * The first step is taken at once, and most readings have no other. What is left takes its turns in the queue that
 * servers with messages wait in: after some ten milliseconds the event loop has its turn, and the reading goes on
 * behind those that wait.
 *
 * @since 0.1.0
 */
import { Clock, Context, Effect, Exit, Scheduler } from "effect"
import * as Turn from "../../process/Turn.ts"

/** Takes all steps of something, with turns in between for others. */
export type Pace = <A>(steps: Generator<void, A>) => Effect.Effect<A>

/** Some of something's steps. */
class Steps<A> implements Turn.Ready {
  queued = false
  isWanted = true
  private readonly queue: Turn.RunQueue
  private readonly clock: Clock.Clock
  private readonly steps: Generator<void, A>
  private readonly done: (exit: Exit.Exit<A>) => void

  constructor(queue: Turn.RunQueue, clock: Clock.Clock, steps: Generator<void, A>, done: (exit: Exit.Exit<A>) => void) {
    this.queue = queue
    this.clock = clock
    this.steps = steps
    this.done = done
  }

  drain(): void {
    while (this.isWanted) {
      if (this.queue.spendLarge(this.clock)) return this.queue.push(this)
      const exit = this.step()
      if (exit !== undefined) return this.done(exit)
    }
  }

  private step(): Exit.Exit<A> | undefined {
    try {
      const step = this.steps.next()
      return step.done === true ? Exit.succeed(step.value) : undefined
    } catch (defect) {
      return Exit.die(defect)
    }
  }
}

/** The pace of those that run in a context. */
export const paceIn = (context: Context.Context<never>): Pace => {
  const queue = Turn.runQueue(Context.get(context, Scheduler.Scheduler))
  const clock = Context.get(context, Clock.Clock)
  return <A>(steps: Generator<void, A>) =>
    Effect.suspend(() => {
      const first = steps.next()
      if (first.done === true) return Exit.succeed(first.value)
      return Effect.callback<A>((resume) => {
        const rest = new Steps(queue, clock, steps, resume)
        queue.push(rest)
        return Effect.sync(() => {
          rest.isWanted = false
        })
      })
    })
}
