/**
 * Supervisors: children built as Layers, restarted by recipe.
 *
 * *Building* a child Layer registers a start recipe and a stable reference with the nearest supervisor; *restarting*, at any
 * level, runs recipes in fresh Scopes and never rebuilds Layers, so services keep their identity across every crash. What
 * a restart must renew belongs in the behaviour's own Effect.
 *
 * Do not use a supervisor to retry an Effect (`Effect.retry` does) or to hold a resource (a plain Layer does). Use
 * `DynamicSupervisor` for many children of one kind that come and go.
 *
 * *Tricky*: a supervisor is up before its first child is built, so that building a child can start it; until the last one
 * is built, what registers belongs to its specification, later ones are run-time children. Children are built into a
 * scope of their own that closes after the tree has stopped: a resource among the children is released when nobody uses it
 * any more, and a child's own layer finalizer finds its process stopped.
 *
 * @since 0.1.0
 */
import { Context, Effect, Exit, Layer, Option, Result, type Schedule, Scope } from "effect"
import { pathText } from "../../domain/observation/Lifecycle.ts"
import { type ExitReason, shutdown } from "../../domain/server/ExitReason.ts"
import type * as ChildSpec from "../../domain/supervision/ChildSpec.ts"
import * as Strategy from "../../domain/supervision/Strategy.ts"
import type { Process } from "../naming/Process.ts"
import type { Child, ChildOptions, Parent, StartRecipe } from "./Child.ts"
import * as Restart from "./Restart.ts"
import { rootParent } from "./Root.ts"
import { InvalidSupervisor } from "./SupervisorErrors.ts"
import {
  CurrentOverride,
  type Override,
  type SpecOverride,
  StaticHandle,
  Supervisor,
  type SupervisorHandle
} from "./SupervisorHandle.ts"
import { specOf } from "./SupervisorHandle.ts"
import { SupervisorProcess } from "./SupervisorProcess.ts"
import { Worker } from "./Worker.ts"

export type { StartRecipe } from "./Child.ts"
export { launch, type LaunchOptions } from "./Launch.ts"
export { ChildError, InvalidSupervisor, RootEnded, StartError, type StartErrorReason } from "./SupervisorErrors.ts"
export {
  type ChildCounts,
  type ChildInfo,
  type SpecOverride,
  type StartedChild,
  Supervisor,
  type SupervisorHandle
} from "./SupervisorHandle.ts"

/**
 * How a supervisor works.
 *
 * @since 0.1.0
 */
export interface Options {
  /** Its id under its parent, or its path when it is a root. Default `"Supervisor"`, numbered when taken. */
  readonly id?: string | undefined
  /** Who is restarted along with a child that crashed. */
  readonly strategy: Strategy.Strategy
  /** When to restart, after how long, and when to give up. Default: 3 restarts within 5 seconds. */
  readonly restart?: Schedule.Schedule<unknown, ExitReason> | undefined
  /** Whether the end of significant children ends it. Default `"never"`. */
  readonly autoShutdown?: ChildSpec.AutoShutdown | undefined
  /**
   * What giving up means: stop all children and fail to the parent (`"escalate"`, the default), or keep the child (and the
   * group that would be restarted along) parked until `resumeChild`.
   */
  readonly onGiveUp?: "escalate" | "park" | undefined
  /** How long its parent gives it to stop. Default `"infinity"`: its children have times of their own. */
  readonly shutdown?: ChildOptions["shutdown"]
}

// Not `Layer<never, unknown, unknown>`: that would be the context for a Layer written in place, whose errors and needs
// would then be inferred as unknown.
type AnyLayer = Layer.Any

/**
 * The Layer of a supervisor over `Children`: what they provide, what they may fail with, and what they need beyond what
 * those before them provide.
 *
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
 * For every part of an app that should be repaired as one: the children that belong together, in the order in which they
 * need each other.
 *
 * **Details**
 *
 * Children are built one after the other, each seeing the services of those before it; a child that needs one that comes
 * later does not compile. The nearest supervisor in the context becomes its parent; without one it is a root. A child whose
 * init fails at first fails the build with its typed error, and what was started is stopped in reverse order. Closing the
 * layer's scope stops the children in reverse order, each within its shutdown time. A Layer that registers nothing is a
 * resource: built once, never restarted, released after all children have stopped. Each supervisor builds its children with
 * a memo map of its own, so one Layer value under two supervisors is two children; twice under one it is one.
 *
 * When the supervisor itself is restarted, its own children come back, those added at run time are gone (as in OTP), and
 * the budget begins anew. A root that gives up stays down: calls to its servers answer `NotRunning`.
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
 * @since 0.1.0
 */
export interface SupervisorClass<Self, Id extends string> extends Context.ServiceClass<Self, Id, SupervisorHandle> {
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
 * @since 0.1.0
 */
export const Service = <Self>() => <const Id extends string>(id: Id): SupervisorClass<Self, Id> => {
  const Key = Context.Service<Self, SupervisorHandle>()(id)
  return Object.assign(Key, {
    layer: <const Children extends ReadonlyArray<AnyLayer>>(options: Options, children: Children) =>
      Layer.effectContext(
        Effect.map(
          build({ ...options, id: options.id ?? id }, children),
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
 * What is not given stays as the child brings it. `id` names the child under its supervisor.
 *
 * **Gotchas**
 *
 * A Layer that registers no child, or more than one, is a defect: `InvalidSupervisor`. It registers none when the very same
 * Layer value was built under this supervisor before; `Layer.fresh` makes another of it.
 *
 * @since 0.1.0
 */
export const child = <A, E, R>(layer: Layer.Layer<A, E, R>, spec: SpecOverride): Layer.Layer<A, E, R> =>
  Layer.fromBuildMemo((memoMap, scope) => {
    const override: Override = { spec, registered: 0, open: true }
    return Layer.buildWithMemoMap(layer, memoMap, scope).pipe(
      Effect.provideService(CurrentOverride, override),
      Effect.tap(() => {
        override.open = false
        return override.registered === 1 ? Exit.void : Exit.die(
          new InvalidSupervisor({
            supervisor: "Supervisor.child",
            field: "layer",
            problem: override.registered === 0
              ? "the layer registered no child: it is a resource, or this very value was built under this supervisor before"
              : `the layer registered ${override.registered} children, and a spec is for one`
          })
        )
      })
    )
  })

/**
 * Supervises any Effect.
 *
 * **Details**
 *
 * Each incarnation runs in a fiber and a Scope of its own. Completing is a normal end, failing or dying a crash. It counts
 * as started when its fiber is: there is no init to wait for. Defaults as for every worker: `permanent`, 5 seconds.
 *
 * **Gotchas**
 *
 * A permanent worker that completes is started again, and each time the budget is charged: a job that ends is `transient`.
 *
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
 * The start recipe of a worker, for `startChild`.
 *
 * @since 0.1.0
 */
export const workerRecipe = <A, E, R>(
  id: string,
  effect: Effect.Effect<A, E, R>,
  spec?: ChildOptions
): StartRecipe<Process, never, Exclude<R, Scope.Scope>> => ({
  id,
  kind: "worker",
  options: spec ?? {},
  make: (parent, context, id) => {
    // What the effect needs beyond its Scope is what the recipe needs.
    const process = new Worker(
      parent,
      id,
      effect as Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope>,
      context
    )
    return { child: process, ref: process }
  }
})

/**
 * The start recipe of a supervisor over recipes, for `startChild`: trees that are made at run time.
 *
 * **Details**
 *
 * Its children start in order, and a failure of one fails the start of the whole, with what was started stopped in reverse.
 *
 * @since 0.1.0
 */
export const recipe = <E = never, R = never>(
  options: Options & { readonly id: string },
  children: ReadonlyArray<StartRecipe<unknown, E, R>>
): StartRecipe<SupervisorHandle, E, R> => ({
  id: options.id,
  kind: "supervisor",
  options: { shutdown: options.shutdown },
  make: (parent, context, id) => {
    const process = make(parent, id, options, context)
    const handle = new StaticHandle(process)
    const own = Context.add(context, Supervisor, handle)
    process.seeds = () => {
      for (const child of children) {
        const spec = specOf(child, undefined, process.state.options.autoShutdown)
        if (Result.isFailure(spec)) {
          const { field, id, problem } = spec.failure
          throw invalid(process.path, field, `${id}: ${problem}`)
        }
        if (process.slots.has(child.id)) {
          throw invalid(process.path, "children", `two children have the id "${child.id}"`)
        }
        process.seed(spec.success, child.make(process, own, child.id))
      }
    }
    handle.sealed = true
    // Its start fails with what its children fail with, and each of them with an E.
    return { child: asChild<E>(process), ref: handle }
  }
})

// ---- building

const make = (parent: Parent, id: string, options: Options, context: Context.Context<never>): SupervisorProcess => {
  const { autoShutdown = "never", onGiveUp = "escalate", strategy } = options
  if (!Strategy.all.includes(strategy)) {
    throw invalid([...parent.path, id], "strategy", `${String(strategy)} is none of ${Strategy.all.join(", ")}`)
  }
  if (autoShutdown !== "never" && autoShutdown !== "any_significant" && autoShutdown !== "all_significant") {
    throw invalid(
      [...parent.path, id],
      "autoShutdown",
      `${String(autoShutdown)} is none of never, any_significant, all_significant`
    )
  }
  if (onGiveUp !== "escalate" && onGiveUp !== "park") {
    throw invalid([...parent.path, id], "onGiveUp", `${String(onGiveUp)} is neither escalate nor park`)
  }
  return new SupervisorProcess(
    parent,
    id,
    { strategy, autoShutdown, onGiveUp },
    options.restart ?? Restart.standard,
    context
  )
}

const invalid = (path: ReadonlyArray<string>, field: string, problem: string) =>
  new InvalidSupervisor({ supervisor: pathText(path), field, problem })

const build = Effect.fnUntraced(function*(options: Options, children: ReadonlyArray<AnyLayer>) {
  const ambient = Context.add(yield* Effect.context<Scope.Scope>(), CurrentOverride, undefined)
  const nearest = Context.getOption(ambient, Supervisor)
  const place = yield* Scope.make()
  const inner = yield* Scope.make()
  yield* Effect.addFinalizer((exit) => Effect.andThen(Scope.close(place, exit), Scope.close(inner, exit)))
  const handle = yield* Scope.provide(
    Option.isSome(nearest)
      ? Effect.flatMap(freeId(options.id, nearest.value), (id) => nearest.value.register(nestedRecipe(options, id)))
      : startRoot(options, ambient),
    place
  )
  const memoMap = yield* Layer.makeMemoMap
  let services = Context.empty() as Context.Context<never>
  let context: Context.Context<never> = Context.add(ambient, Supervisor, handle)
  for (const child of children) {
    // The context holds what the children so far provide; the type of `layer` says that this is enough for the next.
    const built = yield* Layer.buildWithMemoMap(child as Layer.Layer<never, unknown>, memoMap, inner).pipe(
      Effect.provideContext(context)
    )
    services = Context.merge(services, built)
    context = Context.merge(context, built)
  }
  handle.sealed = true
  return { handle, services }
})

const nestedRecipe = (options: Options, id: string): StartRecipe<StaticHandle> => ({
  id,
  kind: "supervisor",
  options: { shutdown: options.shutdown },
  make: (parent, context, id) => {
    const process = make(parent, id, options, context)
    // Its children are not there yet when it starts for the first time: there is nothing to fail.
    return { child: asChild<never>(process), ref: new StaticHandle(process) }
  }
})

const asChild = <E>(process: Child): Child<E> => process as Child<E>

const freeId = (wanted: string | undefined, parent: SupervisorHandle): Effect.Effect<string> =>
  wanted !== undefined ? Effect.succeed(wanted) : Effect.map(parent.whichChildren, (children) => {
    const taken = new Set(children.map(({ id }) => id))
    let id = defaultId
    for (let n = 2; taken.has(id); n++) id = `${defaultId}${n}`
    return id
  })

const defaultId = "Supervisor"

const startRoot = Effect.fnUntraced(function*(options: Options, context: Context.Context<never>) {
  const parent = yield* rootParent(context)
  const process = make(parent, options.id ?? defaultId, options, context)
  const handle = new StaticHandle(process)
  yield* Effect.addFinalizer(() => handle.stop(shutdown))
  yield* Effect.orDie(process.start())
  return handle
})
