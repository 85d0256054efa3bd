/** How damage of a log is told. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { anyId, lost, type RecordedAnswer } from "../../../../src/domain/state/Answers.ts"
import type { Damage } from "../../../../src/layers/state/file/LogDirectory.ts"
import { LogIndex, type Place } from "../../../../src/layers/state/file/LogIndex.ts"
import { load, losses, reporting } from "../../../../src/layers/state/file/LogRead.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import { folder } from "../../../kit/Folder.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { answer, record, timer } from "../../../kit/stores/Records.ts"

const damages: ReadonlyArray<readonly [level: string, damage: Damage]> = [
  ["Warn", { _tag: "TornTail", file: "1.log", at: 7, bytes: 3 }],
  ["Warn", { _tag: "Hole", file: "1.log", at: 7, bytes: 3 }],
  ["Error", { _tag: "Unusable", file: "1.log", why: "it is missing" }],
  ["Error", { _tag: "Lost", key: "a", seq: 2, from: 1, why: "it rotted" }],
  ["Error", { _tag: "AnswersLost", key: "a", count: 1, why: "it rotted" }]
]

describe("the damage of a log", () => {
  it.effect("is an error where something acknowledged may be lost, and a warning otherwise; it is told once", () => {
    const log = recordedLog()
    return Effect.gen(function*() {
      const report = reporting("files", undefined)
      for (const [, damage] of [...damages, ...damages]) yield* report(damage)
      assert.deepStrictEqual(log.lines.map(({ level }) => level), damages.map(([level]) => level))
    }).pipe(Effect.provide(log.layer))
  })
})

describe("what is lost of a log", () => {
  it.effect("is said of a hundred keys, and that there are more; each once, and all else of what it is", () => {
    const log = recordedLog()
    return Effect.gen(function*() {
      const report = reporting("files", undefined)
      for (let i = 0; i < 200; i++) {
        yield* report({ _tag: "Hole", file: "1.log", at: i, bytes: 3 })
        yield* report({ _tag: "Lost", key: `k${i}`, seq: 2, from: 1, why: "it rotted" })
      }
      const lost = log.lines.filter(({ level }) => level === "Error")
      assert.lengthOf(log.lines, 300)
      assert.lengthOf(lost, 100)
      const more = ". There are more: each is named when its server starts"
      assert.deepStrictEqual(lost.map(({ text }) => text.endsWith(more)), [...Array(99).fill(false), true])
      assert.match(
        lost[0]!.text,
        /^state store "files": "k0" was acknowledged up to snapshot 2.*starts from snapshot 1$/
      )
    }).pipe(Effect.provide(log.layer))
  })

  it.effect("is in the log as well where who asked to hear of it fails", () => {
    const log = recordedLog()
    return Effect.gen(function*() {
      const heard: Array<Damage> = []
      const report = reporting("files", (damage) => {
        heard.push(damage)
        throw new Error("no ear")
      })
      const [, damage] = damages[3]!
      yield* report(damage)
      yield* report(damage)
      assert.deepStrictEqual(heard, [damage])
      assert.deepStrictEqual(log.lines.map(({ text }) => text.replace(/ \(it.*/, "")), [
        "state store \"files\": \"a\" was acknowledged up to snapshot 2, which is lost",
        "state store \"files\": onDamage failed"
      ])
      assert.include(Cause.pretty(log.lines[1]!.cause), "no ear")
    }).pipe(Effect.provide(log.layer))
  })

  it("is the newest of a key, and how many of its answers; any of them, where one is not known", () => {
    const index = new LogIndex(3)
    const why = "it rotted"
    const put = (key: string, seq: number, answers: ReadonlyArray<RecordedAnswer>, damaged?: string) =>
      index.apply({ _tag: "Put", record: record(key, seq, 1, { answers }) }, "1.log", 0, {
        offset: 0,
        length: 3,
        damaged
      })
    const gone = (id: string, seq: number) => lost({ id, seq, at: 1 }, why)
    put("whole", 1, [answer("x", 1)])
    put("some", 1, [answer("x", 1), gone("y", 1), gone("z", 1)])
    put("any", 1, [gone("y", 1), gone(anyId, 1), gone("z", 1)])
    put("a", 3, [answer("x", 3)])
    put("a", 4, [answer("y", 4)], why)
    put("a", 5, [answer("z", 5)], why)
    put("b", 1, [], why)
    assert.deepStrictEqual(losses(index), [
      { _tag: "AnswersLost", key: "some", count: 2, why },
      { _tag: "AnswersLost", key: "any", count: undefined, why },
      { _tag: "Lost", key: "a", seq: 5, from: 3, why },
      { _tag: "AnswersLost", key: "a", count: 2, why },
      { _tag: "Lost", key: "b", seq: 1, from: undefined, why }
    ])
  })

  it.effect("is read as it lies there, with what is known of it; of what may have been there it is said that it is a doubt", () =>
    Effect.gen(function*() {
      const index = new LogIndex(3)
      const entry = (key: string, seq: number, damaged?: string) =>
        index.apply(
          { _tag: "Put", record: record(key, seq, 2, { timers: [timer("t", seq)], state: "" }) },
          "1.log",
          10 * seq,
          { offset: 0, length: 3, sum: seq, damaged }
        )
      entry("a", 1)
      entry("a", 2)
      entry("a", 3, "it rotted")
      entry("b", 1)
      index.doubtAll(9, "a part is missing")
      const rotten: Array<number> = []
      const texts = (place: Place) => Effect.succeed({ text: `"${place.at}"`, isWhole: place.at !== 10 })
      const read = (key: string) =>
        Effect.map(
          load(index, key, texts, ({ at }) => Effect.sync(() => void rotten.push(at))),
          (records) =>
            records.map(({ at, damaged, isDoubt, seq, state, timers }) => ({
              at,
              damaged,
              isDoubt,
              seq,
              state,
              due: timers?.[0]?.due
            }))
        )
      const at = (seq: number) => 1_700_000_000_000 + seq
      const found = yield* read("a")
      assert.deepStrictEqual(found, [
        { at: at(3), damaged: "a part is missing", isDoubt: undefined, seq: 4, state: "", due: 3 },
        { at: at(3), damaged: "it rotted", isDoubt: undefined, seq: 3, state: "\"30\"", due: 3 },
        { at: at(2), damaged: undefined, isDoubt: undefined, seq: 2, state: "\"20\"", due: 2 }
      ])
      assert.deepStrictEqual(rotten, [10])
      assert.deepStrictEqual(yield* read("c"), [
        { at: 9, damaged: "a part is missing", isDoubt: true, seq: 1, state: "", due: undefined }
      ])
    }))
})

describe("a log that is only looked at", () => {
  it.live("has its damage told to the one who looks, but not an end that its owner may be writing", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      yield* Effect.scoped(Effect.gen(function*() {
        const store = yield* StateStoreFile.make({ directory })
        const epoch = yield* store.acquireEpoch("app")
        for (let seq = 1; seq <= 3; seq++) yield* store.save([record("a", seq, epoch, { state: `"state ${seq}"` })])
      }))
      const told = Effect.gen(function*() {
        const damages: Array<Damage> = []
        const view = yield* StateStoreFile.look({
          directory,
          onDamage: (damage) => Effect.sync(() => void damages.push(damage))
        })
        yield* view.load("a")
        return damages.map(({ _tag }) => _tag)
      })
      assert.deepStrictEqual(yield* told, [])
      const path = join(directory, fs.readdirSync(directory).find((name) => name.endsWith(".log"))!)
      fs.appendFileSync(path, "torn")
      assert.deepStrictEqual(yield* told, [])
      const bytes = fs.readFileSync(path)
      bytes[bytes.indexOf("state 2") + 6]! ^= 1
      fs.writeFileSync(path, bytes)
      assert.include(yield* told, "Hole")
    }).pipe(Effect.provide(NodeServices.layer)))
})
