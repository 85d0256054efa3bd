/**
 * Why a task has no result of its own.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { crashed, ExitReason, toText } from "../../../domain/process/ExitReason.ts"
import { ForeignCause } from "../../../domain/text/ForeignCause.ts"

/**
 * Every reason a task can be without a result for.
 *
 * @category schemas
 * @since 0.1.0
 */
export const TaskErrorReason = Schema.Union([
  /** It died of a defect, or was interrupted without an order. */
  Schema.TaggedStruct("Crashed", { cause: ForeignCause }),
  /** It was ordered to stop before it was done: by its supervisor, by `terminateChild`, or because its scope closed. */
  Schema.TaggedStruct("Stopped", { reason: ExitReason }),
  /** It is not done yet, and its waiter's time is over. The task goes on. */
  Schema.TaggedStruct("Timeout", { millis: Schema.Number })
])

/**
 * Why a task has no result.
 *
 * @category models
 * @since 0.1.0
 */
export type TaskErrorReason = typeof TaskErrorReason.Type

/**
 * A task that has no result of its own; `reason` says why. A typed failure of the task's effect is a result.
 *
 * @category errors
 * @since 0.1.0
 */
export class TaskError extends Schema.TaggedError<TaskError>()("TaskError", {
  /** Path of the task. */
  task: Schema.String,
  reason: TaskErrorReason
}) {
  override get message(): string {
    return `${this.task}: ${explain(this.reason)}`
  }
}

const explain = (reason: TaskErrorReason): string => {
  switch (reason._tag) {
    case "Crashed":
      return `the task ${toText(crashed(reason.cause))}. Its crash report has the cause; it is not started again.`
    case "Stopped":
      return `the task was ordered to stop before it was done (${
        toText(reason.reason)
      }). Start another if it is still wanted.`
    case "Timeout":
      return `not done within ${reason.millis} ms. Wait again, raise the timeout, or shut the task down.`
  }
}
