/**
 * The one error every call can fail with, beside the message's own, and why.
 *
 * Callers catch `CallError` by its tag, or one reason with `Effect.catchReason`. Every text says what happened, to whom,
 * and what to do about it.
 *
 * @since 0.1.0
 */
import { Cause, Schema } from "effect"
import { crashed, ExitReason, toText } from "./process/ExitReason.ts"
import { bytesOf } from "./state/stored/SnapshotRecord.ts"
import { StoreError } from "./state/stored/StoreError.ts"
import { ForeignCause } from "./text/ForeignCause.ts"
import { ask, cut, isInstance } from "./text/ForeignText.ts"

export { InvalidOption } from "./options/InvalidOption.ts"

/**
 * The server is down and nobody is about to start it (OTP: `noproc`). `reason` tells how it ended, when it ended in order
 * with this very message in hand (OTP: the exit reason); `key` is the server's, when it has one.
 */
export const NotRunning = Schema.TaggedStruct("NotRunning", {
  reason: Schema.optionalKey(ExitReason),
  key: Schema.optionalKey(Schema.String)
})

/** The server crashed while it handled this message; `willRestart` tells whether another incarnation follows. */
export const Crashed = Schema.TaggedStruct("Crashed", { cause: ForeignCause, willRestart: Schema.Boolean })

/**
 * What a message can still wait for when its caller gives up.
 *
 * Its turn, room in a full mailbox, the start of an incarnation, the resumption of a suspended server; its handler, a reply
 * that was promised (`Next.noReply`), the store; the end of a server that was told to stop.
 */
export const WaitsFor = Schema.Literals(["turn", "room", "start", "resume", "handler", "reply", "store", "end"])

/** What a message waited for. */
export type WaitsFor = typeof WaitsFor.Type

/**
 * No answer came in time. `begun`: a handler had begun with the message, which goes on, so what it does may be done. One that
 * had not begun was withdrawn: nothing was done, and sending it again is safe.
 */
export const Timeout = Schema.TaggedStruct("Timeout", {
  millis: Schema.Number,
  begun: Schema.Boolean,
  waitsFor: WaitsFor,
  /** What its store said last, where it waits for one that is away. */
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

/** The idempotency key is empty, or too long: nothing was done. */
export const InvalidIdempotencyKey = Schema.TaggedStruct("InvalidIdempotencyKey", {
  key: Schema.String,
  maxBytes: Schema.Number
})

/** Every reason a call can fail for. */
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
  InvalidIdempotencyKey
])

/** Why a call failed. */
export type CallErrorReason = typeof CallErrorReason.Type

/**
 * A call that got no answer of its own.
 *
 * `server` is the path of the process that was called, `request` the tag of the message.
 *
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
        ? "the server is not running and nobody is about to start it. "
        : `the server ended (${toText(reason.reason)}) without an answer. `) +
        (reason.key === undefined
          ? "Start it (restartChild, or its layer); if it crashed, its crash report tells why."
          : `Ask for it again: at("${reason.key}") answers with the server that has this key by then, and starts one if none has.`)
    case "Crashed":
      // An interruption here is an end that somebody ordered, the server itself included: no news of a defect.
      return `the server ${
        Cause.hasInterruptsOnly(reason.cause) ? "was ended" : toText(crashed(reason.cause))
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
      return `the call would wait for itself (${reason.chain.join(" -> ")}). ` +
        "Use a cast, or answer later with Next.noReply, or move the work into the handler."
    case "NotConserved":
      return notConserved(reason.cause)
    case "KeyReused":
      return `the idempotency key "${reason.key}" was used for another call. Nothing was done: one key is for one call, ` +
        "made again with the same message and payload."
    case "InvalidIdempotencyKey":
      return `"${cut(reason.key, 41)}" is no idempotency key: ` +
        `it has ${
          bytesOf(reason.key)
        } bytes, and a key has 1 to ${reason.maxBytes}. Nothing was done: use a key of the call's ` +
        "own (a hash, if what you have is long), or none."
  }
}

const notConserved = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (!isInstance(error, StoreError)) return `its state could not be stored, ${toText(crashed(cause))}. ${inDoubt}`
  const what = `its state could not be ${error.operation === "load" ? "loaded" : "stored"} (${error.what}). `
  switch (error.reason._tag) {
    case "Invalid":
      return `${what}The update is not kept: the same would be refused again.`
    case "Fenced":
      // An attempt before may have been stored, although the store did not say so.
      return `${what}Whether the update is kept, the server that has taken over can tell: ask it before you send it again.`
    default:
      return what + inDoubt
  }
}

const inDoubt = "The update may or may not be kept: ask the server where it stands before you send it again."

const waited = ({ begun, outage, waitsFor }: typeof Timeout.Type): string => {
  const store = outage === undefined ? "Look at the store." : `The store does not take it: ${outage}.`
  switch (waitsFor) {
    case "handler":
      return "Its handler has begun, and goes on: what it does may still be done. Raise the timeout, or make the handler faster."
    case "reply":
      return "It was handled, and the reply that its handler promised (Next.noReply) has not come."
    case "end":
      return "The server has been told, and stops as soon as it comes to it."
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

// An instance that no constructor ran for has no stack of its own; whoever prints one gets the message.
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
 * Makes a `CallError` without running its constructor: an `Error` captures a stack, and a schema checks what is known to
 * be right. Both cost more than crash, restart and reply together, and the stack would show the engine's frames.
 */
export const callError = (server: string, request: string, reason: CallErrorReason): CallError =>
  new Stackless(server, request, reason)

/** A handler answered with something that is no answer: a defect of the server, as in OTP (`bad_return_value`). */
export class InvalidResult extends Schema.TaggedError<InvalidResult>()("InvalidResult", {
  server: Schema.String,
  request: Schema.String,
  result: Schema.Unknown
}) {
  override get message(): string {
    const what = `the handler of ${this.request} in ${this.server} returned ${
      describe(this.result)
    }, which is no answer: `
    return what + (isInstance(this.result, Promise)
      ? "wrap it with Effect.promise or Effect.tryPromise."
      : "a call's handler returns [reply, state] or a Next, a cast's handler returns the next state or a Next.")
  }
}

const describe = (value: unknown): string =>
  value === null
    ? "null"
    : isInstance(value, Promise)
    ? "a Promise"
    : ask(() => Array.isArray(value) ? `an array of ${value.length}` : undefined, undefined) ?? typeof value

/** `init` took longer than `initTimeout`. */
export class InitTimeout extends Schema.TaggedError<InitTimeout>()("InitTimeout", {
  server: Schema.String,
  millis: Schema.Number
}) {
  override get message(): string {
    return `init of ${this.server} did not finish within ${this.millis} ms. Raise initTimeout, or move slow work into continueWith.`
  }
}

/** A commit came from an incarnation that a younger one has taken over from. */
export class Fenced extends Schema.TaggedError<Fenced>()("Fenced", {
  server: Schema.String,
  incarnation: Schema.Number
}) {
  override get message(): string {
    return `incarnation ${this.incarnation} of ${this.server} has been replaced: what it still computes is not kept.`
  }
}

/** The key of a server is taken by another that lives. */
export class NameTaken extends Schema.TaggedError<NameTaken>()("NameTaken", {
  server: Schema.String,
  holder: Schema.Unknown
}) {
  override get message(): string {
    return `${this.server} is already running: a key has one server at a time. Use the one there is, or stop it first.`
  }
}

/** A server does not start on a conserved state that speaks against itself, and nobody but a person may give it up. */
export class StateRefused extends Schema.TaggedError<StateRefused>()("StateRefused", {
  server: Schema.String,
  seq: Schema.Number,
  why: Schema.String
}) {
  override get message(): string {
    return `${this.server} does not start on its conserved state (snapshot ${this.seq}): ${this.why}. Nothing was deleted. ` +
      "Mend the handlers, or look at the state and clear or replace it, or choose onSuspect: \"rollback\"."
  }
}

/**
 * A behaviour lacks a callback that is needed (OTP: `undef`): `idle`, if it answers with `idleAfter`; any other only past the
 * type checker.
 */
export class MissingCallback extends Schema.TaggedError<MissingCallback>()("MissingCallback", {
  server: Schema.String,
  callback: Schema.String
}) {
  override get message(): string {
    return `the behaviour of ${this.server} has no ${this.callback}` + (this.callback === "idle"
      ? ": add it, or leave idleAfter out of what its handlers answer."
      : ". Add it: a behaviour has init, and one handler per message.")
  }
}

/** A state or a behaviour could not be replaced: the server goes on with the one it had. */
export class ReplaceFailed extends Schema.TaggedError<ReplaceFailed>()("ReplaceFailed", {
  server: Schema.String,
  what: Schema.Literals(["state", "behavior"]),
  cause: ForeignCause
}) {
  override get message(): string {
    return `the ${this.what === "state" ? "state" : "behaviour"} of ${this.server} was not replaced ` +
      `(${toText(crashed(this.cause))}). It goes on with the one it had: mend the replacement and try again.`
  }
}

/** A server ended otherwise than it was asked to. */
export class StopFailed extends Schema.TaggedError<StopFailed>()("StopFailed", {
  server: Schema.String,
  asked: ExitReason,
  reason: ExitReason
}) {
  override get message(): string {
    return `${this.server} was to end ${toText(this.asked)}, and ended ${toText(this.reason)}. ` +
      "It is down all the same: look at its terminate, or at its crash report."
  }
}

/** A message is not in quarantine, or not any more. */
export class NotQuarantined extends Schema.TaggedError<NotQuarantined>()("NotQuarantined", {
  server: Schema.String,
  request: Schema.String
}) {
  override get message(): string {
    return `${this.request} is not in the quarantine of ${this.server}: it was replayed or discarded before. ` +
      "List what is there with Sys.quarantined."
  }
}
