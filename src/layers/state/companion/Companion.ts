/**
 * A companion keeps one server's committed state.
 *
 * It has two sides. `Conserved` is for any code: get, set, clear. `CompanionPort` is for the server's engine: take
 * over the state for a new incarnation, commit, record how an incarnation ended. No part of it runs in a fiber, so no
 * crash of any fiber can lose a state.
 *
 * These are the promises. `RefCompanion` keeps them in memory and in a table, `WriteBehindCompanion` late, `Durable` in
 * a store; `Forgetful` keeps nothing. One suite of tests holds every kind to them (`test/kit/CompanionContract.ts`).
 *
 * @since 0.1.0
 */
import type { Effect, Option } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Limits, NewAnswer, RecordedAnswer } from "../../../domain/state/Answers.ts"
import type { Aside, Generations, Origin } from "../../../domain/state/Generations.ts"
import type { Residency } from "../../../domain/state/Passivation.ts"
import type * as Recovery from "../../../domain/state/Recovery.ts"
import type { Snapshot } from "../../../domain/state/Snapshot.ts"
import type { StateUnreadable } from "../../../domain/state/stored/StateUnreadable.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Timers } from "../../../domain/state/Timers.ts"
import type { Process } from "../../process/Process.ts"

export { isHandled, type Origin } from "../../../domain/state/Generations.ts"

/** What is conserved of one server. */
export interface Conserved<in out S> {
  readonly key: string
  /**
   * The conserved state, if there is one. Over a store, one that this code cannot read is a defect (`StateUnreadable`).
   */
  readonly get: Effect.Effect<Option.Option<S>>
  /**
   * Replaces the conserved state. A server that is alive goes on with its own state: the next incarnation starts from
   * this one, unless the server commits before. One whose state has left memory (`hibernate`) has no own: it goes on
   * with this.
   */
  readonly set: (state: S) => Effect.Effect<void>
  /** Forgets the conserved state: the next incarnation starts from `init`. */
  readonly clear: Effect.Effect<void>
  /** The conserved snapshots, newest first, with sequence number and incarnation. */
  readonly snapshots: Effect.Effect<ReadonlyArray<Snapshot<S>>>
  /**
   * The snapshots that were set aside because they crashed the incarnations that started from them, or could not be
   * read; never deleted by themselves. A companion in memory has the states, a durable one their stored text.
   */
  readonly aside: Effect.Effect<ReadonlyArray<Aside<unknown>>>
}

/** What a new incarnation starts from, and the snapshots that were set aside for it. */
export interface Taken<out S> {
  readonly decision: Recovery.Decision<S>
  readonly aside: ReadonlyArray<{ readonly seq: number; readonly why: string }>
}

/** An answer that waits until the state it was computed from is stored. */
export interface Held {
  /** Whether it is no longer wanted: its caller has gone. */
  readonly isGone: boolean
  /** Whether it is none, but one who reads along. */
  readonly isReader?: true
  stored(): void
  lost(reason: ExitReason): void
}

/** What a commit brings beside the state. */
export interface Besides {
  /** Answers to be put on record. */
  readonly answers?: ReadonlyArray<NewAnswer> | undefined
  /** All timers that are set from now on, where that is a change. */
  readonly timers?: Timers | undefined
}

/** What a companion does about suspect states, and how many answers it keeps on record. */
export interface Policy extends Recovery.Policy {
  readonly answers?: Limits | undefined
}

/** What a companion knows of the newest commit without asking its store. */
export interface Latest {
  /** The incarnation that committed it, and how far it is trusted; absent while none is in memory. */
  readonly books: Generations<unknown>
  /** Whether it is where the companion keeps its states: in memory, in its table, in its store. */
  readonly isConserved: boolean
  /** Whether it is on its way there. */
  readonly isPending: boolean
  /** All commits up to this number are there. */
  readonly stored: number
  /** Answers that wait until what they were computed from is stored. */
  readonly held: number
  /** The store, and the key under which it has the state. */
  readonly store?: { readonly name: string; readonly key: string }
}

/** A companion, for its server's engine. */
export interface CompanionPort<in out S> extends Conserved<S> {
  /** The server this state belongs to, while it has one: a key has one owner at a time. */
  owner: Process | undefined
  /** The number of the youngest incarnation that may have had this state; 0 when none has. */
  readonly youngest: number
  /** The number of the newest snapshot that it conserves; 0 while there is none. */
  readonly seq: number
  /** What is known of the newest commit. */
  readonly latest: Latest
  /** Whether answers have to wait: the newest state is not stored yet. Always false in memory. */
  readonly isBehind: boolean
  /** Whether so much is waiting to be stored that the server has to wait, too: see {@link whenRoom}. */
  readonly isFull: boolean
  /** The last error of its store, while it is away: answers and loads are waiting for it. Always absent in memory. */
  readonly outage: StoreError | undefined
  /** Casts that the last failed write undid: their senders do not learn of it. */
  readonly undone: number
  /** A new incarnation takes over: older ones are fenced off, and it gets what to start from. */
  takeOver(incarnation: number): Taken<S> | Effect.Effect<Taken<S>, StoreError | StateUnreadable>
  /** Fences off an incarnation that was abandoned. */
  fenceOff(incarnation: number): void
  /** `init` has made this state: it is stored with its first change. */
  begun(state: S): void
  /**
   * Commits the state after a handled message, or after a callback, together with what there is beside it; false when
   * the incarnation is fenced off.
   */
  commit(incarnation: number, state: S, by: Origin, besides?: Besides): boolean
  /** The timers that are set, as of the newest commit. */
  readonly timers: Timers
  /** Why no timer can be set; absent when one can. */
  readonly noTimers: string | undefined
  /** The answer on record for an idempotency key. */
  recorded(id: string): RecordedAnswer | undefined
  /** The incarnation ends in a way that runs `terminate` (not by a kill). */
  conclude(incarnation: number, state: S): void
  /** Records how an incarnation ended. */
  observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void
  /** Holds an answer back until all that is committed by now is stored, or cannot be. */
  hold(answer: Held): void
  /** The same, and until its store has confirmed that it is still this process's. */
  confirm(answer: Held): void
  /** One of those that are held may have gone. */
  letGo(): void
  /** Runs one of them when all that is committed by now is conserved, or will not be; has nothing written for that. */
  follow(stored: () => void, lost: () => void): void
  /** Runs `f` once, when there may be room again. */
  whenRoom(f: () => void): void
  /** Where the state is that its server has: it may leave memory when it is stored as it is. */
  residency(state: S): Residency
  /** Lets go of the state that is stored, with all that belongs to it: its server has let go of it, too. */
  passivate(): void
  /** Brings it back for the same incarnation; fails when the store gives up, or does not hold it any more. */
  readonly activate: Effect.Effect<S, StoreError | StateUnreadable>
  /** Its server is down and will not come back soon: whether nothing would be lost with this object. */
  readonly isSpare: boolean
  /** Runs `f` when that becomes so by itself, if it ever does: everything is stored by then. */
  whenSpare(f: () => void): void
  /** Forgets at once what is conserved. */
  forget(): void
}

/** A server, as the container of its companion sees it. */
export interface Owner<in out S> extends Process {
  readonly key: string
  /** Its companion; absent while there is nothing to conserve, and where another server has the key. */
  companion: CompanionPort<S> | undefined
  /** Its state, while it has one in memory. */
  readonly inMemory: Option.Option<S>
  /** Has the messages of timers handled that are due later than `after`; done when they are, as far as they can be. */
  fire(after: number): Effect.Effect<boolean, unknown>
}

/** Nothing is conserved. */
export const nothing: Taken<never> = {
  decision: { _tag: "Init", why: "nothing is conserved", from: undefined },
  aside: []
}
