import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, type Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { StoreFault } from "../../../src/domain/testing/TimedFaults.ts"
import { StateStore } from "../../../src/index.ts"
import { FaultyStore } from "../../../src/testing.ts"
import { record } from "../../kit/stores/Records.ts"

const fault = (how: StoreFault["how"], millis = 0): StoreFault => ({ _tag: "Store", at: 0, how, millis, skip: 0 })

/** A store that is struck at its first save, and what is in it. */
const struckBy = Effect.fnUntraced(function*(strikes: StoreFault) {
  const asked: Array<string> = []
  const real = StateStore.makeMemory()
  const store = FaultyStore.make(real, (operation) => {
    asked.push(operation)
    return operation === "save" && asked.filter((one) => one === "save").length === 1 ? strikes : undefined
  })
  const epoch = yield* store.acquireEpoch("owner")
  const save = store.save([record("k", 1, epoch)])
  return { asked, real, save, store, stored: Effect.map(real.load("k"), (records) => records.length) }
})

const failed = (exit: Exit.Exit<void, StateStore.StoreError> | undefined): string | undefined => {
  if (exit === undefined) return "waits"
  const error = exit._tag === "Failure" ? exit.cause.reasons[0] : undefined
  return error?._tag === "Fail" && error.error.reason._tag === "Unavailable"
    ? String(error.error.reason.cause)
    : undefined
}

describe("a store that is struck", () => {
  for (
    const [how, why, stored] of [
      ["Fails", "injected on purpose: the request fails", 0],
      ["Away", "injected on purpose: the store is away", 0],
      ["Tears", "injected on purpose: the answer is lost", 1]
    ] as const
  ) {
    it.effect(`${how}: the request fails as one of a store that is away, ${stored} stored; the next one is done`, () =>
      Effect.gen(function*() {
        const one = yield* struckBy(fault(how))
        assert.strictEqual(failed(yield* Effect.exit(one.save)), why)
        assert.strictEqual(yield* one.stored, stored)
        yield* one.save
        assert.strictEqual(yield* one.stored, 1)
      }))
  }

  for (const [how, stored] of [["Late", 1], ["Hangs", 0]] as const) {
    it.effect(`${how}: is answered after its time, ${stored} stored meanwhile`, () =>
      Effect.gen(function*() {
        const one = yield* struckBy(fault(how, 1000))
        const saving = yield* Effect.forkChild(Effect.exit(one.save), { startImmediately: true })
        yield* TestClock.adjust(999)
        assert.strictEqual(
          failed(saving.pollUnsafe()?._tag === "Success" ? yield* Fiber.join(saving) : undefined),
          "waits"
        )
        assert.strictEqual(yield* one.stored, stored)
        yield* TestClock.adjust(1)
        assert.isUndefined(failed(yield* Fiber.join(saving)))
        assert.strictEqual(yield* one.stored, 1)
      }))
  }

  it.effect("asks at every request, by its name, and passes it on", () =>
    Effect.gen(function*() {
      const { asked, save, store } = yield* struckBy(fault("Late"))
      yield* save
      const [saved] = yield* store.load("k")
      yield* store.setAside({ key: "k", seq: 1, epoch: 1, why: "test" })
      assert.deepStrictEqual(yield* store.keys(), [])
      assert.strictEqual((yield* store.listAside("k")).length, 1)
      yield* store.remove(["k"], 1)
      assert.strictEqual(saved?.key, "k")
      assert.deepStrictEqual([store.name, store.grade], ["memory", "crash"])
      assert.deepStrictEqual(asked, ["acquireEpoch", "save", "load", "setAside", "keys", "listAside", "remove"])
    }))
})

class Store extends StateStore.Service<Store>()("test/Store", "crash") {}

describe("the layer of such a store", () => {
  const built = Layer.build(FaultyStore.layer(Store, StateStore.layerMemory(Store)))

  it.effect("is struck by the faults of the context", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const faults: FaultyStore.StoreFaults = (operation) => {
        asked.push(operation)
        return fault("Fails")
      }
      const store = Context.get(yield* Effect.provideService(built, FaultyStore.CurrentStoreFaults, faults), Store)
      assert.include(String(yield* Effect.flip(store.keys())), "the request fails")
      assert.deepStrictEqual(asked, ["keys"])
    }))

  it.effect("is the store itself where there are none", () =>
    Effect.gen(function*() {
      const store = Context.get(yield* built, Store)
      assert.deepStrictEqual(yield* store.keys(), [])
    }))
})
