/**
 * The removal of one companion's snapshots from its store, and those who wait for it.
 *
 * *Tricky*: what is committed after a removal is written after it. So one that has not come to its end will do for
 * another: a store that is away is asked once, however often a state was set and cleared meanwhile.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import { bounded } from "../../../domain/text/ForeignCause.ts"
import { safely } from "../../observation/SafeLog.ts"
import type { Done, Unsaved } from "../store/WriteQueue.ts"
import type { Claim } from "./Claim.ts"
import type { Outbox } from "./Outbox.ts"
import type { Session } from "./StoreSession.ts"

/** A removal on its way: the commits that it undoes, and what follows for those who wanted it. */
interface Removal {
  upTo: number
  readonly waiting: Set<Done>
}

/** What follows a removal that no one waits for: that it failed is in the log. */
export const reported = (key: string): Done => (exit) =>
  exit._tag === "Success"
    ? Effect.void
    : safely(Effect.logError(`the stored snapshots of "${key}" were not removed`, bounded(exit.cause)))

/** The removal of one companion's snapshots. */
export class Removals<in out S> {
  private readonly session: Session<S>
  private readonly outbox: Outbox
  private readonly key: string
  private readonly claim: Claim
  private pending: Removal | undefined = undefined

  constructor(session: Session<S>, outbox: Outbox, key: string, claim: Claim) {
    this.session = session
    this.outbox = outbox
    this.key = key
    this.claim = claim
  }

  /** Has all removed that `one` has committed by now; what this returns lets go of the removal. */
  begin(one: Unsaved, done: Done): () => void {
    const { session: { queue } } = this
    queue.cancel(one)
    const removal = this.pending ?? this.ask()
    removal.upTo = this.outbox.lastSeq
    removal.waiting.add(done)
    return () => void removal.waiting.delete(done)
  }

  private ask(): Removal {
    const { claim, outbox, session: { queue, store } } = this
    const removal: Removal = this.pending = { upTo: 0, waiting: new Set() }
    outbox.removalBegun()
    // The writer asks again while the store is away.
    const removed = Effect.andThen(claim.held, Effect.suspend(() => store.remove([this.key], claim.epoch)))
    queue.run(removed, (exit) =>
      Effect.suspend(() => {
        this.pending = undefined
        outbox.removalEnded()
        outbox.release(removal.upTo, (answer) =>
          exit._tag === "Success" ? answer.stored() : answer.lost({ _tag: "NotConserved", cause: exit.cause }))
        outbox.settle()
        return Effect.forEach(removal.waiting, (done) =>
          done(exit), { discard: true })
      }))
    return removal
  }
}
