/**
 * What a new incarnation starts from when its snapshots are in a store: `Recovery`, with snapshots that must be read first.
 *
 * A snapshot that cannot be read gives way like a suspect one, and the one it gives way to is decided on and read in turn,
 * until one of them will do or none is left.
 *
 * @since 0.1.0
 */
import type * as Generations from "../Generations.ts"
import * as Recovery from "../Recovery.ts"
import { type Decoded, explain, type Unreadable } from "../StateSchema.ts"

/** A decision about stored snapshots `R` of states `S`, the books after it, and what is to be set aside in the store. */
export interface Judgement<R, S> {
  readonly decision: Recovery.Decision<S>
  /** What is started from, if it is a snapshot. */
  readonly from: Generations.Generation<S> | undefined
  readonly books: Generations.Generations<R>
  readonly aside: ReadonlyArray<Generations.Aside<R>>
}

/**
 * Decides what the next incarnation starts from, and reads it.
 *
 * **Details**
 *
 * Only what might be started from is read. However many are set aside, it is one rollback: from the newest snapshot there was to
 * the one that is started from, with all the reasons in order.
 *
 * @since 0.1.0
 */
export const judge = <R, S>(
  before: Generations.Generations<R>,
  read: (stored: R) => Decoded<S> | Unreadable,
  policy: Recovery.Policy | undefined
): Judgement<R, S> => {
  const newest = before.kept[0]?.seq
  const aside: Array<Generations.Aside<R>> = []
  let outcome = Recovery.decide(before, policy)
  for (;;) {
    const { books, decision } = outcome
    aside.push(...outcome.aside)
    const why = aside.map((one) => one.why).join("; ")
    switch (decision._tag) {
      case "Refuse":
      case "GiveUp":
        return { decision, from: undefined, books, aside }
      case "Init":
        return {
          decision: newest === undefined ? decision : { ...decision, from: newest, why },
          from: undefined,
          books,
          aside
        }
      case "Restore":
      case "RollBack": {
        const { seq, state, trusted } = decision._tag === "Restore" ? decision.snapshot : decision.to
        const found = read(state)
        if (found._tag === "Decoded") {
          const from = { seq, state: found.state, trusted }
          return {
            decision: aside.length === 0
              ? { _tag: "Restore", snapshot: from }
              : { _tag: "RollBack", from: newest ?? seq, to: from, why },
            from,
            books,
            aside
          }
        }
        outcome = Recovery.unreadable(books, explain(found), policy)
      }
    }
  }
}
