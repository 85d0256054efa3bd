/**
 * Supervisors: children built as Layers, restarted by recipe.
 *
 * *Building* a child Layer registers a start recipe and a stable reference with the nearest supervisor; *restarting*,
 * at any level, runs recipes in fresh Scopes and never rebuilds Layers, so services keep their identity across every
 * crash. What a restart must renew belongs in the behaviour's own Effect.
 *
 * Do not use a supervisor to retry an Effect (`Effect.retry` does) or to hold a resource (a plain Layer does). Use
 * `DynamicSupervisor` for many children of one kind that come and go.
 *
 * @since 0.1.0
 */
import { Cause, Context, Effect, Exit, Function, Layer, Result, type Scope } from "effect"
import { refusal } from "../../domain/options/GivenOption.ts"
import type { InvalidOption } from "../../domain/options/InvalidOption.ts"
import * as ChildSpec from "../../domain/supervision/ChildSpec.ts"
import type { ChildOptions, StartRecipe } from "../process/Child.ts"
import { madeBy } from "../process/Execute.ts"
import { StaticHandle } from "./static/StaticHandle.ts"
import { type AnyLayer, asChild, build, make, type Options } from "./static/SupervisorLayer.ts"
import { layerOf, recipeOf, recipesOf } from "./tree/Given.ts"
import { overriding, specFrom, type SpecOverride } from "./tree/Override.ts"
import { Supervisor } from "./tree/SupervisorHandle.ts"
import { workerRecipe } from "./tree/Worker.ts"

export type { StartRecipe } from "../process/Child.ts"
export type { Options } from "./static/SupervisorLayer.ts"
export { launch, type LaunchOptions } from "./tree/Launch.ts"
export type { SpecOverride } from "./tree/Override.ts"
export { ChildError, RootEnded, StartError, type StartErrorReason } from "./tree/SupervisorErrors.ts"
export { type ChildCounts, type ChildInfo, type StartedChild, Supervisor } from "./tree/SupervisorHandle.ts"
export { workerRecipe } from "./tree/Worker.ts"

/**
 * The Layer of a supervisor over `Children`: what they provide, what they may fail with, and what they need beyond what
 * those before them provide.
 *
 * @category models
 * @since 0.1.0
 */
export type Supervised<Children, Out = never, E = never, R = never> = Children extends
  readonly [infer Head extends AnyLayer, ...infer Rest] ? Supervised<
    Rest,
    Out | Layer.Success<Head>,
    E | Layer.Error<Head>,
    R | Exclude<Layer.Services<Head>, Out | Supervisor>
  >
  : Layer.Layer<Out, E, R>

/**
 * A supervisor over children given as Layers (OTP: `supervisor:start_link/2`, `init/1`).
 *
 * **When to use**
 *
 * For every part of an app that should be repaired as one: the children that belong together, in the order in which
 * they need each other.
 *
 * **Details**
 *
 * Children are built one after the other, each seeing the services of those before it; a child that needs one that
 * comes later does not compile. The nearest supervisor in the context becomes its parent; without one it is a root. A
 * child whose init fails at first fails the build with its typed error, and what was started is stopped in reverse
 * order. Closing the layer's scope stops the children in reverse order, each within its shutdown time. A Layer that
 * registers nothing is a resource: built once, never restarted, released after all children have stopped. Each
 * supervisor builds its children with a memo map of its own, so one Layer value under two supervisors is two children;
 * twice under one it is one.
 *
 * When the supervisor itself is restarted, its own children come back, those added at run time are gone (as in OTP),
 * and the budget begins anew. A root that gives up stays down: calls to its servers answer `NotRunning`.
 *
 * **Example** (a worker that is restarted for ever, with growing delays)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Restart, Supervisor } from "heirloom"
 *
 * const App = Supervisor.layer({ strategy: "one_for_one", restart: Restart.backoff() }, [
 *   Supervisor.worker("poller", Effect.never)
 * ])
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <const Children extends ReadonlyArray<AnyLayer>>(
  options: Options,
  children: Children
): Supervised<Children> =>
  // The type says what building these layers in this order needs and gives; a loop over a tuple cannot.
  Layer.effectContext(Effect.map(build(options, children), ({ services }) => services)) as Layer.Layer<
    never,
    unknown,
    unknown
  > as Supervised<Children>

/**
 * The key of one supervisor, for an app that wants its handle.
 *
 * @category models
 * @since 0.1.0
 */
export interface SupervisorClass<Self, Id extends string> extends Context.ServiceClass<Self, Id, Supervisor> {
  /** As {@link layer}, and provides the handle. The id is the class's own unless `options.id` says otherwise. */
  layer<const Children extends ReadonlyArray<AnyLayer>>(
    options: Options,
    children: Children
  ): Supervised<Children, Self>
}

/**
 * Declares a supervisor whose handle is a service.
 *
 * **When to use**
 *
 * When the app starts, terminates or lists children at run time.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Supervisor } from "heirloom"
 *
 * class Workers extends Supervisor.Service<Workers>()("app/Workers") {}
 *
 * const WorkersLive = Workers.layer({ strategy: "one_for_one" }, [])
 *
 * const program = Effect.gen(function*() {
 *   const workers = yield* Workers
 *   yield* workers.startChild(Supervisor.workerRecipe("ticker", Effect.never))
 *   return yield* workers.countChildren // { specs: 1, active: 1, supervisors: 0, workers: 1 }
 * }).pipe(Effect.provide(WorkersLive))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() => <const Id extends string>(id: Id): SupervisorClass<Self, Id> => {
  const Key = Context.Service<Self, Supervisor>()(id)
  return Object.assign(Key, {
    layer: <const Children extends ReadonlyArray<AnyLayer>>(options: Options, children: Children) =>
      Layer.effectContext(
        Effect.map(
          build(options, children, id),
          ({ handle, services }) => Context.add(services, Key, handle)
        )
      ) as Layer.Layer<never, unknown, unknown> as Supervised<Children, Self>
  })
}

/**
 * Gives the one child that a Layer registers a spec of its own.
 *
 * **Details**
 *
 * What is not given stays as the child brings it, or as a `Supervisor.child` within says. `id` names the child under
 * its supervisor.
 *
 * **Gotchas**
 *
 * A Layer that registers no child, or more than one, is a defect: `InvalidOption`. It registers none when the very same
 * Layer value was built under this supervisor before; `Layer.fresh` makes another of it.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Supervisor } from "heirloom"
 *
 * const App = Supervisor.layer({ strategy: "one_for_one" }, [
 *   Supervisor.worker("poller", Effect.never).pipe(Supervisor.child({ id: "prices", shutdown: "10 seconds" }))
 * ])
 * ```
 *
 * @category children
 * @since 0.1.0
 */
export const child: {
  (spec: SpecOverride): <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R>
  <A, E, R>(layer: Layer.Layer<A, E, R>, spec: SpecOverride): Layer.Layer<A, E, R>
} = Function.dual(
  2,
  <A, E, R>(layer: Layer.Layer<A, E, R>, spec: SpecOverride): Layer.Layer<A, E, R> =>
    Layer.fromBuildMemo((memoMap, scope) =>
      Effect.flatMap(
        overriding(spec, Layer.buildWithMemoMap(layerOf("Supervisor.child", layer), memoMap, scope)),
        ([built, taken]) =>
          taken === 1 ? Exit.succeed(built) : Exit.die(
            refusal(
              {
                of: "Supervisor.child",
                option: "the number of children that its layer registers",
                given: taken
              },
              taken === 0
                ? "1: this layer is a resource, or this very value was built under this supervisor before"
                : "1: a spec is for one"
            )
          )
      )
    )
)

/**
 * Supervises any Effect.
 *
 * **Details**
 *
 * Each incarnation runs in a fiber and a Scope of its own. Completing is a normal end, failing or dying a crash. It
 * counts as started when its fiber is: there is no init to wait for. Defaults as for every worker: `permanent`, 5
 * seconds.
 *
 * **Gotchas**
 *
 * A permanent worker that completes is started again, and each time the budget is charged: a job that ends is
 * `transient`.
 *
 * @category children
 * @since 0.1.0
 */
export const worker = <A, E, R>(
  id: string,
  effect: Effect.Effect<A, E, R>,
  spec?: ChildOptions
): Layer.Layer<never, never, Exclude<R, Scope.Scope> | Supervisor> =>
  Layer.effectDiscard(
    Effect.flatMap(Supervisor, (supervisor) => supervisor.register(workerRecipe(id, effect, spec)))
  )

/**
 * The start recipe of a supervisor over recipes, for `startChild`: trees that are made at run time.
 *
 * **Details**
 *
 * Its children start in order, and a failure of one fails the start of the whole, with what was started stopped in
 * reverse.
 *
 * @category recipes
 * @since 0.1.0
 */
export const recipe = <E = never, R = never>(
  options: Options & { readonly id: string },
  children: ReadonlyArray<StartRecipe<unknown, E, R>>
): StartRecipe<Supervisor, E, R> => supervising(options, recipesOf("Supervisor.recipe", children))

const supervising = <E, R>(
  options: Options & { readonly id: string },
  children: ReadonlyArray<StartRecipe<unknown, E, R>>
): StartRecipe<Supervisor, E, R> => ({
  ...recipeOf("Supervisor.recipe", options),
  make: (parent, context, id) => {
    const process = make(parent, id, options, context)
    const handle = new StaticHandle(process)
    const own = Context.add(context, Supervisor, handle)
    process.seeds = () => {
      // All of them or none: a start that fails here is tried again.
      const seeds = new Map<string, () => void>()
      for (const child of children) {
        const spec = specFrom(child, undefined, process.options.autoShutdown)
        if (Result.isFailure(spec)) throw spec.failure
        if (seeds.has(child.id)) throw ChildSpec.taken(child.id)
        const unmet = options.strategy === "dependents"
          ? ChildSpec.unmetNeed(spec.success, (id) => seeds.has(id))
          : undefined
        if (unmet !== undefined) throw unmet
        const made = madeBy(() => child.make(process, own, child.id))
        if (made._tag === "Failure") throw Cause.squash(made.cause)
        seeds.set(child.id, () => process.seed(spec.success, made.value))
      }
      for (const seed of seeds.values()) seed()
    }
    handle.sealed = true
    // Its start fails with what its children fail with, and each of them with an E.
    return { child: asChild<E>(process), ref: handle }
  }
})

/**
 * Completes specifications and checks them, without starting anything (OTP: `supervisor:check_childspecs/2`).
 *
 * **Details**
 *
 * Fails with the first thing that is wrong: which child, which field, and what to do about it. `autoShutdown` is that
 * of the supervisor they are meant for; default `"never"`.
 *
 * @category checks
 * @since 0.1.0
 */
export const checkChildSpecs = (
  specs: ReadonlyArray<ChildSpec.Draft>,
  autoShutdown: ChildSpec.AutoShutdown = "never"
): Result.Result<ReadonlyArray<ChildSpec.ChildSpec>, InvalidOption> => ChildSpec.makeAll(specs, autoShutdown)
