/** What an index says of a log, and what a compaction takes over of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { lossOf } from "../../../../src/domain/state/Answers.ts"
import type { LogEntry } from "../../../../src/domain/state/log/LogEntry.ts"
import type { SnapshotRecord } from "../../../../src/domain/state/stored/SnapshotRecord.ts"
import { copyNeeded } from "../../../../src/layers/state/file/LogCompaction.ts"
import { LogIndex, type Place } from "../../../../src/layers/state/file/LogIndex.ts"
import { aside, load, losses, readText } from "../../../../src/layers/state/file/LogRead.ts"
import { MemoryDisk } from "../../../kit/stores/MemoryDisk.ts"
import { answer, record, timer } from "../../../kit/stores/Records.ts"

const keys = ["a", "b"] as const
const Key = Schema.Literals(keys)

/** One thing that a log says, or that becomes of what it says. */
const Op = Schema.Union([
  Schema.TaggedStruct("Put", {
    key: Key,
    step: Schema.Literals([1, 1, 1, 0]),
    probation: Schema.Boolean,
    damaged: Schema.Boolean,
    answer: Schema.optionalKey(Schema.Literals(["x", "y"])),
    forget: Schema.Boolean,
    timers: Schema.optionalKey(Schema.Literals([0, 1, 2]))
  }),
  Schema.TaggedStruct("Aside", { key: Key, lost: Schema.Boolean, back: Schema.Literals([0, 1]) }),
  Schema.TaggedStruct("Rot", { key: Key, back: Schema.Literals([0, 1, 2]) }),
  Schema.TaggedStruct("RotAside", {}),
  Schema.TaggedStruct("Remove", { key: Key }),
  Schema.TaggedStruct("Doubt", {}),
  Schema.TaggedStruct("Settle", {})
])

const checksum = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7)

/** A file that entries are written to, one after the other, and the index of it. */
class Log {
  readonly index = new LogIndex(3)
  readonly texts: Array<number> = []
  readonly file: string

  constructor(file: string) {
    this.file = file
  }

  apply(entry: LogEntry, damaged?: string): void {
    const text = "record" in entry ? entry.record.state : ""
    const bytes = new TextEncoder().encode(text)
    const at = this.texts.push(...bytes) - bytes.length
    const sum = checksum(bytes)
    if (damaged !== undefined) this.rot({ file: this.file, at, length: bytes.length, sum })
    // A record is read back without its state.
    const read = "record" in entry ? { ...entry, record: { ...entry.record, state: "" } } as typeof entry : entry
    this.index.apply(read, this.file, at, { offset: 0, length: bytes.length, sum, damaged })
  }

  rot({ at, length }: Place): void {
    if (length > 0) this.texts[at]! ^= 1
  }
}

/** Nothing starts from what is damaged: it needs no timers. */
const needed = (records: ReadonlyArray<SnapshotRecord>) =>
  records.map((one) => one.damaged === undefined ? one : { ...one, timers: undefined })

/** All that is to be known of a log. */
const view = Effect.fnUntraced(function*({ file, index, texts }: Log) {
  const disk = new MemoryDisk(new Map([[file, Uint8Array.from(texts)]]))
  const handle = yield* disk.fileSystem.open(file)
  const text = (place: Place) => readText(handle, place, checksum)
  return {
    loaded: (yield* Effect.forEach(keys, (key) => load(index, key, text, () => Effect.void))).map(needed),
    aside: needed(yield* Effect.forEach(index.aside, (one) => aside(one, text))),
    due: index.due.page(9),
    losses: losses(index).map((one) => JSON.stringify(one)).sort(),
    keys: index.pages.page("", { after: undefined, limit: 9 }),
    orphans: index.orphans,
    doubt: index.doubt?.why,
    epochs: index.epochs,
    live: index.live
  }
})

/** The log that a compaction makes of another, the frames that it writes, and what it finds to have rotted. */
const compacted = Effect.fnUntraced(function*({ file, index, texts }: Log) {
  const copy = new Log("copy")
  const { fileSystem } = new MemoryDisk(new Map([[file, Uint8Array.from(texts)]]))
  const reader = yield* fileSystem.open(file)
  let frame: Array<LogEntry> = []
  const frames = [frame]
  const target = {
    add: (entry: LogEntry) => {
      frame.push(entry)
      copy.apply(entry)
      return undefined
    },
    flush: Effect.sync(() => void frames.push(frame = []))
  }
  const rotten = yield* copyNeeded({ index, checksum, reader: () => Effect.succeed(reader) }, target)
  return { copy, frames, rotten }
})

/** Where that lies which is not what was written. */
const rottenIn = ({ index, texts }: Log): ReadonlyArray<Place> =>
  [...Array.from(index.kept.values(), ({ lost = [], snapshots }) => [...snapshots, ...lost]).flat(), ...index.aside]
    .map(({ place }) => place)
    .filter(({ at, length, sum }) => length > 0 && checksum(Uint8Array.from(texts.slice(at, at + length))) !== sum)

const inOrder = (places: ReadonlyArray<Place>) => places.map(({ at }) => at).sort((a, b) => a - b)

describe("an index of a log", () => {
  it.effect("answers that were lost with all snapshots of a key are known as lost with the next one", () =>
    Effect.scoped(Effect.gen(function*() {
      const log = new Log("log")
      log.apply({ _tag: "Put", record: record("a", 1, 1, { answers: [answer("x", 1)] }) }, "it is not what was written")
      log.apply({ _tag: "Aside", key: "a", seq: 1, why: "damaged", asideAt: 5 })
      log.apply({ _tag: "Put", record: record("a", 2, 1, { answers: [answer("y", 2)] }) })
      const { loaded: [[newest] = []] } = yield* view(log)
      assert.deepStrictEqual(newest?.answers?.map((one) => [one.id, lossOf(one)]), [["x", "damaged"], ["y", undefined]])
    })))

  it.effect.prop(
    "says the same after a compaction, whatever was written, set aside, removed, damaged or in doubt before",
    { ops: Schema.Array(Op) },
    ({ ops }) =>
      Effect.scoped(Effect.gen(function*() {
        const log = new Log("log")
        const { index } = log
        log.apply({ _tag: "Epoch", owner: "one", epoch: 1 })
        const top: Record<string, number> = {}
        const trusted: Record<string, number> = {}
        for (const op of ops) {
          switch (op._tag) {
            case "Put": {
              const { answer: id, damaged, forget, key, probation, step, timers } = op
              const seq = top[key] = Math.max(1, (top[key] ?? 0) + step)
              if (!probation) trusted[key] = seq - 1
              log.apply({
                _tag: "Put",
                record: record(key, seq, 1, {
                  trusted: trusted[key] ?? 0,
                  ...(id === undefined ? {} : { answers: [answer(id, seq)] }),
                  ...(forget ? { forgetAnswersBefore: seq - 1 } : {}),
                  ...(timers === undefined ? {} : { timers: ["x", "y"].slice(0, timers).map((one) => timer(one, seq)) })
                })
              }, damaged ? "it is not what was written" : undefined)
              break
            }
            case "Aside": {
              const kept = index.kept.get(op.key)
              const one = (op.lost ? kept?.lost : kept?.snapshots)?.[op.back]
              if (one !== undefined) {
                log.apply({ _tag: "Aside", key: op.key, seq: one.seq, why: "poisoned", asideAt: 5 })
              }
              break
            }
            case "Rot": {
              const one = index.kept.get(op.key)?.snapshots[op.back]
              if (one !== undefined) log.rot(one.place)
              break
            }
            case "RotAside":
              if (index.aside[0] !== undefined) log.rot(index.aside[0].place)
              break
            case "Remove":
              log.apply({ _tag: "Remove", keys: [op.key] })
              break
            case "Doubt":
              index.doubtAll(9, "a part of it is missing")
              break
            case "Settle":
              log.apply({ _tag: "Doubt", at: 0, why: "" })
          }
        }
        const rotten = rottenIn(log)
        const made = yield* compacted(log)
        assert.deepStrictEqual(inOrder(made.rotten), inOrder(rotten))
        for (const frame of made.frames) {
          const inFrame = frame.flatMap((entry) => entry._tag === "Put" ? [entry.record.key] : [])
          assert.strictEqual(new Set(inFrame).size, inFrame.length, "two snapshots of a key lie in one frame")
        }
        const [before, after] = [yield* view(log), yield* view(made.copy)]
        assert.deepStrictEqual(after, before)
      })),
    { arbitrary: { runs: 200 } }
  )
})

describe("a part of a log that was lost", () => {
  const put = (key: string, seq: number): LogEntry => ({ _tag: "Put", record: record(key, seq, 1) })
  const doubt: LogEntry = { _tag: "Doubt", at: 7, why: "a part is missing" }
  const answersOf = ({ index }: Log, key: string) => Array.from(index.kept.get(key)!.answers, ({ at, id }) => [id, at])

  it("has any answer of a key that comes later be in doubt, and of none that was there, or comes when that is settled", () => {
    const log = new Log("log")
    log.apply(put("known", 1))
    log.apply(doubt)
    log.apply(put("known", 2))
    log.apply(put("new", 1))
    log.apply(put("new", 2))
    assert.deepStrictEqual([answersOf(log, "known"), answersOf(log, "new")], [[], [["", 7]]])
    assert.strictEqual(log.index.doubt?.why, "a part is missing")
    assert.isDefined(lossOf(Array.from(log.index.kept.get("new")!.answers)[0]!))
    log.apply({ _tag: "Doubt", at: 0, why: "" })
    log.apply(put("later", 1))
    assert.deepStrictEqual(answersOf(log, "later"), [])
  })

  it("has answers that were lost with all snapshots of a key go over to its next", () => {
    const log = new Log("log")
    log.apply({ _tag: "AnswersLost", key: "a", answers: [answer("x", 1)] })
    log.apply(put("b", 1))
    log.apply(put("a", 5))
    assert.deepStrictEqual([answersOf(log, "a"), answersOf(log, "b")], [[["x", 1]], []])
    assert.strictEqual(log.index.orphans.size, 0)
  })
})
