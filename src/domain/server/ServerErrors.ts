/**
 * The errors of a server beside those of its calls: of its start and its end, of its handlers' answers, of changes to
 * it.
 *
 * Each is exported by the public module whose functions it comes from (`GenServer`, `Sys`).
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { crashed, ExitReason, toText } from "../process/ExitReason.ts"
import { ForeignCause } from "../text/ForeignCause.ts"
import { ask, isInstance } from "../text/ForeignText.ts"

/**
 * A handler answered with something that is no answer: a defect of the server, as in OTP (`bad_return_value`).
 *
 * @category errors
 * @since 0.1.0
 */
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

/**
 * The handler of a validated message replied with what its schema does not say: a defect of the server, which commits
 * nothing. The reply itself is not shown; `issue` tells what is wrong with it.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidReply extends Schema.TaggedError<InvalidReply>()("InvalidReply", {
  server: Schema.String,
  request: Schema.String,
  issue: Schema.String
}) {
  override get message(): string {
    return `the reply of ${this.server} to ${this.request} is not what its schema says (${this.issue}): ` +
      "mend its handler, or the schema."
  }
}

const describe = (value: unknown): string =>
  value === null
    ? "null"
    : isInstance(value, Promise)
    ? "a Promise"
    : ask(() => Array.isArray(value) ? `an array of ${value.length}` : undefined, undefined) ?? typeof value

/**
 * `init` took longer than `initTimeout`.
 *
 * @category errors
 * @since 0.1.0
 */
export class InitTimeout extends Schema.TaggedError<InitTimeout>()("InitTimeout", {
  server: Schema.String,
  millis: Schema.Number
}) {
  override get message(): string {
    return `init of ${this.server} did not finish within ${this.millis} ms. Raise initTimeout, or move slow work into continueWith.`
  }
}

/**
 * An answer set a durable timer, and nothing keeps one for this server.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoTimers extends Schema.TaggedError<NoTimers>()("NoTimers", {
  server: Schema.String,
  request: Schema.String,
  timer: Schema.String,
  why: Schema.String
}) {
  override get message(): string {
    return `${this.request} of ${this.server} set the timer "${this.timer}", which nothing would keep: ${this.why}. ` +
      "Conserve the state with StateContainer.layerMemory, or in a store that keeps timers, when it is committed."
  }
}

/**
 * A commit came from an incarnation that a younger one has taken over from.
 *
 * @category errors
 * @since 0.1.0
 */
export class Fenced extends Schema.TaggedError<Fenced>()("Fenced", {
  server: Schema.String,
  incarnation: Schema.Number
}) {
  override get message(): string {
    return `incarnation ${this.incarnation} of ${this.server} has been replaced: what it still computes is not kept.`
  }
}

/**
 * The key of a server is taken by another that lives.
 *
 * @category errors
 * @since 0.1.0
 */
export class NameTaken extends Schema.TaggedError<NameTaken>()("NameTaken", {
  server: Schema.String,
  holder: Schema.Unknown
}) {
  override get message(): string {
    return `${this.server} is already running: a key has one server at a time. Use the one there is, or stop it first.`
  }
}

/**
 * A server does not start on a conserved state that speaks against itself, and only a person may give it up.
 *
 * @category errors
 * @since 0.1.0
 */
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
 * A behaviour lacks a callback that is needed (OTP: `undef`): `idle`, if it answers with `idleAfter`; any other only
 * past the type checker.
 *
 * @category errors
 * @since 0.1.0
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

/**
 * A state or a behaviour could not be replaced: the server goes on with the one it had.
 *
 * @category errors
 * @since 0.1.0
 */
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

/**
 * A server ended otherwise than it was asked to.
 *
 * @category errors
 * @since 0.1.0
 */
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

/**
 * A message is not in quarantine, or not any more.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotQuarantined extends Schema.TaggedError<NotQuarantined>()("NotQuarantined", {
  server: Schema.String,
  request: Schema.String
}) {
  override get message(): string {
    return `${this.request} is not in the quarantine of ${this.server}: it was replayed or discarded before. ` +
      "List what is there with Sys.quarantined."
  }
}
