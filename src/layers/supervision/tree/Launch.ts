/**
 * Running an app: until it is ordered to stop, or its root gives up.
 *
 * @since 0.1.0
 */
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { pathText } from "../../../domain/observation/Lifecycle.ts"
import { timeout } from "../../../domain/options/GivenOption.ts"
import { isOrderly, toCause } from "../../../domain/process/ExitReason.ts"
import { bounded } from "../../../domain/text/ForeignCause.ts"
import { safely } from "../../observation/SafeLog.ts"
import type { Child } from "../../process/Child.ts"
import { layerOf } from "./Given.ts"
import { RootObserver } from "./Root.ts"
import { RootEnded } from "./SupervisorErrors.ts"

/**
 * How an app is run.
 *
 * @category options
 * @since 0.1.0
 */
export interface LaunchOptions {
  /** How long the shutdown of everything may take. Default 1 minute. */
  readonly drain?: Duration.Input | undefined
}

/**
 * Runs an app: builds its Layer, waits until a root supervisor of it ends or it is interrupted, and shuts it down in
 * order.
 *
 * **When to use**
 *
 * As the last line of a program, given to the platform's `runMain`, which turns SIGTERM and SIGINT into interruption.
 *
 * **Details**
 *
 * Fails with {@link RootEnded} when a root gives up, or ends in any other disorderly way: exit code 1. Completes when a
 * root shuts itself down in order (`autoShutdown`). Interrupted, it is interrupted: after a signal effect's `runMain`
 * exits with code 130, SIGTERM included. In every case the app's Layer is released first: children stop in reverse
 * start order, each within its shutdown time, all of them within `drain`; what has not ended by then is left behind,
 * with an error in the log that names it. The log also says when the shutdown begins, why, and when it is over.
 *
 * **Gotchas**
 *
 * Only roots that are built by this Layer are watched; a supervisor under another reports to that one.
 *
 * **Example**
 *
 * ```ts
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect } from "effect"
 * import { Supervisor } from "heirloom"
 *
 * const App = Supervisor.layer({ strategy: "one_for_one" }, [Supervisor.worker("main", Effect.never)])
 *
 * NodeRuntime.runMain(Supervisor.launch(App))
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const launch = <A, E, R>(
  app: Layer.Layer<A, E, R>,
  options?: LaunchOptions
): Effect.Effect<void, E | RootEnded, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const given = options?.drain ?? "1 minute"
      const drain = Duration.millis(timeout({ of: "Supervisor.launch", option: "drain", given }))
      const scope = yield* Scope.make()
      const over = yield* Deferred.make<void, RootEnded>()
      const roots: Array<Child> = []
      const observer: RootObserver = {
        made: (root) => roots.push(root),
        ended: (root, reason) =>
          Deferred.doneUnsafe(
            over,
            isOrderly(reason)
              ? Exit.void
              : Exit.fail(new RootEnded({ supervisor: pathText(root.path), cause: bounded(toCause(reason)) }))
          )
      }
      const exit = yield* Layer.buildWithScope(layerOf("Supervisor.launch", app), scope).pipe(
        Effect.provideService(RootObserver, observer),
        Effect.andThen(Deferred.await(over)),
        restore,
        Effect.exit
      )
      yield* safely(Effect.logInfo(`${whyDown(exit)} It shuts down, within ${Duration.format(drain)}.`))
      // In a fiber of its own: closing cannot be interrupted, and only so can it be left behind.
      const closing = yield* Effect.forkDetach(Scope.close(scope, exit), {
        startImmediately: true,
        uninterruptible: "inherit"
      })
      const drained = yield* Effect.timeoutOption(Fiber.join(closing), drain)
      yield* safely(drained._tag === "None" ? logLeft(roots) : Effect.logInfo("The app has shut down."))
      return yield* exit
    })
  )

const whyDown = (exit: Exit.Exit<void, unknown>): string => {
  if (exit._tag === "Success") return "A root supervisor of the app has shut itself down."
  if (Cause.hasInterruptsOnly(exit.cause)) {
    return "The app was asked to stop, by a signal (SIGTERM, SIGINT) or its caller."
  }
  return Cause.squash(exit.cause) instanceof RootEnded
    ? "A root supervisor of the app gave up; its crash report is above."
    : "The app did not start."
}

/** Paths that are named, at most. */
const most = 10

const logLeft = (roots: ReadonlyArray<Child>): Effect.Effect<void> => {
  const left = roots.flatMap(stillUp).map(({ path }) => pathText(path))
  const others = left.length > most ? [`${left.length - most} more`] : []
  const named = left.length === 0 ? "a resource of its Layer" : [...left.slice(0, most), ...others].join(", ")
  return Effect.logError(
    `The app did not shut down in time. What has not ended is left behind: ${named}. ` +
      "Give it a shorter shutdown time, or the app a longer drain."
  )
}

/** The processes that have not ended, without those that only wait for one below them. */
const stillUp = (process: Child): ReadonlyArray<Child> => {
  if (process.status !== "running" && process.status !== "starting") return []
  const below = Array.from(process.below?.() ?? []).flatMap(stillUp)
  return below.length === 0 ? [process] : below
}
