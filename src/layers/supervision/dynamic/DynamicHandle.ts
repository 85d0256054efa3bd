/**
 * The handle of a dynamic supervisor: children by reference.
 *
 * @since 0.1.0
 */
import { type Context, Effect, Exit, Result, type Scope, type Stream } from "effect"
import { type Lifecycle, pathText } from "../../../domain/observation/Lifecycle.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { ChildSpec, InvalidSpec } from "../../../domain/supervision/ChildSpec.ts"
import type { Child, ChildOptions, Started, StartRecipe } from "../../process/Child.ts"
import { isUp } from "../../process/Execute.ts"
import { type HasProcess, type Process, processOf } from "../../process/Process.ts"
import { ChildError, type ChildErrorReason, StartError, type StartErrorReason } from "../tree/SupervisorErrors.ts"
import {
  asChildFailure,
  type ChildCounts,
  type ChildInfo,
  CurrentOverride,
  specOf,
  type SpecOverride,
  type StartedChild,
  type SupervisorHandle,
  SupervisorReference,
  takeOverride
} from "../tree/SupervisorHandle.ts"
import { eventsBelow } from "../tree/TreeEvents.ts"
import { type Exceptional, isExceptional, type Outcome } from "./DynamicChild.ts"
import type { DynamicProcess } from "./DynamicProcess.ts"

/** A child, or what stands for it. */
export type Target = Process | HasProcess

/**
 * A dynamic supervisor in the hands of a program.
 *
 * @since 0.1.0
 */
export interface DynamicHandle extends HasProcess {
  readonly path: ReadonlyArray<string>
  /**
   * Starts a child (OTP: `supervisor:start_child/2`, Elixir: `DynamicSupervisor.start_child/2`).
   *
   * **Details**
   *
   * Succeeds with its reference when its init has. A child whose init answers `ignore` is not kept. Options are the recipe's,
   * or the override's; the default is a permanent worker. A dynamic child cannot be significant.
   *
   * **Gotchas**
   *
   * Ids are names here, not keys: children of recipes with one id share a path, and events tell them apart no better.
   */
  startChild<A, E, R>(recipe: StartRecipe<A, E, R>, override?: ChildOptions): Effect.Effect<A, StartError<E>, R>
  /** As `startChild`, and tells what the start came to. */
  startChildInfo<A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override?: ChildOptions
  ): Effect.Effect<StartedChild<A>, StartError<E>, R>
  /** Stops a child and forgets it, also one that is being restarted (Elixir: `DynamicSupervisor.terminate_child/2`). */
  terminateChild(target: Target): Effect.Effect<void, ChildError>
  /** Starts a parked child again; the budget begins anew. */
  resumeChild(target: Target): Effect.Effect<void, ChildError>
  /** The children, in no promised order. */
  readonly whichChildren: Effect.Effect<ReadonlyArray<ChildInfo>>
  /** One child. */
  whichChild(target: Target): Effect.Effect<ChildInfo, ChildError>
  /** How many there are; `specs` counts one for each child, as in Elixir. */
  readonly countChildren: Effect.Effect<ChildCounts>
  /** What happens to it and its children, from the moment the stream is run. */
  readonly events: Stream.Stream<Lifecycle>
  /** Stops it and its children; a root stays down, another one's supervisor sees it exit. */
  stop(reason?: ExitReason): Effect.Effect<void>
  /** Itself as the nearest supervisor, for code that starts its processes under `Supervisor`; ids mean nothing to it. */
  readonly asSupervisor: SupervisorHandle
}

/** The one implementation of it. */
export class Handle extends SupervisorReference implements DynamicHandle {
  readonly asSupervisor: SupervisorHandle
  private readonly process: DynamicProcess
  /** The last spec that was completed: most children are started from the same options, one after the other. */
  private last: { readonly options: ChildOptions; readonly spec: ChildSpec } | undefined = undefined

  constructor(process: DynamicProcess) {
    super({
      path: process.path,
      whichChildren: Effect.sync(() =>
        process.children.list().map((child) => infoOf(child, process.children.get(child)!))
      ),
      countChildren: Effect.sync(() => {
        const { active, size, supervisors } = process.children
        return { specs: size, active, supervisors, workers: size - supervisors }
      }),
      events: eventsBelow(process.telemetry, process.path),
      [processOf]: process
    })
    this.process = process
    this.asSupervisor = new View(this)
  }

  readonly startChild = <A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override?: ChildOptions
  ): Effect.Effect<A, StartError<E>, R> =>
    Effect.contextWith((context: Context.Context<R>) => {
      const spec = this.admit(recipe, override)
      if (spec instanceof StartError) return Exit.fail(spec)
      const { child, ref } = recipe.make(this.process, context, recipe.id)
      const outcome = this.process.startChild(child, spec)
      // A start that came up at once needs no further Effect.
      if (isUp(outcome)) return Exit.succeed(ref)
      return Effect.flatMap(
        outcome,
        (outcome) =>
          outcome._tag === "Started" || outcome._tag === "Ignored"
            ? Exit.succeed(ref)
            : Exit.fail(this.failure<E>(recipe.id, outcome))
      )
    })

  readonly startChildInfo = <A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override?: ChildOptions
  ): Effect.Effect<StartedChild<A>, StartError<E>, R> =>
    Effect.contextWith((context: Context.Context<R>) => {
      const spec = this.admit(recipe, override)
      if (spec instanceof StartError) return Exit.fail(spec)
      const { child, ref } = recipe.make(this.process, context, recipe.id)
      return Effect.flatMap(
        this.process.startChild(child, spec),
        (outcome): Effect.Effect<StartedChild<A>, StartError<E>> =>
          outcome._tag === "Started" || outcome._tag === "Ignored"
            ? Exit.succeed({ ref, started: outcome satisfies Started })
            : Exit.fail(this.failure<E>(recipe.id, outcome))
      )
    })

  readonly terminateChild = (target: Target): Effect.Effect<void, ChildError> =>
    Effect.suspend((): Effect.Effect<void, ChildError> => {
      const process = processFrom(target)
      return this.process.isUp
        ? Effect.asVoid(
          this.process.terminateChild(process as Child) ?? this.childError(process.id, { _tag: "NotFound" })
        )
        : this.childError(process.id, { _tag: "NotRunning" })
    })

  readonly resumeChild = (target: Target): Effect.Effect<void, ChildError> =>
    Effect.suspend(() => {
      const process = processFrom(target)
      if (!this.process.isUp) return this.childError(process.id, { _tag: "NotRunning" })
      const _tag = this.process.resumeChild(process as Child)
      return _tag === "Done" ? Exit.void : this.childError(process.id, { _tag })
    })

  readonly whichChild = (target: Target): Effect.Effect<ChildInfo, ChildError> =>
    Effect.suspend(() => {
      const process = processFrom(target)
      const child = process as Child
      const { children } = this.process
      children.look()
      const entry = children.get(child)
      return entry === undefined
        ? this.childError(process.id, { _tag: "NotFound" })
        : Exit.succeed(infoOf(child, entry))
    })

  readonly stop = (reason?: ExitReason): Effect.Effect<void> => this.process.endAndWait(reason)

  /** The spec of one more child; or why there may not be one. */
  private admit<A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override: ChildOptions | undefined
  ): ChildSpec | StartError<E> {
    const spec = this.specOf(recipe, override)
    if ("problem" in spec) return this.failure<E>(spec.id, spec)
    const { children, isUp, maxChildren } = this.process
    if (!isUp) return this.failure<E>(recipe.id, { _tag: "NotRunning" })
    return children.size < maxChildren ? spec : this.failure<E>(recipe.id, { _tag: "MaxChildren", max: maxChildren })
  }

  private specOf<A, E, R>(recipe: StartRecipe<A, E, R>, override: ChildOptions | undefined): ChildSpec | InvalidSpec {
    const { last } = this
    // Past the type checker a recipe may be anything: `specOf` says what is wrong with it, also when it is an odd one out.
    const isAlike = override === undefined && last !== undefined && recipe?.options === last.options &&
      recipe.kind === last.spec.kind && typeof recipe.make === "function" && typeof recipe.id === "string" &&
      recipe.id !== ""
    if (isAlike) return last.spec
    const significant = override?.significant ?? recipe?.options?.significant
    if (significant !== undefined && significant !== false) {
      const problem = "a dynamic child can't be significant: a dynamic supervisor has no autoShutdown"
      return { _tag: "InvalidSpec", id: String(recipe.id), field: "significant", problem }
    }
    const spec = specOf(recipe, override, "never")
    if (Result.isFailure(spec)) return spec.failure
    if (override === undefined) this.last = { options: recipe.options, spec: spec.success }
    return spec.success
  }

  private failure<E>(child: string, why: Outcome | StartErrorReason<E>): StartError<E> {
    return new StartError({
      supervisor: pathText(this.path),
      child,
      // What made its start fail is what its recipe may fail with.
      reason: why as StartErrorReason<E>
    })
  }

  private childError(child: string, reason: ChildErrorReason): Exit.Exit<never, ChildError> {
    return Exit.fail(new ChildError({ supervisor: pathText(this.path), child, reason }))
  }
}

const statuses = {
  starting: "starting",
  reviving: "restarting",
  stopping: "running",
  restarting: "restarting",
  parked: "parked",
  ended: "stopped"
} as const

const infoOf = (child: Child, entry: ChildSpec | Exceptional): ChildInfo => {
  const { id, kind } = child
  const [spec, status] = isExceptional(entry) ? [entry.spec, statuses[entry.status]] : [entry, "running"] as const
  // Children that are alike share a spec, which has the id of the first of them.
  return { id, kind, status, spec: spec.id === id ? spec : { ...spec, id }, process: child }
}

const processFrom = (target: Target): Process => processOf in target ? target[processOf] : target

/** A dynamic supervisor as the nearest supervisor: starting works, ids do not. */
class View extends SupervisorReference implements SupervisorHandle {
  private readonly handle: Handle

  constructor(handle: Handle) {
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
        Effect.provideService(asChildFailure(this.handle.startChild(known, override)), CurrentOverride, undefined),
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
