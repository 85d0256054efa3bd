/**
 * Whether options make sense: numbers, durations and words that the type checker cannot see through.
 *
 * Each answers what was meant, or throws an `InvalidOption` that names whose option it is: a mistake in the program is
 * reported where the option is given, once, and not by what becomes of it later.
 *
 * @since 0.1.0
 */
import { type Duration, Predicate, Schema } from "effect"
import { InvalidOption } from "./InvalidOption.ts"
import * as Millis from "./Millis.ts"

/** An option, its owner, and the given value. */
export interface Given<out A> {
  /** A class, a supervisor, a store, or a function. */
  readonly of: string
  /** The message, or the callback, that it is for. */
  readonly request?: string | undefined
  readonly option: string
  readonly given: A
}

/** Options of one owner, whose name is made only when one of them is refused. */
export const givenTo = (name: () => string) => <A>(option: string, given: A): Given<A> => ({
  get of() {
    return name()
  },
  option,
  given
})

/** Refuses what was given. */
export const refuse = (one: Given<unknown>, expected: string): never => {
  throw refusal(one, expected)
}

/** The refusal of a value, to be failed with instead of thrown. */
export const refusal = ({ given, of, option, request }: Given<unknown>, expected: string): InvalidOption =>
  new InvalidOption({ of, ...(request === undefined ? {} : { request }), option, given, expected })

/** One of a few words. */
export const oneOf = <A extends string>(one: Given<A>, all: ReadonlyArray<A>): A =>
  all.includes(one.given) ? one.given : refuse(one, words(all))

/** An object. */
export const object = <O extends object>(one: Given<O>, expected = "an object"): O =>
  Predicate.isObject(one.given) ? one.given : refuse(one, expected)

/** All options of one owner, which there may be none of. */
export const options = <O extends object>(of: string, given: O): O => object({ of, option: "options", given })

/** A function. */
export const callable = <F extends (...args: never) => unknown>(one: Given<F>, expected = "a function"): F =>
  typeof one.given === "function" ? one.given : refuse(one, expected)

/** A schema. */
export const schema = <S>(one: Given<S>): S => Schema.isSchema(one.given) ? one.given : refuse(one, "a schema")

/** A text that is not empty. */
export const text = (one: Given<string>): string =>
  typeof one.given === "string" && one.given !== "" ? one.given : refuse(one, "a string that is not empty")

/** `"a", "b" or "c"`. */
export const words = (all: ReadonlyArray<string>): string =>
  all.map((word) => `"${word}"`).join(", ").replace(/, ([^,]*)$/, " or $1")

/** A number within bounds, both included. */
export const between = (one: Given<number>, least: number, most: number): number =>
  typeof one.given === "number" && one.given >= least && one.given <= most
    ? one.given
    : refuse(one, most === Infinity ? `a number, ${least} at least` : `a number between ${least} and ${most}`)

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

/** Milliseconds of a duration that is longer than nothing and ends. */
export const period = (one: Given<Duration.Input>): number => {
  const value = Millis.fromDuration(one.given) ?? 0
  return value > 0 && value < Infinity ? value : refuse(one, `a duration of more than nothing that ends${example}`)
}

/** Milliseconds of a duration that ends, and may be nothing. */
export const patience = (one: Given<Duration.Input>): number => {
  const value = Millis.fromDuration(one.given) ?? Infinity
  return value < Infinity ? value : refuse(one, `a duration of 0 or more that ends${example}`)
}

/** A time to wait, in words. */
export const timeoutExpected = `${Millis.expected}, or "infinity"`

/** Milliseconds of a time to wait: of a duration of zero or longer, or `Infinity`. */
export const timeout = (one: Given<Duration.Input | "infinity">): number =>
  Millis.fromInput(one.given) ?? refuse(one, timeoutExpected)

const example = ", such as \"5 seconds\", or a number of milliseconds"
