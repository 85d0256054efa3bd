/** Two processes at one folder: which of two sessions goes on, and what it has read. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, References } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { makeDisk } from "../../../kit/stores/FaultyDisk.ts"
import { folder, open, reason, saved, segments, written } from "../../../kit/stores/FileStore.ts"
import { record, seqs } from "../../../kit/stores/Records.ts"

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

  it.live("a batch that comes after the younger session has read is refused, and never read by any session", () =>
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

  it.live("the point up to which the younger session has read is known also when a third has taken over from it", () =>
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

  it.live("a session that was taken over may take the folder back", () =>
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

  it.live("a segment that another session has removed already need not be removed", () =>
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

  it.live("when the younger process dies before it has noted how far it read, the next one decides", () =>
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
    }))

  for (const how of ["reads", "takes over"] as const) {
    it.live(`nothing is missing to one that ${how}, whatever it asks the disk when the owner has compacted`, () =>
      Effect.gen(function*() {
        let isAsked = true
        for (let nth = 1; isAsked; nth++) {
          const directory = yield* folder
          const disks = { owner: makeDisk(), other: makeDisk() }
          // What was compacted is there for a while.
          disks.owner.answer = ({ operation, path }) =>
            operation === "remove" && /\.(log|keys)$/.test(path) ? { code: "EIO" } : "well"
          const { store: owner } = yield* open(directory, disks.owner, { compactAbove: 500 })
          const epoch = yield* owner.acquireEpoch("app")
          let acknowledged = 0
          const save = Effect.suspend(() => {
            const seq = acknowledged + 1
            return Effect.tap(owner.save([record("a", seq, epoch)]), () => Effect.sync(() => acknowledged = seq))
          })
          yield* Effect.repeat(save, { times: 20 })
          const before = acknowledged
          isAsked = false
          disks.other.answer = (_request, n) => {
            if (n !== nth) return "well"
            isAsked = true
            return { after: Effect.ignore(Effect.repeat(save, { times: 20 })) }
          }
          const { damages, store: other } = yield* open(directory, disks.other)
          if (how === "takes over") yield* other.acquireEpoch("app")
          const [newest = 0] = yield* seqs(other)
          assert.isAtLeast(newest, before, `request ${nth}`)
          assert.deepStrictEqual(damages, [], `request ${nth}`)
        }
      }))
  }
})
