/**
 * Logs what the engines have to say, whatever the loggers do.
 *
 * A logger is code of the app's own. One that throws, or whose promise is rejected, fails alone: the others get their
 * entry, and the entry and the failure go to those that work, or to the `Console` of the context when none does.
 * Nothing that an engine is doing is interrupted by it. Code of the app's own logs with `Effect.log`, as ever.
 *
 * @since 0.1.0
 */
import { Cause, Console, type Context, Effect, Logger, Record, References } from "effect"
import { bounded, printable } from "../../domain/text/ForeignCause.ts"
import { isInstance, text } from "../../domain/text/ForeignText.ts"

type AnyLogger = Logger.Logger<unknown, unknown>

/** What a logger has not shown, and what it did instead. */
interface Lost {
  readonly options: Logger.Options<unknown>
  readonly defect: unknown
}

/** Runs an Effect that logs; never fails, whatever its loggers do. */
export const safely = (log: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const output = fiber.getRef(Console.Console)
    const working = new Set(fiber.getRef(References.CurrentLoggers))
    const lost: Array<Lost> = []
    const guarded = Array.from(working, (logger) =>
      guard(logger, (failure) => {
        working.delete(logger)
        lost.push(failure)
      }, (late) => print(output, late)))
    return log.pipe(
      Effect.provideService(References.CurrentLoggers, new Set(guarded)),
      Effect.provideService(
        References.CurrentLogAnnotations,
        Record.map(fiber.getRef(References.CurrentLogAnnotations), printable)
      ),
      // The services that logging needs are the app's own as well: a clock, for one.
      Effect.catchCause((cause) => Effect.sync(() => print(output, `a log entry could not be made\n${pretty(cause)}`))),
      Effect.andThen(Effect.sync(() => {
        for (const failure of lost) tell(failure, working, output)
      }))
    )
  })

/** The same from plain code, with the loggers of a context. */
export const logIn = (context: Context.Context<never>, log: Effect.Effect<void>): void => {
  Effect.runForkWith(context)(safely(log))
}

/** Hears of the rejection of a promise, if foreign code has answered with one: left alone, it would end the program. */
export const whenRejected = (answer: unknown, failed: (defect: unknown) => void): void => {
  if (!isInstance(answer, Promise)) return
  try {
    // A `catch` of its own is not asked: it may be anything.
    Promise.prototype.then.call(answer, undefined, failed)
  } catch {
    // It only looks like a promise, and cannot be rejected.
  }
}

const guard = (
  logger: AnyLogger,
  failed: (lost: Lost) => void,
  failedLater: (text: string) => void
): AnyLogger =>
  Logger.make((options) => {
    try {
      const output = logger.log(options)
      whenRejected(output, (defect) => failedLater(textOf({ options, defect })))
      return output
    } catch (defect) {
      return failed({ options, defect })
    }
  })

const tell = (lost: Lost, working: ReadonlySet<AnyLogger>, output: Console.Console): void => {
  const message = textOf(lost)
  let isLogged = false
  for (const logger of working) {
    // It writes into spans, and shows nothing by itself.
    if (logger === Logger.tracerLogger) continue
    try {
      logger.log({ ...lost.options, cause: Cause.empty, logLevel: "Error", message: [message] })
      isLogged = true
    } catch {
      // The next one, or the console.
    }
  }
  if (!isLogged) print(output, message)
}

const textOf = ({ defect, options: { cause, message } }: Lost): string => {
  const entry = (Array.isArray(message) ? message : [message]).map((part) => text(part)).join(" ")
  return `a logger failed (${text(defect)}), and did not show this: ${entry}${
    cause.reasons.length === 0 ? "" : `\n${pretty(cause)}`
  }`
}

const pretty = (cause: Cause.Cause<unknown>): string => Cause.pretty(bounded(cause))

const print = (output: Console.Console, message: string): void => {
  try {
    output.error(message)
  } catch {
    // There is no channel left.
  }
}
