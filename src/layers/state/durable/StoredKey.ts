/**
 * One key of a store, as a durable companion asks for it: what the store holds, read with the schema of its class.
 *
 * Every question is asked again for as long as the session's `retry` says.
 *
 * @since 0.1.0
 */
import { type Cause, Clock, Effect, Exit, Option } from "effect"
import { defaultLimits } from "../../../domain/state/Answers.ts"
import type * as Generations from "../../../domain/state/Generations.ts"
import type { Snapshot } from "../../../domain/state/Snapshot.ts"
import { type Codec, type Decoded, explain, type Unreadable } from "../../../domain/state/StateSchema.ts"
import { invalidKey, type SnapshotRecord, undoubted } from "../../../domain/state/stored/SnapshotRecord.ts"
import { type StateUnreadable, stateUnreadable } from "../../../domain/state/stored/StateUnreadable.ts"
import { judge, type Judgement } from "../../../domain/state/stored/StoredRecovery.ts"
import { StoreError, type StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import type { Use } from "../store/StoreHealth.ts"
import type { Claim } from "./Claim.ts"
import type { Session } from "./StoreSession.ts"

/** A record, and what reading its state came to. */
export interface Read<out S> {
  readonly record: SnapshotRecord
  readonly read: Decoded<S> | Unreadable
}

/** A record with its state, read. */
export type Found<S> = Omit<SnapshotRecord, "state"> & { readonly state: S }

const readable = function*<S>(
  records: ReadonlyArray<SnapshotRecord>,
  schema: Codec<S>
): Generator<void, ReadonlyArray<Snapshot<S>>> {
  const found: Array<Snapshot<S>> = []
  for (const { damaged, epoch, seq, state, version } of records) {
    if (damaged !== undefined) continue
    const read = yield* schema.decoding(version, state)
    if (read._tag === "Decoded") found.push({ seq, state: read.state, incarnation: epoch })
  }
  return found
}

/** One key of a store. */
export class StoredKey<in out S> {
  /** What the state is stored under: made once, since a text that is used again is found again without hashing it. */
  readonly text: string
  /** What it is written under. */
  readonly claim: Claim
  private readonly session: Session<S>

  constructor(key: string, session: Session<S>, onLost: (cause: Cause.Cause<unknown>) => void) {
    this.text = session.storeKey(key)
    this.claim = session.claimOf(this.text, onLost)
    this.session = session
  }

  /** Done when it may be written: what is read after that is the last word. */
  get claimed(): Effect.Effect<void, StoreError> {
    return this.claim.epoch > 0 ? Effect.void : this.patiently(this.claim.held, "write")
  }

  /** Its snapshots, newest first. */
  get records(): Effect.Effect<ReadonlyArray<SnapshotRecord>, StoreError> {
    return Effect.flatMap(
      this.patiently(this.session.store.load(this.text), "read"),
      (records) =>
        records.some(({ isDoubt }) => isDoubt === true)
          ? Effect.map(
            Clock.currentTimeMillis,
            (now) => undoubted(records, now, this.session.policy?.answers ?? defaultLimits)
          )
          : Effect.succeed(records)
    )
  }

  /** The newest of them, and what reading it came to; nothing if there is none. */
  get newest(): Effect.Effect<Read<S> | undefined, StoreError> {
    return Effect.flatMap(
      this.records,
      ([record]) =>
        record === undefined ? Effect.undefined : Effect.map(this.read(record), (read) => ({ record, read }))
    )
  }

  /** Those of them that this code can read, after one that the store does not have yet. */
  snapshots(unstored: () => Snapshot<S> | undefined): Effect.Effect<ReadonlyArray<Snapshot<S>>, StoreError> {
    return Effect.map(Effect.flatMap(this.records, (records) => this.readable(records)), (stored) => {
      const newest = unstored()
      return newest === undefined
        ? stored
        : [{ seq: newest.seq, state: newest.state, incarnation: newest.incarnation }, ...stored]
    })
  }

  private readable(records: ReadonlyArray<SnapshotRecord>): Effect.Effect<ReadonlyArray<Snapshot<S>>> {
    return this.session.pace(readable(records, this.session.schema))
  }

  /**
   * The conserved state: that of the newest snapshot. One that cannot be read is not replaced by an older one, unless
   * it is to give way.
   */
  conserved(unstored: () => Snapshot<S> | undefined): Effect.Effect<Option.Option<S>, StoreError | StateUnreadable> {
    return Effect.flatMap(this.records, (records) => {
      const newest = unstored()
      return newest === undefined ? this.stateOf(records) : Effect.succeedSome(newest.state)
    })
  }

  private stateOf(records: ReadonlyArray<SnapshotRecord>): Effect.Effect<Option.Option<S>, StateUnreadable> {
    const newest = records.find(({ damaged }) => damaged === undefined)
    if (newest === undefined) return Effect.succeedNone
    return Effect.flatMap(this.read(newest), (read): Effect.Effect<Option.Option<S>, StateUnreadable> => {
      if (read._tag === "Decoded") return Effect.succeedSome(read.state)
      return this.session.policy?.onUnreadable === "init"
        ? Effect.map(this.readable(records), ([first]) => Option.fromUndefinedOr(first?.state))
        : Effect.fail(this.unreadable(newest.seq, read))
    })
  }

  private read({ state, version }: SnapshotRecord): Effect.Effect<Decoded<S> | Unreadable> {
    return this.session.pace(this.session.schema.decoding(version, state))
  }

  private unreadable(seq: number, read: Unreadable, before?: string): StateUnreadable {
    return stateUnreadable({ store: this.session.store.name, key: this.text, seq }, read, before)
  }

  /** Decides what to start from, and has set aside what that sets aside; `known` is what memory knows of the newest. */
  judged(
    known: () => Generations.Generations<S>
  ): Effect.Effect<Judgement<SnapshotRecord, S>, StoreError | StateUnreadable> {
    // A server with a key that no store takes is not started: that concerns the one who asked for it alone.
    const what = invalidKey(this.text)
    if (what !== undefined) {
      return this.fail("start", { _tag: "Invalid", what: `${what}: choose a shorter one, such as a hash of it` })
    }
    const { pace, policy, schema, store } = this.session
    const { claim } = this
    const judging = Effect.flatMap(
      Effect.andThen(this.claimed, this.records),
      (records) =>
        this.youngerThan(claim.epoch, records) ??
          pace(judge(records, known(), ({ state, version }) => schema.decoding(version, state), policy))
    )
    return Effect.flatMap(judging, (judgement): ReturnType<typeof this.judged> => {
      if ("_tag" in judgement) {
        return Effect.fail(this.unreadable(judgement.seq, judgement.unreadable, judgement.before))
      }
      const key = this.text
      return Effect.as(
        Effect.forEach(
          judgement.aside,
          ({ seq, why }) => this.patiently(store.setAside({ key, seq, epoch: claim.epoch, why }), "write"),
          { discard: true }
        ),
        judgement
      )
    })
  }

  /** The newest snapshot, with its state as it was read, if it is `seq`. Not judged: its incarnation is well. */
  find(newest: Read<S> | undefined, seq: number | undefined): Exit.Exit<Found<S>, StoreError | StateUnreadable> {
    const { read, record } = newest ?? {}
    const younger = this.youngerThan(this.claim.epoch, record === undefined ? [] : [record])
    if (younger !== undefined) return younger
    if (record === undefined || read === undefined || record.seq !== seq) {
      const held = record === undefined ? "nothing" : `snapshot ${record.seq}`
      const what = `of ${this.text} it has ${held}, not the snapshot that left memory`
      return this.fail("load", { _tag: "Corrupt", what })
    }
    if (record.damaged !== undefined) return this.fail("load", { _tag: "Corrupt", what: record.damaged })
    if (read._tag === "Decoded") return Exit.succeed({ ...record, state: read.state })
    // Where it is to give way, the next incarnation starts from what takes its place.
    return this.session.policy?.onUnreadable === "init"
      ? this.fail("load", { _tag: "Corrupt", what: explain(read) })
      : Exit.fail(this.unreadable(record.seq, read))
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
    const { epoch } = this.claim
    const encoded = this.session.schema.encode(state)
    if (encoded._tag === "Failure") {
      const what = `the state of ${this.text} ${encoded.failure}`
      return this.fail("encode", { _tag: "Invalid", what })
    }
    const { state: text, version } = encoded.success
    return Exit.succeed({ key: this.text, epoch, seq, version, state: text, trusted, at })
  }

  private patiently<A>(effect: Effect.Effect<A, StoreError>, use: Use): Effect.Effect<A, StoreError> {
    return this.session.health.ask(effect, this.session.retry, () => 1, use)
  }

  private fail(operation: string, reason: StoreErrorReason): Exit.Exit<never, StoreError> {
    return Exit.fail(new StoreError({ store: this.session.store.name, operation, reason }))
  }
}
