/**
 * What a new incarnation starts from when its snapshots are in a store: `Recovery`, with snapshots that must be read
 * first.
 *
 * A snapshot that this code cannot read is not replaced: nothing is started, and nothing set aside, not even a suspect
 * that would give way to it. Where it is to give way (`onUnreadable: "init"`), it does so like a suspect: the one
 * before is decided on and read in turn, until one of them can be used or none is left. One that its store found
 * damaged gives way to the one before, trusted or not: rot is no evidence against a state.
 *
 * @since 0.1.0
 */
import { Array, Order } from "effect"
import * as Generations from "../Generations.ts"
import * as Recovery from "../Recovery.ts"
import { explain, type Reading, type Unreadable } from "../StateSchema.ts"

/** A snapshot as a store holds it. */
export interface Stored {
  readonly seq: number
  /** The session that wrote it. */
  readonly epoch: number
  /** Every snapshot up to this number was trusted when it was written (0: none). */
  readonly trusted: number
  /** Why it is not what was written, where that is so. */
  readonly damaged?: string | undefined
}

/**
 * The number up to which stored snapshots are trusted.
 *
 * A store writes each snapshot once, before it can be known whether it is any good. What became known since is in the
 * younger ones: each says up to which number snapshots were trusted when it was written.
 */
export const trustedUpTo = (records: ReadonlyArray<Stored>): number =>
  records.reduce((upTo, { trusted }) => Math.max(upTo, trusted), 0)

const newestFirst = Order.flip(Order.mapInput(Order.Number, ({ seq }: Stored) => seq))

/** The books of stored snapshots, of which those up to a number are trusted. */
export const booksOf = <R extends Stored>(
  records: ReadonlyArray<R>,
  upTo = trustedUpTo(records)
): Generations.Generations<R> => {
  const [newest, ...older] = Array.sort(records, newestFirst).map((state) => ({
    state,
    seq: state.seq,
    incarnation: state.epoch
  }))
  if (newest === undefined) return undefined
  return Generations.make(newest, newest.seq <= upTo ? "trusted" : "probation", older.find(({ seq }) => seq <= upTo))
}

/** Those on probation between a suspect and the snapshot that takes its place, newest first. */
const skipped = <R extends Stored>(
  records: ReadonlyArray<R>,
  suspect: Generations.Aside<R>,
  last: number
): ReadonlyArray<Generations.Aside<R>> => {
  const why = `never trusted, and snapshot ${suspect.seq}, which came out of it, was set aside: ${suspect.why}`
  const between = records.filter(({ seq }) => seq > last && seq < suspect.seq)
  return Array.sort(between, newestFirst).map((state) => ({ seq: state.seq, state, why }))
}

/**
 * Not to start: snapshot `seq` would be started from, and cannot be read. `before`: why it, if it is not the newest.
 */
export interface NotRead {
  readonly _tag: "NotRead"
  readonly seq: number
  readonly unreadable: Unreadable
  readonly before: string | undefined
}

/** A decision about stored snapshots `R` of states `S`, the books after it, and what the store has to set aside. */
export interface Judgement<R, S> {
  readonly decision: Recovery.Decision<S>
  /** What is started from, if it is a snapshot. */
  readonly from: Recovery.Start<S> | undefined
  readonly books: Generations.Generations<R>
  readonly aside: ReadonlyArray<Generations.Aside<R>>
}

/**
 * Decides what the next incarnation starts from, and reads it, in the steps that reading takes.
 *
 * **Details**
 *
 * `known` are the books in memory: the evidence in them counts if they are about the newest stored snapshot. Only
 * snapshots that might be started from are read. With the newest one are set aside those on probation between it and
 * the one that takes its place: they would otherwise pass for ancestors of the next commit. However many are set aside,
 * it is one rollback: from the newest snapshot there was to the one that is started from, with all the reasons in
 * order. Damaged ones are set aside first, wherever they lie; with `onSuspect: "refuse"` a damaged newest one is
 * refused like any suspect.
 *
 * @since 0.1.0
 */
export const judge = function*<R extends Stored, S>(
  records: ReadonlyArray<R>,
  known: Generations.Generations<S>,
  read: (stored: R) => Reading<S>,
  policy: Recovery.Policy | undefined
): Generator<void, Judgement<R, S> | NotRead> {
  const upTo = trustedUpTo(records)
  const newest = records.reduce((seq, one) => Math.max(seq, one.seq), 0)
  const aside: Array<Generations.Aside<R>> = Array.sort(records, newestFirst).flatMap((state) =>
    state.damaged === undefined ? [] : [{ seq: state.seq, state, why: state.damaged }]
  )
  let rest = aside.length === 0 ? records : records.filter((one) => one.damaged === undefined)
  const before = booksOf(rest, upTo)
  const refused = policy?.onSuspect === "refuse" ? aside[0] : undefined
  if (refused?.seq === newest && refused !== undefined) {
    return { decision: { _tag: "Refuse", from: newest, why: refused.why }, from: undefined, books: before, aside: [] }
  }
  const evidence = known?.seq === before?.seq ? Generations.evidenceAgainst(known) : undefined
  let outcome = Recovery.decide(before && evidence ? { ...before, trust: evidence } : before, policy)
  for (;;) {
    const { decision } = outcome
    let { books } = outcome
    for (const suspect of outcome.aside) {
      const last = books?.seq ?? 0
      aside.push(suspect, ...skipped(rest, suspect, last))
      rest = rest.filter(({ seq }) => seq <= last)
      books = booksOf(rest, upTo)
    }
    const reasons = (upTo: number) => aside.flatMap((one) => one.seq > upTo ? [one.why] : []).join("; ")
    switch (decision._tag) {
      case "Refuse":
      case "GiveUp":
        return { decision, from: undefined, books, aside }
      case "Init":
        return {
          decision: newest === 0 ? decision : { ...decision, from: newest, why: reasons(0) },
          from: undefined,
          books,
          aside
        }
      case "Restore":
      case "RollBack": {
        const chosen = decision._tag === "Restore" ? decision.snapshot : decision.to
        const found = yield* read(chosen.state)
        if (found._tag === "Decoded") {
          const from = { ...chosen, state: found.state }
          return {
            decision: from.seq === newest
              ? { _tag: "Restore", snapshot: from }
              : { _tag: "RollBack", from: newest, to: from, why: reasons(from.seq) },
            from,
            books,
            aside
          }
        }
        if (policy?.onUnreadable !== "init") {
          const before = aside.length === 0 ? undefined : reasons(chosen.seq)
          return { _tag: "NotRead", seq: chosen.seq, unreadable: found, before }
        }
        outcome = Recovery.unreadable(books, explain(found))
      }
    }
  }
}
