/**
 * The handle of a dynamic supervisor: its children are known by reference, not by id.
 *
 * @since 0.1.0
 */
import type { Effect, Pipeable, Stream } from "effect"
import type { Lifecycle } from "../../../domain/observation/Lifecycle.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Named } from "../../naming/Via.ts"
import type { ChildOptions, StartRecipe } from "../../process/Child.ts"
import type { HasProcess, Process } from "../../process/Process.ts"
import type { ChildError, StartError } from "./SupervisorErrors.ts"
import type { ChildCounts, ChildInfo, NamedStarts, StartedChild, Supervisor } from "./SupervisorHandle.ts"

/**
 * A child, or what stands for it.
 *
 * @category models
 * @since 0.1.0
 */
export type Target = Process | HasProcess

/**
 * A dynamic supervisor in the hands of a program.
 *
 * @category models
 * @since 0.1.0
 */
export interface DynamicSupervisor extends HasProcess, Pipeable.Pipeable, Named<NamedStarts<ChildOptions>> {
  readonly path: ReadonlyArray<string>
  /**
   * Starts a child (OTP: `supervisor:start_child/2`, Elixir: `DynamicSupervisor.start_child/2`).
   *
   * **Details**
   *
   * Succeeds with its reference when its init has. A child whose init answers `ignore` is not kept. Options are the
   * recipe's, or the override's; the default is a permanent worker. A dynamic child cannot be significant.
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
  /**
   * Itself as the nearest supervisor, for code that starts its processes under `Supervisor`; ids mean nothing to it.
   */
  readonly asSupervisor: Supervisor
}
