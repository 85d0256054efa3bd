/** What the file store keeps when the disk fails, fills up, hangs, or stops at any request. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Random, References } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { lossOf } from "../../../../src/domain/state/Answers.ts"
import { type Disk, makeDisk } from "../../../kit/stores/FaultyDisk.ts"
import { folder, open, reason, saved, segments, written } from "../../../kit/stores/FileStore.ts"
import { start } from "../../../kit/stores/Processes.ts"
import { answer, record, seqs } from "../../../kit/stores/Records.ts"

/** The disk stops at every eighth request, from one drawn at random on; `STRIDE=1` stops at each. */
const stride = Number(process.env["STRIDE"] ?? 8)

/** Lives in which a bit is turned; `COPIES=1000` for a long run. */
const flips = Number(process.env["COPIES"] ?? 20)

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

  it.live("the same when the incomplete end cannot even be cut off", () =>
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

  it.live("bytes that earlier sessions left unneeded count when it is decided whether to compact", () =>
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

  it.live("answers on record are needed: a log that is full of them is not compacted without pause, nor grows", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const disk = makeDisk()
      const { store } = yield* open(directory, disk, { compactAbove: 5000 })
      const epoch = yield* store.acquireEpoch("app")
      const [keys, kept, commits] = [5, 50, 800]
      const logs = new Set<string>()
      let largest = 0
      for (let i = 0; i < commits; i++) {
        const seq = 1 + Math.floor(i / keys)
        yield* store.save([
          record(`k${i % keys}`, seq, epoch, { answers: [answer(`${i}`, seq)], forgetAnswersBefore: seq - kept + 1 })
        ])
        const sizes = segments(directory).map((file) => fs.statSync(file).size)
        largest = Math.max(largest, sizes.reduce((sum, size) => sum + size, 0))
        for (const file of segments(directory)) logs.add(file)
      }
      const needed = keys * kept * JSON.stringify(answer(`${commits}`, commits / keys)).length
      assert.isAtMost(logs.size, 25)
      assert.isAtMost(largest, 5 * needed)
      assert.lengthOf((yield* store.load("k0"))[0]?.answers ?? [], kept)
    }))

  it.live("a snapshot that was set aside keeps its answers through a compaction", () =>
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

  it.live("when the folder's owner cannot be read after a compaction, nothing acknowledged is lost", () =>
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

  it.live("bytes that have rotted since the session began are reported by compaction, and lost as they would be at opening", () =>
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
      assert.deepStrictEqual(damages.map(({ _tag }) => _tag), ["Hole", "Hole", "Lost", "AnswersLost"])
      for (const one of [store, (yield* open(directory)).store]) {
        const [lost, first, second] = yield* one.load("a")
        assert.deepStrictEqual([lost?.seq, first?.seq, second?.seq], [3, 2, 1])
        assert.isString(lost?.damaged)
        assert.deepStrictEqual(lost?.answers?.map((one) => [one.id, lossOf(one) !== undefined]), [
          ["a1", false],
          ["a2", false],
          ["a3", true]
        ])
        assert.deepStrictEqual(first?.answers?.map(({ id }) => id), ["a1", "a2"])
        assert.deepStrictEqual((yield* one.listAside()).map((one) => [one.key, one.damaged !== undefined]), [[
          "b",
          true
        ]])
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

  it.live("nothing is relied on before it is flushed: a new segment, its name, and the segments it replaces, in this order", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const disk = makeDisk()
      yield* life(directory, disk, new Map())
      /** Files with bytes that are not flushed, and names that are not. */
      const unflushed = new Set<string>()
      let renames = 0
      let removals = 0
      for (const { operation, path } of disk.requests) {
        // What lies beside the log, and the note in a claim, are for the day on which the log is damaged.
        if (/\.(keys|claim)$/.test(path) && operation === "write") continue
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
        const first = yield* Random.nextIntBetween(1, stride + 1, { halfOpen: true })
        for (let stop = first; stop <= total; stop += stride) {
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

describe("a disk that turns a bit of what it writes or reads, and says that all is well", () => {
  const stateOf = (key: string, seq: number) => JSON.stringify(`${key}${seq} `.repeat(60))

  /** Most of what is written is states, and most of them are kept: two sessions, the second of which compacts. */
  const shortLife = Effect.fnUntraced(function*(directory: string, disk: Disk, acknowledged: Map<string, number>) {
    for (const [from, to] of [[1, 2], [3, 6]] as const) {
      yield* Effect.scoped(Effect.gen(function*() {
        const { store } = yield* open(directory, disk, { compactAbove: 1500 })
        const epoch = yield* store.acquireEpoch("app")
        for (let seq = from; seq <= to; seq++) {
          for (const key of ["a", "b"]) {
            yield* store.save([record(key, seq, epoch, { state: stateOf(key, seq) })])
            acknowledged.set(key, seq)
          }
        }
        // A compaction has its turn.
        yield* store.keys()
      }))
    }
  })

  it.live(
    "has no state that was not saved started from, and no loss without a report",
    () =>
      Effect.gen(function*() {
        const whole = makeDisk()
        yield* shortLife(yield* folder, whole, new Map())
        const requests = whole.requests.filter(({ operation }) => operation === "write" || operation === "read").length
        for (let round = 0; round < flips; round++) {
          yield* Effect.scoped(Effect.gen(function*() {
            const directory = yield* folder
            const disk = makeDisk()
            const at = yield* Random.nextIntBetween(1, requests, { halfOpen: false })
            const bit = yield* Random.nextIntBetween(0, 1 << 15)
            let n = 0
            let where = ""
            disk.answer = ({ operation, path }) => {
              if ((operation !== "write" && operation !== "read") || ++n !== at) return "well"
              where = `bit ${bit} of ${operation} ${at}, ${path.slice(directory.length)}`
              return { flip: bit }
            }
            const acknowledged = new Map<string, number>()
            yield* Effect.exit(shortLife(directory, disk, acknowledged))
            assert.notStrictEqual(where, "", "no bit was turned")
            for (const round of [1, 2]) {
              const { damages, store } = yield* open(directory)
              yield* store.acquireEpoch("app")
              for (const key of ["a", "b"]) {
                const records = yield* store.load(key)
                const due = acknowledged.get(key) ?? 0
                for (const one of records) {
                  if (one.damaged === undefined) assert.strictEqual(one.state, stateOf(key, one.seq), where)
                }
                const [newest] = records
                const isTold = newest?.damaged !== undefined || damages.length > 0
                assert.isTrue(
                  newest?.seq === due || isTold,
                  `${where}, opened ${round}: ${key} ${newest?.seq}, due ${due}`
                )
              }
            }
          }))
        }
      }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
    60_000 + flips * 1000
  )
})

describe("a real limit on a file's size", () => {
  it.live(
    "a process whose disk is full says so, and the next one finds all that it had acknowledged",
    () =>
      Effect.gen(function*() {
        if (process.platform === "win32") return
        const directory = yield* folder
        // in blocks of 512 bytes in POSIX shells, of 1024 in some: either is reached
        const writer = yield* start(["file", directory], "ulimit -f 40")
        yield* writer.printed("failed")
        yield* writer.ended
        assert.match(writer.lines.at(-1) ?? "", /there is no room/)
        const acked = writer.lines.filter((line) => line.startsWith("acked")).length
        assert.isAbove(acked, 5)
        const { damages, store } = yield* open(directory)
        assert.strictEqual((yield* seqs(store))[0], acked)
        assert.deepStrictEqual(damages.filter(({ _tag }) => _tag !== "TornTail"), [])
      })
  )
})
