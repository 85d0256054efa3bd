/**
 * Why a group refused something.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { pathText } from "../../domain/observation/Lifecycle.ts"
import { shown } from "../../domain/text/ForeignText.ts"

/** None of those who were to leave was a member. OTP's `not_joined`. */
export const NotJoined = Schema.TaggedStruct("NotJoined", { group: Schema.Unknown })

/** A process that was to join has ended for good. */
export const NotAlive = Schema.TaggedStruct("NotAlive", { group: Schema.Unknown, path: Schema.Array(Schema.String) })

/** The groups are gone: the scope they were built in has closed. OTP's `noproc`. */
export const GroupsClosed = Schema.TaggedStruct("GroupsClosed", { group: Schema.Unknown })

/** Why joining or leaving was refused. */
export const GroupsErrorReason = Schema.Union([NotJoined, NotAlive, GroupsClosed])

/** Why joining or leaving was refused. */
export type GroupsErrorReason = typeof GroupsErrorReason.Type

/**
 * A group refused something, for the `reason` given: no process has joined or left.
 *
 * @category errors
 * @since 0.1.0
 */
export class GroupsError extends Schema.TaggedError<GroupsError>()("GroupsError", {
  groups: Schema.String,
  reason: GroupsErrorReason
}) {
  override get message(): string {
    return `${this.groups}, group ${shown(this.reason.group)}: ${explain(this.reason)}`
  }
}

const explain = (reason: GroupsErrorReason): string => {
  switch (reason._tag) {
    case "NotJoined":
      return "none of those that were to leave is a member. One that has ended has left already."
    case "NotAlive":
      return `${pathText(reason.path)} has ended for good: only a process that lives can join. Start it again.`
    case "GroupsClosed":
      return "the groups have been shut down. Keep the layer that provides them open as long as they are used."
  }
}
