/**
 * The handle of a static supervisor: requests in, answers out.
 *
 * @since 0.1.0
 */
import { type Context, Effect, Exit, type Scope } from "effect"
import { pathText } from "../../../domain/observation/Lifecycle.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import { newestFirst } from "../../../domain/supervision/Supervision.ts"
import type { Answer } from "../../../domain/supervision/SupervisionEvents.ts"
import { type Entry, find, isRestarting } from "../../../domain/supervision/SupervisionState.ts"
import { text } from "../../../domain/text/ForeignText.ts"
import type { Started, StartRecipe } from "../../process/Child.ts"
import { fiberOf, waitFor } from "../../process/Own.ts"
import { processOf, type Status } from "../../process/Process.ts"
import { eventsBelow } from "../tree/ChildEvents.ts"
import { specFrom, type SpecOverride, takeOverride, withoutOverride } from "../tree/Override.ts"
import {
  ChildError,
  type ChildErrorReason,
  failed,
  StartError,
  type StartErrorReason,
  stoppedFor
} from "../tree/SupervisorErrors.ts"
import {
  asChildFailure,
  type ChildInfo,
  type StartedChild,
  type Supervisor,
  SupervisorReference
} from "../tree/SupervisorHandle.ts"
import type { Slot } from "./SupervisorEvents.ts"
import type { SupervisorProcess } from "./SupervisorProcess.ts"

const statusOf = (entry: Entry): Status => {
  switch (entry.status._tag) {
    case "Starting":
      return isRestarting(entry) ? "restarting" : "starting"
    case "Running":
    case "Stopping":
      return "running"
    case "Restarting":
      return "restarting"
    case "Parked":
      return "parked"
    case "Down":
      return "stopped"
  }
}

/** The handle of a static supervisor. */
export class StaticHandle extends SupervisorReference implements Supervisor {
  private readonly process: SupervisorProcess
  /** Whether the children registered now belong to the supervisor's own specification. */
  sealed = false

  constructor(process: SupervisorProcess) {
    super({
      path: process.path,
      whichChildren: Effect.sync(() => {
        const infos: Array<ChildInfo> = []
        for (const entry of newestFirst(process.materialize())) {
          const slot = process.slots.get(entry.spec.id)
          if (slot !== undefined) infos.push(infoOf(entry, slot))
        }
        return infos
      }),
      countChildren: Effect.sync(() => {
        const { active, specs, supervisors, workers } = process.materialize().counts
        return { specs, active, supervisors, workers }
      }),
      events: eventsBelow(process.telemetry, process.path),
      [processOf]: process
    })
    this.process = process
  }

  readonly startChild = <A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override?: SpecOverride
  ): Effect.Effect<A, StartError<E>, R> => Effect.map(this.startChildInfo(recipe, override), refOf)

  readonly startChildInfo = <A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override?: SpecOverride
  ): Effect.Effect<StartedChild<A>, StartError<E>, R> =>
    Effect.contextWith((context: Context.Context<R>) => this.run(recipe, override, false, context))

  readonly register = <A, E, R>(recipe: StartRecipe<A, E, R>): Effect.Effect<A, E, R | Scope.Scope> =>
    Effect.contextWith((context: Context.Context<R | Scope.Scope>) => {
      const override = takeOverride(context)
      // What the child's own code builds later is not what the override was for.
      const clean = withoutOverride(context)
      return Effect.acquireRelease(
        Effect.map(
          asChildFailure(this.run(recipe, override, !this.sealed, clean)),
          (child) => ({ ...child, id: override?.id ?? recipe.id })
        ),
        (child) => this.remove(child.id, child.ref),
        { interruptible: true }
      ).pipe(Effect.map(refOf))
    })

  readonly terminateChild = (id: string): Effect.Effect<void, ChildError> => this.ask("TerminateChild", id)

  readonly restartChild = (id: string): Effect.Effect<Started, ChildError | StartError> =>
    Effect.flatMap(
      this.process.request("RestartChild", id),
      (answer): Effect.Effect<Started, ChildError | StartError> => {
        switch (answer._tag) {
          case "Started":
            return Exit.succeed(startedOf(answer.info))
          case "Ignored":
            return Exit.succeed({ _tag: "Ignored" })
          case "Failed":
          case "Stopped":
            return Exit.fail(this.startError(id, answer))
          default:
            return Effect.as(this.done(id, answer), { _tag: "Started" } as const)
        }
      }
    )

  readonly deleteChild = (id: string): Effect.Effect<void, ChildError> => this.ask("DeleteChild", id)

  readonly resumeChild = (id: string): Effect.Effect<void, ChildError> => this.ask("ResumeChild", id)

  readonly whichChild = (id: string): Effect.Effect<ChildInfo, ChildError> =>
    Effect.suspend(() => {
      const entry = find(this.process.materialize(), id)
      const slot = this.process.slots.get(id)
      return entry === undefined || slot === undefined
        ? Exit.fail(this.childError(id, { _tag: "NotFound" }))
        : Exit.succeed(infoOf(entry, slot))
    })

  readonly stop = (reason?: ExitReason): Effect.Effect<void> => this.process.endAndWait(reason)

  private run<A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override: SpecOverride | undefined,
    initial: boolean,
    context: Context.Context<R>
  ): Effect.Effect<StartedChild<A>, StartError<E>> {
    const { process } = this
    const spec = specFrom(recipe, override, process.options.autoShutdown)
    if (spec._tag === "Failure") return Exit.fail(this.startError<E>(spec.failure.of, spec.failure))
    const { id } = spec.success
    const made: Array<{ readonly child: unknown; readonly ref: A }> = []
    const asker = fiberOf(context)
    let release: (() => void) | undefined
    const answer = process.startChild(spec.success, initial, () => {
      const child = recipe.make(process, context, id)
      made.push(child)
      if (asker !== undefined) release = waitFor(child.child, asker)
      return child
    })
    const settled = asker === undefined ? answer : Effect.ensuring(answer, Effect.sync(() => release?.()))
    return Effect.flatMap(settled, (answer): Effect.Effect<StartedChild<A>, StartError<E>> => {
      if (answer._tag === "Started") return Exit.succeed({ ref: made[0]!.ref, started: startedOf(answer.info) })
      if (answer._tag === "Ignored") return Exit.succeed({ ref: made[0]!.ref, started: { _tag: "Ignored" } })
      return Exit.fail(this.startError<E>(id, answer))
    })
  }

  /** The layer of a child is closed while its supervisor goes on. */
  private remove(id: string, ref: unknown): Effect.Effect<void> {
    const isMine = () => this.process.slots.get(id)?.ref === ref
    return Effect.suspend(() =>
      isMine()
        ? this.process.request("TerminateChild", id).pipe(
          Effect.andThen(Effect.suspend(() => isMine() ? this.process.request("DeleteChild", id) : Exit.void))
        )
        : Exit.void
    )
  }

  private startError<E>(id: string, answer: Answer): StartError<E> {
    const slot = this.process.slots.get(id)
    return new StartError({
      supervisor: pathText(this.path),
      child: id,
      reason: startReason<E>(answer, slot)
    })
  }

  private ask(request: "TerminateChild" | "DeleteChild" | "ResumeChild", id: string): Effect.Effect<void, ChildError> {
    return Effect.flatMap(this.process.request(request, id), (answer) => this.done(id, answer))
  }

  private done(id: string, answer: Answer): Effect.Effect<void, ChildError> {
    switch (answer._tag) {
      case "NotFound":
      case "Running":
      case "Restarting":
      case "Parked":
      case "NotParked":
      case "NotRunning":
        return Exit.fail(this.childError(id, { _tag: answer._tag }))
      default:
        return Exit.void
    }
  }

  private childError(child: string, reason: ChildErrorReason): ChildError {
    // A handle in place of an id, which only untyped code can pass, is no child's id either.
    return new ChildError({ supervisor: pathText(this.path), child: text(child), reason })
  }
}

const refOf = <A>(child: { readonly ref: A }): A => child.ref

const infoOf = (entry: Entry, slot: Slot): ChildInfo => ({
  id: entry.spec.id,
  kind: entry.spec.kind,
  status: statusOf(entry),
  spec: entry.spec,
  process: slot.child
})

const startedOf = (info: unknown): Started => info === undefined ? { _tag: "Started" } : { _tag: "Started", info }

const startReason = <E>(answer: Answer, slot: Slot | undefined): StartErrorReason<E> => {
  switch (answer._tag) {
    case "Failed":
      // The cause is what this child's own `start` failed with, and its type is in its recipe.
      return failed(answer.cause as Extract<StartErrorReason<E>, { readonly _tag: "Failed" }>["cause"])
    case "AlreadyStarted":
    case "AlreadyPresent":
      return slot === undefined ? stoppedFor(undefined) : { _tag: answer._tag, process: slot.child }
    case "InvalidOption":
      return answer
    case "Stopped":
      return stoppedFor(answer.why)
    default:
      return { _tag: "NotRunning" }
  }
}
