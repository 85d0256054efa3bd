import { assert, describe, it } from "@effect/vitest"
import { Effect, Ref, Schema } from "effect"
import * as Generations from "../../../../src/domain/state/Generations.ts"
import * as Overwritten from "../../../../src/layers/state/cell/Overwritten.ts"
import { RefCompanion, restOf } from "../../../../src/layers/state/companion/RefCompanion.ts"

const Commits = Schema.Array(Schema.Struct({
  by: Schema.Literals(["call", "cast", "callback", "person"]),
  state: Schema.Literals([0, 1, 2]),
  incarnation: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3 }))
}))

describe("the short way of a commit", () => {
  it.prop(
    "makes of the books what the plain way does, and changes none that were read before",
    [Commits],
    ([commits]) => {
      const short = Overwritten.make<unknown>()
      const plain = Ref.makeUnsafe<Generations.Generations<unknown>>(undefined)
      const companions = [short, plain].map((cell) => new RefCompanion<unknown>("a", restOf(undefined), cell))
      const read: Array<readonly [unknown, string]> = []
      for (const { by, incarnation, state } of commits) {
        for (const companion of companions) assert.isTrue(companion.commit(incarnation, state, by))
        const books = Ref.getUnsafe(short)
        assert.deepStrictEqual(books, Ref.getUnsafe(plain))
        read.push([books, JSON.stringify(books)])
        for (const [before, text] of read) assert.strictEqual(JSON.stringify(before), text)
      }
    }
  )

  it.effect("is that of a Ref, which does what every Ref does", () =>
    Effect.gen(function*() {
      const cell: Ref.Ref<Generations.Generations<number>> = Overwritten.make<number>()
      const plain = yield* Ref.make<Generations.Generations<number>>(undefined)
      const first = Generations.commit<number>(undefined, { state: 1, seq: 1, incarnation: 1 }, "call")
      const second = Generations.commit(first, { state: 2, seq: 2, incarnation: 1 }, "call")
      for (const ref of [cell, plain]) {
        assert.isUndefined(yield* Ref.get(ref))
        yield* Ref.set(ref, first)
        assert.deepStrictEqual(yield* Ref.getAndSet(ref, second), first)
        assert.deepStrictEqual(yield* Ref.updateAndGet(ref, (books) => books && Generations.handled(books)), {
          ...second,
          trust: "trusted"
        })
        assert.strictEqual(ref.ref.pipe((mutable) => mutable.current?.seq), 2)
      }
      assert.deepStrictEqual(JSON.stringify(cell), JSON.stringify(plain))
      assert.strictEqual(String(cell.ref), String(plain.ref))
    }))
})
