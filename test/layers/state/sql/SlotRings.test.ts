/** Which slot of a key's ring is written next: held against what a database would hold. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as KeyText from "../../../../src/domain/state/stored/KeyText.ts"
import type { SnapshotRecord } from "../../../../src/domain/state/stored/SnapshotRecord.ts"
import * as RowSums from "../../../../src/layers/state/rows/RowSums.ts"
import { type EpochRows, SlotRings } from "../../../../src/layers/state/sql/SlotRings.ts"

const record = (key: string, seq: number, epoch = 1, trusted = 0): SnapshotRecord => ({
  key,
  epoch,
  seq,
  version: 3,
  trusted,
  at: 1000 + seq,
  state: `s${seq}`
})

const slotsOf = (planned: ReturnType<SlotRings["plan"]>): ReadonlyArray<readonly [string, number, number]> =>
  "_tag" in planned ? [] : planned.flatMap(({ rows }) => rows.map(({ key, seq, slot }) => [key, slot, seq] as const))

const learnt = (limit: number, keys: ReadonlyArray<string> = ["a"], epoch = 1) => {
  const rings = new SlotRings(limit)
  rings.learn(new Map(keys.map((key) => [key, epoch])), [])
  return rings
}

/** A batch that is stored. */
const write = (rings: SlotRings, records: ReadonlyArray<SnapshotRecord>) => {
  assert.isUndefined(rings.missing(records))
  const planned = rings.plan(records)
  rings.stored()
  return slotsOf(planned)
}

const Save = Schema.Struct({
  key: Schema.Literals(["a", "b%"]),
  trusts: Schema.Boolean,
  forgets: Schema.Boolean
})

describe("the slots of a key", () => {
  it("are filled one after the other, and then the oldest is written over, but never the newest that is trusted", () => {
    const rings = learnt(3)
    assert.isTrue(new SlotRings(3).areNone)
    assert.isFalse(rings.areNone)
    const written = [1, 2, 3, 4, 5, 6].map((seq) => write(rings, [record("a", seq, 1, seq >= 4 ? 2 : 0)])[0]![1])
    assert.deepStrictEqual(written, [0, 1, 2, 0, 2, 0])
  })

  it("one that is written again keeps its slot, and a free one comes before any that is in use", () => {
    const rings = new SlotRings(4)
    rings.learn(new Map([["a", 1]]), [
      { text: "a", slot: 2, seq: 7, epoch: 1 },
      { text: "a", slot: 0, seq: 5, epoch: 1 }
    ])
    assert.deepStrictEqual(write(rings, [record("a", 7)]), [["a", 2, 7]])
    assert.deepStrictEqual(write(rings, [record("a", 8)]), [["a", 1, 8]])
    assert.deepStrictEqual(write(rings, [record("a", 9)]), [["a", 3, 9]])
    assert.deepStrictEqual(write(rings, [record("a", 10)]), [["a", 0, 10]])
  })

  it("a row has what the record has, and what it adds up to", () => {
    const rings = learnt(3, ["a%"])
    const one = record("a%", 1, 1)
    const planned = rings.plan([one])
    const text = KeyText.encode("a%")
    const { at, seq, state, trusted, version } = one
    const sum = RowSums.ofSnapshot(RowSums.ofText(text), one)
    assert.deepStrictEqual(planned, [{
      epoch: 1,
      rows: [{ key: text, slot: 0, seq, version, trusted, at, state, sum }]
    }])
    assert.deepStrictEqual(rings.heads, [{ id: RowSums.idOf(text), seq: 1 }])
  })

  it("what a damaged row says of its place is not believed: no slot there may be, no number that is none", () => {
    const rings = new SlotRings(3)
    rings.learn(new Map([["a", 1]]), [
      { text: "a", slot: -1, seq: 9, epoch: 50 },
      { text: "a", slot: 10_000, seq: 9, epoch: 50 },
      { text: "a", slot: NaN, seq: 9, epoch: 50 },
      { text: "b", slot: 0, seq: 9, epoch: 50 },
      { text: "a", slot: 0, seq: 4, epoch: 1 },
      { text: "a", slot: 1, seq: 0.5, epoch: 1 }
    ])
    assert.deepStrictEqual(write(rings, [record("a", 5)]), [["a", 1, 5]])
    assert.deepStrictEqual(write(rings, [record("a", 6)]), [["a", 2, 6]])
    assert.deepStrictEqual(write(rings, [record("a", 7)]), [["a", 0, 7]])
    const large = new SlotRings(3)
    large.learn(new Map([["a", 1]]), [{ text: "a", slot: 9_999, seq: 9, epoch: 50 }])
    assert.deepStrictEqual(large.plan([record("a", 10)]), {
      _tag: "Fenced",
      key: "a",
      epoch: 1,
      current: 50
    })
  })
})

describe("a batch", () => {
  it("of two snapshots that come into one slot has the later one, and of two keys both", () => {
    const rings = learnt(2, ["a", "b"])
    assert.deepStrictEqual(write(rings, [record("a", 1), record("b", 1), record("a", 2), record("a", 3)]), [
      ["a", 0, 3],
      ["b", 0, 1],
      ["a", 1, 2]
    ])
    assert.deepStrictEqual(rings.heads.map(({ seq }) => seq), [1, 1, 2, 3])
    const alone = learnt(1, ["a", "b"])
    assert.deepStrictEqual(write(alone, [record("b", 1), record("a", 1), record("a", 2)]), [["b", 0, 1], ["a", 0, 2]])
  })

  it("has the rows of each epoch by themselves, and says whether a key is written under two", () => {
    const rings = new SlotRings(2)
    rings.learn(new Map([["a", 1], ["b", 2], ["c", 1]]), [])
    const groups = (planned: ReturnType<SlotRings["plan"]>) =>
      (planned as ReadonlyArray<EpochRows>).map(({ epoch, rows }) =>
        `${epoch}: ${rows.map(({ key, seq }) => key + seq).join(" ")}`
      )
    assert.deepStrictEqual(groups(rings.plan([record("a", 1), record("b", 1, 2), record("c", 1), record("b", 2, 2)])), [
      "1: a1 c1",
      "2: b1 b2"
    ])
    assert.isFalse(rings.isSplit)
    rings.stored()
    assert.deepStrictEqual(groups(rings.plan([record("a", 2), record("a", 3, 2)])), ["1: a2", "2: a3"])
    assert.isTrue(rings.isSplit)
    rings.stored()
    assert.deepStrictEqual([...rings.missing([record("a", 4)]) ?? []], [])
    rings.learn(new Map([["a", 2]]), [])
    rings.plan([record("a", 4, 2), record("a", 5, 2)])
    assert.isFalse(rings.isSplit)
  })

  it("is refused whole where a younger session has written one of its keys, and that key alone is named", () => {
    const rings = new SlotRings(2)
    rings.learn(new Map([["a", 1], ["b", 1]]), [{ text: "b", slot: 0, seq: 3, epoch: 2 }])
    const refused = rings.plan([record("a", 1), record("b", 4)])
    assert.deepStrictEqual(refused, { _tag: "Fenced", key: "b", epoch: 1, current: 2 })
    // Of a key that two have written the younger counts, in whatever slot.
    const both = new SlotRings(2)
    both.learn(new Map([["b", 1]]), [
      { text: "b", slot: 0, seq: 3, epoch: 2 },
      { text: "b", slot: 1, seq: 2, epoch: 1 }
    ])
    assert.deepStrictEqual(both.plan([record("b", 4)]), refused)
    // All of it is read again: what was found may be over.
    assert.deepStrictEqual([...rings.missing([record("a", 1), record("b", 4)])!], [["a", 1], ["b", 1]])
  })

  it("that was not stored is forgotten, and its keys are read again, and no others", () => {
    const rings = learnt(2, ["a", "b"])
    rings.plan([record("a", 1)])
    assert.deepStrictEqual([...rings.missing([record("b", 1), record("a", 1)])!], [["a", 1]])
    rings.learn(new Map([["a", 1]]), [])
    rings.plan([record("a", 1)])
    rings.stored()
    assert.isUndefined(rings.missing([record("a", 2), record("b", 1)]))
  })

  it("under another epoch finds nothing remembered, nor after its key was forgotten", () => {
    const rings = learnt(2, ["a", "b"])
    assert.deepStrictEqual([...rings.missing([record("a", 1, 2), record("b", 1)])!], [["a", 2]])
    rings.forget(["a"])
    assert.deepStrictEqual([...rings.missing([record("a", 1), record("b", 1)])!], [["a", 1]])
    rings.forget(["b"])
    assert.isTrue(rings.areNone)
  })

  it("of however many keys remembers them until it is stored, and then a hundred thousand, the last that came", () => {
    const keys = Array.from({ length: 100_002 }, (_, i) => `k${i}`)
    const rings = learnt(2, keys)
    const records = keys.map((key) => record(key, 1))
    assert.isUndefined(rings.missing(records))
    rings.plan(records)
    rings.stored()
    rings.stored()
    assert.deepStrictEqual([...rings.missing(records)!.keys()], ["k0", "k1"])
    rings.learn(new Map([["k0", 1]]), [])
    rings.stored()
    assert.deepStrictEqual([...rings.missing(records)!.keys()], ["k1", "k2"])
    rings.forget(["k3"])
    rings.stored()
    assert.deepStrictEqual([...rings.missing(records.slice(4))?.keys() ?? []], [])
  })

  it.prop("puts what the database holds where a reading of it would", { saves: Schema.Array(Save) }, ({ saves }) => {
    const limit = 3
    const rings = learnt(limit, ["a", "b%"])
    const rows = new Map<string, { text: string; slot: number; seq: number; epoch: number }>()
    let seq = 0
    for (const { forgets, key, trusts } of saves) {
      const one = record(key, ++seq, 1, trusts ? seq - 1 : 0)
      if (forgets) rings.forget([key])
      const missing = rings.missing([one])
      assert.strictEqual(missing !== undefined, forgets)
      if (missing !== undefined) rings.learn(missing, [...rows.values()])
      const remembered = slotsOf(rings.plan([one]))
      const fresh = new SlotRings(limit)
      fresh.learn(new Map([[key, 1]]), [...rows.values()])
      assert.deepStrictEqual(slotsOf(fresh.plan([one])), remembered)
      rings.stored()
      const [[text, slot]] = remembered as [readonly [string, number, number]]
      rows.set(`${text} ${slot}`, { text, slot, seq, epoch: 1 })
      assert.isAtMost(rows.size, 2 * limit)
    }
  })
})
