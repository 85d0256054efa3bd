/**
 * What a log of snapshots says, entry by entry: which snapshots are kept and where their texts lie, which answers, what was
 * set aside, whose epochs are in force.
 *
 * The states themselves stay in the files. The file store replays its log into an index when a session begins, and then
 * applies to it what it has written.
 *
 * @since 0.1.0
 */
import { AnswerShelf } from "../../../domain/state/stored/AnswerShelf.ts"
import type { TextAt } from "../../../domain/state/stored/LogFrame.ts"
import { acquired, fencedOff } from "../../../domain/state/stored/Ownership.ts"
import {
  type AsideRecord,
  keep,
  keepAnswers,
  type Kept,
  type RecordedAnswer,
  type SnapshotRecord,
  timersOf,
  withoutSnapshot,
  withTimers
} from "../../../domain/state/stored/SnapshotRecord.ts"
import type { StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import { none, type Timers } from "../../../domain/state/Timers.ts"
import { DueIndex } from "../store/DueIndex.ts"
import { KeyPages } from "../store/KeyPages.ts"

/** A part of a log file that another segment builds on. */
export interface Base {
  readonly file: string
  readonly upTo: number
}

/** An entry of the log. Read back, a record's `state` is empty: its text lies beside the entry. */
export type LogEntry =
  /** The first entry of a file: what came before it, and where the sessions before were cut off. */
  | {
    readonly _tag: "Segment"
    readonly bases: ReadonlyArray<Base>
    readonly cuts: ReadonlyArray<{ readonly session: number; readonly file: string; readonly upTo: number }>
  }
  | { readonly _tag: "Epoch"; readonly owner: string; readonly epoch: number }
  | { readonly _tag: "Put"; readonly record: SnapshotRecord }
  | {
    readonly _tag: "Aside"
    readonly key: string
    readonly seq: number
    readonly why: string
    readonly asideAt: number
  }
  /** As compaction writes what was set aside. */
  | { readonly _tag: "KeptAside"; readonly record: AsideRecord }
  | { readonly _tag: "Remove"; readonly keys: ReadonlyArray<string> }

/** An entry as it is written. A snapshot is a bare list: there are many of them, and every byte is flushed. */
export const encode = (entry: LogEntry): string => {
  if (entry._tag === "Put") {
    const { answers = [], at, epoch, forgetAnswersBefore = 0, key, seq, timers, trusted, version } = entry.record
    const isPlain = answers.length === 0 && forgetAnswersBefore === 0 && timers === undefined
    const set = timers === undefined ? "" : `,${JSON.stringify(timers)}`
    const more = isPlain ? "" : `,${JSON.stringify(answers)},${forgetAnswersBefore}${set}`
    return `[${JSON.stringify(key)},${epoch},${seq},${version},${trusted},${at}${more}]`
  }
  if (entry._tag === "KeptAside") return JSON.stringify({ ...entry, record: { ...entry.record, state: "" } })
  return JSON.stringify(entry)
}

type PutList = [
  key: string,
  epoch: number,
  seq: number,
  version: number,
  trusted: number,
  at: number,
  answers?: ReadonlyArray<RecordedAnswer>,
  forgetAnswersBefore?: number,
  timers?: Timers
]

/** An entry out of a frame whose checksum is right: what {@link encode} wrote. */
export const decode = (json: unknown): LogEntry => {
  if (!Array.isArray(json)) return json as LogEntry
  const [key, epoch, seq, version, trusted, at, answers, forgetAnswersBefore, timers] = json as PutList
  const record = { key, epoch, seq, version, trusted, at, state: "", answers, forgetAnswersBefore, timers }
  return { _tag: "Put", record }
}

/** The text that is written beside an entry. */
export const textOf = (entry: LogEntry): string =>
  entry._tag === "Put" || entry._tag === "KeptAside" ? entry.record.state : ""

/** Where a state's text lies. */
export interface Place {
  readonly file: string
  /** Where its frame begins. */
  readonly frame: number
  readonly at: number
  readonly length: number
}

/** A snapshot without its state. */
export interface Indexed extends Omit<SnapshotRecord, "state" | "answers" | "forgetAnswersBefore" | "timers"> {
  readonly place: Place
}

/** A snapshot that was set aside, without its state. */
export interface IndexedAside extends Indexed {
  readonly answers: ReadonlyArray<RecordedAnswer>
  readonly timers: Timers
  readonly why: string
  readonly asideAt: number
}

/** Rough size of an entry without its texts: only the proportion of garbage is reckoned with it. */
const entryBytes = 120

const sizeOf = (one: Indexed): number => entryBytes + one.key.length + one.place.length

const sizeOfAnswers = (answers: ReadonlyArray<RecordedAnswer>): number => new AnswerShelf(answers).size

/** What is kept of a key; the index alone changes it. */
export interface KeptInLog extends Kept<Indexed> {
  readonly snapshots: Array<Indexed>
}

/** What was set aside, with its state. */
export const asideWithState = (one: IndexedAside, state: string): AsideRecord => {
  const { answers, asideAt, timers, why } = one
  return withTimers({ ...withState(one, state), answers, why, asideAt }, timers)
}

/** A snapshot with its state. */
export const withState = ({ at, epoch, key, seq, trusted, version }: Indexed, state: string): SnapshotRecord => ({
  key,
  epoch,
  seq,
  version,
  trusted,
  at,
  state
})

const indexed = ({ at, epoch, key, seq, trusted, version }: SnapshotRecord, place: Place): Indexed => ({
  key,
  epoch,
  seq,
  version,
  trusted,
  at,
  place
})

/** What a log says. */
export class LogIndex {
  readonly kept = new Map<string, KeptInLog>()
  readonly aside: Array<IndexedAside> = []
  /** The keys, page by page. */
  readonly pages = new KeyPages(() => this.kept.keys())
  /** The keys that have timers. */
  readonly due = new DueIndex()
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
        acquired(this.epochs, entry.owner, entry.epoch)
        this.owners.set(entry.epoch, entry.owner)
        this.newest = Math.max(this.newest, entry.epoch)
        return
      case "Put":
        return this.put(entry.record, { file, frame: at, at: at + text.offset, length: text.length })
      case "Aside":
        return this.setAside(entry)
      case "KeptAside": {
        const { answers = [], asideAt, timers = none, why } = entry.record
        const place = { file, frame: at, at: at + text.offset, length: text.length }
        const one: IndexedAside = { ...indexed(entry.record, place), answers, timers, why, asideAt }
        this.aside.push(one)
        this.live += sizeOf(one) + sizeOfAnswers(answers)
        return
      }
      case "Remove":
        for (const key of entry.keys) this.remove(key)
        return
    }
  }

  /** Why a batch of writes is refused, if it is; or anything under an epoch, without a key. */
  stale(writes: ReadonlyArray<{ readonly epoch: number; readonly key?: string }>): StoreErrorReason | undefined {
    let inForce = 0
    for (const { epoch, key } of writes) {
      if (epoch !== inForce) {
        const owner = this.owners.get(epoch)
        const current = owner === undefined ? undefined : this.epochs.get(owner)
        if (current !== epoch) return fencedOff(epoch, current ?? this.newest, owner)
        inForce = epoch
      }
      if (key === undefined) continue
      const written = this.kept.get(key)?.snapshots[0]
      if (written !== undefined && written.epoch > epoch) return { _tag: "Fenced", key, epoch, current: written.epoch }
    }
    return undefined
  }

  private put(saved: SnapshotRecord, place: Place): void {
    const { key, seq, timers, trusted } = saved
    const record = indexed(saved, place)
    const kept = this.kept.get(key)
    const newest = kept?.snapshots[0]
    if (newest === undefined || kept === undefined || seq <= newest.seq || timers !== undefined) {
      const before = this.sizes(kept)
      const after = keep(kept, record, saved, this.limit)
      this.live += this.sizes(after) - before
      return this.set(key, after)
    }
    const { size } = kept.answers
    this.live += keepAnswers(kept.answers, saved).size - size
    // What `keep` does with the next snapshot in order, in place: this runs for every commit.
    const { snapshots } = kept
    this.live += sizeOf(record)
    let free = snapshots.length
    if (free === this.limit) {
      const last = free - 1
      const isNewestTrusted = snapshots[last]!.seq <= trusted && snapshots[last - 1]!.seq > trusted
      free = isNewestTrusted ? last - 1 : last
      this.live -= sizeOf(snapshots[free]!)
    }
    for (; free > 0; free--) snapshots[free] = snapshots[free - 1]!
    snapshots[0] = record
  }

  private setAside({ asideAt, key, seq, why }: LogEntry & { readonly _tag: "Aside" }): void {
    const kept = this.kept.get(key)
    const record = kept?.snapshots.find((one) => one.seq === seq)
    if (kept === undefined || record === undefined) return
    // It is still needed, in another place.
    const gone = this.takeOut(key, kept, seq)
    this.aside.push({ ...record, ...gone, why, asideAt })
    this.live += sizeOfAnswers(gone.answers)
  }

  private set(key: string, after: Kept<Indexed>): void {
    if (after.snapshots.length === 0 || !this.kept.has(key)) this.pages.changed()
    if (after.snapshots.length === 0) this.kept.delete(key)
    else this.kept.set(key, { ...after, snapshots: after.snapshots.slice() })
    this.due.set(key, timersOf(after))
  }

  /** A frame has rotted: what is kept of it is lost, and older snapshots take its place. */
  lose(file: string, frame: number): void {
    const isLost = ({ place }: Indexed) => place.file === file && place.frame === frame
    for (const [key, { snapshots }] of this.kept) {
      for (const one of snapshots.filter(isLost)) {
        this.live -= sizeOf(one)
        this.takeOut(key, this.kept.get(key)!, one.seq)
      }
    }
    for (const one of this.aside.splice(0)) {
      if (isLost(one)) this.live -= sizeOf(one) + sizeOfAnswers(one.answers)
      else this.aside.push(one)
    }
  }

  /** Keeps a key without one of its snapshots; what went with it. */
  private takeOut(key: string, before: KeptInLog, seq: number): Pick<IndexedAside, "answers" | "timers"> {
    const { answers, kept, timers } = withoutSnapshot(before, seq)
    this.live += kept.answers.size - before.answers.size
    this.set(key, kept)
    return { answers, timers }
  }

  private remove(key: string): void {
    this.live -= this.sizes(this.kept.get(key))
    this.kept.delete(key)
    this.pages.changed()
    this.due.set(key, none)
  }

  private sizes(kept: Kept<Indexed> | undefined): number {
    if (kept === undefined) return 0
    let sum = kept.answers.size
    for (const one of kept.snapshots) sum += sizeOf(one)
    return sum
  }
}
