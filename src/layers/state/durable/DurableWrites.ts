/**
 * What a durable companion writes: every commit goes to the writer, and answers wait until the store has it.
 *
 * The newest state is in memory, where the server and its next incarnation find it at once; the store follows. Answers
 * wait for it, the server does not. What comes back from the store is `Durable`.
 *
 * *Tricky*
 * - **Nothing new** is not written: a handler that answers with the very state it was given has read, not written. Its
 *   answer waits all the same for what it has read.
 * - **What is newest.** After a crash of the server alone, memory is ahead of the store, and right: its writes are on their
 *   way. When a write has finally failed, the store is right and memory is not: it is dropped, everybody whose answer it
 *   held is told, the incarnation is ended, and the next one loads what the store really holds. The one that ends may be
 *   in the middle of a handler: it is fenced off first, so that nothing is committed on top of what was dropped.
 * - **A removal** has its place in the writer's queue, and the companion lives until it is done: a server that is started
 *   again meanwhile must not find what is about to be removed, nor be removed with it.
 *
 * @since 0.1.0
 */
import { type Cause, Effect, Exit } from "effect"
import { type ExitReason, toCause } from "../../../domain/process/ExitReason.ts"
import type { Limits, NewAnswer } from "../../../domain/state/Answers.ts"
import type * as Generations from "../../../domain/state/Generations.ts"
import type { Snapshot } from "../../../domain/state/Snapshot.ts"
import type { SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { AnswerBook } from "../companion/AnswerBook.ts"
import { type Held, isHandled, type Origin } from "../companion/Companion.ts"
import { Kept } from "../companion/FencedCompanion.ts"
import { staleEpoch, type Unsaved } from "../store/StoreWriter.ts"
import type { Session } from "./StoreSession.ts"

/** An answer that waits, in the order in which they do. */
interface Waiting {
  readonly seq: number
  readonly answer: Held
  next: Waiting | undefined
}

/** The half of a durable companion that faces the store's writer. */
export abstract class DurableWrites<in out S> extends Kept<S> implements Unsaved {
  undone = 0
  ticket = 0
  protected readonly session: Session<S>
  protected readonly storeKey: string
  protected newest: Snapshot<S> | undefined = undefined
  protected answers: AnswerBook | undefined = undefined
  protected isLoaded = false
  /** The number of the snapshot that has left memory. */
  protected passivated: number | undefined = undefined
  /** The highest number ever given: those of snapshots that were lost or set aside are not used again. */
  protected lastSeq = 0
  /** All that is committed up to this one is stored, or given up. */
  protected storedSeq = 0
  /** Every snapshot up to this one is trusted. */
  protected trustedUpTo = 0
  protected evidence: { readonly on: number; readonly against: Generations.Evidence } | undefined = undefined
  /** Casts committed so far; of those, the ones in the record that is being written; and the ones that are stored. */
  private casts = 0
  private castsWritten = 0
  private castsStored = 0
  private firstHeld: Waiting | undefined = undefined
  private lastHeld: Waiting | undefined = undefined
  private room: (() => void) | undefined = undefined
  private removals = 0
  /** Whether it waits for the interval, or has its place in the writer's queue since: what is newest then is written. */
  private isLate = false
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

  protected get ahead(): number {
    return this.lastSeq - this.storedSeq
  }

  get isBehind(): boolean {
    return this.session.when === "commit" && this.ahead > 0
  }

  get isFull(): boolean {
    return this.session.when === "commit" && this.ahead >= this.session.maxAhead
  }

  get outage(): StoreError | undefined {
    return this.session.health.outage
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
    if (newest === undefined || answers !== undefined || incarnation < this.fence) {
      return super.commit(incarnation, state, by, answers)
    }
    if (!Object.is(state, newest.state)) {
      this.write({ state, seq: this.lastSeq + 1, incarnation }, by)
      return true
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
    else if (!this.isLate) {
      this.isLate = true
      this.session.late.add(this)
    }
  }

  record(at: number): Exit.Exit<SnapshotRecord, unknown> | undefined {
    const { newest, session } = this
    this.isLate = false
    if (newest === undefined) return undefined
    if (session.fenced !== undefined) return Exit.failCause(session.fenced)
    const encoded = session.schema.encode(newest.state)
    if (encoded._tag === "Failure") {
      const what = `the state of ${this.storeKey} does not fit its schema: ${encoded.failure}`
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
    this.isLate = false
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

  /** Waits until all that is committed by now is stored, or cannot be. */
  protected readonly settled: Effect.Effect<void, StoreError> = Effect.callback((resume) =>
    this.hold({
      stored: () => resume(Exit.void),
      // What ended the write is a StoreError, or a defect.
      lost: (reason) => resume(Exit.failCause(toCause(reason) as Cause.Cause<StoreError>))
    })
  )

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
}
