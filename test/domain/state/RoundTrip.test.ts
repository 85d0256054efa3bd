/** Whether a state comes back from its text as it went: what is known of a schema, what differs, how deep a text is. */
import { assert, describe, it } from "@effect/vitest"
import { Chunk, HashMap, Option, Result, Schema } from "effect"
import * as RoundTrip from "../../../src/domain/state/RoundTrip.ts"

interface Tree {
  readonly children: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({ children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree)) })

class Money extends Schema.Class<Money>("Money")({ cents: Schema.Int }) {}

class Plain {
  readonly inside = 1
}

const A = Schema.Struct({ _tag: Schema.Literal("A"), by: Schema.Int })
const B = Schema.Struct({ _tag: Schema.Literal("B"), by: Schema.String })

describe("traitsOf", () => {
  const faithful: ReadonlyArray<readonly [string, Schema.Constraint]> = [
    ["Int", Schema.Int],
    ["Record", Schema.Record(Schema.String, Schema.Number)],
    ["an optional Date", Schema.Struct({ at: Schema.optionalKey(Schema.Date) })],
    ["HashMap of Options", Schema.HashMap(Schema.String, Schema.Option(Schema.BigInt))],
    ["NullOr", Schema.NullOr(Schema.String)],
    ["Literals", Schema.Literals(["on", "off", 1])],
    ["a tagged union", Schema.Union([A, B])],
    ["a tuple", Schema.Tuple([Schema.String, Schema.Boolean])]
  ]
  for (const [name, schema] of faithful) {
    it(`${name} comes back as it went`, () => {
      assert.deepStrictEqual(RoundTrip.traitsOf(schema), { isFaithful: true, isDeep: false })
    })
  }

  it("a schema of itself comes back as it went, and may be deep", () => {
    assert.deepStrictEqual(RoundTrip.traitsOf(Tree), { isFaithful: true, isDeep: true })
  })

  const unknown: ReadonlyArray<readonly [string, Schema.Constraint]> = [
    ["Unknown", Schema.Unknown],
    ["Any", Schema.Any],
    ["ObjectKeyword", Schema.ObjectKeyword],
    ["BigInt or String", Schema.Union([Schema.BigInt, Schema.String])],
    ["Number or String", Schema.Union([Schema.Number, Schema.String])],
    ["Date or String", Schema.Union([Schema.Date, Schema.String])],
    ["Null or Undefined", Schema.Union([Schema.Null, Schema.Undefined])],
    [
      "structs that are not told apart",
      Schema.Union([Schema.Struct({ a: Schema.Int }), Schema.Struct({ b: Schema.Int })])
    ],
    ["a codec of its own", Schema.NumberFromString],
    ["a class", Money],
    ["instances of a class", Schema.instanceOf(Plain)],
    ["Option of Unknown", Schema.Option(Schema.Unknown)],
    ["a property of Unknown", Schema.Struct({ held: Schema.Unknown })]
  ]
  for (const [name, schema] of unknown) {
    it(`of ${name} it is not known`, () => {
      assert.deepStrictEqual(RoundTrip.traitsOf(schema), { isFaithful: false, isDeep: true })
    })
  }
})

describe("a union", () => {
  // Of each kind of JSON, what has it.
  const kinds: Record<string, ReadonlyArray<Schema.Constraint>> = {
    null: [Schema.Null, Schema.Undefined, Schema.Void],
    boolean: [Schema.Boolean, Schema.Literal(true)],
    number: [Schema.Literal(1), Schema.Number],
    string: [Schema.String, Schema.BigInt, Schema.Literal("a"), Schema.Symbol, Schema.Number],
    array: [Schema.Array(Schema.Int), Schema.Tuple([Schema.Int])],
    object: [Schema.Record(Schema.String, Schema.Int), Schema.Struct({ a: Schema.Int })]
  }
  const isFaithful = (one: Schema.Constraint, other: Schema.Constraint) =>
    RoundTrip.traitsOf(Schema.Union([one, other])).isFaithful

  it("comes back as it went where no two of its members have the same kind of JSON", () => {
    const all = Object.entries(kinds).flatMap(([kind, schemas]) => schemas.map((schema) => ({ kind, schema })))
    for (const [i, one] of all.entries()) {
      for (const other of all.slice(i + 1)) {
        const kindsOf = (schema: Schema.Constraint) =>
          all.filter((other) => other.schema === schema).map(({ kind }) => kind)
        const isApart = !kindsOf(one.schema).some((kind) => kindsOf(other.schema).includes(kind))
        const found = isFaithful(one.schema, other.schema)
        if (isApart) assert.isTrue(found, `${one.kind}, ${other.kind}`)
        else if (one.schema !== other.schema) assert.isFalse(found, `${one.kind}, ${other.kind}`)
      }
    }
  })

  it("comes back as it went where a literal tells its members apart, its own or that of a property of both", () => {
    assert.isTrue(isFaithful(Schema.Literal("a"), Schema.Literal("b")))
    assert.isFalse(isFaithful(Schema.Literal("a"), Schema.Literal("a")))
    assert.isFalse(isFaithful(A, Schema.Struct({ _tag: Schema.Literal("A"), by: Schema.Int })))
    assert.isFalse(isFaithful(A, Schema.Struct({ other: Schema.Literal("B") })))
    assert.isFalse(isFaithful(A, Schema.Struct({ _tag: Schema.String })))
    assert.isFalse(isFaithful(Schema.Struct({ _tag: Schema.String }), A))
    assert.isFalse(isFaithful(A, Schema.Record(Schema.String, Schema.Unknown)))
    assert.isFalse(isFaithful(A, Schema.Option(Schema.Int)))
    assert.isFalse(isFaithful(Schema.Option(Schema.Int), A))
    // Three of them, of which the last two are not told apart; and one whose property is of no type.
    assert.isFalse(RoundTrip.traitsOf(Schema.Union([Schema.Boolean, Schema.String, Schema.BigInt])).isFaithful)
    assert.isFalse(isFaithful(A, Schema.Struct({ _tag: Schema.Literal("B"), by: Schema.Unknown })))
    assert.isTrue(isFaithful(Schema.Never, Schema.String))
  })

  it("has nothing to say of the parts of a schema that do not come back", () => {
    const parts = [
      Schema.Array(Schema.Unknown),
      Schema.Tuple([Schema.Unknown]),
      Schema.Record(Schema.String, Schema.Unknown),
      Schema.HashMap(Schema.Int, Schema.Unknown),
      Schema.Struct({ a: Schema.Int, b: Schema.Unknown })
    ]
    for (const part of parts) assert.isFalse(RoundTrip.traitsOf(part).isFaithful)
  })
})

describe("difference", () => {
  const cases: ReadonlyArray<readonly [string, unknown, unknown, ReadonlyArray<string> | undefined]> = [
    ["equal values", { a: [1, { b: "c" }] }, { a: [1, { b: "c" }] }, undefined],
    ["undefined and a property that is not there", { a: undefined }, {}, undefined],
    ["the two zeros", -0, 0, undefined],
    ["NaN", Number.NaN, Number.NaN, undefined],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 }, undefined],
    ["another type", 12n, "12", []],
    ["an object and what is none", {}, 1, []],
    ["what is none and an object", 1, {}, []],
    ["an object and null", {}, null, []],
    ["NaN and another", Number.NaN, 1, []],
    ["a text and an object with its letters", "a", Object.assign(Object.create(null), { 0: "a" }), []],
    ["two texts", "a", "b", []],
    ["two numbers", 1, 2, []],
    ["another and NaN", 1, Number.NaN, []],
    ["under a symbol", { [Symbol.for("s")]: 1 }, {}, ["Symbol(s)"]],
    ["plain data and an array", [], {}, []],
    ["another class first", new Date(0), {}, []],
    ["null and an object", null, {}, []],
    ["another value inside", { a: [1, { b: "c" }] }, { a: [1, { b: "d" }] }, ["a", "1", "b"]],
    ["another class", { at: new Date(0) }, { at: {} }, ["at"]],
    ["a property more", { a: 1 }, { a: 1, b: 2 }, ["b"]],
    ["an array that is longer", [1, undefined], [1], ["length"]],
    ["undefined in an array", [undefined], [null], ["0"]]
  ]
  for (const [name, one, other, path] of cases) {
    it(name, () => {
      assert.deepStrictEqual(RoundTrip.difference(one, other, () => assert.fail("opaque")), path)
    })
  }

  it("objects of a class of their own are not looked into, and that is said", () => {
    let times = 0
    assert.isUndefined(RoundTrip.difference([new Map([[1, 2]]), new Date(0)], [new Map(), new Date(1)], () => times++))
    assert.strictEqual(times, 2)
  })
})

describe("a property that a schema does not name", () => {
  const One = Schema.Struct({ a: Schema.Int })
  const [one, more] = [{ a: 1 }, { a: 1, b: 2 }]
  const cases: ReadonlyArray<
    readonly [
      where: string,
      schema: Schema.Codec<any, any>,
      named: unknown,
      unnamed: unknown,
      path: ReadonlyArray<string>
    ]
  > = [
    ["in a struct", One, one, more, ["b"]],
    ["with a name that every object has", One, one, { a: 1, toString: 1 }, ["toString"]],
    ["under a symbol", One, one, { a: 1, [Symbol.for("s")]: 2 }, ["Symbol(s)"]],
    ["in an object without a prototype", One, one, Object.assign(Object.create(null), more), ["b"]],
    ["in a list", Schema.Array(One), [one], [one, more], ["1", "b"]],
    ["in a tuple", Schema.Tuple([Schema.Int, One]), [1, one], [1, more], ["1", "b"]],
    ["in a record", Schema.Record(Schema.String, One), { k: one }, { j: one, k: more }, ["k", "b"]],
    ["in what may be left out", Schema.Struct({ o: Schema.optional(One) }), { o: undefined }, { o: more }, ["o", "b"]],
    ["in a union", Schema.Union([Schema.String, One]), "a", more, ["b"]],
    ["in an Option", Schema.Option(One), Option.some(one), Option.some(more), ["value", "b"]],
    ["in a Result", Schema.Result(One, One), Result.fail(one), Result.fail(more), ["failure", "b"]],
    ["in a Chunk", Schema.Chunk(One), Chunk.make(one), Chunk.make(one, more), ["1", "b"]],
    ["in a HashMap", Schema.HashMap(Schema.String, One), HashMap.make(["k", one]), HashMap.make(["k", more]), [
      "0",
      "1",
      "b"
    ]],
    ["in a Set", Schema.ReadonlySet(One), new Set([one]), new Set([one, more]), ["1", "b"]]
  ]
  for (const [where, schema, named, unnamed, path] of cases) {
    it(`is found ${where}`, () => {
      const encode = Schema.encodeUnknownSync(Schema.toCodecJson(schema))
      assert.isUndefined(RoundTrip.unnamed(named, encode(named)))
      assert.deepStrictEqual(RoundTrip.unnamed(unnamed, encode(unnamed)), path)
    })
  }

  it("is none if it is undefined, as JSON has it", () =>
    assert.isUndefined(RoundTrip.unnamed({ a: 1, b: undefined }, { a: 1 })))
})

describe("depthOf", () => {
  const levelsOf = (json: Schema.Json): number =>
    typeof json === "object" && json !== null ? 1 + Math.max(0, ...Object.values(json).map(levelsOf)) : 0

  it.prop("counts the levels of any JSON", [Schema.Json], ([json]) => {
    assert.strictEqual(RoundTrip.depthOf(JSON.stringify(json)), levelsOf(json))
  })

  for (const text of ["[[", "\"[", "\\", "\\\"[", "a\\\\\"{\"\\"]) {
    it(`what stands in a string is no level: ${text}`, () => {
      assert.strictEqual(RoundTrip.depthOf(JSON.stringify([text])), 1)
      assert.strictEqual(RoundTrip.depthOf(JSON.stringify({ [text]: [text] })), 2)
    })
  }

  it("of a deep text, without a stack for it", () => {
    assert.strictEqual(RoundTrip.depthOf("[".repeat(1_000_000) + "]".repeat(1_000_000)), 1_000_000)
  })

  it("a text that ends in a string", () => {
    assert.strictEqual(RoundTrip.depthOf("[\"["), 1)
  })
})
