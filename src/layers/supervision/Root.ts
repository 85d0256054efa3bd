/**
 * Roots: supervisors with nobody above them.
 *
 * @since 0.1.0
 */
import { Context, Effect, type Scope } from "effect"
import type { ExitReason } from "../../domain/server/ExitReason.ts"
import type { Process } from "../naming/Process.ts"
import { root as rootTelemetry } from "../observation/Telemetry.ts"
import type { Parent } from "./Child.ts"

/** Told when a root supervisor ended by itself. */
export type RootObserver = (root: Process, reason: ExitReason) => void

/** Who is told when a root supervisor ends by itself: nobody, unless an app is being launched. */
export const RootObserver: Context.Reference<RootObserver | undefined> = Context.Reference<RootObserver | undefined>(
  "heirloom/Supervisor/RootObserver",
  { defaultValue: () => undefined }
)

/**
 * What stands in for the parent of a root: a root that ended stays down, and so do its children; whoever launched the app
 * is told.
 */
export const rootParent = (context: Context.Context<never>): Effect.Effect<Parent, never, Scope.Scope> =>
  Effect.map(rootTelemetry, (telemetry): Parent => {
    const observer = Context.get(context, RootObserver)
    return {
      path: [],
      telemetry,
      exited: (child, _incarnation, reason) => {
        child.settle("stopped")
        observer?.(child, reason)
      }
    }
  })
