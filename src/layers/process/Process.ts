/**
 * The generic process: all that anything but its own code knows of a server, a container, a supervisor, a worker or a
 * task.
 *
 * A process is *logical*: it outlives its incarnations. Each incarnation has a number that only grows, and ends once.
 * Every reference stands for a process ({@link HasProcess}), so that all of this takes a client, a handle or a task
 * alike. To talk to a server use its client; to hear of many ends in one queue use `Monitor`; to stop a server in
 * order, `GenServer.stop`.
 *
 * *Tricky*: whether an incarnation is alive, and the observer of its end, are one step (`addExitObserver`): an end
 * between the two cannot be missed, and a restart in between cannot be taken for the incarnation that was asked about.
 *
 * @since 0.1.0
 */
import { Cause, Effect, Exit, type Fiber, Function, Option, Predicate, Schema } from "effect"
import { pathText } from "../../domain/observation/Lifecycle.ts"
import { refuse } from "../../domain/options/GivenOption.ts"
import { crashed, type ExitReason, killed, toExit } from "../../domain/process/ExitReason.ts"
import * as GivenReason from "../../domain/process/GivenReason.ts"

/**
 * Where a process is in its life.
 *
 * `starting`: init is running. `running`: an incarnation is alive. `restarting`: the last one ended and another will
 * follow. `parked`: its supervisor gave up on it and keeps it. `stopped`: it is down and nothing is about to start it.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = "starting" | "running" | "restarting" | "parked" | "stopped"

/**
 * Called once, when the incarnation it was registered on has ended; must not throw and must only enqueue.
 *
 * @category models
 * @since 0.1.0
 */
export type ExitObserver = (incarnation: number, reason: ExitReason) => void

/**
 * Called once, when the process is down and nothing is about to start it again: it finished, was stopped on purpose,
 * was deleted, or never came up. Runs inside the stack that decided it: must not throw and must only do bookkeeping.
 *
 * @category models
 * @since 0.1.0
 */
export type GoneObserver = (reason: ExitReason) => void

/**
 * Called once, when a process that was `stopped` is started again, before any code of its own runs: its supervisor was
 * asked to, or was started again itself. Must not throw and must only do bookkeeping.
 *
 * @category models
 * @since 0.1.0
 */
export type ReturnObserver = () => void

/**
 * Where a reference carries the process it stands for.
 *
 * @category symbols
 * @since 0.1.0
 */
export const processOf: unique symbol = Symbol.for("heirloom/processOf")

/**
 * A value that stands for a process: the client of a server, the handle of a supervisor or of a worker, a task.
 *
 * @category models
 * @since 0.1.0
 */
export interface HasProcess {
  readonly [processOf]: Process
}

/**
 * A process, as any code may know it. It stands for itself: it can be watched, registered and ended as it is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Process extends HasProcess {
  /** Its id under its supervisor. */
  readonly id: string
  /** Its address: the ids from the root supervisor down to itself. */
  readonly path: ReadonlyArray<string>
  readonly kind: "worker" | "supervisor"
  /** Number of the incarnation that is alive, or of the last one; 0 before the first start. */
  readonly incarnation: number
  readonly status: Status
  /** How the last incarnation ended; `undefined` while none has. */
  readonly lastExit: ExitReason | undefined
  /**
   * Observes the end of the incarnation that is alive. Returns false, and keeps nothing, when none is. An observer is
   * kept once, however often it is added; adding and removing one takes the same time however many there are.
   */
  addExitObserver(observer: ExitObserver): boolean
  removeExitObserver(observer: ExitObserver): void
  /**
   * Observes the end of the process itself: its status became `stopped`. Restarts and parking are not the end. Returns
   * false, and keeps nothing, when it is `stopped` already. An observer is forgotten once it was called.
   */
  addGoneObserver(observer: GoneObserver): boolean
  removeGoneObserver(observer: GoneObserver): void
  /**
   * Observes the return of a process that is `stopped`. Returns false, and keeps nothing, when it is not. An observer
   * is forgotten once it was called. One that has left its supervisor is never started again.
   */
  addReturnObserver(observer: ReturnObserver): boolean
  /**
   * Ends the incarnation that is alive or starting, as an exit signal from outside (OTP: `exit/2`): its supervisor sees
   * the exit and acts on it. `Killed` skips `terminate`. Returns at once; does nothing when no incarnation is alive.
   */
  exit(reason: ExitReason): void
}

/**
 * No incarnation of the process is alive, and none has ended (OTP: `noproc`).
 *
 * @category errors
 * @since 0.1.0
 */
export class NoProcess extends Schema.TaggedError<NoProcess>()("NoProcess", { path: Schema.Array(Schema.String) }) {
  override get message(): string {
    return `${pathText(this.path)} has not run yet, or is not there at all: there is no end to wait for.`
  }
}

/**
 * Whether a value stands for a process.
 *
 * @category guards
 * @since 0.1.0
 */
export const hasProcess = (u: unknown): u is HasProcess => Predicate.hasProperty(u, processOf)

/**
 * A reference to a process of which only the handle is at hand, such as one from `whichChildren`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const reference = (process: Process): HasProcess => ({ [processOf]: process })

/**
 * The process that a reference stands for.
 *
 * **Details**
 *
 * What stands for none is refused (`InvalidOption`): a program that computes its references may have none where its
 * types say that there is one. `by` is what was given it, as the error names it.
 *
 * @category getters
 * @since 0.1.0
 */
export const from = (ref: HasProcess, by = "Process.from"): Process =>
  hasProcess(ref)
    ? ref[processOf]
    : refuse(
      { of: by, option: "a reference", given: ref },
      "a process, or what stands for one: a client, a handle, a task"
    )

/**
 * Where a process is in its life (OTP: `is_process_alive/1`, and more).
 *
 * @category getters
 * @since 0.1.0
 */
export const status = (ref: HasProcess): Effect.Effect<Status> => Effect.sync(() => from(ref, "Process.status").status)

/**
 * The number of the incarnation that is alive, or of the last one; 0 before the first start.
 *
 * @category getters
 * @since 0.1.0
 */
export const incarnation = (ref: HasProcess): Effect.Effect<number> =>
  Effect.sync(() => from(ref, "Process.incarnation").incarnation)

/**
 * How the last incarnation that ended did so; none while none has.
 *
 * @category getters
 * @since 0.1.0
 */
export const lastExit = (ref: HasProcess): Effect.Effect<Option.Option<ExitReason>> =>
  Effect.sync(() => Option.fromUndefinedOr(from(ref, "Process.lastExit").lastExit))

/**
 * Sends a process an exit signal: its incarnation is ended at once, in the middle of a message (OTP: `exit/2`).
 *
 * **Details**
 *
 * Its supervisor sees the exit and acts on it. `Normal` is no signal: it does nothing, as in OTP. Does not wait for the
 * end: {@link awaitExit} does.
 *
 * @category signals
 * @since 0.1.0
 */
export const exit: {
  (reason: ExitReason): (ref: HasProcess) => Effect.Effect<void>
  (ref: HasProcess, reason: ExitReason): Effect.Effect<void>
} = Function.dual(2, (ref: HasProcess, reason: ExitReason): Effect.Effect<void> => signal("Process.exit", ref, reason))

const signal = (by: string, ref: HasProcess, reason: ExitReason): Effect.Effect<void> =>
  Effect.sync(() => {
    const process = from(ref, by)
    const { _tag } = GivenReason.given(pathText(process.path), reason)
    if (_tag !== "Normal") process.exit(reason)
  })

/**
 * Kills a process: ended at once, without `terminate` (OTP: `exit(Pid, kill)`). Its committed state is kept.
 *
 * @category signals
 * @since 0.1.0
 */
export const kill = (ref: HasProcess): Effect.Effect<void> => signal("Process.kill", ref, killed)

/** Waits for the end of the incarnation that is alive; without one, answers how the last one ended. */
const ended = (process: Process): Effect.Effect<ExitReason, NoProcess> =>
  Effect.callback((resume) => {
    const observer: ExitObserver = (_, reason) => resume(Exit.succeed(reason))
    if (process.addExitObserver(observer)) return Effect.sync(() => process.removeExitObserver(observer))
    const { lastExit, path } = process
    resume(lastExit === undefined ? Exit.fail(new NoProcess({ path })) : Exit.succeed(lastExit))
  })

// Observers are called in the stack that ends the process, before its supervisor knows: one turn later what becomes of
// it is settled.
const aTurnLater = <A, E>(waited: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.onExit(waited, () => Effect.yieldNow)

/**
 * Waits for the end of the incarnation that is alive, and answers how it ended.
 *
 * **When to use**
 *
 * When the end of one process is the next step of a program. To hear of ends while something else goes on use
 * `Monitor.watch`; for the incarnation as a fiber, {@link fiber}.
 *
 * **Details**
 *
 * Without an incarnation (it is down, or between two) the answer is there at once: how the last one ended. Fails with
 * {@link NoProcess} when there never was one. When it answers, the supervisor has decided what comes next.
 *
 * @category waiting
 * @since 0.1.0
 */
export const awaitExit = (ref: HasProcess): Effect.Effect<ExitReason, NoProcess> =>
  Effect.suspend(() => aTurnLater(ended(from(ref, "Process.awaitExit"))))

/** The fibers that were asked for, by process: one for each incarnation, however often that is. */
const fibers = new WeakMap<
  Process,
  { readonly incarnation: number; readonly fiber: Fiber.Fiber<ExitReason, unknown> }
>()

/** Ends this incarnation, if it is still there, and waits for its end. */
const endIncarnation = (process: Process, incarnation: number, reason: ExitReason): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const isThere = process.incarnation === incarnation && process.addExitObserver(() => resume(Exit.void))
    if (isThere) process.exit(reason)
    else resume(Exit.void)
  })

/**
 * The incarnation that is alive as an effect `Fiber`, made when it is asked for.
 *
 * **When to use**
 *
 * To hand a process to code that knows fibers: to await it, to race it, to interrupt it.
 *
 * **Details**
 *
 * - `Fiber.await` answers when the incarnation has ended, its finalizers included: with success, and the reason, when
 *   it ended in order (`Normal`, `Shutdown`); with an interruption when it was killed; with the cause of any other
 *   reason.
 * - `Fiber.join` fails with what it crashed of.
 * - `Fiber.interrupt` is an interruption of the process, and waits for its end: `terminate` runs, the state is kept,
 *   and its supervisor decides, as after any crash.
 *
 * A restart is another fiber: ask again. Without an incarnation that is alive it is the fiber of the last one, which
 * has ended; where there never was one, a fiber that has failed with {@link NoProcess}. Nothing is made, or kept, for a
 * process whose fiber is not asked for.
 *
 * **Gotchas**
 *
 * The fiber watches the incarnation; it is not the fiber that runs its handlers. It belongs to no scope, since closing
 * one would interrupt the process: it ends with the incarnation.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Fiber } from "effect"
 * import { Process, Supervisor } from "heirloom"
 *
 * class Workers extends Supervisor.Service<Workers>()("app/Workers") {}
 *
 * const program = Effect.gen(function*() {
 *   const workers = yield* Workers
 *   const ticker = yield* workers.startChild(Supervisor.workerRecipe("ticker", Effect.never))
 *   const first = yield* Process.fiber(ticker)
 *   yield* Fiber.interrupt(first)
 *   console.log(yield* Process.incarnation(ticker)) // => 2
 *   console.log((yield* Fiber.await(first))._tag) // => Failure
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Workers.layer({ strategy: "one_for_one" }, [])))
 * ```
 *
 * @category waiting
 * @since 0.1.0
 */
export const fiber = (ref: HasProcess): Effect.Effect<Fiber.Fiber<ExitReason, unknown>> =>
  Effect.suspend(() => {
    const process = from(ref, "Process.fiber")
    const { incarnation } = process
    const known = fibers.get(process)
    if (known?.incarnation === incarnation) return Exit.succeed(known.fiber)
    const outcome = Effect.onInterrupt(
      Effect.flatMap(ended(process), toExit),
      ([by]) => endIncarnation(process, incarnation, crashed(Cause.interrupt(by)))
    )
    return Effect.map(Effect.forkDetach(aTurnLater(outcome), { startImmediately: true }), (fiber) => {
      fibers.set(process, { incarnation, fiber })
      return fiber
    })
  })
