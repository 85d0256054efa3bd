/**
 * What a dynamic supervisor knows of a child: its spec, and a record of its own while it is not simply running.
 *
 * A record's identity is its ticket: whoever waited for something and finds another record in its place comes too late.
 *
 * @since 0.1.0
 */
import { type Cause, Effect, Exit, type Fiber } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { ChildSpec } from "../../../domain/supervision/ChildSpec.ts"
import type { Child, Started } from "../../process/Child.ts"
import * as Turn from "../../process/Turn.ts"

/** A child that is not simply running. */
export interface Exceptional {
  readonly spec: ChildSpec
  /** `reviving`: it is being started again; to everybody else it is restarting. */
  readonly status: "starting" | "reviving" | "stopping" | "restarting" | "parked" | "ended"
  readonly timer: Fiber.Fiber<void> | undefined
  /** An exit that overtook the news of its start. */
  early: { readonly incarnation: number; readonly reason: ExitReason } | undefined
  /** Whether it came up (starting) or is down (stopping), once that is known. */
  outcome: Exit.Exit<Outcome> | undefined
  /** Who waits for that; mostly nobody has to. */
  waiters: Array<(outcome: Exit.Exit<Outcome>) => void> | undefined
}

/** What a request comes to. */
export type Outcome =
  | Started
  | { readonly _tag: "Failed"; readonly cause: Cause.Cause<unknown> }
  | { readonly _tag: "Stopped" }
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
export const isExceptional = (entry: ChildSpec | Exceptional): entry is Exceptional => "waiters" in entry

/** The outcome of a request that had nothing to wait for. */
export const done: Exit.Exit<Outcome> = Exit.succeed({ _tag: "Done" })

/** The outcome of a start that was given up, since the child was told to stop. */
export const stopped: Exit.Exit<Outcome> = Exit.succeed({ _tag: "Stopped" })

/** Whether an incarnation is alive, or may be. */
export const isAlive = ({ status }: Exceptional): boolean =>
  status === "starting" || status === "reviving" || status === "stopping"

/** A fresh record. */
export const exceptional = (spec: ChildSpec, status: Exceptional["status"]): Exceptional => ({
  spec,
  status,
  timer: undefined,
  early: undefined,
  outcome: undefined,
  waiters: undefined
})

/** Answers whoever waits for the child, or will. */
export const answer = (entry: Exceptional, outcome: Exit.Exit<Outcome>): void => {
  entry.outcome = outcome
  const { waiters } = entry
  if (waiters === undefined) return
  entry.waiters = undefined
  for (const waiter of waiters) Turn.run(() => waiter(outcome))
}

/** Waits for the answer, unless it is there. */
export const outcomeOf = (entry: Exceptional): Effect.Effect<Outcome> =>
  entry.outcome ?? Effect.callback<Outcome>((resume) => {
    if (entry.outcome === undefined) (entry.waiters ??= []).push(resume)
    else resume(entry.outcome)
  })
