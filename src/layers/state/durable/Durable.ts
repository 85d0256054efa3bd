/**
 * A companion whose snapshots go to a store: what is acknowledged outlives the process.
 *
 * The newest state is in memory, where the server and its next incarnation find it at once. Every commit goes to the
 * store's writer, and answers wait in the `Outbox` until the store has it. `StoredKey` reads what the store holds.
 *
 * *Tricky*
 * - **Nothing new** is not written: a handler that answers with the very state it was given has read, not written. Its
 *   answer waits all the same for the commits that it has read. So what `init` makes is stored with its first change.
 * - **The newest state.** After a crash of the server alone, memory is ahead of the store, and right: its writes are on
 *   their way. When a write has finally failed, the store is right and memory is not: it is dropped, the answers it
 *   held fail, the incarnation is ended, and the next one loads what the store really holds. The one that ends may be
 *   in the middle of a handler: it is fenced off first, so that nothing is committed on top of what was dropped.
 * - **A removal** has its place in the writer's queue, and the companion lives until it is done: a server that is
 *   started again meanwhile must not find what is about to be removed, nor be removed with it.
 * - **Suspects** are judged on what the store holds, so a rollback first waits until this server's last commit is
 *   written.
 * - **A state that has left memory** (`passivate`) is the store's alone, until its server asks for it. What comes back
 *   must be what went: if another one is there, the incarnation ends, and the next one asks what there is. A state that
 *   is `set` meanwhile comes back instead, since the server has no other.
 *
 * @since 0.1.0
 */
import { Cause, Effect, Exit, type Option } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { RecordedAnswer } from "../../../domain/state/Answers.ts"
import * as Generations from "../../../domain/state/Generations.ts"
import type { Residency } from "../../../domain/state/Passivation.ts"
import * as Recovery from "../../../domain/state/Recovery.ts"
import { isAccepted, type Snapshot } from "../../../domain/state/Snapshot.ts"
import type { SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import type { StateUnreadable } from "../../../domain/state/stored/StateUnreadable.ts"
import { booksOf, type Judgement } from "../../../domain/state/stored/StoredRecovery.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import { none, type Timers } from "../../../domain/state/Timers.ts"
import type { Process } from "../../process/Process.ts"
import {
  type Besides,
  type CompanionPort,
  type Held,
  isHandled,
  type Latest,
  nothing,
  type Origin,
  type Taken
} from "../companion/Companion.ts"
import { settled } from "../companion/Settled.ts"
import type { Done, Unsaved } from "../store/WriteQueue.ts"
import { Beside, keptOf } from "./Beside.ts"
import { Confirmed } from "./Confirmed.ts"
import * as Memory from "./Memory.ts"
import { Outbox } from "./Outbox.ts"
import { Removals, reported } from "./Removals.ts"
import { type Read, StoredKey } from "./StoredKey.ts"
import type { Session } from "./StoreSession.ts"

/** A companion whose snapshots go to a store. */
export class Durable<in out S> implements CompanionPort<S>, Unsaved {
  readonly key: string
  owner: Process | undefined = undefined
  undone = 0
  ticket = 0
  private readonly session: Session<S>
  private readonly stored: StoredKey<S>
  private readonly outbox = new Outbox()
  private removals: Removals<S> | undefined = undefined
  private fence = 0
  private memory: Memory.Memory<S> = Memory.unread
  private beside: Beside | undefined = undefined
  /** Every snapshot up to this one is trusted. */
  private trustedUpTo = 0
  /** Whether it waits for the interval, or has its place in the writer's queue since: the newest is written then. */
  private isLate = false

  constructor(key: string, session: Session<S>) {
    this.key = key
    this.session = session
    this.stored = new StoredKey(key, session, (cause) => this.failed(cause))
  }

  /** The newest snapshot in memory. */
  private get newest(): Generations.Generations<S> {
    return Memory.newestOf(this.memory)
  }

  get latest(): Latest {
    return this.outbox.latest(this.newest, { name: this.session.store.name, key: this.stored.text })
  }

  follow(stored: () => void, lost: () => void): void {
    this.outbox.follow(stored, lost)
  }

  // ------------------------------------------------------------------------------------------------------- the fence

  get seq(): number {
    return Memory.seqOf(this.memory)
  }

  get youngest(): number {
    return this.fence
  }

  fenceOff(incarnation: number): void {
    this.fence = Math.max(this.fence, incarnation + 1)
  }

  // ------------------------------------------------------------------------------------------------------ committing

  commit(incarnation: number, state: S, by: Origin, besides?: Besides): boolean {
    if (!isAccepted(this.fence, incarnation)) return false
    const before = this.newest
    if (isHandled(by) && before !== undefined) this.trustedUpTo = before.seq
    const unchanged = besides === undefined ? Memory.unchanged(this.memory, state, by) : undefined
    if (unchanged !== undefined) {
      this.memory = unchanged
      return true
    }
    const seq = this.outbox.lastSeq + 1
    this.outbox.committed(seq, by === "cast")
    this.memory = Memory.here(Generations.commitAlone(before, { state, seq, incarnation }, by))
    if (besides !== undefined) (this.beside ??= new Beside(this.session.policy?.answers)).commit(besides, seq)
    const { late, queue, when } = this.session
    if (when === "commit") queue.add(this)
    else if (!this.isLate) {
      this.isLate = true
      late.add(this)
    }
    return true
  }

  begun(state: S): void {
    this.memory = Memory.begun(this.memory, state)
  }

  conclude(_incarnation: number, _state: S): void {}

  get timers(): Timers {
    return this.beside?.timers ?? none
  }

  get noTimers(): string | undefined {
    const { alarms, store } = this.session
    return alarms === undefined ? `the store "${store.name}" keeps none: it has no method timers` : undefined
  }

  recorded(id: string): RecordedAnswer | undefined {
    return this.beside?.find(id)
  }

  observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void {
    const { newest } = this
    const activity = Recovery.activityOf(reason, end.activity)
    if (this.memory._tag === "Fresh") this.memory = Memory.afterEnd(this.memory, activity)
    if (newest === undefined) return
    const after = Recovery.observe(newest, { ...end, activity, on: newest.seq })
    if (after.trust === "trusted") this.trustedUpTo = newest.seq
    this.memory = Memory.here(after)
  }

  // --------------------------------------------------------------------------------------------- answers that wait

  get isBehind(): boolean {
    return this.session.when === "commit" && this.outbox.ahead > 0
  }

  get isFull(): boolean {
    return this.session.when === "commit" && this.outbox.ahead >= this.session.maxAhead
  }

  get outage(): StoreError | undefined {
    return this.session.health.outage
  }

  hold(answer: Held): void {
    if (this.outbox.ahead === 0) return answer.stored()
    this.outbox.hold(answer)
    if (this.session.when === "late") this.writeNow()
  }

  confirm(answer: Held): void {
    this.hold(new Confirmed(answer, this.stored.claim))
  }

  letGo(): void {
    this.outbox.letGo()
  }

  private writeNow(): void {
    this.session.late.delete(this)
    this.session.queue.add(this)
  }

  whenRoom(f: () => void): void {
    this.outbox.whenRoom(f)
  }

  // ------------------------------------------------------------------------------------- what the writer asks and says

  record(at: number): Exit.Exit<SnapshotRecord, unknown> | undefined {
    const { newest, stored: { claim } } = this
    this.isLate = false
    if (newest === undefined) return undefined
    if (claim.lost !== undefined) return Exit.failCause(claim.lost)
    const record = this.stored.encode(newest, this.trustedUpTo, at)
    if (record._tag === "Failure") return record
    this.outbox.written()
    return this.beside === undefined ? record : Exit.succeed({ ...record.value, ...this.beside.take() })
  }

  saved({ seq, timers }: SnapshotRecord): void {
    if (timers !== undefined) this.session.alarms?.note(timers)
    this.outbox.stored(seq)
    this.outbox.settle()
  }

  failed(why: Cause.Cause<unknown>): void {
    const cause = this.stored.claim.notice(why)
    const reason: ExitReason = { _tag: "NotConserved", cause }
    const { lastSeq } = this.outbox
    this.undone = this.giveUp(Memory.unread)
    // The next incarnation, which asks the store, may start inside `exit`.
    if (this.owner !== undefined) {
      this.fenceOff(this.owner.incarnation)
      this.owner.exit(reason)
    } else this.session.orphaned(this.stored.text, cause)
    this.outbox.release(lastSeq, (answer) => answer.lost(reason))
    this.outbox.settle()
  }

  /** Forgets what memory holds, stored or not; the number of casts that are undone by that. */
  private giveUp(memory: Memory.Memory<S>): number {
    this.memory = memory
    this.beside = undefined
    this.isLate = false
    this.session.late.delete(this)
    return this.outbox.giveUp()
  }

  // ------------------------------------------------------------------------------------------------------- removal

  forget(): void {
    this.remove(reported(this.stored.text))
  }

  get clear(): Effect.Effect<void> {
    return Effect.orDie(
      Effect.callback<void, StoreError>((resume) => Effect.sync(this.remove((exit) => Effect.sync(() => resume(exit)))))
    )
  }

  private remove(done: Done): () => void {
    this.giveUp({ _tag: "Here", newest: undefined })
    return (this.removals ??= new Removals(this.session, this.outbox, this.stored.text, this.stored.claim)).begin(
      this,
      done
    )
  }

  get isSpare(): boolean {
    return this.outbox.isEmpty
  }

  whenSpare(f: () => void): void {
    this.outbox.whenEmpty(f)
  }

  // ------------------------------------------------------------------------------------------------------ taking over

  takeOver(incarnation: number): Taken<S> | Effect.Effect<Taken<S>, StoreError | StateUnreadable> {
    this.fenceOff(incarnation - 1)
    const { memory, stored } = this
    if (stored.claim.lost !== undefined) return this.refused
    if (memory._tag === "Fresh") return Memory.takenOver(memory, incarnation)
    if (memory._tag !== "Here") return this.load
    const { newest } = memory
    if (newest === undefined) return nothing
    if (Generations.evidenceAgainst(newest) !== undefined) return Effect.andThen(Effect.exit(settled(this)), this.load)
    return { decision: { _tag: "Restore", snapshot: { ...newest, trusted: false } }, aside: nothing.aside }
  }

  /** Another session has taken over and writes now; the cause is the store's answer, a StoreError. */
  private get refused(): Effect.Effect<never, StoreError> {
    return Effect.failCause(this.stored.claim.lost ?? Cause.empty)
  }

  private get load(): Effect.Effect<Taken<S>, StoreError | StateUnreadable> {
    return Effect.map(this.stored.judged(() => this.newest), (judgement) => {
      this.adopt(judgement)
      return { decision: judgement.decision, aside: judgement.aside }
    })
  }

  private adopt({ aside, books, decision, from }: Judgement<SnapshotRecord, S>): void {
    const { newest } = this
    this.learn(books, Generations.lastSeq(books, aside), keptOf(books?.state, aside))
    if (decision._tag !== "Refuse" && decision._tag !== "GiveUp") {
      const start = from && books && Generations.make({ ...from, incarnation: this.fence }, books.trust, undefined)
      this.memory = Memory.here(start)
    } else if (books === undefined || newest?.seq !== books.seq) this.memory = Memory.unread
    else this.memory = Memory.here({ ...newest, trust: books.trust })
  }

  private learn(
    books: Generations.Generations<SnapshotRecord>,
    lastSeq: number,
    kept: Pick<SnapshotRecord, "answers" | "timers"> | undefined = books?.state
  ): void {
    this.beside = Beside.of(kept, this.session.policy?.answers)
    this.session.alarms?.note(this.timers)
    this.trustedUpTo = books === undefined ? 0 : books.trust === "trusted" ? books.seq : books.goodSeq
    this.outbox.caughtUp(lastSeq)
  }

  // --------------------------------------------------------------------------------------- what may leave memory

  residency(state: S): Residency {
    const { newest, outbox, stored: { claim } } = this
    if (this.memory._tag === "Fresh" && claim.lost === undefined) return "unwritten"
    const isKept = newest === undefined || !Object.is(newest.state, state) ||
      Generations.evidenceAgainst(newest) !== undefined
    if (isKept || claim.lost !== undefined) return "kept"
    return outbox.ahead > 0 ? "pending" : "stored"
  }

  passivate(): void {
    const { newest } = this
    this.memory = newest === undefined ? Memory.unread : { _tag: "Away", seq: newest.seq }
    this.beside = undefined
  }

  get activate(): Effect.Effect<S, StoreError | StateUnreadable> {
    return Effect.suspend(() => this.newest === undefined ? this.reload : Effect.succeed(this.newest.state))
  }

  private get reload(): Effect.Effect<S, StoreError | StateUnreadable> {
    if (this.stored.claim.lost !== undefined) return this.refused
    return Effect.tapCause(
      Effect.flatMap(this.stored.newest, (newest) => this.readmit(newest)),
      (cause) =>
        Effect.sync(() => {
          this.stored.claim.notice(cause)
          this.undone = 0
        })
    )
  }

  private readmit(stored: Read<S> | undefined): Effect.Effect<S, StoreError | StateUnreadable> {
    const { memory, newest } = this
    // While this was read another one may have been set, or its incarnation was abandoned and the next has taken over.
    if (newest !== undefined) return Effect.succeed(newest.state)
    const found = this.stored.find(stored, memory._tag === "Away" ? memory.seq : undefined)
    if (found._tag === "Failure") return Effect.failCause(found.cause)
    const { seq, state } = found.value
    this.beside = Beside.of(found.value, this.session.policy?.answers)
    const trust = seq <= this.trustedUpTo ? "trusted" : "probation"
    this.memory = Memory.here(Generations.make({ seq, state, incarnation: this.fence }, trust, undefined))
    return Effect.succeed(state)
  }

  // -------------------------------------------------------------------------------------------------- for any code

  /** Done when it is stored. */
  set(state: S): Effect.Effect<void> {
    const commit = Effect.suspend(() => {
      this.commit(this.fence, state, "person")
      return settled(this)
    })
    return Effect.orDie(
      Effect.andThen(
        this.stored.claimed,
        () =>
          Memory.isKnown(this.memory) ? commit : Effect.flatMap(this.stored.records, (records) => {
            const books = booksOf(records)
            if (!Memory.isKnown(this.memory)) this.learn(books, books?.seq ?? 0)
            return commit
          })
      )
    )
  }

  /** The newest snapshot, while the store does not have it. */
  private get unstored(): Generations.Generations<S> {
    return this.outbox.ahead === 0 ? undefined : this.newest
  }

  get get(): Effect.Effect<Option.Option<S>> {
    return Effect.orDie(this.stored.conserved(() => this.unstored))
  }

  /** The stored snapshots that this code can read, newest first; one that is not stored yet comes first of all. */
  get snapshots(): Effect.Effect<ReadonlyArray<Snapshot<S>>> {
    return Effect.orDie(this.stored.snapshots(() => this.unstored))
  }

  get aside(): Effect.Effect<ReadonlyArray<Generations.Aside<unknown>>> {
    return Effect.orDie(this.session.store.listAside(this.stored.text))
  }
}
