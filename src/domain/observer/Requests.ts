/**
 * What a page may ask of the observer. It comes from outside, and is decoded before anything is made of it.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { columns } from "./Ranking.ts"

const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
const Numbers = Schema.Array(Count).check(Schema.isMaxLength(1000))

/** The most rows that a reader is sent. */
export const maxRows = 200

/** What a reader looks at. */
export const View = Schema.Struct({
  reader: Schema.String.check(Schema.isMaxLength(64)),
  from: Count,
  count: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxRows })),
  opened: Numbers,
  closed: Numbers,
  /** Only processes whose id has this in it. */
  find: Schema.String.check(Schema.isMaxLength(200)),
  /** Only processes that something is wrong with. */
  troubled: Schema.Boolean,
  /** A list of processes in the order of a column, in place of the tree. */
  sort: Schema.NullOr(Schema.Struct({
    by: Schema.Literals(columns),
    order: Schema.Literals(["ascending", "descending"])
  })),
  chosen: Schema.NullOr(Count)
})

export type View = typeof View.Type

/** Where a process is that was read of, in the feed. */
export const Place = Schema.Struct({ path: Schema.Array(Schema.String).check(Schema.isMaxLength(100)) })

export type Place = typeof Place.Type

const target = { n: Count }

/** What is done to a process. */
export const Action = Schema.Union([
  Schema.TaggedStruct("Crash", target),
  Schema.TaggedStruct("Stop", target),
  Schema.TaggedStruct("Restart", target),
  Schema.TaggedStruct("Suspend", target),
  Schema.TaggedStruct("Resume", target),
  Schema.TaggedStruct("Restore", { ...target, seq: Count }),
  Schema.TaggedStruct("Replay", { ...target, at: Schema.Number, message: Schema.String })
])

export type Action = typeof Action.Type
