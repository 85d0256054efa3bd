/**
 * Dynamic supervisors: any number of children that come and go at run time.
 *
 * Each child is restarted on its own (`one_for_one`), stopped concurrently with the others, and known by its reference,
 * not by an id. Use `Supervisor` for the fixed parts of an app, which depend on each other and start in order.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Option, type Schedule, type Scope } from "effect"
import { pathText } from "../../domain/observation/Lifecycle.ts"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import type { ExitReason } from "../../domain/process/ExitReason.ts"
import type { ChildOptions, Parent, StartRecipe } from "../process/Child.ts"
import { scheduleOf } from "../process/Timer.ts"
import { DynamicProcess } from "./dynamic/DynamicProcess.ts"
import { ReferenceHandle } from "./dynamic/ReferenceHandle.ts"
import * as Restart from "./restart/Restart.ts"
import { onGiveUps } from "./static/SupervisorLayer.ts"
import type { DynamicSupervisor } from "./tree/DynamicHandle.ts"
import { recipeOf } from "./tree/Given.ts"
import { withoutOverride } from "./tree/Override.ts"
import { startRoot } from "./tree/Root.ts"
import { Supervisor } from "./tree/SupervisorHandle.ts"

export type { DynamicSupervisor, Target } from "./tree/DynamicHandle.ts"

/**
 * How a dynamic supervisor works.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** Its id under its parent, or its path when it is a root. Default: the id of its class. */
  readonly id?: string | undefined
  /** When to restart, after how long, and when to give up. Default: 3 restarts within 5 seconds, over all children. */
  readonly restart?: Schedule.Schedule<unknown, ExitReason> | undefined
  /** As many children as there may be, those that are being restarted included. Default: no limit. */
  readonly maxChildren?: number | undefined
  /** What giving up means: stop all children and fail to the parent (the default), or keep the one child parked. */
  readonly onGiveUp?: "escalate" | "park" | undefined
  /** How long its parent gives it to stop. Default `"infinity"`. */
  readonly shutdown?: ChildOptions["shutdown"]
}

/**
 * The key of one dynamic supervisor.
 *
 * @category models
 * @since 0.1.0
 */
export interface DynamicSupervisorClass<Self, Id extends string>
  extends Context.ServiceClass<Self, Id, DynamicSupervisor>
{
  /** The dynamic supervisor: a child of the nearest supervisor, or a root when there is none. */
  layer(options?: Options): Layer.Layer<Self>
  /** It as the nearest supervisor of what is provided with this. */
  readonly asSupervisor: Layer.Layer<Supervisor, never, Self>
}

/**
 * Declares a dynamic supervisor.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { DynamicSupervisor, Supervisor } from "heirloom"
 *
 * class Jobs extends DynamicSupervisor.Service<Jobs>()("app/Jobs") {}
 *
 * const program = Effect.gen(function*() {
 *   const jobs = yield* Jobs
 *   const job = yield* jobs.startChild(Supervisor.workerRecipe("job", Effect.never, { restart: "transient" }))
 *   yield* jobs.terminateChild(job)
 *   return yield* jobs.countChildren // { specs: 0, active: 0, supervisors: 0, workers: 0 }
 * }).pipe(Effect.provide(Jobs.layer({ maxChildren: 100 })))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() => <const Id extends string>(id: Id): DynamicSupervisorClass<Self, Id> => {
  const Key = Context.Service<Self, DynamicSupervisor>()(id)
  return Object.assign(Key, {
    layer: (options?: Options): Layer.Layer<Self> => Layer.effect(Key, build({ ...options, id: options?.id ?? id })),
    asSupervisor: Layer.effect(Supervisor, Effect.map(Key, (handle) => handle.asSupervisor))
  })
}

/**
 * The start recipe of a dynamic supervisor, for trees that are made at run time.
 *
 * @category recipes
 * @since 0.1.0
 */
export const recipe = (options: Options & { readonly id: string }): StartRecipe<DynamicSupervisor> => ({
  ...recipeOf("DynamicSupervisor.recipe", options),
  make: (parent, context, id) => {
    const process = make(parent, id, options, context)
    return { child: process, ref: new ReferenceHandle(process) }
  }
})

const build = Effect.fnUntraced(function*(options: Options & { readonly id: string }) {
  const context = yield* Effect.context<Scope.Scope>()
  const nearest = Context.getOption(context, Supervisor)
  if (Option.isSome(nearest)) return yield* nearest.value.register(recipe(options))
  const own = withoutOverride(context)
  return new ReferenceHandle(yield* startRoot(own, (parent) => make(parent, options.id, options, own)))
})

const make = (parent: Parent, id: string, options: Options, context: Context.Context<never>): DynamicProcess => {
  const given = GivenOption.givenTo(() => pathText([...parent.path, id]))
  const maxChildren = GivenOption.between(given("maxChildren", options.maxChildren ?? Infinity), 0, Infinity)
  const onGiveUp = GivenOption.oneOf(given("onGiveUp", options.onGiveUp ?? "escalate"), onGiveUps)
  if ("autoShutdown" in options && options.autoShutdown !== "never") {
    GivenOption.refuse(
      given("autoShutdown", options.autoShutdown),
      "left out: a dynamic supervisor has no significant children"
    )
  }
  if ("strategy" in options && options.strategy !== "one_for_one") {
    GivenOption.refuse(
      given("strategy", options.strategy),
      "left out: each child of a dynamic supervisor is restarted on its own"
    )
  }
  return new DynamicProcess(
    parent,
    id,
    { maxChildren, onGiveUp },
    scheduleOf(given("restart", options.restart ?? Restart.standard)),
    context
  )
}
