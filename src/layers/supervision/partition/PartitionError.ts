/**
 * What can go wrong with partitions.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { crashed, toText } from "../../../domain/process/ExitReason.ts"
import { ForeignCause } from "../../../domain/text/ForeignCause.ts"

/**
 * Every reason a partition supervisor can refuse something for.
 *
 * @category schemas
 * @since 0.1.0
 */
export const PartitionErrorReason = Schema.Union([
  /** The partition supervisor is down and no start is due. OTP's `noproc`. */
  Schema.TaggedStruct("NotRunning", {}),
  /** There is no partition of that number now: `partitions` is how many there are. */
  Schema.TaggedStruct("UnknownPartition", { partition: Schema.Number, partitions: Schema.Number }),
  /** It has been resized to no partition at all: no key has one. */
  Schema.TaggedStruct("NoPartitions", {}),
  /** There cannot be so many partitions. Nothing has changed. */
  Schema.TaggedStruct("InvalidSize", { problem: Schema.String }),
  /** A partition that was to come back did not; those before it have. */
  Schema.TaggedStruct("NotStarted", {
    partition: Schema.Number,
    cause: ForeignCause
  })
])

/**
 * Why a partition supervisor refused something.
 *
 * @category errors
 * @since 0.1.0
 */
export type PartitionErrorReason = typeof PartitionErrorReason.Type

/**
 * What went wrong with a partition; `reason` says what.
 *
 * @category errors
 * @since 0.1.0
 */
export class PartitionError extends Schema.TaggedError<PartitionError>()("PartitionError", {
  /** Path of the partition supervisor. */
  supervisor: Schema.String,
  reason: PartitionErrorReason
}) {
  override get message(): string {
    return `${this.supervisor}: ${explain(this.reason)}`
  }
}

const explain = (reason: PartitionErrorReason): string => {
  switch (reason._tag) {
    case "NotRunning":
      return "the partition supervisor is not running. Start it, or see its crash report for why it ended."
    case "UnknownPartition":
      return `there is no partition ${reason.partition}: there are ${reason.partitions}, numbered from 0. ` +
        "Ask partitions first, or route a key."
    case "NoPartitions":
      return "it has been resized to 0 partitions, so no key has one. Resize it up."
    case "InvalidSize":
      return `cannot resize: ${reason.problem}.`
    case "NotStarted":
      return `partition ${reason.partition} ${toText(crashed(reason.cause))} while it was started again. ` +
        "Those before it are there. Mend the cause, then resize once more."
  }
}
