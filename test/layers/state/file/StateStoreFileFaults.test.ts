/** What the file store makes of disks that fail, tear, rot and stop. */
import { NodePath } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, References, Schema, type Scope } from "effect"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as LogFrame from "../../../../src/domain/state/stored/LogFrame.ts"
import type { StoreError } from "../../../../src/domain/state/stored/StoreError.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import type { StateStore } from "../../../../src/layers/state/store/StateStore.ts"
import { record } from "../../../kit/StoreContract.ts"
import { type Disk, layer, makeDisk } from "../../../kit/stores/FaultyDisk.ts"
import { start } from "../../../kit/stores/Processes.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => join(fs.mkdtempSync(join(tmpdir(), "heirloom-faults-")), "store")),
  (directory) => Effect.sync(() => fs.rmSync(join(directory, ".."), { recursive: true, force: true }))
)

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1e6))
/** `STRIDE=1` stops at each and every request. */
const stride = Number(process.env["STRIDE"] ?? 5)

interface Opened {
  readonly store: StateStore<"process">
  readonly damages: ReadonlyArray<StateStoreFile.Damage>
}

const open = Effect.fnUntraced(function*(
  directory: string,
  disk: Disk = makeDisk(),
  options: Partial<StateStoreFile.Options> = {}
): Effect.fn.Return<Opened, StoreError, Scope.Scope> {
  const damages: Array<StateStoreFile.Damage> = []
  const store = yield* StateStoreFile.make({
    directory,
    onDamage: (damage) => Effect.sync(() => damages.push(damage)),
    ...options
  }).pipe(Effect.provide(Layer.merge(layer(disk), NodePath.layer)))
  return { store, damages }
})

const reason = <A>(exit: Exit.Exit<A, StoreError>) => {
  const error = Exit.findErrorOption(exit)
  return error._tag === "Some" ? error.value.reason._tag : "succeeded"
}

const segments = (directory: string) =>
  fs.readdirSync(directory).filter((name) => name.endsWith(".log")).sort().map((name) => join(directory, name))

const seqs = (store: StateStore<"process">, key = "a") =>
  Effect.map(store.load(key), (records) => records.map((one) => one.seq))

/** Writes snapshots 1 to n of a key, each a batch of its own, and closes the store. */
const written = (directory: string, n: number, key = "a") =>
  Effect.scoped(Effect.gen(function*() {
    const { store } = yield* open(directory)
    const epoch = yield* store.acquireEpoch("app")
    for (let seq = 1; seq <= n; seq++) yield* store.save([record(key, seq, epoch)])
    return segments(directory).at(-1)!
  }))

/** A store on a disk that can be told to fail, with snapshot 1 of "a" in it. */
const saved = Effect.gen(function*() {
  const directory = yield* folder
  const disk = makeDisk()
  const { store } = yield* open(directory, disk)
  const epoch = yield* store.acquireEpoch("app")
  const save = (seq: number) => store.save([record("a", seq, epoch)])
  yield* save(1)
  return { directory, disk, save, store }
})

describe("a log that was not written whole, or has rotted", () => {
  it.live("a torn end is cut off and told, once; what was acknowledged before it is there", () =>
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

  it.live("cut anywhere, what is left is a beginning of what was written", () =>
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

  it.live("a damaged part in the middle is told, and the generation before takes its place", () =>
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

  it.live("to whoever only looks, a torn end is nothing to tell: the owner may just be writing it", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const file = yield* written(directory, 2)
      fs.appendFileSync(file, fs.readFileSync(file).subarray(0, 60))
      const { damages, store } = yield* open(directory)
      assert.deepStrictEqual(yield* seqs(store), [2, 1])
      assert.deepStrictEqual(damages, [])
    }))

  it.live("a segment that was whole when others were built on it, and is short now, is told", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const file = yield* written(directory, 3)
      const size = fs.statSync(file).size
      yield* written(directory, 1, "b")
      // between two frames, so that nothing is torn
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

  it.live("a segment that is gone is told, and the rest is read", () =>
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

describe("a disk that fails", () => {
  it.live("a write that fails half-way stores nothing, and the next one goes on", () =>
    Effect.gen(function*() {
      const { directory, disk, save, store } = yield* saved
      const [segment] = segments(directory)
      const before = fs.statSync(segment!).size
      disk.answer = ({ operation }) => operation === "write" ? "half" : "well"
      assert.strictEqual(reason(yield* Effect.exit(save(2))), "Unavailable")
      assert.strictEqual(fs.statSync(segment!).size, before, "the torn end is cut off")
      assert.deepStrictEqual(yield* seqs(store), [1])
      disk.answer = () => "well"
      yield* save(3)
      assert.deepStrictEqual(yield* seqs(store), [3, 1])
      const { damages, store: again } = yield* open(directory)
      yield* again.acquireEpoch("app")
      assert.deepStrictEqual(yield* seqs(again), [3, 1])
      assert.deepStrictEqual(damages, [])
    }))

  it.live("the same when the torn end cannot even be cut off", () =>
    Effect.gen(function*() {
      const { directory, disk, save } = yield* saved
      disk.answer = ({ operation }) =>
        operation === "write" ? "half" : operation === "truncate" ? { code: "EIO" } : "well"
      for (let i = 0; i < 3; i++) {
        assert.strictEqual(reason(yield* Effect.exit(save(2))), "Unavailable")
      }
      disk.answer = () => "well"
      yield* save(3)
      const { store: again } = yield* open(directory)
      yield* again.acquireEpoch("app")
      assert.deepStrictEqual(yield* seqs(again), [3, 1])
    }))

  it.live("a write that fails after a compaction costs nothing that was stored before it", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const disk = makeDisk()
      const { store } = yield* open(directory, disk, { compactAbove: 500 })
      const epoch = yield* store.acquireEpoch("app")
      for (let seq = 1; seq <= 30; seq++) yield* store.save([record("a", seq, epoch)])
      assert.isFalse(segments(directory).some((file) => file.endsWith("-0.log")), "it was compacted")
      disk.answer = ({ operation }) => operation === "write" ? "half" : "well"
      assert.strictEqual(reason(yield* Effect.exit(store.save([record("a", 31, epoch)]))), "Unavailable")
      disk.answer = () => "well"
      yield* store.save([record("b", 1, epoch)])
      const { damages, store: again } = yield* open(directory)
      yield* again.acquireEpoch("app")
      assert.deepStrictEqual([yield* seqs(again), yield* seqs(again, "b")], [[30, 29, 28], [1]])
      assert.deepStrictEqual(damages, [])
    }))

  it.live("what earlier sessions left unneeded counts when it is decided whether to compact", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      yield* written(directory, 100)
      const before = fs.statSync(segments(directory)[0]!).size
      const { store } = yield* open(directory, makeDisk(), { compactAbove: 2000 })
      const epoch = yield* store.acquireEpoch("app")
      for (const seq of [101, 102, 103, 104, 105]) yield* store.save([record("a", seq, epoch)])
      assert.lengthOf(segments(directory), 1)
      assert.isBelow(fs.statSync(segments(directory)[0]!).size, before / 4)
      assert.deepStrictEqual(yield* seqs(store), [105, 104, 103])
    }))

  it.live("a log is not compacted while more of it is needed than not", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const { store } = yield* open(directory, makeDisk(), { compactAbove: 500 })
      const epoch = yield* store.acquireEpoch("app")
      yield* store.save([record("large", 1, epoch, { state: JSON.stringify("x".repeat(20_000)) })])
      for (let seq = 1; seq <= 30; seq++) yield* store.save([record("a", seq, epoch)])
      assert.deepStrictEqual(segments(directory).map((file) => file.endsWith("-0.log")), [true])
    }))

  it.live("what was set aside keeps its answers through a compaction", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const { store } = yield* open(directory, makeDisk(), { compactAbove: 500 })
      const epoch = yield* store.acquireEpoch("app")
      const answers = [{ id: "once", seq: 1, at: 7, body: "\"body\"" }]
      yield* store.save([record("x", 1, epoch, { answers })])
      yield* store.setAside({ key: "x", seq: 1, epoch, why: "poisoned" })
      const before = yield* store.listAside()
      assert.deepStrictEqual(before[0]?.answers, answers)
      for (let seq = 1; seq <= 30; seq++) yield* store.save([record("a", seq, epoch)])
      assert.isFalse(segments(directory).some((file) => file.endsWith("-0.log")), "it was compacted")
      const { store: again } = yield* open(directory)
      assert.deepStrictEqual([yield* store.listAside(), yield* again.listAside()], [before, before])
    }))

  it.live.skipIf(!fs.existsSync("/proc/self/fd"))(
    "a compaction closes the files that it replaces",
    () =>
      Effect.gen(function*() {
        const directory = yield* folder
        const { store } = yield* open(directory, makeDisk(), { compactAbove: 500 })
        const epoch = yield* store.acquireEpoch("app")
        for (let seq = 1; seq <= 200; seq++) yield* store.save([record("a", seq, epoch)])
        const links = fs.readdirSync("/proc/self/fd").map((fd) => join("/proc/self/fd", fd))
        // as seen by Linux: one that is open and removed has another name
        const isOpen = (link: string) => fs.lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() === true
        const files = links.filter(isOpen).map((link) => fs.readlinkSync(link)).filter((file) =>
          file.startsWith(directory)
        )
        assert.deepStrictEqual(files.filter((file) => file.endsWith("(deleted)")), [])
        assert.isAtLeast(files.length, 1)
      })
  )

  it.live("a compaction that fails from any read on leaves the log as it was", () =>
    Effect.gen(function*() {
      for (let nth = 1, isDone = false; !isDone; nth++) {
        const directory = yield* folder
        const disk = makeDisk()
        let reads = 0
        disk.answer = ({ operation }) => operation === "read" && ++reads >= nth ? { code: "EIO" } : "well"
        yield* Effect.scoped(Effect.gen(function*() {
          const { store } = yield* open(directory, disk, { compactAbove: 2000 })
          const epoch = yield* store.acquireEpoch("app")
          for (const key of ["x", "y", "z"]) {
            yield* store.save([record(key, 1, epoch)])
            yield* store.setAside({ key, seq: 1, epoch, why: key })
          }
          for (let seq = 1; seq <= 40; seq++) yield* store.save([record("a", seq, epoch), record("b", 1, epoch)])
        }))
        isDone = reads < nth
        const { damages, store } = yield* open(directory)
        yield* store.acquireEpoch("app")
        assert.deepStrictEqual(yield* seqs(store), [40, 39, 38])
        assert.deepStrictEqual((yield* store.listAside()).map(({ why }) => why), ["x", "y", "z"])
        assert.deepStrictEqual(damages, [])
        assert.isBelow(nth, 100)
      }
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.live("when it cannot be told whose the folder is after a compaction, nothing acknowledged is lost", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const disk = makeDisk()
      const { store } = yield* open(directory, disk, { compactAbove: 500 })
      const epoch = yield* store.acquireEpoch("app")
      let isCompacted = false
      disk.answer = ({ operation, path }) => {
        if (operation === "rename" && path.endsWith(".log")) isCompacted = true
        if (operation !== "exists" || !isCompacted) return "well"
        disk.answer = () => "well"
        return { code: "EIO" }
      }
      let acknowledged = 0
      for (let seq = 1; seq <= 60; seq++) {
        if (Exit.isSuccess(yield* Effect.exit(store.save([record("a", seq, epoch)])))) acknowledged = seq
      }
      assert.isTrue(isCompacted)
      const { store: again } = yield* open(directory)
      yield* again.acquireEpoch("app")
      assert.isAtLeast((yield* seqs(again))[0] ?? 0, acknowledged)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.live("snapshots of a key that lie at the same place of two files are two to a compaction", () =>
    Effect.gen(function*() {
      const texts = (store: StateStore<"process">) =>
        Effect.map(store.load("a"), (records) => records.map(({ seq, state }) => [seq, state]))
      let pad = 0
      for (let attempt = 0; attempt < 5; attempt++) {
        const directory = yield* folder
        const size = () => fs.statSync(segments(directory).at(-1)!).size
        const first = yield* Effect.scoped(Effect.gen(function*() {
          const { store } = yield* open(directory)
          const epoch = yield* store.acquireEpoch("app")
          yield* store.save([record("b", 1, epoch, { state: JSON.stringify("x".repeat(pad)) })])
          const at = size()
          yield* store.save([record("a", 1, epoch)])
          return at
        }))
        const { store } = yield* open(directory, makeDisk(), { compactAbove: 500 })
        const epoch = yield* store.acquireEpoch("app")
        const second = size()
        yield* store.save([record("a", 2, epoch)])
        const expected = yield* texts(store)
        for (let i = 0; i < 30; i++) yield* store.save([record("b", 1, epoch)])
        assert.lengthOf(segments(directory), 1)
        assert.deepStrictEqual(yield* texts(store), expected)
        if (first === second) return
        pad += second - first
      }
      assert.fail("they never lay at the same place")
    }))

  it.live("a session that has had to go on elsewhere a dozen times is read to its end", () =>
    Effect.gen(function*() {
      const { directory, disk, save, store } = yield* saved
      for (let seq = 2; seq <= 13; seq++) {
        disk.answer = ({ operation }) => operation === "write" ? "half" : "well"
        assert.strictEqual(reason(yield* Effect.exit(save(seq))), "Unavailable")
        disk.answer = () => "well"
        yield* save(seq)
      }
      assert.lengthOf(segments(directory), 13)
      assert.deepStrictEqual(yield* seqs(store), [13, 12, 11])
      const { damages, store: again } = yield* open(directory)
      yield* again.acquireEpoch("app")
      assert.deepStrictEqual(yield* seqs(again), [13, 12, 11])
      assert.deepStrictEqual(damages, [])
    }))

  it.live("a flush that fails is not believed the next time: the batch is written again elsewhere", () =>
    Effect.gen(function*() {
      const { directory, disk, save } = yield* saved
      disk.answer = ({ operation }) => operation === "sync" ? { code: "EIO" } : "well"
      assert.strictEqual(reason(yield* Effect.exit(save(2))), "Unavailable")
      disk.answer = () => "well"
      const before = segments(directory).length
      yield* save(2)
      assert.strictEqual(segments(directory).length, before + 1)
      const { store: again } = yield* open(directory)
      assert.deepStrictEqual(yield* seqs(again), [2, 1])
    }))

  it.live("a full disk says so, may be tried again, and costs nothing that was stored", () =>
    Effect.gen(function*() {
      const { disk, save, store } = yield* saved
      disk.answer = ({ operation }) => operation === "write" ? { code: "ENOSPC" } : "well"
      const exit = yield* Effect.exit(save(2))
      assert.strictEqual(reason(exit), "Full")
      disk.answer = () => "well"
      yield* save(2)
      assert.deepStrictEqual(yield* seqs(store), [2, 1])
    }))

  it.live("a disk that hangs holds up the writes behind it, which may be given up, and goes on when it comes back", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      const { store } = yield* open(yield* folder, disk)
      const epoch = yield* store.acquireEpoch("app")
      const back = yield* Deferred.make<void>()
      const hangs = yield* Deferred.make<void>()
      disk.answer = ({ operation }) =>
        operation === "write"
          ? { after: Effect.andThen(Deferred.succeed(hangs, undefined), Deferred.await(back)) }
          : "well"
      const first = yield* Effect.forkChild(store.save([record("a", 1, epoch)]))
      yield* Deferred.await(hangs)
      const given = yield* Effect.forkChild(store.save([record("a", 2, epoch)]), { startImmediately: true })
      const third = yield* Effect.forkChild(store.save([record("a", 3, epoch)]), { startImmediately: true })
      yield* Fiber.interrupt(given)
      disk.answer = () => "well"
      yield* Deferred.succeed(back, undefined)
      yield* Fiber.join(first)
      yield* Fiber.join(third)
      assert.deepStrictEqual(yield* seqs(store), [3, 1])
    }))

  it.live("a log of very many sessions is compacted for their number alone", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      for (let session = 1; session <= 40; session++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const { store } = yield* open(directory)
          yield* store.save([record("a", session, yield* store.acquireEpoch("app"))])
        }))
      }
      const { damages, store } = yield* open(directory)
      const epoch = yield* store.acquireEpoch("app")
      // a compaction has its turn among those that write
      for (let seq = 41; seq <= 50; seq++) yield* store.save([record("a", seq, epoch)])
      assert.lengthOf(segments(directory), 1)
      assert.deepStrictEqual(yield* seqs(store), [50, 49, 48])
      assert.deepStrictEqual(damages, [])
    }))

  it.live("what has rotted since the session began is told by compaction, and is lost as it would be at opening", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const { damages, store } = yield* open(directory, makeDisk(), { compactAbove: 4000 })
      const epoch = yield* store.acquireEpoch("app")
      const state = JSON.stringify("s".repeat(900))
      const answer = (id: string, seq: number) => ({ id, seq, at: 0, body: "{}" })
      for (let seq = 1; seq <= 3; seq++) {
        yield* store.save([{ ...record("a", seq, epoch), state, answers: [answer(`a${seq}`, seq)] }])
      }
      yield* store.save([{ ...record("b", 1, epoch), state: JSON.stringify("aside") }])
      yield* store.setAside({ key: "b", seq: 1, epoch, why: "a test" })
      const file = segments(directory).at(-1)!
      const bytes = fs.readFileSync(file)
      const newest = bytes.lastIndexOf(Buffer.from("s".repeat(900)))
      const aside = bytes.lastIndexOf(Buffer.from("\"aside\""))
      bytes[newest + 5]! ^= 1
      bytes[aside + 2]! ^= 1
      fs.writeFileSync(file, bytes)
      for (let seq = 1; segments(directory).includes(file); seq++) {
        yield* store.save([{ ...record("c", seq, epoch), state }])
        assert.isBelow(seq, 50)
      }
      assert.deepStrictEqual(damages.map(({ _tag }) => _tag), ["Hole", "Hole"])
      for (const one of [store, (yield* open(directory)).store]) {
        const [first, second] = yield* one.load("a")
        assert.deepStrictEqual([first?.seq, second?.seq], [2, 1])
        assert.deepStrictEqual(first?.answers?.map(({ id }) => id), ["a1", "a2"])
        assert.deepStrictEqual(yield* one.listAside(), [])
        assert.strictEqual((yield* seqs(one, "c")).length, 3)
      }
    }))

  it.live("a compaction that fails loses nothing and is tried again later", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const disk = makeDisk()
      const { store } = yield* open(directory, disk, { compactAbove: 2000 })
      const epoch = yield* store.acquireEpoch("app")
      let compactions = 0
      disk.answer = ({ operation, path }) => {
        if (operation !== "rename" || !path.endsWith(".log")) return "well"
        return ++compactions === 1 ? { code: "EIO" } : "well"
      }
      for (let seq = 1; seq <= 200; seq++) yield* store.save([record("a", seq, epoch), record("b", 1, epoch)])
      assert.isAbove(compactions, 1)
      assert.deepStrictEqual(yield* seqs(store), [200, 199, 198])
      assert.isBelow(segments(directory).reduce((sum, file) => sum + fs.statSync(file).size, 0), 20_000)
      const { damages, store: again } = yield* open(directory)
      yield* again.acquireEpoch("app")
      assert.deepStrictEqual(yield* seqs(again), [200, 199, 198])
      assert.deepStrictEqual(damages, [])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  /** A life with everything in it: two sessions, rewrites, what is set aside and removed, compaction. */
  const life = Effect.fnUntraced(function*(directory: string, disk: Disk, acknowledged: Map<string, number>) {
    for (let session = 0; session < 2; session++) {
      yield* Effect.scoped(Effect.gen(function*() {
        const { store } = yield* open(directory, disk, { compactAbove: 1000 })
        const epoch = yield* store.acquireEpoch("app")
        for (let i = 0; i < 12; i++) {
          for (const key of ["a", "b"]) {
            const seq = 1 + (acknowledged.get(key) ?? 0)
            yield* store.save([record(key, seq, epoch), record("x", 1, epoch)])
            acknowledged.set(key, seq)
          }
        }
        acknowledged.delete("gone")
        yield* store.save([record("gone", 1, epoch)])
        yield* store.remove(["gone"], epoch)
        acknowledged.set("gone", 0)
        yield* store.setAside({ key: "x", seq: 1, epoch, why: "poisoned" })
        acknowledged.set("aside", session + 1)
      }))
    }
  })

  it.live("nothing is relied on before it is flushed: a new segment, its name, and what it replaces, in this order", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const disk = makeDisk()
      yield* life(directory, disk, new Map())
      /** Files with bytes that are not flushed, and names that are not. */
      const unflushed = new Set<string>()
      let renames = 0
      let removals = 0
      for (const { operation, path } of disk.requests) {
        switch (operation) {
          case "write":
            unflushed.add(path)
            break
          case "sync":
            if (path === directory) unflushed.clear()
            else unflushed.delete(path)
            break
          case "rename":
            renames++
            assert.isFalse(unflushed.has(`${path}.tmp`), `${path} gets its name before its bytes are flushed`)
            unflushed.add(path)
            break
          case "remove":
            if (!path.endsWith(".log")) break
            removals++
            assert.deepStrictEqual([...unflushed], [], `${path} is removed before what replaces it is flushed`)
            break
          case "open":
            // A session is over, or another begins: all that it has acknowledged is flushed.
            if (path.endsWith(".claim")) assert.deepStrictEqual([...unflushed], [])
        }
      }
      assert.isAbove(renames, 2)
      assert.isAbove(removals, 0)
    }))

  it.live(
    "a process that stops at any request to the disk leaves all that was acknowledged",
    () =>
      Effect.gen(function*() {
        const disk = makeDisk()
        yield* life(yield* folder, disk, new Map())
        const total = disk.requests.length
        assert.isAbove(total, 150)
        const kinds = new Set(disk.requests.map((one) => one.operation))
        assert.deepStrictEqual([...kinds].sort(), [
          "exists",
          "list",
          "open",
          "read",
          "remove",
          "rename",
          "sync",
          "write"
        ])
        for (let stop = 1 + seed % stride; stop <= total; stop += stride) {
          yield* Effect.scoped(Effect.gen(function*() {
            const directory = yield* folder
            const dying = makeDisk()
            // from that request on the disk does nothing any more; the request itself is done by half if it is a write
            dying.answer = (_, n) => n < stop ? "well" : n === stop ? "half" : { code: "EIO" }
            const acknowledged = new Map<string, number>()
            yield* Effect.exit(life(directory, dying, acknowledged))
            const { store } = yield* open(directory)
            const epoch = yield* store.acquireEpoch("app")
            for (const key of ["a", "b"]) {
              const found = (yield* store.load(key))[0]?.seq ?? 0
              const known = acknowledged.get(key) ?? 0
              assert.isTrue(
                found === known || found === known + 1,
                `request ${stop}: ${key} ${found}, acknowledged ${known}`
              )
            }
            if (acknowledged.has("gone")) assert.deepStrictEqual(yield* store.load("gone"), [])
            assert.isAtLeast((yield* store.listAside("x")).length, acknowledged.get("aside") ?? 0)
            yield* store.save([record("a", 1000, epoch)])
          }))
        }
      }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
    120_000
  )
})

describe("two processes that race for a folder", () => {
  /** Runs `takeOver` in the middle of a save: when the disk is asked for `operation`, before it does it. */
  const raced = Effect.fnUntraced(function*(operation: "write" | "exists") {
    const directory = yield* folder
    const disk = makeDisk()
    const one = yield* open(directory, disk)
    const two = yield* open(directory)
    const old = yield* one.store.acquireEpoch("app")
    yield* one.store.save([record("a", 1, old)])
    let current = 0
    disk.answer = (request) => {
      if (request.operation !== operation || current > 0) return "well"
      return { after: Effect.orDie(Effect.map(two.store.acquireEpoch("app"), (epoch) => void (current = epoch))) }
    }
    const exit = yield* Effect.exit(one.store.save([record("a", 2, old)]))
    return { directory, exit, one: one.store, two: two.store, old, current }
  })

  it.live("a batch that the younger session has read is acknowledged, although the older one is over", () =>
    Effect.gen(function*() {
      const { current, exit, old, one, two } = yield* raced("exists")
      assert.isTrue(Exit.isSuccess(exit))
      assert.deepStrictEqual(yield* seqs(two), [2, 1])
      assert.strictEqual(reason(yield* Effect.exit(one.save([record("a", 3, old)]))), "Fenced")
      yield* two.save([record("a", 3, current)])
      assert.deepStrictEqual(yield* seqs(two), [3, 2, 1])
    }))

  it.live("a batch that comes after the younger session has read is refused, and never read by anybody", () =>
    Effect.gen(function*() {
      const { current, directory, exit, old, two } = yield* raced("write")
      const error = Exit.findErrorOption(exit)
      assert.deepStrictEqual(error._tag === "Some" ? error.value.reason : undefined, {
        _tag: "Fenced",
        owner: "app",
        epoch: old,
        current
      })
      assert.deepStrictEqual(yield* seqs(two), [1])
      const { damages, store } = yield* open(directory)
      assert.deepStrictEqual(yield* seqs(store), [1])
      yield* store.acquireEpoch("app")
      assert.deepStrictEqual(yield* seqs(store), [1])
      assert.deepStrictEqual(damages, [])
    }))

  it.live("what the younger session has read is known also when a third has taken over from it", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const disk = makeDisk()
      const one = yield* open(directory, disk)
      const two = yield* open(directory)
      const three = yield* open(directory)
      const old = yield* one.store.acquireEpoch("app")
      const both = Effect.andThen(two.store.acquireEpoch("app"), three.store.acquireEpoch("app"))
      disk.answer = ({ operation }) => {
        if (operation !== "exists") return "well"
        disk.answer = () => "well"
        return { after: Effect.orDie(Effect.asVoid(both)) }
      }
      yield* one.store.save([record("a", 1, old)])
      assert.deepStrictEqual(yield* seqs(three.store), [1])
    }))

  it.live("or when it has compacted the log since", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const disk = makeDisk()
      const one = yield* open(directory, disk)
      const two = yield* open(directory, makeDisk(), { compactAbove: 500 })
      const old = yield* one.store.acquireEpoch("app")
      const younger = Effect.gen(function*() {
        const current = yield* two.store.acquireEpoch("app")
        for (let seq = 1; seq <= 30; seq++) yield* two.store.save([record("b", seq, current)])
        assert.lengthOf(segments(directory), 1)
      })
      disk.answer = ({ operation }) => {
        if (operation !== "exists") return "well"
        disk.answer = () => "well"
        return { after: Effect.orDie(younger) }
      }
      yield* one.store.save([record("a", 1, old)])
      assert.deepStrictEqual(yield* seqs(two.store), [1])
    }))

  it.live("who was taken over may take the folder back", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const [one, two] = [yield* open(directory), yield* open(directory)]
      const owners = [one, two, one, two].entries()
      let before = 0
      for (const [n, { store }] of owners) {
        const epoch = yield* store.acquireEpoch("app")
        assert.isAbove(epoch, before)
        before = epoch
        yield* store.save([record("a", n + 1, epoch)])
      }
      assert.deepStrictEqual(yield* seqs(two.store), [4, 3, 2])
    }))

  it.live("of two that claim it at the same moment, one comes first", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const disk = makeDisk()
      const one = yield* open(directory, disk)
      const two = yield* open(directory)
      let first = 0
      disk.answer = ({ operation, path }) => {
        if (operation !== "open" || !path.endsWith(".claim")) return "well"
        disk.answer = () => "well"
        const claimed = Effect.gen(function*() {
          first = yield* two.store.acquireEpoch("two")
          yield* two.store.save([record("b", 1, first)])
        })
        return { after: Effect.orDie(claimed) }
      }
      const second = yield* one.store.acquireEpoch("one")
      assert.isAbove(second, first)
      assert.strictEqual(reason(yield* Effect.exit(two.store.save([record("b", 2, first)]))), "Fenced")
      assert.deepStrictEqual(yield* seqs(one.store, "b"), [1])
    }))

  it.live("of two that claim it one after the other the later one has it, however slow the first is", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const disk = makeDisk()
      const one = yield* open(directory, disk)
      const two = yield* open(directory)
      let current = 0
      let claimed = false
      disk.answer = ({ operation, path }) => {
        if (operation === "open" && path.endsWith(".claim")) claimed = true
        // it has claimed the folder, and is about to look who else has
        if (operation !== "list" || !claimed || current > 0) return "well"
        return { after: Effect.orDie(Effect.map(two.store.acquireEpoch("two"), (epoch) => void (current = epoch))) }
      }
      assert.strictEqual(reason(yield* Effect.exit(one.store.acquireEpoch("one"))), "Unavailable")
      yield* two.store.save([record("a", 1, current)])
      assert.deepStrictEqual(yield* seqs(two.store), [1])
    }))

  it.live("a session that tidies up too late removes nothing of a younger one", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      yield* written(directory, 1)
      const disk = makeDisk()
      const one = yield* open(directory, disk)
      const two = yield* open(directory)
      let asked = false
      disk.answer = ({ operation }) => {
        if (operation === "exists") asked = true
        // the folder was its own a moment ago
        if (operation !== "list" || !asked) return "well"
        disk.answer = () => "well"
        const younger = Effect.flatMap(
          two.store.acquireEpoch("two"),
          (epoch) => two.store.save([record("b", 1, epoch)])
        )
        return { after: Effect.orDie(younger) }
      }
      yield* Effect.exit(one.store.acquireEpoch("one"))
      const { damages, store } = yield* open(directory)
      assert.deepStrictEqual([yield* seqs(store), yield* seqs(store, "b")], [[1], [1]])
      assert.deepStrictEqual(damages, [])
    }))

  it.live("what another has removed already need not be removed", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      yield* written(directory, 3)
      fs.writeFileSync(join(directory, "0000000001-1.log.tmp"), "")
      const disk = makeDisk()
      let removals = 0
      disk.answer = ({ operation, path }) => {
        if (operation === "remove" && fs.existsSync(path)) {
          removals++
          fs.rmSync(path)
        }
        return "well"
      }
      const { store } = yield* open(directory, disk)
      const epoch = yield* store.acquireEpoch("app")
      assert.strictEqual(removals, 2, "the older claim, and the segment that was left half made")
      yield* store.save([record("a", 4, epoch)])
      assert.deepStrictEqual(yield* seqs(store), [4, 3, 2])
    }))

  it.live("a session is younger than all there were, also where only their segments are left", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      for (const n of [1, 2, 3]) yield* written(directory, n, String(n))
      for (const name of fs.readdirSync(directory)) {
        if (name.endsWith(".claim")) fs.rmSync(join(directory, name))
      }
      yield* written(directory, 4, "4")
      const { damages, store } = yield* open(directory)
      for (const n of [1, 2, 3, 4]) assert.strictEqual((yield* seqs(store, String(n)))[0], n)
      assert.deepStrictEqual(damages, [])
    }))

  for (const [how, answer] of [["", "well"], [", nor one that cannot tell", { code: "EIO" }]] as const) {
    it.live(`a compaction that ends too late removes nothing that the younger session builds on${how}`, () =>
      Effect.gen(function*() {
        const directory = yield* folder
        const [disk, other] = [makeDisk(), makeDisk()]
        const one = yield* open(directory, disk, { compactAbove: 500 })
        const two = yield* open(directory, other)
        const old = yield* one.store.acquireEpoch("app")
        yield* one.store.save([record("b", 1, old)])
        const [compacted, goOn] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        let isCompacting = false
        disk.answer = ({ operation, path }) => {
          if (operation === "exists" && isCompacting) return answer
          if (operation !== "rename" || !path.endsWith(".log")) return "well"
          isCompacting = true
          return { after: Effect.andThen(Deferred.succeed(compacted, undefined), Deferred.await(goOn)) }
        }
        // the younger one has read the log, and is about to say so, when the compaction ends: reads wait for that
        other.answer = ({ operation }) => {
          if (operation !== "write") return "well"
          other.answer = () => "well"
          return { after: Effect.andThen(Deferred.succeed(goOn, undefined), Effect.orDie(one.store.keys())) }
        }
        const refused = yield* Effect.forkChild(Effect.forEach(
          Array.from({ length: 100 }, (_, i) => i + 1),
          (seq) => one.store.save([record("a", seq, old)])
        ))
        yield* Deferred.await(compacted)
        const current = yield* two.store.acquireEpoch("app")
        assert.strictEqual(reason(yield* Fiber.await(refused)), "Fenced")
        yield* two.store.save([record("c", 1, current)])
        const { damages, store } = yield* open(directory)
        assert.deepStrictEqual([yield* seqs(store, "b"), yield* seqs(store, "c")], [[1], [1]])
        assert.deepStrictEqual([damages, two.damages], [[], []])
      }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))
  }

  it.live("when the younger process dies before it has said what it read, nobody knows, and the next one decides", () =>
    Effect.gen(function*() {
      const { directory, disk, save } = yield* saved
      // it has claimed the folder and removed the older claim, and that was all
      const claim = fs.readdirSync(directory).find((name) => name.endsWith(".claim"))!
      disk.answer = ({ operation }) => {
        if (operation !== "exists") return "well"
        fs.rmSync(join(directory, claim), { force: true })
        fs.writeFileSync(join(directory, "0000000099.claim"), "")
        return "well"
      }
      assert.strictEqual(reason(yield* Effect.exit(save(2))), "Unavailable")
      const next = yield* open(directory)
      yield* next.store.acquireEpoch("app")
      assert.deepStrictEqual(yield* seqs(next.store), [2, 1])
      assert.strictEqual(reason(yield* Effect.exit(save(2))), "Fenced")
    }))

  it.live("while the owner compacts, another process reads the log whole", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const { store: owner } = yield* open(directory, makeDisk(), { compactAbove: 500 })
      const { damages, store: reader } = yield* open(directory)
      const epoch = yield* owner.acquireEpoch("app")
      yield* owner.save([record("a", 1, epoch)])
      let acknowledged = 1
      const writing = yield* Effect.forkChild(Effect.gen(function*() {
        for (let seq = 2; seq <= 300; seq++) {
          yield* owner.save([record("a", seq, epoch)])
          acknowledged = seq
        }
      }))
      while (writing.pollUnsafe() === undefined) {
        const before = acknowledged
        const [newest = 0] = yield* seqs(reader)
        assert.isAtLeast(newest, before)
      }
      yield* Fiber.join(writing)
      assert.deepStrictEqual(damages, [])
    }), 30_000)
})

describe("a real limit on a file's size", () => {
  it.live(
    "a process whose disk is full says so, and what it had acknowledged is found by the next",
    () =>
      Effect.gen(function*() {
        if (process.platform === "win32") return
        const directory = yield* folder
        // in blocks of 512 bytes in POSIX shells, of 1024 in some: either is reached
        const writer = yield* start(["file", directory], "ulimit -f 40")
        yield* writer.told("failed")
        yield* writer.ended
        assert.match(writer.lines.at(-1) ?? "", /there is no room/)
        const acked = writer.lines.filter((line) => line.startsWith("acked")).length
        assert.isAbove(acked, 5)
        const { damages, store } = yield* open(directory)
        assert.strictEqual((yield* seqs(store))[0], acked)
        assert.deepStrictEqual(damages.filter(({ _tag }) => _tag !== "TornTail"), [])
      }),
    30_000
  )
})
