/**
 * The spec that `Supervisor.child` gives to the one child that its Layer registers.
 *
 * The Layer and the registration inside it know nothing of each other, so the spec travels in the context: while the
 * Layer is built a reference there holds an `Override`, and the registration takes it. As a spec is for one child, it
 * counts how often it was taken.
 *
 * *Tricky*: (1) Layers nest: an outer spec wins over an inner one, and a child that took the inner one counts for the
 * outer one, too. (2) A child's own code may build Layers later, with the context of its start: so an override closes
 * when its Layer is built, and the child's context has none.
 *
 * @since 0.1.0
 */
import { Context, Effect, Predicate, Result } from "effect"
import type { InvalidOption } from "../../../domain/options/InvalidOption.ts"
import * as ChildSpec from "../../../domain/supervision/ChildSpec.ts"
import type { ChildOptions, StartRecipe } from "../../process/Child.ts"

/**
 * What a spec may have instead of what the recipe brings.
 *
 * @category options
 * @since 0.1.0
 */
export interface SpecOverride extends ChildOptions {
  readonly id?: string | undefined
}

interface Override {
  readonly spec: SpecOverride
  taken: number
  isOpen: boolean
}

const CurrentOverride: Context.Reference<Override | undefined> = Context.Reference<Override | undefined>(
  "heirloom/Supervisor/CurrentOverride",
  { defaultValue: () => undefined }
)

/** Gives a spec to each child that is registered while `build` runs; answers what was built, and how many took it. */
export const overriding = <A, E, R>(
  spec: SpecOverride,
  build: Effect.Effect<A, E, R>
): Effect.Effect<readonly [built: A, taken: number], E, R> =>
  Effect.flatMap(CurrentOverride, (current) => {
    const outer = current?.isOpen === true ? current : undefined
    const override: Override = { spec: overridden(spec, outer?.spec), taken: 0, isOpen: true }
    return Effect.map(Effect.provideService(build, CurrentOverride, override), (built) => {
      override.isOpen = false
      if (outer !== undefined) outer.taken += override.taken
      return [built, override.taken]
    })
  })

const overridden = (spec: SpecOverride, by: SpecOverride | undefined): SpecOverride =>
  by === undefined ? spec : {
    id: by.id ?? spec.id,
    restart: by.restart ?? spec.restart,
    shutdown: by.shutdown ?? spec.shutdown,
    significant: by.significant ?? spec.significant,
    needs: by.needs ?? spec.needs
  }

/** Takes the spec that is meant for the child that is being registered, if there is one. */
export const takeOverride = (context: Context.Context<never>): SpecOverride | undefined => {
  const override = Context.get(context, CurrentOverride)
  if (override?.isOpen !== true) return undefined
  override.taken++
  return override.spec
}

/** A context without an override: for what is started, whose own code may build Layers. */
export const withoutOverride = <R>(context: Context.Context<R>): Context.Context<R> =>
  Context.add(context, CurrentOverride, undefined)

/** Completes a recipe's spec; what is no recipe, which only untyped code can write, is refused like a bad spec. */
export const specFrom = (
  recipe: StartRecipe<unknown, unknown, unknown>,
  override: SpecOverride | undefined,
  autoShutdown: ChildSpec.AutoShutdown
): Result.Result<ChildSpec.ChildSpec, InvalidOption> => {
  if (!Predicate.isObject(recipe)) return ChildSpec.noSpec(recipe, "a start recipe")
  const { id, kind, options } = recipe
  const spec = ChildSpec.make({
    id: override?.id ?? id,
    kind,
    restart: override?.restart ?? options?.restart,
    shutdown: override?.shutdown ?? options?.shutdown,
    significant: override?.significant ?? options?.significant,
    needs: override?.needs ?? options?.needs
  }, autoShutdown)
  return typeof recipe.make === "function" || Result.isFailure(spec)
    ? spec
    : ChildSpec.wrong(spec.success.id, "make", recipe.make, "the function that makes the child")
}
