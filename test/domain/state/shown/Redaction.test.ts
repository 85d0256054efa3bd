import { assert, describe, it } from "@effect/vitest"
import { Chunk, HashMap, HashSet, Option, Result, Schema } from "effect"
import { redactedText, redactionOf } from "../../../../src/domain/state/shown/Redaction.ts"
import { redacted } from "../../../../src/domain/state/StateSchema.ts"

const secret = redacted(Schema.String)
const hidden = redactedText

interface Tree {
  readonly pin: string
  readonly below: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree> = Schema.Struct({
  pin: secret,
  below: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

class Account extends Schema.Class<Account>("Account")({ owner: Schema.String, pin: secret }) {}

const Card = Schema.Struct({ kind: Schema.Literal("card"), number: secret })
const Cash = Schema.Struct({ kind: Schema.Literal("cash"), amount: Schema.Int })

const cases: ReadonlyArray<readonly [name: string, schema: Schema.Constraint, state: unknown, shown: unknown]> = [
  ["a state as a whole", secret, "1234", hidden],
  ["a field", Schema.Struct({ n: Schema.Int, pin: secret }), { n: 1, pin: "1234" }, { n: 1, pin: hidden }],
  ["a field that may be left out", Schema.Struct({ pin: Schema.optionalKey(secret) }), {}, {}],
  ["a field that was refined after it was marked", Schema.Struct({ pin: secret.check(Schema.isMinLength(4)) }), {
    pin: "1234"
  }, { pin: hidden }],
  ["a field that was refined before", Schema.Struct({ pin: redacted(Schema.String.check(Schema.isMinLength(4))) }), {
    pin: "1234"
  }, { pin: hidden }],
  ["a field that is encoded", Schema.Struct({ pin: redacted(Schema.NumberFromString) }), { pin: 1234 }, {
    pin: hidden
  }],
  ["items of an array", Schema.Array(Schema.Struct({ pin: secret })), [{ pin: "a" }, { pin: "b" }], [
    { pin: hidden },
    { pin: hidden }
  ]],
  ["an element of a tuple", Schema.Tuple([Schema.Int, secret]), [1, "a"], [1, hidden]],
  ["values of a record", Schema.Record(Schema.String, secret), { a: "1", b: "2" }, { a: hidden, b: hidden }],
  ["a field of a class", Account, new Account({ owner: "ann", pin: "1" }), { owner: "ann", pin: hidden }],
  ["a field of one member of a union", Schema.Union([Cash, Card]), { kind: "card", number: "4" }, {
    kind: "card",
    number: hidden
  }],
  ["no field of the other member", Schema.Union([Cash, Card]), { kind: "cash", amount: 4 }, {
    kind: "cash",
    amount: 4
  }],
  ["a value that fits no member of a union", Schema.Union([Cash, Card]), { kind: "card", number: 4 }, hidden],
  [
    "a field of each member that fits",
    Schema.Union([Schema.Struct({ n: Schema.Int }), Schema.Struct({ pin: secret })]),
    {
      n: 1,
      pin: "1"
    },
    { n: 1, pin: hidden }
  ],
  ["every level of a schema that is part of itself", Tree, { pin: "a", below: [{ pin: "b", below: [] }] }, {
    pin: hidden,
    below: [{ pin: hidden, below: [] }]
  }],
  ["what cannot be taken apart, as a whole", Schema.Struct({ pin: Schema.Option(secret) }), { pin: Option.some("a") }, {
    pin: hidden
  }],
  ["a state that is none of its schema", Schema.Struct({ pin: secret }), "1234", hidden],
  ["a state that is null where its schema has none", Schema.Struct({ pin: Schema.Struct({ a: secret }) }), {
    pin: null
  }, {
    pin: hidden
  }],
  ["a list that is none", Schema.Array(secret), "1234", hidden]
]

describe("what a schema marks is hidden", () => {
  it("whatever it is kept in: what cannot be taken apart is hidden as a whole", () => {
    const value = { n: 1, pin: "1234" }
    const Held = Schema.Struct({ n: Schema.Int, pin: secret })
    const kept: ReadonlyArray<readonly [Schema.Constraint, unknown]> = [
      [Schema.Option(Held), Option.some(value)],
      [Schema.Result(Held, Schema.Int), Result.succeed(value)],
      [Schema.Chunk(Held), Chunk.make(value)],
      [Schema.ReadonlySet(Held), new Set([value])],
      [Schema.HashSet(Held), HashSet.make(value)],
      [Schema.ReadonlyMap(Schema.String, Held), new Map([["a", value]])],
      [Schema.HashMap(Schema.String, Held), HashMap.make(["a", value])],
      [Schema.Option(Account), Option.some(new Account({ owner: "ann", pin: "1234" }))],
      [Schema.Option(Schema.Array(Held)), Option.some([value])]
    ]
    for (const [schema, state] of kept) {
      assert.strictEqual(redactionOf(schema)?.(state), hidden)
      assert.deepStrictEqual(redactionOf(Schema.Struct({ kept: schema }))?.({ kept: state }), { kept: hidden })
    }
    class Purse extends Schema.Class<Purse>("Purse")({ account: Account, held: Held }) {}
    assert.deepStrictEqual(
      redactionOf(Purse)?.(new Purse({ account: new Account({ owner: "ann", pin: "1234" }), held: value })),
      { account: { owner: "ann", pin: hidden }, held: { n: 1, pin: hidden } }
    )
  })

  for (const [name, schema, state, shown] of cases) {
    it(name, () => assert.deepStrictEqual(redactionOf(schema)?.(state), shown))
  }

  it("and a field that is not in the schema is shown", () =>
    assert.deepStrictEqual(redactionOf(Schema.Struct({ pin: secret }))?.({ pin: "1", more: 2 }), {
      pin: hidden,
      more: 2
    }))

  it("and a state that throws when it is looked at, or has no end", () => {
    const redact = redactionOf(Tree)!
    const throwing = {
      get pin() {
        throw new Error("boom")
      },
      below: []
    }
    const endless: { pin: string; below: Array<unknown> } = { pin: "a", below: [] }
    endless.below.push(endless)
    assert.deepStrictEqual([redact(throwing), redact(endless)], [hidden, hidden])
  })

  it("and a schema without a mark costs nothing: there is nothing to do", () => {
    for (const schema of [Schema.Int, Cash, Schema.Array(Cash), Schema.Option(Cash)]) {
      assert.isUndefined(redactionOf(schema))
    }
  })
})
