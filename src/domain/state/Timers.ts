/**
 * Durable timers of one server, as a rule: which there are after an answer, which are due, and what is left of one that
 * was.
 *
 * They are kept beside the state, and change in one commit with it. Times are dates: milliseconds of the wall clock,
 * since they outlive the process that set them.
 *
 * @since 0.1.0
 */
import type { Schema } from "effect"

/** A timer that is set. */
export interface Timer {
  /** Unique among the timers of its server. */
  readonly name: string
  /** When it is due next. */
  readonly due: number
  /** Milliseconds from one time to the next, if it repeats. */
  readonly every?: number
  /** The tag of its message, and the payload as the message's schema writes it. */
  readonly message: string
  readonly payload: Schema.Json
}

/** The timers of one server, in the order in which they were set. */
export type Timers = ReadonlyArray<Timer>

/** No timer is set. */
export const none: Timers = []

/** What an answer does to one timer. */
export type Change =
  /** Takes the place of one of that name. */
  | { readonly _tag: "Set"; readonly timer: Timer }
  | { readonly _tag: "Cancel"; readonly name: string }

/** A timer that is due, at the moment at which its message is handled. */
export interface Due {
  readonly timer: Timer
  /** Milliseconds since it was due first. */
  readonly late: number
  /** How often more it has been due since: those times are made up for by this one. */
  readonly missed: number
}

/** When the earliest of them is due; nothing when none is set. */
export const earliest = (timers: Timers): number | undefined => {
  let first: number | undefined
  for (const { due } of timers) if (first === undefined || due < first) first = due
  return first
}

/** Those that are due, the earliest first. */
export const due = (timers: Timers, now: number): ReadonlyArray<Due> =>
  timers.filter((timer) => timer.due <= now)
    .sort((a, b) => a.due - b.due)
    .map((timer) => {
      const late = now - timer.due
      return { timer, late, missed: timer.every === undefined ? 0 : Math.floor(late / timer.every) }
    })

/** Whether a timer is still set as it was when it was found to be due. */
export const isSet = (timers: Timers, { timer }: Due): boolean =>
  timers.some((one) =>
    one.name === timer.name && one.due === timer.due && one.message === timer.message &&
    // Another of that name may have been set to the same time.
    (one === timer || JSON.stringify(one.payload) === JSON.stringify(timer.payload))
  )

/** What is left when the message of a timer was handled: one that repeats is due at its next time, another is gone. */
export const handled = (timers: Timers, { missed, timer: { due, every, name } }: Due): Timers =>
  timers.flatMap((timer) => {
    if (timer.name !== name || timer.due !== due) return [timer]
    return every === undefined ? [] : [{ ...timer, due: due + (missed + 1) * every }]
  })

/** The timers after the changes of an answer, in their order. */
export const changed = (timers: Timers, changes: Iterable<Change>): Timers => {
  const byName = new Map(timers.map((timer) => [timer.name, timer]))
  for (const change of changes) {
    if (change._tag === "Cancel") byName.delete(change.name)
    else byName.set(change.timer.name, change.timer)
  }
  return Array.from(byName.values())
}

/** The timers set with a snapshot, and with those that follow until they change. */
export interface Row {
  /** The number of the snapshot. */
  readonly seq: number
  readonly timers: Timers
}

/** The timers of a snapshot: those that were set last up to it. `rows` are newest first. */
export const asOf = (rows: ReadonlyArray<Row> | undefined, seq: number): Timers =>
  rows?.find((row) => row.seq <= seq)?.timers ?? none

/** The rows after timers were set with a snapshot, without those that no snapshot from `oldest` on needs. */
export const recorded = (
  rows: ReadonlyArray<Row> | undefined,
  seq: number,
  timers: Timers,
  oldest: number
): ReadonlyArray<Row> => {
  const all = [...(rows ?? []).filter((row) => row.seq !== seq), { seq, timers }].sort((a, b) => b.seq - a.seq)
  const last = all.findIndex((row) => row.seq <= oldest)
  return last === -1 ? all : all.slice(0, last + 1)
}

/** The rows up to a snapshot: those of younger ones went with them. */
export const upTo = (rows: ReadonlyArray<Row> | undefined, seq: number): ReadonlyArray<Row> | undefined =>
  rows?.filter((row) => row.seq <= seq)
