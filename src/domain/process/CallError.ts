/**
 * The one error that any call can fail with, beside the message's own, and why.
 *
 * Callers catch `CallError` by its tag, or one reason with `Effect.catchReason`. Every text says what happened, to
 * which server, and what to do about it.
 *
 * @since 0.1.0
 */
import { Cause, Schema } from "effect"
import { bytesOf } from "../options/Utf8.ts"
import { elided } from "../text/Elided.ts"
import { ForeignCause } from "../text/ForeignCause.ts"
import { cut } from "../text/ForeignText.ts"
import { crashed, ExitReason, toText } from "./ExitReason.ts"
import { adviceOf, inDoubt } from "./UpdateAdvice.ts"

/**
 * The server is down and no start is due (OTP: `noproc`). `reason` says how it ended, when it ended in order with this
 * very message in hand (OTP: the exit reason); `key` is the server's, where `at(key)` finds another in its place.
 */
export const NotRunning = Schema.TaggedStruct("NotRunning", {
  reason: Schema.optionalKey(ExitReason),
  key: Schema.optionalKey(Schema.String),
  /** It crashed more often than it may, and is started again by a call after this many milliseconds. */
  again: Schema.optionalKey(Schema.Number)
})

/**
 * The incarnation ended while it handled this message. `willRestart` says whether another one follows. `reason` is how
 * it ended when that was ordered, by its own handler or from outside: its `cause` is then an interruption.
 */
export const Crashed = Schema.TaggedStruct("Crashed", {
  cause: ForeignCause,
  willRestart: Schema.Boolean,
  reason: Schema.optionalKey(ExitReason)
})

/**
 * The things that a message can still wait for when its caller gives up.
 *
 * Its turn, room in a full mailbox, the start of an incarnation, the resumption of a suspended server; its handler, a
 * reply that was promised (`Next.noReply`), the store; the end of a server that was ordered to stop.
 *
 * @category schemas
 * @since 0.1.0
 */
export const WaitsFor = Schema.Literals(["turn", "room", "start", "resume", "handler", "reply", "store", "end"])

/**
 * The thing that a message waited for.
 *
 * @category models
 * @since 0.1.0
 */
export type WaitsFor = typeof WaitsFor.Type

/**
 * No answer came in time. `begun`: a handler had begun with the message, which goes on, so what it does may be done.
 * One that had not begun was withdrawn: nothing was done, and sending it again is safe.
 */
export const Timeout = Schema.TaggedStruct("Timeout", {
  millis: Schema.Number,
  begun: Schema.Boolean,
  waitsFor: WaitsFor,
  /** The last words of its store, where it waits for one that is away. */
  outage: Schema.optionalKey(Schema.String)
})

/** The mailbox was full. */
export const MailboxFull = Schema.TaggedStruct("MailboxFull", { capacity: Schema.Number })

/** The message crashed the server as often as it may. */
export const Quarantined = Schema.TaggedStruct("Quarantined", { attempts: Schema.Number })

/** The server's supervisor gave up on it and keeps it until it is resumed. */
export const Parked = Schema.TaggedStruct("Parked", {})

/** The call would wait for a handler that waits for this very call; `chain` are the servers on the way. */
export const CallingSelf = Schema.TaggedStruct("CallingSelf", { chain: Schema.Array(Schema.String) })

/** The answer was computed, but its state could not be stored; the text says whether it may be all the same. */
export const NotConserved = Schema.TaggedStruct("NotConserved", { cause: ForeignCause })

/** The idempotency key was used before, for another call: nothing was done. */
export const KeyReused = Schema.TaggedStruct("KeyReused", { key: Schema.String })

/**
 * A call with this idempotency key was made before, and its answer is not to be had; it is not handled again.
 * `handled`: `"yes"`, its answer is on record and is none of this message any more (`issue` says why); `"begun"`, its
 * handler committed a state and the answer that was to come later was lost with its incarnation; `"unknown"`, what was
 * on record is damaged, so it may have been handled, or never.
 */
export const AnswerLost = Schema.TaggedStruct("AnswerLost", {
  key: Schema.String,
  handled: Schema.Literals(["yes", "begun", "unknown"]),
  issue: Schema.optionalKey(Schema.String)
})

/** The idempotency key is empty, or too long: nothing was done. */
export const InvalidIdempotencyKey = Schema.TaggedStruct("InvalidIdempotencyKey", {
  key: Schema.String,
  maxBytes: Schema.Number
})

/** The payload of a validated message is not what its schema says; `issue` tells where. Nothing was sent. */
export const InvalidPayload = Schema.TaggedStruct("InvalidPayload", { issue: Schema.String })

/**
 * The server is not in this process, and there is no word of it. `why`: nothing came from where it is (`"silent"`), it
 * was handed over or taken over meanwhile (`"moved"`), this process has left the cluster (`"left"`), there is no room
 * for one more server (`"full"`), messages cannot be stored (`"storage"`), one side does not understand the other
 * (`"malformed"`), it did not start (`"start"`). `begun`: a handler may have begun with the message. `key` is the
 * idempotency key that the call carried.
 */
export const Unreachable = Schema.TaggedStruct("Unreachable", {
  why: Schema.Literals(["silent", "moved", "left", "full", "storage", "malformed", "start"]),
  begun: Schema.Boolean,
  key: Schema.optionalKey(Schema.String),
  detail: Schema.optionalKey(Schema.String)
})

/**
 * Every reason a call can fail for.
 *
 * @category schemas
 * @since 0.1.0
 */
export const CallErrorReason = Schema.Union([
  NotRunning,
  Crashed,
  Timeout,
  MailboxFull,
  Quarantined,
  Parked,
  CallingSelf,
  NotConserved,
  KeyReused,
  AnswerLost,
  InvalidIdempotencyKey,
  InvalidPayload,
  Unreachable
])

/**
 * Why a call failed.
 *
 * @category models
 * @since 0.1.0
 */
export type CallErrorReason = typeof CallErrorReason.Type

/**
 * A call that got no answer of its own.
 *
 * `server` is the path of the process that was called, `request` the tag of the message.
 *
 * @category errors
 * @since 0.1.0
 */
export class CallError extends Schema.TaggedError<CallError>()("CallError", {
  server: Schema.String,
  request: Schema.String,
  reason: CallErrorReason
}) {
  override get message(): string {
    return `${this.request} to ${this.server}: ${explain(this.reason)}`
  }
}

const explain = (reason: CallErrorReason): string => {
  switch (reason._tag) {
    case "NotRunning":
      return (reason.reason === undefined
        ? "the server is not running and no start is due. "
        : `the server ended (${toText(reason.reason)}) without an answer. `) +
        (reason.again !== undefined
          ? `It crashed more often than it may, and a call after ${reason.again} ms starts it again: its crash reports tell why.`
          : reason.key === undefined
          ? "Start it (restartChild, or its layer); if it crashed, its crash report tells why."
          : `Ask for it again: at("${reason.key}") answers with the server that has this key by then, and starts one if none has.`)
    case "Crashed":
      // An interruption here is an end that was ordered, by the server itself perhaps: no news of a defect.
      return `the server ${
        reason.reason !== undefined
          ? `was ended (${toText(reason.reason)})`
          : Cause.hasInterruptsOnly(reason.cause)
          ? "was ended"
          : toText(crashed(reason.cause))
      } while it handled this message. ` + (reason.willRestart
        ? "It is being restarted with its conserved state: whether to send the message again is yours to decide."
        : "It will not be restarted: see the crash report.")
    case "Timeout":
      return `no answer within ${reason.millis} ms. ${waited(reason)}`
    case "MailboxFull":
      return `the mailbox is full (capacity ${reason.capacity}). Slow down, raise the capacity, or choose overflow "suspend".`
    case "Quarantined":
      return `the message crashed the server ${reason.attempts} times and is quarantined. ` +
        "Look at it with Sys.quarantined, mend the handler, replay it."
    case "Parked":
      return "its supervisor gave up on the server and keeps it parked, with its state. Mend the cause, then resumeChild."
    case "CallingSelf":
      return `the call would wait for itself (${elided(reason.chain.join(" -> "))}). ` +
        "Use a cast, or answer later with Next.noReply, or move the work into the handler."
    case "NotConserved":
      return adviceOf(reason.cause) ?? `its state could not be stored, ${toText(crashed(reason.cause))}. ${inDoubt}`
    case "KeyReused":
      return `the idempotency key "${reason.key}" was used for another call. Nothing was done: one key is for one call, ` +
        "made again with the same message and payload."
    case "AnswerLost":
      return `${lost[reason.handled]}${
        reason.issue === undefined ? "" : ` (${reason.issue})`
      }. It is not handled again ` +
        `under the key "${reason.key}": ask the server where it stands, and make the call under a new key if it is to be done.`
    case "InvalidIdempotencyKey":
      return `"${cut(reason.key, 41)}" is no idempotency key: ` +
        `${ofKey(reason.key, reason.maxBytes)}. Nothing was done: use a key of the call's ` +
        "own (a hash, if what you have is long), or none."
    case "InvalidPayload":
      return `its payload is not what its schema says (${reason.issue}). Nothing was sent: decode what comes from outside, and ` +
        "send what was decoded."
    case "Unreachable":
      return `${unreachable[reason.why]}${reason.detail === undefined ? "" : ` (${reason.detail})`}. ${unheard(reason)}`
  }
}

const unreachable: { readonly [W in (typeof Unreachable.Type)["why"]]: string } = {
  silent: "nothing came from where the server is: it may be frozen, cut off, or nowhere just now",
  moved: "the server was handed over, or taken over, to another place meanwhile",
  left: "this process has left the cluster, and reaches no server of it any more",
  full: "there are as many servers as there may be where it would be started",
  storage: "the message could not be stored",
  malformed: "one side does not understand what the other has sent: they run code with different schemas",
  start: "the server did not start"
}

const unheard = ({ begun, key }: typeof Unreachable.Type): string =>
  !begun
    ? "Nothing was done: sending it again is safe."
    : key === undefined
    ? "Whether it was handled is not known: ask the server where it stands before you send it again."
    : `Whether it was handled is not known: make the call again with the idempotency key "${key}", and it is not handled twice.`

/**
 * What is wrong with a key. A value of another type is shown as a text, which may have a length that a key may have.
 */
const ofKey = (key: string, most: number): string => {
  const bytes = bytesOf(key)
  return bytes >= 1 && bytes <= most
    ? "it is given as something else, and a key is a string"
    : `it has ${bytes} bytes, and a key has 1 to ${most}`
}

const lost: { readonly [H in (typeof AnswerLost.Type)["handled"]]: string } = {
  yes: "this call was handled before, and its recorded answer cannot be read by this code",
  begun:
    "this call was begun before: its handler changed the state, and the answer that was to come later was lost with " +
    "the incarnation that owed it",
  unknown: "it is not known whether this call was handled before: recorded answers of the server are damaged"
}

const waited = ({ begun, outage, waitsFor }: typeof Timeout.Type): string => {
  const store = outage === undefined ? "Look at the store." : `The store does not take it: ${outage}.`
  switch (waitsFor) {
    case "handler":
      return "Its handler has begun, and goes on: what it does may still be done. Raise the timeout, or make the handler faster."
    case "reply":
      return "It was handled, and the reply that its handler promised (Next.noReply) has not come."
    case "end":
      return "The server has the order, and stops as soon as it comes to it."
    default:
      if (begun) {
        return waitsFor === "store"
          ? `It was handled, and its answer waits for the store: the update may or may not be kept. ${store}`
          : "It was begun by an incarnation that crashed, and waited to be handled again: it was withdrawn."
      }
      const why = waitsFor === "store" ? `The server waits for its store. ${store}` : waiting[waitsFor]
      return `It had not begun, and was withdrawn: nothing was done. ${why}`
  }
}

const waiting = {
  turn: "The server is busy: raise the timeout, or make its handlers faster.",
  room: "The mailbox is full: slow down, raise its capacity, or choose overflow \"fail\".",
  start: "The server is not up: look at its init, and at its crash reports.",
  resume: "The server is suspended: Sys.resume lets it go on."
} as const

// An instance that no constructor ran for has no stack of its own; printed, it shows the message.
Object.defineProperty(CallError.prototype, "stack", {
  configurable: true,
  get(this: CallError): string {
    return `${this.name}: ${this.message}`
  }
})

interface Fields {
  _tag: "CallError"
  server: string
  request: string
  reason: CallErrorReason
}

// A class may not share another's prototype, a function may.
function Unthrown(this: Fields, server: string, request: string, reason: CallErrorReason) {
  this._tag = "CallError"
  this.server = server
  this.request = request
  this.reason = reason
}
Unthrown.prototype = CallError.prototype
const Stackless = Unthrown as unknown as new(server: string, request: string, reason: CallErrorReason) => CallError

/**
 * Makes a `CallError` without running its constructor: an `Error` captures a stack, and a schema checks what is known
 * to be right. Both cost more than crash, restart and reply together, and the stack would show the engine's frames.
 */
export const callError = (server: string, request: string, reason: CallErrorReason): CallError =>
  new Stackless(server, request, reason)
