/**
 * Looking into a server that runs, and mending it (OTP: `sys`).
 *
 * Every server answers these requests, in the order of its mailbox, also while it is suspended. They are not messages
 * of its users: they are not counted, do not cancel an idle timeout, do not prove a restored state good, and are given
 * room in a full mailbox. Nothing of this belongs in the ordinary path of a program: what a server is to tell, it tells
 * by a message of its own. Supervisors, workers and containers are no servers and have nothing to suspend: their
 * handles tell what they do, and {@link getStatus} takes them too.
 *
 * *Tricky*: what watches a server's messages is on its way (`SystemDebug`), and stays on over restarts; a suspended
 * server that ends is not suspended any more.
 *
 * @since 0.1.0
 */
import { type Context, Effect, Exit, Function, Option, Predicate, type Schema } from "effect"
import { pathText } from "../../domain/observation/Lifecycle.ts"
import { refuse } from "../../domain/options/GivenOption.ts"
import type { CallError } from "../../domain/process/CallError.ts"
import type { CallOptions } from "../../domain/server/Message.ts"
import { NotQuarantined, ReplaceFailed } from "../../domain/server/ServerErrors.ts"
import type { Usage } from "../../domain/supervision/restart/Intensity.ts"
import { bounded } from "../../domain/text/ForeignCause.ts"
import type { Child } from "../process/Child.ts"
import {
  from,
  type HasProcess,
  type Process,
  processOf,
  reference,
  type Status as ProcessStatus
} from "../process/Process.ts"
import { firstIsProcess } from "../process/References.ts"
import { type AnyServer, serverOf, type WithState } from "./class/ServerRef.ts"
import type { QuarantinedMessage } from "./message/Quarantine.ts"
import { toMillis } from "./parts/Limits.ts"
import { formatted } from "./parts/Shown.ts"
import { SystemAnswer } from "./parts/SystemAnswer.ts"
import { ask, look } from "./system/SystemRequest.ts"

export { NotQuarantined, ReplaceFailed } from "../../domain/server/ServerErrors.ts"
export type { Formatted, In, NoReply, Out, Shown, SystemEvent } from "../../domain/server/SystemEvent.ts"
export type { Usage } from "../../domain/supervision/restart/Intensity.ts"
export { children, find, roots } from "../supervision/tree/Roots.ts"
export type { QuarantinedMessage } from "./message/Quarantine.ts"
export { type DebugFunction, done } from "./parts/Debug.ts"
export { type Committed, committed, type Peek, peek, type ServerPeek } from "./system/Peek.ts"
export { install, log, noDebug, remove, type Statistics, statistics, toText, trace } from "./system/SystemDebug.ts"

/**
 * The server behind the handle of a process, such as one from `whichChildren`: none when it is no server.
 *
 * @category inspection
 * @since 0.1.0
 */
export const fromProcess = (process: Process): Option.Option<WithState<unknown>> =>
  Option.map(
    Option.fromUndefinedOr(serverOf(reference(process))),
    // A server's own client; what its state is cannot be known here.
    (server) => server.ref as HasProcess as WithState<unknown>
  )

/**
 * The state of a server (OTP: `sys:get_state/2`).
 *
 * **Details**
 *
 * As it is when the request's turn comes: between two messages. Over a durable companion it may not be stored yet.
 * Waits 5 seconds by default, and while the server restarts.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer, StateContainer, Supervisor, Sys } from "heirloom"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", {
 *   state: Schema.Int,
 *   messages: { Add: GenServer.cast({ payload: { by: Schema.Int } }) }
 * }) {}
 *
 * const App = Supervisor.layer({ strategy: "one_for_one" }, [
 *   StateContainer.layerMemory(Counter),
 *   Counter.layer({ init: 0, handlers: { Add: (n, { by }) => n + by } })
 * ])
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter
 *   yield* counter.Add({ by: 41 })
 *   console.log(yield* Sys.getState(counter)) // => 41
 *   console.log(yield* Sys.replaceState(counter, (n) => n + 1)) // => 42
 * })
 *
 * await Effect.runPromise(Effect.provide(program, App))
 * ```
 *
 * @category inspection
 * @since 0.1.0
 */
export const getState = <S>(ref: WithState<S>, options?: CallOptions): Effect.Effect<S, CallError> =>
  // The reference says what its server's state is.
  look(ref, "Sys.getState", options, (_, state) => state as S)

/**
 * A durable timer that is set.
 *
 * @category models
 * @since 0.1.0
 */
export interface SetTimer {
  readonly name: string
  /** When it is due next, in milliseconds. */
  readonly due: number
  /** Milliseconds from one time to the next, of one that repeats. */
  readonly every?: number
  /** The tag of its message, and the payload as it is stored. */
  readonly message: string
  readonly payload: Schema.Json
}

/**
 * The durable timers of a server, as they are when the request's turn comes (see `Timer`).
 *
 * Those of all servers of a class are in its store: `Snapshots.timers`.
 *
 * @category inspection
 * @since 0.1.0
 */
export const timers = (ref: AnyServer, options?: CallOptions): Effect.Effect<ReadonlyArray<SetTimer>, CallError> =>
  look(ref, "Sys.timers", options, (server) => server.timers)

/**
 * Replaces the state of a server, and answers with the new one (OTP: `sys:replace_state/3`).
 *
 * **When to use**
 *
 * To mend a state that is wrong, by hand, while the server runs.
 *
 * **Details**
 *
 * The new state is committed. When `f` throws, dies or fails, nothing is changed, the server lives, and the caller gets
 * `ReplaceFailed`.
 *
 * @category mending
 * @since 0.1.0
 */
export const replaceState: {
  <S, E = never, R = never>(
    f: (state: S) => S | Effect.Effect<S, E, R>,
    options?: CallOptions
  ): (ref: WithState<S>) => Effect.Effect<S, CallError | ReplaceFailed, R>
  <S, E = never, R = never>(
    ref: WithState<S>,
    f: (state: S) => S | Effect.Effect<S, E, R>,
    options?: CallOptions
  ): Effect.Effect<S, CallError | ReplaceFailed, R>
} = Function.dual(firstIsProcess, <S, E = never, R = never>(
  ref: WithState<S>,
  f: (state: S) => S | Effect.Effect<S, E, R>,
  options?: CallOptions
): Effect.Effect<S, CallError | ReplaceFailed, R> =>
  Effect.contextWith((context: Context.Context<R>) => {
    const replaced = ask(ref, "Sys.replaceState", options, (server, state) =>
      Effect.suspend(() => {
        const next = f(state as S)
        return Effect.isEffect(next) ? next : Effect.succeed(next)
      }).pipe(
        Effect.provideContext(context),
        Effect.map((state) => new SystemAnswer(state, { state })),
        Effect.catchCause((cause) => new ReplaceFailed({ server: server.name, what: "state", cause: bounded(cause) }))
      ))
    return replaced as Effect.Effect<S, CallError | ReplaceFailed>
  }))

/**
 * Stops the handling of messages; they wait. System requests are still answered (OTP: `sys:suspend/2`).
 *
 * **Gotchas**
 *
 * Callers that wait have their timeouts. An idle timeout that falls due meanwhile has its turn after {@link resume}.
 *
 * @category mending
 * @since 0.1.0
 */
export const suspend = (ref: AnyServer, options?: CallOptions): Effect.Effect<void, CallError> =>
  look(ref, "Sys.suspend", options, (server) => {
    server.suspend()
  })

/**
 * Goes on with the messages that have waited (OTP: `sys:resume/2`).
 *
 * @category mending
 * @since 0.1.0
 */
export const resume = (ref: AnyServer, options?: CallOptions): Effect.Effect<void, CallError> =>
  look(ref, "Sys.resume", options, (server) => {
    server.resume()
  })

/**
 * What {@link getStatus} tells.
 *
 * @category models
 * @since 0.1.0
 */
export interface Status {
  readonly process: Process
  readonly path: ReadonlyArray<string>
  /** The path of its supervisor. */
  readonly parent: ReadonlyArray<string>
  readonly incarnation: number
  /**
   * `hibernating`: its state has left memory, and is in its store. One that hibernates over a companion in memory, or
   * whose state is not stored yet, is `running`.
   */
  readonly status: ProcessStatus | "suspended" | "hibernating"
  /** Messages that wait; 0 for a process without a mailbox. */
  readonly queued: number
  /** Messages in quarantine. */
  readonly quarantined: number
  /**
   * The state, as the behaviour's format hook shows it; absent for a process that is no server, and while it
   * hibernates.
   */
  readonly state?: unknown
  /** The event log, when it is on, as the hook shows it. */
  readonly log: ReadonlyArray<unknown>
  /** What of its budget a supervisor has used; absent for any other process. */
  readonly budget?: Usage
}

/**
 * What there is to know of a process, for people (OTP: `sys:get_status/2`).
 *
 * **Details**
 *
 * A server answers in its turn; its state goes through the behaviour's `formatStatus`, whose failure is contained: a
 * placeholder is shown instead. A server that hibernates is described at once and goes on hibernating: its state is not
 * loaded for this, so it is not shown, and neither is its event log where a format hook would have to see both. A
 * process that is no server is described at once.
 *
 * @category inspection
 * @since 0.1.0
 */
export const getStatus = (ref: HasProcess, options?: CallOptions): Effect.Effect<Status, CallError> =>
  Effect.suspend(() => {
    const process: Process & Partial<Child> = from(ref, "Sys.getStatus")
    const about = (): Status => ({
      process,
      path: process.path,
      parent: process.path.slice(0, -1),
      incarnation: process.incarnation,
      status: process.status,
      queued: 0,
      quarantined: 0,
      log: [],
      ...(process.usage === undefined ? {} : { budget: process.usage })
    })
    const server = serverOf(ref)
    if (server === undefined) return Effect.sync(about)
    if (server.isHibernating) {
      return Exit.succeed<Status>({
        ...about(),
        status: "hibernating",
        quarantined: server.quarantined.size,
        log: server.formatStatus === undefined ? server.debug?.log ?? [] : []
      })
    }
    return look(ref, "Sys.getStatus", options, (server, state): Status => {
      const shown = formatted(server, { state, log: server.debug?.log ?? [] })
      return {
        ...about(),
        status: server.suspended ? "suspended" : process.status,
        queued: server.mailboxSize,
        quarantined: server.quarantined.size,
        state: shown.state,
        log: shown.log ?? []
      }
    })
  })

/**
 * The messages that crashed a server as often as their `redeliver` lets them, the oldest first.
 *
 * **Details**
 *
 * Answered at once, whatever the server is doing, also when it is down. They are kept in memory until they are replayed
 * or discarded, 256 of a server unless its `quarantine` option says otherwise; one that gives way is an event
 * (`Dropped`).
 *
 * @category quarantine
 * @since 0.1.0
 */
export const quarantined = (ref: AnyServer): Effect.Effect<ReadonlyArray<QuarantinedMessage>> =>
  Effect.sync(() => Array.from(serverOf(ref, "Sys.quarantined")?.quarantined ?? []))

/**
 * Takes a message out of quarantine and sends it again, with all its attempts before it.
 *
 * **When to use**
 *
 * After what crashed on it was mended, by `GenServer.replace` or a new deploy of the handlers.
 *
 * **Details**
 *
 * It goes to the end of the mailbox. A call's reply, and its own failure, come to the caller of this function: the
 * caller of then was answered `Quarantined`. If it crashes the server as often again, it is back in quarantine, as
 * another item; if the server is down, or does not come to it in time, it is back there as it was.
 *
 * @category quarantine
 * @since 0.1.0
 */
export const replay: {
  (message: QuarantinedMessage, options?: CallOptions): (ref: AnyServer) => Effect.Effect<unknown, unknown>
  (ref: AnyServer, message: QuarantinedMessage, options?: CallOptions): Effect.Effect<unknown, unknown>
} = Function.dual(firstIsProcess, (
  ref: AnyServer,
  message: QuarantinedMessage,
  options?: CallOptions
): Effect.Effect<unknown, unknown> =>
  Effect.andThen(
    discard(ref, message),
    Effect.suspend(() => {
      // What had it in quarantine is a server.
      const server = serverOf(ref)!
      const { type } = message
      const { name } = server
      return server.replay(
        message,
        options?.timeout === undefined
          ? type.timeout
          : toMillis(options.timeout, { server: name, request: "Sys.replay" })
      )
    })
  ))

/**
 * Takes a message out of quarantine for good.
 *
 * @category quarantine
 * @since 0.1.0
 */
export const discard: {
  (message: QuarantinedMessage): (ref: AnyServer) => Effect.Effect<void, NotQuarantined>
  (ref: AnyServer, message: QuarantinedMessage): Effect.Effect<void, NotQuarantined>
} = Function.dual(
  2,
  (ref: AnyServer, message: QuarantinedMessage): Effect.Effect<void, NotQuarantined> =>
    Effect.suspend(() => {
      const server = serverOf(ref, "Sys.discard")
      if (!Predicate.hasProperty(message, "request")) {
        refuse({ of: "Sys.discard", option: "a message", given: message }, "one of Sys.quarantined")
      }
      return server?.release(message) === true
        ? Exit.void
        : new NotQuarantined({ server: pathText(ref[processOf].path), request: message.request })
    })
)
