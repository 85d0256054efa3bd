import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Draws from "../../../src/domain/testing/Draws.ts"
import * as Linearizability from "../../../src/domain/testing/Linearizability.ts"
import type { Input, Operation, Outcome, Value } from "../../../src/domain/testing/Operation.ts"
import { stale } from "../../../src/domain/testing/Stale.ts"

const at = (order: number) => ({ order, millis: order * 10 })
const op = (client: string, input: Input, called: number, outcome: Outcome): Operation => ({
  key: "k",
  client,
  input,
  called: at(called),
  outcome
})
const add = (by: number): Input => ({ _tag: "Add", by })
const read: Input = { _tag: "Read" }
const write = (value: Value): Input => ({ _tag: "Write", value })
const answered = (order: number, value?: Value): Outcome => ({ _tag: "Answered", value, at: at(order) })
const unknown = (until?: number): Outcome => ({
  _tag: "Unknown",
  why: "lost",
  until: until === undefined ? undefined : at(until)
})
const notDone: Outcome = { _tag: "NotDone" }

const verdict = (operations: ReadonlyArray<Operation>, initial?: Value) =>
  Linearizability.check(operations, initial)._tag

const brokenOf = (operations: ReadonlyArray<Operation>, initial?: Value) => {
  const verdict = Linearizability.check(operations, initial)
  assert.strictEqual(verdict._tag, "Broken")
  return verdict._tag === "Broken" ? verdict.violation : assert.fail()
}

describe("the history of a counter", () => {
  it("holds when the answers are those of additions one after the other", () => {
    assert.strictEqual(verdict([op("a", add(1), 1, answered(2, 1)), op("b", add(2), 3, answered(4, 3))], 0), "Holds")
  })

  it("holds when operations at the same time took effect in either order", () => {
    assert.strictEqual(verdict([op("a", add(1), 1, answered(4, 3)), op("b", add(2), 2, answered(3, 2))], 0), "Holds")
    assert.strictEqual(verdict([op("a", add(1), 1, answered(4, 1)), op("b", add(2), 2, answered(3, 3))], 0), "Holds")
  })

  it("is broken when an addition got lost", () => {
    const history = [op("a", add(1), 1, answered(2, 1)), op("b", add(1), 3, answered(4, 1))]
    assert.strictEqual(verdict(history, 0), "Broken")
  })

  it("is broken when an addition was made twice", () => {
    const { operations, what } = brokenOf([op("a", add(1), 1, answered(2, 1)), op("b", read, 3, answered(4, 2))], 0)
    assert.strictEqual(what, "no order of these operations, from 1 on, gives \"b: read of k = 2\"")
    assert.deepStrictEqual(operations.map(({ client }) => client), ["b"])
  })

  it("is broken when two additions at the same time get the same answer", () => {
    assert.strictEqual(verdict([op("a", add(1), 1, answered(3, 1)), op("b", add(1), 2, answered(4, 1))], 0), "Broken")
  })

  it("may begin anywhere when the first value is not known", () => {
    assert.strictEqual(verdict([op("a", add(1), 1, answered(2, 8)), op("b", read, 3, answered(4, 8))]), "Holds")
    assert.strictEqual(verdict([op("a", add(1), 1, answered(2, 8)), op("b", read, 3, answered(4, 9))]), "Broken")
    assert.strictEqual(verdict([op("a", add(1), 1, answered(2, 8))], 0), "Broken")
  })

  it("may go down", () => {
    assert.strictEqual(verdict([op("a", add(-3), 1, answered(2, 2)), op("b", read, 3, answered(4, 2))], 5), "Holds")
    assert.strictEqual(
      verdict([op("a", add(-3), 1, unknown()), op("b", add(5), 2, unknown()), op("c", read, 3, answered(4, 7))], 5),
      "Holds"
    )
  })
})

describe("an operation of unknown outcome", () => {
  it("may have been done, or not", () => {
    for (const value of [0, 1]) {
      assert.strictEqual(verdict([op("a", add(1), 1, unknown()), op("b", read, 2, answered(3, value))], 0), "Holds")
    }
    assert.strictEqual(verdict([op("a", add(1), 1, unknown()), op("b", read, 2, answered(3, 2))], 0), "Broken")
  })

  it("may be done late, and once", () => {
    const late = [
      op("a", add(1), 1, unknown()),
      op("b", read, 2, answered(3, 0)),
      op("b", read, 4, answered(5, 1)),
      op("b", read, 6, answered(7, 1))
    ]
    assert.strictEqual(verdict(late, 0), "Holds")
    assert.strictEqual(verdict([...late, op("b", read, 8, answered(9, 2))], 0), "Broken")
  })

  it("is not done before it was called", () => {
    assert.strictEqual(verdict([op("b", read, 1, answered(2, 1)), op("a", add(1), 3, unknown())], 0), "Broken")
  })

  it("is not done after it was over", () => {
    const history = (until?: number) => [
      op("a", add(1), 1, unknown(until)),
      op("b", read, 4, answered(5, 0)),
      op("b", read, 6, answered(7, 1))
    ]
    assert.strictEqual(verdict(history(2), 0), "Broken")
    assert.strictEqual(verdict(history(), 0), "Holds")
    assert.strictEqual(verdict([op("a", add(1), 1, unknown(2)), op("b", read, 4, answered(5, 1))], 0), "Holds")
  })

  it("counts only as often as there are such operations, of whatever amounts", () => {
    const lost = [op("a", add(2), 1, unknown()), op("a", add(2), 2, unknown()), op("a", add(5), 3, unknown())]
    const possible = new Set([0, 2, 4, 5, 7, 9])
    for (let value = 0; value < 12; value++) {
      const expected = possible.has(value) ? "Holds" : "Broken"
      assert.strictEqual(verdict([...lost, op("b", read, 4, answered(5, value))], 0), expected, `${value}`)
    }
  })

  it("that was surely not done is left out", () => {
    assert.strictEqual(verdict([op("a", add(1), 1, notDone), op("b", read, 2, answered(3, 1))], 0), "Broken")
    assert.strictEqual(verdict([op("a", add(1), 1, notDone)], 0), "Holds")
  })
})

describe("the history of a register", () => {
  it("holds when each read answers what was written last", () => {
    const history = [
      op("a", write("x"), 1, answered(2)),
      op("b", read, 3, answered(4, "x")),
      op("a", write("y"), 5, answered(8)),
      op("b", read, 6, answered(7, "x")),
      op("b", read, 9, answered(10, "y"))
    ]
    assert.strictEqual(verdict(history), "Holds")
    assert.strictEqual(verdict(history, "x"), "Holds")
  })

  it("is broken when a read goes back", () => {
    const history = [
      op("a", write("y"), 1, answered(6)),
      op("b", read, 2, answered(3, "y")),
      op("b", read, 4, answered(5, "x"))
    ]
    assert.strictEqual(brokenOf(history, "x").operations.length, 3)
  })

  it("knows what was there at first", () => {
    assert.strictEqual(verdict([op("b", read, 1, answered(2, null))], null), "Holds")
    assert.strictEqual(verdict([op("b", read, 1, answered(2, null))]), "Holds")
    assert.strictEqual(verdict([op("b", read, 1, answered(2, null))], "x"), "Broken")
  })

  it("takes a write of unknown outcome for done where a read shows it", () => {
    const lost = [op("a", write("x"), 1, unknown()), op("a", write("y"), 2, unknown())]
    const reads = (...values: ReadonlyArray<Value>) =>
      values.map((value, i) => op("b", read, 10 + 2 * i, answered(11 + 2 * i, value)))
    assert.strictEqual(verdict([...lost, ...reads("o", "x", "y")], "o"), "Holds")
    assert.strictEqual(verdict([...lost, ...reads("o", "y", "y", "x")], "o"), "Holds")
    assert.strictEqual(verdict([...lost, ...reads("x", "y", "x")], "o"), "Broken")
    assert.strictEqual(verdict([...lost, ...reads("x", "o")], "o"), "Broken")
  })

  it("tells numbers from texts", () => {
    assert.strictEqual(verdict([op("a", write(1), 1, unknown()), op("b", read, 2, answered(3, "1"))], "o"), "Broken")
  })
})

describe("an answer that is older than one before the call", () => {
  it("is found by itself, and shown with that one and no other", () => {
    const history = [
      op("c", add(1), 0, unknown()),
      op("a", add(1), 1, answered(2, 5)),
      op("c", read, 3, answered(4, 5)),
      op("b", add(1), 5, answered(6, 5))
    ]
    const { key, operations, what } = stale(history)!
    assert.strictEqual(key, "k")
    assert.strictEqual(
      what,
      "\"b: add 1 to k = 5\" is older than \"a: add 1 to k = 5\", which was there before the call"
    )
    assert.deepStrictEqual(operations, [history[1]!, history[3]!])
    assert.deepStrictEqual(brokenOf(history, 3), { key, operations, what })
  })

  it("may be equal if it only looks, and may be older than one that came during the call", () => {
    const before = op("a", add(1), 1, answered(2, 5))
    assert.isUndefined(stale([before, op("b", read, 3, answered(4, 5))]))
    assert.isDefined(stale([before, op("b", read, 3, answered(4, 4))]))
    assert.isUndefined(stale([before, op("b", read, 1.5, answered(4, 4))]))
    assert.isUndefined(stale([before, op("b", add(0), 3, answered(4, 5))]))
  })

  it("is not looked for where a counter may go down", () => {
    const history = [op("a", add(1), 1, answered(2, 5)), op("a", add(-2), 3, answered(4, 3))]
    assert.isUndefined(stale(history))
    assert.strictEqual(verdict(history, 4), "Holds")
  })

  it("of a register is one that was surely overwritten", () => {
    const history = [
      op("a", write("x"), 1, answered(2)),
      op("a", write("y"), 3, answered(4)),
      op("b", read, 5, answered(6, "x"))
    ]
    assert.deepStrictEqual(stale(history)?.operations, [history[1]!, history[2]!])
    assert.isUndefined(stale([...history, op("c", write("x"), 3.5, answered(7))]))
    assert.isUndefined(stale([...history, op("c", write("x"), 0, unknown())]))
    assert.isUndefined(stale([history[0]!, op("a", write("y"), 1.5, answered(4)), history[2]!]))
    assert.isUndefined(stale([...history.slice(0, 2), op("b", read, 5, answered(6, "o"))]))
    assert.isUndefined(stale([...history.slice(0, 2), op("b", read, 3.5, answered(6, "x"))]))
  })
})

describe("what is shown of a broken history", () => {
  it("begins where the value was sure, and leaves out what only looked", () => {
    const history = [
      op("a", add(1), 1, answered(2, 1)),
      op("a", add(1), 3, answered(4, 2)),
      op("b", read, 5, answered(6, 2)),
      op("a", add(1), 7, answered(10, 5)),
      op("b", read, 8, answered(9, 2)),
      op("c", add(1), 11, answered(12, 6))
    ]
    const { operations, what } = brokenOf(history, 0)
    assert.strictEqual(what, "no order of these operations, from 2 on, gives \"a: add 1 to k = 5\"")
    assert.deepStrictEqual(operations, [history[3]!])
  })

  it("goes back to the beginning where what was unknown by then is needed", () => {
    const history = [
      op("a", add(1), 1, unknown()),
      op("b", read, 2, answered(3, 1)),
      op("b", read, 4, answered(5, 2))
    ]
    const { operations, what } = brokenOf(history, 0)
    assert.include(what, "from 0 on")
    assert.deepStrictEqual(operations, history)
  })
})

describe("keys", () => {
  it("are checked each for itself", () => {
    const history = ["x", "y"].flatMap((key) => [
      { ...op("a", add(1), 1, answered(2, key === "x" ? 1 : 2)), key },
      { ...op("a", read, 3, answered(4, key === "x" ? 1 : 3)), key }
    ])
    const { broken, undecided } = Linearizability.checkAll(history, (key) => key === "x" ? 0 : 1)
    assert.deepStrictEqual([broken.map(({ key }) => key), undecided], [["y"], []])
  })

  it("that there is nothing about hold", () => {
    assert.deepStrictEqual(Linearizability.checkAll([]), { broken: [], undecided: [] })
    assert.strictEqual(verdict([]), "Holds")
  })

  it("with too many possibilities are told as undecided", () => {
    const many = Array.from({ length: 18 }, (_, i) => op(`c${i}`, write(i), i, answered(60 + i)))
    assert.deepStrictEqual(Linearizability.checkAll(many, () => 0), { broken: [], undecided: ["k"] })
  })
})

/** Operations that overlap, done one after the other at moments in between; some outcomes get lost. */
const lawful = (draws: Draws.Draws, kind: "counter" | "register", n: number) => {
  let value: Value = 0
  const operations: Array<Operation> = []
  let clock = 0
  const open: Array<{ readonly client: number; readonly called: number; readonly input: Input; answer?: Value }> = []
  const inputs: ReadonlyArray<Input> = kind === "counter"
    ? [add(1), add(2), read]
    : [write(draws.below(4)), read, read]
  for (let i = 0; operations.length < n; i++) {
    const roll = draws.below(3)
    if (roll === 0 && open.length < 3) open.push({ client: i, called: clock++, input: draws.pick(inputs) })
    const one = open.length === 0 ? undefined : draws.pick(open)
    if (one === undefined) continue
    if (roll === 1 && one.answer === undefined) {
      if (one.input._tag === "Add") value = Number(value) + one.input.by
      if (one.input._tag === "Write") value = one.input.value
      one.answer = value
    }
    if (roll !== 2) continue
    const { answer, called, client, input } = one
    const outcome = draws.chance(0.2)
      ? unknown(draws.chance(0.5) && answer !== undefined ? clock++ : undefined)
      : answer === undefined
      ? undefined
      : answered(clock++, input._tag === "Write" ? undefined : answer)
    if (outcome === undefined) continue
    // One that goes on although its outcome is unknown takes effect now or never here: both are allowed.
    open.splice(open.indexOf(one), 1)
    operations.push(op(`c${client}`, input, called, outcome))
  }
  // Those that are still under way may have been done, too.
  return [...operations, ...open.map(({ called, client, input }) => op(`c${client}`, input, called, unknown()))]
}

/** Every order, and every choice of those that were not done: right for sure, and slow. */
const bruteForce = (operations: ReadonlyArray<Operation>, initial: Value): boolean => {
  const order = (one: Operation) =>
    one.outcome._tag === "Answered"
      ? one.outcome.at.order
      : one.outcome._tag === "Unknown"
      ? one.outcome.until?.order ?? Infinity
      : -1
  const go = (value: Value, left: ReadonlyArray<Operation>): boolean => {
    if (left.every(({ outcome }) => outcome._tag !== "Answered")) return true
    return left.some((one) => {
      const rest = left.filter((other) => other !== one)
      // It may come next unless another was over before it was called.
      if (rest.some((other) => order(other) < one.called.order && other.outcome._tag === "Answered")) return false
      const over = rest.filter((other) => other.outcome._tag !== "Unknown" || order(other) > one.called.order)
      const { input, outcome } = one
      const next: Value = input._tag === "Add" ? Number(value) + input.by : input._tag === "Write" ? input.value : value
      const fits = outcome._tag !== "Answered" || outcome.value === undefined || outcome.value === next
      return fits && go(next, over)
    })
  }
  return go(initial, operations.filter(({ outcome }) => outcome._tag !== "NotDone"))
}

/** The same operation with another answer. */
const other = (one: Operation, by: number): Operation => {
  const { outcome } = one
  if (outcome._tag !== "Answered" || outcome.value === undefined) return one
  return { ...one, outcome: { ...outcome, value: Number(outcome.value) + by } }
}

const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))

describe("against every order there is", () => {
  for (const kind of ["counter", "register"] as const) {
    it.prop(`a ${kind} whose operations were done one after the other holds`, [Seed], ([seed]) => {
      assert.strictEqual(verdict(lawful(Draws.make(seed), kind, 40), 0), "Holds", `seed ${seed}`)
    })

    it.prop(`a ${kind} with one wrong answer is judged as brute force judges it`, [Seed], ([seed]) => {
      const draws = Draws.make(seed)
      const history = lawful(draws, kind, 6)
      const changed = draws.below(history.length)
      const by = draws.pick([-1, 1])
      const wrong = history.map((one, i) => i === changed ? other(one, by) : one)
      assert.strictEqual(verdict(wrong, 0), bruteForce(wrong, 0) ? "Holds" : "Broken", `seed ${seed}`)
    })
  }
})
