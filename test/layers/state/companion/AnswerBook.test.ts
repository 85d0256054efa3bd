import { assert, describe, it } from "@effect/vitest"
import { AnswerBook } from "../../../../src/layers/state/companion/AnswerBook.ts"

const day = 86_400_000

const answer = (id: string, at = 0) => ({ id, at, body: id })

const ids = (book: AnswerBook, among: ReadonlyArray<string>) => among.filter((id) => book.find(id) !== undefined)

describe("the answers on record", () => {
  it("are as many as the limits say: the oldest give way", () => {
    const book = new AnswerBook({ maxCount: 2, maxAge: day })
    for (const [i, id] of ["a", "b", "c"].entries()) book.record(answer(id), i + 1)
    assert.deepStrictEqual(ids(book, ["a", "b", "c"]), ["b", "c"])
    assert.strictEqual(book.oldest, 2)
  })

  it("are no older than the limits say", () => {
    const book = new AnswerBook({ maxCount: 10, maxAge: day })
    book.record(answer("a", 0), 1)
    book.record(answer("b", 1), 2)
    book.record(answer("c", day), 3)
    assert.deepStrictEqual(ids(book, ["a", "b", "c"]), ["a", "b", "c"])
    book.record(answer("d", day + 1), 4)
    assert.deepStrictEqual(ids(book, ["a", "b", "c", "d"]), ["b", "c", "d"])
  })

  it("are a thousand and a day by default", () => {
    const book = new AnswerBook(undefined)
    for (let i = 1; i <= 1001; i++) book.record(answer(String(i)), i)
    assert.deepStrictEqual(ids(book, ["1", "2", "1001"]), ["2", "1001"])
    book.record(answer("late", day + 1), 1002)
    assert.deepStrictEqual(ids(book, ["2", "1001", "late"]), ["late"])
  })

  it("that are not written to a store are no more than those on record", () => {
    const book = new AnswerBook({ maxCount: 3, maxAge: day })
    for (let i = 1; i <= 100; i++) book.record(answer(String(i)), i)
    assert.deepStrictEqual(book.unsaved.map(({ id }) => id), ["98", "99", "100"])
  })

  it("go with the states that are given up, written or not", () => {
    const book = new AnswerBook(undefined)
    for (const [i, id] of ["a", "b", "c"].entries()) book.record(answer(id), i + 1)
    book.rollBack(1)
    assert.deepStrictEqual(ids(book, ["a", "b", "c"]), ["a"])
    assert.deepStrictEqual(book.unsaved.map(({ id }) => id), ["a"])
  })
})
