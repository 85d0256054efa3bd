/**
 * What becomes of messages when the incarnation that had them has ended.
 *
 * The message in hand: by default a call fails with `Crashed` and is not retried, as in OTP. A message that says
 * `redeliver` is handled again by the next incarnation, until it has had its attempts; then it is quarantined:
 * answered, reported, kept for a look. Attempts are counted before the handler runs, so that a crash of the counter
 * itself cannot make it endless. A caller that was promised a later reply is refused: the incarnation that promised it
 * is gone. What is queued waits for the next incarnation, if there is to be one. Where there is none, a message that
 * came back is not as one that was never begun: nothing may be sent again that a handler has had.
 *
 * @since 0.1.0
 */
import { Cause } from "effect"
import type { CallErrorReason } from "../process/CallError.ts"
import { type ExitReason, isOrderly, toCause } from "../process/ExitReason.ts"
import type { Fate } from "../process/Fate.ts"

/** How often a message may be handled in all, the first time included. */
export interface Redeliver {
  readonly maxAttempts: number
}

/** What becomes of a message that was in hand. */
export type Delivery = "reply" | "refuse" | "redeliver" | "quarantine"

/**
 * What its handler had come to: nothing, it was interrupted; it had stopped the server (`Next.stop`) without a reply;
 * or with one.
 */
export type Progress = "interrupted" | "stopped" | "replied"

const comesBack: Readonly<Record<Fate, boolean>> = {
  restarting: true,
  parked: true,
  stopped: false,
  finished: false,
  deleted: false
}

/** Decides about the message in hand from its policy, and how often it has been handled. */
export const inHand = (
  progress: Progress,
  fate: Fate,
  policy: Redeliver | undefined,
  attempts: number
): Delivery => {
  if (progress === "replied") return "reply"
  if (progress === "stopped" || !comesBack[fate] || policy === undefined) return "refuse"
  return attempts < policy.maxAttempts ? "redeliver" : "quarantine"
}

/** Whether the messages in the mailbox wait for the next incarnation. */
export const isQueueKept = (fate: Fate): boolean => comesBack[fate]

/** The answer of a caller that is refused: by how the incarnation ended, and by its fate. */
export type Refusal = "Crashed, restarting" | "Crashed" | "NotRunning" | "NotConserved"

const ofOrderly: Readonly<Record<Fate, Refusal>> = {
  restarting: "Crashed, restarting",
  parked: "NotRunning",
  stopped: "NotRunning",
  finished: "NotRunning",
  deleted: "NotRunning"
}
const ofCrash: Readonly<Record<Fate, Refusal>> = {
  restarting: "Crashed, restarting",
  parked: "Crashed",
  stopped: "Crashed",
  finished: "Crashed",
  deleted: "Crashed"
}

/** Decides how the caller of the message in hand is refused, and callers that were promised a later reply. */
export const refusal = (reason: ExitReason, fate: Fate): Refusal =>
  reason._tag === "NotConserved" ? "NotConserved" : (isOrderly(reason) ? ofOrderly : ofCrash)[fate]

/** The same as the reason of a `CallError`. */
export const refusalReason = (reason: ExitReason, fate: Fate, key: string): CallErrorReason => {
  const refused = refusal(reason, fate)
  const cause = toCause(reason)
  switch (refused) {
    case "NotConserved":
      return { _tag: "NotConserved", cause }
    case "NotRunning":
      return notRunning(key, reason)
    default: {
      const willRestart = refused === "Crashed, restarting"
      return cause.reasons.length === 0
        ? { _tag: "Crashed", cause: Cause.interrupt(), willRestart, reason }
        : { _tag: "Crashed", cause, willRestart }
    }
  }
}

/** Why no server answers: the reason that the last one ended with, if its end is news to the caller. */
export const notRunning = (
  key: string,
  reason?: ExitReason
): Extract<CallErrorReason, { readonly _tag: "NotRunning" }> => ({
  _tag: "NotRunning",
  ...(reason === undefined ? {} : { reason }),
  ...(key === "" ? {} : { key })
})

/**
 * The reason for the caller of a message that waits, where no incarnation follows. What was handled before, and came
 * back, is refused as if it were in hand.
 */
export const waitingReason = (attempts: number, reason: ExitReason, fate: Fate, key: string): CallErrorReason =>
  attempts > 0 ? refusalReason(reason, fate, key) : notRunning(key)
