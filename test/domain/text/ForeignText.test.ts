import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, HashMap, HashSet, Option, Redactable, Redacted, Schema } from "effect"
import * as ForeignText from "../../../src/domain/text/ForeignText.ts"
import { hostiles, Tape, valueOf } from "../../kit/Hostile.ts"

/** What every function here must hold: an answer, within its bound. */
const holds = (value: unknown): void => {
  for (const make of [ForeignText.text, ForeignText.shown, ForeignText.messageOf, ForeignText.clause]) {
    for (const length of [0, 1, 40, ForeignText.textLength]) {
      const text = make(value, length)
      assert.isString(text)
      assert.isAtMost(text.length, length)
    }
  }
  // Keys and marks come on top of the characters of the value.
  assert.isAtMost(JSON.stringify(ForeignText.json(value)).length, 100_000)
  assert.isBoolean(ForeignText.isError(value))
}

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { id: Schema.Int }) {
  override get message(): string {
    return `there is no ${this.id}.`
  }
}

class Money {
  readonly amount: number
  constructor(amount: number) {
    this.amount = amount
  }
}

describe("text of a foreign value", () => {
  it.each(hostiles)("is a text within its bound: %s", (_, make) => holds(make()))

  it.prop("is a text within its bound, whatever the value does", [Tape], ([tape]) => holds(valueOf(tape)), {
    arbitrary: { runs: 150, size: 60 }
  })

  it.each<readonly [unknown, string]>([
    ["boom", "boom"],
    [new Error("boom"), "Error: boom"],
    [new TypeError(""), "TypeError"],
    [new NotFound({ id: 3 }), "NotFound: there is no 3."],
    [{ _tag: "NotFound", id: 3 }, `{"_tag":"NotFound","id":3}`],
    [new Money(3), `{"_id":"Money","amount":3}`],
    [[1, "a", null, undefined], `[1,"a",null,"undefined"]`],
    [new Map([["a", 1]]), `{"_id":"Map","values":[["a",1]]}`],
    [HashMap.make(["a", 1]), `{"_id":"HashMap","values":[["a",1]]}`],
    [Option.some(1), `{"_id":"Option","_tag":"Some","value":1}`],
    [Duration.millis(5), `{"_id":"Duration","_tag":"Millis","millis":5}`],
    [DateTime.makeUnsafe(0), "1970-01-01T00:00:00.000Z"],
    [/x/g, "/x/g"],
    [[new Date(0), new Date(Number.NaN)], `["1970-01-01T00:00:00.000Z","Invalid Date"]`],
    [[new Uint8Array(3), new DataView(new ArrayBuffer(2))], `["[3 bytes]","[2 bytes]"]`],
    [
      [Object("boxed"), new Set([1]), HashSet.make(1)],
      `["boxed",{"_id":"Set","values":[1]},{"_id":"HashSet","values":[1]}]`
    ],
    [Object.create({ _tag: "Inherited" }, { a: { value: 1, enumerable: true } }), `{"_tag":"Inherited","a":1}`],
    [Object.create(null), "{}"],
    [[Math.max, () => 0, Money], `["[function max]","[function]","[function Money]"]`],
    [new AggregateError([new Error("a"), 1], "all"), "AggregateError: all"],
    [
      { all: new AggregateError([1], "all", { cause: "c" }) },
      `{"all":{"name":"AggregateError","message":"all","errors":[1],"cause":{"name":"Error","message":"c"}}}`
    ],
    [-Infinity, "-Infinity"],
    [true, "true"],
    [[true, null, 0], "[true,null,0]"],
    [-(10n ** 299n), `-1${"0".repeat(299)}n`],
    [12n, "12n"],
    [Number.NaN, "NaN"],
    [Symbol("s"), "Symbol(s)"],
    [undefined, "undefined"],
    [null, "null"]
  ])("says as much of a harmless one as is known: %#", (value, text) => {
    assert.strictEqual(ForeignText.text(value), text)
  })

  it("has of an error as JSON what it has, and no more", () => {
    assert.deepStrictEqual(ForeignText.json(new Error("x")), { name: "Error", message: "x" })
    assert.deepStrictEqual(ForeignText.json(new Error("x", { cause: new TypeError("y") })), {
      name: "Error",
      message: "x",
      cause: { name: "TypeError", message: "y" }
    })
    const own = new Error("x")
    own.cause = own
    assert.deepStrictEqual(ForeignText.json(own), {
      name: "Error",
      message: "x",
      cause: { name: "Error", message: "… (further causes are left out)" }
    })
  })

  it("shows no secret", () => {
    const secret = Redacted.make("hunter2")
    assert.strictEqual(ForeignText.text({ secret }), `{"secret":"<redacted>"}`)
    assert.strictEqual(ForeignText.shown(secret), "<redacted>")
    const custom = { secret: "hunter2", [Redactable.symbolRedactable]: () => "hunter2" }
    assert.strictEqual(ForeignText.text({ custom }), `{"custom":"<redacted>"}`)
  })

  it("says where something is missing: what threw, what goes in a circle, what is cut off", () => {
    const circle: Record<string, unknown> = {}
    circle["self"] = circle
    assert.strictEqual(ForeignText.text(circle), `{"self":"[circular]"}`)
    const refuse = (): never => {
      throw new Error("no")
    }
    assert.strictEqual(
      ForeignText.text({
        get a() {
          return refuse()
        }
      }),
      `{"a":"[getter]"}`
    )
    assert.strictEqual(
      ForeignText.text(Object.defineProperty(new Error("x"), "message", { get: refuse })),
      `Error: ${ForeignText.unreadable}`
    )
    assert.strictEqual(ForeignText.text("x".repeat(100), 10), `${"x".repeat(9)}…`)
    assert.match(ForeignText.text(Array.from({ length: 1000 }, () => 1)), /"… 900 more"\]$/)
    assert.strictEqual(ForeignText.cut("ab\u{1F600}", 4), "ab\u{1F600}")
    assert.strictEqual(ForeignText.cut("ab\u{1F600}c", 4), "ab…")
  })

  it("cuts what is too wide, too deep or too much, and says how much of it is left out", () => {
    const wide = Object.fromEntries(Array.from({ length: 103 }, (_, i) => [`k${i}`, i]))
    assert.match(ForeignText.text(wide), /"k99":99,"…":"3 more"\}$/)
    const fits = Object.fromEntries(Object.entries(wide).slice(0, 100))
    assert.strictEqual(ForeignText.text(fits), JSON.stringify(fits))
    assert.match(ForeignText.text(new Set(Array.from({ length: 102 }, (_, i) => i))), /99,"… 2 more"\]\}$/)
    const nested = (levels: number): unknown => levels === 0 ? 1 : [nested(levels - 1)]
    assert.strictEqual(ForeignText.text(nested(8)), `${"[".repeat(8)}1${"]".repeat(8)}`)
    assert.notInclude(ForeignText.text(nested(9)), "1")
    // Of twelve lists of a hundred, nine and the better part of one more have been looked at.
    const many = ForeignText.text(Array.from({ length: 12 }, () => Array.from({ length: 100 }, () => 1)), 10_000)
    assert.isTrue((many.match(/1[,\]]/g) ?? []).length < 1000 && /"… \d+ more"\]$/.test(many))
    const chained = (length: number): Error =>
      new Error(`${length}`, length === 0 ? {} : { cause: chained(length - 1) })
    const causes = JSON.stringify(ForeignText.json({ one: chained(20) }))
    assert.strictEqual(causes.match(/"name"/g)?.length, 7)
    assert.include(causes, "… (further causes are left out)")
  })

  it("is whole where nothing of the value was cut, thrown, left out or is code: only such a one is handed on", () => {
    const isWhole = (value: unknown, length = 100) => {
      const look = new ForeignText.Look(length)
      look.json(value)
      return look.isWhole
    }
    const whole = [
      null,
      true,
      1,
      "a",
      [1, ["a"]],
      { a: { b: 1 } },
      new Error("a"),
      new Error("a", { cause: new Error("b") }),
      new Date(0)
    ]
    for (const value of whole) assert.isTrue(isWhole(value), ForeignText.text(value))
    const odd = [
      "a".repeat(101),
      ["a".repeat(60), "b".repeat(60)],
      Array.from({ length: 101 }, () => 1),
      { toString: () => "a" },
      { toJSON: () => "a" },
      Object.defineProperty({}, "a", { get: () => 1, enumerable: true }),
      Object.defineProperty({}, Symbol.toStringTag, { get: () => "a" }),
      Object.defineProperty(new Error("a"), "extra", { get: () => 1, enumerable: true }),
      Object.assign(new Error("a"), { toJSON: () => "a" }),
      new AggregateError([1]),
      Object.assign(new Error("a"), { name: "" }),
      new Uint8Array(1),
      { [Redactable.symbolRedactable]: () => "a" },
      Object("a"),
      (function*() {})(),
      { deep: { [Symbol.iterator]: () => [][Symbol.iterator]() } }
    ]
    for (const value of odd) assert.isFalse(isWhole(value), ForeignText.text(value))
    assert.isTrue(isWhole("a".repeat(100)))
  })

  it("runs neither toString nor toJSON: nothing bounds the time that they take", () => {
    let ran = 0
    const run = () => `${ran++}`
    holds({ toString: run, toJSON: run, [Symbol.toPrimitive]: run, inspect: run, deep: [{ toJSON: run }] })
    assert.strictEqual(ran, 0)
  })

  it("as a value stands in quotes, as a clause without a full stop, as a message without a name", () => {
    assert.strictEqual(ForeignText.shown("a \"b\""), `"a \\"b\\""`)
    assert.strictEqual(ForeignText.shown({ a: "b" }), `{"a":"b"}`)
    assert.strictEqual(ForeignText.messageOf(new NotFound({ id: 3 })), "there is no 3.")
    assert.strictEqual(ForeignText.clause(new NotFound({ id: 3 })), "there is no 3")
  })
})
