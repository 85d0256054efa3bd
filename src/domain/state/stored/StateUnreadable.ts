/**
 * A stored state that this code cannot read at all: what who asked for its server hears.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { type RestartAdvice, restartAdvice } from "../../process/RestartAdvice.ts"
import { Foreign } from "../../text/ForeignCause.ts"
import { explain, type Unreadable } from "../StateSchema.ts"

/**
 * A server is not started, since its newest snapshot cannot be read: a migration threw, its text does not decode, or
 * younger code wrote it.
 *
 * What cannot be read is not replaced: nothing was set aside, and the server goes on where it was as soon as the code
 * can read the snapshot. `key` is what the state is stored under, `seq` the number of the snapshot, `version` the one
 * it was stored in, `defect` what a migration threw.
 *
 * @category errors
 * @since 0.1.0
 */
export class StateUnreadable extends Schema.TaggedError<StateUnreadable>()("StateUnreadable", {
  store: Schema.String,
  key: Schema.String,
  seq: Schema.Number,
  version: Schema.Number,
  how: Schema.Literals(["FromTheFuture", "Undecodable", "MigrationDied"]),
  why: Schema.String,
  defect: Schema.optionalKey(Foreign)
}) {
  override get message(): string {
    const { how, key, seq, store, why } = this
    return `snapshot ${seq} of "${key}" in the state store "${store}" cannot be read: ${
      why.replace(/\.$/, "")
    }. Its server is ` +
      `not started, and nothing was set aside. ${
        remedies[how]
      } and start again: it goes on from that snapshot. Or restore ` +
      "another one by hand (heirloom snapshots), or choose onUnreadable: \"init\", which gives up what cannot be read."
  }

  /** What it says to a supervisor: to start this server again is no use, and others are not concerned. */
  get [restartAdvice](): RestartAdvice {
    return "refused"
  }
}

const remedies: { readonly [How in Unreadable["_tag"]]: string } = {
  FromTheFuture: "Deploy the code that wrote it, or younger code,",
  Undecodable: "Mend its schema,",
  MigrationDied: "Mend the migration,"
}

/** The error of a snapshot in a store. */
export const stateUnreadable = (
  where: { readonly store: string; readonly key: string; readonly seq: number },
  unreadable: Unreadable,
  before?: string
): StateUnreadable =>
  new StateUnreadable({
    ...where,
    version: unreadable.version,
    how: unreadable._tag,
    why: before === undefined ? explain(unreadable) : `${explain(unreadable)} (and ${before})`,
    ...(unreadable._tag === "MigrationDied" ? { defect: unreadable.defect } : {})
  })
