/**
 * The handle of a dynamic supervisor at work: requests to its process, answers out.
 *
 * @since 0.1.0
 */
import { Cause, type Context, Effect, Exit, Result } from "effect"
import { pathText } from "../../../domain/observation/Lifecycle.ts"
import { InvalidOption } from "../../../domain/options/InvalidOption.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { ChildSpec } from "../../../domain/supervision/ChildSpec.ts"
import { text } from "../../../domain/text/ForeignText.ts"
import type { Child, ChildOptions, Started, StartRecipe } from "../../process/Child.ts"
import { checkedMade, isUp } from "../../process/Execute.ts"
import { fiberOf, waitFor } from "../../process/Own.ts"
import { from, type Process, processOf } from "../../process/Process.ts"
import { eventsBelow } from "../tree/ChildEvents.ts"
import type { DynamicSupervisor, Target } from "../tree/DynamicHandle.ts"
import { specFrom } from "../tree/Override.ts"
import { ChildError, type ChildErrorReason, StartError, type StartErrorReason } from "../tree/SupervisorErrors.ts"
import { type ChildInfo, type StartedChild, type Supervisor, SupervisorReference } from "../tree/SupervisorHandle.ts"
import { type Entry, type Outcome, specOf, statusOf } from "./DynamicChild.ts"
import type { DynamicProcess } from "./DynamicProcess.ts"
import { SupervisorView } from "./SupervisorView.ts"

/** A child that was made, and what its start comes to. */
interface Begun<A> {
  readonly ref: A
  readonly outcome: Effect.Effect<Outcome>
}

/** The handle of `process`. */
export class ReferenceHandle extends SupervisorReference implements DynamicSupervisor {
  readonly asSupervisor: Supervisor
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
    this.asSupervisor = new SupervisorView(this)
  }

  readonly startChild = <A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override?: ChildOptions
  ): Effect.Effect<A, StartError<E>, R> =>
    Effect.contextWith((context: Context.Context<R>) => {
      const begun = this.begin(recipe, override, context)
      if (begun instanceof StartError) return Exit.fail(begun)
      // A start that came up at once needs no further Effect.
      return isUp(begun.outcome)
        ? Exit.succeed(begun.ref)
        : Effect.map(this.finish<A, E>(recipe.id, begun), refOf)
    })

  readonly startChildInfo = <A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override?: ChildOptions
  ): Effect.Effect<StartedChild<A>, StartError<E>, R> =>
    Effect.contextWith((context: Context.Context<R>) => {
      const begun = this.begin(recipe, override, context)
      return begun instanceof StartError ? Exit.fail(begun) : this.finish<A, E>(recipe.id, begun)
    })

  readonly terminateChild = (target: Target): Effect.Effect<void, ChildError> =>
    Effect.suspend((): Effect.Effect<void, ChildError> => {
      const process = processFrom(this.path, target)
      return this.process.isUp
        ? Effect.asVoid(
          this.process.terminateChild(process as Child) ?? this.childError(process.id, { _tag: "NotFound" })
        )
        : this.childError(process.id, { _tag: "NotRunning" })
    })

  readonly resumeChild = (target: Target): Effect.Effect<void, ChildError> =>
    Effect.suspend(() => {
      const process = processFrom(this.path, target)
      if (!this.process.isUp) return this.childError(process.id, { _tag: "NotRunning" })
      const _tag = this.process.resumeChild(process as Child)
      return _tag === "Done" ? Exit.void : this.childError(process.id, { _tag })
    })

  readonly whichChild = (target: Target): Effect.Effect<ChildInfo, ChildError> =>
    Effect.suspend(() => {
      const process = processFrom(this.path, target)
      const child = process as Child
      const entry = this.process.children.look(child)
      return entry === undefined
        ? this.childError(process.id, { _tag: "NotFound" })
        : Exit.succeed(infoOf(child, entry))
    })

  readonly stop = (reason?: ExitReason): Effect.Effect<void> => this.process.endAndWait(reason)

  /** Makes a child and starts it; or why there may not be one. */
  private begin<A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override: ChildOptions | undefined,
    context: Context.Context<R>
  ): Begun<A> | StartError<E> {
    const spec = this.admit(recipe, override)
    if (spec instanceof StartError) return spec
    // `madeBy` without its closure and its Exit: a million children are started here.
    let made
    try {
      made = checkedMade(recipe.make(this.process, context, recipe.id))
    } catch (defect) {
      return this.failure<E>(recipe.id, { _tag: "Failed", cause: Cause.die(defect) })
    }
    const { child, ref } = made
    const asker = fiberOf(context)
    if (asker === undefined) return { ref, outcome: this.process.startChild(child, spec) }
    const release = waitFor(child, asker)
    const outcome = this.process.startChild(child, spec)
    if (!isUp(outcome)) return { ref, outcome: Effect.ensuring(outcome, Effect.sync(release)) }
    release()
    return { ref, outcome }
  }

  private finish<A, E>(
    id: string,
    { outcome, ref }: Begun<A>
  ): Effect.Effect<StartedChild<A>, StartError<E>> {
    return Effect.flatMap(outcome, (outcome) =>
      outcome._tag === "Started" || outcome._tag === "Ignored"
        ? Exit.succeed({ ref, started: outcome satisfies Started })
        : Exit.fail(this.failure<E>(id, outcome)))
  }

  /** The spec of one more child; or why there may not be one. */
  private admit<A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override: ChildOptions | undefined
  ): ChildSpec | StartError<E> {
    const spec = this.specOf(recipe, override)
    if (spec instanceof InvalidOption) return this.failure<E>(spec.of, spec)
    const { children, isUp, options: { maxChildren } } = this.process
    if (!isUp) return this.failure<E>(recipe.id, { _tag: "NotRunning" })
    return children.size < maxChildren ? spec : this.failure<E>(recipe.id, { _tag: "MaxChildren", max: maxChildren })
  }

  private specOf<A, E, R>(recipe: StartRecipe<A, E, R>, override: ChildOptions | undefined): ChildSpec | InvalidOption {
    const { last } = this
    // Past the type checker a recipe may be anything: `specFrom` says what is wrong with it, also when it is an odd one
    // out.
    const isAlike = override === undefined && last !== undefined && recipe?.options === last.options &&
      recipe.kind === last.spec.kind && typeof recipe.make === "function" && typeof recipe.id === "string" &&
      recipe.id !== ""
    if (isAlike) return last.spec
    const significant = override?.significant ?? recipe?.options?.significant
    if (significant !== undefined && significant !== false) {
      return new InvalidOption({
        of: text(recipe.id),
        option: "significant",
        given: significant,
        expected: "left out for a dynamic child: a dynamic supervisor has no autoShutdown"
      })
    }
    const spec = specFrom(recipe, override, "never")
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

const refOf = <A>({ ref }: StartedChild<A>): A => ref

const statuses = {
  starting: "starting",
  running: "running",
  reviving: "restarting",
  stopping: "running",
  restarting: "restarting",
  parked: "parked"
} as const

const infoOf = (child: Child, entry: Entry): ChildInfo => {
  const { id, kind } = child
  const spec = specOf(entry)
  // Children that are alike share a spec, which has the id of the first of them.
  return { id, kind, status: statuses[statusOf(entry)], spec: spec.id === id ? spec : { ...spec, id }, process: child }
}

const processFrom = (supervisor: ReadonlyArray<string>, target: Target): Process => from(target, pathText(supervisor))
