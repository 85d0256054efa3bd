/**
 * The named points of a server's work and life at which tests inject faults.
 *
 * @since 0.1.0
 */
import { Context } from "effect"
import type { FaultPoints as Points, LifePoints as LifePointsOf } from "../../../domain/testing/Fault.ts"

/**
 * Asked before a handler runs, after it did its work, after its state was committed, and after it was answered: what it
 * answers really strikes the server there.
 *
 * **When to use**
 *
 * In tests and chaos runs: provide it to the supervisor's layer. Read once, when a server is registered; absent by
 * default, and then it costs nothing.
 *
 * @category fault injection
 * @since 0.1.0
 */
export const FaultPoints: Context.Reference<Points | undefined> = Context.Reference<Points | undefined>(
  "heirloom/FaultPoints",
  { defaultValue: () => undefined }
)

/**
 * Asked when an incarnation begins (before `init` or `restore`), before its `terminate`, and by a finalizer of its
 * Scope: what it answers strikes there, in that callback's own fiber.
 *
 * **When to use**
 *
 * As {@link FaultPoints}. A server under it begins and ends in a fiber, and has a `restore` and a `terminate`, whether
 * or not its behaviour has.
 *
 * **Gotchas**
 *
 * A defect when a conserved state is restored is evidence against that state. A failure is none.
 *
 * @category fault injection
 * @since 0.1.0
 */
export const LifePoints: Context.Reference<LifePointsOf | undefined> = Context.Reference<LifePointsOf | undefined>(
  "heirloom/LifePoints",
  { defaultValue: () => undefined }
)
