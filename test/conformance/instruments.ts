/**
 * Instruments of the cases that look at the log, or count operations instead of taking the time.
 */
import { type Cause, Layer, Logger, References, Scheduler } from "effect"

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
