/**
 * Roots: supervisors without a supervisor.
 *
 * @since 0.1.0
 */
import { Context, Effect } from "effect"
import { refusal } from "../../../domain/options/GivenOption.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import { root as rootTelemetry } from "../../observation/Sink.ts"
import type { Child, Parent } from "../../process/Child.ts"
import type { LocalProcess } from "../../process/LocalProcess.ts"
import type { Process } from "../../process/Process.ts"
import { ChildEvents } from "./ChildEvents.ts"
import { grown } from "./Roots.ts"

/** What a launch is interested in. */
export interface RootObserver {
  /** A root supervisor was made. */
  readonly made: (root: Child) => void
  /** A root supervisor ended by itself. */
  readonly ended: (root: Process, reason: ExitReason) => void
}

/** The launch that root supervisors are made for, if there is one. */
export const RootObserver: Context.Reference<RootObserver | undefined> = Context.Reference<RootObserver | undefined>(
  "heirloom/Supervisor/RootObserver",
  { defaultValue: () => undefined }
)

/**
 * Makes a root and starts it, until the scope closes.
 *
 * What stands in for its parent tells of its start and end, as parents do. A root that ended stays down, and so do its
 * children; the launch of the app hears of it.
 */
export const startRoot = Effect.fnUntraced(function*<P extends LocalProcess & Child>(
  context: Context.Context<never>,
  make: (parent: Parent) => P
) {
  const telemetry = yield* rootTelemetry
  const observer = Context.get(context, RootObserver)
  const process = make({
    path: [],
    isOutside: true,
    telemetry,
    exited: (child, incarnation, reason) => {
      const events = new ChildEvents(child, telemetry, context)
      events.exited(child, incarnation, reason)
      events.settle(child, "stopped")
      observer?.ended(child, reason)
    }
  })
  // Under a parent the id is part of the spec, and checked there.
  if (typeof process.id !== "string" || process.id === "") {
    const id = { of: "a root supervisor", option: "id", given: process.id }
    return yield* Effect.die(refusal(id, "a string that is not empty"))
  }
  observer?.made(process)
  yield* Effect.acquireRelease(Effect.sync(() => grown(process)), (leave) => Effect.sync(leave))
  yield* Effect.addFinalizer(() => process.endAndWait())
  yield* Effect.orDie(process.start())
  new ChildEvents(process, telemetry, context).started(process, process.incarnation, undefined)
  return process
})
