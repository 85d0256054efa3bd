/**
 * One key of a store, as a durable companion asks for it: what the store holds, read with the schema of its class.
 *
 * Every question is asked again for as long as the session's `retry` says.
 *
 * @since 0.1.0
 */
import { type Cause, Effect, Exit } from "effect"
import type * as Generations from "../../../domain/state/Generations.ts"
import type { Snapshot } from "../../../domain/state/Snapshot.ts"
import { explain } from "../../../domain/state/StateSchema.ts"
import { invalidKey, type SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import { judge, type Judgement } from "../../../domain/state/stored/StoredRecovery.ts"
import { StoreError, type StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import type { Use } from "../store/StoreHealth.ts"
import type { Session } from "./StoreSession.ts"

/** A record with its state, read. */
export type Found<S> = Omit<SnapshotRecord, "state"> & { readonly state: S }

/** One key of a store. */
export class StoredKey<in out S> {
  /** What the state is stored under: made once, since a text that is used again is found again without hashing it. */
  readonly text: string
  private readonly session: Session<S>

  constructor(key: string, session: Session<S>) {
    this.text = session.storeKey(key)
    this.session = session
  }

  /** Its snapshots, newest first. */
  get records(): Effect.Effect<ReadonlyArray<SnapshotRecord>, StoreError> {
    return this.patiently(this.session.store.load(this.text), "read")
  }

  /** Those of them that this code can read. */
  readable(records: ReadonlyArray<SnapshotRecord>): ReadonlyArray<Snapshot<S>> {
    return records.flatMap(({ damaged, epoch, seq, state, version }) => {
      if (damaged !== undefined) return []
      const read = this.session.schema.decode(version, state)
      return read._tag === "Decoded" ? [{ seq, state: read.state, incarnation: epoch }] : []
    })
  }

  /** Decides what to start from, and has set aside what that sets aside; `known` is what memory knows of the newest. */
  judged(known: () => Generations.Generations<S>): Effect.Effect<Judgement<SnapshotRecord, S>, StoreError> {
    // A server with a key that no store takes is not started: that concerns the one who asked for it alone.
    const what = invalidKey(this.text)
    if (what !== undefined) {
      return this.fail("start", { _tag: "Invalid", what: `${what}: choose a shorter one, such as a hash of it` })
    }
    const { policy, schema, store, tenure: { epoch } } = this.session
    return Effect.flatMap(this.records, (records) => {
      const younger = this.youngerThan(epoch, records)
      if (younger !== undefined) return younger
      const judgement = judge(records, known(), (record) => schema.decode(record.version, record.state), policy)
      const key = this.text
      return Effect.as(
        Effect.forEach(
          judgement.aside,
          ({ seq, why }) => this.patiently(store.setAside({ key, seq, epoch, why }), "write"),
          { discard: true }
        ),
        judgement
      )
    })
  }

  /** The newest snapshot among `records`, read, if it is `seq`. Not judged: its incarnation is well. */
  find(records: ReadonlyArray<SnapshotRecord>, seq: number | undefined): Exit.Exit<Found<S>, StoreError> {
    const [record] = records
    const { schema, tenure } = this.session
    const younger = this.youngerThan(tenure.epoch, records)
    if (younger !== undefined) return younger
    if (record === undefined || record.seq !== seq) {
      const held = record === undefined ? "nothing" : `snapshot ${record.seq}`
      const what = `of ${this.text} it has ${held}, not the snapshot that left memory`
      return this.fail("load", { _tag: "Corrupt", what })
    }
    if (record.damaged !== undefined) return this.fail("load", { _tag: "Corrupt", what: record.damaged })
    const read = schema.decode(record.version, record.state)
    return read._tag === "Decoded"
      ? Exit.succeed({ ...record, state: read.state })
      : this.fail("load", { _tag: "Corrupt", what: explain(read) })
  }

  /** That another session has this key: one that is younger has written it. */
  private youngerThan(
    epoch: number,
    [record]: ReadonlyArray<SnapshotRecord>
  ): Exit.Exit<never, StoreError> | undefined {
    return record === undefined || record.epoch <= epoch
      ? undefined
      : this.fail("load", { _tag: "Fenced", epoch, current: record.epoch, key: this.text })
  }

  /** A snapshot as the store gets it; fails when the state has no text. */
  encode({ seq, state }: Snapshot<S>, trusted: number, at: number): Exit.Exit<SnapshotRecord, StoreError> {
    const { schema, tenure: { epoch } } = this.session
    const encoded = schema.encode(state)
    if (encoded._tag === "Failure") {
      const what = `the state of ${this.text} ${encoded.failure}`
      return this.fail("encode", { _tag: "Invalid", what })
    }
    return Exit.succeed({ key: this.text, epoch, seq, ...encoded.success, trusted, at })
  }

  /** Ends the tenure if that is why a write or a read failed. */
  notice(cause: Cause.Cause<unknown>): void {
    this.session.tenure.notice(cause)
  }

  private patiently<A>(effect: Effect.Effect<A, StoreError>, use: Use): Effect.Effect<A, StoreError> {
    return this.session.health.ask(effect, this.session.retry, () => 1, use)
  }

  private fail(operation: string, reason: StoreErrorReason): Exit.Exit<never, StoreError> {
    return Exit.fail(new StoreError({ store: this.session.store.name, operation, reason }))
  }
}
