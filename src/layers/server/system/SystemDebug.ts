/**
 * Watching a server's messages while it runs: counts, a log, a trace, functions of one's own (OTP: the debug options of
 * `sys`). Users know it as `Sys`.
 *
 * *Tricky*: these functions run on the server's way, not beside it: while one is on, calls leave the direct path, and
 * it runs on the server's stack. Switched off, it costs nothing. It stays on over restarts, since it belongs to the
 * server.
 *
 * @since 0.1.0
 */
import { Cause, Effect, Function, Option } from "effect"
import { limit } from "../../../domain/options/GivenOption.ts"
import type { CallError } from "../../../domain/process/CallError.ts"
import type { CallOptions } from "../../../domain/server/Message.ts"
import type { SystemEvent } from "../../../domain/server/SystemEvent.ts"
import { shown } from "../../../domain/text/ForeignText.ts"
import { logIn } from "../../observation/SafeLog.ts"
import { firstIsProcess } from "../../process/References.ts"
import type { AnyServer } from "../class/ServerRef.ts"
import type { DebugFunction } from "../parts/Debug.ts"
import { shownEvent } from "../parts/Shown.ts"
import { look } from "./SystemRequest.ts"

/**
 * Counts of messages: those handled, and the replies that callers were given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Statistics {
  /** When counting began, and what time it is: milliseconds of the Clock. */
  readonly startTime: number
  readonly currentTime: number
  readonly messagesIn: number
  readonly messagesOut: number
}

/**
 * Counts messages, stops counting, or tells the counts (OTP: `sys:statistics/3`).
 *
 * **Details**
 *
 * `true` begins anew, `false` stops, `"get"` answers none when nothing is counted. System requests are not counted.
 *
 * @category debugging
 * @since 0.1.0
 */
export const statistics: {
  (flag: "get", options?: CallOptions): (ref: AnyServer) => Effect.Effect<Option.Option<Statistics>, CallError>
  (flag: boolean, options?: CallOptions): (ref: AnyServer) => Effect.Effect<void, CallError>
  (ref: AnyServer, flag: "get", options?: CallOptions): Effect.Effect<Option.Option<Statistics>, CallError>
  (ref: AnyServer, flag: boolean, options?: CallOptions): Effect.Effect<void, CallError>
} = Function.dual(firstIsProcess, (
  ref: AnyServer,
  flag: boolean | "get",
  options?: CallOptions
): Effect.Effect<Option.Option<Statistics> | void, CallError> =>
  look(ref, "Sys.statistics", options, (server) => {
    const now = server.spec.clock.currentTimeMillisUnsafe()
    if (flag === "get") {
      return Option.map(
        Option.fromUndefinedOr(server.debug?.counts),
        ({ messagesIn, messagesOut, startTime }): Statistics => ({
          startTime,
          currentTime: now,
          messagesIn,
          messagesOut
        })
      )
    }
    server.observe((debug) => {
      debug.counts = flag ? { startTime: now, messagesIn: 0, messagesOut: 0 } : undefined
    })
  }))

/** OTP's default. */
const defaultLogSize = 10

/**
 * Keeps the newest events of a server, stops, or tells them, the oldest first (OTP: `sys:log/3`).
 *
 * **Details**
 *
 * `true` keeps 10, a number that many, `false` and 0 none; `"get"` answers an empty list when the log is off. A crash
 * report shows the log, too.
 *
 * @category debugging
 * @since 0.1.0
 */
export const log: {
  (flag: "get", options?: CallOptions): (ref: AnyServer) => Effect.Effect<ReadonlyArray<SystemEvent>, CallError>
  (flag: boolean | number, options?: CallOptions): (ref: AnyServer) => Effect.Effect<void, CallError>
  (ref: AnyServer, flag: "get", options?: CallOptions): Effect.Effect<ReadonlyArray<SystemEvent>, CallError>
  (ref: AnyServer, flag: boolean | number, options?: CallOptions): Effect.Effect<void, CallError>
} = Function.dual(firstIsProcess, (
  ref: AnyServer,
  flag: boolean | number | "get",
  options?: CallOptions
): Effect.Effect<ReadonlyArray<SystemEvent> | void, CallError> =>
  Effect.suspend(() => {
    if (flag === "get") return look(ref, "Sys.log", options, (server) => server.debug?.log ?? [])
    const keep = flag === true ? defaultLogSize : flag === false ? 0 : flag
    const most = limit({ of: "Sys.log", option: "flag", given: keep }, 0)
    return look(ref, "Sys.log", options, (server) => server.observe((debug) => debug.logLast(most)))
  }))

/**
 * How a debug function is installed.
 *
 * @category options
 * @since 0.1.0
 */
export interface InstallOptions extends CallOptions {
  /** Its name; by default it is known by itself. */
  readonly id?: string | undefined
}

/**
 * Sees every event of a server: of the messages it takes and the replies it gives.
 *
 * **Details**
 *
 * A `state` of its own goes from one event to the next; {@link done} removes the function, and so does throwing. A
 * function that is installed already is not installed twice; with an `id`, a second one of that id is not. OTP's
 * `sys:install/3`.
 *
 * @category debugging
 * @since 0.1.0
 */
export const install: {
  <A>(f: DebugFunction<A>, state: A, options?: InstallOptions): (ref: AnyServer) => Effect.Effect<void, CallError>
  <A>(ref: AnyServer, f: DebugFunction<A>, state: A, options?: InstallOptions): Effect.Effect<void, CallError>
} = Function.dual(firstIsProcess, <A>(
  ref: AnyServer,
  f: DebugFunction<A>,
  state: A,
  options?: InstallOptions
): Effect.Effect<void, CallError> =>
  look(ref, "Sys.install", options, (server) => server.observe((debug) => debug.install(options?.id ?? f, f, state))))

/**
 * Removes a debug function, by its id or itself (OTP: `sys:remove/3`).
 *
 * @category debugging
 * @since 0.1.0
 */
export const remove: {
  <A>(
    idOrFunction: string | DebugFunction<A>,
    options?: CallOptions
  ): (ref: AnyServer) => Effect.Effect<void, CallError>
  <A>(
    ref: AnyServer,
    idOrFunction: string | DebugFunction<A>,
    options?: CallOptions
  ): Effect.Effect<void, CallError>
} = Function.dual(firstIsProcess, <A>(
  ref: AnyServer,
  idOrFunction: string | DebugFunction<A>,
  options?: CallOptions
): Effect.Effect<void, CallError> =>
  look(ref, "Sys.remove", options, (server) => server.observe((debug) => debug.remove(idOrFunction))))

/**
 * Switches everything off: statistics, log, trace, debug functions (OTP: `sys:no_debug/2`).
 *
 * @category debugging
 * @since 0.1.0
 */
export const noDebug = (ref: AnyServer, options?: CallOptions): Effect.Effect<void, CallError> =>
  look(ref, "Sys.noDebug", options, (server) => server.forgetDebug())

const traceId: unique symbol = Symbol.for("heirloom/Sys/trace")

/**
 * Hands every event of a server to a sink, or stops (OTP: `sys:trace/3`).
 *
 * **Details**
 *
 * `true` writes one line an event to the loggers of the server's context, at level `Info`, without what schemas mark as
 * secret. A sink runs on the server's stack: it must be quick, and only enqueue; one that throws is removed. There is
 * one sink at a time.
 *
 * @category debugging
 * @since 0.1.0
 */
export const trace: {
  (
    sink: ((event: SystemEvent) => void) | boolean,
    options?: CallOptions
  ): (ref: AnyServer) => Effect.Effect<void, CallError>
  (
    ref: AnyServer,
    sink: ((event: SystemEvent) => void) | boolean,
    options?: CallOptions
  ): Effect.Effect<void, CallError>
} = Function.dual(firstIsProcess, (
  ref: AnyServer,
  sink: ((event: SystemEvent) => void) | boolean,
  options?: CallOptions
): Effect.Effect<void, CallError> =>
  look(ref, "Sys.trace", options, (server) =>
    server.observe((debug) => {
      debug.remove(traceId)
      if (sink === false) return
      const { context } = server.spec
      const write = (event: SystemEvent): void =>
        logIn(context, Effect.logInfo(`${server.name} ${toText(shownEvent(server, event))}`))
      const out = sink === true ? write : sink
      debug.install<void>(traceId, (_, event) => out(event), undefined)
    })))

/**
 * An event on one line: `got call Withdraw {"amount":3}`.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toText = (event: SystemEvent): string => {
  switch (event._tag) {
    case "In": {
      const from = event.from === undefined ? "" : ` from ${event.from}`
      return `got ${event.kind} ${event.request} ${shown(event.payload)}${from}`
    }
    case "Out": {
      const { reply } = event
      const to = event.to === undefined ? "" : ` to ${event.to}`
      return reply._tag === "Success"
        ? `sent ${shown(reply.value)}${to}, for ${event.request}`
        : `failed with ${shown(Cause.squash(reply.cause))}${to}, for ${event.request}`
    }
    case "NoReply":
      return `new state ${shown(event.state)}, after ${event.request}`
  }
}
