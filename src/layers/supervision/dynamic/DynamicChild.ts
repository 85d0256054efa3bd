/**
 * What a dynamic supervisor keeps of a child: its spec, and a record of its own while it is not simply running.
 *
 * A record's identity is its ticket: whatever waited for something and finds another record in its place comes too
 * late.
 *
 * @since 0.1.0
 */
import { Deferred, type Effect, Exit } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { ChildSpec } from "../../../domain/supervision/ChildSpec.ts"
import type { Status } from "../../../domain/supervision/DynamicChild.ts"
import type { Child, Started } from "../../process/Child.ts"
import * as Turn from "../../process/Turn.ts"
import { type StartErrorReason, type Stopped, stoppedFor } from "../tree/SupervisorErrors.ts"

/** A child that is not simply running. */
export interface Exceptional {
  readonly spec: ChildSpec
  readonly status: Exclude<Status, "running" | "gone">
  /** Whether it came up (starting) or is down (stopping), once that is known. */
  outcome: Exit.Exit<Outcome> | undefined
  /** Where that is waited for, if it is: most records are answered before anything waits. */
  waiting: Deferred.Deferred<Outcome> | undefined
  /** Cancels the timer of its restart. */
  cancel: (() => void) | undefined
  /** An exit that overtook the news of its start. */
  early: { readonly incarnation: number; readonly reason: ExitReason } | undefined
}

/** What is kept of a child. */
export type Entry = ChildSpec | Exceptional

/** What a request comes to. */
export type Outcome =
  | Started
  | Extract<StartErrorReason<unknown>, { readonly _tag: "Failed" | "StateUnreadable" }>
  | Stopped
  | { readonly _tag: "Done" }

/** An end that waits to be dealt with. */
export interface Ended {
  readonly child: Child
  readonly incarnation: number
  readonly reason: ExitReason
  /** When it went down, when this is the failure of another attempt to bring it up. */
  readonly failedSince: number | undefined
}

/** Whether it has a record of its own; a child that is simply running has its spec only. */
export const isExceptional = (entry: Entry): entry is Exceptional => "outcome" in entry

export const specOf = (entry: Entry): ChildSpec => isExceptional(entry) ? entry.spec : entry

export const statusOf = (entry: Entry): Exclude<Status, "gone"> => isExceptional(entry) ? entry.status : "running"

/** The outcome of a request that had nothing to wait for. */
export const done: Exit.Exit<Outcome> = Exit.succeed({ _tag: "Done" })

/**
 * The outcome of a start that was given up, since the child was asked to stop: `why` is what its supervisor ends with,
 * if it does.
 */
export const stopped = (why: ExitReason | undefined): Exit.Exit<Outcome> => Exit.succeed(stoppedFor(why))

/** A fresh record. */
export const exceptional = (spec: ChildSpec, status: Exceptional["status"]): Exceptional => ({
  spec,
  status,
  outcome: undefined,
  waiting: undefined,
  cancel: undefined,
  early: undefined
})

/** Answers those who wait for the child, or will. */
export const answer = (record: Exceptional, outcome: Exit.Exit<Outcome>): void => {
  record.outcome = outcome
  const { waiting } = record
  if (waiting !== undefined) Turn.run(() => Deferred.doneUnsafe(waiting, outcome))
}

/** Waits for the answer, unless it is there. */
export const outcomeOf = (record: Exceptional): Effect.Effect<Outcome> =>
  record.outcome ?? Deferred.await(record.waiting ??= Deferred.makeUnsafe())
