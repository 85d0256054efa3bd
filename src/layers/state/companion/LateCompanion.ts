/**
 * A companion that conserves late: at intervals, or with the last word of an incarnation only.
 *
 * It wraps another companion, which gets fewer commits that way: for states that change far more often than they are worth
 * writing.
 *
 * *Tricky*
 * - A new incarnation that takes over gets what is pending when it was only waiting for its interval, and never when it
 *   needed a last word that was not spoken. So does one that takes over from an incarnation that was abandoned: what that
 *   one had committed until then counts.
 * - What is pending is written as one commit, of whatever it came of: a commit more, or one that claims that a message was
 *   handled, would make a state that crashes everybody the last good one.
 *
 * @since 0.1.0
 */
import { Effect, type Option } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Limits, NewAnswer, RecordedAnswer } from "../../../domain/state/Answers.ts"
import type * as Generations from "../../../domain/state/Generations.ts"
import type { Standing } from "../../../domain/state/Passivation.ts"
import type * as Recovery from "../../../domain/state/Recovery.ts"
import type { Snapshot } from "../../../domain/state/Snapshot.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Process } from "../../process/Process.ts"
import { AnswerBook } from "./AnswerBook.ts"
import { type Held, isHandled, type Keeper, type Origin, type Taken } from "./Companion.ts"

interface Pending<out S> {
  readonly incarnation: number
  readonly state: S
  /** What it came of; a message, if one was handled for any part of it. */
  readonly by: Origin
}

/** Keeps what is committed to itself until it is flushed, and only then hands it to the companion it wraps. */
export class Delayed<in out S> implements Keeper<S> {
  private readonly kept: Keeper<S>
  private readonly needsLastWord: boolean
  /** Those that have something pending; the container flushes them at its intervals. */
  private readonly late: Set<Delayed<S>>
  private pending: Pending<S> | undefined = undefined
  /** The answers that are to be put on record with it; as many of them as there may be on record at all. */
  private answers: AnswerBook | undefined = undefined
  private readonly limits: Limits | undefined
  private fence = 0

  constructor(kept: Keeper<S>, needsLastWord: boolean, late: Set<Delayed<S>>, limits?: Limits) {
    this.kept = kept
    this.needsLastWord = needsLastWord
    this.late = late
    this.limits = limits
  }

  get key(): string {
    return this.kept.key
  }

  get owner(): Process | undefined {
    return this.kept.owner
  }

  set owner(owner: Process | undefined) {
    this.kept.owner = owner
  }

  get youngest(): number {
    return this.kept.youngest
  }

  get isBehind(): boolean {
    return false
  }

  get isFull(): boolean {
    return false
  }

  get undone(): number {
    return this.kept.undone
  }

  get outage(): StoreError | undefined {
    return this.kept.outage
  }

  // What waits for an interval or a last word is in memory alone.
  standing(_state: S): Standing {
    return "kept"
  }

  passivate(): void {}

  get activate(): Effect.Effect<S, StoreError> {
    return this.kept.activate
  }

  get isSpare(): boolean {
    return this.pending === undefined && this.kept.isSpare
  }

  whenSpare(f: () => void): void {
    this.kept.whenSpare(f)
  }

  takeOver(incarnation: number): Taken<S> | Effect.Effect<Taken<S>, StoreError> {
    if (!this.needsLastWord) this.flush()
    this.take()
    this.fence = Math.max(this.fence, incarnation)
    return this.kept.takeOver(incarnation)
  }

  fenceOff(incarnation: number): void {
    if (!this.needsLastWord) this.flush()
    this.fence = Math.max(this.fence, incarnation + 1)
    this.kept.fenceOff(incarnation)
  }

  commit(incarnation: number, state: S, by: Origin, answers?: ReadonlyArray<NewAnswer>): boolean {
    if (incarnation < this.fence) return false
    const { pending } = this
    if (pending === undefined) {
      if (!this.needsLastWord) this.late.add(this)
      this.pending = { incarnation, state, by }
    } else {
      this.pending = { incarnation, state, by: by === "callback" || isHandled(pending.by) ? pending.by : by }
    }
    if (answers === undefined) return true
    this.answers ??= new AnswerBook(this.limits)
    // The number of its state is not known yet.
    for (const answer of answers) this.answers.record(answer, 0)
    return true
  }

  recorded(id: string): RecordedAnswer | undefined {
    return this.answers?.find(id) ?? this.kept.recorded(id)
  }

  /** Takes out what is pending. */
  private take(): [Pending<S> | undefined, AnswerBook | undefined] {
    const { answers, pending } = this
    this.pending = undefined
    this.answers = undefined
    return [pending, answers]
  }

  conclude(incarnation: number, _state: S): void {
    // With nothing pending nothing was committed since it started, or what was is replaced by now.
    if (incarnation >= this.fence) this.flush()
  }

  observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void {
    this.kept.observe(reason, end)
  }

  hold(answer: Held): void {
    answer.stored()
  }

  whenRoom(f: () => void): void {
    f()
  }

  /** Writes what is pending. */
  flush(): void {
    const [pending, answers] = this.take()
    if (pending !== undefined) this.kept.commit(pending.incarnation, pending.state, pending.by, answers?.unsaved)
  }

  forget(): void {
    this.take()
    this.kept.forget()
  }

  get get(): Effect.Effect<Option.Option<S>> {
    return this.kept.get
  }

  // Newer than what is pending, which must not be written over it.
  set(state: S): Effect.Effect<void> {
    return Effect.andThen(Effect.sync(() => this.take()), this.kept.set(state))
  }

  get clear(): Effect.Effect<void> {
    return Effect.sync(() => this.forget())
  }

  get snapshots(): Effect.Effect<ReadonlyArray<Snapshot<S>>> {
    return this.kept.snapshots
  }

  get aside(): Effect.Effect<ReadonlyArray<Generations.Aside<unknown>>> {
    return this.kept.aside
  }
}
