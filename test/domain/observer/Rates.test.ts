/** Rates are made by those who read counters. */
import { assert, describe, it } from "@effect/vitest"
import { shown, troubleOf } from "../../../src/domain/observer/Alarms.ts"
import { Rates, readings } from "../../../src/domain/observer/Rates.ts"
import * as Words from "../../../src/domain/observer/Words.ts"

describe("a rate", () => {
  it("is what a counter grew by in a second", () => {
    const rates = new Rates()
    for (let i = 0; i <= 10; i++) rates.read(i * 500, [[1, i * 50], [2, 7]])
    assert.strictEqual(rates.rate(1), 100)
    assert.strictEqual(rates.rate(2), 0)
    assert.deepStrictEqual(rates.history(1), Array.from({ length: 10 }, () => 100))
  })

  it("begins anew with a counter that does", () => {
    const rates = new Rates()
    rates.read(0, [[1, 1000]])
    rates.read(500, [[1, 2000]])
    rates.read(1000, [[1, 3]])
    assert.strictEqual(rates.rate(1), 0)
    rates.read(1500, [[1, 53]])
    assert.strictEqual(rates.rate(1), 100)
  })

  it("is none of a counter that was read once, or never", () => {
    const rates = new Rates()
    rates.read(0, [[1, 1000]])
    assert.deepStrictEqual([rates.rate(1), rates.rate(2)], [0, 0])
  })

  it("keeps the last readings of those that are read", () => {
    const rates = new Rates()
    for (let i = 0; i < 8000; i++) rates.read(i, [[1, i], [1000 + (i >> 1), i]])
    assert.strictEqual(rates.history(1).length, readings - 1)
    assert.strictEqual(rates.history(4999).length, 1)
    assert.deepStrictEqual(rates.history(1000), [])
  })
})

describe("words", () => {
  it("say numbers, times and budgets as operators read them", () => {
    assert.deepStrictEqual([0, 999, 1234, 12_345, 123_456, 1_234_567].map(Words.short), [
      "0",
      "999",
      "1,234",
      "12.3k",
      "123k",
      "1.2M"
    ])
    assert.deepStrictEqual(
      [0.2, 12, 1500, 5000, 61_000, 150_000, 7_200_000, 400_000_000].map(Words.duration),
      ["< 1 ms", "12 ms", "1.5 s", "5 s", "61 s", "2 min", "2 h", "4 days"].map((text, i) => i === 6 ? "2 h" : text)
    )
    assert.strictEqual(Words.budget({ used: 2, restarts: 3, within: 5000 }), "2 of 3 in 5 s")
    assert.strictEqual(Words.mailbox(3, 100), "3 of 100")
    assert.strictEqual(Words.timeOfDay(3_661_000), "01:01:01")
  })
})

describe("an alarm", () => {
  const row = {
    n: 1,
    id: "Clerk",
    status: "running",
    kind: "server",
    incarnation: 1,
    inHand: null,
    queued: 0,
    capacity: null,
    quarantined: 0,
    budget: null
  } as const
  const said = (change: Partial<Parameters<typeof troubleOf>[0]>) => troubleOf({ ...row, ...change }, 10_000)?.text

  it("says in words what is wrong with a process", () => {
    assert.isUndefined(said({}))
    assert.isUndefined(said({ inHand: { message: "File", since: 5001 } }))
    assert.strictEqual(said({ inHand: { message: "File", since: 0 } }), "Clerk has had File in hand for 10 s.")
    assert.strictEqual(said({ queued: 90, capacity: 100 }), "Clerk has 90 of 100 messages waiting.")
    assert.include(said({ status: "parked" }), "Mend it, then resume it")
    assert.strictEqual(said({ quarantined: 2 }), "Clerk has 2 messages in quarantine.")
    assert.include(
      said({ kind: "supervisor", budget: { used: 3, restarts: 3, within: 5000 } }),
      "with the next crash it gives up"
    )
    assert.include(said({ kind: "supervisor", status: "stopped" }), "is down")
  })

  it("comes first when it is bad, and no more are shown than a person reads", () => {
    const many = Array.from(
      { length: 50 },
      (_, n) => ({ tone: n === 40 ? "bad" as const : "warn" as const, text: `${n}`, n })
    )
    const some = shown(many)
    assert.strictEqual(some[0]!.n, 40)
    assert.strictEqual(some.length, 8)
    assert.strictEqual(some.at(-1)!.text, "43 more are in trouble.")
  })
})
