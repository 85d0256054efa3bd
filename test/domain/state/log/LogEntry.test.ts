/** The entries of a log: what was written is read back, as users' files have it, and what is damaged of it is said. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { lossOf, type RecordedAnswer } from "../../../../src/domain/state/Answers.ts"
import {
  decode,
  decodeOld,
  derived,
  type LogEntry,
  type Texts,
  written
} from "../../../../src/domain/state/log/LogEntry.ts"
import type { TextAt, Written } from "../../../../src/domain/state/log/LogFrame.ts"

/** The texts beside an entry; one of them may be damaged. */
const textsOf = ({ texts }: Written, damaged = -1): Texts => {
  let next = 0
  return {
    next: (): TextAt | undefined => next < texts.length ? { offset: next++, length: 0, sum: 0 } : undefined,
    read: (text) =>
      text === undefined || text.offset === damaged ? { why: "its sum differs" } : { text: texts[text.offset]! }
  }
}

const back = (entry: LogEntry, damaged?: number) => {
  const one = written(entry)
  return decode(JSON.parse(one.json), textsOf(one, damaged))
}

const record = { key: "k\"1", epoch: 2, seq: 3, version: 4, trusted: 1, at: 5.5, state: "{\"n\":1}" }
const answers: ReadonlyArray<RecordedAnswer> = [{ id: "a", seq: 2, at: 1, body: "one" }, {
  id: "b",
  seq: 3,
  at: 2,
  body: "two"
}]
const timers = [{ name: "t", due: 9, message: "Ring", payload: {} }]

describe("an entry of the log", () => {
  it("is written as it always was: files of older versions are read", () => {
    const texts = ({ json, texts }: Written) => [json, ...texts]
    assert.deepStrictEqual(texts(written({ _tag: "Put", record })), ["[\"k\\\"1\",2,3,4,1,5.5]", record.state])
    assert.deepStrictEqual(
      texts(written({ _tag: "Put", record: { ...record, answers, forgetAnswersBefore: 2, timers } })),
      [
        `["k\\"1",2,3,4,1,5.5,[["a",2,1],["b",3,2]],2,${JSON.stringify(timers)}]`,
        record.state,
        "one",
        "two"
      ]
    )
    assert.deepStrictEqual(texts(written({ _tag: "Remove", keys: ["a"] })), ["{\"_tag\":\"Remove\",\"keys\":[\"a\"]}"])
  })

  const Put = Schema.Struct({
    answers: Schema.Literals([0, 1, 2]),
    forgets: Schema.Literals([0, 2]),
    forgetsMade: Schema.Literals([0, 0, 7]),
    timers: Schema.Literals(["as before", "none", "some"])
  })

  it.prop("of a snapshot has its answers, what is forgotten and its timers, where there are any", [Put], ([put]) => {
    const more = {
      ...(put.answers === 0 ? {} : { answers: answers.slice(0, put.answers) }),
      ...(put.forgets === 0 ? {} : { forgetAnswersBefore: put.forgets }),
      ...(put.forgetsMade === 0 ? {} : { forgetMadeBefore: put.forgetsMade }),
      ...(put.timers === "as before" ? {} : { timers: put.timers === "none" ? [] : timers })
    }
    const { entry, text } = back({ _tag: "Put", record: { ...record, ...more } })
    assert(entry._tag === "Put")
    assert.strictEqual(text?.offset, 0)
    const { answers: found, forgetAnswersBefore, forgetMadeBefore, timers: set, ...rest } = entry.record
    assert.deepStrictEqual(rest, { ...record, state: "" })
    assert.deepStrictEqual([found ?? [], set], [more.answers ?? [], more.timers])
    assert.deepStrictEqual([forgetAnswersBefore ?? 0, forgetMadeBefore ?? 0], [put.forgets, put.forgetsMade])
  })

  it("says of an answer whose text is damaged that it is lost, and whose it was", () => {
    const { entry } = back({ _tag: "Put", record: { ...record, answers } }, 1)
    assert(entry._tag === "Put")
    const [first, second] = entry.record.answers!
    assert.deepInclude(first, { id: "a", seq: 2, at: 1 })
    assert.strictEqual(lossOf(first!), "its sum differs")
    assert.deepStrictEqual(second, answers[1])
  })

  it("has the state of what was kept aside, or is damaged, beside it, and nothing beside any other", () => {
    const aside = { ...record, why: "no", asideAt: 7 }
    for (const entry of [{ _tag: "KeptAside", record: aside }, { _tag: "Lost", record, why: "no" }] as const) {
      assert.deepStrictEqual(written(entry).texts, [record.state])
      const found = back(entry)
      assert.deepStrictEqual(found.entry, { ...entry, record: { ...entry.record, state: "" } } as LogEntry)
      assert.strictEqual(found.text?.offset, 0)
    }
    const others: ReadonlyArray<LogEntry> = [
      { _tag: "Segment", bases: [{ file: "a", upTo: 1, frames: 2 }], cuts: [] },
      { _tag: "Epoch", owner: "a", epoch: 1 },
      { _tag: "Aside", key: "k", seq: 1, why: "no", asideAt: 2 },
      { _tag: "AnswersLost", key: "k", answers },
      { _tag: "Doubt", at: 1, why: "no" }
    ]
    for (const entry of others) {
      assert.deepStrictEqual(written(entry).texts, [])
      assert.deepStrictEqual(decode(JSON.parse(written(entry).json), textsOf({ json: "", texts: ["x"] })), {
        entry,
        text: undefined
      })
    }
  })

  it("of version 0.1 has its answers in it", () => {
    assert.deepStrictEqual(decodeOld({ _tag: "Remove", keys: [] }), { _tag: "Remove", keys: [] })
    assert.deepStrictEqual(decodeOld(["k", 2, 3, 4, 1, 5, answers, 6, timers]), {
      _tag: "Put",
      record: {
        key: "k",
        epoch: 2,
        seq: 3,
        version: 4,
        trusted: 1,
        at: 5,
        state: "",
        answers,
        forgetAnswersBefore: 6,
        timers
      }
    })
  })

  it("that begins a file and cannot be read says that it builds on all that are older", () => {
    assert.deepStrictEqual(derived(["a", "b"]), {
      _tag: "Segment",
      bases: [{ file: "a", upTo: Infinity }, { file: "b", upTo: Infinity }],
      cuts: []
    })
  })
})
