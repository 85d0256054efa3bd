/**
 * The messages of a server as the engine knows them: what is computed once from a description, and the engine's own.
 *
 * @since 0.1.0
 */
import { type Call, call, type Cast, cast } from "../../../domain/server/Message.ts"
import type { Fired } from "../../../domain/server/Timer.ts"
import type { Checks } from "../../../domain/server/Validation.ts"
import type { Due } from "../../../domain/state/Timers.ts"

/** A message of a server class, with all that is computed from its description once. */
export interface MessageType {
  readonly tag: string
  readonly message: Call<any, any, any> | Cast<any>
  readonly isCall: boolean
  /** Whether its answers wait for the store to confirm that it is still this process's. */
  readonly confirms: boolean
  /** Milliseconds a caller waits by default; `Infinity` for ever. */
  readonly timeout: number
  /** Completes a payload with its constructor defaults; absent when it has none. */
  readonly complete: ((payload: unknown) => unknown) | undefined
  /** What its payloads and replies are checked against; absent unless it is validated. */
  readonly checks: Checks | undefined
  /** The handler that {@link handlerOf} found last, and among which. Nothing else writes them. */
  handler: unknown
  among: object | undefined
}

/**
 * The handler of a message.
 *
 * Each message remembers the last one: the servers of a class have one behaviour as a rule, and V8 takes as long to
 * find a handler by its tag as to commit a state.
 */
export const handlerOf = <H>(type: MessageType, handlers: { readonly [tag: string]: H }): H | undefined => {
  if (type.among === handlers) return type.handler as H
  const handler = handlers[type.tag]
  if (handler !== undefined) {
    type.among = handlers
    type.handler = handler
  }
  return handler
}

/** The engine's own messages. */
export const ownCall: MessageType = {
  tag: "system request",
  message: call(),
  isCall: true,
  confirms: false,
  timeout: 5000,
  complete: undefined,
  checks: undefined,
  handler: undefined,
  among: undefined
}

/** Work of the server's own: a continuation, an idle callback. */
export const ownCast: MessageType = { ...ownCall, tag: "continuation", message: cast(), isCall: false }

/** The system's own messages without a caller. */
export const ownTell: MessageType = { ...ownCast, tag: "system message" }

/**
 * A cast that waits. It has no caller, so it has no fate of its own before its turn: it gets an `Envelope` when its
 * handler looks at it, takes time or crashes, and most never do.
 */
export interface QueuedCast {
  readonly type: MessageType
  readonly payload: unknown
  /** It has no place to lose, which tells it from an `Envelope`. */
  readonly place?: undefined
  readonly work?: undefined
}

/** What makes a call safe to make again: its key, and the call as text; or the timer whose message it is. */
export interface Once {
  readonly key: string
  readonly call: string
  readonly timer?: TimerMessage | undefined
}

/** The timer whose message it is: as it was found to be due, and as the handler sees it. */
export interface TimerMessage {
  readonly due: Due
  readonly fired: Fired
}

/** Work of the server's own that comes before anything queued: a continuation, an idle callback. */
export type Work = (state: unknown) => unknown
