/**
 * A companion that conserves late: at intervals, or only when an incarnation ends in a way that runs `terminate`.
 *
 * It wraps another companion, which gets fewer commits that way: for states that change far more often than they are
 * worth writing.
 *
 * *Tricky*
 * - A new incarnation that takes over gets the pending state when that was only waiting for its interval, and never
 *   when it needed an end that did not come. So does one that takes over from an incarnation that was abandoned: the
 *   commits of that one until then count.
 * - The pending state is flushed as one commit with its own origin. Flushing it as `call` would mark the snapshot
 *   before it as trusted, also when no message was handled, and so make a state that crashes every incarnation the last
 *   good one.
 *
 * @since 0.1.0
 */
import { Effect, type Option } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Limits, NewAnswer, RecordedAnswer } from "../../../domain/state/Answers.ts"
import type { Aside } from "../../../domain/state/Generations.ts"
import type { Residency } from "../../../domain/state/Passivation.ts"
import type * as Recovery from "../../../domain/state/Recovery.ts"
import { isAccepted, type Snapshot } from "../../../domain/state/Snapshot.ts"
import type { StateUnreadable } from "../../../domain/state/stored/StateUnreadable.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Timers } from "../../../domain/state/Timers.ts"
import type { Process } from "../../process/Process.ts"
import { AnswerBook } from "./AnswerBook.ts"
import {
  type Besides,
  type CompanionPort,
  type Held,
  isHandled,
  type Latest,
  type Origin,
  type Taken
} from "./Companion.ts"

interface Pending<out S> {
  readonly incarnation: number
  readonly state: S
  /** The reason for it; a message, if one was handled for any part of it. */
  readonly by: Origin
  /** The answers to be recorded with it; as many of them as there may be on record at all. */
  readonly answers: AnswerBook | undefined
  /** The timers to be set with it, if they are others than before. */
  readonly timers: Timers | undefined
}

interface Follower {
  readonly stored: () => void
  readonly lost: () => void
}

const none: ReadonlyArray<never> = []

/** Keeps the newest commit to itself until it is flushed, and only then hands it to the companion it wraps. */
export class WriteBehindCompanion<in out S> implements CompanionPort<S> {
  private readonly inner: CompanionPort<S>
  private readonly needsEnd: boolean
  /** Those that have something pending; the container flushes them at its intervals. */
  private readonly late: Set<WriteBehindCompanion<S>>
  private readonly limits: Limits | undefined
  private pending: Pending<S> | undefined = undefined
  /** Those who read along, while something is pending. */
  private followers: ReadonlyArray<Follower> = none
  private fence = 0

  constructor(inner: CompanionPort<S>, needsEnd: boolean, late: Set<WriteBehindCompanion<S>>, limits?: Limits) {
    this.inner = inner
    this.needsEnd = needsEnd
    this.late = late
    this.limits = limits
  }

  commit(incarnation: number, state: S, by: Origin, besides?: Besides): boolean {
    if (!isAccepted(this.fence, incarnation)) return false
    const { pending } = this
    const answers = besides?.answers
    if (pending === undefined && !this.needsEnd) this.late.add(this)
    const keepsOrigin = pending !== undefined && (by === "callback" || isHandled(pending.by))
    this.pending = {
      incarnation,
      state,
      by: keepsOrigin ? pending.by : by,
      answers: answers === undefined ? pending?.answers : this.recordedWith(pending?.answers, answers),
      timers: besides?.timers ?? pending?.timers
    }
    return true
  }

  private recordedWith(book = new AnswerBook(this.limits), answers: ReadonlyArray<NewAnswer>): AnswerBook {
    // The number of their state is not known yet.
    for (const answer of answers) book.record(answer, 0)
    return book
  }

  get timers(): Timers {
    return this.pending?.timers ?? this.inner.timers
  }

  get noTimers(): string | undefined {
    return this.needsEnd ? "it is conserved when it ends, and not before (when: \"terminate\")" : this.inner.noTimers
  }

  recorded(id: string): RecordedAnswer | undefined {
    return this.pending?.answers?.find(id) ?? this.inner.recorded(id)
  }

  takeOver(incarnation: number): Taken<S> | Effect.Effect<Taken<S>, StoreError | StateUnreadable> {
    if (!this.needsEnd) this.flush()
    this.drop()
    this.fence = Math.max(this.fence, incarnation)
    return this.inner.takeOver(incarnation)
  }

  fenceOff(incarnation: number): void {
    if (!this.needsEnd) this.flush()
    this.fence = Math.max(this.fence, incarnation + 1)
    this.inner.fenceOff(incarnation)
  }

  begun(state: S): void {
    this.inner.begun(state)
  }

  conclude(incarnation: number, _state: S): void {
    // With nothing pending nothing was committed since it started, or it was replaced from outside since.
    if (incarnation >= this.fence) this.flush()
  }

  /** Writes the pending commit. */
  flush(): void {
    const { pending } = this
    if (pending === undefined) return
    this.pending = undefined
    const { answers, by, incarnation, state, timers } = pending
    const besides = answers === undefined && timers === undefined ? undefined : { answers: answers?.unsaved, timers }
    this.inner.commit(incarnation, state, by, besides)
    for (const { lost, stored } of this.followed()) this.inner.follow(stored, lost)
  }

  /** The pending commit is given up. */
  private drop(): void {
    this.pending = undefined
    for (const { lost } of this.followed()) lost()
  }

  private followed(): ReadonlyArray<Follower> {
    const { followers } = this
    this.followers = none
    return followers
  }

  follow(stored: () => void, lost: () => void): void {
    if (this.pending === undefined) this.inner.follow(stored, lost)
    else this.followers = [...this.followers, { stored, lost }]
  }

  forget(): void {
    this.drop()
    this.inner.forget()
  }

  // Newer than the pending commit, which must not be written over it.
  set(state: S): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.drop()
      return this.inner.set(state)
    })
  }

  get clear(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.drop()
      return this.inner.clear
    })
  }

  // No answer waits, and a state that waits for its interval or its end is in memory alone.

  get isBehind(): boolean {
    return false
  }

  get isFull(): boolean {
    return false
  }

  hold(answer: Held): void {
    answer.stored()
  }

  confirm(answer: Held): void {
    this.inner.confirm(answer)
  }

  letGo(): void {}

  whenRoom(f: () => void): void {
    f()
  }

  residency(_state: S): Residency {
    return "kept"
  }

  passivate(): void {}

  // The rest is the affair of the companion it wraps.

  get key(): string {
    return this.inner.key
  }

  get owner(): Process | undefined {
    return this.inner.owner
  }

  set owner(owner: Process | undefined) {
    this.inner.owner = owner
  }

  get youngest(): number {
    return this.inner.youngest
  }

  get seq(): number {
    return this.inner.seq
  }

  get latest(): Latest {
    const { latest } = this.inner
    return this.pending === undefined ? latest : { ...latest, isConserved: false, isPending: true }
  }

  get undone(): number {
    return this.inner.undone
  }

  get outage(): StoreError | undefined {
    return this.inner.outage
  }

  get activate(): Effect.Effect<S, StoreError | StateUnreadable> {
    return this.inner.activate
  }

  get isSpare(): boolean {
    return this.pending === undefined && this.inner.isSpare
  }

  whenSpare(f: () => void): void {
    this.inner.whenSpare(f)
  }

  observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void {
    this.inner.observe(reason, end)
  }

  get get(): Effect.Effect<Option.Option<S>> {
    return this.inner.get
  }

  get snapshots(): Effect.Effect<ReadonlyArray<Snapshot<S>>> {
    return this.inner.snapshots
  }

  get aside(): Effect.Effect<ReadonlyArray<Aside<unknown>>> {
    return this.inner.aside
  }
}
