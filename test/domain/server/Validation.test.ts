import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { checkAfter, checkOf, isPayloadSchema, schemaOf } from "../../../src/domain/server/Validation.ts"

class Point extends Schema.Class<Point>("test/Point")({ x: Schema.Int, y: Schema.optionalKey(Schema.Date) }) {}

interface Tree {
  readonly children: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree> = Schema.Struct({ children: Schema.Array(Schema.suspend(() => Tree)) })

const Anything = Schema.Union([
  Point,
  Schema.Struct({ n: Schema.Int, label: Schema.optionalKey(Schema.String) }),
  Schema.Option(Schema.BigInt),
  Schema.Array(Schema.Finite),
  Schema.Literals(["a", "b"])
])

describe("a check", () => {
  it.prop("accepts every value of its schema, and each only as it is", [Anything], ([value]) => {
    assert.isUndefined(checkOf(Anything)(value))
    assert.strictEqual(checkOf(Point)(value) === undefined, value instanceof Point)
  })

  it.prop("refuses what decodes to a value, and is none", [Schema.Int], ([x]) => {
    const when = new Date(0)
    assert.isUndefined(checkOf(Point)(new Point({ x, y: when })))
    assert.isString(checkOf(Point)({ x, y: when }))
    assert.isString(checkOf(Schema.DateFromString)(when.toISOString()))
    assert.isUndefined(checkOf(Schema.DateFromString)(when))
  })

  it("says in one line, for each place, what is wrong there, and not what is there", () => {
    const check = checkOf(Schema.Struct({ a: Schema.Int, list: Schema.Array(Schema.Struct({ n: Schema.Int })) }))
    assert.strictEqual(
      check({ a: 1.5, list: [{ n: "secret" }] }),
      "Expected an integer at [\"a\"]; Expected number at [\"list\"][0][\"n\"]"
    )
  })

  it("may be of a schema that refers to itself", () => {
    assert.isUndefined(checkOf(Tree)({ children: [{ children: [] }] }))
    assert.isString(checkOf(Tree)({ children: [{}] }))
  })

  it("that throws, or cannot be compiled, is an answer and no exception", () => {
    const throwing = Schema.Int.check(Schema.makeFilter((): boolean => {
      throw new Error("boom")
    }))
    assert.include(checkOf(throwing)(1), "boom")
    const broken = Schema.suspend((): Schema.Int => {
      throw new Error("not yet")
    })
    assert.include(checkOf(broken)(1), "not yet")
  })

  it("of what is made of a value is a check of both", () => {
    const make = (value: unknown) => {
      if (typeof value !== "number") throw new Error("no number")
      return value + 1
    }
    const check = checkAfter(make, checkOf(Schema.Int.check(Schema.isGreaterThan(0))))
    assert.isUndefined(check(0))
    assert.isString(check(-1))
    assert.include(check("x"), "no number")
  })
})

describe("a payload's schema", () => {
  it("is given as fields, or as a whole", () => {
    const fields = { n: Schema.Int }
    assert.isTrue([fields, {}, Point, Schema.Int, Schema.Struct(fields), Schema.Void].every(isPayloadSchema))
    assert.isFalse([{ n: Number }, [], null, undefined, "n", Number, () => Schema.Int].some(isPayloadSchema))
    assert.strictEqual(schemaOf(Point), Point)
    const decode = Schema.decodeUnknownResult(schemaOf(fields) as Schema.Struct<typeof fields>)
    assert.isTrue(Result.isSuccess(decode({ n: 1 })) && Result.isFailure(decode({})))
  })
})
