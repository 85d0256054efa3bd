/** What the file store reads from a log whose end is missing, or whose bytes have rotted. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as fs from "node:fs"
import * as LogFrame from "../../../../src/domain/state/stored/LogFrame.ts"
import { makeDisk } from "../../../kit/stores/FaultyDisk.ts"
import { folder, open, segments, written } from "../../../kit/stores/FileStore.ts"
import { answer, record, seqs } from "../../../kit/stores/Records.ts"

describe("a log that was not written whole, or has rotted", () => {
  it.live("an incomplete end is cut off and reported once; every update acknowledged before it is there", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const file = yield* written(directory, 3)
      const whole = fs.statSync(file).size
      fs.appendFileSync(file, fs.readFileSync(file).subarray(0, 60))
      const { damages, store } = yield* open(directory)
      yield* store.acquireEpoch("app")
      assert.deepStrictEqual(yield* seqs(store), [3, 2, 1])
      assert.deepStrictEqual(damages.map(({ _tag }) => _tag), ["TornTail"])
      assert.deepStrictEqual(damages[0], { _tag: "TornTail", file: file.slice(-16), at: whole, bytes: 60 })
      const again = yield* open(directory)
      yield* again.store.acquireEpoch("app")
      assert.deepStrictEqual(yield* seqs(again.store), [3, 2, 1])
      assert.deepStrictEqual(again.damages, [])
    }))

  it.live("compaction keeps the answers on record with the newest snapshot: what rots beside it costs none", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const { store } = yield* open(directory, makeDisk(), { compactAbove: 1000 })
      const epoch = yield* store.acquireEpoch("app")
      // Each larger than what compaction writes out at once.
      const state = JSON.stringify("s".repeat(1_200_000))
      let last = 0
      while (last < 20 && segments(directory).some((file) => file.endsWith("-0.log"))) {
        last++
        yield* store.save([record("a", last, epoch, { state, answers: [answer(`a${last}`, last)] })])
        // A compaction has its turn before this.
        yield* store.keys()
      }
      const file = segments(directory).at(-1)!
      const bytes = fs.readFileSync(file)
      bytes[600_000] = bytes[600_000]! ^ 1
      fs.writeFileSync(file, bytes)
      const { damages, store: again } = yield* open(directory)
      const [newest, ...older] = yield* again.load("a")
      assert.deepStrictEqual(damages.map(({ _tag }) => _tag), ["Hole"])
      assert.lengthOf(older, 1, "one has rotted")
      assert.deepStrictEqual(newest?.answers?.map(({ id }) => id), Array.from({ length: last }, (_, n) => `a${n + 1}`))
    }))

  it.live("cut anywhere, the log holds a beginning of the updates that were written", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const file = yield* written(directory, 3)
      const bytes = fs.readFileSync(file)
      let before = 3
      for (let cut = bytes.length; cut >= 0; cut -= 7) {
        fs.writeFileSync(file, bytes.subarray(0, cut))
        const { damages, store } = yield* open(directory)
        const newest = (yield* seqs(store))[0] ?? 0
        assert.isAtMost(newest, before)
        assert.deepStrictEqual(yield* seqs(store), [3, 2, 1].slice(3 - newest))
        assert.isTrue(cut === bytes.length || newest < 3)
        assert.deepStrictEqual(damages.filter(({ _tag }) => _tag === "Hole"), [])
        before = newest
      }
      assert.strictEqual(before, 0)
    }))

  it.live("a damaged part in the middle is reported, and the generation before takes its place", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const file = yield* written(directory, 3)
      const bytes = fs.readFileSync(file)
      // somewhere in the state of snapshot 3, with a batch of another key behind it
      yield* written(directory, 1, "b")
      const first = segments(directory)[0]!
      assert.strictEqual(first, file)
      bytes[bytes.length - 3]! ^= 1
      fs.writeFileSync(file, bytes)
      const { damages, store } = yield* open(directory)
      yield* store.acquireEpoch("app")
      assert.deepStrictEqual(yield* seqs(store), [2, 1])
      assert.deepStrictEqual(yield* seqs(store, "b"), [1])
      assert.deepStrictEqual(damages.map(({ _tag }) => _tag), ["Hole"])
    }))

  it.live("to a reader an incomplete end is no damage: the owner may just be writing it", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const file = yield* written(directory, 2)
      fs.appendFileSync(file, fs.readFileSync(file).subarray(0, 60))
      const { damages, store } = yield* open(directory)
      assert.deepStrictEqual(yield* seqs(store), [2, 1])
      assert.deepStrictEqual(damages, [])
    }))

  it.live("a segment that was whole when others were built on it, and is short now, is reported", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const file = yield* written(directory, 3)
      const size = fs.statSync(file).size
      yield* written(directory, 1, "b")
      // between two frames, so that no frame is incomplete
      const { length } = LogFrame.read(fs.readFileSync(file), 0)!
      fs.truncateSync(file, length)
      const { damages, store } = yield* open(directory)
      assert.deepStrictEqual(yield* store.keys(), ["b"])
      assert.deepStrictEqual(damages, [{ _tag: "Hole", file: file.slice(-16), at: length, bytes: size - length }])
    }))

  it.live("frames of another session are never taken for a segment's own", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const first = yield* written(directory, 2)
      const bytes = fs.readFileSync(first)
      yield* Effect.scoped(Effect.gen(function*() {
        const { store } = yield* open(directory)
        yield* store.remove(["a"], yield* store.acquireEpoch("app"))
      }))
      // as a file system may leave them behind, that has lost the end of a file and not its length
      fs.appendFileSync(segments(directory).at(-1)!, bytes)
      const { damages, store } = yield* open(directory)
      yield* store.acquireEpoch("app")
      assert.deepStrictEqual(yield* seqs(store), [])
      assert.isNotEmpty(damages)
    }))

  it.live("a missing segment is reported, and the rest is read", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const file = yield* written(directory, 2)
      yield* written(directory, 1, "b")
      fs.rmSync(file)
      const { damages, store } = yield* open(directory)
      assert.deepStrictEqual(yield* seqs(store, "b"), [1])
      assert.deepStrictEqual(damages.map(({ _tag }) => _tag), ["Unusable"])
    }))

  it.live.prop("whatever bytes rot, opening never fails, and nothing is loaded that was not saved", {
    flips: Schema.NonEmptyArray(Schema.Struct({ at: Schema.Natural, by: Schema.Natural }))
  }, ({ flips }) =>
    Effect.scoped(Effect.gen(function*() {
      const directory = yield* folder
      const file = yield* written(directory, 6)
      const bytes = fs.readFileSync(file)
      for (const { at, by } of flips) bytes[at * 7919 % bytes.length]! ^= 1 + by % 255
      fs.writeFileSync(file, bytes)
      const { damages, store } = yield* open(directory)
      const epoch = yield* store.acquireEpoch("app")
      for (const one of yield* store.load("a")) {
        assert.deepStrictEqual(one, { ...record("a", one.seq, one.epoch), answers: [] })
      }
      if ((yield* seqs(store))[0] !== 6) assert.isAbove(damages.length, 0)
      yield* store.save([record("a", 7, epoch)])
      assert.strictEqual((yield* seqs(store))[0], 7)
    })), { arbitrary: { runs: 30 }, timeout: 60_000 })
})
