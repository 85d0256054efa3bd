/** A task supervisor, and what its tests ask of it. */
import { Effect, Layer, Schema, type Scope } from "effect"
import { TaskSupervisor } from "../../src/index.ts"
import { Harness } from "../../src/testing.ts"
import { quiet } from "./Log.ts"

export class Tasks extends TaskSupervisor.Service<Tasks>()("test/Tasks") {}

export class Oops extends Schema.TaggedError<Oops>()("Oops", { n: Schema.Int }) {}

/** Runs a test beside a task supervisor, without the log. */
export const run = <A, E>(
  body: Effect.Effect<A, E, Tasks | Harness.Harness | Scope.Scope>,
  live: Layer.Layer<Tasks | Harness.Harness> = Layer.provideMerge(Tasks.layer(), Harness.Harness.layer)
) => quiet(Effect.provide(body, live))

/** The count of children when every task is over. */
export const none = { specs: 0, active: 0, supervisors: 0, workers: 0 }

/** A task that waits, and notes in the log that it was interrupted. */
export const waiting = (log: Array<string>, name = "task") =>
  Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push(`${name} interrupted`)))
