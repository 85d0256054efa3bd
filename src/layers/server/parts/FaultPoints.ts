/**
 * The named points of a server's work at which tests inject faults.
 *
 * @since 0.1.0
 */
import { Context } from "effect"
import type { FaultPoints as Points } from "../../../domain/testing/Fault.ts"

/**
 * Asked before a handler runs, after it did its work, and after its state was committed: what it answers really strikes
 * the server there.
 *
 * **When to use**
 *
 * In tests and chaos runs: provide it to the supervisor's layer. Read once, when a server is registered; absent by
 * default, and then it costs nothing.
 *
 * @since 0.1.0
 */
export const FaultPoints: Context.Reference<Points | undefined> = Context.Reference<Points | undefined>(
  "heirloom/FaultPoints",
  { defaultValue: () => undefined }
)
