/**
 * A companion: the keeper of one server's committed state.
 *
 * Two faces. `Companion` is what everybody may do with it: look, set, clear. `Keeper` is what the server's engine does:
 * take over the state for a new incarnation, commit, conclude, take down how an incarnation ended. In memory it is a `Ref`
 * and a fence; nothing of it runs in a fiber, so no crash of any fiber can lose it.
 *
 * *Tricky*
 * - An abandoned incarnation may still run and try to commit. Taking over raises the fence, and a commit from below the
 *   fence is refused (`Snapshot.accept`); both are synchronous, so no message of the new incarnation can come between. A
 *   `set` from outside is a commit on behalf of the youngest incarnation.
 * - A state that crashes whoever starts from it must not be restored for ever (`Recovery`). Books of snapshots would cost
 *   more than the commit itself, so a companion keeps just two: the newest, and the newest that a message was handled
 *   from. The books are opened when something speaks against a snapshot, and not before.
 *
 * @since 0.1.0
 */
import { Effect, Option, Ref } from "effect"
import type { ExitReason } from "../../domain/server/ExitReason.ts"
import type { Limits, NewAnswer, RecordedAnswer } from "../../domain/server/Idempotency.ts"
import type * as Generations from "../../domain/state/Generations.ts"
import type { Standing } from "../../domain/state/Passivation.ts"
import * as Recovery from "../../domain/state/Recovery.ts"
import { accept, type Snapshot } from "../../domain/state/Snapshot.ts"
import type { StoreError } from "../../domain/state/StoreError.ts"
import type { Process } from "../naming/Process.ts"
import { AnswerBook } from "./AnswerBook.ts"

/** What everybody may do with a server's conserved state. */
export interface Companion<in out S> {
  readonly key: string
  /** The conserved state, if there is one. */
  readonly get: Effect.Effect<Option.Option<S>>
  /**
   * Replaces what is conserved. A server that is alive goes on with its own state: the next incarnation starts from this
   * one, unless the server commits before. One whose state has left memory (`hibernate`) has no own: it goes on with this.
   */
  readonly set: (state: S) => Effect.Effect<void>
  /** Forgets what is conserved: the next incarnation starts from `init`. */
  readonly clear: Effect.Effect<void>
  /** What is conserved, newest first, with sequence number and incarnation. */
  readonly snapshots: Effect.Effect<ReadonlyArray<Snapshot<S>>>
  /**
   * What was set aside because it crashed whoever started from it, or could not be read; never deleted by itself. A
   * companion in memory has the states, a durable one their stored text.
   */
  readonly aside: Effect.Effect<ReadonlyArray<Generations.Aside<unknown>>>
}

/** What a new incarnation starts from, and what was set aside for it. */
export interface Taken<out S> {
  readonly decision: Recovery.Decision<S>
  readonly aside: ReadonlyArray<{ readonly seq: number; readonly why: string }>
}

/** An answer that waits until the state it was computed from is stored. */
export interface Held {
  stored(): void
  lost(reason: ExitReason): void
}

/** What a companion does about suspect states, and how many answers it keeps on record. */
export interface Policy extends Recovery.Policy {
  readonly answers?: Limits | undefined
}

/**
 * What a commit came of. A `call` or a `cast` was handled, which proves the state before good (and nobody is told when a
 * cast is undone); a `callback` proves nothing, and what speaks against the state before speaks against what it made of it;
 * a `person` knows what they do.
 */
export type Origin = "call" | "cast" | "callback" | "person"

/** Whether a commit came of a message that was handled. */
export const isHandled = (by: Origin): boolean => by === "call" || by === "cast"

/** What a server's engine does with its companion. */
export interface Keeper<in out S> extends Companion<S> {
  /** The server this state belongs to, while it has one: a key has one owner at a time. */
  owner: Process | undefined
  /** The number of the youngest incarnation that may have had this state; 0 when none has. */
  readonly youngest: number
  /** Whether answers have to wait: the newest state is not stored yet. Always false in memory. */
  readonly isBehind: boolean
  /** Whether so much is waiting to be stored that the server has to wait, too: see {@link whenRoom}. */
  readonly isFull: boolean
  /** Casts that the last failed write undid: their senders are not told. */
  readonly undone: number
  /** A new incarnation takes over: older ones are fenced off, and it is told what to start from. */
  takeOver(incarnation: number): Taken<S> | Effect.Effect<Taken<S>, StoreError>
  /** Fences off an incarnation that was abandoned. */
  fenceOff(incarnation: number): void
  /**
   * Commits the state after a handled message, or after a callback, together with the answers to be put on record, if any;
   * false when the incarnation is fenced off.
   */
  commit(incarnation: number, state: S, by: Origin, answers?: ReadonlyArray<NewAnswer>): boolean
  /** The answer on record for an idempotency key. */
  recorded(id: string): RecordedAnswer | undefined
  /** The incarnation ends in a way that leaves it its last word (not by a kill). */
  conclude(incarnation: number, state: S): void
  /** Takes down how an incarnation ended. */
  observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void
  /** Holds an answer back until all that is committed by now is stored, or cannot be. */
  hold(answer: Held): void
  /** Runs `f` once, when there may be room again. */
  whenRoom(f: () => void): void
  /** Where the state of its server is, which has this one: what may leave memory is stored as it is. */
  standing(state: S): Standing
  /** Lets go of the state that is stored, with all that belongs to it: its server has let go of it, too. */
  passivate(): void
  /** Brings it back for the same incarnation; fails when the store gives up, or does not hold it any more. */
  readonly activate: Effect.Effect<S, StoreError>
  /** Its server is down and will not come back soon: whether nothing would be lost with this object. */
  readonly isSpare: boolean
  /** Runs `f` when that becomes so by itself, if it ever does: everything is stored by then. */
  whenSpare(f: () => void): void
  /** Forgets at once what is conserved. */
  forget(): void
}

const noneAside: Taken<never>["aside"] = []

/** A server, as what keeps companions sees it. */
export interface Owner<in out S> extends Process {
  /** Its companion; absent while there is nothing to conserve, and where another server has the key. */
  keeper: Keeper<S> | undefined
}

/** Nothing is conserved. */
export const nothing: Taken<never> = {
  decision: { _tag: "Init", why: "nothing is conserved", from: undefined },
  aside: noneAside
}

/** The fence and the owner, which every companion has, over wherever the snapshot is. */
export abstract class Kept<in out S> implements Keeper<S> {
  readonly key: string
  owner: Process | undefined = undefined
  protected fence = 0
  protected answers: AnswerBook | undefined = undefined

  constructor(key: string) {
    this.key = key
  }

  protected abstract readonly limits: Limits | undefined
  get youngest(): number {
    return this.fence
  }

  abstract readonly isBehind: boolean
  abstract readonly isFull: boolean
  abstract readonly undone: number
  abstract readonly isSpare: boolean
  protected abstract read(): Snapshot<S> | undefined
  /** Keeps a snapshot in place of the one `before`. */
  protected abstract write(snapshot: Snapshot<S>, by: Origin, before: Snapshot<S> | undefined): void
  protected abstract taken(): Taken<S> | Effect.Effect<Taken<S>, StoreError>
  abstract observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void
  abstract hold(answer: Held): void
  abstract whenRoom(f: () => void): void
  abstract forget(): void
  abstract readonly aside: Effect.Effect<ReadonlyArray<Generations.Aside<unknown>>>

  takeOver(incarnation: number): Taken<S> | Effect.Effect<Taken<S>, StoreError> {
    this.fenceOff(incarnation - 1)
    return this.taken()
  }

  fenceOff(incarnation: number): void {
    if (incarnation >= this.fence) this.fence = incarnation + 1
  }

  commit(incarnation: number, state: S, by: Origin, answers?: ReadonlyArray<NewAnswer>): boolean {
    return this.commitOver(this.read(), incarnation, state, by, answers)
  }

  // What is there is looked up once: every message of every server commits.
  protected commitOver(
    before: Snapshot<S> | undefined,
    incarnation: number,
    state: S,
    by: Origin,
    answers: ReadonlyArray<NewAnswer> | undefined
  ): boolean {
    const snapshot = accept(before, this.fence, incarnation, state)
    if (snapshot === undefined) return false
    this.write(snapshot, by, before)
    if (answers === undefined) return true
    for (const answer of answers) this.book.record(answer, this.read()?.seq ?? 0)
    return true
  }

  protected get book(): AnswerBook {
    return this.answers ??= new AnswerBook(this.limits)
  }

  recorded(id: string): RecordedAnswer | undefined {
    return this.answers?.find(id)
  }

  conclude(_incarnation: number, _state: S): void {}

  standing(_state: S): Standing {
    return "kept"
  }

  passivate(): void {}

  get activate(): Effect.Effect<S, StoreError> {
    return Effect.die(new Error(`the state of "${this.key}" never left memory`))
  }

  whenSpare(_f: () => void): void {}

  get get(): Effect.Effect<Option.Option<S>> {
    return Effect.sync(() => Option.map(Option.fromUndefinedOr(this.read()), (snapshot) => snapshot.state))
  }

  set(state: S): Effect.Effect<void> {
    return Effect.sync(() => void this.commit(this.fence, state, "person"))
  }

  get clear(): Effect.Effect<void> {
    return Effect.sync(() => this.forget())
  }

  get snapshots(): Effect.Effect<ReadonlyArray<Snapshot<S>>> {
    return Effect.sync(() => {
      const snapshot = this.read()
      return snapshot === undefined ? [] : [snapshot]
    })
  }
}

/** What is the same for all whose commits need not be stored: nothing ever waits. */
abstract class Immediate<in out S> extends Kept<S> {
  get isBehind(): boolean {
    return false
  }

  get isFull(): boolean {
    return false
  }

  get undone(): number {
    return 0
  }

  hold(answer: Held): void {
    answer.stored()
  }

  whenRoom(f: () => void): void {
    f()
  }
}

/** What speaks against the newest snapshot, and what was set aside before. */
interface Trouble<out S> {
  readonly evidence: Generations.Evidence | undefined
  /** What the evidence is about: somebody else may have replaced it since. */
  readonly on: Snapshot<S>
  readonly aside: ReadonlyArray<Generations.Aside<S>>
}

/** Companions that lose nothing but with the process: what is committed is conserved. */
export abstract class Volatile<in out S> extends Immediate<S> {
  /** The snapshot that is trusted, if the newest one is: a message was handled from it. */
  private trusted: Snapshot<S> | undefined = undefined
  /** The newest older snapshot that one was handled from. */
  private previous: Snapshot<S> | undefined = undefined
  private trouble: Trouble<S> | undefined = undefined
  private readonly policy: Policy | undefined

  constructor(key: string, policy: Policy | undefined) {
    super(key)
    this.policy = policy
  }

  protected get limits(): Limits | undefined {
    return this.policy?.answers
  }

  protected abstract put(snapshot: Snapshot<S>): void

  get isSpare(): boolean {
    return this.read() === undefined && (this.trouble === undefined || this.trouble.aside.length === 0)
  }

  override commit(incarnation: number, state: S, by: Origin, answers?: ReadonlyArray<NewAnswer>): boolean {
    const before = this.read()
    if (before === undefined || answers !== undefined || incarnation < this.fence) {
      return this.commitOver(before, incarnation, state, by, answers)
    }
    if (Object.is(state, before.state)) {
      // What changed nothing makes no other snapshot; if it was a message, it was handled from this one.
      if (isHandled(by)) this.trusted = before
      if (by !== "callback" && this.trouble !== undefined) this.trouble = { ...this.trouble, evidence: undefined }
      return true
    }
    this.write(accept(before, this.fence, incarnation, state)!, by, before)
    return true
  }

  protected write(snapshot: Snapshot<S>, by: Origin, before: Snapshot<S> | undefined): void {
    if (isHandled(by) || (before !== undefined && before === this.trusted)) this.previous = before
    this.trusted = undefined
    this.put(this.trouble === undefined ? snapshot : this.afterTrouble(snapshot, this.trouble, by))
  }

  /** The numbers of those set aside are not used again; what spoke against the snapshot before is moot, as a rule. */
  private afterTrouble(snapshot: Snapshot<S>, { aside, evidence, on }: Trouble<S>, by: Origin): Snapshot<S> {
    const last = aside.reduce((max, one) => Math.max(max, one.seq), 0)
    const next = snapshot.seq > last ? snapshot : { ...snapshot, seq: last + 1 }
    if (by === "callback" && on === this.read()) this.trouble = { aside, evidence, on: next }
    else this.trouble = aside.length === 0 ? undefined : { aside, evidence: undefined, on: next }
    return next
  }

  protected taken(): Taken<S> {
    const snapshot = this.read()
    if (snapshot === undefined) return nothing
    const { trouble } = this
    if (trouble?.evidence === undefined || trouble.on !== snapshot) {
      const { seq, state } = snapshot
      return {
        decision: { _tag: "Restore", snapshot: { seq, state, trusted: this.trusted === snapshot } },
        aside: noneAside
      }
    }
    const { aside, books, decision } = Recovery.decide(this.books(snapshot), this.policy)
    this.trouble = { evidence: books.evidence, aside: books.aside, on: snapshot }
    if (books.kept[0]?.seq !== snapshot.seq) {
      this.forgetNewest()
      this.answers?.rollBack(this.previous?.seq ?? 0)
      if (this.previous !== undefined) this.put(this.trusted = this.previous)
    }
    return { decision, aside }
  }

  observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void {
    const snapshot = this.read()
    if (snapshot === undefined) return
    if (end.handled) {
      if (snapshot.seq === end.restored) this.trusted = snapshot
      return
    }
    const activity = Recovery.activityOf(reason, end.activity)
    if (activity._tag === "Outside" || this.trusted === snapshot) return
    const books = Recovery.observe(this.books(snapshot), { ...end, activity, on: snapshot.seq })
    this.trouble = { evidence: books.evidence, aside: books.aside, on: snapshot }
  }

  private books(snapshot: Snapshot<S>): Generations.Generations<S> {
    const newest = { seq: snapshot.seq, state: snapshot.state, trusted: this.trusted === snapshot }
    const { previous, trouble } = this
    return {
      limit: 2,
      kept: previous === undefined ? [newest] : [newest, { seq: previous.seq, state: previous.state, trusted: true }],
      aside: trouble?.aside ?? [],
      evidence: trouble?.on === snapshot ? trouble.evidence : undefined
    }
  }

  protected abstract forgetNewest(): void

  forget(): void {
    this.previous = undefined
    this.trusted = undefined
    this.trouble = undefined
    this.answers = undefined
    this.forgetNewest()
  }

  get aside(): Effect.Effect<ReadonlyArray<Generations.Aside<unknown>>> {
    return Effect.sync(() => this.trouble?.aside ?? [])
  }
}

/** Keeps every commit in a `Ref`. */
export class InMemory<in out S> extends Volatile<S> {
  /** Made with the first commit: most of a million servers are waiting for their first message. */
  private ref: Ref.Ref<Snapshot<S> | undefined> | undefined = undefined

  protected read(): Snapshot<S> | undefined {
    return this.ref?.ref.current
  }

  protected put(snapshot: Snapshot<S>): void {
    if (this.ref === undefined) this.ref = Ref.makeUnsafe<Snapshot<S> | undefined>(snapshot)
    else this.ref.ref.current = snapshot
  }

  protected forgetNewest(): void {
    this.ref = undefined
  }
}

/** Keeps nothing: the next incarnation starts from `init` (OTP's default). Still fences, and still has an owner. */
export class Forgetful<in out S> extends Immediate<S> {
  protected get limits(): undefined {
    return undefined
  }

  get isSpare(): boolean {
    return true
  }

  override recorded(_id: string): undefined {
    return undefined
  }

  protected read(): undefined {
    return undefined
  }

  protected write(_snapshot: Snapshot<S>): void {}

  protected taken(): Taken<S> {
    return nothing
  }

  observe(_reason: ExitReason, _end: Omit<Recovery.Crash, "on">): void {}

  forget(): void {}

  get aside(): Effect.Effect<ReadonlyArray<Generations.Aside<unknown>>> {
    return Effect.succeed([])
  }
}

interface Pending<out S> {
  readonly incarnation: number
  readonly state: S
  /** What it came of; a message, if one was handled for any part of it. */
  readonly by: Origin
  readonly answers: ReadonlyArray<NewAnswer>
}

/**
 * Conserves late: at intervals, or with the last word of an incarnation only.
 *
 * *Tricky*
 * - A new incarnation that takes over gets what is pending when it was only waiting for its interval, and never when it
 *   needed a last word that was not spoken. So does one that takes over from an incarnation that was abandoned: what that
 *   one had committed until then counts.
 * - What is pending is written as one commit, of whatever it came of: a commit more, or one that claims that a message was
 *   handled, would make a state that crashes everybody the last good one.
 */
export class Delayed<in out S> implements Keeper<S> {
  private readonly kept: Keeper<S>
  private readonly needsLastWord: boolean
  /** Those that have something pending; the container flushes them at its intervals. */
  private readonly late: Set<Delayed<S>>
  private pending: Pending<S> | undefined = undefined
  private fence = 0

  constructor(kept: Keeper<S>, needsLastWord: boolean, late: Set<Delayed<S>>) {
    this.kept = kept
    this.needsLastWord = needsLastWord
    this.late = late
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
    this.pending = undefined
    this.fence = Math.max(this.fence, incarnation)
    return this.kept.takeOver(incarnation)
  }

  fenceOff(incarnation: number): void {
    if (!this.needsLastWord) this.flush()
    this.fence = Math.max(this.fence, incarnation + 1)
    this.kept.fenceOff(incarnation)
  }

  commit(incarnation: number, state: S, by: Origin, answers: ReadonlyArray<NewAnswer> = []): boolean {
    if (incarnation < this.fence) return false
    const { pending } = this
    if (pending === undefined) {
      if (!this.needsLastWord) this.late.add(this)
      this.pending = { incarnation, state, by, answers }
    } else {
      this.pending = {
        incarnation,
        state,
        by: by === "callback" || isHandled(pending.by) ? pending.by : by,
        answers: [...pending.answers, ...answers]
      }
    }
    return true
  }

  recorded(id: string): RecordedAnswer | undefined {
    const pending = this.pending?.answers.find((answer) => answer.id === id)
    return pending === undefined ? this.kept.recorded(id) : { ...pending, seq: 0 }
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
    const pending = this.pending
    this.pending = undefined
    if (pending === undefined) return
    const { answers, by, incarnation, state } = pending
    this.kept.commit(incarnation, state, by, answers.length === 0 ? undefined : answers)
  }

  forget(): void {
    this.pending = undefined
    this.kept.forget()
  }

  get get(): Effect.Effect<Option.Option<S>> {
    return this.kept.get
  }

  // Newer than what is pending, which must not be written over it.
  set(state: S): Effect.Effect<void> {
    return Effect.andThen(Effect.sync(() => (this.pending = undefined)), this.kept.set(state))
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
