/**
 * Which slot of a key's ring the SQL store writes next.
 *
 * A key's snapshots lie in a few slots that are written over in turn, so a commit is one row and deletes none. To know
 * the oldest without asking the database, the slots of the keys in use are remembered.
 *
 * *Tricky*: what is remembered of a key holds for the epoch under which it was read: who had it before another epoch
 * was acquired may have been another process. And planning a batch moves the rings on before it is known whether it
 * will be stored. So the keys of a batch are noted until it has been (`stored`); if the next batch finds any noted, the
 * one before failed, was interrupted, or has an unknown outcome, and what was remembered of its keys is forgotten and
 * read again.
 *
 * @since 0.1.0
 */
import type { Head } from "../../../domain/state/stored/HeadRing.ts"
import * as KeyText from "../../../domain/state/stored/KeyText.ts"
import { fenced } from "../../../domain/state/stored/Ownership.ts"
import { evict, type SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import type { StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import * as RowSums from "../rows/RowSums.ts"
import type { SlotRow } from "../rows/SqlStatements.ts"

/** What is remembered of a key. */
interface Ring {
  readonly text: string
  readonly textSum: number
  readonly id: number
  /** The sequence number in each slot; 0: free. */
  readonly seqs: Array<number>
  /** The youngest epoch that wrote the key. */
  epoch: number
  /** The epoch under which the slots were read. */
  under: number
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
  /** Whether a key of it is written under two epochs. */
  isSplit = false

  constructor(limit: number) {
    this.limit = limit
  }

  /** Whether nothing is remembered. */
  get areNone(): boolean {
    return this.rings.size === 0
  }

  /** The keys of a batch whose slots have to be read first, and under which epoch each is to be written. */
  missing(records: ReadonlyArray<SnapshotRecord>): ReadonlyMap<string, number> | undefined {
    for (const { key } of this.unconfirmed) this.rings.delete(key)
    this.unconfirmed = []
    let missing: Map<string, number> | undefined
    for (const { epoch, key } of records) {
      if (this.rings.get(key)?.under !== epoch) (missing ??= new Map()).set(key, epoch)
    }
    return missing
  }

  /** Takes up what the database holds of these keys. */
  learn(
    keys: ReadonlyMap<string, number>,
    slots: ReadonlyArray<{ readonly text: string; readonly slot: number; readonly seq: number; readonly epoch: number }>
  ): void {
    const byText = new Map<string, Ring>()
    for (const [key, under] of keys) {
      const text = KeyText.encode(key)
      const [textSum, id] = [RowSums.ofText(text), RowSums.idOf(text)]
      const ring: Ring = { text, textSum, id, seqs: [], epoch: 0, under, batch: 0 }
      byText.set(ring.text, ring)
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

  /** What a batch writes where, or why it is refused: younger sessions have written keys. Every key is remembered. */
  plan(records: ReadonlyArray<SnapshotRecord>): ReadonlyArray<EpochRows> | StoreErrorReason {
    const refused = fenced(records.flatMap(({ epoch, key }) => {
      const current = this.rings.get(key)!.epoch
      return current > epoch ? [{ key, epoch, current }] : []
    }))
    if (refused !== undefined) {
      this.unconfirmed = records
      return refused
    }
    const batch = ++this.batch
    const groups: Array<EpochRows> = []
    const heads: Array<Head> = []
    this.isSplit = false
    const byEpoch = new Map<number, EpochRows>()
    let group: EpochRows | undefined
    this.unconfirmed = records
    for (const record of records) {
      const { at, epoch, key, seq, state, trusted, version } = record
      const ring = this.rings.get(key)!
      if (group?.epoch !== epoch) {
        group = byEpoch.get(epoch)
        if (group === undefined) {
          groups.push(group = { epoch, rows: [] })
          byEpoch.set(epoch, group)
        }
      }
      heads.push({ id: ring.id, seq })
      if (ring.batch === batch && ring.epoch !== epoch) this.isSplit = true
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

  /** The batch that was planned last is stored. Those of a batch are remembered until then, however many there are. */
  stored(): void {
    this.unconfirmed = []
    if (this.rings.size <= maxRings) return
    for (const first of this.rings.keys()) {
      this.rings.delete(first)
      if (this.rings.size <= maxRings) return
    }
  }

  /** A key's newest snapshot that is known to be stored, and under which epoch; nothing while one is on its way. */
  known(key: string): { readonly seq: number; readonly epoch: number } | undefined {
    const ring = this.rings.get(key)
    if (ring === undefined || this.unconfirmed.some((one) => one.key === key)) return undefined
    return { seq: ring.seqs.reduce((newest, seq) => Math.max(newest, seq), 0), epoch: ring.under }
  }

  /** Forgets these keys: they are written in another way. */
  forget(keys: ReadonlyArray<string>): void {
    for (const key of keys) this.rings.delete(key)
  }

  private slotFor(seqs: ReadonlyArray<number>, seq: number, trusted: number): number {
    const same = seqs.indexOf(seq)
    if (same !== -1) return same
    const free = seqs.indexOf(0)
    return free === -1 ? evict(seqs, this.limit, trusted) : free
  }
}
