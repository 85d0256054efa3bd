import { assert, describe, it } from "@effect/vitest"
import * as GivenOption from "../../../src/domain/options/GivenOption.ts"
import { InvalidOption } from "../../../src/domain/options/InvalidOption.ts"

type Check<A> = (one: GivenOption.Given<A>) => unknown

/** What is taken, as what; and what is refused. */
const check = <A>(
  take: Check<A>,
  taken: ReadonlyArray<readonly [A, unknown]>,
  refused: ReadonlyArray<unknown>,
  says: RegExp
) => {
  const given = (value: unknown) => ({ of: "Clerk", option: "size", given: value as A })
  for (const [value, as] of taken) assert.strictEqual(take(given(value)), as)
  for (const value of refused) {
    let found: unknown
    try {
      take(given(value))
    } catch (error) {
      found = error
    }
    assert.instanceOf(found, InvalidOption, String(value))
    assert.match((found as InvalidOption).message, says)
  }
}

const noTimes = [-1, Number.NaN, "soon", null, undefined, "-1 second"]
const even = <A>(values: ReadonlyArray<A>): ReadonlyArray<readonly [A, A]> => values.map((value) => [value, value])

describe("a given option", () => {
  it("is one of a few words", () => {
    const words = ["a", "b", "c"]
    check<string>(
      (one) => GivenOption.oneOf(one, words),
      even(words),
      ["d", "", undefined, 1],
      /must be "a", "b" or "c"\.$/
    )
    assert.deepStrictEqual([["a"], ["a", "b"]].map(GivenOption.words), ["\"a\"", "\"a\" or \"b\""])
  })

  it("is a number within its bounds, both included", () => {
    const outside = [0.9, 5.1, Number.NaN, Infinity, "2", undefined]
    check<number>(
      (one) => GivenOption.between(one, 1, 5),
      even([1, 2.5, 5]),
      outside.slice(0, 4),
      /a number between 1 and 5/
    )
    check<number>(
      (one) => GivenOption.between(one, 1, Infinity),
      even([1, Infinity]),
      [0.9, Number.NaN],
      /a number, 1 at least/
    )
    const whole = [1, 2.5, Number.NaN, 2 ** 53, "3"]
    check<number>(
      (one) => GivenOption.integer(one, 2),
      even([2, 3]),
      [...whole, Infinity],
      /a whole number, 2 at least\.$/
    )
    check<number>(
      (one) => GivenOption.limit(one, 2),
      even([2, 3, Infinity]),
      [...whole, -Infinity],
      /or Infinity for no limit/
    )
  })

  it("is a duration: more than nothing, with an end, or any there is", () => {
    const some = [[1, 1], ["2 seconds", 2000], [0.5, 0.5]] as const
    check(
      GivenOption.millis,
      [...some, [Infinity, Infinity]],
      [0, ...noTimes],
      /more than nothing, such as "5 seconds"/
    )
    check(GivenOption.period, some, [0, Infinity, ...noTimes], /more than nothing that ends, such/)
    check(GivenOption.patience, [...some, [0, 0]], [Infinity, ...noTimes], /0 or more that ends, such/)
    check(
      GivenOption.timeout,
      [...some, [0, 0], [Infinity, Infinity], ["infinity", Infinity]],
      noTimes,
      /a duration, zero or longer, or "infinity"/
    )
  })

  it("that is refused names what it is for, whose name is made only then", () => {
    let made = 0
    const given = GivenOption.givenTo(() => `Clerk ${++made}`)("size", 7)
    assert.deepStrictEqual([given.option, given.given, made], ["size", 7, 0])
    assert.strictEqual(GivenOption.refusal(given, "a word").message, "Clerk 1 was given 7 as size: it must be a word.")
    const refusal = GivenOption.refusal({ of: "Clerk", request: "File", option: "size", given: "7" }, "a word")
    assert.strictEqual(refusal.message, "File of Clerk was given \"7\" as size: it must be a word.")
    assert.notProperty(GivenOption.refusal(given, "a word"), "request")
  })
})
