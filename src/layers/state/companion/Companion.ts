/**
 * A companion: the keeper of one server's committed state.
 *
 * Two faces. `Companion` is what everybody may do with it: look, set, clear. `Keeper` is what the server's engine does:
 * take over the state for a new incarnation, commit, conclude, take down how an incarnation ended. Nothing of it runs in a
 * fiber, so no crash of any fiber can lose a state.
 *
 * These are the promises. What keeps them: in memory or in a table `MemoryCompanion.ts`, late `LateCompanion.ts`, in a
 * store `Durable.ts`; what is the same for all of them `FencedCompanion.ts`.
 *
 * @since 0.1.0
 */
import type { Effect, Option } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Limits, NewAnswer, RecordedAnswer } from "../../../domain/state/Answers.ts"
import type * as Generations from "../../../domain/state/Generations.ts"
import type { Standing } from "../../../domain/state/Passivation.ts"
import type * as Recovery from "../../../domain/state/Recovery.ts"
import type { Snapshot } from "../../../domain/state/Snapshot.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Process } from "../../process/Process.ts"

/** What everybody may do with a server's conserved state. */
export interface Companion<in out S> {
  readonly key: string
  /** The conserved state, if there is one. */
  readonly get: Effect.Effect<Option.Option<S>>
  /**
   * Replaces what is conserved. A server that is alive goes on with its own state: the next incarnation starts from this
   * one, unless the server commits before. One whose state has left memory (`hibernate`) has no own: it goes on with this.
   */
  readonly set: (state: S) => Effect.Effect<void>
  /** Forgets what is conserved: the next incarnation starts from `init`. */
  readonly clear: Effect.Effect<void>
  /** What is conserved, newest first, with sequence number and incarnation. */
  readonly snapshots: Effect.Effect<ReadonlyArray<Snapshot<S>>>
  /**
   * What was set aside because it crashed whoever started from it, or could not be read; never deleted by itself. A
   * companion in memory has the states, a durable one their stored text.
   */
  readonly aside: Effect.Effect<ReadonlyArray<Generations.Aside<unknown>>>
}

/** What a new incarnation starts from, and what was set aside for it. */
export interface Taken<out S> {
  readonly decision: Recovery.Decision<S>
  readonly aside: ReadonlyArray<{ readonly seq: number; readonly why: string }>
}

/** An answer that waits until the state it was computed from is stored. */
export interface Held {
  stored(): void
  lost(reason: ExitReason): void
}

/** What a companion does about suspect states, and how many answers it keeps on record. */
export interface Policy extends Recovery.Policy {
  readonly answers?: Limits | undefined
}

/**
 * What a commit came of. A `call` or a `cast` was handled, which proves the state before good (and nobody is told when a
 * cast is undone); a `callback` proves nothing, and what speaks against the state before speaks against what it made of it;
 * a `person` knows what they do.
 */
export type Origin = "call" | "cast" | "callback" | "person"

/** Whether a commit came of a message that was handled. */
export const isHandled = (by: Origin): boolean => by === "call" || by === "cast"

/** What a server's engine does with its companion. */
export interface Keeper<in out S> extends Companion<S> {
  /** The server this state belongs to, while it has one: a key has one owner at a time. */
  owner: Process | undefined
  /** The number of the youngest incarnation that may have had this state; 0 when none has. */
  readonly youngest: number
  /** Whether answers have to wait: the newest state is not stored yet. Always false in memory. */
  readonly isBehind: boolean
  /** Whether so much is waiting to be stored that the server has to wait, too: see {@link whenRoom}. */
  readonly isFull: boolean
  /** What its store said last, while it is away: what answers and loads are waiting for. Always absent in memory. */
  readonly outage: StoreError | undefined
  /** Casts that the last failed write undid: their senders are not told. */
  readonly undone: number
  /** A new incarnation takes over: older ones are fenced off, and it is told what to start from. */
  takeOver(incarnation: number): Taken<S> | Effect.Effect<Taken<S>, StoreError>
  /** Fences off an incarnation that was abandoned. */
  fenceOff(incarnation: number): void
  /**
   * Commits the state after a handled message, or after a callback, together with the answers to be put on record, if any;
   * false when the incarnation is fenced off.
   */
  commit(incarnation: number, state: S, by: Origin, answers?: ReadonlyArray<NewAnswer>): boolean
  /** The answer on record for an idempotency key. */
  recorded(id: string): RecordedAnswer | undefined
  /** The incarnation ends in a way that leaves it its last word (not by a kill). */
  conclude(incarnation: number, state: S): void
  /** Takes down how an incarnation ended. */
  observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void
  /** Holds an answer back until all that is committed by now is stored, or cannot be. */
  hold(answer: Held): void
  /** Runs `f` once, when there may be room again. */
  whenRoom(f: () => void): void
  /** Where the state of its server is, which has this one: what may leave memory is stored as it is. */
  standing(state: S): Standing
  /** Lets go of the state that is stored, with all that belongs to it: its server has let go of it, too. */
  passivate(): void
  /** Brings it back for the same incarnation; fails when the store gives up, or does not hold it any more. */
  readonly activate: Effect.Effect<S, StoreError>
  /** Its server is down and will not come back soon: whether nothing would be lost with this object. */
  readonly isSpare: boolean
  /** Runs `f` when that becomes so by itself, if it ever does: everything is stored by then. */
  whenSpare(f: () => void): void
  /** Forgets at once what is conserved. */
  forget(): void
}

/** A server, as what keeps companions sees it. */
export interface Owner<in out S> extends Process {
  readonly key: string
  /** Its companion; absent while there is nothing to conserve, and where another server has the key. */
  keeper: Keeper<S> | undefined
}

/** Nothing is conserved. */
export const nothing: Taken<never> = {
  decision: { _tag: "Init", why: "nothing is conserved", from: undefined },
  aside: []
}
