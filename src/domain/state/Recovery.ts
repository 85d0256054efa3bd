/**
 * What a new incarnation starts from, after what happened to the ones before it.
 *
 * A snapshot becomes suspect only on evidence that the *state* is at fault: a callback crashed on it (`restore`,
 * `init`, `continueWith`, a migration), or it crashed on several *different* messages, each the first its incarnation
 * handled. Ends from outside (a kill, an interruption) and the same message again never count, and a snapshot from
 * which any message was handled is trusted for good. So a poisoned state gives way to the last good one, while one bad
 * call, made fifty times, costs nothing but its own answers.
 *
 * A rollback gives up acknowledged updates. That is why evidence from messages alone, which their handlers might be to
 * blame for, does not roll back unless it was asked for: the server gives up with a report and a person decides.
 *
 * @since 0.1.0
 */
import { Array, Cause, HashMap, Order } from "effect"
import { type ExitReason, toCause } from "../process/ExitReason.ts"
import * as Generations from "./Generations.ts"
import type { Snapshot } from "./Snapshot.ts"

/**
 * How to deal with suspects.
 *
 * `onSuspect` absent: roll back when a callback crashed on the state; give up with a report when only messages did.
 * `"rollback"`: roll back on either. `"refuse"`: never roll back, never start on a suspect.
 *
 * `onUnreadable` is about a state that cannot be read at all, which is no evidence that it is bad: what cannot be read
 * is not replaced. `"refuse"`, by default: no start, and nothing is set aside. `"init"`: it gives way to the one
 * before, or to `init`.
 */
export interface Policy {
  readonly onSuspect?: "rollback" | "refuse" | undefined
  readonly onUnreadable?: "refuse" | "init" | undefined
  /** How many different messages must crash before any is handled; 3 by default. */
  readonly messages?: number | undefined
}

/** Different messages that make a snapshot suspect, by default. */
export const defaultMessages = 3

/** What an incarnation was doing when it ended. */
export type Activity =
  /** Nothing that has to do with its state: killed, interrupted, not conserved, fenced off. */
  | { readonly _tag: "Outside" }
  /** A callback ran on the state. */
  | { readonly _tag: "InCallback"; readonly callback: Generations.Callback; readonly why: string }
  /** The handler of a message ran on the state. */
  | { readonly _tag: "InHandler"; readonly message: Generations.Message }

/** How an incarnation ended, as far as its state is concerned. */
export interface Crash {
  /** Sequence number of the snapshot it had started from; 0 when it started from `init`. */
  readonly restored: number
  /** Sequence number of the state it was working on. */
  readonly on: number
  /** Whether it had handled any message since it started. */
  readonly handled: boolean
  readonly activity: Activity
}

const outside: Activity = { _tag: "Outside" }

/**
 * Leaves of an activity only what can be held against the state: an incarnation that was killed or interrupted, or
 * whose state could not be stored, ended from outside whatever it was doing.
 */
export const activityOf = (reason: ExitReason, activity: Activity): Activity =>
  reason._tag !== "Crashed" || Cause.hasInterruptsOnly(toCause(reason)) ? outside : activity

/**
 * Records how an incarnation ended.
 *
 * **Details**
 *
 * Handling any message without committing (a typed failure, an answer of the same state) is as good as committing: the
 * snapshot is trusted. A crash on a state that is not the newest any more changes nothing. Answers the same books when
 * there is nothing to record.
 *
 * @since 0.1.0
 */
export const observe = <S>(books: Generations.Books<S>, crash: Crash): Generations.Books<S> => {
  if (books.seq !== crash.on) return books
  if (crash.handled) return crash.on === crash.restored ? Generations.handled(books) : books
  switch (crash.activity._tag) {
    case "Outside":
      return books
    case "InCallback":
      return Generations.recordCallbackCrash(books, crash.activity.callback, crash.activity.why)
    case "InHandler":
      return Generations.recordMessageCrash(books, crash.activity.message)
  }
}

/**
 * Whether an end says nothing of any snapshot, so that {@link observe} need not be asked: a message was handled, and
 * there is no snapshot that it was handled from; or nothing was done with the state.
 */
export const saysNothing = ({ activity, handled, restored }: Omit<Crash, "on">): boolean =>
  handled ? restored === 0 : activity._tag === "Outside"

/** The snapshot that a new incarnation starts from. */
export interface Start<out S> extends Snapshot<S> {
  /** A message was handled from it, or from one that came out of it. */
  readonly trusted: boolean
}

/** What the next incarnation starts from. */
export type Decision<S> =
  /** From `init`: nothing is conserved, or (with `from`) nothing that could be trusted. */
  | { readonly _tag: "Init"; readonly why: string; readonly from: number | undefined }
  /** From the newest snapshot. */
  | { readonly _tag: "Restore"; readonly snapshot: Start<S> }
  /** From the newest trusted one: `from - to.seq` updates are given up. */
  | { readonly _tag: "RollBack"; readonly from: number; readonly to: Start<S>; readonly why: string }
  /** From nothing: the policy is `"refuse"`. It stays so until the evidence is cleared. */
  | { readonly _tag: "Refuse"; readonly from: number; readonly why: string }
  /** From nothing: only a person can tell whether the state or the handlers are at fault. A later start tries anew. */
  | { readonly _tag: "GiveUp"; readonly from: number; readonly why: string }

/** A decision, the books after it, and the snapshot that it sets aside for good, if any. */
export interface Outcome<S> {
  readonly decision: Decision<S>
  readonly books: Generations.Generations<S>
  readonly aside: ReadonlyArray<Generations.Aside<S>>
}

const nothing: Outcome<never> = {
  decision: { _tag: "Init", why: "nothing is conserved", from: undefined },
  books: undefined,
  aside: []
}

const startOf = <S>({ incarnation, seq, state, trust }: Generations.Books<S>): Start<S> => ({
  seq,
  state,
  incarnation,
  trusted: trust === "trusted"
})

const unchanged = <S>(decision: Decision<S>, books: Generations.Books<S>): Outcome<S> => ({
  decision,
  books,
  aside: nothing.aside
})

const rollBack = <S>(suspect: Generations.Books<S>, why: string): Outcome<S> => {
  const books = Generations.setAside(suspect)
  const { seq: from, state } = suspect
  return {
    decision: books === undefined
      ? { _tag: "Init", why: `${why}; there is no older snapshot that is trusted`, from }
      : { _tag: "RollBack", from, to: startOf(books), why },
    books,
    aside: [{ seq: from, state, why }]
  }
}

const listed = (tags: Generations.Evidence["messages"]): string =>
  Array.sort(Array.dedupe(HashMap.values(tags)), Order.String).join(", ")

/**
 * Decides what the next incarnation starts from.
 *
 * **When to use**
 *
 * Before every start. Perform the decision, keep `books`, and have `aside` set aside in the store.
 *
 * **Example**
 *
 * ```text
 * const good = Generations.commit(undefined, { seq: 1, state: "good", incarnation: 1 }, "call")
 * const bad = Generations.commit(good, { seq: 2, state: "bad", incarnation: 1 }, "call")
 * const crash = { restored: 2, on: 2, handled: false, activity: { _tag: "InCallback", callback: "restore", why: "boom" } }
 * Recovery.decide(Recovery.observe(bad, crash)).decision
 * // => { _tag: "RollBack", from: 2, to: { seq: 1, state: "good", incarnation: 1, trusted: true }, why: "restore crashed …" }
 * ```
 *
 * @since 0.1.0
 */
export const decide = <S>(books: Generations.Generations<S>, policy: Policy = {}): Outcome<S> => {
  if (books === undefined) return nothing
  const evidence = Generations.evidenceAgainst(books)
  const crashed = evidence?.callbacks[0]
  const messages = evidence === undefined ? 0 : HashMap.size(evidence.messages)
  if (evidence === undefined || (crashed === undefined && messages < (policy.messages ?? defaultMessages))) {
    return unchanged({ _tag: "Restore", snapshot: startOf(books) }, books)
  }
  const from = books.seq
  const why = crashed === undefined
    ? `${messages} different messages (${listed(evidence.messages)}) crashed on snapshot ${from} before any was handled`
    : `${crashed.callback} crashed on snapshot ${from}: ${crashed.why}`
  if (policy.onSuspect === "refuse") return unchanged({ _tag: "Refuse", from, why }, books)
  if (crashed === undefined && policy.onSuspect !== "rollback") {
    return { decision: { _tag: "GiveUp", from, why }, books: Generations.clearEvidence(books), aside: [] }
  }
  return rollBack(books, why)
}

/**
 * Decides what to start from instead of the newest snapshot, because it cannot be read at all, and is to give way.
 *
 * Trust does not help here: a state that does not decode cannot be restored however good it was. It is set aside;
 * decide again when the next one cannot be read either.
 *
 * @since 0.1.0
 */
export const unreadable = <S>(books: Generations.Generations<S>, why: string): Outcome<S> =>
  books === undefined ? nothing : rollBack(books, `snapshot ${books.seq} cannot be read: ${why}`)
