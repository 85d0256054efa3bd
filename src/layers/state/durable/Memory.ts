/**
 * What the memory of a durable companion knows of the state that its store keeps.
 *
 * @since 0.1.0
 */
import * as Generations from "../../../domain/state/Generations.ts"
import type * as Recovery from "../../../domain/state/Recovery.ts"
import { nothing, type Origin, type Taken } from "../companion/Companion.ts"

/**
 * `Unread`: nothing, the store has to be asked. `Here`: the newest snapshot, or that there is none. `Fresh`: there is
 * none, and this is what `init` has made, which is stored with its first change. `Away`: the server has let go of the
 * state, and the store has it under this number.
 */
export type Memory<S> =
  | { readonly _tag: "Unread" }
  | { readonly _tag: "Here"; readonly newest: Generations.Generations<S> }
  | Fresh<S>
  | { readonly _tag: "Away"; readonly seq: number }

/** What `init` has made, while nothing of it was changed. */
export interface Fresh<out S> {
  readonly _tag: "Fresh"
  readonly state: S
  /** Whether a message was answered from it: the next incarnation goes on with it then. */
  readonly isKept: boolean
}

export const unread: Memory<never> = { _tag: "Unread" }

/** A snapshot, or that there is none. */
export const here = <S>(newest: Generations.Generations<S>): Memory<S> => ({ _tag: "Here", newest })

/** Whether the store need not be asked what there is. */
export const isKnown = (memory: Memory<unknown>): boolean => memory._tag === "Here" || memory._tag === "Fresh"

/** The newest snapshot in memory. */
export const newestOf = <S>(memory: Memory<S>): Generations.Generations<S> =>
  memory._tag === "Here" ? memory.newest : undefined

/** The number of the newest snapshot; 0 while there is none. */
export const seqOf = (memory: Memory<unknown>): number =>
  memory._tag === "Away" ? memory.seq : newestOf(memory)?.seq ?? 0

/** `init` has made a state. */
export const begun = <S>(memory: Memory<S>, state: S): Memory<S> => {
  const isFresh = memory._tag === "Fresh" || (memory._tag === "Here" && memory.newest === undefined)
  return isFresh ? { _tag: "Fresh", state, isKept: false } : memory
}

/**
 * The memory after a commit that changes nothing, and is not to be stored; `undefined` when there is something to
 * store.
 */
export const unchanged = <S>(memory: Memory<S>, state: S, by: Origin): Memory<S> | undefined => {
  switch (memory._tag) {
    case "Here":
      return memory.newest !== undefined && Object.is(state, memory.newest.state)
        ? here(Generations.unchanged(memory.newest, by))
        : undefined
    case "Fresh":
      if (by === "person" || !Object.is(state, memory.state)) return undefined
      return memory.isKept ? memory : { ...memory, isKept: true }
    default:
      return undefined
  }
}

/**
 * What a new incarnation starts from that finds a state of `init`'s: from that one, if a message was answered from it.
 * The state survives the crash of its server as one in memory does, so `init` is not run again in this process.
 */
export const takenOver = <S>({ isKept, state }: Fresh<S>, incarnation: number): Taken<S> =>
  isKept
    ? {
      decision: { _tag: "Restore", snapshot: { seq: 0, state, incarnation, trusted: false } },
      aside: nothing.aside
    }
    : nothing

/** The memory after an incarnation ended on a state of `init`'s: one that a callback crashed on is made anew. */
export const afterEnd = <S>(memory: Fresh<S>, { _tag }: Recovery.Activity): Memory<S> =>
  _tag === "InCallback" ? here(undefined) : memory
