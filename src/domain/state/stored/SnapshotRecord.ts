/**
 * A snapshot as a store holds it, and the rules of keeping: which generations, which answers.
 *
 * Every store keeps alike, whatever it keeps in: the rules are here, as functions of what was kept before.
 *
 * @since 0.1.0
 */
import * as GivenOption from "../../options/GivenOption.ts"
import { bytesOf } from "../../options/Utf8.ts"
import type { Limits, RecordedAnswer } from "../Answers.ts"
import * as Timers from "../Timers.ts"
import { AnswerShelf } from "./AnswerShelf.ts"

export type { RecordedAnswer } from "../Answers.ts"

/** A snapshot as a store holds it. */
export interface SnapshotRecord {
  readonly key: string
  /** The epoch it is written under. */
  readonly epoch: number
  /** Its place in the order of the key's commits, from 1. The same number again replaces the snapshot. */
  readonly seq: number
  /** Version of the state's schema. */
  readonly version: number
  /** The state, as JSON text (`JSON.stringify` makes what every store can hold). */
  readonly state: string
  /** Every older snapshot up to this number is trusted (0: none); see `Generations`. */
  readonly trusted: number
  /** When it was committed, in milliseconds. */
  readonly at: number
  /**
   * Saved: answers recorded since the last record of the key that was saved, in one commit with the state. Loaded:
   * every answer that was recorded up to this snapshot and not forgotten.
   */
  readonly answers?: ReadonlyArray<RecordedAnswer> | undefined
  /**
   * Saved: forget the key's answers with a lower `seq`, in the same commit: those under keys that callers have given.
   */
  readonly forgetAnswersBefore?: number | undefined
  /** Saved: the same of those under made keys. */
  readonly forgetMadeBefore?: number | undefined
  /**
   * Saved: all timers that are set from this snapshot on, in one commit with the state; absent when they are as before.
   * Loaded: the timers of this snapshot; absent when it has none.
   */
  readonly timers?: Timers.Timers | undefined
  /**
   * Loaded: why it is not what was written, where that is so. `state` is the text as it lies there now, or empty.
   * Nothing starts from it: it is set aside, and the server says what it starts from instead. Its answers are those up
   * to it, and what is known of those that were lost (`Answers.lost`).
   */
  readonly damaged?: string | undefined
  /**
   * Loaded: that nothing is known of the key, and a part of the store was lost, at `at`, which may have held it. That
   * is so no longer than the key's server keeps answers on record.
   */
  readonly isDoubt?: true | undefined
}

/**
 * A part of a store was lost of which it is not known what it held: who has no snapshot may have had one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Doubt {
  /** When that was found out, in milliseconds. */
  readonly at: number
  readonly why: string
}

/** The records of a key without a doubt that is over. */
export const undoubted = (
  records: ReadonlyArray<SnapshotRecord>,
  now: number,
  { maxAge }: Limits
): ReadonlyArray<SnapshotRecord> => records.filter(({ at, isDoubt }) => isDoubt !== true || now - at <= maxAge)

/** A key that has timers, and when the earliest of them is due. */
export interface DueKey {
  readonly key: string
  readonly due: number
  readonly timers: Timers.Timers
}

/** A snapshot that was set aside. It carries the answers whose updates it took with it. */
export interface AsideRecord extends SnapshotRecord {
  readonly why: string
  /** When it was set aside, in milliseconds. */
  readonly asideAt: number
}

/** Snapshots kept of a key by default. */
export const defaultGenerations = 3

/** How many snapshots a store keeps of a key; fewer than two are refused with an `InvalidOption`. */
export const generationsOf = (store: string, given = defaultGenerations): number =>
  GivenOption.integer({ of: store, option: "generations", given }, 2)

/** Longest key, in bytes of UTF-8: together with an answer's id, what an index of every database can hold. */
export const maxKeyBytes = 512

/** Longest id of a recorded answer, in bytes of UTF-8. */
export const maxAnswerIdBytes = 256

/** Whether it has more bytes than that; a short one is not looked through. */
export const isLonger = (text: string, bytes: number): boolean =>
  text.length * 3 > bytes && (text.length > bytes || bytesOf(text) > bytes)

/** What is wrong with a key, for stores and companions to refuse it. */
export const invalidKey = (key: string): string | undefined =>
  isLonger(key, maxKeyBytes)
    ? `the key "${key.slice(0, 40)}…" has ${bytesOf(key)} bytes, and a store holds keys of up to ${maxKeyBytes}`
    : undefined

/** What is wrong with a batch, for stores to refuse it. */
export const invalid = (records: ReadonlyArray<SnapshotRecord>): string | undefined => {
  for (const { answers, at, epoch, key, seq, timers, trusted, version } of records) {
    const what = invalidKey(key)
    if (what !== undefined) return what
    if (!Number.isSafeInteger(seq) || seq < 1) return `sequence number ${seq} of "${key}" is not a positive integer`
    if (!Number.isSafeInteger(epoch) || epoch < 1) return `epoch ${epoch} of "${key}" was never acquired`
    if (!Number.isSafeInteger(trusted) || !Number.isSafeInteger(version) || !Number.isFinite(at)) {
      return `snapshot ${seq} of "${key}" has no proper version (${version}), trust (${trusted}) or time (${at})`
    }
    for (const { id } of answers ?? []) {
      if (isLonger(id, maxAnswerIdBytes)) {
        return `the answer id "${id.slice(0, 40)}…" of "${key}" is longer than ${maxAnswerIdBytes} bytes`
      }
    }
    for (const { due, name } of timers ?? []) {
      if (!Number.isFinite(due)) return `the timer "${name}" of "${key}" is due at no proper time (${due})`
    }
  }
  return undefined
}

/** A key's snapshots and answers, as the stores that keep them in memory do. */
export interface Kept<R extends { readonly seq: number; readonly trusted: number }> {
  /** Newest first. */
  readonly snapshots: ReadonlyArray<R>
  /** Changed in place by what is saved. */
  readonly answers: AnswerShelf
  /** Newest first; absent when none was ever set. */
  readonly timers?: ReadonlyArray<Timers.Row> | undefined
}

/**
 * Which snapshot gives way to a new one, when `limit` are kept: the oldest, but never the newest trusted one.
 *
 * `seqs` is what is kept, `trusted` what the new snapshot says. Answers the place, or the first free one.
 */
export const evict = (seqs: ReadonlyArray<number>, limit: number, trusted: number): number => {
  if (seqs.length < limit) return seqs.length
  let newestTrusted = -1
  for (const seq of seqs) if (seq <= trusted && seq > newestTrusted) newestTrusted = seq
  let oldest = -1
  for (let i = 0; i < seqs.length; i++) {
    if (seqs[i] !== newestTrusted && (oldest === -1 || seqs[i]! < seqs[oldest]!)) oldest = i
  }
  return oldest
}

/** What goes with a snapshot that is saved. */
export type Saved = Pick<SnapshotRecord, "answers" | "forgetAnswersBefore" | "forgetMadeBefore" | "timers">

/** Takes up the answers of a record that was saved. */
export const keepAnswers = (
  shelf: AnswerShelf,
  { answers, forgetAnswersBefore = 0, forgetMadeBefore = 0 }: Omit<Saved, "timers">
): AnswerShelf => {
  if (answers !== undefined) shelf.add(answers)
  if (forgetAnswersBefore > 0) shelf.forgetBefore(forgetAnswersBefore)
  if (forgetMadeBefore > 0) shelf.forgetMadeBefore(forgetMadeBefore)
  return shelf
}

/** What is kept of a key after a record was saved. */
export const keep = <R extends { readonly seq: number; readonly trusted: number }>(
  kept: Kept<R> | undefined,
  record: R,
  saved: Saved,
  limit: number
): Kept<R> => {
  const snapshots = (kept?.snapshots ?? []).filter((one) => one.seq !== record.seq)
  const seqs = snapshots.map((one) => one.seq)
  snapshots[evict(seqs, limit, record.trusted)] = record
  snapshots.sort((a, b) => b.seq - a.seq)
  const timers = saved.timers === undefined
    ? kept?.timers
    : Timers.recorded(kept?.timers, record.seq, saved.timers, snapshots.at(-1)!.seq)
  return { snapshots, answers: keepAnswers(kept?.answers ?? new AnswerShelf(), saved), timers }
}

/** The timers of a key: those of its newest snapshot. */
export const timersOf = ({ snapshots: [newest], timers }: Kept<{ readonly seq: number; readonly trusted: number }>) =>
  newest === undefined ? Timers.none : Timers.asOf(timers, newest.seq)

/**
 * What is kept of a key after a snapshot was set aside, and what went with it: the answers, oldest first, and the
 * timers.
 */
export const withoutSnapshot = <R extends { readonly seq: number; readonly trusted: number }>(
  kept: Kept<R>,
  seq: number
): { readonly kept: Kept<R>; readonly answers: ReadonlyArray<RecordedAnswer>; readonly timers: Timers.Timers } => {
  const snapshots = kept.snapshots.filter((one) => one.seq !== seq)
  const timers = Timers.asOf(kept.timers, seq)
  if (kept.snapshots[0]?.seq !== seq) return { kept: { ...kept, snapshots }, answers: [], timers }
  const before = snapshots[0]?.seq ?? 0
  const all = Array.from(kept.answers)
  return {
    kept: {
      snapshots,
      answers: new AnswerShelf(all.filter((one) => one.seq <= before)),
      timers: Timers.upTo(kept.timers, before)
    },
    answers: all.filter((one) => one.seq > before).sort((a, b) => a.seq - b.seq),
    timers
  }
}

/** A snapshot with the answers recorded up to it, oldest first, and the timers that are set with it. */
export const loaded = <R extends SnapshotRecord>(
  record: R,
  answers: Iterable<RecordedAnswer>,
  rows: ReadonlyArray<Timers.Row> | undefined
): R =>
  withTimers({
    ...record,
    answers: Array.from(answers).filter((one) => one.seq <= record.seq).sort((a, b) => a.seq - b.seq)
  }, Timers.asOf(rows, record.seq))

/** A record with its timers; without any it has none to name. */
export const withTimers = <R extends SnapshotRecord>(record: R, timers: Timers.Timers): R =>
  timers.length === 0 ? record : { ...record, timers }
