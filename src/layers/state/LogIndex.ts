/**
 * What a log of snapshots says, entry by entry: which snapshots are kept and where their texts lie, which answers, what was
 * set aside, whose epochs are in force.
 *
 * The states themselves stay in the files. The file store replays its log into an index when a session begins, and then
 * applies to it what it has written.
 *
 * @since 0.1.0
 */
import type { TextAt } from "../../domain/state/LogFrame.ts"
import {
  type AsideRecord,
  keep,
  type Kept,
  type RecordedAnswer,
  type SnapshotRecord,
  withoutSnapshot
} from "../../domain/state/SnapshotRecord.ts"
import type { StoreErrorReason } from "../../domain/state/StoreError.ts"

/** A part of a log file that another segment builds on. */
export interface Base {
  readonly file: string
  readonly upTo: number
}

/** An entry of the log; the text beside `Put` and `KeptAside` is the state. */
export type LogEntry =
  /** The first entry of a file: what came before it, and where the sessions before were cut off. */
  | {
    readonly _tag: "Segment"
    readonly bases: ReadonlyArray<Base>
    readonly cuts: ReadonlyArray<{ readonly session: number; readonly file: string; readonly upTo: number }>
  }
  | { readonly _tag: "Epoch"; readonly owner: string; readonly epoch: number }
  | { readonly _tag: "Put"; readonly record: Omit<SnapshotRecord, "state"> }
  | {
    readonly _tag: "Aside"
    readonly key: string
    readonly seq: number
    readonly why: string
    readonly asideAt: number
  }
  /** As compaction writes what was set aside. */
  | { readonly _tag: "KeptAside"; readonly record: Omit<AsideRecord, "state"> }
  | { readonly _tag: "Remove"; readonly keys: ReadonlyArray<string> }

/** Where a state's text lies. */
export interface Place {
  readonly file: string
  readonly at: number
  readonly length: number
}

/** A snapshot without its state. */
export interface Indexed extends Omit<SnapshotRecord, "state" | "answers" | "forgetAnswersBefore"> {
  readonly place: Place
}

/** A snapshot that was set aside, without its state. */
export interface IndexedAside extends Indexed {
  readonly answers: ReadonlyArray<RecordedAnswer>
  readonly why: string
  readonly asideAt: number
}

/** Rough size of an entry without its texts: only the proportion of garbage is reckoned with it. */
const entryBytes = 120

const sizeOf = (one: Indexed): number => entryBytes + one.key.length + one.place.length

/** What a log says. */
export class LogIndex {
  readonly kept = new Map<string, Kept<Indexed>>()
  readonly aside: Array<IndexedAside> = []
  /** The epoch in force of every owner. */
  readonly epochs = new Map<string, number>()
  /** The newest epoch of all. */
  newest = 0
  /** About how many bytes of the log are still needed. */
  live = 0
  private readonly owners = new Map<number, string>()
  private readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  /** Applies an entry whose text lies at `text` of the frame at `at` of `file`. */
  apply(entry: LogEntry, file: string, at: number, text: TextAt): void {
    switch (entry._tag) {
      case "Segment":
        return
      case "Epoch":
        this.epochs.set(entry.owner, entry.epoch)
        this.owners.set(entry.epoch, entry.owner)
        this.newest = Math.max(this.newest, entry.epoch)
        return
      case "Put":
        return this.put(entry.record, { file, at: at + text.offset, length: text.length })
      case "Aside":
        return this.setAside(entry)
      case "KeptAside": {
        const { answers = [], forgetAnswersBefore: _forget, ...record } = entry.record
        const one: IndexedAside = { ...record, answers, place: { file, at: at + text.offset, length: text.length } }
        this.aside.push(one)
        this.live += sizeOf(one)
        return
      }
      case "Remove":
        for (const key of entry.keys) this.remove(key)
        return
    }
  }

  /** Why a write of `key` under `epoch` is refused, if it is. */
  stale(epoch: number, key: string): StoreErrorReason | undefined {
    const owner = this.owners.get(epoch)
    const current = owner === undefined ? undefined : this.epochs.get(owner)
    if (owner === undefined || current === undefined) return { _tag: "Fenced", epoch, current: this.newest }
    if (current !== epoch) return { _tag: "Fenced", owner, epoch, current }
    const written = this.kept.get(key)?.snapshots[0]?.epoch ?? 0
    return written > epoch ? { _tag: "Fenced", key, epoch, current: written } : undefined
  }

  private put(saved: Omit<SnapshotRecord, "state">, place: Place): void {
    const { at, epoch, key, seq, trusted, version } = saved
    const record: Indexed = { key, epoch, seq, version, trusted, at, place }
    const before = this.kept.get(key)
    const after = keep(before, record, saved, this.limit)
    this.live += this.sizes(after) - this.sizes(before)
    this.kept.set(key, after)
  }

  private setAside({ asideAt, key, seq, why }: LogEntry & { readonly _tag: "Aside" }): void {
    const kept = this.kept.get(key)
    const record = kept?.snapshots.find((one) => one.seq === seq)
    if (kept === undefined || record === undefined) return
    const after = withoutSnapshot(kept, seq)
    if (after.kept.snapshots.length === 0) this.kept.delete(key)
    else this.kept.set(key, after.kept)
    this.aside.push({ ...record, answers: after.answers, why, asideAt })
  }

  private remove(key: string): void {
    this.live -= this.sizes(this.kept.get(key))
    this.kept.delete(key)
  }

  private sizes(kept: Kept<Indexed> | undefined): number {
    let sum = 0
    for (const one of kept?.snapshots ?? []) sum += sizeOf(one)
    return sum
  }
}
