/**
 * The child behind a task: a worker that may start others like itself.
 *
 * *Tricky*: a worker's effect runs inside its own start as far as it gets without waiting, and ends inside its own stop. A
 * task whose effect starts a task, and so on, would nest one start in another, and one stop in another, until the stack is
 * full. So starts and stops count as hand-offs; what comes too deep waits for the next turn.
 *
 * @since 0.1.0
 */
import { type Context, Effect, type Scope } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { ChildOptions, Parent, ShutdownMillis, Started, StartRecipe } from "../../process/Child.ts"
import type { Process } from "../../process/Process.ts"
import * as Turn from "../../process/Turn.ts"
import { Worker } from "../tree/Worker.ts"

class TaskWorker<A, E, R> extends Worker<A, E, R> {
  constructor(parent: Parent, id: string, body: Effect.Effect<A, E, R | Scope.Scope>, context: Context.Context<R>) {
    super(
      parent,
      id,
      shallow(body),
      context
    )
  }

  override start(): Effect.Effect<Started> {
    Turn.enter()
    try {
      return super.start()
    } finally {
      Turn.leave()
    }
  }

  override stop(reason: ExitReason, shutdown: ShutdownMillis): Effect.Effect<ExitReason> {
    Turn.enter()
    try {
      return super.stop(reason, shutdown)
    } finally {
      Turn.leave()
    }
  }
}

/** Goes on at once, or in the next turn when this stack is deep. */
export const shallow = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Turn.isShallow() ? effect : Effect.andThen(Effect.yieldNow, effect))

/** The start recipe of a task. */
export const taskRecipe = <A, E, R>(
  id: string,
  effect: Effect.Effect<A, E, R>,
  options: ChildOptions
): StartRecipe<Process, never, Exclude<R, Scope.Scope>> => ({
  id,
  kind: "worker",
  options,
  make: (parent, context, id) => {
    // What the effect needs beyond its Scope is what the recipe needs.
    const body = effect as Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope>
    const process = new TaskWorker(parent, id, body, context)
    return { child: process, ref: process }
  }
})
