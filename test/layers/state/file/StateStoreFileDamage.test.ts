/** What the file store reads from a log whose end is missing, or whose bytes have rotted. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Path, Schema } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { lossOf } from "../../../../src/domain/state/Answers.ts"
import * as LogCopy from "../../../../src/layers/state/file/LogCopy.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import { makeDisk } from "../../../kit/stores/FaultyDisk.ts"
import { folder, open, segments, written } from "../../../kit/stores/FileStore.ts"
import { answer, record, seqs, seqsOf } from "../../../kit/stores/Records.ts"

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

  it.live("older snapshots that are damaged are known as lost when the newest is set aside, and not before", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      yield* Effect.scoped(Effect.gen(function*() {
        const { store } = yield* open(directory)
        const epoch = yield* store.acquireEpoch("app")
        for (const [i, state] of ["first", "second", "third"].entries()) {
          yield* store.save([record("a", i + 1, epoch, { state: `"${state}"` })])
        }
      }))
      const [file] = segments(directory)
      fs.writeFileSync(
        file!,
        fs.readFileSync(file!, "latin1").replace("first", "worst").replace("second", "seldom"),
        "latin1"
      )
      const { damages, store } = yield* open(directory)
      const epoch = yield* store.acquireEpoch("app")
      assert.deepStrictEqual(yield* seqs(store), [3])
      assert.isFalse(damages.some(({ _tag }) => _tag === "Lost"))
      yield* store.setAside({ key: "a", seq: 3, epoch, why: "poisoned" })
      for (const one of [store, (yield* open(directory)).store]) {
        const found = yield* one.load("a")
        assert.deepStrictEqual(found.map(({ damaged, seq }) => [seq, damaged !== undefined]), [[2, true], [1, true]])
      }
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

  it.live("cut anywhere, the log holds a beginning of the updates that were written, and says what is missing of each key", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const file = yield* written(directory, 3)
      const bytes = fs.readFileSync(file)
      for (let cut = bytes.length - 1; cut >= 0; cut -= 7) {
        fs.writeFileSync(file, bytes.subarray(0, cut))
        const { damages, store } = yield* open(directory)
        const [lost, ...whole] = yield* store.load("a")
        assert.deepStrictEqual([lost?.seq, lost?.damaged !== undefined], [3, true])
        const from = whole.find((one) => one.damaged === undefined)?.seq
        assert.deepStrictEqual(seqsOf(whole), [2, 1])
        const named = damages.find((one) => one._tag === "Lost")
        assert.deepStrictEqual([named?.key, named?.seq, named?.from], ["a", 3, from])
      }
    }))

  it.live("what lies beside the log tells an end that was acknowledged from one that never was", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const file = yield* written(directory, 3)
      const beside = file.replace(".log", ".keys")
      const [bytes, heads] = [fs.readFileSync(file), fs.readFileSync(beside)]
      const last = bytes.lastIndexOf("HLM2")
      // The process ended while it wrote the third batch: half of it is there, and nothing beside it.
      fs.writeFileSync(file, bytes.subarray(0, last + 40))
      fs.writeFileSync(beside, heads.subarray(0, heads.lastIndexOf("HLM2")))
      const never = yield* open(directory)
      yield* never.store.acquireEpoch("app")
      assert.deepStrictEqual(never.damages.map(({ _tag }) => _tag), ["TornTail"])
      assert.deepStrictEqual((yield* never.store.load("a")).map((one) => [one.seq, one.damaged]), [[2, undefined], [
        1,
        undefined
      ]])
    }))

  it.live(
    "what is lost of a key is lost in the same order after a compaction, and its answers lie with the last",
    () =>
      Effect.gen(function*() {
        const directory = yield* folder
        yield* Effect.scoped(Effect.gen(function*() {
          const { store } = yield* open(directory)
          const epoch = yield* store.acquireEpoch("app")
          for (const seq of [1, 2, 3]) {
            yield* store.save([record("a", seq, epoch, { state: `"rots"`, answers: [answer(`a${seq}`, seq)] })])
          }
        }))
        const [file] = segments(directory)
        fs.writeFileSync(file!, fs.readFileSync(file!, "latin1").replaceAll("rots", "r0ts"), "latin1")
        const found = yield* Effect.scoped(Effect.gen(function*() {
          const { store } = yield* open(directory, makeDisk(), { compactAbove: 0 })
          const epoch = yield* store.acquireEpoch("app")
          const found = yield* store.load("a")
          assert.deepStrictEqual(seqsOf(found), [3, 2, 1])
          while (fs.existsSync(file!)) {
            yield* store.save([record("b", 1, epoch)])
            yield* store.remove(["b"], epoch)
          }
          return found
        }))
        const { store } = yield* open(directory)
        const epoch = yield* store.acquireEpoch("app")
        const again = yield* store.load("a")
        assert.deepStrictEqual([seqsOf(again), again[0]?.answers], [seqsOf(found), found[0]?.answers])
        yield* store.setAside({ key: "a", seq: 3, epoch, why: "poisoned" })
        assert.deepStrictEqual(seqsOf(yield* store.load("a")), [2, 1])
      }),
    20_000
  )

  it.live("a copy that is made of it has its bytes", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      yield* written(directory, 3)
      const to = `${directory}-copy`
      yield* LogCopy.copy(yield* FileSystem.FileSystem, yield* Path.Path, directory, to)
      const names = fs.readdirSync(to).sort()
      assert.lengthOf(names, 2)
      for (const name of names) {
        assert.isTrue(fs.readFileSync(join(to, name)).equals(fs.readFileSync(join(directory, name))), name)
      }
    }).pipe(Effect.provide(NodeServices.layer)))

  for (
    const [what, tail, damage] of [
      ["the beginning of a frame", (bytes: Buffer) => bytes.subarray(0, 60), "TornTail"],
      ["less than a header", () => Buffer.from("xxxxx"), "TornTail"],
      ["zeros", () => Buffer.alloc(200), "TornTail"],
      ["anything else", () => Buffer.alloc(200, "x"), "Hole"]
    ] as const
  ) {
    it.live(`and where nothing lies beside it, its end was never acknowledged if it looks like that: ${what}`, () =>
      Effect.gen(function*() {
        const directory = yield* folder
        const file = yield* written(directory, 3)
        fs.rmSync(file.replace(".log", ".keys"))
        fs.appendFileSync(file, tail(fs.readFileSync(file)))
        const { damages, store } = yield* open(directory)
        yield* store.acquireEpoch("app")
        assert.strictEqual(damages[0]?._tag, damage)
        assert.strictEqual(damages.some(({ _tag }) => _tag === "Lost"), damage === "Hole")
      }))
  }

  it.live("a damaged text costs the snapshot that it is of: the one before takes its place, and those beside it are whole", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const file = yield* Effect.scoped(Effect.gen(function*() {
        const { store } = yield* open(directory)
        const epoch = yield* store.acquireEpoch("app")
        for (const seq of [1, 2, 3]) yield* store.save(["a", "b", "c"].map((key) => record(key, seq, epoch)))
        return segments(directory).at(-1)!
      }))
      const bytes = fs.readFileSync(file)
      // In the last state of "b".
      bytes[bytes.length - 15]! ^= 1
      fs.writeFileSync(file, bytes)
      const { damages, store } = yield* open(directory)
      const epoch = yield* store.acquireEpoch("app")
      const found = yield* store.load("b")
      assert.deepStrictEqual(found.map((one) => [one.seq, one.damaged !== undefined]), [[3, true], [2, false], [
        1,
        false
      ]])
      assert.match(found[0]!.state, /^\{"count.*\}$/, "a person may see what it is now")
      assert.deepStrictEqual([yield* seqs(store, "a"), yield* seqs(store, "c")], [[3, 2, 1], [3, 2, 1]])
      assert.deepStrictEqual(damages.map(({ _tag }) => _tag), ["Hole", "Lost"])
      yield* store.setAside({ key: "b", seq: 3, epoch, why: found[0]!.damaged! })
      assert.deepStrictEqual(yield* seqs(store, "b"), [2, 1])
      const aside = yield* store.listAside("b")
      assert.deepStrictEqual(aside.map((one) => [one.seq, one.damaged]), [[3, found[0]!.damaged]])
      assert.isTrue(fs.existsSync(`${file}.damaged`), "the file is kept")
    }))

  it.live("a damaged head costs nothing: it is beside the log once more", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const file = yield* written(directory, 3)
      const bytes = fs.readFileSync(file)
      for (let at = 0; at < 36; at++) {
        const changed = bytes.slice()
        changed[bytes.lastIndexOf("HLM2") + at]! ^= 4
        fs.writeFileSync(file, changed)
        const { damages, store } = yield* open(directory)
        assert.deepStrictEqual((yield* store.load("a")).map((one) => [one.seq, one.damaged]), [
          [3, undefined],
          [2, undefined],
          [1, undefined]
        ])
        assert.deepStrictEqual(damages.map(({ _tag }) => _tag), ["Hole"])
      }
    }))

  it.live("what rots while it is in use is found when it is read, and lost by name", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const { damages, store } = yield* open(directory)
      const epoch = yield* store.acquireEpoch("app")
      for (const seq of [1, 2, 3]) yield* store.save([record("a", seq, epoch, { answers: [answer(`x${seq}`, seq)] })])
      const seen: Array<string> = []
      const onDamage = ({ _tag }: StateStoreFile.Damage) => Effect.sync(() => void seen.push(_tag))
      const view = yield* Effect.provide(StateStoreFile.look({ directory, onDamage }), NodeServices.layer)
      assert.deepStrictEqual(yield* view.keys(), ["a"])
      const file = segments(directory).at(-1)!
      const bytes = fs.readFileSync(file)
      bytes[bytes.lastIndexOf("count") + 3]! ^= 1
      fs.writeFileSync(file, bytes)
      // By who only looks, too.
      assert.deepStrictEqual((yield* view.load("a")).map(({ damaged }) => damaged !== undefined), [true, false, false])
      assert.deepStrictEqual(seen, ["Hole"])
      const found = yield* store.load("a")
      assert.deepStrictEqual(found.map((one) => [one.seq, one.damaged !== undefined]), [[3, true], [2, false], [
        1,
        false
      ]])
      assert.deepStrictEqual(found[0]!.answers!.map((one) => lossOf(one) !== undefined), [false, false, true])
      assert.deepStrictEqual(damages.map(({ _tag }) => _tag), ["Hole"])
    }))

  it.live("with all logs gone every key is named by what lies beside them; with all but the claim gone, every key is in doubt", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      yield* written(directory, 3)
      yield* written(directory, 2, "b")
      for (const file of segments(directory)) fs.rmSync(file)
      const { damages, store } = yield* open(directory)
      assert.deepStrictEqual(yield* store.keys(), ["a", "b"])
      assert.deepStrictEqual(
        damages.flatMap((one) => one._tag === "Lost" ? [[one.key, one.seq, one.from]] : []),
        [["a", 3, undefined], ["b", 2, undefined]]
      )
      for (const name of fs.readdirSync(directory)) if (!name.endsWith(".claim")) fs.rmSync(join(directory, name))
      const empty = yield* open(directory)
      const epoch = yield* empty.store.acquireEpoch("app")
      assert.deepStrictEqual(empty.damages.map(({ _tag }) => _tag), ["Unusable"])
      const [record] = yield* empty.store.load("a")
      assert.include(record?.damaged, "is missing, and may have held it")
      yield* empty.store.setAside({ key: "a", seq: record!.seq, epoch, why: record!.damaged! })
    }))

  it.live("a log that is put back as it was earlier is missing by name what came since", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const earlier = yield* Effect.scoped(Effect.gen(function*() {
        const { store } = yield* open(directory)
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 1, epoch)])
        const bytes = fs.readFileSync(segments(directory)[0]!)
        for (const seq of [2, 3]) yield* store.save([record("a", seq, epoch), record("b", seq, epoch)])
        return bytes
      }))
      fs.writeFileSync(segments(directory)[0]!, earlier)
      const { damages } = yield* open(directory).pipe(Effect.tap(({ store }) => store.acquireEpoch("app")))
      assert.deepStrictEqual(
        damages.flatMap((one) => one._tag === "Lost" ? [[one.key, one.seq, one.from]] : []),
        [["a", 3, 1], ["b", 3, undefined]]
      )
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
      // Between two frames, so that no frame is incomplete.
      const cut = fs.readFileSync(file).lastIndexOf("HLM2")
      fs.truncateSync(file, cut)
      const { damages, store } = yield* open(directory)
      assert.deepStrictEqual([yield* seqs(store), yield* seqs(store, "b")], [[3, 2, 1], [1]])
      assert.deepStrictEqual(damages.slice(0, 1), [{ _tag: "Hole", file: file.slice(-16), at: cut, bytes: size - cut }])
      assert.deepStrictEqual(damages.slice(1).map(({ _tag }) => _tag), ["Lost"])
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
      assert.deepStrictEqual(damages.map(({ _tag }) => _tag), ["Unusable", "Lost"])
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
      const found = yield* store.load("a")
      for (const one of found.filter((one) => one.damaged === undefined)) {
        assert.deepStrictEqual(one, { ...record("a", one.seq, one.epoch), answers: [] })
      }
      if (found[0]?.damaged !== undefined) assert.isTrue(damages.some((one) => one._tag === "Lost" && one.key === "a"))
      else assert.strictEqual(found[0]?.seq, 6)
      yield* store.save([record("a", 8, epoch)])
      assert.strictEqual((yield* seqs(store))[0], 8)
    })), { arbitrary: { runs: 30 }, timeout: 60_000 })
})
