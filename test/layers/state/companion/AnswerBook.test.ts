import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { givesWay, type RecordedAnswer } from "../../../../src/domain/state/Answers.ts"
import * as MadeKey from "../../../../src/domain/state/MadeKey.ts"
import { AnswerBook } from "../../../../src/layers/state/companion/AnswerBook.ts"

const day = 86_400_000

const answer = (id: string, at = 0) => ({ id, at, body: id })

/** The key of a call of five seconds. */
const made = (i: number) => MadeKey.make(`${i}`, 5000)

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

  it("that a store holds are none to be saved, and take the place of all others", () => {
    const book = new AnswerBook(undefined)
    book.record(answer("a"), 1)
    book.load([{ ...answer("b"), seq: 1 }])
    assert.deepStrictEqual([book.take().answers, ids(book, ["a", "b"])], [[], ["b"]])
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

  it("under keys that clients make take no place from those under keys that callers give", () => {
    const book = new AnswerBook({ maxCount: 2, maxAge: day })
    book.record(answer("mine"), 1)
    for (let i = 2; i <= 300; i++) book.record(answer(made(i), i * 10), i)
    assert.deepStrictEqual(ids(book, ["mine", made(2), made(300)]), ["mine", made(2), made(300)])
    // Their calls are over, but for the last.
    book.record(answer(made(301), 8991), 301)
    assert.deepStrictEqual(ids(book, ["mine", made(2), made(299), made(300), made(301)]), [
      "mine",
      made(300),
      made(301)
    ])
  })

  it("under keys that clients make are forgotten ten minutes after their calls, in a store many at once", () => {
    const book = new AnswerBook(undefined)
    for (let i = 1; i <= 60; i++) book.record(answer(made(i)), i)
    book.take()
    book.record(answer(made(61), 605_000), 61)
    assert.lengthOf(ids(book, Array.from({ length: 61 }, (_, i) => made(i + 1))), 61)
    book.record(answer(made(62), 607_000), 62)
    assert.deepStrictEqual(ids(book, [made(1), made(60), made(61), made(62)]), [made(61), made(62)])
    assert.strictEqual(book.take().forgetMadeBefore, 0)
    for (let i = 63; i <= 70; i++) book.record(answer(made(i), 2_000_000), i)
    assert.deepStrictEqual([book.take().forgetMadeBefore, book.take().forgetMadeBefore], [0, 0])
    for (let i = 71; i <= 75; i++) book.record(answer(made(i), 4_000_000), i)
    const { answers, forgetAnswersBefore, forgetMadeBefore } = book.take()
    assert.deepStrictEqual([answers?.length, forgetAnswersBefore, forgetMadeBefore], [5, 0, 71])
  })

  for (const by of [1000 * day, -1000 * day]) {
    it(`under keys that clients make are there for their calls, though the next process has a date ${by} ms on`, () => {
      const book = new AnswerBook(undefined)
      book.load(Array.from({ length: 2000 }, (_, i) => ({ ...answer(made(i), 1000), seq: i + 1 })))
      book.record(answer(made(2000), 1000 + by), 2001)
      book.record(answer(made(2001), 1000 + by + 4000), 2002)
      assert.isDefined(book.find(made(0)))
      // It ages by the clock of its process from then on; what lay between was a second at most.
      book.record(answer(made(2002), 1000 + by + 6001), 2003)
      assert.deepStrictEqual(ids(book, [made(0), made(1900), made(1950), made(2002)]), [made(1950), made(2002)])
    })
  }

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

  const keys = ["a", "b", "c", made(1), made(2), made(3), MadeKey.markOf(made(1))] as const
  const Step = Schema.Struct({
    id: Schema.Literals(keys),
    after: Schema.Literals([0, 1, 3000, 400_000]),
    backTo: Schema.Literals(["here", "here", "here", "last", "start"])
  })

  it.effect.prop(
    "are those that a list of them has, whatever is recorded, recorded anew, and given up",
    { steps: Schema.Array(Step) },
    ({ steps }) =>
      Effect.sync(() => {
        const limits = { maxCount: 2, maxAge: 500_000 }
        const book = new AnswerBook(limits)
        let lists: ReadonlyArray<ReadonlyArray<RecordedAnswer>> = [[], []]
        let at = 1_764_547_200_000
        for (const [i, { after, backTo, id }] of steps.entries()) {
          const seq = i + 1
          at += after
          const one = { id, at, body: `${i}` }
          book.record(one, seq)
          lists = lists.map((list, kind) => {
            if ((kind === 1) !== MadeKey.isMade(id)) return list
            const next = [...list.filter((other) => other.id !== id), { ...one, seq }]
            while (givesWay(next[0]!, next.length, at, limits)) next.shift()
            return next
          })
          if (backTo !== "here") {
            const left = backTo === "last" ? i : 0
            book.rollBack(left)
            lists = lists.map((list) => list.filter((one) => one.seq <= left))
          }
          for (const key of keys) assert.deepStrictEqual(book.find(key), lists.flat().find((one) => one.id === key))
          assert.strictEqual(book.oldest, lists[0]![0]?.seq ?? 0)
        }
      }),
    { arbitrary: { runs: 300 } }
  )
})
