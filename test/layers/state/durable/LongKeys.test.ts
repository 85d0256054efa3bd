/** A key that is too long for a store: a mistake of the caller alone. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Logger, Schema } from "effect"
import {
  DynamicSupervisor,
  GenServer,
  Process,
  Restart,
  StateContainer,
  StateStore,
  Supervisor
} from "../../../../src/index.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { Harness } from "../../../../src/testing.ts"
import { Inside, many, start } from "../../../kit/Account.ts"
import { layer as storeLayer, Scripted, Store } from "../../../kit/Scripted.ts"

class Cart extends GenServer.Service<Cart>()("test/Cart", {
  state: Schema.Int,
  messages: { Add: GenServer.call({ reply: Schema.Int }) }
}) {}
class Db extends StateStore.Service<Db>()("test/Db", "process") {}
class Carts extends DynamicSupervisor.Service<Carts>()("test/Carts") {}

const refusalOf = (exit: Exit.Exit<unknown, unknown>): StateStore.StoreError => {
  const found = Exit.findErrorOption(exit)
  const error = found._tag === "Some" ? found.value : undefined
  assert.instanceOf(error, Supervisor.StartError)
  const cause = error.reason._tag === "Failed" ? Cause.squash(error.reason.cause) : error.reason
  assert.instanceOf(cause, StateStore.StoreError)
  assert.strictEqual(cause.reason._tag, "Invalid")
  assert.include(error.message, cause.what)
  return cause
}

/** As long as a key may be beside the id of its class and a slash, and one more. */
const longest = "ü".repeat((512 - "test/Cart/".length) / 2)
const tooLong = `${longest}m`

describe("a key that is too long for the store", () => {
  it.live("is refused at the start, typed, to its starter; no budget is charged, and no other server suffers", () =>
    Effect.gen(function*() {
      const app = Supervisor.layer({ id: "root", strategy: "one_for_one", restart: Restart.never }, [
        StateContainer.layerStore(Cart, { store: Db }),
        Carts.layer({ restart: Restart.never }),
        Cart.layerKeyed({ init: 0, handlers: { Add: (n) => [n + 1, n + 1] } }).pipe(Layer.provide(Carts.asSupervisor))
      ]).pipe(
        Layer.provide(StateStoreSqlite.layer(Db, { filename: ":memory:" })),
        Layer.provideMerge(Harness.Harness.layer)
      )
      yield* Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const ann = yield* Cart.at("ann")
        yield* ann.Add()
        for (let i = 0; i < 10; i++) {
          const { message } = refusalOf(yield* Effect.exit(Cart.at(tooLong)))
          assert.include(message, "start in the state store \"sqlite :memory:\": the key \"test/Cart/ü")
          assert.include(message, "has 513 bytes, and a store holds keys of up to 512")
          assert.include(message, "Nothing was written")
        }
        assert.strictEqual(yield* ann.Add(), 2)
        assert.strictEqual(yield* Process.incarnation(ann), 1)
        assert.deepStrictEqual((yield* harness.events).filter(({ _tag }) => _tag === "GaveUp" || _tag === "Exited"), [])
        const carts = yield* Carts
        assert.strictEqual((yield* carts.countChildren).specs, 1)
        const container = yield* Cart.StateContainer
        assert.deepStrictEqual(yield* container.keys, ["ann"])
      }).pipe(Effect.provide(app), Effect.provide(Logger.layer([])))
    }))

  it.live("one that just fits is a key like any other", () =>
    Effect.gen(function*() {
      const app = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerStore(Cart, { store: Db }),
        Cart.layerKeyed({ init: 0, handlers: { Add: (n) => [n + 1, n + 1] } })
      ]).pipe(Layer.provide(StateStoreSqlite.layer(Db, { filename: ":memory:" })))
      yield* Effect.gen(function*() {
        const cart = yield* Cart.at(longest)
        assert.strictEqual(yield* cart.Add(), 1)
      }).pipe(Effect.provide(app))
    }))

  it.effect("the store is not asked", () => {
    const script = new Scripted()
    const inside = new Inside(script)
    return Effect.gen(function*() {
      script.operations.length = 0
      refusalOf(yield* Effect.exit(start(inside, "x".repeat(600))))
      assert.deepStrictEqual(script.operations, [])
      assert.deepStrictEqual(inside.handled, [])
    }).pipe(Effect.provide(many(inside)))
  })

  it.effect("a class whose id alone is too long has no companions in a store", () => {
    class Long extends GenServer.Service<Long>()("x".repeat(513), { state: Schema.Int, messages: {} }) {}
    const app = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerStore(Long, { store: Store })
    ]).pipe(Layer.provide(storeLayer(new Scripted())))
    return Effect.gen(function*() {
      const error = yield* Effect.flip(Layer.build(app))
      assert.strictEqual(error.reason._tag, "Invalid")
    })
  })
})
