/** Servers by key that ask for others of their own class. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, References, Schema } from "effect"
import { DynamicSupervisor, GenServer, Next, StateContainer, Supervisor } from "../../../../src/index.ts"

class Account extends GenServer.Service<Account>()("test/Account", {
  state: Schema.Int,
  messages: {
    Get: GenServer.call({ reply: Schema.Int }),
    Add: GenServer.call({ payload: { amount: Schema.Int } }),
    Pay: GenServer.call({ payload: { to: Schema.String, amount: Schema.Int } }),
    Tell: GenServer.call({ payload: { to: Schema.String, amount: Schema.Int } }),
    Send: GenServer.cast({ payload: { to: Schema.String, amount: Schema.Int } }),
    Known: GenServer.call({ reply: Schema.Array(Schema.String) }),
    Crash: GenServer.call()
  }
}) {}

class Accounts extends DynamicSupervisor.Service<Accounts>()("test/Accounts") {}

const add = (to: string, amount: number) =>
  GenServer.orCrash(Effect.flatMap(Effect.orDie(Account.at(to)), (account) => account.Add({ amount })))

const AccountsLive = Account.layerKeyed((key) => ({
  // One that is somebody's child begins with half of what its parent has.
  init: Effect.gen(function*() {
    if (!key.includes(".")) return 100
    const parent = yield* Account.via(key.slice(0, key.lastIndexOf(".")))
    return (yield* parent.Get()) / 2
  }).pipe(Effect.orDie),
  handlers: {
    Get: (sum) => [sum, sum],
    Add: (sum, { amount }) => [undefined, sum + amount],
    Pay: (sum, { amount, to }) => Effect.as(add(to, amount), [undefined, sum - amount] as const),
    Tell: (sum, { amount, to }) =>
      Next.reply(undefined, sum - amount, { continueWith: (sum) => Effect.as(add(to, amount), sum) }),
    Send: (sum, { amount, to }) => Effect.as(add(to, amount), sum - amount),
    Known: (sum) => Effect.map(Account.live, (live) => [live.map(({ key }) => key).sort(), sum] as const),
    Crash: () => Effect.die("boom")
  }
}))

const trees = {
  "a dynamic supervisor": Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerMemory(Account),
    Accounts.layer(),
    Layer.provide(AccountsLive, Accounts.asSupervisor)
  ]),
  "a static supervisor": Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerMemory(Account),
    AccountsLive
  ])
}

const sum = (key: string) => Effect.flatMap(Account.at(key), (account) => account.Get())

describe("a server by key", () => {
  for (const [name, Tree] of Object.entries(trees)) {
    it.effect(`reaches the others of its class from all of its code, also when it was restarted (under ${name})`, () =>
      Effect.gen(function*() {
        const ann = yield* Account.at("ann")
        yield* ann.Pay({ to: "bob", amount: 1 })
        yield* Effect.flip(ann.Crash())
        yield* ann.Pay({ to: "bob", amount: 2 })
        yield* ann.Tell({ to: "bob", amount: 4 })
        yield* ann.Send({ to: "bob", amount: 8 })
        assert.strictEqual(yield* sum("ann"), 85)
        assert.strictEqual(yield* sum("bob"), 115)
        yield* ann.Pay({ to: "bob", amount: 1 })
        assert.strictEqual(yield* sum("ann.child.child"), 21)
        assert.deepStrictEqual(yield* ann.Known(), ["ann", "ann.child", "ann.child.child", "bob"])
      }).pipe(Effect.provide(Tree), Effect.provideService(References.MinimumLogLevel, "None")))
  }

  it.effect("hears at once that it would wait for itself", () =>
    Effect.gen(function*() {
      const ann = yield* Account.at("ann")
      const error = yield* Effect.flip(ann.Pay({ to: "ann", amount: 1 }))
      assert.include(error.message, "itself")
      assert.strictEqual(yield* sum("ann"), 100)
    }).pipe(
      Effect.provide(trees["a dynamic supervisor"]),
      Effect.provideService(References.MinimumLogLevel, "None")
    ))
})
