/**
 * What becomes of the message in hand when its server crashes.
 *
 * By default a call fails with `Crashed` and is not retried, as in OTP. A message that says `redeliver` is handled again
 * by the next incarnation, until it has had its attempts; then it is quarantined: answered, reported, kept for a look.
 * Attempts are counted before the handler runs, so that a crash of the counter itself cannot make it endless.
 *
 * @since 0.1.0
 */

/** How often a message may be handled in all, the first time included. */
export interface Redeliver {
  readonly maxAttempts: number
}

/** What becomes of the message in hand. */
export type Delivery = "fail" | "redeliver" | "quarantine"

/** Decides from the message's policy, and how often it has been handled. */
export const afterCrash = (policy: Redeliver | undefined, attempts: number): Delivery =>
  policy === undefined ? "fail" : attempts < policy.maxAttempts ? "redeliver" : "quarantine"
