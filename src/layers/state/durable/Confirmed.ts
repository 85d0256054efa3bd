/**
 * An answer that waits for two things, one after the other: that its state is stored, and that the claim it is
 * written under is still in force.
 *
 * *Tricky*: the second is asked only when the first is known. Another process may have taken over right after the
 * write.
 *
 * @since 0.1.0
 */
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Held } from "../companion/Companion.ts"
import type { Claim } from "./Claim.ts"

/** An answer that waits to be confirmed. */
export class Confirmed implements Held {
  private readonly answer: Held
  private readonly claim: Claim

  constructor(answer: Held, claim: Claim) {
    this.answer = answer
    this.claim = claim
  }

  get isGone(): boolean {
    return this.answer.isGone
  }

  stored(): void {
    this.claim.confirm((exit) => {
      if (exit._tag === "Success") this.answer.stored()
      else this.lost({ _tag: "NotConserved", cause: exit.cause })
    })
  }

  lost(reason: ExitReason): void {
    this.answer.lost(reason)
  }
}
