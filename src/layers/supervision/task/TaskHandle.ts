/**
 * What programs hold of a task supervisor: how tasks are started.
 *
 * @since 0.1.0
 */
import { type Context, type Duration, Effect, type Pipeable, type Scope, type Stream } from "effect"
import type { Lifecycle } from "../../../domain/observation/Lifecycle.ts"
import type { CallError } from "../../../domain/process/CallError.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Named } from "../../naming/Via.ts"
import type { ChildOptions } from "../../process/Child.ts"
import { guarded } from "../../process/Execute.ts"
import { type HasProcess, reference } from "../../process/Process.ts"
import * as Turn from "../../process/Turn.ts"
import type { DynamicSupervisor, Target } from "../tree/DynamicHandle.ts"
import type { ChildError, StartError } from "../tree/SupervisorErrors.ts"
import { type ChildCounts, type ChildInfo, SupervisorReference } from "../tree/SupervisorHandle.ts"
import { workerRecipe } from "../tree/Worker.ts"
import { ChildTask, recording, type Result, type Task } from "./Task.ts"
import type { TaskError } from "./TaskError.ts"
import { type Outcome, type OutcomeOptions, outcomes, type StreamOptions, values } from "./TaskStream.ts"

/**
 * How one task is run.
 *
 * @category options
 * @since 0.1.0
 */
export interface TaskOptions {
  /** What it is called in its path, in events and reports: need not be unique. Default `task-1`, `task-2`, … */
  readonly id?: string | undefined
  /** How long it may take to stop. Default 5 seconds. */
  readonly shutdown?: Duration.Input | "infinity" | "brutal_kill" | undefined
}

/**
 * How a child is run whose result is not waited for.
 *
 * @category options
 * @since 0.1.0
 */
export interface StartOptions extends TaskOptions {
  /** When it is run again after it ended. Default `"temporary"`: never. */
  readonly restart?: ChildOptions["restart"]
}

/**
 * Starting tasks behind a name (`via`): the task supervisor may not be there.
 *
 * @category models
 * @since 0.1.0
 */
export interface NamedTasks {
  async<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: TaskOptions
  ): Effect.Effect<Task<A, E>, StartError<never> | CallError, Exclude<R, Scope.Scope> | Scope.Scope>
  asyncNolink<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: TaskOptions
  ): Effect.Effect<Task<A, E>, StartError<never> | CallError, Exclude<R, Scope.Scope>>
  startChild<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: StartOptions
  ): Effect.Effect<HasProcess, StartError<never> | CallError, Exclude<R, Scope.Scope>>
}

/**
 * A task supervisor in the hands of a program.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskSupervisor extends HasProcess, Pipeable.Pipeable, Named<NamedTasks> {
  readonly path: ReadonlyArray<string>
  /**
   * Starts a task that is linked to the fiber and the scope of the caller (Elixir: `Task.Supervisor.async/3`).
   *
   * **When to use**
   *
   * For work whose result the caller needs: if either of the two fails, there is no use for the other.
   *
   * **Details**
   *
   * The effect runs with the services of the caller, and a Scope of its own that closes with the task. It is never
   * restarted. Fails with `MaxChildren` when there are as many tasks as there may be. What a link is, see the module.
   *
   * **Gotchas**
   *
   * The link is to the fiber that calls this. In a server's handler that fiber ends with the message: a task that goes
   * on is still stopped with the incarnation, but its later crash is only reported. Wait for it in the handler; or, for
   * a task that is to take the server along, start it and wait for it in `GenServer.spawnLink`.
   */
  async<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: TaskOptions
  ): Effect.Effect<Task<A, E>, StartError<never>, Exclude<R, Scope.Scope> | Scope.Scope>
  /**
   * Starts a task without a link (Elixir: `Task.Supervisor.async_nolink/3`).
   *
   * **When to use**
   *
   * For work whose crash the caller wants to survive, or that is to outlive the caller.
   */
  asyncNolink<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: TaskOptions
  ): Effect.Effect<Task<A, E>, StartError<never>, Exclude<R, Scope.Scope>>
  /**
   * Starts a task whose result is not waited for (Elixir: `Task.Supervisor.start_child/3`).
   *
   * **Details**
   *
   * Not linked. Its typed failure has no reader, so it is a crash, with its report. With `restart` it is run again,
   * within the supervisor's budget.
   */
  startChild<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: StartOptions
  ): Effect.Effect<HasProcess, StartError<never>, Exclude<R, Scope.Scope>>
  /**
   * Does something with each item in a task of its own, and streams the results (Elixir:
   * `Task.Supervisor.async_stream/4`).
   *
   * **Details**
   *
   * At most `concurrency` tasks at a time (default 8); items are taken one by one, as there is room. Results come in
   * the order of the items, or with `ordered: false` as they are there. The first failure, typed or not, fails the
   * stream; so does a task that takes longer than `timeout` (default 5 seconds), unless `onTimeout` is a function: then
   * the task is stopped, and what the function makes of its item takes its place. However the stream ends, no task of
   * it is left.
   *
   * **Gotchas**
   *
   * There is one limit more: more tasks than the supervisor's `maxChildren` fail the stream with `MaxChildren`.
   *
   * **Example**
   *
   * ```ts
   * import { Effect, Stream } from "effect"
   * import { TaskSupervisor } from "heirloom"
   *
   * class Tasks extends TaskSupervisor.Service<Tasks>()("app/Tasks") {}
   *
   * const program = Effect.gen(function*() {
   *   const tasks = yield* Tasks
   *   const squares = tasks.asyncStream([1, 2, 3], (n) => Effect.succeed(n * n), { concurrency: 2 })
   *   console.log(yield* Stream.runCollect(squares)) // => [ 1, 4, 9 ]
   * })
   *
   * await Effect.runPromise(Effect.provide(program, Tasks.layer()))
   * ```
   */
  asyncStream<A, B, E, R, E2 = never, R2 = never, C = never>(
    items: Iterable<A> | Stream.Stream<A, E2, R2>,
    f: (item: A) => Effect.Effect<B, E, R>,
    options?: StreamOptions<A, C>
  ): Stream.Stream<B | C, E | E2 | TaskError | StartError<never>, Exclude<R, Scope.Scope> | R2>
  /**
   * As `asyncStream`, and what happens to one item ends nothing: each element has the item and its exit (Elixir:
   * `Task.Supervisor.async_stream_nolink/4`, with `zip_input_on_exit`).
   *
   * **Details**
   *
   * With `onTimeout: "kill_task"` a task that takes too long is stopped and is an element like the others, its reason
   * `Timeout`; with `"exit"`, the default, it fails the stream.
   */
  asyncStreamNolink<A, B, E, R, E2 = never, R2 = never>(
    items: Iterable<A> | Stream.Stream<A, E2, R2>,
    f: (item: A) => Effect.Effect<B, E, R>,
    options?: OutcomeOptions
  ): Stream.Stream<Outcome<A, B, E>, E2 | TaskError | StartError<never>, Exclude<R, Scope.Scope> | R2>
  /** Stops a task, within its shutdown time (Elixir: `Task.Supervisor.terminate_child/2`). */
  terminateChild(target: Target): Effect.Effect<void, ChildError>
  /** The tasks there are, in no promised order (Elixir: `Task.Supervisor.children/1`). */
  readonly whichChildren: Effect.Effect<ReadonlyArray<ChildInfo>>
  readonly countChildren: Effect.Effect<ChildCounts>
  /** What happens to it and its tasks, from the moment the stream is run. */
  readonly events: Stream.Stream<Lifecycle>
  /** Stops it and all its tasks. */
  stop(reason?: ExitReason): Effect.Effect<void>
}

const temporary: ChildOptions = { restart: "temporary" }

/** The handle of a task supervisor over the dynamic supervisor of its children. */
export class ChildrenHandle extends SupervisorReference implements TaskSupervisor {
  private readonly children: DynamicSupervisor
  private count = 0

  constructor(children: DynamicSupervisor) {
    super(children)
    this.children = children
  }

  readonly async = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: TaskOptions
  ): Effect.Effect<ChildTask<A, E>, StartError<never>, Exclude<R, Scope.Scope> | Scope.Scope> =>
    Effect.withFiber((caller) =>
      Effect.flatMap(Effect.scope, (scope) =>
        // No interruption between the start and the link: the task would have no owner.
        Effect.uninterruptible(
          Effect.tap(this.asyncNolink(effect, options), (task) => task.linkTo(caller, scope))
        ))
    )

  readonly asyncNolink = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: TaskOptions
  ): Effect.Effect<ChildTask<A, E>, StartError<never>, Exclude<R, Scope.Scope>> =>
    Effect.contextWith((context: Context.Context<Exclude<R, Scope.Scope>>) => {
      const result: Result<A, E> = { exit: undefined }
      return Effect.map(
        this.start(recording(guarded("a task", () => effect), result), options),
        (process) =>
          new ChildTask(
            process,
            result,
            context,
            Turn.shallow(Effect.ignore(this.children.terminateChild(process)))
          )
      )
    })

  readonly startChild = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: StartOptions
  ): Effect.Effect<HasProcess, StartError<never>, Exclude<R, Scope.Scope>> =>
    Effect.map(this.start(effect, options), reference)

  /** How a task is made of an item. */
  private readonly taskOf =
    <A, B, E, R>(f: (item: A) => Effect.Effect<B, E, R>, options: TaskOptions | undefined) => (item: A) =>
      this.asyncNolink(Effect.suspend(() => guarded("the function of a task stream", () => f(item))), options)

  readonly asyncStream = <A, B, E, R, E2 = never, R2 = never, C = never>(
    items: Iterable<A> | Stream.Stream<A, E2, R2>,
    f: (item: A) => Effect.Effect<B, E, R>,
    options?: StreamOptions<A, C>
  ): Stream.Stream<B | C, E | E2 | TaskError | StartError<never>, Exclude<R, Scope.Scope> | R2> =>
    values(items, this.taskOf(f, options), options)

  readonly asyncStreamNolink = <A, B, E, R, E2 = never, R2 = never>(
    items: Iterable<A> | Stream.Stream<A, E2, R2>,
    f: (item: A) => Effect.Effect<B, E, R>,
    options?: OutcomeOptions
  ): Stream.Stream<Outcome<A, B, E>, E2 | TaskError | StartError<never>, Exclude<R, Scope.Scope> | R2> =>
    outcomes(items, this.taskOf(f, options), options)

  readonly terminateChild = (target: Target): Effect.Effect<void, ChildError> => this.children.terminateChild(target)

  readonly stop = (reason?: ExitReason): Effect.Effect<void> => this.children.stop(reason)

  private start<A, E, R>(effect: Effect.Effect<A, E, R>, options: StartOptions | undefined) {
    return Effect.suspend(() => {
      const id = options?.id ?? `task-${++this.count}`
      const { restart = "temporary", shutdown } = options ?? {}
      // One and the same options for most tasks: the supervisor completes a spec once for all that share them.
      const own = restart === "temporary" && shutdown === undefined ? temporary : { restart, shutdown }
      return this.children.startChild(workerRecipe(id, effect, own))
    })
  }
}
