import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Process, Snapshots, StateStore } from "../../../src/index.ts"
import { Harness } from "../../../src/testing.ts"
import { Account, Inside, one } from "../../kit/Account.ts"
import { Fragile, poison, tree } from "../../kit/Fragile.ts"
import { Scripted } from "../../kit/Scripted.ts"

const key = "shop/Till"

/** A store that holds the snapshots 3, 4, 5 of a key, and 6 aside. */
const filled = Effect.gen(function*() {
  const store = StateStore.makeMemory()
  const epoch = yield* store.acquireEpoch("shop")
  for (let seq = 1; seq <= 6; seq++) {
    yield* store.save([{
      key,
      epoch,
      seq,
      version: 1,
      state: JSON.stringify({ count: seq, names: ["ann", "bob"].slice(0, seq % 3) }),
      trusted: seq - 1,
      at: seq,
      answers: [{ id: `call ${seq}`, seq, at: seq, body: "{}" }]
    }])
    if (seq === 4) yield* store.setAside({ key, seq: 99, epoch, why: "there is none" })
  }
  yield* store.setAside({ key, seq: 6, epoch, why: "restore crashed on it" })
  return store
})

const seqs = (listed: ReadonlyArray<Snapshots.Listed>) =>
  listed.map(({ aside, seq }) => aside === undefined ? seq : -seq)

describe("going back", () => {
  it.effect("to a snapshot that is damaged is refused, and nothing is changed", () =>
    Effect.gen(function*() {
      const store = yield* filled
      const rotten: typeof store = {
        ...store,
        load: (key) =>
          Effect.map(store.load(key), (all) => all.map((one) => one.seq === 4 ? { ...one, damaged: "it rotted" } : one))
      }
      const before = yield* store.load(key)
      const error = yield* Effect.flip(Snapshots.restore(rotten, { key, seq: 4 }))
      assert.deepStrictEqual(error._tag === "SnapshotError" && error.reason, { _tag: "Damaged", what: "it rotted" })
      assert.deepStrictEqual(yield* store.load(key), before)
    }))
})

describe("what a restored snapshot brings", () => {
  const ring = [{ name: "t", due: 9, message: "Ring", payload: {} }]
  const record = (seq: number, more: object = {}) => ({
    key,
    epoch: 1,
    seq,
    version: 1,
    state: `${seq}`,
    trusted: 0,
    at: seq,
    ...more
  })

  /** A store with these snapshots, the last of them aside. */
  const aside = Effect.fnUntraced(function*(...records: ReadonlyArray<object>) {
    const store = StateStore.makeMemory()
    const epoch = yield* store.acquireEpoch("shop")
    for (const [i, more] of records.entries()) yield* store.save([record(i + 1, { epoch, ...more })])
    yield* store.setAside({ key, seq: records.length, epoch, why: "looked bad" })
    return store
  })

  const timersAfter = Effect.fnUntraced(function*(store: Effect.Success<ReturnType<typeof aside>>, seq: number) {
    assert.strictEqual(yield* Snapshots.restore(store, { key, seq, aside: true }), seq + 1)
    const [newest] = yield* store.load(key)
    assert.strictEqual(newest!.state, `${seq}`)
    return newest!.timers
  })

  it.effect("is its timers, and none where it had none, whatever was set before it", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* timersAfter(yield* aside({}, { timers: ring }), 2), ring)
      assert.isUndefined(yield* timersAfter(yield* aside({ timers: ring }, { timers: [] }), 2))
      assert.isUndefined(yield* timersAfter(yield* aside({}, {}), 2))
    }))

  it.effect("a state that is no JSON is read as text, and says as what else it is not", () =>
    Effect.gen(function*() {
      const store = StateStore.makeMemory()
      const epoch = yield* store.acquireEpoch("shop")
      yield* store.save([{ ...record(1, { epoch }), state: "{" }])
      assert.strictEqual(yield* Snapshots.text(store, { key }), "{")
      const error = yield* Effect.flip(Snapshots.read(store, { key }))
      const reason = error._tag === "SnapshotError" ? error.reason : undefined
      assert.strictEqual(reason?._tag, "NotJson")
      assert.include(reason?._tag === "NotJson" ? reason.issue : "", "JSON")
    }))
})

describe("looking", () => {
  it.effect("says which one there is not: the newest, or one by its number", () =>
    Effect.gen(function*() {
      const store = yield* filled
      const { message: newest } = yield* Effect.flip(Snapshots.text(store, { key: "shop/Safe" }))
      assert.include(newest, `the newest snapshot of "shop/Safe": there is none.`)
      const { message: other } = yield* Effect.flip(Snapshots.text(store, { key, seq: 77 }))
      assert.include(other, `snapshot 77 of "shop/Till": there is none.`)
    }))

  it.effect("finds all keys in the order of their bytes, page by page, also in a store that knows no pages", () =>
    Effect.gen(function*() {
      const store = StateStore.makeMemory()
      const epoch = yield* store.acquireEpoch("shop")
      const keys = [...Array.from({ length: 1000 }, (_, i) => `k${String(i).padStart(4, "0")}`), "\uffff", "\u{10000}"]
      yield* store.save(keys.map((key) => ({ key, epoch, seq: 1, version: 1, state: "1", trusted: 0, at: 0 })))
      const found: Array<number> = []
      const paged: typeof store = {
        ...store,
        keys: (prefix, page) =>
          Effect.tap(store.keys(prefix, page), (some) => Effect.sync(() => found.push(some.length)))
      }
      const pageless: typeof store = {
        ...store,
        keys: (prefix) => Effect.map(store.keys(prefix), (all) => Array.from(all).reverse())
      }
      for (const one of [paged, pageless]) assert.deepStrictEqual(yield* Stream.runCollect(Snapshots.keys(one)), keys)
      assert.deepStrictEqual(found, [1000, 2, 0])
    }))

  it.effect("lists what is kept, newest first, then what was set aside", () =>
    Effect.gen(function*() {
      const store = yield* filled
      const listed = yield* Snapshots.list(store, key)
      assert.deepStrictEqual(listed.map((one) => [one.seq, one.trusted, one.answers, one.aside?.why]), [
        [5, false, 5, undefined],
        [4, true, 4, undefined],
        [6, false, 1, "restore crashed on it"]
      ])
      assert.deepStrictEqual(seqs(yield* Snapshots.aside(store)), [-6])
    }))

  it.effect("reads a state as JSON, and its text when it is none", () =>
    Effect.gen(function*() {
      const store = yield* filled
      assert.deepStrictEqual(yield* Snapshots.read(store, { key, seq: 5 }), { count: 5, names: ["ann", "bob"] })
      assert.deepStrictEqual(yield* Snapshots.read(store, { key, seq: 6, aside: true }), { count: 6, names: [] })
      const epoch = yield* store.acquireEpoch("shop")
      yield* store.save([{ key, epoch, seq: 7, version: 1, state: "{\"cou", trusted: 5, at: 7 }])
      const error = yield* Effect.flip(Snapshots.read(store, { key, seq: 7 }))
      assert.include(error.message, "snapshot 7 of \"shop/Till\": it is no JSON")
      assert.strictEqual(yield* Snapshots.text(store, { key, seq: 7 }), "{\"cou")
    }))

  it.effect("tells the difference between two", () =>
    Effect.gen(function*() {
      const store = yield* filled
      assert.deepStrictEqual(yield* Snapshots.diff(store, { key, seq: 4 }, { key, seq: 5 }), [
        { op: "replace", path: "/count", value: 5 },
        { op: "add", path: "/names/1", value: "bob" }
      ])
      assert.deepStrictEqual(yield* Snapshots.diff(store, { key, seq: 5 }, { key, seq: 5 }), [])
      assert.deepStrictEqual(yield* Snapshots.diff(store, { key, seq: 5 }, { key, seq: 6, aside: true }), [
        { op: "replace", path: "/count", value: 6 },
        { op: "remove", path: "/names/1" },
        { op: "remove", path: "/names/0" }
      ])
    }))

  it.effect("says so when there is no such snapshot", () =>
    Effect.gen(function*() {
      const store = yield* filled
      for (const place of [{ key, seq: 6 }, { key, seq: 5, aside: true }, { key: "nobody", seq: 1 }]) {
        const error = yield* Effect.flip(Snapshots.text(store, place))
        assert.deepStrictEqual(
          error,
          new Snapshots.SnapshotError({ key: place.key, seq: place.seq, reason: { _tag: "NotFound" } })
        )
      }
    }))
})

describe("going back by hand", () => {
  it.effect("to one that is kept sets the younger ones aside, with their answers", () =>
    Effect.gen(function*() {
      const store = yield* filled
      assert.strictEqual(yield* Snapshots.restore(store, { key, seq: 4 }), 4)
      assert.deepStrictEqual(seqs(yield* Snapshots.list(store, key)), [4, -5, -6])
      const [newest] = yield* store.load(key)
      assert.deepStrictEqual(newest?.answers?.map(({ id }) => id), ["call 1", "call 2", "call 3", "call 4"])
      assert.deepStrictEqual((yield* store.listAside(key)).map(({ answers, why }) => [why, answers?.length]), [
        ["restore crashed on it", 1],
        ["snapshot 4 was restored by hand", 1]
      ])
    }))

  it.effect("to the newest changes nothing", () =>
    Effect.gen(function*() {
      const store = yield* filled
      assert.strictEqual(yield* Snapshots.restore(store, { key, seq: 5 }), 5)
      assert.deepStrictEqual(seqs(yield* Snapshots.list(store, key)), [5, 4, -6])
    }))

  it.effect("to one that was set aside writes it again, with its answers, on probation", () =>
    Effect.gen(function*() {
      const store = yield* filled
      assert.strictEqual(yield* Snapshots.restore(store, { key, seq: 6, aside: true }), 7)
      const listed = yield* Snapshots.list(store, key)
      assert.deepStrictEqual(seqs(listed), [7, 5, 4, -6])
      assert.isFalse(listed[0]!.trusted)
      assert.deepStrictEqual(yield* Snapshots.read(store, { key, seq: 7 }), { count: 6, names: [] })
      const [newest] = yield* store.load(key)
      assert.strictEqual(newest?.answers?.at(-1)?.id, "call 6")
    }))

  it.effect("is what the server starts from next", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      yield* Effect.gen(function*() {
        const account = yield* Account
        for (const by of [1, 10, 100]) yield* account.Add({ by })
      }).pipe(Effect.provide(one(new Inside(script))))
      yield* Snapshots.restore(script.store, { key: "test/Account", seq: 2 })
      yield* Effect.gen(function*() {
        const account = yield* Account
        assert.strictEqual(yield* account.Add({ by: 1 }), 12)
      }).pipe(Effect.provide(one(new Inside(script))))
    })
  })

  it.effect("brings back a state that was set aside, once the code is mended", () => {
    const script = new Scripted()
    const app = tree("store", {}, 3, script)
    return Effect.gen(function*() {
      yield* Effect.gen(function*() {
        const fragile = yield* Fragile
        yield* fragile.Set({ to: 41 })
        yield* fragile.Set({ to: poison.handlers })
        yield* fragile.Set({ to: poison.restore })
        yield* Process.kill(fragile)
        yield* Effect.flatMap(Harness.Harness, (harness) => harness.awaitTag("StateRolledBack", fragile))
      }).pipe(Effect.provide(app))
      const [suspect] = yield* Snapshots.aside(script.store)
      assert.strictEqual(suspect?.seq, 3)
      yield* Snapshots.restore(script.store, { key: suspect!.key, seq: 3, aside: true })
      assert.deepStrictEqual((yield* script.states("test/Fragile"))[0], "-1")
    })
  })

  it.effect("fences off an app that still runs: nothing of it is written over what was restored", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      for (const by of [1, 10]) yield* account.Add({ by })
      yield* Snapshots.restore(script.store, { key: "test/Account", seq: 1 })
      const exit = yield* Effect.exit(account.Add({ by: 100 }))
      assert.strictEqual(exit._tag, "Failure")
    }).pipe(Effect.provide(one(new Inside(script))))
  })
})
