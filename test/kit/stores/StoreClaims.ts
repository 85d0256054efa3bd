/** What every store promises to sessions that claim keys one by one. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { Refusal } from "../../../src/domain/state/stored/Ownership.ts"
import { StateStore } from "../../../src/index.ts"
import { answer, reasonOf, record, seqs, seqsOf, type Test, timer } from "./Records.ts"

/** All that a reason refuses, by key. */
const refusals = (reason: StateStore.StoreErrorReason | undefined): ReadonlyArray<Refusal> => {
  assert.strictEqual(reason?._tag, "Fenced")
  const { _tag, others = [], ...first } = reason as Extract<typeof reason, { readonly _tag: "Fenced" }>
  return [first, ...others].sort((a, b) => String(a.key) < String(b.key) ? -1 : 1)
}

/** Registers the tests of claims of keys. */
export const claims = (test: Test): void => {
  test(
    "keys that are claimed one by one are written side by side, in one batch, with their answers and timers",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const [a, b] = [yield* store.acquireEpoch("a", "key"), yield* store.acquireEpoch("b", "key")]
      assert.isAbove(b, a)
      for (let seq = 1; seq <= 4; seq++) {
        yield* store.save([
          record("a", seq, a, { answers: [answer(`a${seq}`, seq)], forgetAnswersBefore: seq - 1 }),
          record("b", seq, b, seq === 3 ? { timers: [timer("x", 7)] } : { answers: [answer(`b${seq}`, seq)] })
        ])
      }
      const [kept] = yield* store.load("a")
      assert.deepStrictEqual(kept?.answers?.map(({ id }) => id), ["a3", "a4"])
      const [other] = yield* store.load("b")
      assert.deepStrictEqual(other?.answers?.map(({ id }) => id), ["b1", "b2", "b4"])
      assert.deepStrictEqual(other?.timers, [timer("x", 7)])
      yield* store.setAside({ key: "a", seq: 4, epoch: a, why: "poisoned" })
      yield* store.remove(["b"], b)
      assert.deepStrictEqual([yield* seqs(store, "a"), yield* seqs(store, "b")], [[3, 2], []])
      yield* store.save([record("a", 5, a), record("b", 5, b)])
      assert.deepStrictEqual([yield* seqs(store, "a"), yield* seqs(store, "b")], [[5, 3, 2], [5]])
    })
  )

  test(
    "a key that is claimed anew is refused to the one before, and that key alone",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const [a, b] = [yield* store.acquireEpoch("a", "key"), yield* store.acquireEpoch("b", "key")]
      yield* store.save([record("a", 1, a), record("b", 1, b)])
      const current = yield* store.acquireEpoch("a", "key")
      assert.isAbove(current, b)
      for (
        const write of [
          store.save([record("a", 2, a)]),
          store.save([record("b", 2, b), record("a", 2, a)]),
          store.save([record("a", 2, a, { answers: [answer("x", 2)] })]),
          store.save([record("a", 2, a, { timers: [timer("x", 7)] })]),
          store.setAside({ key: "a", seq: 1, epoch: a, why: "stale" }),
          store.remove(["a"], a)
        ]
      ) {
        assert.deepStrictEqual(reasonOf(yield* Effect.exit(write)), { _tag: "Fenced", key: "a", epoch: a, current })
      }
      assert.deepStrictEqual([yield* seqs(store, "a"), yield* seqs(store, "b")], [[1], [1]])
      assert.deepStrictEqual((yield* store.load("a"))[0]?.answers, [])
      yield* store.save([record("a", 2, current), record("b", 2, b)])
      assert.deepStrictEqual([yield* seqs(store, "a"), yield* seqs(store, "b")], [[2, 1], [2, 1]])
    })
  )

  test(
    "a batch that is refused names all its stale keys at once, and the rest of it is stored without them",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const keys = Array.from({ length: 24 }, (_, i) => `k${String(i).padStart(2, "0")}`)
      const epochs = yield* Effect.forEach(keys, (key) => store.acquireEpoch(key, "key"))
      const batch = (seq: number) =>
        keys.map((key, i) => record(key, seq, epochs[i]!, { answers: [answer(`${seq}`, seq)] }))
      yield* store.save(batch(1))
      const taken = keys.filter((_, i) => i % 3 > 0)
      const current = yield* Effect.forEach(taken, (key) => store.acquireEpoch(key, "key"))
      const refused = refusals(reasonOf(yield* Effect.exit(store.save(batch(2)))))
      assert.deepStrictEqual(
        refused,
        taken.map((key, i) => ({ key, epoch: epochs[keys.indexOf(key)]!, current: current[i]! }))
      )
      assert.deepStrictEqual(yield* seqs(store, "k00"), [1], "whole or not at all")
      yield* store.save(batch(2).filter(({ key }) => !taken.includes(key)))
      assert.deepStrictEqual([yield* seqs(store, "k00"), yield* seqs(store, "k01")], [[2, 1], [1]])
    })
  )

  test(
    "a claim that asks learns whether its key is still its own, without a write",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const confirm = store.confirm ?? (() => assert.fail("it has no confirm"))
      const [a, b] = [yield* store.acquireEpoch("a", "key"), yield* store.acquireEpoch("b", "key")]
      yield* confirm(a, "a")
      const current = yield* store.acquireEpoch("a", "key")
      assert.deepStrictEqual(reasonOf(yield* Effect.exit(confirm(a, "a"))), {
        _tag: "Fenced",
        key: "a",
        epoch: a,
        current
      })
      yield* confirm(current, "a")
      yield* confirm(b, "b")
      assert.deepStrictEqual(yield* store.keys(), [])
    })
  )

  test(
    "an epoch of the whole store ends those of its keys, and a key that is claimed after it is younger",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const a = yield* store.acquireEpoch("a", "key")
      yield* store.save([record("a", 1, a)])
      const whole = yield* store.acquireEpoch(StateStore.wholeStore)
      assert.isAbove(whole, a)
      assert.deepStrictEqual(reasonOf(yield* Effect.exit(store.save([record("a", 2, a)]))), {
        _tag: "Fenced",
        key: "a",
        epoch: a,
        current: whole
      })
      yield* store.save([record("a", 2, whole), record("b", 1, whole)])
      const next = yield* store.acquireEpoch("a", "key")
      assert.isAbove(next, whole)
      yield* store.save([record("a", 3, next), record("b", 2, whole)])
      assert.strictEqual(reasonOf(yield* Effect.exit(store.save([record("a", 4, whole)])))?._tag, "Fenced")
      assert.deepStrictEqual([yield* seqs(store, "a"), yield* seqs(store, "b")], [[3, 2, 1], [2, 1]])
      // and by turns, each time younger
      let last = next
      for (const owner of [StateStore.wholeStore, "b", "tool", "a", StateStore.wholeStore, "b"]) {
        const epoch = yield* store.acquireEpoch(owner, owner.length === 1 ? "key" : undefined)
        assert.isAbove(epoch, last)
        last = epoch
      }
    })
  )
}

/** Registers those of a store that several processes may share. */
export const sharedClaims = (test: Test): void => {
  test(
    "two clients claim keys of one store by turns: what one has written the other finds, and goes on from",
    Effect.fnUntraced(function*(open) {
      const [here, there] = [yield* open(), yield* open()]
      const stays = yield* here.acquireEpoch("b", "key")
      yield* here.save([record("b", 1, stays)])
      let seq = 0
      for (const client of [here, there, here, there]) {
        const epoch = yield* client.acquireEpoch("a", "key")
        assert.strictEqual((yield* client.load("a"))[0]?.seq ?? 0, seq)
        for (let i = 0; i < 3; i++) yield* client.save([record("a", ++seq, epoch)])
        const other = client === here ? there : here
        const refused = yield* Effect.exit(other.save([record("a", seq + 1, epoch - 1)]))
        assert.strictEqual(reasonOf(refused)?._tag, "Fenced")
        assert.deepStrictEqual(seqsOf(yield* client.load("a")), [seq, seq - 1, seq - 2])
      }
      yield* here.save([record("b", 2, stays)])
      assert.deepStrictEqual(yield* seqs(there, "b"), [2, 1])
    })
  )
}
