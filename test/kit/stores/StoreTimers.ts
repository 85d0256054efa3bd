/** What every store promises of timers: set in one commit with the state, found by when they are due. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { StateContainer, StateStore } from "../../../src/index.ts"
import { type inPlace, record, type Subject, timer } from "./Records.ts"

type Store = StateStore.StateStore<StateContainer.Grade>

const due = (store: Store, limit = 99) =>
  Effect.map(store.timers!(limit), (all) => all.map((one) => [one.key, one.due, one.timers.map(({ name }) => name)]))

/** The names of the timers of each of a key's snapshots, newest first. */
const named = (store: Store, key = "a") =>
  Effect.map(store.load(key), (records) => records.map((one) => (one.timers ?? []).map(({ name }) => name).join(" ")))

export const timers = (test: ReturnType<typeof inPlace>, { durable }: Subject): void => {
  test(
    "timers are set with a snapshot, kept with those that follow, and found by when the earliest of a key is due",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const epoch = yield* store.acquireEpoch("app")
      assert.deepStrictEqual(yield* store.timers!(9), [])
      yield* store.save([
        record("a", 1, epoch, { timers: [timer("late", 70), timer("early", 30)] }),
        record("b\u0000\ud800", 1, epoch, { timers: [timer("one", 20.5)] }),
        record("c", 1, epoch)
      ])
      yield* store.save([record("a", 2, epoch), record("c", 2, epoch, { timers: [timer("one", 30)] })])
      const all = yield* store.timers!(9)
      assert.deepStrictEqual(all.map((one) => [one.key, one.due]), [["b\u0000\ud800", 20.5], ["a", 30], ["c", 30]])
      assert.deepStrictEqual(all[1]?.timers, [timer("late", 70), timer("early", 30)])
      assert.deepStrictEqual(yield* store.timers!(2), all.slice(0, 2))
      for (const [until, count] of [[10, 1], [20.5, 2], [30, 3], [31, 3]] as const) {
        assert.deepStrictEqual(yield* store.timers!(9, undefined, until), all.slice(0, count), String(until))
      }
      assert.deepStrictEqual(yield* store.timers!(9, all[0], 20.5), all.slice(1, 2))
      assert.deepStrictEqual(yield* store.timers!(1, undefined, 30), all.slice(0, 1))
      assert.deepStrictEqual(yield* store.timers!(9, all[1]), all.slice(2))
      assert.deepStrictEqual(yield* named(store), ["late early", "late early"])
      yield* store.save([record("a", 3, epoch, { timers: [timer("late", 10)] }), record("c", 3, epoch, { timers: [] })])
      assert.deepStrictEqual(yield* due(store), [["a", 10, ["late"]], ["b\u0000\ud800", 20.5, ["one"]]])
      assert.deepStrictEqual(yield* named(store), ["late", "late early", "late early"])
      assert.deepStrictEqual(yield* named(store, "c"), ["", "one", ""])
    })
  )

  test(
    "a batch may set the timers of a key twice: the last are found; saved again, it is the same",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const epoch = yield* store.acquireEpoch("app")
      const batch = [
        record("a", 1, epoch, { timers: [timer("one", 5)] }),
        record("a", 2, epoch, { timers: [timer("two", 9)] })
      ]
      for (let i = 0; i < 2; i++) {
        yield* store.save(batch)
        assert.deepStrictEqual(yield* due(store), [["a", 9, ["two"]]])
        assert.deepStrictEqual(yield* named(store), ["two", "one"])
      }
    })
  )

  test(
    "a batch that is refused sets no timer",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const old = yield* store.acquireEpoch("app")
      const epoch = yield* store.acquireEpoch("other")
      yield* store.acquireEpoch("app")
      const exit = yield* Effect.exit(store.save([
        record("a", 1, epoch, { timers: [timer("one", 5)] }),
        record("b", 1, old, { timers: [timer("one", 5)] })
      ]))
      assert.strictEqual(exit._tag, "Failure")
      assert.deepStrictEqual(yield* due(store), [])
    })
  )

  test(
    "a rollback brings back the timers of the snapshot that it goes back to, and sets the others aside",
    Effect.fnUntraced(function*(open) {
      const store = yield* open({ generations: 2 })
      const epoch = yield* store.acquireEpoch("app")
      for (let seq = 1; seq <= 6; seq++) {
        const set = seq % 2 === 0 ? { timers: [timer(`set${seq}`, 100 - seq)] } : {}
        yield* store.save([record("a", seq, epoch, set)])
      }
      assert.deepStrictEqual(yield* due(store), [["a", 94, ["set6"]]])
      yield* store.setAside({ key: "a", seq: 6, epoch, why: "poisoned" })
      assert.deepStrictEqual(yield* due(store), [["a", 96, ["set4"]]])
      assert.deepStrictEqual(yield* named(store), ["set4"])
      assert.deepStrictEqual((yield* store.listAside())[0]?.timers, [timer("set6", 94)])
      yield* store.setAside({ key: "a", seq: 5, epoch, why: "poisoned, too" })
      assert.deepStrictEqual(yield* due(store), [])
      yield* store.save([record("a", 7, epoch)])
      assert.deepStrictEqual(yield* named(store), [""])
    })
  )

  test(
    "the timers of a key that is removed are gone",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const epoch = yield* store.acquireEpoch("app")
      yield* store.save([record("a", 1, epoch, { timers: [timer("one", 5)] })])
      yield* store.remove(["a"], epoch)
      assert.deepStrictEqual(yield* due(store), [])
      yield* store.save([record("a", 2, epoch)])
      assert.deepStrictEqual(yield* named(store), [""])
    })
  )

  test(
    "a thousand keys with timers are found page by page, each once",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const epoch = yield* store.acquireEpoch("app")
      const keys = Array.from({ length: 1100 }, (_, i) => `k${i}`)
      yield* store.save(keys.map((key, i) => record(key, 1, epoch, { timers: [timer("t", (i * 7) % 50)] })))
      const found: Array<string> = []
      let after: { readonly key: string; readonly due: number } | undefined
      for (let page = yield* store.timers!(300); page.length > 0; page = yield* store.timers!(300, after)) {
        for (const one of page) {
          assert.isTrue(after === undefined || one.due >= after.due)
          after = one
          found.push(one.key)
        }
      }
      assert.deepStrictEqual(found.sort(), keys.sort())
    })
  )

  if (!durable) return

  test(
    "timers are there when the store is opened again, before a session begins and after",
    Effect.fnUntraced(function*(open) {
      yield* Effect.scoped(Effect.gen(function*() {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 1, epoch, { timers: [timer("one", 5)] })])
        yield* store.save([record("a", 2, epoch, { timers: [timer("two", 7)] })])
        yield* store.save([record("a", 3, epoch, { timers: [] }), record("b", 1, epoch, { timers: [timer("one", 6)] })])
        yield* store.setAside({ key: "a", seq: 3, epoch, why: "poisoned" })
      }))
      const store = yield* open()
      const all = [["b", 6, ["one"]], ["a", 7, ["two"]]]
      assert.deepStrictEqual(yield* due(store), all)
      yield* store.acquireEpoch("app")
      assert.deepStrictEqual(yield* due(store), all)
      assert.deepStrictEqual(yield* named(store), ["two", "one"])
    })
  )
}
