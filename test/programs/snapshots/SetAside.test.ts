import { assert, describe, it } from "@effect/vitest"
import type { AsideRecord, SnapshotRecord } from "../../../src/domain/state/stored/SnapshotRecord.ts"
import { damaged, isOf, newest, step } from "../../../src/programs/snapshots/SetAside.ts"

const record = (seq: number, more: Partial<SnapshotRecord> = {}): SnapshotRecord => ({
  key: "app/Till",
  epoch: 1,
  seq,
  version: 1,
  state: `${seq}`,
  trusted: seq - 1,
  at: 0,
  ...more
})
const aside = (seq: number, more: Partial<AsideRecord> = {}): AsideRecord => ({
  ...record(seq),
  why: "it crashed",
  asideAt: 100,
  ...more
})

describe("a snapshot that was set aside", () => {
  it("belongs to a class by its id, or by its id and a key: not by the beginning of a name", () => {
    assert.deepStrictEqual(
      ["app/Till", "app/Till/ann", "app/Tillage", "app/Tillage/ann"].map((key) => isOf(key, "app/Till")),
      [true, true, false, false]
    )
    assert.isTrue(isOf("app/Tillage", ""))
  })

  it("is the newest of each key, by key", () => {
    const found = newest([aside(2, { key: "b" }), aside(5, { key: "a" }), aside(4, { key: "a" })], { id: "", since: 0 })
    assert.deepStrictEqual(found.map(({ key, seq }) => [key, seq]), [["a", 5], ["b", 2]])
  })

  it("is one that is whole: a damaged one comes back for none, and hides no other", () => {
    const all = [
      aside(4),
      aside(5, { damaged: "bad sum" }),
      aside(6, { state: "{\"cou" }),
      aside(NaN, { damaged: "bad" })
    ]
    const which = { id: "", since: 0 }
    assert.deepStrictEqual(newest(all, which).map(({ seq }) => seq), [4])
    assert.deepStrictEqual(damaged(all, { ...which, since: 1e9 }).map(({ seq }) => seq), [5, 6, NaN])
  })

  it("is what was set aside then or later", () => {
    const all = [aside(5, { asideAt: 99 }), aside(4, { asideAt: 100 })]
    assert.deepStrictEqual(newest(all, { id: "", since: 100 }).map(({ seq }) => seq), [4])
    assert.deepStrictEqual(newest(all, { id: "", since: 101 }), [])
  })
})

describe("a server whose snapshot was set aside", () => {
  const standing = (kept: ReadonlyArray<SnapshotRecord>) => step(aside(3), kept).standing

  it("is out when there is nothing else, or only older ones", () => {
    assert.strictEqual(standing([]), "out")
    assert.strictEqual(standing([record(1), record(2)]), "out")
    assert.strictEqual(step(aside(3), [record(1), record(2)]).kept, 2)
    assert.isUndefined(step(aside(3), []).kept)
  })

  it("went on when a younger one was committed", () => {
    assert.strictEqual(standing([record(2), record(4, { epoch: 2 })]), "wentOn")
  })

  it("was chosen by hand when a younger session has written an older one: a person went back to it", () => {
    assert.strictEqual(standing([record(1, { epoch: 2 })]), "chosen")
  })

  it("is back when the newest is the very same state", () => {
    const same = { epoch: 2, state: "3" }
    assert.strictEqual(standing([record(2), record(4, same)]), "back")
    assert.strictEqual(standing([record(5, { epoch: 2 }), record(4, same)]), "wentOn")
    assert.strictEqual(standing([record(4, { ...same, version: 2 })]), "wentOn")
  })
})
