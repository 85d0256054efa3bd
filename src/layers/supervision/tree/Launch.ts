/**
 * Running an app: until it is ordered to stop, or its root gives up.
 *
 * @since 0.1.0
 */
import { Deferred, type Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { pathText } from "../../../domain/observation/Lifecycle.ts"
import { isOrderly, toCause } from "../../../domain/process/ExitReason.ts"
import { bounded } from "../../../domain/text/ForeignCause.ts"
import { safely } from "../../observation/SafeLog.ts"
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
 * Fails with {@link RootEnded} when a root gives up, or ends in any other disorderly way: exit code 1. Completes when a root
 * shuts itself down in order (`autoShutdown`). Interrupted, it is interrupted: after a signal effect's `runMain` exits with
 * code 130, SIGTERM included. In every case the app's Layer is released first: children stop in reverse
 * start order, each within its shutdown time, all of them within `drain`; what has not ended by then is left behind, with
 * an error in the log.
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
      const scope = yield* Scope.make()
      const over = yield* Deferred.make<void, RootEnded>()
      const observer: RootObserver = (root, reason) => {
        Deferred.doneUnsafe(
          over,
          isOrderly(reason)
            ? Exit.void
            : Exit.fail(new RootEnded({ supervisor: pathText(root.path), cause: bounded(toCause(reason)) }))
        )
      }
      const exit = yield* Layer.buildWithScope(app, scope).pipe(
        Effect.provideService(RootObserver, observer),
        Effect.andThen(Deferred.await(over)),
        restore,
        Effect.exit
      )
      // In a fiber of its own: closing cannot be interrupted, and only so can it be left behind.
      const closing = yield* Effect.forkDetach(Scope.close(scope, exit), {
        startImmediately: true,
        uninterruptible: "inherit"
      })
      const drained = yield* Effect.timeoutOption(Fiber.join(closing), options?.drain ?? "1 minute")
      if (drained._tag === "None") {
        yield* safely(
          Effect.logError("The app did not shut down in time; what has not ended by now is left behind.")
        )
      }
      return yield* exit
    })
  )
