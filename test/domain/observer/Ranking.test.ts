/**
 * Those that are kept of a ranking are the first of all, and a column is sorted one way, the other way, and not at all.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { columns, next, type Sort, Top } from "../../../src/domain/observer/Ranking.ts"

const Number = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))
const Ranks = Schema.Union([Schema.Array(Number), Schema.Array(Schema.Literals(["a", "b", "ab", ""]))])
const Most = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 8 }))

describe("the first of a ranking", () => {
  it.prop(
    "are the first of all that it was offered, of equals those that came first",
    [Ranks, Most, Schema.Literals(["ascending", "descending"])],
    ([ranks, most, order]) => {
      const top = new Top<number>(most, order)
      ranks.forEach((rank, place) => top.offer(rank, place))
      const sign = order === "ascending" ? 1 : -1
      const places = Array.from(ranks.keys())
      const sorted = places.sort((a, b) => sign * (ranks[a]! < ranks[b]! ? -1 : ranks[a]! > ranks[b]! ? 1 : 0))
      assert.deepStrictEqual(top.all, sorted.slice(0, most))
    }
  )
})

describe("a column", () => {
  it("is sorted one way, then the other, then not: the largest first, but of names", () => {
    for (const by of columns) {
      const orders: Array<Sort["order"] | undefined> = []
      let sort: Sort | null = null
      do {
        sort = next(sort, by)
        orders.push(sort?.order)
      } while (sort !== null)
      const both: ReadonlyArray<Sort["order"]> = ["descending", "ascending"]
      assert.deepStrictEqual(orders, [...(by === "name" ? [...both].reverse() : both), undefined])
    }
  })

  it("that is another one is sorted anew", () => {
    assert.deepStrictEqual(next({ by: "name", order: "descending" }, "mailbox"), { by: "mailbox", order: "descending" })
  })
})
