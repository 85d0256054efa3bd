/**
 * A task: one effect as a supervised child, and its outcome for those that wait.
 *
 * Tasks are started by a `TaskSupervisor`; this is what it hands out.
 *
 * *Tricky*: (1) a task may end inside its own start, before it can be observed: the refusal of the observer *is*
 * the news. (2) The end is observed inside the stack that ended it, and before its supervisor knows: waiters, and the
 * fiber it is linked to, hear of it one turn later, so that a task that was awaited is no longer listed. (3) A
 * long-lived scope must not keep what was linked to it and has ended: the link is a scope of its own, closed with the
 * task. (4) A crash is reported once: to those that wait for the task or have seen its end, and only if there are none
 * to the linked fiber.
 *
 * @since 0.1.0
 */
import { Cause, Context, type Duration, Effect, Exit, type Fiber, Latch, Option, type Pipeable, Scope } from "effect"
import { pathText } from "../../../domain/observation/Lifecycle.ts"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import { type ExitReason, isOrderly, shutdown } from "../../../domain/process/ExitReason.ts"
import { InspectedReference } from "../../process/Inspection.ts"
import { Own } from "../../process/Own.ts"
import { type HasProcess, type Process, processOf } from "../../process/Process.ts"
import { TaskError, type TaskErrorReason } from "./TaskError.ts"

/**
 * How long to wait: 5 seconds by default, as in OTP; `"infinity"` waits for ever.
 *
 * @category options
 * @since 0.1.0
 */
export interface WaitOptions {
  readonly timeout?: Duration.Input | "infinity" | undefined
}

/**
 * A task that was started.
 *
 * @category models
 * @since 0.1.0
 */
export interface Task<out A, out E = never> extends HasProcess, Pipeable.Pipeable {
  /**
   * Waits for the result (Elixir: `Task.await/2`).
   *
   * **Details**
   *
   * Succeeds or fails as the task's effect did; with a {@link TaskError} when the task crashed, was stopped, or took
   * longer than `timeout` (5 seconds by default). Any number of fibers may wait, any number of times, also after the
   * end.
   *
   * **Gotchas**
   *
   * A timeout does not end the task: it goes on, and can be waited for again. Its late result does not reach a waiter
   * that has gone.
   */
  await(options?: WaitOptions): Effect.Effect<A, E | TaskError>
  /** As `await`, and answers `None` when the task is not done in time (Elixir: `Task.yield/2`). */
  yield(options?: WaitOptions): Effect.Effect<Option.Option<Exit.Exit<A, E | TaskError>>>
  /**
   * Ends the task within its shutdown time, and answers how it ended: with its result if it had one already and was
   * only releasing what it held (Elixir: `Task.shutdown/2`). The link, if there is one, is cut first.
   */
  readonly shutdown: Effect.Effect<Exit.Exit<A, E | TaskError>>
}

/**
 * Why a fiber was interrupted whose linked task ended: an annotation of the interruption's cause.
 *
 * **Example**
 *
 * ```ts
 * import { Cause, Context, Effect, Exit, Fiber, Option } from "effect"
 * import { TaskSupervisor } from "heirloom"
 *
 * class Tasks extends TaskSupervisor.Service<Tasks>()("app/Tasks") {}
 *
 * const program = Effect.gen(function*() {
 *   const tasks = yield* Tasks
 *   const owner = yield* Effect.forkChild(
 *     Effect.scoped(Effect.andThen(tasks.async(Effect.die("boom"), { id: "job" }), Effect.never))
 *   )
 *   const exit = yield* Fiber.await(owner)
 *   if (Exit.isSuccess(exit)) return
 *   const why = Context.getOption(Cause.annotations(exit.cause), TaskSupervisor.LinkBroken)
 *   console.log(Option.map(why, ({ reason }) => reason._tag)) // => { _id: 'Option', _tag: 'Some', value: 'Crashed' }
 * }).pipe(Effect.provide(Tasks.layer()))
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @category annotations
 * @since 0.1.0
 */
export class LinkBroken extends Context.Service<LinkBroken, TaskError>()("heirloom/TaskSupervisor/LinkBroken") {}

/** What a task's own effect came to, once it has. */
export interface Result<A, E> {
  exit: Exit.Exit<A, E> | undefined
}

/** What the child of a task runs: its effect, with a typed failure as a result like any other, and no crash. */
export const recording = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  result: Result<A, E>
): Effect.Effect<void, never, R> => {
  const record = (exit: Exit.Exit<A, E>) =>
    Effect.sync(() => {
      result.exit = exit
    })
  return Effect.matchCauseEffect(effect, {
    onSuccess: (value) => record(Exit.succeed(value)),
    onFailure: (cause) =>
      Cause.hasFails(cause) && !Cause.hasDies(cause)
        ? record(Exit.failCause(cause))
        // What is left are defects and interruptions.
        : Exit.failCause(cause as Cause.Cause<never>)
  })
}

/** A task whose child has been started. */
export class ChildTask<A, E> extends InspectedReference implements Task<A, E> {
  readonly [processOf]: Process
  private readonly result: Result<A, E>
  private readonly context: Context.Context<never>
  private readonly end: Effect.Effect<unknown>
  private readonly over = Latch.makeUnsafe(false)
  private outcome: Exit.Exit<A, E | TaskError> | undefined = undefined
  /** Why it has no result, when it has none. */
  private error: TaskError | undefined = undefined
  private waiting = 0
  private seen = false
  private owner: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private link: Scope.Closeable | undefined = undefined
  /** The server in whose name it was started does not have it under way any more. */
  private untie: (() => void) | undefined = undefined

  constructor(process: Process, result: Result<A, E>, context: Context.Context<never>, end: Effect.Effect<unknown>) {
    super()
    this[processOf] = process
    this.result = result
    this.context = context
    this.end = end
    const ended = (_incarnation: number, reason: ExitReason): void => this.settle(reason)
    if (!process.addExitObserver(ended)) this.settle(process.lastExit ?? shutdown)
  }

  /** Ends with `scope`; its own end, when it is none in order, interrupts `owner`. */
  linkTo(owner: Fiber.Fiber<unknown, unknown>, scope: Scope.Scope): Effect.Effect<void> {
    return Effect.contextWith((context: Context.Context<never>) => {
      this.owner = owner
      if (this.outcome !== undefined) {
        this.tellLater()
        return Effect.void
      }
      const link = Scope.forkUnsafe(scope)
      this.link = link
      this.untie = Context.get(context, Own)?.tie("work")
      return Scope.addFinalizer(link, this.stop)
    })
  }

  await(options?: WaitOptions): Effect.Effect<A, E | TaskError> {
    return Effect.suspend(() => {
      const millis = this.millis(options)
      return Effect.flatMap(this.within(millis), (outcome) => outcome ?? Effect.fail(this.timeout(millis)))
    })
  }

  yield(options?: WaitOptions): Effect.Effect<Option.Option<Exit.Exit<A, E | TaskError>>> {
    return Effect.suspend(() => Effect.map(this.within(this.millis(options)), Option.fromUndefinedOr))
  }

  private millis(options: WaitOptions | undefined): number {
    // Its path is made text only when that is refused.
    return options?.timeout === undefined ? defaultMillis : toMillis(pathText(this[processOf].path), options.timeout)
  }

  get shutdown(): Effect.Effect<Exit.Exit<A, E | TaskError>> {
    return Effect.andThen(this.stop, Effect.exit(this.await({ timeout: "infinity" })))
  }

  /** Cuts the link, and ends the task if it has not ended. */
  get stop(): Effect.Effect<unknown> {
    return Effect.suspend(() => {
      this.owner = undefined
      return this.outcome === undefined ? this.end : Effect.void
    })
  }

  /** The outcome, or `undefined` when there is none in time. */
  within(millis: number): Effect.Effect<Exit.Exit<A, E | TaskError> | undefined> {
    return Effect.suspend(() => {
      if (this.outcome !== undefined) return this.tell
      this.waiting++
      const waited: Effect.Effect<unknown> = millis === Infinity
        ? this.over.await
        : Effect.timeoutOption(this.over.await, millis)
      return Effect.onExit(Effect.andThen(waited, this.tell), () =>
        Effect.sync(() => {
          this.waiting--
        }))
    })
  }

  /** The answer to a waiter whose time is over. */
  timeout(millis: number): TaskError {
    return this.failure({ _tag: "Timeout", millis })
  }

  private get tell(): Effect.Effect<Exit.Exit<A, E | TaskError> | undefined> {
    return Effect.sync(() => {
      this.seen ||= this.outcome !== undefined
      return this.outcome
    })
  }

  private failure(reason: TaskErrorReason): TaskError {
    return new TaskError({ task: pathText(this[processOf].path), reason })
  }

  private settle(reason: ExitReason): void {
    this.untie?.()
    if (isOrderly(reason) && this.result.exit !== undefined) {
      this.outcome = this.result.exit
    } else {
      this.error = this.failure(
        reason._tag === "Crashed" ? { _tag: "Crashed", cause: reason.cause } : { _tag: "Stopped", reason }
      )
      this.outcome = Exit.fail(this.error)
    }
    // Otherwise there is no waiter: a later question finds the outcome.
    if (this.waiting > 0 || this.link !== undefined) this.tellLater()
  }

  private tellLater(): void {
    Effect.runForkWith(this.context)(Effect.andThen(Effect.yieldNow, Effect.suspend(() => this.tellAll())))
  }

  private tellAll(): Effect.Effect<unknown> {
    const { error, link, owner, seen, waiting } = this
    this.owner = undefined
    this.link = undefined
    if (error !== undefined && isBroken(error.reason) && !seen && waiting === 0) {
      owner?.interruptUnsafe(undefined, Context.make(LinkBroken, error))
    }
    return Effect.andThen(this.over.open, link === undefined ? Effect.void : Scope.close(link, Exit.void))
  }
}

/** A task that was stopped in order breaks no link: it was meant to end. */
const isBroken = (reason: TaskErrorReason): boolean => reason._tag !== "Stopped" || !isOrderly(reason.reason)

const defaultMillis = 5000

/** A time to wait in milliseconds: 5 seconds by default. */
export const toMillis = (of: string, given: Duration.Input | "infinity" = defaultMillis): number =>
  GivenOption.timeout({ of, option: "timeout", given })
