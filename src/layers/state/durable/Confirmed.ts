/**
 * An answer that waits for two things, one after the other: that its state is stored, and that the store is still this process's.
 *
 * *Tricky*: the second is asked only when the first is known. Another process may have taken over right after the write.
 *
 * @since 0.1.0
 */
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Held } from "../companion/Companion.ts"
import type { Session } from "./StoreSession.ts"

/** An answer that waits to be confirmed. */
export class Confirmed implements Held {
  private readonly answer: Held
  private readonly confirm: Session<never>["confirm"]

  constructor(answer: Held, confirm: Session<never>["confirm"]) {
    this.answer = answer
    this.confirm = confirm
  }

  get isGone(): boolean {
    return this.answer.isGone
  }

  stored(): void {
    this.confirm((exit) => {
      if (exit._tag === "Success") this.answer.stored()
      else this.lost({ _tag: "NotConserved", cause: exit.cause })
    })
  }

  lost(reason: ExitReason): void {
    this.answer.lost(reason)
  }
}
