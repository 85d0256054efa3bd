/** A log that a test reads, in place of the one that is printed. */
import { type Cause, Effect, Layer, Logger, References } from "effect"

export interface Line {
  readonly level: string
  readonly text: string
  readonly cause: Cause.Cause<unknown>
  readonly annotations: { readonly [name: string]: unknown }
}

/** Keeps the lines that `wanted` says yes to, and shows nothing. */
export const recordedLog = (wanted: (line: Line) => boolean = () => true) => {
  const lines: Array<Line> = []
  const logger = Logger.make<unknown, void>(({ cause, fiber, logLevel, message }) => {
    const text = Array.isArray(message) ? message.join(" ") : String(message)
    const line = { level: logLevel, text, cause, annotations: fiber.getRef(References.CurrentLogAnnotations) }
    if (wanted(line)) lines.push(line)
  })
  return { lines, layer: Layer.succeed(References.CurrentLoggers, new Set([logger])) }
}

/** Runs an effect without the log. */
export const quiet = Effect.provideService(References.MinimumLogLevel, "None")
