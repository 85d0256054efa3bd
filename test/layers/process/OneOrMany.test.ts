import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import * as OneOrMany from "../../../src/layers/process/OneOrMany.ts"

interface Named {
  readonly name: number
}

const some: ReadonlyArray<Named> = [0, 1, 2, 3].map((name) => ({ name }))

const Step = Schema.Struct({
  what: Schema.Literals(["add", "remove"]),
  which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))
})

const listed = (known: OneOrMany.OneOrMany<Named>) => OneOrMany.filter(known, () => true)

it.prop("holds what a Set holds, in the same order", [Schema.Array(Step)], ([steps]) => {
  let known: OneOrMany.OneOrMany<Named> = undefined
  const expected = new Set<Named>()
  for (const { what, which } of steps) {
    const one = some[which]!
    if (what === "add") expected.add(one)
    else expected.delete(one)
    known = what === "add" ? OneOrMany.add(known, one) : OneOrMany.remove(known, one)
    assert.deepStrictEqual(listed(known), Array.from(expected))
    assert.strictEqual(OneOrMany.first(known), expected.values().next().value)
    assert.deepStrictEqual(
      OneOrMany.filter(known, ({ name }) => name > 1),
      Array.from(expected).filter(({ name }) => name > 1)
    )
  }
})

it("is nothing but the one while there is one, and nothing at all when none is left", () => {
  const [first, second] = [some[0]!, some[1]!]
  assert.strictEqual(OneOrMany.add(undefined, first), first)
  assert.strictEqual(OneOrMany.add(first, first), first)
  assert.isUndefined(OneOrMany.remove(first, first))
  assert.isUndefined(OneOrMany.remove(OneOrMany.remove(OneOrMany.add(first, second), first), second))
})
