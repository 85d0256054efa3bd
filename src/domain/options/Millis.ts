/**
 * Times that were given by hand, in milliseconds.
 *
 * The type checker lets `NaN`, `-1` and `` `${seconds} seconds` `` pass. Effect reads the first as no time at all, and
 * throws at the last without saying who gave it to whom. Here all of them are no time, and the caller says so.
 *
 * @since 0.1.0
 */
import { Duration, Option } from "effect"

/** What {@link fromInput} takes, in words. */
export const expected = "a duration, zero or longer"

/** The same, where there may be no limit: `"infinity"`, as calls have it. */
export const fromInput = (input: Duration.Input | "infinity"): number | undefined =>
  input === "infinity" ? Infinity : fromDuration(input)

/** Milliseconds of a duration of zero or longer, `Infinity` for one without end; `undefined` for anything else. */
export const fromDuration = (input: Duration.Input): number | undefined => {
  if (typeof input === "number") return input >= 0 ? input : undefined
  if (numbersOf(input).some(Number.isNaN)) return undefined
  const duration = Duration.fromInput(input)
  if (Option.isNone(duration)) return undefined
  const millis = Duration.toMillis(duration.value)
  return millis >= 0 ? millis : undefined
}

// What Effect takes for zero when it is NaN. Anything may have been given, so no more is read than what a duration has.
const numbersOf = (input: Duration.Input): ReadonlyArray<unknown> => {
  if (typeof input !== "object" || input === null || Duration.isDuration(input)) return [input]
  return Array.isArray(input) ? input.slice(0, 2) : units.map((unit) => (input as Duration.DurationObject)[unit])
}

const units = [
  "weeks",
  "days",
  "hours",
  "minutes",
  "seconds",
  "milliseconds",
  "microseconds",
  "nanoseconds"
] as const
