/**
 * Watching for the end of an incarnation: it is reported exactly once.
 *
 * A watch is about the *incarnation* that is alive when it is set, as a monitor in OTP is about a pid: a server that
 * crashes and is restarted has ended once, and the next one needs a watch of its own. A process without an incarnation
 * (it is down, or between two) is reported at once, as `NoProcess`. To follow a whole tree, listen to its lifecycle
 * events (`Telemetry.stream`); to stop calling a server that is gone, you need nothing: its calls fail. Mirrors OTP's
 * `monitor` and `demonitor`.
 *
 * *Tricky*: (1) the observer runs inside the stack that ends the process: it notes the end and enqueues, so that no
 * waiter is resumed in that stack. (2) A process may end between the look and the observer: `addExitObserver` is both
 * in one step, and its refusal *is* the report. (3) A watch may be ended while the report is under way: `demonitor`
 * closes the watch first, and with `flush` takes the report out of the queue again. (4) A watch must not outlive the
 * watcher: it belongs to a scope, in a server that of the incarnation. (5) That scope must not keep the watches that
 * are over: each has a scope of its own in it, which is closed with the watch.
 *
 * @since 0.1.0
 */
import { Context, Effect, Exit, type Fiber, Latch, Queue, Schema, Scope } from "effect"
import { refuse } from "../../domain/options/GivenOption.ts"
import type { ExitReason } from "../../domain/process/ExitReason.ts"
import { Own } from "../process/Own.ts"
import { from, type HasProcess, type Process } from "../process/Process.ts"

/**
 * There was no incarnation to watch (OTP: `noproc`).
 *
 * @category schemas
 * @since 0.1.0
 */
export const NoProcess = Schema.TaggedStruct("NoProcess", {})

/**
 * Why a watched process is down.
 *
 * @category models
 * @since 0.1.0
 */
export type DownReason = ExitReason | typeof NoProcess.Type

/**
 * The report of one watch.
 *
 * @category models
 * @since 0.1.0
 */
export interface Down<out R> {
  readonly _tag: "Down"
  /** The watched reference, as it was given: a client, or a name's client (`Registry.via`). */
  readonly ref: R
  readonly path: ReadonlyArray<string>
  /** The incarnation that ended, or the last there was. */
  readonly incarnation: number
  readonly reason: DownReason
}

/**
 * One watch of one incarnation.
 *
 * @category models
 * @since 0.1.0
 */
export interface Watch<out R> {
  readonly ref: R
  /**
   * Waits for the report; every time it is asked, the same one. Interrupted when the watch was ended before there was
   * one.
   */
  readonly down: Effect.Effect<Down<R>>
  /**
   * Ends the watch, and says whether it did so before there was a report. After it no report comes. `flush` takes back
   * one that has come: it is removed from the queue given to `watch` if it was not taken from there yet, and `down`
   * forgets it. OTP's `demonitor/2`.
   */
  readonly demonitor: (options?: { readonly flush?: boolean | undefined }) => Effect.Effect<boolean>
}

/**
 * How a process is watched.
 *
 * @category options
 * @since 0.1.0
 */
export interface WatchOptions<in out R> {
  /** A queue that the report is put into; one can collect the reports of many watches. */
  readonly into?: Queue.Queue<Down<R>> | undefined
}

/**
 * Watches the incarnation of `ref` that is alive, until it ends or the scope closes.
 *
 * **When to use**
 *
 * When the end of another process changes what you do next: to drop a session whose client is gone, to hand its work to
 * another.
 *
 * **Details**
 *
 * There is exactly one report per watch, two for two watches of one process. It is waited for with `down`, and put into
 * `into` as well when that is given; one queue can collect the reports of many watches. A process that is down already
 * is reported at once with `NoProcess`.
 *
 * **Gotchas**
 *
 * `restarting` is down: a report says that an incarnation has ended, not that no other follows. Ask
 * `Process.status(ref)` for that. A bounded queue that is full makes the report wait, not the process that ended.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Monitor, Process, Supervisor } from "heirloom"
 *
 * class Workers extends Supervisor.Service<Workers>()("app/Workers") {}
 *
 * const program = Effect.gen(function*() {
 *   const workers = yield* Workers
 *   const worker = yield* workers.startChild(Supervisor.workerRecipe("worker", Effect.never))
 *   const watch = yield* Monitor.watch(worker)
 *   yield* Process.kill(worker)
 *   const { incarnation, reason } = yield* watch.down
 *   console.log(incarnation, reason._tag) // => 1 Killed
 * }).pipe(Effect.scoped, Effect.provide(Workers.layer({ strategy: "one_for_one" }, [])))
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @category watching
 * @since 0.1.0
 */
export const watch = <R extends HasProcess>(
  ref: R,
  options?: WatchOptions<R>
): Effect.Effect<Watch<R>, never, Scope.Scope> => set(ref, options?.into, () => ({ _tag: "NoProcess" }))

/**
 * Starts a process and watches it, in one step: not even an end right after the start is missed.
 *
 * **Details**
 *
 * Waits until the process is up. A start that fails fails, and there is nothing to watch. One that ended before it
 * could be watched is reported with the reason it ended for. OTP's `start_monitor`.
 *
 * @category watching
 * @since 0.1.0
 */
export const startMonitor = <R extends HasProcess, E, Q>(
  start: Effect.Effect<R, E, Q>,
  options?: WatchOptions<R>
): Effect.Effect<readonly [ref: R, watch: Watch<R>], E, Q | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(restore(start), (ref) =>
      Effect.map(
        set(ref, options?.into, (target) => target.lastExit ?? { _tag: "NoProcess" }),
        (watch) => [ref, watch] as const
      ))
  )

type State<R> =
  | { readonly _tag: "Watching" }
  | { readonly _tag: "Reported"; readonly down: Down<R> }
  | { readonly _tag: "Over" }

const set = <R extends HasProcess>(
  ref: R,
  into: Queue.Queue<Down<R>> | undefined,
  whenDown: (target: Process) => DownReason
): Effect.Effect<Watch<R>, never, Scope.Scope> =>
  Effect.uninterruptible(Effect.contextWith((context: Context.Context<Scope.Scope>) =>
    Effect.suspend(() => {
      const own = Scope.forkUnsafe(Context.get(context, Scope.Scope))
      const active = observe(ref, into, whenDown, context, own)
      return Effect.as(Scope.addFinalizer(own, active.demonitor()), active)
    })
  ))

const observe = <R extends HasProcess>(
  ref: R,
  into: Queue.Queue<Down<R>> | undefined,
  whenDown: (target: Process) => DownReason,
  context: Context.Context<never>,
  own: Scope.Closeable
): Watch<R> => {
  const target = from(ref, "Monitor.watch")
  if (into !== undefined && !Queue.isQueue(into)) {
    refuse({ of: "Monitor.watch", option: "into", given: into }, "a Queue, or undefined for none")
  }
  const settled = Latch.makeUnsafe(false)
  let state: State<R> = { _tag: "Watching" }
  let delivery: Fiber.Fiber<unknown> | undefined
  const untie = Context.get(context, Own)?.tie("work")
  // All that its finalizer would do is done by then.
  const isOver = () => {
    untie?.()
    void Scope.closeUnsafe(own, Exit.void)
  }

  const report = (incarnation: number, reason: DownReason): void => {
    if (state._tag !== "Watching") return
    const down: Down<R> = { _tag: "Down", ref, path: target.path, incarnation, reason }
    state = { _tag: "Reported", down }
    isOver()
    // Both wake their waiters on a turn of their own, never here.
    const deliver = into === undefined ? settled.open : Effect.andThen(settled.open, Queue.offer(into, down))
    delivery = Effect.runForkWith(context)(deliver)
  }
  if (!target.addExitObserver(report)) report(target.incarnation, whenDown(target))

  return {
    ref,
    down: Effect.andThen(
      settled.await,
      Effect.suspend(() => state._tag === "Reported" ? Effect.succeed(state.down) : Effect.interrupt)
    ),
    demonitor: (options) =>
      Effect.suspend(() => {
        const before = state
        if (before._tag === "Watching" || (before._tag === "Reported" && options?.flush === true)) {
          state = { _tag: "Over" }
        }
        if (before._tag === "Watching") {
          target.removeExitObserver(report)
          isOver()
          return Effect.as(settled.open, true)
        }
        if (before._tag === "Reported" && options?.flush === true && into !== undefined) {
          delivery?.interruptUnsafe()
          return Effect.as(takeBack(into, before.down), false)
        }
        return Effect.succeed(false)
      })
  }
}

/** Removes one report from a queue in one step, and leaves the others in their order. */
const takeBack = <R>(queue: Queue.Queue<Down<R>>, down: Down<R>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const others: Array<Down<R>> = []
    for (let waiting = Queue.sizeUnsafe(queue); waiting > 0; waiting--) {
      const taken = Queue.takeUnsafe(queue)
      if (taken !== undefined && Exit.isSuccess(taken) && taken.value !== down) others.push(taken.value)
    }
    // A bounded queue may have let in one that waited for a place: one that has none now waits in turn.
    return Effect.asVoid(Queue.offerAll(queue, others.filter((other) => !Queue.offerUnsafe(queue, other))))
  })
