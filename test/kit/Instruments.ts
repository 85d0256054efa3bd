/**
 * Instruments of the cases that look at the log, or count operations instead of taking the time.
 */
import { type Cause, Effect, Layer, Logger, References, Scheduler } from "effect"
import { Session } from "node:inspector/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** One error in the log. */
export interface LoggedError {
  readonly text: string
  readonly cause: Cause.Cause<unknown>
  readonly annotations: { readonly [name: string]: unknown }
}

/** A log that keeps its errors, and shows nothing. */
export const recordedLog = () => {
  const errors: Array<LoggedError> = []
  const logger = Logger.make(({ cause, fiber, logLevel, message }) => {
    if (logLevel !== "Error") return
    const text = Array.isArray(message) ? message.join(" ") : String(message)
    errors.push({ text, cause, annotations: fiber.getRef(References.CurrentLogAnnotations) })
  })
  return { errors, layer: Layer.succeed(References.CurrentLoggers, new Set([logger])) }
}

/** A scheduler that counts every operation of every fiber, and every task it is given. */
export const countingScheduler = () => {
  const inner = new Scheduler.MixedScheduler()
  let operations = 0
  const scheduler: Scheduler.Scheduler = {
    executionMode: inner.executionMode,
    shouldYield: (fiber) => {
      operations++
      return inner.shouldYield(fiber)
    },
    makeDispatcher: () => {
      const dispatcher = inner.makeDispatcher()
      return {
        scheduleTask: (task, priority) => {
          operations++
          dispatcher.scheduleTask(task, priority)
        },
        flush: () => dispatcher.flush()
      }
    }
  }
  return { scheduler, operations: () => operations }
}

/**
 * Counts the function calls an effect makes, in this library and below: whatever searches a list by a callback, or sorts
 * it, shows. Everything runs a few times slower while it is there.
 */
export const callCounter = Effect.gen(function*() {
  const session = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const session = new Session()
      session.connect()
      return session
    }),
    (session) => Effect.sync(() => session.disconnect())
  )
  const post = (method: "Profiler.enable" | "Profiler.stopPreciseCoverage") =>
    Effect.promise(() => session.post(method))
  yield* post("Profiler.enable")
  yield* Effect.acquireRelease(
    Effect.promise(() => session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false })),
    () => post("Profiler.stopPreciseCoverage")
  )
  // Taking the counts sets them back to 0.
  const take = Effect.map(Effect.promise(() => session.post("Profiler.takePreciseCoverage")), ({ result }) => {
    let calls = 0
    for (const { functions } of result) for (const { ranges } of functions) calls += ranges[0]?.count ?? 0
    return calls
  })
  return <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.andThen(take, Effect.andThen(effect, take))
})

/** Collects what nobody holds, in a turn of its own: what a turn has looked at stays until it is over. */
export const garbageCollector = Effect.sync(() => {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  return Effect.andThen(
    Effect.callback<void>((resume) => {
      setImmediate(() => resume(Effect.void))
    }),
    Effect.sync(collect)
  )
})
