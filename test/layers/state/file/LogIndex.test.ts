/** What an index says of a log, and what a compaction takes over of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { anyId, lossOf, lost } from "../../../../src/domain/state/Answers.ts"
import type { LogEntry, Meta } from "../../../../src/domain/state/log/LogEntry.ts"
import { AnswerShelf } from "../../../../src/domain/state/stored/AnswerShelf.ts"
import {
  keep,
  type Kept,
  type SnapshotRecord,
  timersOf,
  withoutSnapshot
} from "../../../../src/domain/state/stored/SnapshotRecord.ts"
import * as Timers from "../../../../src/domain/state/Timers.ts"
import { copyNeeded } from "../../../../src/layers/state/file/LogCompaction.ts"
import { type Indexed, LogIndex, type Place } from "../../../../src/layers/state/file/LogIndex.ts"
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

/** What the index keeps beside what is kept of each key, as it would be if it were made of that anew. */
const besides = ({ index }: Log) => {
  const sizeOf = ({ key, place }: Indexed) => 120 + key.length + place.length
  const sizes = [
    ...Array.from(
      index.kept.values(),
      ({ answers, snapshots }) => snapshots.reduce((sum, one) => sum + sizeOf(one), new AnswerShelf(answers).size)
    ),
    ...index.aside.map((one) => sizeOf(one) + new AnswerShelf(one.answers).size)
  ]
  return {
    live: sizes.reduce((sum, one) => sum + one, 0),
    keys: [...index.kept.keys()].sort(),
    due: Array.from(index.kept, ([key, kept]) => ({ key, timers: timersOf(kept) }))
      .flatMap(({ key, timers }) => timers.length === 0 ? [] : [{ key, due: Timers.earliest(timers)!, timers }])
      .sort((a, b) => a.due - b.due || (a.key < b.key ? -1 : 1))
  }
}

const said = ({ index }: Log) => ({
  live: index.live,
  keys: index.pages.page("", { after: undefined, limit: 9 }),
  due: index.due.page(9)
})

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
          // Whatever is made out of what is kept, and is kept itself, goes with it.
          assert.deepStrictEqual(said(log), besides(log))
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
        assert.deepStrictEqual(said(log), besides(log))
        const rotten = rottenIn(log)
        const made = yield* compacted(log)
        assert.deepStrictEqual(inOrder(made.rotten), inOrder(rotten))
        // Answers lie beside the newest snapshot, and timers where there are any: what rots elsewhere costs none.
        for (const entry of made.frames.flat()) {
          if (entry._tag !== "Put") continue
          const { answers, key, seq, timers } = entry.record
          const kept = index.kept.get(key)!
          assert.strictEqual(answers !== undefined, seq === kept.snapshots[0]!.seq)
          assert.strictEqual(timers === undefined, kept.timers === undefined)
        }
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
  const answersOf = ({ index }: Log, key: string) =>
    Array.from(index.kept.get(key)!.answers, ({ at, id, seq }) => [id, at, seq])

  it("has any answer of a key that comes later be in doubt, and of none that was there, or comes when that is settled", () => {
    const log = new Log("log")
    log.apply(put("known", 1))
    log.apply(doubt)
    log.apply(put("known", 2))
    log.apply(put("new", 1))
    log.apply(put("new", 2))
    assert.deepStrictEqual([answersOf(log, "known"), answersOf(log, "new")], [[], [["", 7, 0]]])
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
    assert.deepStrictEqual([answersOf(log, "a"), answersOf(log, "b")], [[["x", 1, 1]], []])
    assert.strictEqual(log.index.orphans.size, 0)
  })
})

describe("an index of a log in which nothing is damaged", () => {
  const Whole = Schema.Union([
    Schema.TaggedStruct("Put", {
      key: Key,
      step: Schema.Literals([1, 1, 1, 1, 2, 0]),
      probation: Schema.Literals([0, 0, 1, 2, 3]),
      answer: Schema.optionalKey(Schema.Literals(["x", "y", "z"])),
      forget: Schema.Boolean,
      timers: Schema.optionalKey(Schema.Literals([0, 1, 2]))
    }),
    Schema.TaggedStruct("Aside", { key: Key, back: Schema.Literals([0, 0, 1, 2, 3]) }),
    Schema.TaggedStruct("Remove", { key: Key })
  ])

  it.prop(
    "has of each key what a store in memory has, and of what was set aside the answers and timers that went with it",
    { ops: Schema.Array(Whole) },
    ({ ops }) => {
      const log = new Log("log")
      const stored = new Map<string, Kept<SnapshotRecord>>()
      const aside: Array<unknown> = []
      const top: Record<string, number> = {}
      for (const op of ops) {
        const before = stored.get(op.key)
        if (op._tag === "Put") {
          const { answer: id, forget, key, probation, step, timers } = op
          const seq = top[key] = Math.max(1, (top[key] ?? 0) + step)
          const saved = record(key, seq, 1, {
            trusted: Math.max(0, seq - 1 - probation),
            ...(id === undefined ? {} : { answers: [answer(id, seq)] }),
            ...(forget ? { forgetAnswersBefore: seq - 1 } : {}),
            ...(timers === undefined ? {} : { timers: ["x", "y"].slice(0, timers).map((one) => timer(one, seq)) })
          })
          stored.set(key, keep(before, saved, saved, 3))
          log.apply({ _tag: "Put", record: saved })
        } else if (op._tag === "Remove") {
          stored.delete(op.key)
          log.apply({ _tag: "Remove", keys: [op.key] })
        } else {
          const seq = before?.snapshots[op.back]?.seq ?? 99
          log.apply({ _tag: "Aside", key: op.key, seq, why: "poisoned", asideAt: 5 })
          if (before === undefined || seq === 99) continue
          const { answers, kept, timers } = withoutSnapshot(before, seq)
          if (kept.snapshots.length === 0) stored.delete(op.key)
          else stored.set(op.key, kept)
          aside.push([op.key, seq, "poisoned", 5, answers, timers])
        }
        const shown = (kept: ReadonlyMap<string, Kept<Meta>>) =>
          Array.from(kept, ([key, { answers, snapshots, timers }]) => ({
            key,
            snapshots: snapshots.map((
              { at, epoch, key, seq, trusted, version }
            ) => [key, seq, epoch, version, trusted, at]),
            answers: Array.from(answers),
            timers: timers ?? []
          })).sort((a, b) => a.key < b.key ? -1 : 1)
        assert.deepStrictEqual(shown(log.index.kept), shown(stored))
        assert.deepStrictEqual(
          log.index.aside.map((one) => [one.key, one.seq, one.why, one.asideAt, one.answers, one.timers]),
          aside
        )
        assert.deepStrictEqual(said(log), besides(log))
      }
    },
    { arbitrary: { runs: 150 } }
  )
})

describe("the snapshots of a key", () => {
  it("give way to a new one as they are saved in order: the oldest, but never the newest trusted one", () => {
    for (let trusted = 0; trusted <= 5; trusted++) {
      const log = new Log("log")
      let kept: Kept<SnapshotRecord> | undefined
      for (const seq of [1, 3, 5, 6]) {
        const saved = record("a", seq, 1, { trusted: seq === 6 ? trusted : seq - 1 })
        kept = keep(kept, saved, saved, 3)
        log.apply({ _tag: "Put", record: saved })
      }
      assert.deepStrictEqual(
        log.index.kept.get("a")!.snapshots.map(({ seq }) => seq),
        kept!.snapshots.map(({ seq }) => seq)
      )
      assert.deepStrictEqual(said(log), besides(log))
    }
  })
})

describe("a write", () => {
  it("is refused under an epoch that is not in force, and of a key that a younger one has written", () => {
    const log = new Log("log")
    const epoch = (owner: string, epoch: number) => log.apply({ _tag: "Epoch", owner, epoch })
    epoch("one", 1)
    epoch("two", 2)
    epoch("one", 3)
    log.apply({ _tag: "Put", record: record("a", 1, 3) })
    const { index } = log
    assert.deepStrictEqual(index.stale([{ epoch: 1, key: "a" }]), {
      _tag: "Fenced",
      owner: "one",
      epoch: 1,
      current: 3
    })
    assert.isUndefined(index.stale([]))
    assert.isUndefined(index.stale([{ epoch: 3, key: "a" }, { epoch: 3 }, { epoch: 2 }, { epoch: 2, key: "b" }]))
    assert.deepStrictEqual(index.stale([{ epoch: 1 }]), { _tag: "Fenced", owner: "one", epoch: 1, current: 3 })
    // Nothing is known of it: the youngest of all is said.
    assert.deepStrictEqual(index.stale([{ epoch: 7, key: "a" }]), { _tag: "Fenced", epoch: 7, current: 3 })
    assert.deepStrictEqual(index.stale([{ epoch: 2, key: "a" }]), { _tag: "Fenced", key: "a", epoch: 2, current: 3 })
    assert.deepStrictEqual(index.stale([{ epoch: 2, key: "b" }, { epoch: 1 }, { epoch: 2, key: "a" }, { epoch: 3 }]), {
      _tag: "Fenced",
      owner: "one",
      epoch: 1,
      current: 3,
      others: [{ key: "a", epoch: 2, current: 3 }]
    })
    // What is of one key ends with that key.
    epoch("c", 4)
    epoch("c", 5)
    assert.deepStrictEqual(index.stale([{ epoch: 4, key: "c" }]), { _tag: "Fenced", key: "c", epoch: 4, current: 5 })
    // Where a log has no epoch of it, what was written says which was the youngest.
    const other = new Log("other")
    other.apply({ _tag: "Segment", bases: [], cuts: [] })
    assert.strictEqual(other.index.newest, 0)
    other.apply({ _tag: "Epoch", owner: "one", epoch: 4 })
    other.apply({ _tag: "Put", record: record("a", 1, 9) })
    other.apply({ _tag: "Put", record: record("a", 2, 8) })
    other.apply({ _tag: "Epoch", owner: "two", epoch: 5 })
    assert.strictEqual(other.index.newest, 9)
    assert.deepStrictEqual(other.index.stale([{ epoch: 2 }]), { _tag: "Fenced", epoch: 2, current: 9 })
    other.apply({ _tag: "Epoch", owner: "two", epoch: 10 })
    assert.strictEqual(other.index.newest, 10)
  })
})

describe("snapshots that are lost", () => {
  const put = (key: string, seq: number, more: Partial<SnapshotRecord> = {}): LogEntry => ({
    _tag: "Put",
    record: record(key, seq, 1, more)
  })
  const logOf = (...entries: ReadonlyArray<readonly [entry: LogEntry, damaged?: string]>) => {
    const log = new Log("log")
    for (const [entry, damaged] of entries) log.apply(entry, damaged)
    return log
  }
  const aside = (seq: number): LogEntry => ({ _tag: "Aside", key: "a", seq, why: "poisoned", asideAt: 5 })
  const lostOf = ({ index }: Log, key = "a") => {
    const found = index.lostOf(key)
    return found && [
      found.records.map(({ damaged, seq }) => [seq, damaged]),
      Array.from(found.answers, (one) => [one.id, one.seq, lossOf(one)])
    ]
  }
  const keptOf = ({ index }: Log) => {
    const kept = index.kept.get("a")
    return kept && [
      kept.snapshots.map(({ seq }) => seq),
      (kept.lost ?? []).map(({ seq }) => seq),
      Array.from(kept.answers, (one) => [one.id, one.seq, lossOf(one)]),
      kept.timers?.map(({ seq }) => seq)
    ]
  }
  const answered = (seq: number) => ({ answers: [answer(`x${seq}`, seq)], timers: [timer("t", seq)] })

  it("are those after the newest that is whole, newest first, as many as are kept; and the answers after it", () => {
    const log = logOf([put("a", 1, answered(1))], [put("a", 2, answered(2)), "rotten"], [
      put("a", 3, answered(3)),
      "gone"
    ])
    assert.deepStrictEqual(lostOf(log), [[[3, "gone"], [2, "rotten"]], [["x1", 1, undefined], ["x2", 1, "gone"], [
      "x3",
      1,
      "gone"
    ]]])
    log.apply(put("a", 4))
    assert.isUndefined(lostOf(log))
    // They give way as they would if they were whole.
    assert.deepStrictEqual(keptOf(log), [[4, 1], [3, 2], [["x1", 1, undefined], ["x2", 2, undefined], [
      "x3",
      3,
      undefined
    ]], [3, 2, 1]])
    for (const seq of [5, 6, 7, 8, 9]) log.apply(put("a", seq), "rotten")
    assert.deepStrictEqual(lostOf(log)?.[0], [[9, "rotten"], [8, "rotten"], [7, "rotten"]])
  })

  it("are known as long as they would be kept if they were whole, and while a younger one is", () => {
    assert.deepStrictEqual(keptOf(logOf([put("a", 1), "rotten"], [put("a", 2)]))?.slice(0, 2), [[2], [1]])
    const log = logOf([put("a", 1)], [put("a", 2), "rotten"])
    log.apply(aside(1))
    assert.deepStrictEqual(keptOf(log)?.slice(0, 2), [[], [2]])
  })

  it("are none where they were saved a second time as they were, before or after", () => {
    const saved = put("a", 1)
    assert.isUndefined(lostOf(logOf([saved], [saved, "rotten"])))
    assert.isUndefined(lostOf(logOf([saved, "rotten"], [saved])))
    assert.deepStrictEqual(lostOf(logOf([saved, "rotten"], [saved, "gone"])), [[[1, "gone"]], []])
    // Another state under the number, or the state under another number, is another snapshot; whatever its checksum.
    const other = { state: "{\"count\":2}" }
    assert.deepStrictEqual(lostOf(logOf([saved], [put("a", 1, other), "rotten"])), [[[1, "rotten"]], []])
    const same = { state: JSON.stringify({ count: 1 }) }
    assert.deepStrictEqual(lostOf(logOf([saved], [put("a", 2, same), "rotten"])), [[[2, "rotten"]], []])
    const log = logOf()
    const text = { offset: 0, length: 3, sum: 7 }
    log.index.apply(saved, "log", 0, text)
    log.index.apply(saved, "log", 9, { ...text, damaged: "rotten" })
    assert.isUndefined(lostOf(log))
    log.index.apply(saved, "log", 9, { ...text, length: 4, damaged: "rotten" })
    assert.deepStrictEqual(lostOf(log), [[[1, "rotten"]], []])
  })

  it("may be any, of a key that has none, after a part was lost of which it is not known what it held", () => {
    const log = logOf([put("a", 1)], [put("a", 2), "rotten"], [put("b", 7)])
    const { index } = log
    const why = "a part of it is missing"
    index.doubtAll(9, why)
    assert.deepStrictEqual(index.doubt, { at: 9, why })
    assert.deepStrictEqual(lostOf(log), [[[3, why], [2, "rotten"]], [["", 1, why]]])
    assert.deepStrictEqual(lostOf(log, "b"), [[[8, why]], [["", 7, why]]])
    const place = { file: "", at: 0, length: 0, sum: undefined }
    assert.deepStrictEqual(index.lostOf("c"), {
      records: [{ key: "c", epoch: 0, seq: 1, version: 1, trusted: 0, at: 9, place, damaged: why }],
      answers: [lost({ id: anyId, seq: 0, at: 9 }, why)]
    })
    // What is lost for good cannot be more so.
    index.doubtAll(10, "more")
    assert.deepStrictEqual(lostOf(log), [[[3, why], [2, "rotten"]], [["", 1, "more"]]])
    log.apply({ _tag: "Doubt", at: 0, why: "" })
    assert.deepStrictEqual(lostOf(log), [[[3, why], [2, "rotten"]], []])
    assert.isUndefined(lostOf(log, "c"))
    // What was lost already, and has no snapshot before it.
    const alone = logOf([put("a", 1), "rotten"])
    alone.index.doubtAll(9, why)
    assert.deepStrictEqual(lostOf(alone), [[[2, why], [1, "rotten"]], [["", 0, why]]])
    // As a compaction has it.
    const copied = logOf([put("a", 1)], [{ _tag: "Lost", record: record("a", 2, 1, { state: "" }), why }])
    copied.index.doubtAll(9, "more")
    assert.deepStrictEqual(lostOf(copied), [[[2, why]], [["", 1, "more"]]])
    assert.deepStrictEqual(said(alone), besides(alone))
  })

  const asides = ({ index }: Log) =>
    index.aside.map(({ answers, asideAt, seq, timers, why }) => [
      seq,
      `${why} ${asideAt}`,
      answers.map(({ id }) => id).join(),
      timers.map(({ due }) => due).join()
    ])
  const three = () =>
    logOf([put("a", 1, answered(1))], [put("a", 2, answered(2)), "rotten"], [put("a", 3, answered(3)), "gone"])

  it("are set aside newest first, each with the answers and timers that came with it", () => {
    const log = three()
    log.apply(aside(3))
    assert.deepStrictEqual(asides(log), [[3, "poisoned 5", "x3", "3"]])
    assert.deepStrictEqual(keptOf(log), [
      [1],
      [2],
      [["x1", 1, undefined], ["x2", 2, undefined], ["x3", 2, "poisoned"]],
      [2, 1]
    ])
    assert.deepStrictEqual(lostOf(log), [[[2, "rotten"]], [["x1", 1, undefined], ["x2", 1, "rotten"], [
      "x3",
      1,
      "rotten"
    ]]])
    log.apply(aside(2))
    assert.deepStrictEqual(asides(log).slice(1), [[2, "poisoned 5", "x2,x3", "2"]])
    assert.deepStrictEqual(keptOf(log), [
      [1],
      [],
      [["x1", 1, undefined], ["x2", 1, "poisoned"], ["x3", 1, "poisoned"]],
      [1]
    ])
    assert.isUndefined(lostOf(log))
    log.apply(aside(1))
    assert.deepStrictEqual(asides(log).slice(2), [[1, "poisoned 5", "x1,x2,x3", "1"]])
    assert.isUndefined(log.index.kept.get("a"))
    assert.strictEqual(log.index.orphans.size, 0)
    assert.deepStrictEqual(said(log), besides(log))
  })

  it("keep their answers and timers when an older one is set aside", () => {
    const all = [["x1", 1, undefined], ["x2", 2, undefined], ["x3", 3, undefined]]
    const middle = three()
    middle.apply(aside(2))
    assert.deepStrictEqual(asides(middle), [[2, "poisoned 5", "", "2"]])
    assert.deepStrictEqual(keptOf(middle), [[1], [3], all, [3, 2, 1]])
    const oldest = three()
    oldest.apply(aside(1))
    assert.deepStrictEqual(asides(oldest), [[1, "poisoned 5", "", "1"]])
    assert.deepStrictEqual(keptOf(oldest), [[], [3, 2], all, [3, 2, 1]])
    // No snapshot is left: what was answered is known as lost, and so it is when the last is set aside.
    const known = (why: string) => ["x1", "x2", "x3"].map((id) => [id, 0, why])
    assert.deepStrictEqual(lostOf(oldest), [[[3, "gone"], [2, "rotten"]], known("gone")])
    oldest.apply(aside(3))
    oldest.apply(aside(2))
    assert.deepStrictEqual(asides(oldest).slice(1), [[3, "poisoned 5", "x3", "3"], [2, "poisoned 5", "x1,x2,x3", "2"]])
    assert.isUndefined(oldest.index.kept.get("a"))
    assert.deepStrictEqual(
      Array.from(oldest.index.orphans, ([key, answers]) => [key, answers.map((one) => [one.id, one.seq, lossOf(one)])]),
      [["a", known("poisoned")]]
    )
    assert.deepStrictEqual(said(oldest), besides(oldest))
    const between = logOf([put("a", 1, answered(1))], [put("a", 2, answered(2)), "rotten"], [put("a", 3, answered(3))])
    between.apply(aside(3))
    assert.deepStrictEqual(asides(between), [[3, "poisoned 5", "x3", "3"]])
    assert.deepStrictEqual(keptOf(between), [[1], [2], [["x1", 1, undefined], ["x2", 2, undefined]], [1]])
  })

  it("leave nothing behind when they are set aside alone, or removed; and what is not there is not set aside", () => {
    const alone = logOf([put("a", 1), "rotten"])
    alone.apply(aside(1))
    assert.deepStrictEqual([asides(alone), [...alone.index.orphans]], [[[1, "poisoned 5", "", ""]], []])
    assert.deepStrictEqual(said(alone), besides(alone))
    const removed = logOf([{ _tag: "AnswersLost", key: "a", answers: [answer("x", 1)] }], [put("b", 1), "rotten"])
    removed.apply({ _tag: "Remove", keys: ["a", "b"] })
    assert.deepStrictEqual([[...removed.index.orphans], said(removed)], [[], { live: 0, keys: [], due: [] }])
    const unknown = logOf([put("a", 1)])
    unknown.apply(aside(7))
    unknown.apply({ _tag: "Aside", key: "b", seq: 1, why: "poisoned", asideAt: 5 })
    assert.deepStrictEqual([asides(unknown), keptOf(unknown)], [[], [[1], [], [], undefined]])
  })

  it("are named once when they rot while they are in use", () => {
    const log = logOf([put("a", 1)], [put("a", 2)])
    const one = log.index.kept.get("a")!.snapshots[1]!
    log.index.rotten(one, "rotten")
    log.index.rotten(one, "again")
    const { lost: gone = [] } = log.index.kept.get("a")!
    assert.deepStrictEqual([keptOf(log)?.[0], gone.map(({ damaged, seq }) => [seq, damaged])], [[2], [[1, "rotten"]]])
    assert.deepStrictEqual(said(log), besides(log))
  })
})
