/** A segment in the making: its frames, and what lies beside it. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Path, Scope } from "effect"
import * as fs from "node:fs"
import type { LogEntry } from "../../../../src/domain/state/log/LogEntry.ts"
import * as LogFrame from "../../../../src/domain/state/log/LogFrame.ts"
import { copyNeeded } from "../../../../src/layers/state/file/LogCompaction.ts"
import * as LogDirectory from "../../../../src/layers/state/file/LogDirectory.ts"
import { LogIndex } from "../../../../src/layers/state/file/LogIndex.ts"
import { replay } from "../../../../src/layers/state/file/LogReplay.ts"
import { scan, witnessed } from "../../../../src/layers/state/file/LogScan.ts"
import { create } from "../../../../src/layers/state/file/LogSegment.ts"
import { checksum } from "../../../../src/layers/state/file/NodeDisk.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import { folder } from "../../../kit/Folder.ts"
import {
  encoded,
  first,
  flipped,
  type Frames,
  joined,
  oldFrame,
  put,
  second,
  segment
} from "../../../kit/stores/LogFiles.ts"
import { MemoryDisk } from "../../../kit/stores/MemoryDisk.ts"
import { answer, record } from "../../../kit/stores/Records.ts"

const header: LogEntry = { _tag: "Segment", bases: [], cuts: [] }

const large = (i: number, length: number): LogEntry => ({
  _tag: "Put",
  record: { ...record(`k${i}`, 1, 1), state: `"${"x".repeat(length)}"` }
})

/** A segment of so many entries, and what is read of it. */
const made = Effect.fnUntraced(function*(count: number, length: number, entry = large, chain?: number) {
  const disk = new MemoryDisk()
  const log = LogDirectory.make(
    disk.fileSystem,
    yield* Effect.provide(Path.Path, NodeServices.layer),
    "/store",
    checksum
  )
  yield* log.claim
  const index = new LogIndex(3)
  const scope = yield* Scope.make()
  const segment = yield* create(
    log,
    new LogFrame.FrameWriter(checksum),
    scope,
    1,
    0,
    header,
    chain,
    (target) =>
      Effect.suspend(() => {
        const { add } = target(index)
        return Effect.forEach(
          Array.from({ length: count }, (_, i) => entry(i, length)),
          (one) => add(one) ?? Effect.void,
          {
            discard: true
          }
        )
      })
  )
  return { disk, index, log, read: yield* replay(disk.fileSystem, log, 3, checksum), segment }
})

describe("a segment that is made", () => {
  it.effect("has its header in a frame, and what it is filled with in frames of some 64 kB, however much that is", () =>
    Effect.gen(function*() {
      const { disk, index, read, segment } = yield* made(1000, 1000)
      // A million characters and more.
      assert.isAtLeast(segment.frames, 16)
      assert.isAtMost(segment.frames, 20)
      // Each entry is in one of them.
      assert.isBelow(segment.size, 1_200_000)
      assert.deepStrictEqual([segment.name, segment.broken], ["0000000001-0.log", false])
      assert.strictEqual(segment.size, disk.copy.get(segment.name)!.length)
      assert.deepStrictEqual(read.damages, [])
      assert.strictEqual(read.index.kept.size, 1000)
      assert.strictEqual(read.chain, segment.chain)
      assert.deepStrictEqual(
        index.kept.get("k999")!.snapshots[0]!.place,
        read.index.kept.get("k999")!.snapshots[0]!.place
      )
      // Their heads lie beside it, each in its place.
      const beside = disk.copy.get(LogDirectory.witnessOf(segment.name))!
      const heads = witnessed(beside, { session: 1, segment: 0 }, checksum)
      assert.deepStrictEqual([...heads.keys()], Array.from({ length: segment.frames }, (_, i) => i))
      assert.strictEqual(heads.get(0)!.head.before, 0)
      assert.strictEqual(heads.get(segment.frames - 1)!.head.sum, segment.chain)
      assert.strictEqual((yield* made(5, 1000)).segment.frames, 2)
      const aside = (i: number, length: number): LogEntry => ({
        _tag: "KeptAside",
        record: { ...record(`k${i}`, 1, 1), state: "x".repeat(length), why: "poisoned", asideAt: 5 }
      })
      const answered = (i: number, length: number): LogEntry => ({
        _tag: "Put",
        record: record(`k${i}`, 1, 1, { answers: [{ ...answer("x", 1), body: "x".repeat(length) }] })
      })
      // Whatever makes an entry large.
      for (const entry of [aside, answered]) {
        const { frames } = (yield* made(300, 1000, entry)).segment
        assert.isAtLeast(frames, 5)
        assert.isAtMost(frames, 7)
      }
      const follows = yield* made(1, 1, large, 77)
      const first = LogFrame.headAt(follows.disk.copy.get(segment.name)!, 0, checksum)
      assert.strictEqual(first?.before, 77)
      assert.strictEqual((yield* made(0, 0)).segment.frames, 1)
    }))
})

describe("a folder that two sessions want", () => {
  const open = (directory: string) => Effect.provide(StateStoreFile.make({ directory }), NodeServices.layer)

  it.live("an owner that is asked again goes on in its session; one that has lost the folder takes it back", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const [one, other] = [yield* open(directory), yield* open(directory)]
      const claims = () => fs.readdirSync(directory).filter((name) => name.endsWith(".claim"))
      const first = yield* one.acquireEpoch("app")
      assert.deepStrictEqual(claims(), ["0000000001.claim"])
      const second = yield* one.acquireEpoch("app")
      assert.isAbove(second, first)
      assert.deepStrictEqual(claims(), ["0000000001.claim"])
      yield* one.save([record("a", 1, second)])
      const third = yield* other.acquireEpoch("app")
      assert.isAbove(third, second)
      const fourth = yield* one.acquireEpoch("app")
      assert.isAbove(fourth, third)
      assert.deepStrictEqual(claims(), ["0000000003.claim"])
      yield* one.save([record("a", 2, fourth)])
      assert.strictEqual((yield* Effect.exit(other.save([record("a", 3, third)])))._tag, "Failure")
      assert.deepStrictEqual((yield* one.load("a")).map(({ seq }) => seq), [2, 1])
    }).pipe(Effect.scoped))
})

describe("a segment that is read from front to back", () => {
  const foundIn = (bytes: Uint8Array, session = 1, to = bytes.length) =>
    Effect.gen(function*() {
      const { fileSystem } = new MemoryDisk(new Map([["log", bytes]]))
      const found: Array<string> = []
      yield* scan(
        yield* Effect.scoped(fileSystem.open("log")),
        to,
        { session, segment: 0 },
        checksum,
        (one) =>
          Effect.sync(() => {
            if (one._tag === "Gap") {
              const how = [...one.isTail ? ["tail"] : [], ...one.isIncomplete ? ["incomplete"] : []]
              found.push(["gap", `${one.at}+${one.bytes}`, ...how].join(" "))
            } else if (one._tag === "Old") found.push(`old ${one.position}`)
            else {
              const { at, bytes, head, position } = one.frame
              const isWhole = LogFrame.contentsOf(bytes, at, head).texts.every((text) =>
                LogFrame.isWhole(bytes, at + text.offset, text, checksum)
              )
              found.push(`frame ${head.place} at ${position}${isWhole ? "" : " damaged"}`)
            }
          })
      )
      return found
    })
  const rubbish = (length: number) => new Uint8Array(length).fill(0x48)
  const [head, puts, last] = [first.frames[0]!.bytes, first.frames[1]!.bytes, first.frames[2]!.bytes]
  const other = second.frames.map(({ bytes }) => bytes)

  it.effect("has the frames of its own session, segment and place, and takes no other for one of them", () =>
    Effect.gen(function*() {
      const foreign: ReadonlyArray<Uint8Array> = [
        joined(other),
        encoded(segment(1, 1, 0, [[put("c", 1, 1)], [put("c", 2, 1)]]).frames),
        joined([head, head]),
        joined([oldFrame(2, [[["a", 1, 1, 1, 0, 1], "\"a\""]]), oldFrame(3, [[["a", 1, 1, 1, 0, 1], "\"a\""]])])
      ]
      for (const some of foreign) {
        const at = head.length
        const gap = `gap ${at}+${some.length}`
        assert.deepStrictEqual(yield* foundIn(joined([head, some, puts])), [
          "frame 0 at 0",
          gap,
          `frame 1 at ${at + some.length}`
        ])
        assert.deepStrictEqual((yield* foundIn(joined([head, some]))).slice(0, 2), ["frame 0 at 0", `${gap} tail`])
      }
      const old = oldFrame(1, [[["a", 1, 1, 1, 0, 1], "\"a\""]])
      assert.deepStrictEqual(yield* foundIn(joined([old, rubbish(40), oldFrame(2, []), old])), [
        "old 0",
        `gap ${old.length}+${40 + oldFrame(2, []).length}`,
        `old ${old.length + 40 + oldFrame(2, []).length}`
      ])
    }))

  it.effect("ends with what may be a frame that was not written whole: one that claims more, less than a header, zeros", () =>
    Effect.gen(function*() {
      const at = head.length
      const tail = Effect.fnUntraced(function*(bytes: Uint8Array) {
        const found = yield* foundIn(joined([head, bytes]))
        assert.strictEqual(found[1]?.split(" ")[1], `${at}+${bytes.length}`)
        return found.length === 2 && found[1]!.endsWith("tail incomplete")
      })
      const headless = flipped(40)
      assert.isTrue(yield* tail(headless(puts.slice(0, -1))))
      assert.isFalse(yield* tail(headless(puts)))
      assert.isTrue(yield* tail(oldFrame(1, [[["a"], "x"]]).slice(0, -1)))
      assert.isFalse(yield* tail(flipped(-1)(oldFrame(1, [[["a"], "as long as a header"]]))))
      assert.isTrue(yield* tail(rubbish(LogFrame.headerBytes - 1)))
      assert.isFalse(yield* tail(rubbish(LogFrame.headerBytes)))
      assert.isTrue(yield* tail(new Uint8Array(500)))
      assert.isFalse(yield* tail(flipped(-1)(new Uint8Array(500))))
      assert.deepStrictEqual(yield* foundIn(joined([head, rubbish(20), puts])), [
        "frame 0 at 0",
        `gap ${at}+20`,
        `frame 1 at ${at + 20}`
      ])
    }))

  it.effect("is read a piece at a time: frames that are larger, and those that reach from one piece into the next, are whole", () =>
    Effect.gen(function*() {
      const batches = [300_000, 900_000, 1_500_000, 10, 400_000].map((length, i) => [large(i, length)])
      const frames = segment(1, 0, 0, [[header], ...batches]).frames.map(({ bytes }) => bytes)
      let at = 0
      const expected = frames.map((bytes, place) => `frame ${place} at ${(at += bytes.length) - bytes.length}`)
      assert.deepStrictEqual(yield* foundIn(joined(frames)), expected)
      assert.deepStrictEqual(yield* foundIn(joined([...frames, last]), 1, at), expected)
      const cut = joined(frames).subarray(0, at - 1)
      assert.deepStrictEqual(yield* foundIn(cut), [...expected.slice(0, -1), `${expected.at(-1)} damaged`])
    }))

  it("has its heads beside it: those of others, and what is damaged, are not taken for them", () => {
    const heads = (frames: Frames) => frames.map(({ head }) => head)
    const [zero, one, two, three] = heads(first.frames)
    const places = (...parts: ReadonlyArray<Uint8Array>) =>
      Array.from(witnessed(joined(parts), { session: 1, segment: 0 }, checksum), ([place, { at }]) => [place, at])
    const ends = [0, 1, 2, 3].map((count) => joined(heads(first.frames).slice(0, count)).length)
    assert.deepStrictEqual(places(zero!, one!, two!, three!), ends.map((at, place) => [place, at]))
    assert.deepStrictEqual(places(zero!, flipped(40)(one!), two!, three!), [[0, 0], [2, ends[2]!], [3, ends[3]!]])
    assert.deepStrictEqual(places(...heads(second.frames), zero!), [[0, joined(heads(second.frames)).length]])
    assert.deepStrictEqual(
      places(...heads(segment(1, 1, 0, [[header]]).frames), ...heads(segment(2, 0, 0, [[header]]).frames)),
      []
    )
    assert.deepStrictEqual(places(zero!, one!.slice(0, 40)), [[0, 0]])
    assert.deepStrictEqual(places(), [])
  })
})

describe("a compaction", () => {
  it.effect("reads what it takes over in the order in which it lies; what lay in a file that is gone is lost", () =>
    Effect.gen(function*() {
      const index = new LogIndex(3)
      const state = (text: string) => new TextEncoder().encode(text)
      const bytes = state("\"a\"\"b\"\"c\"")
      const at = (key: string, file: string, offset: number, sum?: number) =>
        index.apply({ _tag: "Put", record: record(key, 1, 1, { state: "" }) }, file, offset, {
          offset: 0,
          length: 3,
          sum
        })
      at("c", "2", 6, checksum(state("\"c\"")))
      at("d", "3", 0, 1)
      // Of version 0.1, without a checksum.
      at("b", "1", 3)
      at("e", "2", 30)
      at("a", "1", 0, checksum(state("\"a\"")))
      at("f", "2", 3, 1)
      const { fileSystem } = new MemoryDisk(new Map([["1", bytes], ["2", bytes]]))
      const opened: Array<string> = []
      const entries: Array<unknown> = []
      const rotten = yield* copyNeeded({
        index,
        checksum,
        reader: (file) => {
          opened.push(file)
          return Effect.scoped(fileSystem.open(file))
        }
      }, {
        add: (entry) => {
          if ("record" in entry) entries.push([entry._tag, entry.record.key, entry.record.state])
          return undefined
        },
        flush: Effect.void
      })
      assert.deepStrictEqual(opened, ["1", "2", "3"])
      assert.deepStrictEqual(entries, [
        ["Put", "a", "\"a\""],
        ["Put", "b", "\"b\""],
        ["Lost", "f", "\"b\""],
        ["Put", "c", "\"c\""],
        ["Lost", "e", ""],
        ["Lost", "d", ""]
      ])
      assert.deepStrictEqual(rotten.map(({ at, file, length, sum }) => [file, at, length, sum]), [
        ["2", 3, 3, 1],
        ["2", 30, 3, undefined],
        ["3", 0, 3, 1]
      ])
    }))
})
