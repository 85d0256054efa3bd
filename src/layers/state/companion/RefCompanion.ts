/**
 * A companion whose snapshots are the value of a `Ref`: in memory, or a row of a table.
 *
 * It is the plain rule: a commit from above the fence (`Snapshot.isAccepted`) is the newest snapshot (`Generations`), a
 * crash is evidence against it, and a new incarnation starts from what `Recovery` decides. Two snapshots are kept: the
 * newest, and the newest trusted one before it. What has to outlive the process is not for this: see `Durable`.
 *
 * *Tricky*: there may be a million of these. Nearly all have nothing set aside and no answers on record, so they share
 * one `Rest` until they have.
 *
 * @since 0.1.0
 */
import { Effect, Option, Ref } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { RecordedAnswer } from "../../../domain/state/Answers.ts"
import * as Generations from "../../../domain/state/Generations.ts"
import * as Recovery from "../../../domain/state/Recovery.ts"
import { isAccepted, isSame, type Snapshot } from "../../../domain/state/Snapshot.ts"
import * as Timers from "../../../domain/state/Timers.ts"
import { AnswerBook } from "./AnswerBook.ts"
import type { Besides, Latest, Origin, Policy, Taken } from "./Companion.ts"
import { SyncCompanion } from "./SyncCompanion.ts"

/** What few companions have, beside the policy that those of one class share. */
export interface Rest<out S> {
  readonly policy: Policy | undefined
  readonly aside: ReadonlyArray<Generations.Aside<S>>
  readonly answers: AnswerBook | undefined
  /** Those set with each snapshot, newest first; absent when none was ever set. */
  readonly timers: ReadonlyArray<Timers.Row> | undefined
  /** Where they are found when they are due, by key; absent where none can be set. */
  readonly due: { set(key: string, timers: Timers.Timers): void } | undefined
}

/** What the companions of a class share as long as they have nothing else. */
export const restOf = (policy: Policy | undefined, due?: Rest<never>["due"]): Rest<never> => ({
  policy,
  aside: [],
  answers: undefined,
  timers: undefined,
  due
})

/** The snapshots of one server, in a `Ref`. */
export interface Cell<S> extends Ref.Ref<Generations.Generations<S>> {
  /** The highest number of those that were in it and were taken out: no number is given twice. */
  lastTaken?: number
}

/** The number of the next snapshot in a cell. */
export const nextSeq = <S>({ lastTaken, ref: { current } }: Cell<S>): number => {
  const last = current === undefined ? 0 : current.seq
  return (lastTaken !== undefined && lastTaken > last ? lastTaken : last) + 1
}

/** Empties a cell. */
export const empty = <S>(cell: Cell<S>): void => {
  if (cell.ref.current === undefined) return
  cell.lastTaken = nextSeq(cell) - 1
  cell.ref.current = undefined
}

/** A companion whose snapshots are the value of a `Ref`. */
export class RefCompanion<in out S> extends SyncCompanion<S> {
  private readonly cell: Cell<S>
  private rest: Rest<S>

  constructor(key: string, rest: Rest<S>, cell: Cell<S> = Ref.makeUnsafe<Generations.Generations<S>>(undefined)) {
    super(key)
    this.cell = cell
    this.rest = rest
  }

  commit(incarnation: number, state: S, by: Origin, besides?: Besides): boolean {
    if (!isAccepted(this.fence, incarnation)) return false
    const { ref } = this.cell
    const before = ref.current
    // A handler that answers with the state it was given has made no other one, unless something is recorded with it.
    if (before !== undefined && besides === undefined && isSame(state, before.state)) {
      ref.current = Generations.unchanged(before, by)
      return true
    }
    const seq = nextSeq(this.cell)
    ref.current = Generations.commit(before, { state, seq, incarnation }, by)
    if (besides !== undefined) this.record(besides, seq)
    return true
  }

  observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void {
    if (Recovery.saysNothing(end)) return
    const before = Ref.getUnsafe(this.cell)
    if (before === undefined) return
    const { handled, restored } = end
    const activity = handled ? end.activity : Recovery.activityOf(reason, end.activity)
    const after = Recovery.observe(before, { restored, handled, activity, on: before.seq })
    if (after !== before) this.put(after)
  }

  protected taken(): Taken<S> {
    const before = Ref.getUnsafe(this.cell)
    const { aside, books, decision } = Recovery.decide(before, this.rest.policy)
    if (aside.length > 0) {
      this.cell.lastTaken = nextSeq(this.cell) - 1
      this.rest.answers?.rollBack(books?.seq ?? 0)
      const timers = Timers.upTo(this.rest.timers, books?.seq ?? 0)
      this.rest = { ...this.rest, aside: [...this.rest.aside, ...aside], timers }
      if (timers !== undefined) this.rest.due?.set(this.key, this.timers)
    }
    if (books !== before) this.put(books)
    return { decision, aside }
  }

  recorded(id: string): RecordedAnswer | undefined {
    return this.rest.answers?.find(id)
  }

  forget(): void {
    empty(this.cell)
    if (this.rest.timers !== undefined) this.rest.due?.set(this.key, Timers.none)
    this.rest = restOf(this.rest.policy, this.rest.due)
  }

  get timers(): Timers.Timers {
    return this.rest.timers?.[0]?.timers ?? Timers.none
  }

  get noTimers(): string | undefined {
    return this.rest.due === undefined ? "nothing delivers them" : undefined
  }

  get seq(): number {
    return Ref.getUnsafe(this.cell)?.seq ?? 0
  }

  get latest(): Latest {
    const books = Ref.getUnsafe(this.cell)
    return { books, isConserved: books !== undefined, isPending: false, stored: this.seq, held: 0 }
  }

  get isSpare(): boolean {
    return Ref.getUnsafe(this.cell) === undefined && this.rest.aside.length === 0
  }

  get get(): Effect.Effect<Option.Option<S>> {
    return Effect.map(Ref.get(this.cell), (newest) => newest === undefined ? Option.none() : Option.some(newest.state))
  }

  get snapshots(): Effect.Effect<ReadonlyArray<Snapshot<S>>> {
    return Effect.map(Ref.get(this.cell), (newest) => newest === undefined ? [] : [snapshotOf(newest)])
  }

  get aside(): Effect.Effect<ReadonlyArray<Generations.Aside<unknown>>> {
    return Effect.sync(() => this.rest.aside)
  }

  // What `Ref.set` does: commits come from the middle of a turn, where no Effect is run.
  private put(next: Generations.Generations<S>): void {
    this.cell.ref.current = next
  }

  private record({ answers, timers }: Besides, seq: number): void {
    if (answers !== undefined) {
      const book = this.rest.answers ?? new AnswerBook(this.rest.policy?.answers)
      if (this.rest.answers === undefined) this.rest = { ...this.rest, answers: book }
      for (const answer of answers) book.record(answer, seq)
    }
    if (timers === undefined) return
    const oldest = Ref.getUnsafe(this.cell)?.goodSeq || seq
    this.rest = { ...this.rest, timers: Timers.recorded(this.rest.timers, seq, timers, oldest) }
    this.rest.due?.set(this.key, timers)
  }
}

const snapshotOf = <S>({ incarnation, seq, state }: Snapshot<S>): Snapshot<S> => ({ state, seq, incarnation })
