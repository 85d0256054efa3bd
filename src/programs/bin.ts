#!/usr/bin/env node
/**
 * The command that comes with the package: `npx heirloom snapshots ...`, where the app is installed whose states they
 * are.
 *
 * What it runs is loaded from here, so that a package which that needs and which is not there is named: users
 * of the library alone have no use for it, and do not install it.
 */
import { Console, Effect } from "effect"
import { load } from "./text/Packages.ts"

await Effect.runPromise(
  load("@effect/platform-node", () => import("./packaged.ts")).pipe(
    Effect.catch((missing) =>
      Effect.andThen(
        Console.error(missing.message),
        Effect.sync(() => {
          process.exitCode = 1
        })
      )
    )
  )
)
