/**
 * What programs hold of a supervisor: the handle, and the key under which child layers find the nearest one.
 *
 * @since 0.1.0
 */
import { Context, Effect, Exit, type Pipeable, type Scope, type Stream } from "effect"
import type { Lifecycle } from "../../../domain/observation/Lifecycle.ts"
import type { CallError } from "../../../domain/process/CallError.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { ChildSpec } from "../../../domain/supervision/ChildSpec.ts"
import type { Named } from "../../naming/Via.ts"
import type { Started, StartRecipe } from "../../process/Child.ts"
import { inspected } from "../../process/Inspection.ts"
import { type HasProcess, type Process, processOf, type Status } from "../../process/Process.ts"
import type { SpecOverride } from "./Override.ts"
import type { ChildError, StartError } from "./SupervisorErrors.ts"

/**
 * One line of a supervisor's listing.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChildInfo {
  readonly id: string
  readonly kind: "worker" | "supervisor"
  readonly status: Status
  readonly spec: ChildSpec
  readonly process: Process
}

/**
 * How many children there are (OTP: `supervisor:count_children/1`).
 *
 * `specs` counts specifications, `active` those with an incarnation alive, `supervisors` and `workers` specifications
 * by kind, whether alive or not.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChildCounts {
  readonly specs: number
  readonly active: number
  readonly supervisors: number
  readonly workers: number
}

/**
 * A child that was started: its reference, and what its start came to.
 *
 * @category models
 * @since 0.1.0
 */
export interface StartedChild<A> {
  readonly ref: A
  readonly started: Started
}

/**
 * Starting children behind a name (`via`): the supervisor may not be there.
 *
 * @category models
 * @since 0.1.0
 */
export interface NamedStarts<Override = SpecOverride> {
  startChild<A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override?: Override
  ): Effect.Effect<A, StartError<E> | CallError, R>
  startChildInfo<A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override?: Override
  ): Effect.Effect<StartedChild<A>, StartError<E> | CallError, R>
}

/**
 * A supervisor in the hands of a program.
 *
 * @category models
 * @since 0.1.0
 */
export interface Supervisor extends HasProcess, Pipeable.Pipeable, Named<NamedStarts> {
  readonly path: ReadonlyArray<string>
  /**
   * Starts a child at run time (OTP: `supervisor:start_child/2`).
   *
   * **Details**
   *
   * Succeeds when the child's init has. A child whose init answers `ignore` is kept with its spec (unless temporary)
   * and no process; its reference is answered all the same, see {@link startChildInfo}. When the init fails nothing is
   * left of it. A child added at run time does not come back when its supervisor is itself restarted.
   */
  startChild<A, E, R>(recipe: StartRecipe<A, E, R>, override?: SpecOverride): Effect.Effect<A, StartError<E>, R>
  /** As `startChild`, and tells what the start came to: `Ignored`, or `Started` with the extra info of its init. */
  startChildInfo<A, E, R>(
    recipe: StartRecipe<A, E, R>,
    override?: SpecOverride
  ): Effect.Effect<StartedChild<A>, StartError<E>, R>
  /**
   * Registers a start recipe for the layer that is being built and starts it: what child layers do.
   *
   * **Details**
   *
   * Fails as the child's init does. The child is terminated and deleted when the layer's scope closes while the
   * supervisor lives on. Any other reason not to start (its id is taken, its spec makes no sense) is a defect, a
   * `StartError`.
   */
  register<A, E, R>(recipe: StartRecipe<A, E, R>): Effect.Effect<A, E, R | Scope.Scope>
  /**
   * Stops a child and keeps its spec, or forgets it when temporary (OTP: `supervisor:terminate_child/2`). A child that
   * is being restarted is left down. Succeeds also when it is down already.
   */
  terminateChild(id: string): Effect.Effect<void, ChildError>
  /** Starts a child that is down (OTP: `supervisor:restart_child/2`). Not charged to the budget. */
  restartChild(id: string): Effect.Effect<Started, ChildError | StartError>
  /** Removes the spec of a child that is down (OTP: `supervisor:delete_child/2`). Its companion in memory forgets. */
  deleteChild(id: string): Effect.Effect<void, ChildError>
  /** Starts a parked child again, along with those parked for the same reason; the budget begins anew. */
  resumeChild(id: string): Effect.Effect<void, ChildError>
  /** The children, the newest first (OTP: `supervisor:which_children/1`). */
  readonly whichChildren: Effect.Effect<ReadonlyArray<ChildInfo>>
  /** One child (OTP: `supervisor:get_childspec/2`). */
  whichChild(id: string): Effect.Effect<ChildInfo, ChildError>
  readonly countChildren: Effect.Effect<ChildCounts>
  /**
   * What happens to the supervisor and everything below it, from the moment the stream is run. A reader that falls far
   * behind loses the oldest events; the stream does not end by itself.
   */
  readonly events: Stream.Stream<Lifecycle>
  /** Stops it and everything below, as its parent would; a root stays down, another one's supervisor sees it exit. */
  stop(reason?: ExitReason): Effect.Effect<void>
}

/** What every handle of a supervisor shows, whatever its children are called by. */
export type Shown = Pick<
  Supervisor,
  "path" | "whichChildren" | "countChildren" | "events" | typeof processOf
>

/** A handle of a supervisor, showing what its process shows, or another handle of the same one. */
export abstract class SupervisorReference implements Shown, Pipeable.Pipeable {
  readonly path: ReadonlyArray<string>
  readonly whichChildren: Effect.Effect<ReadonlyArray<ChildInfo>>
  readonly countChildren: Effect.Effect<ChildCounts>
  readonly events: Stream.Stream<Lifecycle>
  readonly [processOf]: Process
  declare readonly pipe: Pipeable.Pipeable["pipe"]

  static {
    inspected(this)
  }

  constructor(shown: Shown) {
    this.path = shown.path
    this.whichChildren = shown.whichChildren
    this.countChildren = shown.countChildren
    this.events = shown.events
    this[processOf] = shown[processOf]
  }
}

/**
 * The nearest supervisor: what every child layer needs, and what code started under a supervisor may ask for.
 *
 * @category services
 * @since 0.1.0
 */
export const Supervisor: Context.Service<Supervisor, Supervisor> = Context.Service<Supervisor>("heirloom/Supervisor")

/** Fails as the child's init did; any other reason not to start is a mistake in the layer, and a defect. */
export const asChildFailure = <A, E, R>(start: Effect.Effect<A, StartError<E>, R>): Effect.Effect<A, E, R> =>
  Effect.catch(
    start,
    (error) => error.reason._tag === "Failed" ? Exit.failCause(error.reason.cause) : Exit.die(error)
  )
