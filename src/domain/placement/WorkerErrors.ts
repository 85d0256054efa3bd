/**
 * What goes wrong between a server and the thread, or process, that runs its handlers.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { Foreign } from "../text/ForeignCause.ts"
import { messageOf } from "../text/ForeignText.ts"

/** Where handlers run that do not run beside their server. */
export const Place = Schema.Literals(["thread", "process"])

/** Where handlers run that do not run beside their server. */
export type Place = typeof Place.Type

/**
 * The thread, or process, that ran a handler is gone: the defect of the server whose message it was at.
 *
 * @category errors
 * @since 0.1.0
 */
export class WorkerDied extends Schema.TaggedError<WorkerDied>()("WorkerDied", {
  place: Place,
  /** How it ended, as the end of a sentence that begins with it. */
  how: Schema.String,
  cause: Schema.optionalKey(Foreign)
}) {
  override get message(): string {
    return `the ${this.place} of the handler ${this.how}. The next incarnation gets another one.`
  }
}

/**
 * A thread, or process, did not come to serve a server: its module did not load, its layer did not build, or its `init`
 * failed.
 *
 * @category errors
 * @since 0.1.0
 */
export class WorkerFailed extends Schema.TaggedError<WorkerFailed>()("WorkerFailed", {
  server: Schema.String,
  place: Place,
  /** At what it failed. */
  at: Schema.Literals(["start", "module", "layer", "init"]),
  cause: Foreign
}) {
  override get message(): string {
    const what = {
      start: "did not start",
      module: "did not load the module of",
      layer: "did not build the layer of",
      init: "failed in init of"
    }
    const whose = this.at === "start" ? ` for ${this.server}` : ` ${this.server}`
    return `the ${this.place} ${what[this.at]}${whose}: ${messageOf(this.cause)}`
  }
}

/**
 * Something does not travel between a server and its thread, or process: a defect of the server, which commits nothing.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotCrossing extends Schema.TaggedError<NotCrossing>()("NotCrossing", {
  server: Schema.String,
  request: Schema.String,
  what: Schema.Literals(["payload", "state", "error", "answer"]),
  issue: Schema.String
}) {
  override get message(): string {
    return `the ${this.what} of ${this.request} does not leave ${this.server}: ${this.issue}. ` +
      (this.what === "answer"
        ? "Answer with [reply, state], a state, or a Next without continueWith."
        : "Mend it, or its schema.")
  }
}
