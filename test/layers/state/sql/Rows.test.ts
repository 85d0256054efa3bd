/** What rows and errors of a database come to, out of the rows and errors alone. */
import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { SqlError } from "effect/sql"
import * as Answers from "../../../../src/domain/state/Answers.ts"
import * as KeyText from "../../../../src/domain/state/stored/KeyText.ts"
import * as RowSums from "../../../../src/layers/state/rows/RowSums.ts"
import * as SqlRows from "../../../../src/layers/state/rows/SqlRows.ts"

const sqlError = (cause: unknown, message = "Failed to execute statement") =>
  new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause, message, operation: "execute" }) })

const coded = (code: unknown, message = "it said so") => Object.assign(new Error(message), { code })
const sqlite = (errcode: number) => Object.assign(new Error("it said so"), { code: "ERR_SQLITE_ERROR", errcode })

describe("an error of a database", () => {
  it.each([
    [1, "Unusable"],
    [3, "Unusable"],
    [5, "Unavailable"],
    [6, "Unavailable"],
    [8, "Unusable"],
    [8 + 256, "Unusable"],
    [10, "Unavailable"],
    [11, "Corrupt"],
    [11 + 512, "Corrupt"],
    [13, "Full"],
    [18, "Invalid"],
    [21, "Unusable"],
    [23, "Unusable"],
    [25, "Unusable"],
    [26, "Corrupt"],
    // It asks to be asked again.
    [513, "Unavailable"],
    [1 + 256, "Unusable"]
  ])("of SQLite, by its code %i, says whether the store %s", (code, tag) => {
    assert.strictEqual(SqlRows.reasonOf(sqlError(sqlite(code)))._tag, tag)
    assert.strictEqual(SqlRows.reasonOf(sqlError(new Error("a client's own", { cause: sqlite(code) })))._tag, tag)
  })

  it.each([
    ["22001", "Invalid"],
    ["28P01", "Unusable"],
    ["3D000", "Unusable"],
    ["3F000", "Unusable"],
    ["42P01", "Unusable"],
    ["25006", "Unavailable"],
    ["53100", "Full"],
    ["53300", "Unavailable"],
    ["54000", "Invalid"],
    ["57P01", "Unavailable"],
    ["XX000", "Unavailable"],
    ["XX001", "Corrupt"],
    ["XX002", "Corrupt"],
    // No condition has that length.
    ["2200", "Unavailable"],
    ["220011", "Unavailable"],
    ["ECONNREFUSED", "Unavailable"],
    [undefined, "Unavailable"],
    [true, "Unavailable"]
  ])("of PostgreSQL, by its code %s, says whether the store %s", (code, tag) => {
    assert.strictEqual(SqlRows.reasonOf(sqlError(coded(code)))._tag, tag)
    assert.strictEqual(SqlRows.reasonOf(sqlError({ cause: { cause: coded(code) } }))._tag, tag)
  })

  it("says what the database has said, once", () => {
    const whatOf = (error: SqlError.SqlError) => {
      const reason = SqlRows.reasonOf(error)
      return "what" in reason ? reason.what : "cause" in reason ? String(reason.cause) : ""
    }
    assert.strictEqual(whatOf(sqlError(coded("XX001"))), "Failed to execute statement: it said so")
    assert.deepStrictEqual(SqlRows.reasonOf(sqlError(coded("54000"))), {
      _tag: "Invalid",
      what: "Failed to execute statement: it said so"
    })
    assert.strictEqual(whatOf(sqlError(coded("57P01"))), "Error: Failed to execute statement: it said so")
    assert.strictEqual(whatOf(sqlError(coded("XX001"), "it said so: no")), "it said so: no")
    // Of several addresses each says something.
    const several = Object.assign(new AggregateError([new Error("one"), new Error("other")], ""), { code: "XX001" })
    assert.strictEqual(whatOf(sqlError(several)), "Failed to execute statement: one; other")
    assert.strictEqual(whatOf(sqlError(coded("XX001", ""))), "Failed to execute statement")
    const named = Object.assign(new AggregateError([new Error("one")], "all failed"), { code: "XX001" })
    assert.strictEqual(whatOf(sqlError(named)), "Failed to execute statement: all failed")
  })

  it("says that a table is missing, and nothing else does", () => {
    const failed = (...errors: ReadonlyArray<unknown>) =>
      Cause.fromReasons(errors.map((error) => Cause.makeFailReason(error)))
    assert.isTrue(SqlRows.isTableMissing(failed(sqlError(coded("42P01")))))
    assert.isTrue(SqlRows.isTableMissing(failed("other", sqlError(coded("42P01")))))
    assert.isFalse(SqlRows.isTableMissing(failed(sqlError(coded("42P02")))))
    assert.isFalse(SqlRows.isTableMissing(failed(coded("42P01"))))
    assert.isFalse(SqlRows.isTableMissing(Cause.die(sqlError(coded("42P01")))))
    assert.isFalse(SqlRows.isTableMissing(Cause.empty))
  })
})

const key = "k%"
const text = KeyText.encode(key)

/** A row as it was written, and what it was changed to behind the store's back. */
const snapshot = (seq: number, slot: number, changed: object = {}) => {
  const columns = { seq, epoch: 2, version: 3, trusted: 1, at: 1000 + seq, state: `"s${seq}"` }
  const sum = RowSums.ofSnapshot(RowSums.ofText(text), columns)
  return { key: text, slot, ...columns, sum, ...changed }
}

const answer = (seq: number, id: string, changed: object = {}) => {
  const idText = KeyText.encode(id)
  const [at, body] = [1000 + seq, `{"of":"${id}"}`]
  return { id: idText, seq, at, body, sum: RowSums.ofAnswer(text, idText, seq, at, body), ...changed }
}

const ring = (due: number) => [{ name: "t", due, message: "Ring", payload: {} }]

const timers = (seq: number, due: number | undefined, changed: object = {}) => {
  const body = JSON.stringify(due === undefined ? [] : ring(due))
  return { id: null, seq, at: 0, body, sum: RowSums.ofTimers(text, seq, body), ...changed }
}

describe("the snapshots of a key", () => {
  it("are what was written, newest first, each with its slot", () => {
    const found = SqlRows.snapshotsOf(key, [snapshot(4, 1), snapshot(6, 0), snapshot(5, 2)], 6)
    assert.deepStrictEqual(found.map(({ slot }) => slot), [0, 2, 1])
    assert.deepStrictEqual(found[0]!.record, {
      key,
      epoch: 2,
      seq: 6,
      version: 3,
      state: "\"s6\"",
      trusted: 1,
      at: 1006
    })
    assert.isTrue(SqlRows.isWhole(snapshot(4, 1)))
    assert.deepStrictEqual(SqlRows.snapshotsOf(key, [], 0), [])
    assert.deepStrictEqual(SqlRows.snapshotsOf(key, [], 1), [{
      slot: undefined,
      record: { ...lost(1), damaged: "it is not there any more, though it was stored" }
    }])
  })

  /** What stands for one of which nothing is known. */
  const lost = (seq: number) => ({ key, epoch: 0, seq, version: 0, state: "", trusted: 0, at: 0 })

  it("one whose text is damaged keeps its number and its place", () => {
    const rows = [snapshot(5, 0, { state: "\"x\"" }), snapshot(6, 1), snapshot(4, 2)]
    const found = SqlRows.snapshotsOf(key, rows, 6).map(({ record }) => [record.seq, record.damaged])
    assert.deepStrictEqual(found, [
      [6, undefined],
      [5, "its text is not what was written: it does not match its checksum"],
      [4, undefined]
    ])
    assert.isFalse(SqlRows.isWhole(rows[0]!))
  })

  it("those whose numbers are not known come first, with numbers that none has, and the state that is there", () => {
    const rows = [
      snapshot(6, 1),
      snapshot(5, 2, { seq: 99 }),
      snapshot(4, 0, { version: "?" }),
      snapshot(3, 3, { epoch: 7 })
    ]
    const found = SqlRows.snapshotsOf(key, rows, 6)
    assert.deepStrictEqual(found.map(({ record, slot }) => [record.seq, slot, record.state]), [
      [9, 3, "\"s3\""],
      [8, 2, "\"s5\""],
      [7, 0, "\"s4\""],
      [6, 1, "\"s6\""]
    ])
    const damaged = "its row is not what was written: it does not match its checksum, and its number is not known"
    assert.deepStrictEqual(found[1]!.record, {
      ...lost(8),
      version: 3,
      state: "\"s5\"",
      at: 1006,
      damaged
    })
    assert.strictEqual(found[2]!.record.version, 0)
    assert.deepStrictEqual(SqlRows.snapshotsOf(key, [snapshot(5, 2, { seq: 99 })], 0).map(({ record }) => record), [
      { ...lost(1), version: 3, state: "\"s5\"", damaged }
    ])
  })

  it("one that is known to have been stored, and is not there, is missing by its number", () => {
    const missing = { ...lost(7), at: 1006, damaged: "it is not there any more, though it was stored" }
    const found = SqlRows.snapshotsOf(key, [snapshot(6, 0)], 7)
    assert.deepStrictEqual(found.map(({ record, slot }) => [slot, record]), [
      [undefined, missing],
      [0, found[1]!.record]
    ])
    assert.lengthOf(SqlRows.snapshotsOf(key, [snapshot(7, 0)], 7), 1)
    assert.lengthOf(SqlRows.snapshotsOf(key, [snapshot(8, 0)], 7), 1)
    // A row whose number is not known may be that one.
    assert.lengthOf(SqlRows.snapshotsOf(key, [snapshot(7, 0, { seq: 1 })], 7), 1)
  })
})

describe("what is recorded beside the snapshots of a key", () => {
  const none = { answers: [], lostAnswers: [], lostTimers: [], stored: 0, timers: undefined }

  it("is its answers, the oldest first and each once, and its timers, the newest first", () => {
    assert.deepStrictEqual(SqlRows.recordedOf(key, [], 1003), none)
    const rows = [answer(1, "a"), timers(2, 50), answer(2, "b%"), timers(3, undefined), answer(4, "a")]
    const found = SqlRows.recordedOf(key, rows, 1003)
    assert.deepStrictEqual(found, {
      ...none,
      answers: [
        { id: "b%", seq: 2, at: 1002, body: "{\"of\":\"b%\"}" },
        { id: "a", seq: 4, at: 1004, body: "{\"of\":\"a\"}" }
      ],
      timers: [{ seq: 3, timers: [] }, { seq: 2, timers: ring(50) }],
      stored: 4
    })
  })

  it("an answer whose text is damaged is lost for its call; one of which nothing is known, for any, as the youngest", () => {
    const rows = [
      answer(1, "a", { body: "x" }),
      answer(2, "b", { seq: 99 }),
      answer(3, "c"),
      answer(4, "d", { at: 9999 })
    ]
    const { answers, lostAnswers, stored } = SqlRows.recordedOf(key, rows, 1003)
    const why = (body: string) => `its row in the database is not what was written: ${body}`
    const lost = [
      { id: "a", answer: Answers.lost({ id: "a", seq: 1, at: 1001 }, why("x")) },
      { id: "b", answer: Answers.lost({ id: Answers.anyId, seq: 3, at: 1003 }, why("{\"of\":\"b\"}")) },
      { id: "d", answer: Answers.lost({ id: Answers.anyId, seq: 3, at: 1003 }, why("{\"of\":\"d\"}")) }
    ]
    assert.strictEqual(stored, 3)
    assert.deepStrictEqual(lostAnswers, lost)
    assert.deepStrictEqual(answers.map(({ id, seq }) => [id, seq]), [["a", 1], ["c", 3], ["", 3]])
    const long = SqlRows.recordedOf(key, [answer(1, "a", { body: "x".repeat(300) })], 1003).lostAnswers[0]!
    assert.strictEqual(Answers.lossOf(long.answer), why("x".repeat(200)))
  })

  it("timers whose text is damaged are not set, and those beside them are; where the number is not known none are", () => {
    assert.deepStrictEqual(
      SqlRows.recordedOf(key, [timers(1, 50), timers(2, 60, { body: "[" }), timers(3, 70)], 1003),
      {
        ...none,
        timers: [{ seq: 3, timers: ring(70) }, { seq: 2, timers: [] }, { seq: 1, timers: ring(50) }],
        lostTimers: [2],
        stored: 3
      }
    )
    assert.deepStrictEqual(SqlRows.recordedOf(key, [timers(1, 50), timers(2, 60, { seq: 9 })], 1003), {
      ...none,
      timers: [{ seq: 0, timers: [] }],
      lostTimers: [9],
      stored: 1
    })
  })
})

describe("a row of timers that are due, and one that was set aside", () => {
  const due = (changed: object = {}) => {
    const body = JSON.stringify(ring(50))
    return { key: text, seq: 4, due: 50, timers: body, sum: RowSums.ofTimers(text, 4, body), ...changed }
  }
  const aside = (changed: object = {}, with_: string | null = JSON.stringify(ring(50))) => {
    const row = snapshot(4, 0)
    const texts = [JSON.stringify([{ id: "a", seq: 4, at: 1, body: "1" }]), KeyText.encode("why%"), with_] as const
    const sum = RowSums.ofAside(text, row, 77, texts)
    return { ...row, answers: texts[0], why: texts[1], timers: texts[2], aside_at: 77, sum, ...changed }
  }

  it("is due with all its timers, and not at all where it is damaged", () => {
    assert.deepStrictEqual(SqlRows.dueOf(due()), { key, due: 50, timers: ring(50) })
    for (const changed of [{ key: "x" }, { seq: 5 }, { timers: "[]" }, { sum: 1 }, { sum: null }]) {
      assert.isUndefined(SqlRows.dueOf(due(changed)))
    }
  })

  it("has what went with it, and why, and says where it is damaged", () => {
    assert.deepStrictEqual(SqlRows.asideOf(aside()), {
      key,
      epoch: 2,
      seq: 4,
      version: 3,
      state: "\"s4\"",
      trusted: 1,
      at: 1004,
      answers: [{ id: "a", seq: 4, at: 1, body: "1" }],
      why: "why%",
      asideAt: 77,
      timers: ring(50)
    })
    for (const row of [aside({}, null), aside({ timers: undefined }, null)]) {
      assert.notProperty(SqlRows.asideOf(row), "timers")
      assert.notProperty(SqlRows.asideOf(row), "damaged")
    }
    const damaged = "its text is not what was written: it does not match its checksum"
    for (const changed of [{ state: "1" }, { why: "x" }, { aside_at: 78 }, { timers: "[" }, { answers: "{}" }]) {
      assert.strictEqual(SqlRows.asideOf(aside(changed)).damaged, damaged)
    }
    assert.deepStrictEqual(SqlRows.asideOf(aside({ answers: "{}" })).answers, [])
    assert.deepStrictEqual(SqlRows.asideOf(aside({ answers: "[" })).answers, [])
  })
})
