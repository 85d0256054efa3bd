/** What every store promises to sessions: who may write, and what the next one finds. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { Snapshots, StateStore } from "../../../src/index.ts"
import { answer, reasonOf, record, seqs, seqsOf, type Test } from "./Records.ts"

/** Registers the tests of sessions that write to one store. */
export const sessions = (test: Test): void => {
  test(
    "epochs only grow, over all owners",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const epochs: Array<number> = []
      for (const owner of ["a", "b", "a", "nul\u0000\ud800'", "b"]) epochs.push(yield* store.acquireEpoch(owner))
      assert.deepStrictEqual(epochs, [...new Set(epochs)].sort((a, b) => a - b))
      assert.isAtLeast(epochs[0]!, 1)
    })
  )

  test(
    "a younger session of the same owner fences the older one off: none of its writes is stored",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const old = yield* store.acquireEpoch("app")
      yield* store.save([record("a", 1, old), record("b", 1, old)])
      const current = yield* store.acquireEpoch("app")
      const before = yield* store.load("a")
      for (
        const write of [
          store.save([record("a", 2, old)]),
          store.save([record("c", 1, current), record("a", 2, old)]),
          store.save([record("a", 2, old, { answers: [answer("x", 2)] })]),
          store.setAside({ key: "a", seq: 1, epoch: old, why: "stale" }),
          store.remove(["a"], old)
        ]
      ) {
        assert.deepStrictEqual(reasonOf(yield* Effect.exit(write)), {
          _tag: "Fenced",
          owner: "app",
          epoch: old,
          current
        })
      }
      assert.deepStrictEqual(yield* store.load("a"), before)
      assert.deepStrictEqual(yield* store.keys(), ["a", "b"])
      assert.deepStrictEqual(yield* store.listAside(), [])
      yield* store.save([record("a", 2, current)])
      assert.deepStrictEqual(seqsOf(yield* store.load("a")), [2, 1])
    })
  )

  test(
    "a session of the whole store supersedes those of all owners, and not those that begin after it",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const [one, two] = [yield* store.acquireEpoch("one"), yield* store.acquireEpoch("two")]
      yield* store.save([record("a", 1, one), record("b", 1, two)])
      const whole = yield* store.acquireEpoch(StateStore.wholeStore)
      for (const epoch of [one, two]) {
        const reason = reasonOf(yield* Effect.exit(store.save([record("c", 1, epoch)])))
        assert.deepStrictEqual(reason, { _tag: "Fenced", owner: epoch === one ? "one" : "two", epoch, current: whole })
      }
      yield* store.save([record("a", 2, whole), record("b", 2, whole)])
      const key = yield* store.acquireEpoch("one")
      yield* store.save([record("a", 3, key), record("b", 3, whole)])
      assert.strictEqual(reasonOf(yield* Effect.exit(store.save([record("a", 4, whole)])))?._tag, "Fenced")
      const next = yield* store.acquireEpoch(StateStore.wholeStore)
      for (const epoch of [key, whole]) {
        assert.strictEqual(reasonOf(yield* Effect.exit(store.save([record("d", 1, epoch)])))?._tag, "Fenced")
      }
      yield* store.save([record("a", 4, next), record("b", 4, next)])
      assert.deepStrictEqual([yield* seqs(store, "a"), yield* seqs(store, "b")], [[4, 3, 2], [4, 3, 2]])
    })
  )

  test(
    "a session that asks learns whether its epoch is in force, without a write",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const confirm = store.confirm ?? (() => assert.fail("it has no confirm"))
      const old = yield* store.acquireEpoch("app")
      yield* confirm(old)
      const other = yield* store.acquireEpoch("other")
      yield* confirm(old)
      yield* confirm(other)
      const current = yield* store.acquireEpoch(StateStore.wholeStore)
      yield* confirm(current)
      for (const [epoch, owner] of [[old, "app"], [other, "other"]] as const) {
        const reason = reasonOf(yield* Effect.exit(confirm(epoch)))
        assert.deepStrictEqual(reason, { _tag: "Fenced", owner, epoch, current })
      }
      assert.strictEqual(reasonOf(yield* Effect.exit(confirm(current + 7)))?._tag, "Fenced")
      assert.deepStrictEqual(yield* store.keys(), [])
    })
  )

  test(
    "an epoch that was never acquired is stale",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const epoch = yield* store.acquireEpoch("app")
      const exit = yield* Effect.exit(store.save([record("a", 1, epoch + 7)]))
      assert.strictEqual(reasonOf(exit)?._tag, "Fenced")
      assert.deepStrictEqual(yield* store.keys(), [])
    })
  )

  test(
    "sessions of different owners write side by side, also in one batch",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const one = yield* store.acquireEpoch("one")
      const two = yield* store.acquireEpoch("two")
      yield* store.save([record("1", 1, one), record("2", 1, two), record("1", 2, one)])
      yield* store.save([record("1", 3, one)])
      assert.deepStrictEqual(seqsOf(yield* store.load("1")), [3, 2, 1])
      assert.deepStrictEqual(seqsOf(yield* store.load("2")), [1])
    })
  )

  test(
    "a key belongs to the youngest session that wrote it",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const one = yield* store.acquireEpoch("one")
      const two = yield* store.acquireEpoch("two")
      yield* store.save([record("a", 1, two)])
      const exit = yield* Effect.exit(store.save([record("b", 1, one), record("a", 2, one)]))
      assert.deepStrictEqual(reasonOf(exit), { _tag: "Fenced", key: "a", epoch: one, current: two })
      assert.deepStrictEqual(yield* store.keys(), ["a"])
      yield* store.save([record("b", 1, one)])
      const removed = yield* Effect.exit(store.remove(["b", "a"], one))
      assert.deepStrictEqual(reasonOf(removed), { _tag: "Fenced", key: "a", epoch: one, current: two })
      assert.deepStrictEqual(yield* store.keys(), ["a", "b"], "removed whole or not at all")
    })
  )
}

/** Registers the tests of a store that outlives its process. */
export const reopened = (test: Test): void => {
  test(
    "a write of another process meanwhile is kept, fenced, and counted like one of this process",
    Effect.fnUntraced(function*(open) {
      const here = yield* open()
      const one = yield* here.acquireEpoch("one")
      for (let seq = 1; seq <= 3; seq++) yield* here.save([record("a", seq, one), record("b", seq, one)])
      const there = yield* open()
      const two = yield* there.acquireEpoch("two")
      for (let seq = 4; seq <= 5; seq++) yield* there.save([record("a", seq, two), record("b", seq, two)])
      assert.strictEqual(reasonOf(yield* Effect.exit(here.save([record("a", 6, one)])))?._tag, "Fenced")
      assert.deepStrictEqual(seqsOf(yield* there.load("a")), [5, 4, 3])
      const again = yield* here.acquireEpoch("one")
      yield* here.save([record("a", 6, again), record("b", 6, again)])
      for (const key of ["a", "b"]) assert.deepStrictEqual(seqsOf(yield* here.load(key)), [6, 5, 4])
    })
  )

  test(
    "a snapshot that was restored by hand under a running app stays the newest: the app's next write is refused",
    Effect.fnUntraced(function*(open) {
      const app = yield* open()
      const epoch = yield* app.acquireEpoch(StateStore.wholeStore)
      for (let seq = 1; seq <= 5; seq++) yield* app.save([record("a", seq, epoch)])
      assert.strictEqual(yield* Snapshots.restore(yield* open(), { key: "a", seq: 4 }), 4)
      assert.strictEqual(reasonOf(yield* Effect.exit(app.save([record("a", 6, epoch)])))?._tag, "Fenced")
      assert.strictEqual((yield* seqs(yield* open(), "a"))[0], 4)
    })
  )

  test(
    "a store that is opened again holds the same, and a new session goes on",
    Effect.fnUntraced(function*(open) {
      const first = yield* Effect.scoped(Effect.gen(function*() {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        for (let seq = 1; seq <= 4; seq++) {
          yield* store.save([
            record("a", seq, epoch, { answers: [answer(`id${seq}`, seq)] }),
            record("b", seq, epoch)
          ])
        }
        yield* store.setAside({ key: "b", seq: 4, epoch, why: "poisoned" })
        yield* store.remove(["c"], epoch)
        return { epoch, a: yield* store.load("a"), b: yield* store.load("b"), aside: yield* store.listAside() }
      }))
      const store = yield* open()
      assert.deepStrictEqual(yield* store.load("a"), first.a, "before a session began")
      const epoch = yield* store.acquireEpoch("app")
      assert.isAbove(epoch, first.epoch)
      assert.deepStrictEqual(yield* store.load("a"), first.a)
      assert.deepStrictEqual(yield* store.load("b"), first.b)
      assert.deepStrictEqual(yield* store.listAside(), first.aside)
      assert.deepStrictEqual(yield* store.keys(), ["a", "b"])
      yield* store.save([record("a", 5, epoch)])
      assert.deepStrictEqual(seqsOf(yield* store.load("a")), [5, 4, 3])
    })
  )

  test(
    "two clients of one store: the one that acquires last is the owner, the other is fenced off",
    Effect.fnUntraced(function*(open) {
      const [one, two] = [yield* open(), yield* open()]
      const old = yield* one.acquireEpoch("app")
      yield* one.save([record("a", 1, old)])
      const current = yield* two.acquireEpoch("app")
      assert.strictEqual(reasonOf(yield* Effect.exit(one.confirm!(old)))?._tag, "Fenced")
      yield* two.confirm!(current)
      assert.isAbove(current, old)
      assert.deepStrictEqual(seqsOf(yield* two.load("a")), [1])
      const exit = yield* Effect.exit(one.save([record("a", 2, old)]))
      const reason = reasonOf(exit)
      assert.strictEqual(reason?._tag, "Fenced")
      yield* two.save([record("a", 2, current, { state: `"two"` })])
      yield* two.save([record("a", 3, current, { state: `"two"` })])
      assert.deepStrictEqual((yield* two.load("a")).map((one) => one.state), [`"two"`, `"two"`, `{"count":1}`])
      // and back: a fenced session may begin anew, and then sees what the other has stored
      const again = yield* one.acquireEpoch("app")
      assert.isAbove(again, current)
      yield* one.save([record("a", 4, again)])
      assert.deepStrictEqual(seqsOf(yield* one.load("a")), [4, 3, 2])
      assert.strictEqual(reasonOf(yield* Effect.exit(two.save([record("a", 4, current)])))?._tag, "Fenced")
    })
  )
}
