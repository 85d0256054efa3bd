/**
 * Waiting until all that a companion has committed by now is stored, as an Effect.
 *
 * @since 0.1.0
 */
import { type Cause, Effect, Exit } from "effect"
import { type ExitReason, toCause } from "../../../domain/process/ExitReason.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { CompanionPort } from "./Companion.ts"

/**
 * Done when all that is committed by now is stored; fails when it cannot be. One that is interrupted leaves nothing.
 */
export const settled = (companion: Pick<CompanionPort<never>, "hold" | "letGo">): Effect.Effect<void, StoreError> =>
  Effect.callback((resume) => {
    const waiting = {
      isGone: false,
      stored: () => resume(Exit.void),
      // What ended the write is a StoreError, or a defect.
      lost: (reason: ExitReason) => resume(Exit.failCause(toCause(reason) as Cause.Cause<StoreError>))
    }
    companion.hold(waiting)
    return Effect.sync(() => {
      waiting.isGone = true
      companion.letGo()
    })
  })
