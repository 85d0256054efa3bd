/**
 * A companion whose snapshots go to a store: what is acknowledged outlives the process.
 *
 * How they get there is `DurableWrites`; this is how they come back: taken over by a new incarnation, brought back into
 * memory for one that let go of its state, shown to whoever asks.
 *
 * *Tricky*
 * - **Suspects** are judged on what the store holds, so a rollback first waits until this server's last word is written.
 * - **A state that has left memory** (`passivate`) is the store's alone, until its server asks for it. What comes back must be
 *   what went: if somebody has put another one there, the incarnation ends, and the next one asks what there is. What a
 *   person sets meanwhile is what comes back, since the server has no other.
 *
 * @since 0.1.0
 */
import { type Cause, Effect, Option } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import * as Generations from "../../../domain/state/Generations.ts"
import type { Standing } from "../../../domain/state/Passivation.ts"
import * as Recovery from "../../../domain/state/Recovery.ts"
import type { Snapshot } from "../../../domain/state/Snapshot.ts"
import { explain } from "../../../domain/state/StateSchema.ts"
import { invalidKey, type SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import { judge, type Judgement } from "../../../domain/state/stored/StoredRecovery.ts"
import { StoreError, type StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import { nothing, type Taken } from "../companion/Companion.ts"
import type { Use } from "../store/StoreHealth.ts"
import { staleEpoch } from "../store/StoreWriter.ts"
import { DurableWrites } from "./DurableWrites.ts"

/** A companion whose snapshots go to a store. */
export class Durable<in out S> extends DurableWrites<S> {
  // -------------------------------------------------------------------------------------------- what is taken over

  protected taken(): Taken<S> | Effect.Effect<Taken<S>, StoreError> {
    const { newest, session } = this
    // Whoever took over writes now; the cause is what the store answered, a StoreError.
    if (session.fenced !== undefined) return Effect.failCause(session.fenced as Cause.Cause<StoreError>)
    if (!this.isLoaded) return this.begin
    if (this.evidence !== undefined) return Effect.andThen(Effect.exit(this.settled), this.load)
    if (newest === undefined) return nothing
    return { decision: { _tag: "Restore", snapshot: { ...newest, trusted: false } }, aside: [] }
  }

  observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void {
    const { newest } = this
    if (newest === undefined) return
    if (end.handled) {
      if (newest.seq === end.restored) this.trustedUpTo = newest.seq
      return
    }
    const activity = Recovery.activityOf(reason, end.activity)
    if (activity._tag === "Outside" || this.trustedUpTo >= newest.seq) return
    const books: Generations.Generations<S> = {
      ...Generations.empty(),
      kept: [{ seq: newest.seq, state: newest.state, trusted: false }],
      evidence: this.evidence?.against
    }
    const against = Recovery.observe(books, { ...end, activity, on: newest.seq }).evidence
    this.evidence = against === undefined ? undefined : { on: newest.seq, against }
  }

  /** Under a key that no store takes nothing could be kept: whoever asks for such a server is told, and nobody else. */
  private get begin(): Effect.Effect<Taken<S>, StoreError> {
    const what = invalidKey(this.storeKey)
    if (what === undefined) return this.load
    const { name } = this.session.store
    const reason = { _tag: "Invalid", what: `${what}: choose a shorter one, such as a hash of it` } as const
    return Effect.fail(new StoreError({ store: name, operation: "start", reason }))
  }

  /** Asks the store, and judges what it holds. */
  private get load(): Effect.Effect<Taken<S>, StoreError> {
    return Effect.flatMap(this.stored, (records) => {
      const from = records[0]?.seq
      const evidence = this.evidence?.on === from ? this.evidence?.against : undefined
      const { policy, schema } = this.session
      const books = { ...Generations.fromStored(records), evidence }
      return this.perform(judge(books, (record) => schema.decode(record.version, record.state), policy))
    })
  }

  private get stored(): Effect.Effect<ReadonlyArray<SnapshotRecord>, StoreError> {
    const { store } = this.session
    return this.patiently(store.load(this.storeKey), "read")
  }

  private patiently<A>(effect: Effect.Effect<A, StoreError>, use: Use): Effect.Effect<A, StoreError> {
    return this.session.health.ask(effect, this.session.retry, () => 1, use)
  }

  /** What is set aside is set aside in the store; what is chosen is what memory holds from now on. */
  private perform(judgement: Judgement<SnapshotRecord, S>): Effect.Effect<Taken<S>, StoreError> {
    const { aside, decision } = judgement
    const { epoch, store } = this.session
    const key = this.storeKey
    return Effect.map(
      Effect.forEach(aside, ({ seq, why }) => this.patiently(store.setAside({ key, seq, epoch, why }), "write"), {
        discard: true
      }),
      () => {
        this.adopt(judgement)
        return { decision, aside }
      }
    )
  }

  private adopt({ books, decision, from }: Judgement<SnapshotRecord, S>): void {
    const newest = books.kept[0]
    this.evidence = newest === undefined || books.evidence === undefined
      ? undefined
      : { on: newest.seq, against: books.evidence }
    this.learn(books)
    this.passivated = undefined
    if (decision._tag === "Refuse" || decision._tag === "GiveUp") return
    this.isLoaded = true
    this.newest = from === undefined ? undefined : { ...from, incarnation: this.fence }
  }

  private learn(books: Generations.Generations<SnapshotRecord>): void {
    const answers = books.kept[0]?.state.answers
    if (answers !== undefined && answers.length > 0) this.book.load(answers)
    else this.answers = undefined
    this.trustedUpTo = Generations.trustedUpTo(books)
    this.lastSeq = Math.max(this.lastSeq, Generations.nextSeq(books) - 1)
    this.storedSeq = this.lastSeq
  }

  // --------------------------------------------------------------------------------------- what may leave memory

  override standing(state: S): Standing {
    const { evidence, newest, session } = this
    const isKept = newest === undefined || !Object.is(newest.state, state) || evidence !== undefined
    if (isKept || session.fenced !== undefined) return "kept"
    return this.ahead > 0 ? "pending" : "stored"
  }

  override passivate(): void {
    this.passivated = this.newest?.seq
    this.newest = undefined
    this.answers = undefined
    this.isLoaded = false
  }

  override get activate(): Effect.Effect<S, StoreError> {
    return Effect.suspend(() => this.newest === undefined ? this.reload : Effect.succeed(this.newest.state))
  }

  /** Not judged: it is the state of an incarnation that is well. */
  private get reload(): Effect.Effect<S, StoreError> {
    const { passivated, session: { fenced } } = this
    const found = fenced === undefined
      ? Effect.flatMap(this.stored, (records) => this.readmit(records[0], passivated))
      : Effect.failCause(fenced as Cause.Cause<StoreError>)
    return Effect.tapCause(found, (cause) =>
      Effect.sync(() => {
        if (staleEpoch(cause) !== undefined) this.session.fenced ??= cause
        this.undone = 0
      }))
  }

  private readmit(record: SnapshotRecord | undefined, passivated: number | undefined): Effect.Effect<S, StoreError> {
    // While this was read somebody may have set another one, or its incarnation was abandoned and the next has taken over.
    if (this.newest !== undefined) return Effect.succeed(this.newest.state)
    const { epoch, schema, store } = this.session
    const fail = (reason: StoreErrorReason) =>
      Effect.fail(new StoreError({ store: store.name, operation: "load", reason }))
    if (record !== undefined && record.epoch > epoch) {
      return fail({ _tag: "Fenced", epoch, current: record.epoch, key: this.storeKey })
    }
    if (record === undefined || record.seq !== passivated || passivated !== this.passivated) {
      const what = record === undefined ? "nothing" : `snapshot ${record.seq}`
      return fail({ _tag: "Corrupt", what: `of ${this.storeKey} it has ${what}, not the snapshot that left memory` })
    }
    const read = schema.decode(record.version, record.state)
    if (read._tag !== "Decoded") return fail({ _tag: "Corrupt", what: explain(read) })
    if (record.answers !== undefined && record.answers.length > 0) this.book.load(record.answers)
    this.newest = { seq: record.seq, state: read.state, incarnation: this.fence }
    this.isLoaded = true
    this.passivated = undefined
    return Effect.succeed(read.state)
  }

  // ------------------------------------------------------------------------------------------------- for everybody

  /** Done when it is stored. */
  override set(state: S): Effect.Effect<void> {
    const known = Effect.suspend(() =>
      this.isLoaded ? Effect.void : Effect.map(this.stored, (records) => {
        if (this.isLoaded) return
        this.isLoaded = true
        this.learn(Generations.fromStored(records))
      })
    )
    return known.pipe(
      Effect.andThen(Effect.suspend(() => {
        this.commit(this.fence, state, "person")
        return this.settled
      })),
      Effect.orDie
    )
  }

  override get get(): Effect.Effect<Option.Option<S>> {
    return Effect.map(
      this.snapshots,
      (snapshots) => Option.map(Option.fromUndefinedOr(snapshots[0]), (one) => one.state)
    )
  }

  /** What the store holds and this code can read, newest first; what is not stored yet comes first of all. */
  override get snapshots(): Effect.Effect<ReadonlyArray<Snapshot<S>>> {
    return Effect.orDie(Effect.map(this.stored, (records) => {
      const snapshots: Array<Snapshot<S>> = []
      if (this.newest !== undefined && this.ahead > 0) snapshots.push(this.newest)
      for (const { epoch, seq, state, version } of records) {
        const read = this.session.schema.decode(version, state)
        if (read._tag === "Decoded") snapshots.push({ seq, state: read.state, incarnation: epoch })
      }
      return snapshots
    }))
  }

  get aside(): Effect.Effect<ReadonlyArray<Generations.Aside<unknown>>> {
    return Effect.orDie(this.session.store.listAside(this.storeKey))
  }
}
