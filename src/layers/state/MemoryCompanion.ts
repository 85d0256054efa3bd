/**
 * Companions that lose nothing but with the process: in memory a `Ref`, and with `InTable` a row of a table.
 *
 * What is committed is conserved, and judged when somebody crashes on it. Where the newest snapshot is kept is all that is
 * left to the two kinds. What has to outlive the process is not for these: see `Durable`.
 *
 * *Tricky*: a state that crashes whoever starts from it must not be restored for ever (`Recovery`). Books of snapshots would
 * cost more than the commit itself, so a companion keeps just two: the newest, and the newest that a message was handled
 * from. The books are opened when something speaks against a snapshot, and not before.
 *
 * @since 0.1.0
 */
import { Effect, Ref } from "effect"
import type { ExitReason } from "../../domain/server/ExitReason.ts"
import type { Limits, NewAnswer } from "../../domain/server/Idempotency.ts"
import type * as Generations from "../../domain/state/Generations.ts"
import * as Recovery from "../../domain/state/Recovery.ts"
import { accept, type Snapshot } from "../../domain/state/Snapshot.ts"
import { isHandled, nothing, type Origin, type Policy, type Taken } from "./Companion.ts"
import { Immediate } from "./FencedCompanion.ts"

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
  protected trusted: Snapshot<S> | undefined = undefined
  /** The newest older snapshot that one was handled from. */
  protected previous: Snapshot<S> | undefined = undefined
  protected trouble: Trouble<S> | undefined = undefined
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
        aside: nothing.aside
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

  // What nearly every commit is, in one function: every message pays for it, and V8 takes a longer chain of calls in on some
  // days only. A test holds it equal to the rule above, by which companions in a table go.
  override commit(incarnation: number, state: S, by: Origin, answers?: ReadonlyArray<NewAnswer>): boolean {
    const cell = this.ref?.ref
    const before = cell?.current
    if (
      cell === undefined || before === undefined || answers !== undefined || this.trouble !== undefined ||
      incarnation < this.fence || by === "callback" || by === "person"
    ) {
      return super.commit(incarnation, state, by, answers)
    }
    if (Object.is(state, before.state)) this.trusted = before
    else {
      this.previous = before
      this.trusted = undefined
      cell.current = accept(before, this.fence, incarnation, state)
    }
    return true
  }

  protected put(snapshot: Snapshot<S>): void {
    if (this.ref === undefined) this.ref = Ref.makeUnsafe<Snapshot<S> | undefined>(snapshot)
    else this.ref.ref.current = snapshot
  }

  protected forgetNewest(): void {
    this.ref = undefined
  }
}
