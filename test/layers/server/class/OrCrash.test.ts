import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Schema } from "effect"
import { GenServer, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Refused } from "../../../kit/Cell.ts"

class Ledger extends GenServer.Service<Ledger>()("test/Ledger", {
  state: Schema.Int,
  messages: {
    Book: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, error: Refused }),
    Close: GenServer.call()
  }
}) {}

class Shop extends GenServer.Service<Shop>()("test/Shop", {
  state: Schema.Int,
  messages: { Sell: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, error: Refused }) }
}) {}

const App = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
  StateContainer.layerMemory(Ledger),
  StateContainer.layerMemory(Shop),
  Ledger.layer({
    init: 0,
    handlers: {
      Book: (n, { by }) => by < 0 ? Effect.fail(new Refused({ by })) : Effect.succeed([n + by, n + by]),
      Close: () => Effect.die("closed")
    }
  }, { restart: "temporary" }),
  Shop.layer({
    init: 0,
    handlers: {
      Sell: Effect.fnUntraced(function*(n, { by }) {
        const ledger = yield* Ledger
        return [yield* GenServer.orCrash(ledger.Book({ by })), n + 1] as const
      })
    }
  })
])

describe("orCrash", () => {
  it.effect("leaves answers and the message's own errors as they are", () =>
    Effect.gen(function*() {
      const shop = yield* Shop
      assert.strictEqual(yield* shop.Sell({ by: 5 }), 5)
      assert.deepStrictEqual(yield* Effect.flip(shop.Sell({ by: -1 })), new Refused({ by: -1 }))
      assert.strictEqual(yield* Process.incarnation(shop), 1)
    }).pipe(Effect.provide(App)))

  it.effect("a call without an answer crashes the handler that made it", () =>
    Effect.gen(function*() {
      const [ledger, shop] = [yield* Ledger, yield* Shop]
      yield* Effect.exit(ledger.Close())
      const error = yield* Effect.flip(shop.Sell({ by: 5 }))
      assert(error._tag === "CallError" && error.reason._tag === "Crashed")
      const cause = Cause.squash(error.reason.cause)
      assert(cause instanceof GenServer.CallError)
      assert.deepStrictEqual([cause.server, cause.reason._tag], ["root > test/Ledger", "NotRunning"])
      assert.strictEqual(yield* Process.incarnation(shop), 2)
    }).pipe(Effect.provide(App)))
})
