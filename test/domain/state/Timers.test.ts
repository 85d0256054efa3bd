import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Timers from "../../../src/domain/state/Timers.ts"

const timer = (name: string, due: number, every?: number): Timers.Timer => ({
  name,
  due,
  ...(every === undefined ? {} : { every }),
  message: "Ring",
  payload: {}
})

const named = (timers: Timers.Timers) => timers.map(({ due, name }) => [name, due])

describe("timers", () => {
  it("are unique by name: one that is set takes the place of another, one that is cancelled is gone", () => {
    const set = (name: string, due: number): Timers.Change => ({ _tag: "Set", timer: timer(name, due) })
    const after = Timers.changed([timer("a", 1), timer("b", 2)], [
      set("c", 3),
      set("a", 9),
      { _tag: "Cancel", name: "b" },
      { _tag: "Cancel", name: "nobody" }
    ])
    assert.deepStrictEqual(named(after), [["a", 9], ["c", 3]])
    assert.strictEqual(Timers.earliest(after), 3)
    assert.isUndefined(
      Timers.earliest(Timers.changed(after, [{ _tag: "Cancel", name: "a" }, { _tag: "Cancel", name: "c" }]))
    )
  })

  it("that are due come in the order of their times, each with how late it is and how often it was missed", () => {
    const all = [timer("late", 5, 10), timer("later", 100), timer("first", 1), timer("now", 37)]
    assert.deepStrictEqual(Timers.due(all, 37).map(({ late, missed, timer: { name } }) => [name, late, missed]), [
      ["first", 36, 0],
      ["late", 32, 3],
      ["now", 0, 0]
    ])
  })

  it.prop("that repeat are due next at a whole number of periods, after now", {
    due: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })),
    every: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 50 })),
    late: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2000 }))
  }, ({ due, every, late }) => {
    const [one] = Timers.due([timer("tick", due, every)], due + late)
    const [next] = Timers.handled([timer("tick", due, every)], one!)
    assert.isAbove(next!.due, due + late)
    assert.isAtMost(next!.due, due + late + every)
    assert.strictEqual((next!.due - due) % every, 0)
    assert.strictEqual((next!.due - due) / every, one!.missed + 1)
  })

  it("are due first as the earliest of them, whatever their order", () => {
    assert.isUndefined(Timers.earliest([]))
    for (const dues of [[3, 1, 2], [1, 2, 3], [2, 3, 1], [1, 1]]) {
      assert.strictEqual(Timers.earliest(dues.map((due, i) => timer(`${i}`, due))), 1)
    }
  })

  it("that were handled are gone, unless they were set anew meanwhile", () => {
    const [one] = Timers.due([timer("a", 1)], 5)
    assert.deepStrictEqual(Timers.handled([timer("a", 1), timer("b", 1)], one!), [timer("b", 1)])
    assert.deepStrictEqual(Timers.handled([timer("a", 7)], one!), [timer("a", 7)])
    assert.isFalse(Timers.isSet([timer("a", 7)], one!))
    assert.isTrue(Timers.isSet([timer("a", 1)], one!))
    assert.isFalse(Timers.isSet([timer("b", 1)], one!))
    // It need not be the very one.
    assert.isTrue(Timers.isSet([timer("b", 1), structuredClone(timer("a", 1))], one!))
    // To the same time, but another message.
    assert.isFalse(Timers.isSet([{ ...timer("a", 1), message: "Close" }], one!))
    assert.isFalse(Timers.isSet([{ ...timer("a", 1), payload: { note: "other" } }], one!))
  })

  const Op = Schema.Struct({ sets: Schema.Boolean, count: Schema.Literals([0, 1, 2]) })
  it.prop("of a snapshot are those set last up to it, whatever is dropped that no snapshot needs", {
    ops: Schema.Array(Op),
    kept: Schema.Literals([1, 2, 3])
  }, ({ kept, ops }) => {
    let rows: ReadonlyArray<Timers.Row> | undefined
    let now: Timers.Timers = []
    const expected: Array<Timers.Timers> = []
    for (const [i, { count, sets }] of ops.entries()) {
      const seq = i + 1
      const oldest = Math.max(1, seq - kept + 1)
      if (sets) {
        now = [timer("a", seq), timer("b", seq)].slice(0, count)
        rows = Timers.recorded(rows, seq, now, oldest)
        assert.isAtMost(rows.filter((row) => row.seq <= oldest).length, 1)
      }
      expected.push(now)
      for (let one = oldest; one <= seq; one++) assert.deepStrictEqual(Timers.asOf(rows, one), expected[one - 1])
      const back = Timers.upTo(rows, oldest)
      assert.deepStrictEqual(Timers.asOf(back, seq), expected[oldest - 1])
    }
  })
})
