/**
 * A supervisor that gives each child a supervisor of its own: a budget of its own, and an end that is its own.
 *
 * @since 0.1.0
 */
import { Effect, type Schedule } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { StartRecipe } from "../../process/Child.ts"
import * as Supervisor from "../../supervision/Supervisor.ts"
import type { StartError } from "../../supervision/tree/SupervisorErrors.ts"

/** How the supervisors are made. */
export interface Options {
  readonly above: Supervisor.Supervisor
  /** The budget of each. */
  readonly restart: Schedule.Schedule<unknown, ExitReason> | undefined
  /** Called with one before its child is started: it throws where there is to be none. */
  readonly made: (id: string, supervisor: Supervisor.Supervisor) => void
}

// It is gone when its child is, and what has ended it ends nothing else.
const gone = { restart: "temporary" } as const

/** Starts children under `above`, each under a supervisor of its own that ends with it. */
export const apart = (
  { above, made, restart }: Options
): Pick<Supervisor.Supervisor, "path" | "startChild" | "restartChild"> => ({
  path: above.path,
  restartChild: (id) => above.restartChild(id),
  startChild: <A, E, R>(recipe: StartRecipe<A, E, R>): Effect.Effect<A, StartError<E>, R> =>
    Effect.suspend(() => {
      const refs: Array<A> = []
      const known: StartRecipe<A, E, R> = {
        ...recipe,
        options: { ...recipe.options, significant: true },
        make: (parent, context, id) => {
          const child = recipe.make(parent, context, id)
          refs.push(child.ref)
          return child
        }
      }
      const own = Supervisor.recipe(
        { id: recipe.id, strategy: "one_for_one", autoShutdown: "any_significant", restart },
        [known]
      )
      const noted: typeof own = {
        ...own,
        options: { ...own.options, ...gone },
        make: (parent, context, id) => {
          const child = own.make(parent, context, id)
          // Before it is up: who ends it meanwhile has to know of it.
          made(recipe.id, child.ref)
          return child
        }
      }
      return Effect.map(above.startChild(noted), () => refs[0]!)
    })
})
