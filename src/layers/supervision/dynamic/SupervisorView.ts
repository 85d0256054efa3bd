/**
 * A dynamic supervisor as the nearest supervisor, for code that starts its processes under `Supervisor`.
 *
 * Starting works; ids mean nothing to it, so every request by id fails with `NotFound`.
 *
 * @since 0.1.0
 */
import { type Context, Effect, type Scope } from "effect"
import { pathText } from "../../../domain/observation/Lifecycle.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Child, Started, StartRecipe } from "../../process/Child.ts"
import type { DynamicSupervisor } from "../tree/DynamicHandle.ts"
import { type SpecOverride, takeOverride, withoutOverride } from "../tree/Override.ts"
import { ChildError, type StartError } from "../tree/SupervisorErrors.ts"
import {
  asChildFailure,
  type ChildInfo,
  type StartedChild,
  type Supervisor,
  SupervisorReference
} from "../tree/SupervisorHandle.ts"

/** The view of `handle`. */
export class SupervisorView extends SupervisorReference implements Supervisor {
  private readonly handle: DynamicSupervisor

  constructor(handle: DynamicSupervisor) {
    super(handle)
    this.handle = handle
  }

  readonly startChild = <A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override?: SpecOverride
  ): Effect.Effect<A, StartError<E>, R> => this.handle.startChild(renamed(recipe, override), override)

  readonly startChildInfo = <A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override?: SpecOverride
  ): Effect.Effect<StartedChild<A>, StartError<E>, R> => this.handle.startChildInfo(renamed(recipe, override), override)

  readonly register = <A, E, R>(recipe: StartRecipe<A, E, R>): Effect.Effect<A, E, R | Scope.Scope> =>
    Effect.contextWith((context: Context.Context<R | Scope.Scope>) => {
      const override = takeOverride(context)
      const made: Array<Child> = []
      const known: StartRecipe<A, E, R> = {
        ...renamed(recipe, override),
        make: (parent, context, id) => {
          const child = recipe.make(parent, context, id)
          made.push(child.child)
          return child
        }
      }
      return Effect.acquireRelease(
        Effect.updateContext(asChildFailure(this.handle.startChild(known, override)), withoutOverride<R | Scope.Scope>),
        () => Effect.forEach(made, (child) => Effect.ignore(this.handle.terminateChild(child))),
        { interruptible: true }
      )
    })

  readonly terminateChild = (id: string): Effect.Effect<void, ChildError> => this.unknown(id)

  readonly restartChild = (id: string): Effect.Effect<Started, ChildError> => this.unknown(id)

  readonly deleteChild = (id: string): Effect.Effect<void, ChildError> => this.unknown(id)

  readonly resumeChild = (id: string): Effect.Effect<void, ChildError> => this.unknown(id)

  readonly whichChild = (id: string): Effect.Effect<ChildInfo, ChildError> => this.unknown(id)

  readonly stop = (reason?: ExitReason): Effect.Effect<void> => this.handle.stop(reason)

  private unknown(child: string): Effect.Effect<never, ChildError> {
    return Effect.fail(new ChildError({ supervisor: pathText(this.path), child, reason: { _tag: "NotFound" } }))
  }
}

const renamed = <A, E, R>(recipe: StartRecipe<A, E, R>, override: SpecOverride | undefined): StartRecipe<A, E, R> =>
  override?.id === undefined ? recipe : { ...recipe, id: override.id }
