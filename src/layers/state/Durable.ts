/**
 * A companion whose snapshots go to a store: what is acknowledged outlives the process.
 *
 * The newest state is in memory, where the server and its next incarnation find it at once; the store follows. Answers
 * wait for it, the server does not.
 *
 * *Tricky*
 * - **Nothing new** is not written: a handler that answers with the very state it was given has read, not written. Its
 *   answer waits all the same for what it has read.
 * - **What is newest.** After a crash of the server alone, memory is ahead of the store, and right: its writes are on their
 *   way. When a write has finally failed, the store is right and memory is not: it is dropped, everybody whose answer it
 *   held is told, the incarnation is ended, and the next one loads what the store really holds. The one that ends may be
 *   in the middle of a handler: it is fenced off first, so that nothing is committed on top of what was dropped.
 * - **Suspects** are judged on what the store holds, so a rollback first waits until this server's last word is written.
 * - **A removal** has its place in the writer's queue, and the companion lives until it is done: a server that is started
 *   again meanwhile must not find what is about to be removed, nor be removed with it.
 * - **A state that has left memory** (`passivate`) is the store's alone, until its server asks for it. What comes back must be
 *   what went: if somebody has put another one there, the incarnation ends, and the next one asks what there is. What a
 *   person sets meanwhile is what comes back, since the server has no other.
 * - **A session that was fenced off** stays so: another process has taken over, and to acquire a new epoch would only
 *   take it back. Its servers do not start again.
 *
 * @since 0.1.0
 */
import { type Cause, type Context, Effect, Exit, Option, type Result, type Schedule } from "effect"
import { type ExitReason, toCause } from "../../domain/server/ExitReason.ts"
import type { Limits, NewAnswer } from "../../domain/server/Idempotency.ts"
import * as Generations from "../../domain/state/Generations.ts"
import type * as Passivation from "../../domain/state/Passivation.ts"
import * as Recovery from "../../domain/state/Recovery.ts"
import type { Snapshot } from "../../domain/state/Snapshot.ts"
import type { SnapshotRecord } from "../../domain/state/SnapshotRecord.ts"
import { type Decoded, type Encoded, explain, type Unreadable } from "../../domain/state/StateSchema.ts"
import { StoreError, type StoreErrorReason } from "../../domain/state/StoreError.ts"
import type { Grade } from "../../domain/state/Survival.ts"
import type { AnswerBook } from "./AnswerBook.ts"
import { type Held, isHandled, Kept, type Origin, type Policy, type Taken } from "./Companion.ts"
import type { StateStore } from "./StateStore.ts"
import { staleEpoch, type StoreWriter, type Unsaved } from "./StoreWriter.ts"

/** How states become text and come back. */
export interface Codec<in out S> {
  encode(state: S): Result.Result<Encoded, string>
  decode(version: number, text: string): Decoded<S> | Unreadable
}

/** What all durable companions of one server class share. */
export interface Session<in out S> {
  readonly store: StateStore<Grade>
  readonly writer: StoreWriter
  readonly epoch: number
  readonly schema: Codec<S>
  readonly policy: Policy | undefined
  /** When states are written: after each commit, or by the container at its intervals. */
  readonly when: "commit" | "late"
  /** Those that wait for the container's interval. */
  readonly late: Set<Unsaved>
  /** Commits a server may be ahead of the store before it has to wait. */
  readonly maxAhead: number
  readonly storeKey: (key: string) => string
  /** How often, and how long, a store that is away is asked again. */
  readonly retry: Schedule.Schedule<unknown, StoreError>
  readonly context: Context.Context<never>
  /** Why the session is over: another has taken over. */
  fenced: Cause.Cause<unknown> | undefined
}

/** An answer that waits, in the order in which they do. */
interface Waiting {
  readonly seq: number
  readonly answer: Held
  next: Waiting | undefined
}

/** A companion whose snapshots go to a store. */
export class Durable<in out S> extends Kept<S> implements Unsaved {
  undone = 0
  ticket = 0
  private readonly session: Session<S>
  private readonly storeKey: string
  private newest: Snapshot<S> | undefined = undefined
  private isLoaded = false
  /** The number of the snapshot that has left memory. */
  private passivated: number | undefined = undefined
  /** The highest number ever given: those of snapshots that were lost or set aside are not used again. */
  private lastSeq = 0
  /** All that is committed up to this one is stored, or given up. */
  private storedSeq = 0
  /** Every snapshot up to this one is trusted. */
  private trustedUpTo = 0
  private evidence: { readonly on: number; readonly against: Generations.Evidence } | undefined = undefined
  /** Casts committed so far; of those, the ones in the record that is being written; and the ones that are stored. */
  private casts = 0
  private castsWritten = 0
  private castsStored = 0
  private firstHeld: Waiting | undefined = undefined
  private lastHeld: Waiting | undefined = undefined
  private room: (() => void) | undefined = undefined
  private removals = 0
  private onSpare: (() => void) | undefined = undefined

  constructor(key: string, session: Session<S>) {
    super(key)
    this.session = session
    // Made once: a text that is used again is found again without looking at all of it.
    this.storeKey = session.storeKey(key)
  }

  protected get limits(): Limits | undefined {
    return this.session.policy?.answers
  }

  get epoch(): number {
    return this.session.epoch
  }

  private get ahead(): number {
    return this.lastSeq - this.storedSeq
  }

  get isBehind(): boolean {
    return this.session.when === "commit" && this.ahead > 0
  }

  get isFull(): boolean {
    return this.session.when === "commit" && this.ahead >= this.session.maxAhead
  }

  get isSpare(): boolean {
    return this.ahead === 0 && this.removals === 0
  }

  override whenSpare(f: () => void): void {
    this.onSpare = f
  }

  hold(answer: Held): void {
    if (this.ahead === 0) return answer.stored()
    const waiting: Waiting = { seq: this.lastSeq, answer, next: undefined }
    if (this.lastHeld === undefined) this.firstHeld = waiting
    else this.lastHeld.next = waiting
    this.lastHeld = waiting
    if (this.session.when === "late") this.writeNow()
  }

  private writeNow(): void {
    this.session.late.delete(this)
    this.session.writer.add(this)
  }

  whenRoom(f: () => void): void {
    this.room = f
  }

  protected read(): Snapshot<S> | undefined {
    return this.newest
  }

  override commit(incarnation: number, state: S, by: Origin, answers?: ReadonlyArray<NewAnswer>): boolean {
    const { newest } = this
    if (newest === undefined || answers !== undefined || incarnation < this.fence || !Object.is(state, newest.state)) {
      return super.commit(incarnation, state, by, answers)
    }
    if (isHandled(by)) this.trustedUpTo = newest.seq
    if (by !== "callback") this.evidence = undefined
    return true
  }

  protected write(snapshot: Snapshot<S>, by: Origin): void {
    if (isHandled(by) && this.newest !== undefined) this.trustedUpTo = this.newest.seq
    if (by === "cast") this.casts++
    this.lastSeq++
    const { evidence } = this
    const remains = by === "callback" && evidence !== undefined && evidence.on === this.newest?.seq
    this.evidence = remains ? { ...evidence, on: this.lastSeq } : undefined
    this.newest = snapshot.seq === this.lastSeq ? snapshot : { ...snapshot, seq: this.lastSeq }
    if (this.session.when === "commit") this.session.writer.add(this)
    else this.session.late.add(this)
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

  // ---------------------------------------------------------------------------------------- what the writer asks

  record(at: number): Exit.Exit<SnapshotRecord, unknown> | undefined {
    const { newest, session } = this
    if (newest === undefined) return undefined
    if (session.fenced !== undefined) return Exit.failCause(session.fenced)
    const encoded = session.schema.encode(newest.state)
    if (encoded._tag === "Failure") {
      const what = `the state of "${this.key}" does not fit its schema: ${encoded.failure}`
      return Exit.fail(
        new StoreError({ store: session.store.name, operation: "encode", reason: { _tag: "Invalid", what } })
      )
    }
    this.castsWritten = this.casts
    const record: SnapshotRecord = {
      key: this.storeKey,
      epoch: session.epoch,
      seq: newest.seq,
      version: encoded.success.version,
      state: encoded.success.state,
      trusted: this.trustedUpTo,
      at
    }
    return Exit.succeed(this.answers === undefined ? record : { ...record, ...this.unsavedAnswers(this.answers) })
  }

  /** What was recorded since the last record goes with this one; taken back into the book if it cannot be written. */
  private unsavedAnswers(book: AnswerBook): Pick<SnapshotRecord, "answers" | "forgetAnswersBefore"> {
    const answers = book.unsaved
    book.unsaved = []
    return { answers, forgetAnswersBefore: book.oldest }
  }

  saved({ seq }: SnapshotRecord): void {
    this.storedSeq = Math.max(this.storedSeq, seq)
    this.castsStored = this.castsWritten
    this.release(seq, (answer) => answer.stored())
    this.settle()
  }

  failed(cause: Cause.Cause<unknown>): void {
    if (staleEpoch(cause) !== undefined) this.session.fenced ??= cause
    const reason: ExitReason = { _tag: "NotConserved", cause }
    this.undone = this.casts - this.castsStored
    this.giveUp()
    // What memory holds is not what the store does: the next incarnation asks the store. It may start inside `exit`.
    this.isLoaded = false
    const lost = this.lastSeq
    if (this.owner !== undefined) {
      this.fenceOff(this.owner.incarnation)
      this.owner.exit(reason)
    }
    this.release(lost, (answer) => answer.lost(reason))
    this.settle()
  }

  /** Forgets what memory holds, stored or not. */
  private giveUp(): void {
    this.newest = undefined
    this.passivated = undefined
    this.evidence = undefined
    this.storedSeq = this.lastSeq
    this.castsStored = this.casts
    this.session.late.delete(this)
  }

  /** Takes out the answers that were computed from states up to `seq`. */
  private release(seq: number, tell: (answer: Held) => void): void {
    for (let first = this.firstHeld; first !== undefined && first.seq <= seq; first = this.firstHeld) {
      this.firstHeld = first.next
      if (first.next === undefined) this.lastHeld = undefined
      tell(first.answer)
    }
  }

  /** Fewer commits are ahead of the store than before, perhaps none. */
  private settle(): void {
    const { onSpare, room } = this
    this.room = undefined
    room?.()
    if (!this.isSpare) return
    this.onSpare = undefined
    onSpare?.()
  }

  // -------------------------------------------------------------------------------------------- what is taken over

  protected taken(): Taken<S> | Effect.Effect<Taken<S>, StoreError> {
    const { newest, session } = this
    // Whoever took over writes now; the cause is what the store answered, a StoreError.
    if (session.fenced !== undefined) return Effect.failCause(session.fenced as Cause.Cause<StoreError>)
    if (!this.isLoaded) return this.load
    if (this.evidence !== undefined) return Effect.andThen(Effect.exit(this.settled), this.load)
    return { decision: newest === undefined ? nothing : restore({ ...newest, trusted: false }), aside: [] }
  }

  /** Waits until all that is committed by now is stored, or cannot be. */
  private readonly settled: Effect.Effect<void, StoreError> = Effect.callback((resume) =>
    this.hold({
      stored: () => resume(Exit.void),
      // What ended the write is a StoreError, or a defect.
      lost: (reason) => resume(Exit.failCause(toCause(reason) as Cause.Cause<StoreError>))
    })
  )

  /** Asks the store, and judges what it holds. */
  private get load(): Effect.Effect<Taken<S>, StoreError> {
    return Effect.flatMap(this.stored, (records) => {
      const from = records[0]?.seq
      const evidence = this.evidence?.on === from ? this.evidence?.against : undefined
      return this.judge({ ...Generations.fromStored(records), evidence }, [], from)
    })
  }

  private get stored(): Effect.Effect<ReadonlyArray<SnapshotRecord>, StoreError> {
    const { store } = this.session
    return this.patiently(store.load(this.storeKey))
  }

  private patiently<A>(effect: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> {
    return Effect.retry(effect, { schedule: this.session.retry, while: (error) => error.isRetryable })
  }

  private judge(
    before: Generations.Generations<SnapshotRecord>,
    setAside: ReadonlyArray<Generations.Aside<SnapshotRecord>>,
    from: number | undefined
  ): Effect.Effect<Taken<S>, StoreError> {
    const { policy, schema } = this.session
    const { aside, books, decision } = Recovery.decide(before, policy)
    const all = [...setAside, ...aside]
    const why = all.map((one) => one.why).join("; ")
    switch (decision._tag) {
      case "Refuse":
      case "GiveUp":
        return this.perform(books, all, undefined, decision)
      case "Init":
        return this.perform(
          books,
          all,
          undefined,
          from === undefined ? nothing : { ...decision, from, why }
        )
      case "Restore":
      case "RollBack": {
        const { seq, state, trusted } = decision._tag === "Restore" ? decision.snapshot : decision.to
        const read = schema.decode(state.version, state.state)
        if (read._tag === "Decoded") {
          const to = { seq, state: read.state, trusted }
          return this.perform(
            books,
            all,
            to,
            all.length === 0 ? restore(to) : { _tag: "RollBack", from: from!, to, why }
          )
        }
        const unreadable = Recovery.unreadable(books, explain(read), policy)
        return unreadable.decision._tag === "Refuse"
          ? this.perform(books, all, undefined, unreadable.decision)
          : this.judge(unreadable.books, [...all, ...unreadable.aside], from)
      }
    }
  }

  /** What is set aside is set aside in the store; what is chosen is what memory holds from now on. */
  private perform(
    books: Generations.Generations<SnapshotRecord>,
    aside: ReadonlyArray<Generations.Aside<SnapshotRecord>>,
    chosen: Generations.Generation<S> | undefined,
    decision: Recovery.Decision<S>
  ): Effect.Effect<Taken<S>, StoreError> {
    const { epoch, store } = this.session
    const key = this.storeKey
    return Effect.map(
      Effect.forEach(aside, ({ seq, why }) => this.patiently(store.setAside({ key, seq, epoch, why })), {
        discard: true
      }),
      () => {
        this.adopt(books, aside, chosen, decision)
        return { decision, aside }
      }
    )
  }

  private adopt(
    books: Generations.Generations<SnapshotRecord>,
    aside: ReadonlyArray<Generations.Aside<SnapshotRecord>>,
    chosen: Generations.Generation<S> | undefined,
    decision: Recovery.Decision<S>
  ): void {
    const newest = books.kept[0]
    this.evidence = newest === undefined || books.evidence === undefined
      ? undefined
      : { on: newest.seq, against: books.evidence }
    this.learn(books, aside)
    this.passivated = undefined
    if (decision._tag === "Refuse" || decision._tag === "GiveUp") return
    this.isLoaded = true
    this.newest = chosen === undefined ? undefined : { ...chosen, incarnation: this.fence }
  }

  private learn(
    books: Generations.Generations<SnapshotRecord>,
    aside: ReadonlyArray<Generations.Aside<SnapshotRecord>>
  ): void {
    const answers = books.kept[0]?.state.answers
    if (answers !== undefined && answers.length > 0) this.book.load(answers)
    else this.answers = undefined
    this.trustedUpTo = Generations.trustedUpTo(books)
    this.lastSeq = Math.max(this.lastSeq, Generations.nextSeq(books) - 1, ...aside.map((one) => one.seq))
    this.storedSeq = this.lastSeq
  }

  // --------------------------------------------------------------------------------------- what may leave memory

  override standing(state: S): Passivation.Standing {
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
      return fail({ _tag: "Corrupt", what: `of "${this.key}" it has ${what}, not the snapshot that left memory` })
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

  forget(): void {
    Effect.runForkWith(this.session.context)(Effect.ignore(this.remove, { log: "Error" }))
  }

  private readonly remove: Effect.Effect<void, StoreError> = Effect.callback((resume) => {
    const { epoch, store, writer } = this.session
    const upTo = this.lastSeq
    this.giveUp()
    this.isLoaded = true
    this.answers = undefined
    this.removals++
    writer.run(
      store.remove([this.storeKey], epoch),
      (exit) => {
        this.removals--
        this.release(
          upTo,
          (answer) =>
            exit._tag === "Success" ? answer.stored() : answer.lost({ _tag: "NotConserved", cause: exit.cause })
        )
        this.settle()
        resume(exit)
      },
      this
    )
  })

  override get clear(): Effect.Effect<void> {
    return Effect.orDie(this.remove)
  }

  /** Done when it is stored. */
  override set(state: S): Effect.Effect<void> {
    const known = Effect.suspend(() =>
      this.isLoaded ? Effect.void : Effect.map(this.stored, (records) => {
        if (this.isLoaded) return
        this.isLoaded = true
        this.learn(Generations.fromStored(records), [])
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

const nothing: Recovery.Decision<never> = { _tag: "Init", why: "nothing is conserved", from: undefined }

const restore = <S>(snapshot: Generations.Generation<S>): Recovery.Decision<S> => ({ _tag: "Restore", snapshot })
