/**
 * Which slot of a key's ring the SQL store writes next.
 *
 * A key's snapshots lie in a few slots that are written over in turn, so a commit is one row and deletes none. To know the
 * oldest without asking the database, the slots of the keys in use are remembered.
 *
 * *Tricky*: planning a batch moves the rings on before it is known whether it will be stored. So the keys of a batch are
 * noted until it has been (`stored`); if the next batch finds any noted, the one before failed, was interrupted, or has an
 * unknown outcome, and what was remembered of its keys is forgotten and read again.
 *
 * @since 0.1.0
 */
import type { Head } from "../../../domain/state/stored/HeadRing.ts"
import * as KeyText from "../../../domain/state/stored/KeyText.ts"
import { evict, type SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import type { StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import * as RowSums from "./RowSums.ts"
import type { SlotRow } from "./SqlStatements.ts"

/** What is remembered of a key. */
interface Ring {
  readonly text: string
  readonly textSum: number
  readonly id: number
  /** The sequence number in each slot; 0: free. */
  readonly seqs: Array<number>
  /** The youngest epoch that wrote the key. */
  epoch: number
  /** The batch that the key was last in. */
  batch: number
}

/** The rows of one epoch in a batch. */
export interface EpochRows {
  readonly epoch: number
  readonly rows: Array<SlotRow>
}

/** Keys remembered; beyond that the one that came first is read again at its next save. */
const maxRings = 100_000

/** Slots that a ring may have. */
const maxSlots = 10_000

/** The rings of a store that keeps `limit` snapshots of a key. */
export class SlotRings {
  private readonly limit: number
  private readonly rings = new Map<string, Ring>()
  private unconfirmed: ReadonlyArray<SnapshotRecord> = []
  private batch = 0
  /** The keys of the batch that was planned last, each with its newest snapshot in it. */
  heads: ReadonlyArray<Head> = []

  constructor(limit: number) {
    this.limit = limit
  }

  /** The keys of a batch whose slots have to be read first. */
  missing(records: ReadonlyArray<SnapshotRecord>): ReadonlyArray<string> {
    for (const { key } of this.unconfirmed) this.rings.delete(key)
    this.unconfirmed = []
    let missing: Set<string> | undefined
    for (const { key } of records) if (!this.rings.has(key)) (missing ??= new Set()).add(key)
    return missing === undefined ? [] : Array.from(missing)
  }

  /** Takes up what the database holds of these keys. */
  learn(
    keys: ReadonlyArray<string>,
    slots: ReadonlyArray<{ readonly text: string; readonly slot: number; readonly seq: number; readonly epoch: number }>
  ): void {
    const byText = new Map<string, Ring>()
    for (const key of keys) {
      const text = KeyText.encode(key)
      const ring: Ring = { text, textSum: RowSums.ofText(text), id: RowSums.idOf(text), seqs: [], epoch: 0, batch: 0 }
      byText.set(ring.text, ring)
      if (this.rings.size >= maxRings) { for (const first of this.rings.keys()) if (this.rings.delete(first)) break }
      this.rings.set(key, ring)
    }
    for (const { epoch, seq, slot, text } of slots) {
      const ring = byText.get(text)
      // A damaged row may be anywhere.
      if (ring === undefined || !(slot >= 0 && slot < maxSlots)) continue
      while (ring.seqs.length < slot) ring.seqs.push(0)
      ring.seqs[slot] = Number.isSafeInteger(seq) ? seq : 0
      if (epoch > ring.epoch) ring.epoch = epoch
    }
  }

  /** What a batch writes where, or why it is refused: a younger session has written a key. Every key is remembered. */
  plan(records: ReadonlyArray<SnapshotRecord>): ReadonlyArray<EpochRows> | StoreErrorReason {
    const batch = ++this.batch
    const groups: Array<EpochRows> = []
    const heads: Array<Head> = []
    let group: EpochRows | undefined
    this.unconfirmed = records
    for (const record of records) {
      const { at, epoch, key, seq, state, trusted, version } = record
      const ring = this.rings.get(key)!
      if (ring.epoch > epoch) return { _tag: "Fenced", key, epoch, current: ring.epoch }
      if (group?.epoch !== epoch) {
        group = groups.find((one) => one.epoch === epoch)
        if (group === undefined) groups.push(group = { epoch, rows: [] })
      }
      heads.push({ id: ring.id, seq })
      const slot = this.slotFor(ring.seqs, seq, trusted)
      ring.seqs[slot] = seq
      ring.epoch = epoch
      const row: SlotRow = {
        key: ring.text,
        slot,
        seq,
        version,
        trusted,
        at,
        state,
        sum: RowSums.ofSnapshot(ring.textSum, record)
      }
      if (ring.batch !== batch) {
        ring.batch = batch
        group.rows.push(row)
        continue
      }
      // A statement must not write a row twice: of two snapshots in one slot only the later one is written.
      const same = group.rows.findIndex((one) => one.slot === slot && one.key === ring.text)
      if (same === -1) group.rows.push(row)
      else group.rows[same] = row
    }
    this.heads = heads
    return groups
  }

  /** The batch that was planned last is stored. */
  stored(): void {
    this.unconfirmed = []
  }

  /** Forgets these keys: they are written in another way. */
  forget(keys: ReadonlyArray<string>): void {
    for (const key of keys) this.rings.delete(key)
  }

  clear(): void {
    this.rings.clear()
    this.unconfirmed = []
  }

  private slotFor(seqs: ReadonlyArray<number>, seq: number, trusted: number): number {
    const same = seqs.indexOf(seq)
    if (same !== -1) return same
    const free = seqs.indexOf(0)
    return free === -1 ? evict(seqs, this.limit, trusted) : free
  }
}
