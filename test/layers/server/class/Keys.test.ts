/** Which servers a class has: those in memory, those in its store, and how many there are of both. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Schema, Stream } from "effect"
import {
  DynamicSupervisor,
  GenServer,
  InvalidOption,
  Next,
  StateContainer,
  StateStore,
  Supervisor
} from "../../../../src/index.ts"
import { turns } from "../../../kit/Fibers.ts"

class Thing extends GenServer.Service<Thing>()("test/Thing", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call(),
    Sleep: GenServer.call(),
    Get: GenServer.call({ reply: Schema.Int }),
    Stop: GenServer.call()
  }
}) {}

class Things extends DynamicSupervisor.Service<Things>()("test/Things") {}
class Store extends StateStore.Service<Store>()("test/ThingStore", "crash") {}

const behavior = Thing.behavior({
  init: 0,
  handlers: {
    Add: (n) => [undefined, n + 1],
    Sleep: (n) => Next.reply(undefined, n, { hibernate: true }),
    Get: (n) => [n, n],
    Stop: (n) => Next.stop("normal", { reply: undefined, state: n })
  }
})

/** A store in memory, and the same as a store of one's own that knows no pages. */
const stores = {
  "a store": () => StateStore.makeMemory(),
  "a store that knows no pages": (): StateStore.StateStore<"crash"> => {
    const { count: _, ...memory } = StateStore.makeMemory()
    return { ...memory, keys: (prefix) => memory.keys(prefix) }
  }
}

const over = (store: StateStore.StateStore<"crash">) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerStore(Thing, { store: Store }),
      Things.layer(),
      Layer.provide(Thing.layerKeyed(behavior), Things.asSupervisor)
    ]),
    Layer.sync(Store, () => store)
  )

const inMemory = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
  StateContainer.layerMemory(Thing, { afterStop: "keep" }),
  Things.layer(),
  Layer.provide(Thing.layerKeyed(behavior), Things.asSupervisor)
])

const listed = (options?: GenServer.ListOptions) => Stream.runCollect(Thing.keys(options))
const add = (key: string) => Effect.flatMap(Thing.at(key), (thing) => thing.Add())
const numbered = (n: number) => Array.from({ length: n }, (_, i) => `k${String(i).padStart(5, "0")}`)

describe("the keys of a class", () => {
  for (const [name, make] of Object.entries(stores)) {
    it.effect(`are those in memory and those in its store, in order, each once (${name})`, () => {
      const store = make()
      return Effect.gen(function*() {
        // Some are in the store alone, by now.
        yield* Effect.forEach(["b", "d", "a/x", "\u{10000}", "\uffff"], add).pipe(
          Effect.provide(over(store), { local: true })
        )
        // Others of the same store, whose names begin alike.
        const epoch = yield* store.acquireEpoch("test/Thingy")
        const record = { seq: 1, epoch, version: 1, state: "1", trusted: 0, at: 0 }
        yield* store.save([{ ...record, key: "test/Thingy/other" }, { ...record, key: "test/Thin" }])
        yield* Effect.gen(function*() {
          yield* add("c")
          yield* Thing.at("e")
          yield* Thing.at("b")
          assert.deepStrictEqual(yield* listed(), ["a/x", "b", "c", "d", "e", "\uffff", "\u{10000}"])
          assert.deepStrictEqual(yield* listed({ prefix: "a" }), ["a/x"])
          assert.deepStrictEqual(yield* listed({ prefix: "", after: "d" }), ["e", "\uffff", "\u{10000}"])
          assert.deepStrictEqual(yield* listed({ after: "cc" }), ["d", "e", "\uffff", "\u{10000}"])
          assert.deepStrictEqual(yield* listed({ prefix: "z" }), [])
          assert.deepStrictEqual(yield* Thing.count, { live: 3, stored: 6 })
        }).pipe(Effect.provide(over(store), { local: true }))
      })
    })
  }

  it.effect("are those in memory, where there is no store: from a key on, too", () =>
    Effect.gen(function*() {
      yield* Effect.forEach(["c", "a", "d", "b"], add)
      assert.deepStrictEqual(yield* listed(), ["a", "b", "c", "d"])
      assert.deepStrictEqual(yield* listed({ after: "b" }), ["c", "d"])
    }).pipe(Effect.provide(inMemory)))

  it.effect("are strings: what is none is refused, by name", () =>
    Effect.gen(function*() {
      // As from code without types.
      const wrong: ReadonlyArray<readonly [unknown, string]> = [
        [{ prefix: 5 }, "prefix"],
        [{ prefix: null }, "prefix"],
        [{ after: 5 }, "after"],
        [null, "keys"]
      ]
      for (const [options, option] of wrong) {
        const cause = yield* Effect.flip(Effect.sandbox(listed(options as GenServer.ListOptions)))
        const error = Cause.squash(cause)
        assert.isTrue(error instanceof InvalidOption.InvalidOption && error.option === option)
      }
      for (const key of [undefined, null, 5] as ReadonlyArray<unknown>) {
        const { message } = yield* Effect.flip(Thing.at(key as string))
        assert.include(message, `was given ${key} as key: it must be a string`)
      }
    }).pipe(Effect.provide(inMemory)))

  it.effect("are read from the store page by page, and no key is missed or answered twice when others come and go", () => {
    const memory = StateStore.makeMemory()
    const pages: Array<number> = []
    const keys = numbered(2500)
    const store: StateStore.StateStore<"crash"> = {
      ...memory,
      keys: (prefix, page) =>
        Effect.tap(memory.keys(prefix, page), (found) => Effect.sync(() => pages.push(found.length)))
    }
    return Effect.gen(function*() {
      yield* Effect.forEach(keys, add, { concurrency: 100, discard: true })
      const seen: Array<string> = []
      pages.length = 0
      yield* Stream.runForEach(Thing.keys({ prefix: "k" }), (key) =>
        Effect.gen(function*() {
          seen.push(key)
          if (key !== "k00010") return
          // Before the place of the listing, in its page, and behind it.
          yield* add("k00000a")
          yield* add("k00500a")
          yield* add("k02400a")
          yield* (yield* Thing.StateContainer).for("k02300").clear
          yield* (yield* Thing.at("k02300")).Stop()
        }))
      assert.deepStrictEqual(
        seen.filter((key) => key.length === 6 && key !== "k02300"),
        keys.filter((key) => key !== "k02300")
      )
      assert.strictEqual(new Set(seen).size, seen.length)
      assert.deepStrictEqual(seen.filter((key) => key.length > 6), ["k02400a"])
      assert.isAtMost(Math.max(...pages), 1000)
    }).pipe(Effect.provide(over(store)))
  })

  it.effect("the one without a key comes first, once, however many pages follow", () => {
    const store = StateStore.makeMemory()
    return Effect.gen(function*() {
      const epoch = yield* store.acquireEpoch("test/Thing")
      const keys = numbered(1001)
      const recordOf = (key: string) => ({ key, seq: 1, epoch, version: 1, state: "1", trusted: 0, at: 0 })
      yield* store.save(["test/Thing", ...keys.map((key) => `test/Thing/${key}`)].map(recordOf))
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(Thing.keys(), 2000)), ["", ...keys])
        assert.deepStrictEqual(yield* listed({ after: "k00999" }), ["k01000"])
      }).pipe(Effect.provide(over(store)))
    })
  })

  it.effect("over memory are those of its servers, and of those that have left a state", () =>
    Effect.gen(function*() {
      yield* add("a")
      yield* add("b")
      yield* Thing.at("c")
      yield* (yield* Thing.at("a")).Stop()
      yield* turns
      assert.deepStrictEqual(yield* listed(), ["a", "b", "c"])
      assert.deepStrictEqual(yield* Thing.count, { live: 2, stored: 2 })
    }).pipe(Effect.provide(inMemory)))
})

describe("the servers of a class that are in memory", () => {
  it.effect("are listed with their status", () =>
    Effect.gen(function*() {
      yield* add("a")
      const b = yield* Thing.at("b")
      yield* b.Add()
      yield* b.Sleep()
      yield* add("gone")
      yield* (yield* Thing.at("gone")).Stop()
      yield* turns
      const live = [...yield* Thing.live].sort((a, b) => a.key < b.key ? -1 : 1)
      assert.deepStrictEqual(live, [
        { key: "a", status: "running", incarnation: 1, isHibernating: false },
        { key: "b", status: "running", incarnation: 1, isHibernating: true }
      ])
      assert.deepStrictEqual(yield* Thing.count, { live: 2, stored: 3 })
    }).pipe(Effect.provide(over(StateStore.makeMemory()))))
})
