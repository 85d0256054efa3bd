/**
 * What can go wrong when a supervisor is asked for something.
 *
 * @since 0.1.0
 */
import { Cause, Context, Runtime, Schema } from "effect"
import { pathText } from "../../../domain/observation/Path.ts"
import { InvalidOption } from "../../../domain/options/InvalidOption.ts"
import { crashed, ExitReason, toText } from "../../../domain/process/ExitReason.ts"
import { StateUnreadable } from "../../../domain/state/stored/StateUnreadable.ts"
import { elided } from "../../../domain/text/Elided.ts"
import { ForeignCause } from "../../../domain/text/ForeignCause.ts"
import { isInstance } from "../../../domain/text/ForeignText.ts"
import type { Process } from "../../process/Process.ts"

/**
 * Why a child was not started: `E` is what its own init may fail with.
 *
 * `Failed`: its init failed, and nothing is left of it. `StateUnreadable`: its stored state cannot be read; it was not
 * replaced. `AlreadyStarted`: a child of that id is there, `process`. `AlreadyPresent`: so is its spec, but it is down
 * or being restarted. `MaxChildren`: there are as many as there may be. `InvalidSpec`: its spec makes no sense.
 * `Stopped`: it was ordered to stop before it was up; `why` is what its supervisor ends with, if that was the reason.
 * `NotRunning`: the supervisor is down, or on its way. `CallingSelf`: the start would wait for itself, by way of the
 * servers of `chain`.
 *
 * @category models
 * @since 0.1.0
 */
export type StartErrorReason<E> =
  | {
    readonly _tag: "Failed"
    readonly cause: Cause.Cause<E>
    /** The path of the process below it that did not start, when that was the reason. */
    readonly below?: ReadonlyArray<string>
  }
  | StateUnreadable
  | { readonly _tag: "AlreadyStarted"; readonly process: Process }
  | { readonly _tag: "AlreadyPresent"; readonly process: Process }
  | { readonly _tag: "MaxChildren"; readonly max: number }
  | InvalidOption
  | Stopped
  | { readonly _tag: "NotRunning" }
  | { readonly _tag: "CallingSelf"; readonly chain: ReadonlyArray<string> }

/**
 * The path of the process whose start failed: an annotation of the cause that a supervisor fails to start with, when a
 * child of its own specification, or one further below, did not come up.
 *
 * @category errors
 * @since 0.1.0
 */
export class FailedStart extends Context.Service<FailedStart, ReadonlyArray<string>>()(
  "heirloom/Supervisor/FailedStart"
) {}

/** The path of the process that a failed start is the fault of, if it is one below. */
export const failedBelow = (cause: Cause.Cause<unknown>): ReadonlyArray<string> | undefined =>
  Context.getOrUndefined(Cause.annotations(cause), FailedStart)

const StartReason = Schema.Union([
  Schema.TaggedStruct("Failed", { cause: ForeignCause, below: Schema.optionalKey(Schema.Array(Schema.String)) }),
  StateUnreadable,
  Schema.TaggedStruct("AlreadyStarted", { process: Schema.Unknown }),
  Schema.TaggedStruct("AlreadyPresent", { process: Schema.Unknown }),
  Schema.TaggedStruct("MaxChildren", { max: Schema.Number }),
  InvalidOption,
  Schema.TaggedStruct("Stopped", { why: Schema.optionalKey(ExitReason) }),
  Schema.TaggedStruct("NotRunning", {}),
  Schema.TaggedStruct("CallingSelf", { chain: Schema.Array(Schema.String) })
])

/**
 * A child was not started.
 *
 * @category errors
 * @since 0.1.0
 */
export class StartError<E = unknown> extends Schema.TaggedError<StartError<unknown>>()("StartError", {
  /** Path of the supervisor. */
  supervisor: Schema.String,
  /** Id of the child. */
  child: Schema.String,
  reason: StartReason
}) {
  declare readonly reason: StartErrorReason<E>

  override get message(): string {
    return `${this.child} under ${this.supervisor}: ${explainStart(this.reason)}`
  }
}

/** A child was ordered to stop before it was up. */
export interface Stopped {
  readonly _tag: "Stopped"
  readonly why?: ExitReason
}

/** The reason of a start that was given up: `why` is what the supervisor ends with, if it does. */
export const stoppedFor = (why: ExitReason | undefined): Stopped =>
  why === undefined ? { _tag: "Stopped" } : { _tag: "Stopped", why }

/** The reason of a start that failed. */
export const failed = <E>(
  cause: Cause.Cause<E>
): Extract<StartErrorReason<E>, { readonly _tag: "Failed" | "StateUnreadable" }> => {
  for (const reason of cause.reasons) {
    if (reason._tag === "Fail" && isInstance(reason.error, StateUnreadable)) return reason.error
  }
  const below = failedBelow(cause)
  return below === undefined ? { _tag: "Failed", cause } : { _tag: "Failed", cause, below }
}

const explainStart = (reason: StartErrorReason<unknown>): string => {
  switch (reason._tag) {
    case "Failed":
      return `it did not come up${reason.below === undefined ? "" : `, since ${pathText(reason.below)} did not`}, ${
        toText(crashed(reason.cause))
      }. Nothing is left of it: repair the cause and start it again.`
    case "AlreadyStarted":
      return "a child of that id is running. Use it (reason.process), or give this one another id."
    case "AlreadyPresent":
      return "the supervisor has that spec already, and the child is down. Use restartChild, or deleteChild first."
    case "MaxChildren":
      return `there are ${reason.max} children, as many as maxChildren allows. Try again when one has ended, or raise it.`
    case "StateUnreadable":
    case "InvalidOption":
      return reason.message
    case "Stopped":
      return `it was ordered to stop before it was up${
        reason.why === undefined ? "" : `, since its supervisor is on its way down: ${toText(reason.why)}`
      }.`
    case "NotRunning":
      return "the supervisor is not running, or shutting down. If it gave up, its crash report says why."
    case "CallingSelf":
      return `the start would wait for itself (${elided(reason.chain.join(" -> "))}). ` +
        "Ask for it after the start, with a cast to itself or continueWith, or leave it to a fiber of its own."
  }
}

/**
 * Why a supervisor could not do what it was asked with a child it has, or has not.
 *
 * @since 0.1.0
 */
export const ChildErrorReason = Schema.Union([
  /** There is no child of that id. */
  Schema.TaggedStruct("NotFound", {}),
  /** The child is running: terminate it first. */
  Schema.TaggedStruct("Running", {}),
  /** The child is about to be started again by the supervisor: terminate it first. */
  Schema.TaggedStruct("Restarting", {}),
  /** The child is parked: resume it, or terminate it first. */
  Schema.TaggedStruct("Parked", {}),
  /** The child is not parked, there is nothing to resume. */
  Schema.TaggedStruct("NotParked", {}),
  /** The supervisor itself is down, or on its way. */
  Schema.TaggedStruct("NotRunning", {})
])

/**
 * Why a supervisor could not do it.
 *
 * @since 0.1.0
 */
export type ChildErrorReason = typeof ChildErrorReason.Type

/**
 * A supervisor could not do what it was asked with a child.
 *
 * @category errors
 * @since 0.1.0
 */
export class ChildError extends Schema.TaggedError<ChildError>()("ChildError", {
  /** Path of the supervisor. */
  supervisor: Schema.String,
  /** Id of the child. */
  child: Schema.String,
  reason: ChildErrorReason
}) {
  override get message(): string {
    return `${this.child} under ${this.supervisor}: ${explainChild[this.reason._tag]}`
  }
}

const explainChild: Record<ChildErrorReason["_tag"], string> = {
  NotFound: "there is no such child. whichChildren lists those there are.",
  Running: "the child is running. terminateChild first.",
  Restarting: "the child is being restarted. Wait for it, or terminateChild first.",
  Parked: "the child is parked, because its supervisor gave up on it. resumeChild starts it again.",
  NotParked: "the child is not parked, there is nothing to resume.",
  NotRunning: "the supervisor is not running, or shutting down."
}

/**
 * An app ended because its root supervisor gave up. Its exit code is 1.
 *
 * @category errors
 * @since 0.1.0
 */
export class RootEnded extends Schema.TaggedError<RootEnded>()("RootEnded", {
  supervisor: Schema.String,
  cause: ForeignCause
}) {
  override readonly [Runtime.errorExitCode] = 1

  override get message(): string {
    return `${this.supervisor} gave up, ${
      toText(crashed(this.cause))
    }. Its crash report and those of its children tell why; the app has been shut down in order.`
  }
}
