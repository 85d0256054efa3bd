/** Rates are made by those who read counters. */
import { assert, describe, it } from "@effect/vitest"
import { type Asked, outageOf, shown, troubleOf } from "../../../src/domain/observer/Alarms.ts"
import { Rates, readings } from "../../../src/domain/observer/Rates.ts"

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

  it("is what it grew by between the first and the last reading that are kept", () => {
    const rates = new Rates()
    rates.read(0, [[1, 10]])
    assert.strictEqual(rates.rate(1), 0)
    rates.read(1000, [[1, 13], [2, 1]])
    assert.deepStrictEqual([rates.rate(1), rates.rate(2), rates.history(2)], [3, 0, []])
  })

  it("keeps the last readings of those that are read", () => {
    const rates = new Rates()
    for (let i = 0; i < 8000; i++) rates.read(i, [[1, i], [1000 + (i >> 1), i]])
    assert.strictEqual(rates.history(1).length, readings - 1)
    assert.strictEqual(rates.history(4999).length, 1)
    assert.deepStrictEqual(rates.history(1000), [])
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

  it("begins at its bound, and the worst that is wrong with a process is said", () => {
    const rows: ReadonlyArray<readonly [change: Partial<Asked>, says: RegExp | undefined]> = [
      [{ inHand: { message: "File", since: 5000 } }, /in hand for 5 s/],
      [{ queued: 79, capacity: 100 }, undefined],
      [{ queued: 80, capacity: 100 }, /80 of 100 messages waiting/],
      [{ queued: 9999 }, undefined],
      [{ queued: 10_000 }, /10.0k messages waiting/],
      [{ quarantined: 1 }, /a message in quarantine/],
      [{ budget: { used: 2, restarts: 3, within: 5000 } }, undefined],
      // A budget of none is not used up.
      [{ budget: { used: 0, restarts: 0, within: 5000 } }, undefined],
      [{ budget: "schedule" }, undefined],
      // A supervisor that has not been up yet, and a server that was stopped, are not in trouble.
      [{ kind: "supervisor", status: "stopped", incarnation: 0 }, undefined],
      [{ kind: "server", status: "stopped" }, undefined],
      [{ status: "parked", quarantined: 1 }, /is parked/],
      [{ inHand: { message: "File", since: 0 }, queued: 10_000 }, /in hand/],
      [{ queued: 10_000, quarantined: 1 }, /waiting/],
      [{ quarantined: 1, budget: { used: 3, restarts: 3, within: 5000 } }, /quarantine/]
    ]
    for (const [change, says] of rows) {
      const text = said(change)
      if (says === undefined) assert.isUndefined(text, JSON.stringify(change))
      else assert.match(text!, says)
    }
    assert.deepStrictEqual(troubleOf({ ...row, status: "parked", n: 7 }, 0)?.n, 7)
    assert.deepStrictEqual(
      [{ status: "parked" as const }, { quarantined: 1 }].map((change) => troubleOf({ ...row, ...change }, 0)?.tone),
      ["bad", "warn"]
    )
  })

  it("says of a store that is away since when, and why", () => {
    const store = { name: "files", outage: null, since: null, until: null }
    assert.isUndefined(outageOf(store, 9000))
    const away = outageOf({ ...store, outage: "disk full", since: 2000 }, 9000)
    assert.deepStrictEqual(away, { tone: "bad", text: "The store files has been away for 7 s: disk full", n: null })
    assert.match(outageOf({ ...store, outage: "disk full" }, 9000)!.text, /away for < 1 ms/)
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
    assert.deepStrictEqual(some.slice(1, -1), many.slice(0, 6))
    assert.deepStrictEqual(shown(many.slice(0, 8)), many.slice(0, 8))
    assert.strictEqual(shown(many.slice(0, 9)).at(-1)!.text, "2 more are in trouble.")
    const [bad, warn] = [many[40]!, many[0]!]
    const other = { ...bad, n: 41 }
    assert.deepStrictEqual(shown([warn, bad, warn, other]), [bad, other, warn, warn])
    assert.deepStrictEqual(shown([other, bad]), [other, bad])
  })
})
