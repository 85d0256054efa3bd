/**
 * What all durable companions of one server class share: the store, its writer, the epoch under which they write, and how
 * states become text.
 *
 * *Tricky*: a session that was fenced off stays so: another process has taken over, and to acquire a new epoch would only
 * take it back. Its servers do not start again.
 *
 * @since 0.1.0
 */
import type { Cause, Context, Result, Schedule } from "effect"
import type { Decoded, Encoded, Unreadable } from "../../domain/state/StateSchema.ts"
import type { StoreError } from "../../domain/state/StoreError.ts"
import type { Grade } from "../../domain/state/Survival.ts"
import type { Policy } from "./Companion.ts"
import type { StateStore } from "./StateStore.ts"
import type { StoreWriter, Unsaved } from "./StoreWriter.ts"

/** How states become text and come back. */
export interface Codec<in out S> {
  encode(state: S): Result.Result<Encoded, string>
  decode(version: number, text: string): Decoded<S> | Unreadable
}

/** What all durable companions of one server class share. */
export interface Session<in out S> {
  readonly store: StateStore<Grade>
  readonly writer: StoreWriter
  readonly epoch: number
  readonly schema: Codec<S>
  readonly policy: Policy | undefined
  /** When states are written: after each commit, or by the container at its intervals. */
  readonly when: "commit" | "late"
  /** Those that wait for the container's interval. */
  readonly late: Set<Unsaved>
  /** Commits a server may be ahead of the store before it has to wait. */
  readonly maxAhead: number
  readonly storeKey: (key: string) => string
  /** How often, and how long, a store that is away is asked again. */
  readonly retry: Schedule.Schedule<unknown, StoreError>
  readonly context: Context.Context<never>
  /** Why the session is over: another has taken over. */
  fenced: Cause.Cause<unknown> | undefined
}
