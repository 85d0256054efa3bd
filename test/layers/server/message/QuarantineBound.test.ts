import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema } from "effect"
import { GenServer, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { many, reachable } from "../../../kit/Garbage.ts"
import { quiet } from "../../../kit/Log.ts"
import { often } from "../../../kit/Restarts.ts"

class Mill extends GenServer.Service<Mill>()("test/Mill", {
  state: Schema.Int,
  messages: {
    Feed: GenServer.cast({ payload: { grain: Schema.Int }, redeliver: { maxAttempts: 1 } }),
    Grind: GenServer.call({ payload: { grain: Schema.Int }, redeliver: { maxAttempts: 1 } })
  }
}) {}

const crash = (): never => {
  throw new Error("choked")
}

const mill = (quarantine?: GenServer.Options["quarantine"]) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
      StateContainer.layerMemory(Mill),
      Mill.layer({ init: 0, handlers: { Feed: crash, Grind: crash } }, { quarantine })
    ]),
    Harness.Harness.layer
  )

const grind = Effect.fnUntraced(function*(grains: number) {
  const own = yield* Mill
  for (let grain = 0; grain < grains; grain++) yield* Effect.exit(own.Grind({ grain }))
})

const kept = Effect.map(Effect.flatMap(Mill, Sys.quarantined), (messages) => messages.map(({ payload }) => payload))

const dropped = Effect.gen(function*() {
  const harness = yield* Harness.Harness
  return (yield* harness.eventsOf(yield* Mill)).flatMap((event) => event._tag === "Dropped" ? [event.reason] : [])
})

const grains = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => ({ grain: from + i }))

describe("the quarantine of a server", () => {
  it.effect("keeps the newest 256 messages; each that gives way is an event", () =>
    Effect.gen(function*() {
      yield* grind(256)
      assert.deepStrictEqual([yield* kept, yield* dropped], [grains(0, 256), []])
      yield* grind(3)
      assert.deepStrictEqual(yield* kept, [...grains(3, 256), ...grains(0, 3)])
      assert.deepStrictEqual(yield* dropped, Array(3).fill("QuarantineFull"))
      assert.strictEqual((yield* Sys.getStatus(yield* Mill)).quarantined, 256)
    }).pipe(Effect.provide(mill()), quiet))

  it.effect("keeps the first ones, if that is what was asked for", () =>
    Effect.gen(function*() {
      yield* grind(5)
      assert.deepStrictEqual([yield* kept, yield* dropped], [grains(0, 2), Array(3).fill("QuarantineFull")])
    }).pipe(Effect.provide(mill({ capacity: 2, overflow: "drop_newest" })), quiet))

  it.effect("of capacity 0 keeps none; the caller is answered all the same", () =>
    Effect.gen(function*() {
      const own = yield* Mill
      const error = yield* Effect.flip(own.Grind({ grain: 1 }))
      assert.deepStrictEqual(error.reason, { _tag: "Quarantined", attempts: 1 })
      assert.deepStrictEqual([yield* kept, yield* dropped], [[], ["QuarantineFull"]])
    }).pipe(Effect.provide(mill({ capacity: 0 })), quiet))

  it.effect("has room again for a message when another was discarded", () =>
    Effect.gen(function*() {
      yield* grind(2)
      const [first] = yield* Sys.quarantined(yield* Mill)
      yield* Sys.discard(yield* Mill, first!)
      yield* grind(1)
      assert.deepStrictEqual([yield* kept, yield* dropped], [[{ grain: 1 }, { grain: 0 }], []])
    }).pipe(Effect.provide(mill({ capacity: 2 })), quiet))

  it.effect(`holds nothing of what gave way: of ${many} poison messages as much as of 256`, () => {
    const fed: Array<WeakRef<object>> = []
    return Effect.gen(function*() {
      const own = yield* Mill
      for (let grain = 0; grain < many; grain++) {
        const payload = { grain }
        fed.push(new WeakRef(payload))
        yield* own.Feed(payload)
        yield* Effect.yieldNow
      }
      while ((yield* Sys.quarantined(own)).at(-1)?.payload !== fed.at(-1)?.deref()) yield* Effect.yieldNow
      assert.isAtMost(yield* reachable(fed, 256 + 33), 256 + 33)
    }).pipe(Effect.provide(mill()), quiet)
  })

  for (
    const [quarantine, message] of [
      [{ capacity: -1 }, "was given -1 as quarantine.capacity"],
      [{ capacity: NaN }, "was given NaN as quarantine.capacity"],
      [
        { overflow: "sometimes" as "drop_oldest" },
        "as quarantine.overflow: it must be \"drop_oldest\" or \"drop_newest\""
      ]
    ] as const
  ) {
    it.effect(`is refused where it makes no sense: ${message}`, () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Effect.provide(Mill, mill(quarantine)))
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), message)
      }))
  }
})
