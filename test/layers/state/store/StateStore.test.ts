import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { StateStore } from "../../../../src/index.ts"
import { record } from "../../../kit/stores/Records.ts"
import { contract } from "../../../kit/stores/StoreContract.ts"

contract("memory", {
  durable: false,
  fresh: Effect.sync(() => {
    const stores = new Map<number | undefined, StateStore.StateStore<"crash">>()
    return (options) =>
      Effect.sync(() => {
        const found = stores.get(options?.generations)
        if (found !== undefined) return found
        const made = StateStore.makeMemory(options)
        stores.set(options?.generations, made)
        return made
      })
  })
})

describe("StateStore", () => {
  class Store extends StateStore.Service<Store>()("test/Store", "crash") {}
  class Durable extends StateStore.Service<Durable>()("test/Durable", "process") {}

  it.effect("a class declares a store: it is the key of its service and knows its grade", () =>
    Effect.gen(function*() {
      const store = yield* Store
      assert.strictEqual(store.grade, Store.grade)
      const epoch = yield* store.acquireEpoch("app")
      yield* store.save([record("a", 1, epoch)])
      assert.deepStrictEqual(yield* store.keys(), ["a"])
    }).pipe(Effect.provide(StateStore.layerMemory(Store))))

  it("a store in memory for one that has to survive the process does not compile", () => {
    // @ts-expect-error memory survives a crash, not the process
    assert.isTrue(Layer.isLayer(StateStore.layerMemory(Durable)))
  })

  it("errors say what happened, to which store, and what to do", () => {
    const text = (reason: StateStore.StoreError["reason"]) =>
      new StateStore.StoreError({ store: "file ./data", operation: "save", reason }).message
    assert.strictEqual(
      text({ _tag: "Fenced", owner: "app", epoch: 3, current: 4 }),
      `save in the state store "file ./data": a younger session has taken over from "app" (epoch 3, in force is 4): ` +
        "another process, or another runtime of this one, has opened the store since. This write was refused, as every " +
        "later one is, and servers of this session do not start again. Stop this process; or stop the other one, and " +
        "start this one anew."
    )
    assert.match(
      text({ _tag: "Unavailable", cause: new Error("gone") }),
      /gone.*may or may not have been stored.*try again/
    )
    assert.match(text({ _tag: "Unusable", cause: new Error("no table") }), /no table.*try again does not help/)
    assert.match(text({ _tag: "Full", cause: new Error("ENOSPC") }), /no room \(ENOSPC\)/)
    assert.match(text({ _tag: "Corrupt", what: "a hole" }), /damaged: a hole/)
    assert.match(text({ _tag: "Invalid", what: "no" }), /no\. Nothing was stored/)
  })

  it("an error of a read says that nothing was written", () => {
    for (const operation of ["open", "load", "keys", "listAside", "acquireEpoch"]) {
      for (const reason of [{ _tag: "Unavailable", cause: "gone" }, { _tag: "Unusable", cause: "gone" }] as const) {
        const { message } = new StateStore.StoreError({ store: "file ./data", operation, reason })
        assert.include(message, "(gone). Nothing was written.")
        assert.notInclude(message, "may or may not")
      }
    }
    const opened = new StateStore.StoreError({ store: "s", operation: "open", reason: { _tag: "Invalid", what: "no" } })
    assert.strictEqual(opened.message, "open of the state store \"s\": no. Nothing was written.")
  })

  it("a store that is away or full may be tried again, any other error not", () => {
    const retryable = (reason: StateStore.StoreError["reason"]) =>
      new StateStore.StoreError({ store: "s", operation: "save", reason }).isRetryable
    assert.isTrue(retryable({ _tag: "Unavailable", cause: 1 }))
    assert.isTrue(retryable({ _tag: "Full", cause: 1 }))
    assert.isFalse(retryable({ _tag: "Fenced", epoch: 1, current: 2 }))
    assert.isFalse(retryable({ _tag: "Corrupt", what: "" }))
    assert.isFalse(retryable({ _tag: "Invalid", what: "" }))
  })
})
