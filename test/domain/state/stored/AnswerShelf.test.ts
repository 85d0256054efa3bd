import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as MadeKey from "../../../../src/domain/state/MadeKey.ts"
import { AnswerShelf } from "../../../../src/domain/state/stored/AnswerShelf.ts"

const small = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 1, maximum }))
const Step = Schema.Struct({ ids: Schema.Array(small(9)), seq: small(20), before: small(20), madeBefore: small(20) })

/** Every third is under a key that a client has made. */
const idOf = (id: number) => id % 3 === 0 ? MadeKey.make(`${id}`, 5000) : `${id}`
const answer = (id: number, seq: number) => ({ id: idOf(id), seq, at: seq, body: "x".repeat(id) })

describe("the answers of one key", () => {
  it.prop(
    "are those of a plain list, in the order of their snapshots, of each kind of key",
    [Schema.Array(Step)],
    ([steps]) => {
      const shelf = new AnswerShelf()
      let plain: Array<ReturnType<typeof answer>> = []
      for (const { before, ids, madeBefore, seq } of steps) {
        const added = ids.map((id) => answer(id, seq))
        for (const one of added) plain = [...plain.filter(({ id }) => id !== one.id), one]
        plain = plain.filter((one) => one.seq >= (MadeKey.isMade(one.id) ? madeBefore : before))
        shelf.add(added)
        shelf.forgetBefore(before)
        shelf.forgetMadeBefore(madeBefore)
        const kind = ({ id }: { readonly id: string }) => Number(MadeKey.isMade(id))
        assert.deepStrictEqual([...shelf], [...plain].sort((a, b) => kind(a) - kind(b) || a.seq - b.seq))
        assert.strictEqual(shelf.size, new AnswerShelf(plain).size)
      }
    }
  )

  it("take as much room as is written of them", () => {
    const shelf = new AnswerShelf([answer(1, 1), answer(9, 2)])
    const { size } = shelf
    const sizeOf = (id: string, body: string) => new AnswerShelf([{ id, body, seq: 1, at: 1 }]).size
    assert.deepStrictEqual(
      [sizeOf("ab", "cde") - sizeOf("", ""), sizeOf("", "cde") - sizeOf("", "")],
      [5, 3]
    )
    // Of both kinds of key together.
    assert.strictEqual(size, new AnswerShelf([answer(1, 1)]).size + new AnswerShelf([answer(9, 2)]).size)
    assert.strictEqual(shelf.count, 2)
    shelf.add([answer(5, 3)])
    assert.isAbove(shelf.size, size)
    shelf.forgetBefore(4)
    shelf.forgetMadeBefore(4)
    assert.deepStrictEqual([shelf.size, shelf.count], [0, 0])
  })
})
