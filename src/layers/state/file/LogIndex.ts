/**
 * What a log of snapshots says, entry by entry: which snapshots are kept and where their texts lie, which answers, what
 * was set aside, whose epochs are in force.
 *
 * The states themselves stay in the files. The file store replays its log into an index when a session begins, and then
 * applies to it what it has written.
 *
 * @since 0.1.0
 */
import { anyId, lost } from "../../../domain/state/Answers.ts"
import type { LogEntry, Meta } from "../../../domain/state/log/LogEntry.ts"
import { AnswerShelf } from "../../../domain/state/stored/AnswerShelf.ts"
import { answersUpTo, stillLost } from "../../../domain/state/stored/Lost.ts"
import { acquired, fenced, fencedOff, type Refusal } from "../../../domain/state/stored/Ownership.ts"
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
import * as Timers from "../../../domain/state/Timers.ts"
import { DueIndex } from "../store/DueIndex.ts"
import { KeyPages } from "../store/KeyPages.ts"

/** Where a state's text lies. */
export interface Place {
  readonly file: string
  readonly at: number
  readonly length: number
  /** Its checksum; absent in a log of version 0.1, which has one for a whole frame. */
  readonly sum: number | undefined
}

/** Where an entry's text lies in its frame, and why it is not what was written, if it is not. */
export interface Text {
  readonly offset: number
  readonly length: number
  readonly sum?: number | undefined
  readonly damaged?: string | undefined
}

/** A snapshot without its state. */
export interface Indexed extends Meta {
  readonly place: Place
  /** Why its text is not what was written, where that is known. */
  readonly damaged?: string | undefined
}

/** A snapshot that was set aside, without its state. */
export interface IndexedAside extends Indexed {
  readonly answers: ReadonlyArray<RecordedAnswer>
  readonly timers: Timers.Timers
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
  /**
   * What was acknowledged among them, and is damaged, newest first. Of those after all of them its server hears when it
   * starts.
   */
  readonly lost?: ReadonlyArray<Indexed> | undefined
}

/** What was set aside, with its state. */
export const asideWithState = (one: IndexedAside, state: string): AsideRecord => {
  const { answers, asideAt, damaged, timers, why } = one
  const record = { ...withState(one, state), answers, why, asideAt }
  return withTimers(damaged === undefined ? record : { ...record, damaged }, timers)
}

/** A snapshot with its state. */
export const withState = ({ at, epoch, key, seq, trusted, version }: Meta, state: string): SnapshotRecord => ({
  key,
  epoch,
  seq,
  version,
  trusted,
  at,
  state
})

const indexed = ({ at, epoch, key, seq, trusted, version }: Meta, place: Place): Indexed => ({
  key,
  epoch,
  seq,
  version,
  trusted,
  at,
  place
})

const nowhere: Place = { file: "", at: 0, length: 0, sum: undefined }

/** Snapshots of a key that are lost, newest first. */
export type Losses = readonly [newest: Indexed, ...older: ReadonlyArray<Indexed>]

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
  /** A part was lost of which it is not known what it held: a key without snapshots may have had some. */
  doubt: { readonly at: number; readonly why: string } | undefined = undefined
  /** By key: answers that are lost, where no snapshot is left. */
  readonly orphans = new Map<string, ReadonlyArray<RecordedAnswer>>()
  /** About how many bytes of the log are still needed. */
  live = 0
  private readonly owners = new Map<number, string>()
  private readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  /** Applies an entry whose text lies at `text` of the frame at `at` of `file`. */
  apply(entry: LogEntry, file: string, at: number, text?: Text): void {
    switch (entry._tag) {
      case "Segment":
        return
      case "Epoch":
        acquired(this.epochs, entry.owner, entry.epoch)
        this.owners.set(entry.epoch, entry.owner)
        this.newest = Math.max(this.newest, entry.epoch)
        return
      case "Put": {
        const { record } = entry
        if (record.epoch > this.newest) this.newest = record.epoch
        this.adopt(record)
        const place = placeOf(file, at, text)
        return text?.damaged === undefined ? this.put(record, place) : this.lose(record, place, text.damaged)
      }
      case "Aside":
        return this.setAside(entry)
      case "KeptAside": {
        const { answers = [], asideAt, damaged, timers = Timers.none, why } = entry.record
        const place = placeOf(file, at, text)
        const one = {
          ...indexed(entry.record, place),
          answers,
          timers,
          why,
          asideAt,
          damaged: text?.damaged ?? damaged
        }
        this.aside.push(one)
        this.live += sizeOf(one) + sizeOfAnswers(answers)
        return
      }
      case "Remove":
        for (const key of entry.keys) this.remove(key)
        return
      case "Lost":
        return this.lose(entry.record, placeOf(file, at, text), entry.why)
      case "AnswersLost":
        this.orphans.set(entry.key, entry.answers)
        return
      case "Doubt":
        return entry.why === "" ? this.settle() : void (this.doubt = entry)
    }
  }

  /** Why a batch of writes is refused, if it is; or anything under an epoch, without a key. */
  stale(writes: ReadonlyArray<{ readonly epoch: number; readonly key?: string }>): StoreErrorReason | undefined {
    let inForce = 0
    const refused: Array<Refusal> = []
    for (const { epoch, key } of writes) {
      if (epoch !== inForce) {
        const owner = this.owners.get(epoch)
        const current = owner === undefined ? undefined : this.epochs.get(owner)
        if (current !== epoch) {
          refused.push(fencedOff(epoch, current ?? this.newest, owner, key))
          continue
        }
        inForce = epoch
      }
      if (key === undefined) continue
      const written = this.kept.get(key)?.snapshots[0]
      if (written !== undefined && written.epoch > epoch) refused.push({ key, epoch, current: written.epoch })
    }
    return fenced(refused)
  }

  private put(saved: SnapshotRecord, place: Place): void {
    const { key, seq, timers, trusted } = saved
    const record = indexed(saved, place)
    const kept = this.kept.get(key)
    const newest = kept?.snapshots[0]
    if (
      newest === undefined || kept === undefined || kept.lost !== undefined || seq <= newest.seq || timers !== undefined
    ) {
      const before = this.sizes(kept)
      const after = keep(kept, record, saved, this.limit)
      this.live += this.sizes(after) - before
      const lost = stillLost(kept?.lost ?? [], after.snapshots, this.limit).filter((one) => one.seq !== seq)
      return this.set(key, lost.length === 0 ? after : { ...after, lost })
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

  /** The first snapshot of a key after all it had was lost. */
  private adopt({ key }: SnapshotRecord): void {
    const orphans = this.orphans.get(key) ?? []
    this.orphans.delete(key)
    const isDoubtful = this.doubt !== undefined && !this.kept.has(key)
    if (orphans.length === 0 && !isDoubtful) return
    const kept = { snapshots: [], answers: new AnswerShelf() }
    this.addAnswers(kept, orphans)
    if (isDoubtful) this.addAnswers(kept, [lost({ id: anyId, seq: 0, at: this.doubt!.at }, this.doubt!.why)])
    this.kept.set(key, kept)
    this.pages.changed()
  }

  private addAnswers({ answers }: Kept<Indexed>, added: ReadonlyArray<RecordedAnswer>): void {
    this.live -= answers.size
    answers.add(added)
    this.live += answers.size
  }

  /** A snapshot was acknowledged, and its text is damaged: what is beside it holds for those that come after it. */
  private lose(record: SnapshotRecord, place: Place, damaged: string): void {
    const { key, seq } = record
    const before = this.kept.get(key)
    // Saved a second time, as it was.
    const same = before?.snapshots.find((one) => one.seq === seq && one.place.sum === place.sum)
    if (same !== undefined && same.place.length === place.length) return
    this.live -= this.sizes(before)
    const { answers, timers } = keep(before, indexed(record, place), record, Infinity)
    const snapshots = (before?.snapshots ?? []).filter((one) => one.seq !== seq)
    this.live += this.sizes({ snapshots, answers })
    this.addLost(key, { ...before, snapshots, answers, timers }, { ...indexed(record, place), damaged })
  }

  /** A snapshot has rotted since. Its server hears of it when it comes to be the newest. */
  rotten(one: Indexed, damaged: string): void {
    const kept = this.kept.get(one.key)
    if (!kept?.snapshots.includes(one)) return
    this.live -= sizeOf(one)
    const snapshots = kept.snapshots.filter((other) => other !== one)
    this.addLost(one.key, { ...kept, snapshots }, { ...one, damaged })
  }

  /** As many are known to be lost as would be kept. */
  private addLost(key: string, kept: Kept<Indexed> & Pick<KeptInLog, "lost">, one: Indexed): void {
    const lost = [one, ...(kept.lost ?? []).filter(({ seq }) => seq !== one.seq)].sort((a, b) => b.seq - a.seq)
    this.set(key, { ...kept, lost: lost.slice(0, this.limit) })
  }

  /** What was lost of a key after its newest snapshot; a record that may have been there, where that is not known. */
  lostOf(key: string): { readonly records: Losses; readonly answers: Iterable<RecordedAnswer> } | undefined {
    const kept = this.kept.get(key)
    const upTo = kept?.snapshots[0]?.seq ?? 0
    const [newest, ...older] = kept?.lost?.filter(({ seq }) => seq > upTo) ?? []
    if (kept !== undefined && newest !== undefined) {
      const answers = answersUpTo(kept.answers, upTo, newest.damaged ?? "")
      return { records: [newest, ...older], answers }
    }
    if (kept !== undefined || this.doubt === undefined) return undefined
    const { at, why } = this.doubt
    const meta = { key, epoch: 0, seq: 1, version: 1, trusted: 0, at, place: nowhere, damaged: why }
    return { records: [meta], answers: [lost({ id: anyId, seq: 0, at }, why)] }
  }

  /** Of all keys whatever was written last may be lost: a part is, of which it is not known what it held. */
  doubtAll(at: number, why: string): void {
    this.doubt = { at, why }
    for (const [key, kept] of this.kept) {
      const { lost: before = [], snapshots: [newest] } = kept
      const upTo = newest?.seq ?? 0
      this.addAnswers(kept, [lost({ id: anyId, seq: upTo, at }, why)])
      const one = before.find(({ seq }) => seq > upTo) ?? newest
      // What is lost for good cannot be more so.
      if (one === undefined || one.place === nowhere) continue
      this.addLost(key, kept, { ...indexed({ ...one, seq: one.seq + 1 }, nowhere), damaged: why })
    }
  }

  /** What may have been lost was not, says a person. */
  private settle(): void {
    this.doubt = undefined
    for (const { answers } of this.kept.values()) {
      this.live -= answers.size
      answers.forget(anyId)
      this.live += answers.size
    }
  }

  private setAside({ asideAt, key, seq, why }: LogEntry & { readonly _tag: "Aside" }): void {
    const kept = this.kept.get(key)
    if (kept === undefined) return
    const lost = kept.lost?.find((one) => one.seq === seq)
    if (lost !== undefined) return this.setLostAside(kept, lost, why, asideAt)
    const record = kept.snapshots.find((one) => one.seq === seq)
    if (record === undefined) return
    // It is still needed, in another place.
    const gone = this.takeOut(key, kept, seq)
    this.aside.push({ ...record, ...gone, why, asideAt })
    this.live += sizeOfAnswers(gone.answers)
  }

  private setLostAside(kept: KeptInLog, one: Indexed, why: string, asideAt: number): void {
    const { key } = one
    const left = kept.lost?.filter((other) => other !== one) ?? []
    // What is left may be lost, too: its answers are, when that is set aside.
    const upTo = Math.max(left[0]?.seq ?? 0, kept.snapshots[0]?.seq ?? 0)
    const gone = Array.from(kept.answers).filter(({ seq }) => seq > upTo)
    this.aside.push({ ...one, answers: gone, timers: Timers.asOf(kept.timers, one.seq), why, asideAt })
    const known = answersUpTo(kept.answers, upTo, why)
    if (upTo === 0 && known.length > 0) this.orphans.set(key, known)
    const after = {
      snapshots: kept.snapshots,
      answers: new AnswerShelf(known),
      timers: Timers.upTo(kept.timers, upTo),
      lost: left.length === 0 ? undefined : left
    }
    this.live += sizeOf(one) + sizeOfAnswers(gone) + this.sizes(after) - this.sizes(kept)
    this.set(key, after)
  }

  private set(key: string, after: Kept<Indexed> & Pick<KeptInLog, "lost">): void {
    const isEmpty = after.snapshots.length === 0 && after.lost === undefined
    if (isEmpty || !this.kept.has(key)) this.pages.changed()
    if (isEmpty) {
      this.kept.delete(key)
      this.live -= after.answers.size
    } else this.kept.set(key, { ...after, snapshots: after.snapshots.slice() })
    this.due.set(key, timersOf(after))
  }

  /** Keeps a key without one of its snapshots; what went with it. */
  private takeOut(key: string, before: KeptInLog, seq: number): Pick<IndexedAside, "answers" | "timers"> {
    // It is not the newest where one after it is lost: what goes with that stays.
    if ((before.lost?.[0]?.seq ?? 0) > seq) {
      this.set(key, { ...before, snapshots: before.snapshots.filter((one) => one.seq !== seq) })
      return { answers: [], timers: Timers.asOf(before.timers, seq) }
    }
    const { answers, kept, timers } = withoutSnapshot(before, seq)
    // What is lost between it and the next may be what is started from: its answers stay, to be known as lost.
    const upTo = before.lost?.find((one) => one.seq < seq)?.seq ?? 0
    kept.answers.add(answers.filter((one) => one.seq <= upTo))
    this.live += kept.answers.size - before.answers.size
    this.set(key, { ...kept, lost: before.lost })
    return { answers: answers.filter((one) => one.seq > upTo), timers }
  }

  private remove(key: string): void {
    this.live -= this.sizes(this.kept.get(key))
    this.orphans.delete(key)
    this.set(key, { snapshots: [], answers: new AnswerShelf() })
  }

  private sizes(kept: Kept<Indexed> | undefined): number {
    if (kept === undefined) return 0
    let sum = kept.answers.size
    for (const one of kept.snapshots) sum += sizeOf(one)
    return sum
  }
}

const placeOf = (file: string, at: number, text: Text | undefined): Place =>
  text === undefined || text.length === 0 ? nowhere : { file, at: at + text.offset, length: text.length, sum: text.sum }
