import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { GenServer, Next, StateContainer, StateStore, Supervisor } from "../../../src/index.ts"

class Broke extends Schema.TaggedError<Broke>()("Broke", { missing: Schema.Int }) {}

class Purse extends GenServer.Service<Purse>()("test/Purse", {
  state: Schema.Int,
  messages: {
    Earn: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }),
    Spend: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int, error: Broke }),
    EarnLater: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }),
    Crash: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int })
  }
}) {}

class Store extends StateStore.Service<Store>()("test/IdempotencyStore", "crash") {}

const purse = (options: { readonly later: Deferred.Deferred<void>; readonly crashes: { left: number } }) =>
  Purse.layer({
    init: 0,
    handlers: {
      Earn: (coins, { amount }) => [coins + amount, coins + amount],
      Spend: (coins, { amount }) =>
        amount > coins ? Effect.fail(new Broke({ missing: amount - coins })) : Effect.succeed([coins - amount, coins - amount]),
      EarnLater: Effect.fnUntraced(function*(coins, { amount }, { from }) {
        yield* Effect.forkDetach(
          Effect.andThen(Deferred.await(options.later), GenServer.reply(from, Exit.succeed(amount)))
        )
        return Next.noReply(coins + amount)
      }),
      Crash: (coins, { amount }) =>
        options.crashes.left-- > 0 ? Effect.die("boom") : Effect.succeed([coins + amount, coins + amount])
    }
  })

const trees = {
  memory: StateContainer.layerMemory(Purse),
  store: StateContainer.layerStore(Purse, { store: Store })
}

describe.each(["memory", "store"] as const)("idempotency keys over %s", (name) => {
  const setUp = Effect.gen(function*() {
    const later = yield* Deferred.make<void>()
    const crashes = { left: 0 }
    const tree = Supervisor.layer({ strategy: "one_for_one" }, [trees[name], purse({ later, crashes })])
    return { later, crashes, tree }
  })
  const withStore = Effect.provide(StateStore.layerMemory(Store))

  it.effect("a call made again gets the recorded reply and is not handled again", () =>
    Effect.gen(function*() {
      const { tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const earn = purse.Earn({ amount: 5 }, { idempotencyKey: "a" })
        assert.strictEqual(yield* earn, 5)
        assert.strictEqual(yield* earn, 5)
        yield* GenServer.kill(purse)
        assert.strictEqual(yield* earn, 5)
        assert.strictEqual(yield* purse.Earn({ amount: 1 }), 6)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("a typed failure is recorded, a defect is not", () =>
    Effect.gen(function*() {
      const { crashes, tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const spend = purse.Spend({ amount: 3 }, { idempotencyKey: "s" })
        assert.deepStrictEqual(yield* Effect.flip(spend), new Broke({ missing: 3 }))
        yield* purse.Earn({ amount: 10 })
        assert.deepStrictEqual(yield* Effect.flip(spend), new Broke({ missing: 3 }))
        crashes.left = 1
        const crash = purse.Crash({ amount: 2 }, { idempotencyKey: "c" })
        const error = yield* Effect.flip(crash)
        assert.strictEqual(error.reason._tag, "Crashed")
        assert.strictEqual(yield* crash, 12)
        assert.strictEqual(yield* crash, 12)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("the same key with another message or payload fails, typed, and changes nothing", () =>
    Effect.gen(function*() {
      const { tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        yield* purse.Earn({ amount: 5 }, { idempotencyKey: "a" })
        const payload = yield* Effect.flip(purse.Earn({ amount: 6 }, { idempotencyKey: "a" }))
        assert.deepStrictEqual(payload.reason, { _tag: "KeyReused", key: "a" })
        const message = yield* Effect.flip(purse.Crash({ amount: 5 }, { idempotencyKey: "a" }))
        assert.deepStrictEqual(message.reason, { _tag: "KeyReused", key: "a" })
        assert.strictEqual(yield* purse.Earn({ amount: 0 }), 5)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("a duplicate of a call that was promised a later reply joins it", () =>
    Effect.gen(function*() {
      const { later, tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const earn = purse.EarnLater({ amount: 5 }, { idempotencyKey: "l" })
        const first = yield* Effect.forkChild(earn, { startImmediately: true })
        const second = yield* Effect.forkChild(earn, { startImmediately: true })
        assert.strictEqual(yield* purse.Earn({ amount: 0 }), 5)
        yield* Deferred.succeed(later, undefined)
        assert.deepStrictEqual(yield* Fiber.joinAll([first, second]), [5, 5])
        assert.strictEqual(yield* earn, 5)
        assert.strictEqual(yield* purse.Earn({ amount: 0 }), 5)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))
})

it.effect("recorded answers outlive the tree in a store, bounded by number", () =>
  Effect.gen(function*() {
    const later = yield* Deferred.make<void>()
    const tree = Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerStore(Purse, { store: Store, answers: { maxCount: 2 } }),
      purse({ later, crashes: { left: 0 } })
    ])
    const earn = (key: string) => Effect.flatMap(Purse, (purse) => purse.Earn({ amount: 1 }, { idempotencyKey: key }))
    yield* Effect.forEach(["a", "b", "c"], earn).pipe(Effect.provide(tree))
    const again = yield* Effect.forEach(["c", "b", "a"], earn).pipe(Effect.provide(tree))
    assert.deepStrictEqual(again, [3, 2, 4])
    const store = yield* Store
    const [newest] = yield* store.load("test/Purse")
    assert.deepStrictEqual(newest?.answers?.map((answer) => answer.id), ["c", "a"])
  }).pipe(Effect.provide(Layer.fresh(StateStore.layerMemory(Store)))))
