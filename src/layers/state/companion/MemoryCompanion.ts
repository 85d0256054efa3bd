/**
 * Companions that lose nothing but with the process: in memory, and with `InTable` in a row of a table.
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
import { Effect } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Limits, NewAnswer } from "../../../domain/state/Answers.ts"
import type * as Generations from "../../../domain/state/Generations.ts"
import * as Recovery from "../../../domain/state/Recovery.ts"
import { accept, type Snapshot } from "../../../domain/state/Snapshot.ts"
import type { AnswerBook } from "./AnswerBook.ts"
import { isHandled, nothing, type Origin, type Policy, type Taken } from "./Companion.ts"
import { Immediate } from "./FencedCompanion.ts"

/** What speaks against the newest snapshot, and what was set aside before. */
export interface Trouble<out S> {
  readonly evidence: Generations.Evidence | undefined
  /** What the evidence is about: somebody else may have replaced it since. */
  readonly on: Snapshot<S>
  readonly aside: ReadonlyArray<Generations.Aside<S>>
}

/** Companions that lose nothing but with the process: what is committed is conserved. */
export abstract class Volatile<in out S> extends Immediate<S> {
  /** Whether the newest snapshot is trusted: a message was handled from it. */
  protected abstract isTrusted: boolean
  /** The newest older snapshot that one was handled from. */
  protected abstract previous: Snapshot<S> | undefined
  protected abstract trouble: Trouble<S> | undefined
  protected abstract readonly policy: Policy | undefined

  protected get limits(): Limits | undefined {
    return this.policy?.answers
  }

  protected abstract put(snapshot: Snapshot<S>): void
  /** Whether a snapshot is the newest still. */
  protected abstract isNewest(snapshot: Snapshot<S>): boolean

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
      if (isHandled(by)) this.isTrusted = true
      if (by !== "callback" && this.trouble !== undefined) this.trouble = { ...this.trouble, evidence: undefined }
      return true
    }
    this.write(accept(before, this.fence, incarnation, state)!, by, before)
    return true
  }

  protected write(snapshot: Snapshot<S>, by: Origin, before: Snapshot<S> | undefined): void {
    if (isHandled(by) || (before !== undefined && this.isTrusted)) this.previous = before
    this.isTrusted = false
    this.put(this.trouble === undefined ? snapshot : this.afterTrouble(snapshot, this.trouble, by))
  }

  /** The numbers of those set aside are not used again; what spoke against the snapshot before is moot, as a rule. */
  private afterTrouble(snapshot: Snapshot<S>, { aside, evidence, on }: Trouble<S>, by: Origin): Snapshot<S> {
    const last = aside.reduce((max, one) => Math.max(max, one.seq), 0)
    const next = snapshot.seq > last ? snapshot : { ...snapshot, seq: last + 1 }
    if (by === "callback" && this.isNewest(on)) this.trouble = { aside, evidence, on: next }
    else this.trouble = aside.length === 0 ? undefined : { aside, evidence: undefined, on: next }
    return next
  }

  protected taken(): Taken<S> {
    const snapshot = this.read()
    if (snapshot === undefined) return nothing
    const { trouble } = this
    if (trouble?.evidence === undefined || !this.isNewest(trouble.on)) {
      const { seq, state } = snapshot
      return {
        decision: { _tag: "Restore", snapshot: { seq, state, trusted: this.isTrusted } },
        aside: nothing.aside
      }
    }
    const { aside, books, decision } = Recovery.decide(this.books(snapshot), this.policy)
    this.trouble = { evidence: books.evidence, aside: books.aside, on: snapshot }
    if (books.kept[0]?.seq !== snapshot.seq) {
      this.forgetNewest()
      this.answers?.rollBack(this.previous?.seq ?? 0)
      if (this.previous !== undefined) {
        this.put(this.previous)
        this.isTrusted = true
      }
    }
    return { decision, aside }
  }

  observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void {
    const snapshot = this.read()
    if (snapshot === undefined) return
    if (end.handled) {
      if (snapshot.seq === end.restored) this.isTrusted = true
      return
    }
    const activity = Recovery.activityOf(reason, end.activity)
    if (activity._tag === "Outside" || this.isTrusted) return
    const books = Recovery.observe(this.books(snapshot), { ...end, activity, on: snapshot.seq })
    this.trouble = { evidence: books.evidence, aside: books.aside, on: snapshot }
  }

  private books(snapshot: Snapshot<S>): Generations.Generations<S> {
    const newest = { seq: snapshot.seq, state: snapshot.state, trusted: this.isTrusted }
    const { previous, trouble } = this
    return {
      limit: 2,
      kept: previous === undefined ? [newest] : [newest, { seq: previous.seq, state: previous.state, trusted: true }],
      aside: trouble?.aside ?? [],
      evidence: trouble !== undefined && this.isNewest(trouble.on) ? trouble.evidence : undefined
    }
  }

  protected abstract forgetNewest(): void

  forget(): void {
    this.previous = undefined
    this.isTrusted = false
    this.trouble = undefined
    this.answers = undefined
    this.forgetNewest()
  }

  get aside(): Effect.Effect<ReadonlyArray<Generations.Aside<unknown>>> {
    return Effect.sync(() => this.trouble?.aside ?? [])
  }
}

/** What most companions never have. */
class Rare<in out S> {
  readonly policy: Policy | undefined
  trouble: Trouble<S> | undefined = undefined
  answers: AnswerBook | undefined = undefined

  constructor(policy: Policy | undefined) {
    this.policy = policy
  }
}

/** Marks of a companion in memory. */
const trusted = 1
const troubled = 2

/**
 * Keeps every commit in a cell: the companion itself is it.
 *
 * Two snapshots lie in its fields, and are made into objects for whoever asks. So a commit writes a few fields and makes
 * nothing, and a server with its state conserved is small: there may be a million of them.
 */
export class InMemory<in out S> extends Volatile<S> {
  /** The newest snapshot; its number is 0 as long as there is none. */
  private seq = 0
  private state: S | undefined = undefined
  private incarnation = 0
  private previousSeq = 0
  private previousState: S | undefined = undefined
  private previousIncarnation = 0
  private marks = 0
  private rare: Policy | Rare<S> | undefined

  constructor(key: string, policy: Policy | undefined) {
    super(key)
    this.rare = policy
  }

  // What nearly every commit is, in one function: every message pays for it, and V8 takes a longer chain of calls in on some
  // days only. A test holds it equal to the rule above, by which companions in a table go.
  override commit(incarnation: number, state: S, by: Origin, answers?: ReadonlyArray<NewAnswer>): boolean {
    if (
      this.seq === 0 || this.marks >= troubled || answers !== undefined || incarnation < this.fence ||
      by === "callback" || by === "person"
    ) {
      return super.commit(incarnation, state, by, answers)
    }
    if (Object.is(state, this.state)) {
      this.marks = trusted
      return true
    }
    this.previousSeq = this.seq
    this.previousState = this.state
    this.previousIncarnation = this.incarnation
    this.marks = 0
    this.seq++
    this.state = state
    this.incarnation = incarnation
    return true
  }

  protected read(): Snapshot<S> | undefined {
    // With a number there is a state, which may be `undefined` itself.
    return this.seq === 0 ? undefined : { state: this.state as S, seq: this.seq, incarnation: this.incarnation }
  }

  protected put({ incarnation, seq, state }: Snapshot<S>): void {
    this.seq = seq
    this.state = state
    this.incarnation = incarnation
  }

  protected isNewest({ seq }: Snapshot<S>): boolean {
    return seq === this.seq
  }

  protected forgetNewest(): void {
    this.seq = 0
    this.state = undefined
    this.incarnation = 0
  }

  protected get previous(): Snapshot<S> | undefined {
    const { previousIncarnation: incarnation, previousSeq: seq, previousState: state } = this
    return seq === 0 ? undefined : { state: state as S, seq, incarnation }
  }

  protected set previous(previous: Snapshot<S> | undefined) {
    this.previousSeq = previous?.seq ?? 0
    this.previousState = previous?.state
    this.previousIncarnation = previous?.incarnation ?? 0
  }

  protected get isTrusted(): boolean {
    return (this.marks & trusted) !== 0
  }

  protected set isTrusted(isTrusted: boolean) {
    this.marks = isTrusted ? this.marks | trusted : this.marks & ~trusted
  }

  protected get policy(): Policy | undefined {
    return this.rare instanceof Rare ? this.rare.policy : this.rare
  }

  private get own(): Rare<S> {
    if (!(this.rare instanceof Rare)) this.rare = new Rare(this.rare)
    return this.rare
  }

  protected get trouble(): Trouble<S> | undefined {
    return this.rare instanceof Rare ? this.rare.trouble : undefined
  }

  protected set trouble(trouble: Trouble<S> | undefined) {
    if (trouble === this.trouble) return
    this.own.trouble = trouble
    this.marks = trouble === undefined ? this.marks & ~troubled : this.marks | troubled
  }

  protected get answers(): AnswerBook | undefined {
    return this.rare instanceof Rare ? this.rare.answers : undefined
  }

  protected set answers(answers: AnswerBook | undefined) {
    if (answers !== this.answers) this.own.answers = answers
  }
}
