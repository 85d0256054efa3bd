import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { DueKey } from "../../../../src/domain/state/stored/SnapshotRecord.ts"
import type { Timers } from "../../../../src/domain/state/Timers.ts"
import { DueIndex } from "../../../../src/layers/state/store/DueIndex.ts"

const timers = (due: number): Timers => [{ name: "a", due, message: "Ring", payload: {} }]

const Op = Schema.Struct({
  key: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 30 })),
  due: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })),
  isGone: Schema.Boolean
})

/** All of it, in pages. */
const paged = (index: DueIndex, limit: number): ReadonlyArray<DueKey> => {
  const found: Array<DueKey> = []
  for (let page = index.page(limit); page.length > 0; page = index.page(limit, found.at(-1))) found.push(...page)
  return found
}

const byDue = (a: readonly [string, number], b: readonly [string, number]) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1)

describe("an index of due times", () => {
  it.prop("has what was set last of each key, in the order of due times", { ops: Schema.Array(Op) }, ({ ops }) => {
    const index = new DueIndex()
    const model = new Map<string, number>()
    for (const { due, isGone, key } of ops) {
      index.set(`k${key}`, isGone ? [] : timers(due))
      if (isGone) model.delete(`k${key}`)
      else model.set(`k${key}`, due)
    }
    const expected = [...model].sort(byDue)
    for (const limit of [1, 3, 100]) {
      assert.deepStrictEqual(paged(index, limit).map(({ due, key }) => [key, due]), expected)
    }
    assert.strictEqual(index.size, model.size)
    const until = index.page(100, undefined, 4).map(({ due }) => due)
    assert.strictEqual(until.filter((due) => due > 4).length, expected.some(([, due]) => due > 4) ? 1 : 0)
  })

  it("keeps its order through ten thousand changes", () => {
    const index = new DueIndex()
    const model = new Map<string, number>()
    for (let i = 0; i < 10_000; i++) {
      const key = `k${(i * 7919) % 3000}`
      const due = (i * 104_729) % 997
      index.set(key, i % 5 === 0 ? [] : timers(due))
      if (i % 5 === 0) model.delete(key)
      else model.set(key, due)
    }
    assert.deepStrictEqual(paged(index, 700).map(({ due, key }) => [key, due]), [...model].sort(byDue))
  })
})
