/**
 * The short way of a commit: a `Ref` whose books lie in the fields of its `MutableRef`, where a message's commit writes them.
 *
 * What is read from the `Ref` is a record of its own, which no later commit changes: it is a `Ref` like any other, and a
 * companion over any other goes the plain way (`RefCompanion`). `test/layers/state/cell/Overwritten.test.ts` holds the two
 * equal. To understand companions, skip this file.
 *
 * *Tricky*: a fresh record for each message takes 80 bytes, and V8 notes down each young object that an old one is given. The
 * two take twice the time of all the rest of a commit.
 *
 * @since 0.1.0
 */
import { MutableRef, Ref } from "effect"
import type * as Generations from "../../../domain/state/Generations.ts"
import { isSame } from "../../../domain/state/Snapshot.ts"

type Books<S> = Generations.Generations<S>

/** Books, taken apart. */
class Overwritten<in out S> {
  /** The number of the newest snapshot; 0 while there are no books. */
  seq = 0
  private state: S | undefined = undefined
  private incarnation = 0
  private trust: Generations.Trust = "probation"
  private goodSeq = 0
  private goodState: S | undefined = undefined
  private goodIncarnation = 0

  get current(): Books<S> {
    const { goodIncarnation, goodSeq, goodState, incarnation, seq, state, trust } = this
    // With a number there is a state, which may be `undefined` itself.
    return seq === 0
      ? undefined
      : { state: state as S, seq, incarnation, trust, goodSeq, goodState, goodIncarnation }
  }

  set current(books: Books<S>) {
    this.seq = books?.seq ?? 0
    this.state = books?.state
    this.incarnation = books?.incarnation ?? 0
    this.trust = books?.trust ?? "probation"
    this.goodSeq = books?.goodSeq ?? 0
    this.goodState = books?.goodState
    this.goodIncarnation = books?.goodIncarnation ?? 0
  }

  /**
   * A message was handled from the newest snapshot, and came to this state: what `Generations.unchanged` makes of the books
   * when it is the same, and `Generations.commit` otherwise.
   */
  handled(state: S, seq: number, incarnation: number): void {
    if (isSame(state, this.state)) {
      this.trust = "trusted"
      return
    }
    this.goodSeq = this.seq
    this.goodState = this.state
    this.goodIncarnation = this.incarnation
    this.seq = seq
    this.state = state
    this.incarnation = incarnation
    this.trust = "probation"
  }
}

// A `MutableRef` by its prototype, too: it shows itself as one, and is piped as one.
Object.setPrototypeOf(Overwritten.prototype, Object.getPrototypeOf(MutableRef.make(undefined)))

/** Makes such a `Ref`, without books. */
export const make = <S>(): Ref.Ref<Books<S>> =>
  Object.assign(Ref.makeUnsafe<Books<S>>(undefined), {
    ref: new Overwritten<S>() as MutableRef.MutableRef<Books<S>> & Overwritten<S>
  })

/** Whether it is of such a `Ref`. Asked by a method: V8 takes that in, and walks up the prototypes for `instanceof`. */
export const isOverwritten = <S>(
  ref: MutableRef.MutableRef<Books<S>>
): ref is MutableRef.MutableRef<Books<S>> & Overwritten<S> => (ref as Partial<Overwritten<S>>).handled !== undefined
