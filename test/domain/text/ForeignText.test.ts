import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, HashMap, Option, Redacted, Schema } from "effect"
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
    [12n, "12n"],
    [Number.NaN, "NaN"],
    [Symbol("s"), "Symbol(s)"],
    [undefined, "undefined"],
    [null, "null"]
  ])("says as much of a harmless one as is known: %#", (value, text) => {
    assert.strictEqual(ForeignText.text(value), text)
  })

  it("shows no secret", () => {
    const secret = Redacted.make("hunter2")
    assert.strictEqual(ForeignText.text({ secret }), `{"secret":"<redacted>"}`)
    assert.strictEqual(ForeignText.shown(secret), "<redacted>")
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
