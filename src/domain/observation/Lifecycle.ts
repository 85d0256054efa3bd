/**
 * Every event in the life of a supervision tree: the only vocabulary of logs, metrics, pages and tests.
 *
 * Events are plain values with a Schema, so that they can be sent, stored and compared. `at` is the Clock's time in
 * milliseconds, `path` the ids from the root supervisor down to the process the event is about.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { ExitReason } from "../process/ExitReason.ts"
import { ForeignCause } from "../text/ForeignCause.ts"

export { pathText } from "./Path.ts"

const base = { path: Schema.Array(Schema.String), at: Schema.Number }
const process = { ...base, kind: Schema.Literals(["worker", "supervisor"]), incarnation: Schema.Int }

/**
 * An incarnation is up: its init has succeeded.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Started = Schema.TaggedStruct("Started", process)

/**
 * An incarnation did not come up; `incarnation` is the number it would have had.
 *
 * @category schemas
 * @since 0.1.0
 */
export const StartFailed = Schema.TaggedStruct("StartFailed", { ...process, reason: ExitReason })

/**
 * A child's init answered `ignore`: its spec is kept (unless temporary), no process runs.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Ignored = Schema.TaggedStruct("Ignored", process)

/**
 * An incarnation ended, by itself or by order.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Exited = Schema.TaggedStruct("Exited", { ...process, reason: ExitReason })

/**
 * A supervisor decided to start a child again, after `delay` milliseconds.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Restarting = Schema.TaggedStruct("Restarting", { ...process, reason: ExitReason, delay: Schema.Number })

/**
 * A supervisor's budget is spent; it stops its children and fails, or parks the child.
 *
 * @category schemas
 * @since 0.1.0
 */
export const GaveUp = Schema.TaggedStruct("GaveUp", { ...base, child: Schema.String, reason: ExitReason })

/**
 * A child that its supervisor gave up on is kept, with its mailbox and state, until it is resumed.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Parked = Schema.TaggedStruct("Parked", process)

/**
 * A parked child was started again.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Resumed = Schema.TaggedStruct("Resumed", process)

/**
 * A child's spec was removed.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Deleted = Schema.TaggedStruct("Deleted", process)

/**
 * An incarnation did not end within its shutdown time: abandoned, and fenced off from its state.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Abandoned = Schema.TaggedStruct("Abandoned", process)

/**
 * What an incarnation does at its end failed (`terminate`, or the release of what it had acquired), after it had ended
 * for another reason. Where it had ended in order, that failure is the reason of `Exited`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const CleanUpFailed = Schema.TaggedStruct("CleanUpFailed", { ...process, cause: ForeignCause })

/**
 * A new incarnation took over conserved state.
 *
 * @category schemas
 * @since 0.1.0
 */
export const StateRestored = Schema.TaggedStruct("StateRestored", { ...process, seq: Schema.Int })

/**
 * A suspect snapshot gave way to an older, trusted one (`to`), or to `init` (`to` absent): `from - to` updates lost.
 *
 * @category schemas
 * @since 0.1.0
 */
export const StateRolledBack = Schema.TaggedStruct("StateRolledBack", {
  ...process,
  from: Schema.Int,
  to: Schema.optionalKey(Schema.Int),
  why: Schema.String
})

/**
 * A snapshot was set aside: kept for inspection, never deleted, not restored again.
 *
 * @category schemas
 * @since 0.1.0
 */
export const StateSetAside = Schema.TaggedStruct("StateSetAside", { ...process, seq: Schema.Int, why: Schema.String })

/**
 * A server that hibernates has let go of its state, which its store has (`hibernate` over `layerStore`).
 *
 * @category schemas
 * @since 0.1.0
 */
export const StatePassivated = Schema.TaggedStruct("StatePassivated", process)

/**
 * Something needed the state that had left memory: it is back.
 *
 * @category schemas
 * @since 0.1.0
 */
export const StateActivated = Schema.TaggedStruct("StateActivated", process)

/**
 * A write of an older incarnation was refused by the companion.
 *
 * @category schemas
 * @since 0.1.0
 */
export const WriteFenced = Schema.TaggedStruct("WriteFenced", { ...process, current: Schema.Int })

/**
 * A message whose handler crashed is handled again; `attempt` counts from 2.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Redelivered = Schema.TaggedStruct("Redelivered", {
  ...process,
  message: Schema.String,
  attempt: Schema.Int
})

/**
 * A message crashed its server as often as it may: set aside, inspectable, replayable.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Quarantined = Schema.TaggedStruct("Quarantined", {
  ...process,
  message: Schema.String,
  attempts: Schema.Int
})

/**
 * A durable timer is due, and its message is handled: `late` milliseconds after the date `due`, and after `missed` more
 * times of one that repeats. One that was due while no process ran is delivered when one does.
 *
 * @category schemas
 * @since 0.1.0
 */
export const TimerFired = Schema.TaggedStruct("TimerFired", {
  ...process,
  timer: Schema.String,
  message: Schema.String,
  due: Schema.Number,
  late: Schema.Number,
  missed: Schema.Int
})

/**
 * A message was dropped: the mailbox was full, or no server will handle it, now or later. Of the latter only casts are
 * published, since the caller of a call is answered.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Dropped = Schema.TaggedStruct("Dropped", {
  ...process,
  message: Schema.String,
  reason: Schema.Literals(["MailboxFull", "NotRunning", "QuarantineFull"])
})

/**
 * The schema of every event.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Lifecycle = Schema.Union([
  Started,
  StartFailed,
  Ignored,
  Exited,
  Restarting,
  GaveUp,
  Parked,
  Resumed,
  Deleted,
  Abandoned,
  CleanUpFailed,
  StateRestored,
  StateRolledBack,
  StateSetAside,
  StatePassivated,
  StateActivated,
  WriteFenced,
  Redelivered,
  Quarantined,
  TimerFired,
  Dropped
])

/**
 * One event in the life of a supervision tree.
 *
 * @category models
 * @since 0.1.0
 */
export type Lifecycle = typeof Lifecycle.Type
