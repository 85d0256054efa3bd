/** `confirm: true`: what is read is never older than what another owner of the store has answered. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Fiber, Layer, Schema, type Scope } from "effect"
import { join } from "node:path"
import { GenServer, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { Harness, History } from "../../../../src/testing.ts"
import { folder } from "../../../kit/Folder.ts"
import { quiet } from "../../../kit/Log.ts"
import { Scripted } from "../../../kit/Scripted.ts"

class Store extends StateStore.Service<Store>()("test/Store", "crash") {}

class Counter extends GenServer.Service<Counter>()("test/Counter", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ reply: Schema.Int }),
    Read: GenServer.call({ reply: Schema.Int }),
    Sure: GenServer.call({ reply: Schema.Int, confirm: true }),
    Fail: GenServer.call({ reply: Schema.Int, error: Schema.String, confirm: true }),
    Later: GenServer.call({ reply: Schema.Int, confirm: true })
  }
}) {}

const CounterLive = Counter.layer({
  init: 0,
  handlers: {
    Add: (n) => [n + 1, n + 1],
    Read: (n) => [n, n],
    Sure: (n) => [n, n],
    Fail: () => Effect.fail("no"),
    Later: (n) => Effect.as(Effect.yieldNow, [n, n] as const)
  }
})

const over = (store: Layer.Layer<Store, StateStore.StoreError>, onGiveUp: "park" | "escalate" = "escalate") =>
  Supervisor.layer({ id: "root", strategy: "one_for_one", onGiveUp }, [
    StateContainer.layerStore(Counter, { store: Store }),
    CounterLive
  ]).pipe(Layer.provide(store), Layer.provideMerge(Harness.Harness.layer))

/** An app of its own on the store. */
const open = (
  store: Layer.Layer<Store, StateStore.StoreError>
): Effect.Effect<typeof Counter.Service, unknown, Scope.Scope> =>
  Effect.map(Layer.build(Layer.fresh(over(store, "park"))), (context) => Context.get(context, Counter))

/** Clients add and read over a take-over; one of them goes on reading from the first app, as long as that answers. */
const takenOver = Effect.fnUntraced(function*(
  store: Layer.Layer<Store, StateStore.StoreError>,
  message: "Read" | "Sure"
) {
  type Counting = typeof Counter.Service
  const times = <E, R>(name: string, count: number, ask: Effect.Effect<number, E, R>) =>
    Effect.forEach(Array.from({ length: count }), () => Effect.andThen(Effect.exit(ask), Effect.yieldNow), {
      discard: true
    }).pipe(Effect.provideService(History.Client, name))
  const add = (counter: Counting) => History.add("n", 1, counter.Add())
  const read = (counter: Counting) => History.read("n", counter[message]())
  const everybody = (counter: Counting) =>
    Effect.all([
      times("one", 20, add(counter)),
      times("two", 20, add(counter)),
      times("three", 20, read(counter))
    ], { concurrency: "unbounded" })
  const first = yield* open(store)
  yield* everybody(first)
  const reader = yield* Effect.forkChild(times("reader", 100, read(first)))
  const second = yield* open(store)
  yield* everybody(second)
  yield* times("reader, once more", 1, read(first))
  yield* Fiber.join(reader)
})

const counted = <E, R>(effect: Effect.Effect<void, E, R>) =>
  Effect.gen(function*() {
    yield* History.begins("n", 0)
    yield* effect
    yield* History.check
    const history = yield* History.History
    assert.isAbove(history.operations.length, 100)
  })

const media: ReadonlyArray<
  readonly [name: string, store: Effect.Effect<Layer.Layer<Store, StateStore.StoreError>, never, Scope.Scope>]
> = [
  [
    "memory",
    Effect.sync(() => {
      const memory = StateStore.makeMemory()
      return Layer.suspend(() => StateStore.layer(Store, Effect.succeed({ ...memory })))
    })
  ],
  [
    "SQLite",
    Effect.map(folder, (at) => StateStoreSqlite.layer(Store, { filename: join(at, "app.db"), ownership: "youngest" }))
  ],
  [
    "files",
    Effect.map(
      folder,
      (directory) =>
        StateStoreFile.layer(Store, { directory, ownership: "youngest" }).pipe(Layer.provide(NodeServices.layer))
    )
  ]
]

describe("a message with confirm: true", () => {
  for (const [name, store] of media) {
    it.live(`reads what no other owner has changed: a history over a take-over is linearizable (${name})`, () =>
      Effect.flatMap(store, (store) => counted(takenOver(store, "Sure"))).pipe(Effect.provide(History.layer), quiet))
  }

  it.live("without it, the same history is not: the older one answers what it knows", () =>
    Effect.gen(function*() {
      const store = yield* media[0]![1]
      const broken = yield* Effect.flip(counted(takenOver(store, "Read")))
      assert.instanceOf(broken, History.Broken)
    }).pipe(Effect.provide(History.layer), quiet))

  for (const message of ["Sure", "Fail", "Later"] as const) {
    it.effect(`is answered when the store has confirmed, however it is answered (${message})`, () => {
      const script = new Scripted()
      const asked = Deferred.makeUnsafe<void>()
      const gate = Deferred.makeUnsafe<void>()
      const store: StateStore.StateStore<"crash"> = {
        ...script.store,
        confirm: (epoch) =>
          Effect.andThen(
            Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(gate)),
            script.memory.confirm!(epoch)
          )
      }
      return Effect.gen(function*() {
        const counter = yield* Counter
        const call = yield* Effect.forkChild(Effect.exit(counter[message]()), { startImmediately: true })
        yield* Deferred.await(asked)
        assert.isUndefined(call.pollUnsafe())
        // The server goes on.
        assert.strictEqual(yield* counter.Read(), 0)
        yield* Deferred.succeed(gate, undefined)
        const exit = yield* Fiber.join(call)
        assert.strictEqual(exit._tag, message === "Fail" ? "Failure" : "Success")
        if (exit._tag === "Failure") assert.strictEqual(Cause.squash(exit.cause), "no")
      }).pipe(Effect.provide(over(Layer.succeed(Store, store))))
    })
  }

  it.effect("those that wait at once are confirmed together, and cost no question where no message asks for it", () => {
    const script = new Scripted()
    let asked = 0
    const store: StateStore.StateStore<"crash"> = {
      ...script.store,
      confirm: (epoch) => {
        asked++
        return Effect.andThen(Effect.yieldNow, script.memory.confirm!(epoch))
      }
    }
    return Effect.gen(function*() {
      const counter = yield* Counter
      for (let i = 0; i < 10; i++) yield* counter.Read()
      yield* counter.Add()
      assert.strictEqual(asked, 0)
      yield* Effect.all(Array.from({ length: 100 }, () => counter.Sure()), { concurrency: "unbounded" })
      assert.isAtMost(asked, 2)
    }).pipe(Effect.provide(over(Layer.succeed(Store, store))))
  })

  it.effect("that is not the owner's any more is answered NotConserved, and its server ends", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const counter = yield* Counter
      assert.strictEqual(yield* counter.Sure(), 0)
      yield* script.memory.acquireEpoch(StateStore.wholeStore)
      const error = yield* Effect.flip(counter.Sure())
      assert.strictEqual(error.reason._tag, "NotConserved")
      assert.include(
        String(error.reason._tag === "NotConserved" && Cause.squash(error.reason.cause)),
        "younger session"
      )
      yield* Effect.flatMap(Harness.Harness, (harness) => harness.awaitTag("GaveUp", "root"))
      const again = yield* Effect.flip(counter.Read())
      assert.strictEqual(again.reason._tag, "NotRunning")
    }).pipe(
      Effect.provide(over(Layer.succeed(Store, { ...script.store, confirm: script.memory.confirm }))),
      quiet
    )
  })
})
