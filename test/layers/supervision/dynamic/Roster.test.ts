/** Members and their records: as a `Map` from members would keep them through any changes. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Roster } from "../../../../src/layers/supervision/dynamic/Roster.ts"

class Child {
  slot = -1
}

const Op = Schema.Struct({
  op: Schema.Literals(["set", "set", "set", "delete", "delete"]),
  who: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 199 })),
  // Many at a time, so that gaps are closed up.
  count: Schema.Literals([1, 10, 80])
})

it.effect.prop(
  "any sequence of changes leaves what a map has, in the same order",
  { ops: Schema.Array(Op) },
  ({ ops }) =>
    Effect.sync(() => {
      const everybody = Array.from({ length: 280 }, () => new Child())
      const roster = new Roster<Child, number>()
      const map = new Map<Child, number>()
      for (const [n, { count, op, who }] of ops.entries()) {
        for (const child of everybody.slice(who, who + count)) {
          if (op === "set") {
            roster.set(child, n)
            map.set(child, n)
          } else {
            roster.delete(child)
            map.delete(child)
          }
        }
        const expected = Array.from(map.keys())
        assert.isTrue(roster.list().every((child, i) => child === expected[i]), "they are listed in their order")
        assert.deepStrictEqual([roster.size, roster.list().length], [map.size, map.size])
        assert.isTrue(everybody.every((child) => roster.get(child) === map.get(child)), "each has its value")
      }
    }),
  { arbitrary: { runs: 100 } }
)

it("a member of another roster is none of this one's", () => {
  const [left, right] = [new Roster<Child, string>(), new Roster<Child, string>()]
  const [a, b] = [new Child(), new Child()]
  left.set(a, "left")
  right.set(b, "right")
  assert.isUndefined(left.get(b))
  left.delete(b)
  assert.deepStrictEqual(left.list(), [a])
  assert.strictEqual(right.get(b), "right")
})

it("an element that comes and goes leaves no place behind", () => {
  const roster = new Roster<Child, string>()
  const stays = new Child()
  roster.set(stays, "here")
  for (let i = 0; i < 10_000; i++) {
    const child = new Child()
    roster.set(child, "passing")
    roster.delete(child)
    assert.isBelow(child.slot, 100)
  }
  assert.deepStrictEqual(roster.list(), [stays])
})
