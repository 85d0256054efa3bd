/**
 * A companion that is watched: what its server commits, ends of and starts from is shown to readers.
 *
 * It wraps the companion, and takes its place in the table and in the server as long as there is a reader. So a server
 * that is not watched has nothing of this, and its commits ask for nothing.
 *
 * *Tricky*: readers are called in the server's own stack, in the middle of a turn: they only enqueue.
 *
 * @since 0.1.0
 */
import { Effect, Option } from "effect"
import { type ExitReason, killed } from "../../../domain/process/ExitReason.ts"
import type { RecordedAnswer } from "../../../domain/state/Answers.ts"
import type { Aside } from "../../../domain/state/Generations.ts"
import type { Residency } from "../../../domain/state/Passivation.ts"
import type * as Recovery from "../../../domain/state/Recovery.ts"
import type { Change } from "../../../domain/state/shown/Change.ts"
import type { Snapshot } from "../../../domain/state/Snapshot.ts"
import type { StateUnreadable } from "../../../domain/state/stored/StateUnreadable.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Timers } from "../../../domain/state/Timers.ts"
import { isEffect } from "../../process/EffectInternals.ts"
import type { Process } from "../../process/Process.ts"
import type { Besides, CompanionPort, Held, Latest, Origin, Taken } from "./Companion.ts"

/** One who reads along. */
export interface Reader<in S> {
  /** Something is to be seen. */
  changed(change: Change<S>): void
  /** All commits up to this number are stored. */
  stored(upTo: number): void
  /** What was not stored by now will not be. */
  lost(): void
  /** A server has let go of the key; `isOver` says that the state is gone with it. */
  released(server: Process, isOver: boolean): void
  /** There will be nothing more. */
  ended(): void
}

const nothingYet: unique symbol = Symbol()

/** A companion that is watched. */
export class Watched<in out S> implements CompanionPort<S> {
  readonly inner: CompanionPort<S>
  private readonly readers = new Set<Reader<S>>()
  /** The state that was shown last, to tell a commit that changes nothing. */
  private shown: S | typeof nothingYet = nothingYet
  private isFollowing = false
  /** The incarnation whose end was shown last. */
  private lastEnded = 0

  constructor(inner: CompanionPort<S>) {
    this.inner = inner
  }

  // ---- readers

  get isWatched(): boolean {
    return this.readers.size > 0
  }

  /** `inMemory` is what its server has. */
  join(reader: Reader<S>, inMemory: Option.Option<S>): void {
    if (this.shown === nothingYet && Option.isSome(inMemory)) this.shown = inMemory.value
    this.readers.add(reader)
    this.awaitStored()
  }

  leave(reader: Reader<S>): void {
    this.readers.delete(reader)
  }

  released(server: Process, isOver: boolean): void {
    for (const reader of this.readers) reader.released(server, isOver)
  }

  /** There will be nothing more to see. */
  close(): void {
    for (const reader of this.readers) reader.ended()
  }

  private show(change: Change<S>): void {
    for (const reader of this.readers) reader.changed(change)
  }

  /** Has the readers hear when all that is committed by now is stored. */
  private awaitStored(): void {
    if (this.isFollowing || !this.latest.isPending) return
    this.isFollowing = true
    this.inner.follow(() => this.followed(true), () => this.followed(false))
  }

  private followed(isStored: boolean): void {
    this.isFollowing = false
    for (const reader of this.readers) {
      if (isStored) reader.stored(this.inner.latest.stored)
      else reader.lost()
    }
    // More may have been committed meanwhile.
    if (isStored) this.awaitStored()
  }

  /** A state was committed, unless it is the one that was there. */
  private committed(incarnation: number, state: S, before: number): void {
    const { seq } = this.inner
    if (seq === before && Object.is(state, this.shown)) return
    this.shown = state
    const { isPending } = this.latest
    // One that waits to be handed on has no number of its own yet: it will have the next.
    const number = seq === before && isPending ? before + 1 : seq
    this.show({ _tag: "Committed", state, seq: number, incarnation, isConserved: !isPending })
    this.awaitStored()
  }

  // ---- what is shown

  commit(incarnation: number, state: S, by: Origin, besides?: Besides): boolean {
    const before = this.inner.seq
    if (!this.inner.commit(incarnation, state, by, besides)) return false
    this.committed(incarnation, state, before)
    return true
  }

  set(state: S): Effect.Effect<void> {
    return Effect.suspend(() => {
      const before = this.inner.seq
      return Effect.tap(
        this.inner.set(state),
        () => Effect.sync(() => this.committed(this.inner.latest.books?.incarnation ?? this.youngest, state, before))
      )
    })
  }

  begun(state: S): void {
    this.inner.begun(state)
    this.shown = state
    const isConserved = this.latest.store === undefined
    this.show({ _tag: "Committed", state, seq: 0, incarnation: this.incarnation, isConserved })
  }

  takeOver(incarnation: number): Taken<S> | Effect.Effect<Taken<S>, StoreError | StateUnreadable> {
    const taken = this.inner.takeOver(incarnation)
    return isEffect(taken)
      ? Effect.map(taken, (taken) => this.taken(incarnation, taken as Taken<S>))
      : this.taken(incarnation, taken)
  }

  private taken(incarnation: number, taken: Taken<S>): Taken<S> {
    const { decision } = taken
    switch (decision._tag) {
      case "Restore": {
        const { seq, state } = decision.snapshot
        this.shown = state
        this.show({ _tag: "Restored", state, seq, incarnation, isConserved: !this.latest.isPending })
        this.awaitStored()
        break
      }
      case "RollBack": {
        const { from, to: { seq, state }, why } = decision
        this.shown = state
        this.show({ _tag: "RolledBack", from, to: { state, seq }, incarnation, why })
        break
      }
      case "Init": {
        const { from, why } = decision
        if (from !== undefined) this.show({ _tag: "RolledBack", from, incarnation, why })
        break
      }
    }
    return taken
  }

  observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void {
    this.inner.observe(reason, end)
    this.endedBy(reason)
  }

  fenceOff(incarnation: number): void {
    // One that is left behind ends without a word of its own.
    if (incarnation === this.incarnation && incarnation > 0) this.endedBy(killed)
    this.inner.fenceOff(incarnation)
  }

  private endedBy(reason: ExitReason): void {
    const { incarnation } = this
    if (incarnation <= this.lastEnded) return
    this.lastEnded = incarnation
    this.show({ _tag: "Ended", incarnation, reason })
  }

  private get incarnation(): number {
    return this.inner.owner?.incarnation ?? this.inner.youngest
  }

  passivate(): void {
    this.shown = nothingYet
    this.inner.passivate()
  }

  // ---- it stays as long as it is watched

  get isSpare(): boolean {
    return !this.isWatched && this.inner.isSpare
  }

  whenSpare(f: () => void): void {
    if (!this.isWatched) this.inner.whenSpare(f)
  }

  // ---- the rest is the affair of the companion it wraps

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
    return this.inner.latest
  }

  get isBehind(): boolean {
    return this.inner.isBehind
  }

  get isFull(): boolean {
    return this.inner.isFull
  }

  get outage(): StoreError | undefined {
    return this.inner.outage
  }

  get undone(): number {
    return this.inner.undone
  }

  get timers(): Timers {
    return this.inner.timers
  }

  get noTimers(): string | undefined {
    return this.inner.noTimers
  }

  recorded(id: string): RecordedAnswer | undefined {
    return this.inner.recorded(id)
  }

  conclude(incarnation: number, state: S): void {
    this.inner.conclude(incarnation, state)
  }

  hold(answer: Held): void {
    this.inner.hold(answer)
  }

  confirm(answer: Held): void {
    this.inner.confirm(answer)
  }

  letGo(): void {
    this.inner.letGo()
  }

  follow(stored: () => void, lost: () => void): void {
    this.inner.follow(stored, lost)
  }

  whenRoom(f: () => void): void {
    this.inner.whenRoom(f)
  }

  residency(state: S): Residency {
    return this.inner.residency(state)
  }

  get activate(): Effect.Effect<S, StoreError | StateUnreadable> {
    return this.inner.activate
  }

  forget(): void {
    this.inner.forget()
  }

  get get(): Effect.Effect<Option.Option<S>> {
    return this.inner.get
  }

  get clear(): Effect.Effect<void> {
    return this.inner.clear
  }

  get snapshots(): Effect.Effect<ReadonlyArray<Snapshot<S>>> {
    return this.inner.snapshots
  }

  get aside(): Effect.Effect<ReadonlyArray<Aside<unknown>>> {
    return this.inner.aside
  }
}
