/**
 * What a parent and its thread, or process, say to each other: plain data, which any structured clone takes.
 *
 * @since 0.1.0
 */
import { Predicate } from "effect"
import type { Fired } from "../../../domain/server/Timer.ts"
import type { Encoded } from "../../../domain/state/StateSchema.ts"
import type { ErrorFields } from "../../../domain/text/ForeignText.ts"

/** Under this key a thread's global object has its `Guest`. The module that it loads finds it there. */
export const guestKey = "heirloom/worker"

/** One of the callbacks of a behaviour, and what it is called with beside the state. */
export type Callback =
  | { readonly of: "init" | "restore" | "idle" }
  | { readonly of: "handler"; readonly tag: string; readonly payload: unknown; readonly context: MessageContext }
  | { readonly of: "terminate"; readonly reason: unknown }

/** What a handler sees of its message beside the payload, as far as it is data. */
export interface MessageContext {
  readonly incarnation: number
  readonly attempt: number
  readonly seq: number
  readonly timer: Fired | undefined
}

/** A callback to be run. */
export interface Ask {
  readonly to: "ask"
  readonly id: number
  /** Where it is noted that the message was begun; -1 for nowhere. */
  readonly slot: number
  /** The incarnation, among all that the thread serves. */
  readonly seat: number
  readonly server: string
  readonly key: string | undefined
  readonly callback: Callback
  /** The state, unless it is the one that the thread answered this seat with last. */
  readonly state: Encoded | undefined
}

/** What a parent says. */
export type Request =
  | { readonly to: "load"; readonly id: number; readonly url: string }
  | { readonly to: "serve"; readonly id: number; readonly server: string }
  | Ask
  | { readonly to: "interrupt"; readonly id: number }
  | { readonly to: "forget"; readonly seat: number }
  | { readonly to: "ping" }
  | { readonly to: "end"; readonly id: number }

/** A timer's change as data. */
export type TimerChange =
  | { readonly _tag: "Cancel"; readonly name: string }
  | {
    readonly _tag: "At" | "After" | "Every"
    readonly name: string
    readonly when: unknown
    readonly message: { readonly tag: string; readonly payload: unknown }
  }

/** The options of an answer as data. */
export interface AnswerOptions {
  readonly timers?: ReadonlyArray<TimerChange> | undefined
  readonly idleAfter?: number | undefined
  readonly hibernate?: boolean | undefined
  readonly conserve?: boolean | undefined
}

/** A state, or that it is the one that the callback was given. */
export type StateAnswer = Encoded | "same"

/** What a callback answered, as data. */
export type Outcome =
  | { readonly is: "state"; readonly state: StateAnswer; readonly options?: AnswerOptions | undefined }
  | {
    readonly is: "reply"
    readonly reply: unknown
    readonly state: StateAnswer
    readonly options?: AnswerOptions | undefined
  }
  | {
    readonly is: "stop"
    readonly reason: unknown
    readonly reply?: readonly [unknown] | undefined
    readonly state?: StateAnswer | undefined
  }
  | { readonly is: "ignore" | "nothing" | "interrupted" }
  | { readonly is: "failed"; readonly error: unknown }
  | { readonly is: "defect"; readonly error: ErrorFields }
  | {
    readonly is: "refused"
    readonly what: "reply" | "payload" | "state" | "error" | "answer"
    readonly issue: string
  }

/** What a thread says. */
export type Response =
  | { readonly is: "done"; readonly id: number; readonly error?: ErrorFields | undefined }
  | { readonly is: "outcome"; readonly id: number; readonly outcome: Outcome }
  | { readonly is: "begun"; readonly id: number }
  | { readonly is: "pong" }
  /** Which thread of its process it is, where Linux says so. */
  | { readonly is: "up"; readonly task: number }
  | { readonly is: "dying"; readonly error: ErrorFields }
  | {
    readonly is: "log"
    readonly level: "Fatal" | "Error" | "Warn" | "Info" | "Debug" | "Trace"
    readonly message: ReadonlyArray<unknown>
    readonly annotations: Readonly<Record<string, unknown>>
    readonly cause: ErrorFields | undefined
  }

const said: Record<Response["is"], true> = {
  done: true,
  outcome: true,
  begun: true,
  pong: true,
  up: true,
  dying: true,
  log: true
}

/** Whether it is ours: a library in the thread may post what it likes to the parent. */
export const isResponse = (message: unknown): message is Response =>
  Predicate.hasProperty(message, "is") && typeof message.is === "string" && Object.hasOwn(said, message.is)

/** What the first lines of a thread put there, before they load anything. */
export interface Guest {
  readonly place: "thread" | "process"
  readonly post: (response: Response) => void
  /** Shared with the parent, where that is possible. */
  readonly marks: Int32Array | undefined
  /** Set by the first entry that is loaded. */
  receive: ((request: Request) => void) | undefined
  /** What the entries that are loaded serve, by server. */
  readonly served: Map<string, unknown>
}

/** States of a mark: the message is on its way, was begun, or was called back before that. */
export const waiting = 0
export const begun = 1
export const calledBack = 2

/**
 * How many messages may be on their way to one thread with a mark of their own; before them is the number of those
 * begun.
 */
export const slots = 4096
