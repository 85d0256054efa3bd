/**
 * Whether what companions and stores are told makes sense: numbers and durations that the type checker cannot see through.
 *
 * Each answers what was meant, or throws an `InvalidOption` that names whose option it is: it is a mistake in the program, and
 * is told where the layer is built, once, and not by whatever becomes of it later.
 *
 * @since 0.1.0
 */
import type { Duration } from "effect"
import { InvalidOption } from "./InvalidOption.ts"
import * as Millis from "./Millis.ts"

/** Whose option, which, and what was given. */
export interface Given<out A> {
  /** The server class, or the store. */
  readonly of: string
  readonly option: string
  readonly given: A
}

const refuse = ({ given, of, option }: Given<unknown>, expected: string): never => {
  throw new InvalidOption({ server: of, option, given, expected })
}

/** A whole number that is `least` at least. */
export const integer = (one: Given<number>, least: number): number =>
  Number.isSafeInteger(one.given) && one.given >= least ? one.given : refuse(one, `a whole number, ${least} at least`)

/** The same, or `Infinity` for no limit. */
export const limit = (one: Given<number>, least: number): number =>
  one.given === Infinity || (Number.isSafeInteger(one.given) && one.given >= least)
    ? one.given
    : refuse(one, `a whole number, ${least} at least, or Infinity for no limit`)

/** Milliseconds of a duration that is longer than nothing. */
export const millis = (one: Given<Duration.Input>): number => {
  const value = Millis.fromDuration(one.given) ?? 0
  return value > 0 ? value : refuse(one, `a duration of more than nothing${example}`)
}

/** Milliseconds of a duration that ends, and may be nothing. */
export const patience = (one: Given<Duration.Input>): number => {
  const value = Millis.fromDuration(one.given) ?? Infinity
  return value < Infinity ? value : refuse(one, `a duration of 0 or more that ends${example}`)
}

const example = ", such as \"5 seconds\", or a number of milliseconds"
