/**
 * The one error of every `StateStore`, and why.
 *
 * A caller catches `StoreError` by its tag, or one reason with `Effect.catchReason`. Every text says what happened,
 * to which store, and what to do about it.
 *
 * @since 0.1.0
 */
import { Duration, Schema } from "effect"
import { type ExitReason, toCause } from "../../process/ExitReason.ts"
import { type RestartAdvice, restartAdvice } from "../../process/RestartAdvice.ts"
import { inDoubt, updateAdvice } from "../../process/UpdateAdvice.ts"
import { Foreign } from "../../text/ForeignCause.ts"
import { ask, clause } from "../../text/ForeignText.ts"
import { Holder, holderText } from "./Ownership.ts"

/** The store did not answer, or answered that it cannot just now. A write may or may not have been stored. */
export const Unavailable = Schema.TaggedStruct("Unavailable", { cause: Foreign })

/** There is no room. A write was not stored, unless the process ends before the next one succeeds. */
export const Full = Schema.TaggedStruct("Full", { cause: Foreign })

const refusal = {
  epoch: Schema.Number,
  current: Schema.Number,
  owner: Schema.optionalKey(Schema.String),
  key: Schema.optionalKey(Schema.String)
}

/**
 * A younger session has taken over: nothing of this batch was stored. Nothing under this epoch ever will be; with a
 * `key`, nothing of that key. `owner` as far as it is known; `current` is the epoch that is in force. `others` is what
 * else of the batch is refused: a store that names all of it has them all known at once.
 */
export const Fenced = Schema.TaggedStruct("Fenced", {
  ...refusal,
  others: Schema.optionalKey(Schema.Array(Schema.Struct(refusal)))
})

/**
 * It will not do what it is asked until a person changes it: a table or a right is missing, it is read-only, its tables
 * are not what they should be.
 */
export const Unusable = Schema.TaggedStruct("Unusable", { cause: Foreign })

/**
 * The store's files are not those that were opened: removed, moved, replaced, or written to by something else. What was
 * written since may not be in what is there now. `path` is the first that is not as it was; of a database elsewhere its
 * table.
 */
export const Gone = Schema.TaggedStruct("Gone", {
  path: Schema.String,
  how: Schema.Literals(["missing", "moved", "replaced", "cut", "changed", "older"])
})

/**
 * Another process has the store for itself, and has not left it in the time that was waited for, in milliseconds. Who
 * it is as far as that is known: its process id, its host, and since when it has the store.
 */
export const Owned = Schema.TaggedStruct("Owned", { ...Holder.fields, waited: Schema.Number })

/** It was only looked at, and there is none: the place is empty, or something else is there. */
export const Absent = Schema.TaggedStruct("Absent", { what: Schema.String })

/** What the store holds is damaged: it cannot be read. */
export const Corrupt = Schema.TaggedStruct("Corrupt", { what: Schema.String })

/** It was used wrongly: nothing was stored. */
export const Invalid = Schema.TaggedStruct("Invalid", { what: Schema.String })

/**
 * Every reason a store can fail for.
 *
 * @category schemas
 * @since 0.1.0
 */
export const StoreErrorReason = Schema.Union([
  Unavailable,
  Full,
  Unusable,
  Gone,
  Fenced,
  Owned,
  Absent,
  Corrupt,
  Invalid
])

/**
 * Why a store failed.
 *
 * @category models
 * @since 0.1.0
 */
export type StoreErrorReason = typeof StoreErrorReason.Type

/**
 * A store did not do what it was asked.
 *
 * `store` is its name (`file ./data`), `operation` what it was asked.
 *
 * @category errors
 * @since 0.1.0
 */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  store: Schema.String,
  operation: Schema.String,
  reason: StoreErrorReason
}) {
  override get message(): string {
    return `${this.what}. ${adviceOn(this.reason, writes.has(this.operation))}`
  }

  /** What happened, without what to do about it, and without a full stop. */
  get what(): string {
    const { operation, reason, store } = this
    return `${operation} ${operation === "open" ? "of" : "in"} the state store "${store}": ${explain(reason)}`
  }

  /** Whether the store does not do what it is there for, whatever it is asked: it is away, full, or cannot be used. */
  get isOutage(): boolean {
    return this.isRetryable || this.reason._tag === "Unusable" || this.reason._tag === "Gone"
  }

  /**
   * Whether the same call may succeed later: the store was away, or full, or its files were moved and may come back.
   */
  get isRetryable(): boolean {
    const { reason } = this
    return reason._tag === "Unavailable" || reason._tag === "Full" || (reason._tag === "Gone" && reason.how === "moved")
  }

  /** What it says to a supervisor about starting the server again. */
  get [restartAdvice](): RestartAdvice {
    const { reason } = this
    if (this.isRetryable) return "uncharged"
    // Of one key: its server is elsewhere, and those of other keys are here.
    if (reason._tag === "Fenced") return reason.key === undefined ? "futile" : "refused"
    return reason._tag === "Gone" ? "futile" : "charged"
  }

  /** What it says to the caller whose update it kept from being stored. */
  get [updateAdvice](): string {
    const what = `its state could not be ${this.operation === "load" ? "loaded" : "stored"} (${this.what}). `
    switch (this.reason._tag) {
      case "Invalid":
        return `${what}The update is not kept: the same would be refused again.`
      case "Fenced":
        // An attempt before may have been stored, although the store did not say so.
        return `${what}Whether the update is kept, the server that has taken over can tell: ask it before you send it again.`
      default:
        return what + inDoubt
    }
  }
}

/**
 * Whether something is a store's error, whichever copy of this library it is from. What throws when it is looked at is
 * none.
 */
export const isStoreError = (u: unknown): u is StoreError =>
  ask(() => typeof u === "object" && u !== null && (u as { readonly _tag?: unknown })._tag === "StoreError", false)

/**
 * Whether something ended because a younger session has its key, and its key alone: a server, or the supervisor that
 * gave up on it.
 */
export const isTakenOver = (reason: ExitReason): boolean =>
  toCause(reason).reasons.some(
    (one) =>
      one._tag === "Fail" && isStoreError(one.error) && one.error.reason._tag === "Fenced" &&
      one.error.reason.key !== undefined
  )

/** What changes what is kept. To open a store makes at most empty tables. */
const writes: ReadonlySet<string> = new Set(["save", "setAside", "remove", "encode"])

const losses: { readonly [How in (typeof Gone.Type)["how"]]: string } = {
  missing: "was removed, or moved away,",
  moved: "was moved away",
  replaced: "was replaced by another file",
  cut: "was cut short",
  changed: "was overwritten",
  older: "was put back to what it had been before,"
}

const explain = (reason: StoreErrorReason): string => {
  switch (reason._tag) {
    case "Unavailable":
      return `it is not available (${clause(reason.cause)})`
    case "Full":
      return `there is no room (${clause(reason.cause)})`
    case "Unusable":
      return `it cannot be used as it is (${clause(reason.cause)})`
    case "Gone":
      return `${reason.path} ${losses[reason.how]} while the store was open`
    case "Fenced":
      return `a younger session has taken over${reason.owner === undefined ? "" : ` from "${reason.owner}"`}${
        reason.key === undefined ? "" : ` "${reason.key}"`
      } (epoch ${reason.epoch}, in force is ${reason.current}): another process, or another runtime of this one, has ` +
        (reason.key === undefined ? "opened the store since" : "it since")
    case "Owned":
      return `${holderText(reason)} has it, and has not left it within ${
        Duration.format(Duration.millis(reason.waited))
      }`
    case "Absent":
      return reason.what
    case "Corrupt":
      return `what it holds is damaged: ${reason.what}`
    case "Invalid":
      return reason.what
  }
}

const adviceOn = (reason: StoreErrorReason, isWrite: boolean): string => {
  switch (reason._tag) {
    case "Unavailable":
      return isWrite
        ? "The write may or may not have been stored: try again, or read what it holds."
        : "Nothing was written. See to it that it is there and may be used, then try again."
    case "Full":
      return "Free some, then try again."
    case "Unusable":
      return `${
        isWrite ? "" : "Nothing was written. "
      }To try again does not help: see to the database, its tables, the ` +
        "rights on it, and whether it is read-only; then start anew."
    case "Gone":
      return reason.how === "moved"
        ? "Put it back where it was: the store goes on from there."
        : "Nothing more is acknowledged. Stop this process, put back the original or a backup, and start anew: what was " +
          "acknowledged before may not be in what is there now."
    case "Fenced":
      return reason.key === undefined
        ? "This write was refused, as every later one is, and servers of this session do not start again. Stop this " +
          "process; or stop the other one, and start this one anew."
        : "This write was refused, as every later one of this server is, and it does not start again by itself; other servers go " +
          "on. Send what is for it to where it is now."
    case "Owned":
      return "Stop that process, or this one: a store has one owner. If this one is to take over while the other runs, as in a " +
        "rolling deploy, give its store ownership: \"youngest\"; if the other needs longer to stop, more patience."
    case "Absent":
      return "Nothing was written. See whether that is the place in which the app keeps its states."
    case "Corrupt":
      return "Older snapshots may be whole: see what was set aside, or a backup."
    case "Invalid":
      return `Nothing was ${isWrite ? "stored" : "written"}.`
  }
}
