/** What goes with the snapshots of a batch, as statements: which there are, in which order, about which rows. */
import { assert, describe, it } from "@effect/vitest"
import * as MadeKey from "../../../../src/domain/state/MadeKey.ts"
import * as KeyText from "../../../../src/domain/state/stored/KeyText.ts"
import * as RowSums from "../../../../src/layers/state/rows/RowSums.ts"
import * as SqlStatements from "../../../../src/layers/state/rows/SqlStatements.ts"
import { along, besides, setAside, timerRow } from "../../../../src/layers/state/sql/SqlBesides.ts"
import { answer, record, timer } from "../../../kit/stores/Records.ts"

const sql = SqlStatements.make("sqlite", "t")
const made = MadeKey.make("m", 5000)
const none = new Map()

const rowOf = (key: string, one: ReturnType<typeof answer>) => {
  const [text, id] = [KeyText.encode(key), KeyText.encode(one.id)]
  return {
    key: text,
    id,
    seq: one.seq,
    at: one.at,
    body: one.body,
    sum: RowSums.ofAnswer(text, id, one.seq, one.at, one.body)
  }
}

const with_ = (key: string, seq: number, more: object = {}) => record(key, seq, 1, more)

describe("answers that go along with snapshots in one statement", () => {
  it("are all of the batch, with what is forgotten of each kind, where no key comes twice and no timers are set", () => {
    const found = along([
      with_("a%", 5, { answers: [answer("x", 5), answer("y", 5)], forgetAnswersBefore: 2, forgetMadeBefore: 3 }),
      with_("b", 1),
      with_("c", 2, { forgetMadeBefore: 1 }),
      with_("d", 2, { forgetAnswersBefore: 1 })
    ])
    assert.deepStrictEqual(found, {
      rows: [rowOf("a%", answer("x", 5)), rowOf("a%", answer("y", 5))],
      floors: [
        { key: "a%25", seq: 2, made: false },
        { key: "a%25", seq: 3, made: true },
        { key: "c", seq: 1, made: true },
        { key: "d", seq: 1, made: false }
      ]
    })
    assert.deepStrictEqual(along([with_("a", 1)]), { rows: [], floors: [] })
  })

  it("one that is to be forgotten at once is not written, by the floor of its own kind; of two of one number the later", () => {
    const answers = [
      answer("x", 2),
      answer("x", 3),
      { ...answer("x", 3), body: "later" },
      answer(made, 2),
      answer(made, 4)
    ]
    const rows = (floors: object) =>
      along([with_("a", 5, { answers, ...floors })])!.rows.map(({ body, id, seq }) => [id, seq, body])
    const [two, three, , madeTwo, madeFour] = answers.map(({ body, id, seq }) => [KeyText.encode(id), seq, body])
    const later = [three![0], 3, "later"]
    assert.deepStrictEqual(rows({}), [two, later, madeTwo, madeFour])
    assert.deepStrictEqual(rows({ forgetAnswersBefore: 3 }), [later, madeTwo, madeFour])
    assert.deepStrictEqual(rows({ forgetMadeBefore: 4 }), [two, later, madeFour])
    assert.deepStrictEqual(rows({ forgetAnswersBefore: 2, forgetMadeBefore: 2 }), [two, later, madeTwo, madeFour])
  })

  it("are none where a key has some twice, timers are set, or there are too many", () => {
    const some = { answers: [answer("x", 1)] }
    assert.isUndefined(along([with_("a", 1, some), with_("a", 2, some)]))
    assert.isDefined(along([with_("a", 1, some), with_("a", 2)]))
    assert.isUndefined(along([with_("a", 1, { timers: [] })]))
    const many = (count: number) => ({ answers: Array.from({ length: count }, (_, i) => answer(`x${i}`, 1)) })
    assert.lengthOf(along([with_("a", 1, many(10_000))])!.rows, 10_000)
    assert.isUndefined(along([with_("a", 1, many(10_001))]))
  })
})

describe("the statements that go with a batch", () => {
  it("are none where nothing is beside its snapshots", () => {
    assert.deepStrictEqual(besides(sql, [with_("a", 1), with_("b", 1)], none), [])
  })

  it("record answers, and then forget; what one record has forgotten, the next of its key may bring again", () => {
    const [x, y, z] = [answer("x", 1), answer("y", 2), answer("z", 3)]
    const one = with_("a", 1, { answers: [x] })
    const forgets = with_("a", 2, { answers: [y], forgetAnswersBefore: 2 })
    const other = with_("b", 3, { answers: [z] })
    assert.deepStrictEqual(besides(sql, [one, other], none), sql.saveAnswers([rowOf("a", x), rowOf("b", z)]))
    assert.deepStrictEqual(besides(sql, [one, forgets, other], none), [
      ...sql.saveAnswers([rowOf("a", x), rowOf("a", y), rowOf("b", z)]),
      ...sql.forgetAnswers([{ key: "a", seq: 2, made: false }])
    ])
    assert.deepStrictEqual(besides(sql, [forgets, one], none), [
      ...sql.saveAnswers([rowOf("a", y)]),
      ...sql.forgetAnswers([{ key: "a", seq: 2, made: false }]),
      ...sql.saveAnswers([rowOf("a", x)])
    ])
    // A row is written once.
    const again = { ...x, body: "later" }
    assert.deepStrictEqual(
      besides(sql, [one, with_("a", 1, { answers: [again] })], none),
      sql.saveAnswers([rowOf("a", again)])
    )
    assert.deepStrictEqual(
      besides(sql, [with_("a", 2, { forgetMadeBefore: 2 })], none),
      sql.forgetAnswers([{ key: "a", seq: 2, made: true }])
    )
  })

  it("have as many answers in one as a database takes", () => {
    const { rowsPerStatement } = sql
    const answers = Array.from({ length: rowsPerStatement + 1 }, (_, i) => answer(`x${i}`, 1))
    const rows = answers.map((one) => rowOf("a", one))
    assert.deepStrictEqual(besides(sql, [with_("a", 1, { answers })], none), [
      ...sql.saveAnswers(rows.slice(0, rowsPerStatement)),
      ...sql.saveAnswers(rows.slice(rowsPerStatement))
    ])
  })

  it("put what stands for a damaged answer in its place, of the keys of the batch alone, before all else", () => {
    const lost = { id: "id%25", answer: answer("x", 1) }
    const all = new Map([["a%", [lost]], ["other", [lost]]])
    assert.deepStrictEqual(besides(sql, [with_("a%", 2), with_("b", 1, { answers: [answer("y", 1)] })], all), [
      sql.dropAnswer("a%25", "id%25"),
      ...sql.saveAnswers([rowOf("a%", answer("x", 1))]),
      ...sql.saveAnswers([rowOf("b", answer("y", 1))])
    ])
  })

  it("set timers: those of the newest snapshot of a key are found, and what no snapshot needs is gone", () => {
    const [one, other] = [[timer("t", 50), timer("u", 20)], [timer("t", 70)]]
    const text = JSON.stringify(one)
    assert.deepStrictEqual(timerRow("a%", { seq: 3, timers: one }), {
      key: "a%25",
      seq: 3,
      due: 20,
      timers: text,
      sum: RowSums.ofTimers("a%25", 3, text)
    })
    assert.isNull(timerRow("a", { seq: 3, timers: [] }).due)
    const records = [
      with_("a%", 4, { timers: other }),
      with_("a%", 3, { timers: one }),
      with_("b", 1, { timers: [] }),
      with_("c", 1)
    ]
    assert.deepStrictEqual(besides(sql, records, none), [
      sql.retireTimers(["a%25", "b"]),
      sql.setTimers([
        timerRow("a%", { seq: 4, timers: other }),
        { ...timerRow("a%", { seq: 3, timers: one }), due: null },
        timerRow("b", { seq: 1, timers: [] })
      ]),
      sql.pruneTimers(["a%25", "b"])
    ])
    // The same snapshot saved again has the timers that it has then.
    const again = besides(sql, [with_("b", 1, { timers: one }), with_("b", 1, { timers: other })], none)
    assert.deepStrictEqual(again[1], sql.setTimers([timerRow("b", { seq: 1, timers: other })]))
    assert.lengthOf(again, 3)
  })
})

describe("the statements that set a snapshot aside", () => {
  const kept = [5, 4, 3].map((seq, slot) => ({ slot: slot as number | undefined, record: with_("a%", seq) }))
  const known = {
    answers: [answer("x", 3), answer("y", 5), answer("z", 5)],
    kept,
    lostAnswers: [],
    lostTimers: [],
    stored: 5,
    timers: [{ seq: 5, timers: [timer("t", 50)] }, { seq: 3, timers: [timer("u", 30)] }]
  }
  const aside = (seq: number, of: typeof known = known) => setAside(sql, of, { key: "a%", seq, why: "why%" }, 77)

  const row = (seq: number, answers: ReadonlyArray<object>, timers: ReadonlyArray<object> | undefined) => {
    const one = with_("a%", seq)
    const texts = [JSON.stringify(answers), "why%25", timers === undefined ? null : JSON.stringify(timers)] as const
    const { at, epoch, state, trusted, version } = one
    const sum = RowSums.ofAside("a%25", one, 77, texts)
    return sql.setAside("a%25", seq, epoch, version, trusted, at, state, texts[0], texts[1], 77, texts[2], sum)
  }

  it("take the newest with the answers recorded since, and set the timers of the one before again", () => {
    assert.deepStrictEqual(aside(5), [
      row(5, [answer("y", 5), answer("z", 5)], [timer("t", 50)]),
      sql.dropSlot("a%25", 0),
      sql.dropReplaced("a%25", 4, "a%25", 4),
      sql.takeBackAnswers("a%25", 4),
      sql.takeBackTimers("a%25", 4),
      sql.setTimers([timerRow("a%", { seq: 3, timers: [timer("u", 30)] })])
    ])
    const untimed = { ...known, timers: [{ seq: 5, timers: [] }] }
    assert.deepStrictEqual(aside(5, untimed).slice(0, 1), [row(5, [answer("y", 5), answer("z", 5)], undefined)])
    assert.lengthOf(aside(5, untimed), 5)
  })

  it("take an older one alone, and none that there is not", () => {
    assert.deepStrictEqual(aside(4), [row(4, [], [timer("u", 30)]), sql.dropSlot("a%25", 1)])
    assert.deepStrictEqual(aside(9), [])
  })

  it("take the only one, and one that has no row", () => {
    const [newest] = kept
    const alone = { ...known, kept: [{ ...newest!, slot: undefined }] }
    assert.deepStrictEqual(aside(5, alone), [
      row(5, known.answers, [timer("t", 50)]),
      sql.dropReplaced("a%25", 0, "a%25", 0),
      sql.takeBackAnswers("a%25", 0),
      sql.takeBackTimers("a%25", 0)
    ])
  })
})
