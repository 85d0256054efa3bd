/**
 * The vocabulary of the supervision machine: its events, and its commands.
 *
 * Everything is an event, also a request and the answer of a Schedule, so that one pure function decides all of it, and
 * a recorded sequence of events tells the whole story again.
 *
 * @since 0.1.0
 */
import type { Cause } from "effect"
import type { InvalidOption } from "../options/InvalidOption.ts"
import type { ExitReason } from "../process/ExitReason.ts"
import type { Fate, Shutdown } from "../process/Fate.ts"
import type { ChildSpec } from "./ChildSpec.ts"

/** The events of a supervisor. */
export type Event =
  /** Start, or start again: every child of the own specification, in order. */
  | { readonly _tag: "Boot" }
  /**
   * End: the children in reverse order. A second one with `brutal` stops waiting for them. `forGood`: it is known
   * already that the supervisor does not come back.
   */
  | { readonly _tag: "Shutdown"; readonly reason: ExitReason; readonly brutal: boolean; readonly forGood: boolean }
  /** What became of the supervisor itself after it ended. */
  | { readonly _tag: "Settled"; readonly fate: Fate }
  | {
    readonly _tag: "ChildStarted"
    readonly id: string
    readonly ticket: number
    readonly incarnation: number
    readonly info: unknown
  }
  | { readonly _tag: "ChildIgnored"; readonly id: string; readonly ticket: number }
  | {
    readonly _tag: "ChildStartFailed"
    readonly id: string
    readonly ticket: number
    readonly cause: Cause.Cause<unknown>
  }
  /** An incarnation ended by itself. */
  | { readonly _tag: "ChildExited"; readonly id: string; readonly incarnation: number; readonly reason: ExitReason }
  /** An incarnation ended as ordered. */
  | { readonly _tag: "ChildStopped"; readonly id: string; readonly ticket: number; readonly reason: ExitReason }
  | { readonly _tag: "BudgetAnswered"; readonly id: string; readonly ticket: number; readonly answer: BudgetAnswer }
  | { readonly _tag: "RestartDue"; readonly id: string; readonly ticket: number }
  | {
    readonly _tag: "StartChild"
    readonly request: number
    readonly spec: ChildSpec
    /** Whether it is part of the supervisor's own specification. */
    readonly initial: boolean
  }
  | { readonly _tag: "TerminateChild"; readonly request: number; readonly id: string }
  | { readonly _tag: "RestartChild"; readonly request: number; readonly id: string }
  | { readonly _tag: "DeleteChild"; readonly request: number; readonly id: string }
  | { readonly _tag: "ResumeChild"; readonly request: number; readonly id: string }

/** What the budget said: wait so many milliseconds and restart, or give up. */
export type BudgetAnswer =
  | { readonly _tag: "Delay"; readonly millis: number }
  | { readonly _tag: "Exhausted" }

/** What a request comes to. */
export type Answer =
  | { readonly _tag: "Done" }
  | { readonly _tag: "Started"; readonly info: unknown }
  | { readonly _tag: "Ignored" }
  | { readonly _tag: "Failed"; readonly cause: Cause.Cause<unknown> }
  /**
   * The child was ordered to stop before its start had finished; `why` is what its supervisor ends with, if it does.
   */
  | { readonly _tag: "Stopped"; readonly why: ExitReason | undefined }
  | { readonly _tag: "AlreadyStarted" }
  | { readonly _tag: "AlreadyPresent" }
  | { readonly _tag: "NotFound" }
  | { readonly _tag: "Running" }
  | { readonly _tag: "Restarting" }
  | { readonly _tag: "Parked" }
  | { readonly _tag: "NotParked" }
  /** The supervisor itself is down, or on its way. */
  | { readonly _tag: "NotRunning" }
  | InvalidOption

/** The commands that a supervisor performs. */
export type Command =
  /** Start the next incarnation; `request` is the one that brought the recipe, on a first start. */
  | { readonly _tag: "Start"; readonly id: string; readonly ticket: number; readonly request: number | undefined }
  | {
    readonly _tag: "Stop"
    readonly id: string
    readonly ticket: number
    readonly reason: ExitReason
    readonly shutdown: Shutdown
    /** Whether it is known already that the child does not come back. */
    readonly forGood: boolean
  }
  | { readonly _tag: "ConsultBudget"; readonly id: string; readonly ticket: number; readonly reason: ExitReason }
  | { readonly _tag: "ResetBudget" }
  | { readonly _tag: "SetTimer"; readonly id: string; readonly ticket: number; readonly millis: number }
  | { readonly _tag: "CancelTimer"; readonly ticket: number }
  | { readonly _tag: "Settle"; readonly id: string; readonly fate: Fate }
  /** The child has left the tree. */
  | { readonly _tag: "Forget"; readonly id: string }
  | { readonly _tag: "Answer"; readonly request: number; readonly answer: Answer }
  | { readonly _tag: "Publish"; readonly decision: Decision }
  | { readonly _tag: "Booted" }
  | { readonly _tag: "BootFailed"; readonly id: string; readonly cause: Cause.Cause<unknown> }
  | { readonly _tag: "Terminated"; readonly reason: ExitReason }

/** Decisions that are published. */
export type Decision =
  | { readonly _tag: "Restarting"; readonly id: string; readonly reason: ExitReason; readonly delay: number }
  | { readonly _tag: "GaveUp"; readonly id: string; readonly reason: ExitReason }
  | { readonly _tag: "Parked"; readonly id: string }
  | { readonly _tag: "Resumed"; readonly id: string }
  | { readonly _tag: "Deleted"; readonly id: string }
