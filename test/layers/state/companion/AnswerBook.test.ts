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

  it("that are recorded anew are the newest: others give way before them", () => {
    const book = new AnswerBook({ maxCount: 2, maxAge: day })
    for (const [i, id] of ["a", "b", "a", "c"].entries()) book.record(answer(id), i + 1)
    assert.deepStrictEqual(ids(book, ["a", "b", "c"]), ["a", "c"])
    assert.strictEqual(book.oldest, 3)
  })

  it("a store is asked to forget some only when some are on record no more", () => {
    const book = new AnswerBook({ maxCount: 2, maxAge: day })
    const forgotten = ["a", "b", "c"].map((id, i) => {
      book.record(answer(id), i + 1)
      return book.take().forgetAnswersBefore
    })
    assert.deepStrictEqual([...forgotten, book.take().forgetAnswersBefore], [0, 0, 2, 0])
  })

  it("are a thousand and a day by default", () => {
    const book = new AnswerBook(undefined)
    for (let i = 1; i <= 1001; i++) book.record(answer(String(i)), i)
    assert.deepStrictEqual(ids(book, ["1", "2", "1001"]), ["2", "1001"])
    book.record(answer("late", day + 1), 1002)
    assert.deepStrictEqual(ids(book, ["2", "1001", "late"]), ["late"])
  })

  for (const [how, by] of [["forward", 100 * day], ["back", -100 * day]] as const) {
    it(`of the process before are kept when the clock was set ${how} since: what lies between counts as little`, () => {
      const book = new AnswerBook({ maxCount: 10, maxAge: day })
      book.load([{ ...answer("old", 1000), seq: 1 }, { ...answer("new", 2000), seq: 2 }])
      book.record(answer("next", 2000 + by), 3)
      assert.deepStrictEqual(ids(book, ["old", "new", "next"]), ["old", "new", "next"])
      // From then on a day is a day, and the dates that are written go on from those that were.
      const gap = by > 0 ? day / 24 : 0
      assert.strictEqual(book.find("next")?.at, 2000 + gap)
      book.record(answer("later", 2000 + by + day - gap), 4)
      assert.deepStrictEqual(ids(book, ["old", "new", "next", "later"]), ["new", "next", "later"])
      const again = new AnswerBook({ maxCount: 10, maxAge: day })
      again.load([book.find("next")!, book.find("later")!])
      again.record(answer("last", 0), 5)
      assert.deepStrictEqual(ids(again, ["next", "later", "last"]), ["next", "later", "last"])
    })
  }

  it("of the process before are as old as they were after a short while", () => {
    const book = new AnswerBook({ maxCount: 10, maxAge: day })
    book.load([{ ...answer("old", 0), seq: 1 }, { ...answer("new", day - 10), seq: 2 }])
    book.record(answer("next", day + 1), 3)
    assert.deepStrictEqual(ids(book, ["old", "new", "next"]), ["new", "next"])
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
