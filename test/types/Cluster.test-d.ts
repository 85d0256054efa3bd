/** What of servers on a cluster compiles, and what does not. */
import { Context, Effect, type Layer, Schema } from "effect"
import type { Entity, Sharding } from "effect/cluster"
import { describe, expectTypeOf, it } from "vitest"
import { ClusterServer } from "../../src/cluster.ts"
import { GenServer, StateContainer, StateStore } from "../../src/index.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}
class Rate extends Context.Service<Rate, number>()("types/cluster/Rate") {}
class Store extends StateStore.Service<Store>()("types/cluster/Store", "crash") {}

class Account extends GenServer.Service<Account>()("types/cluster/Account", {
  state: Schema.Int,
  messages: {
    Pay: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, error: Refused }),
    Close: GenServer.cast(),
    Tick: GenServer.cast({ internal: true })
  }
}) {}

const handlers = {
  Pay: (n: number, { by }: { readonly by: number }) => [n + by, n + by] as const,
  Close: () => 0,
  Tick: (n: number) => n
}

describe("the layer", () => {
  it("needs a companion that fences each key", () => {
    const one = ClusterServer.layer(Account, { init: 0, handlers })
    expectTypeOf<StateContainer.FencedByKey<Account>>().toExtend<Layer.Services<typeof one>>()
    const keyed = StateContainer.layerStore(Account, { store: Store, fence: "key" })
    const classWide = StateContainer.layerStore(Account, { store: Store })
    const memory = StateContainer.layerMemory(Account)
    const lost = memory.pipe(ClusterServer.volatile<Account>())
    type Needs<L extends Layer.Any> = Exclude<Layer.Services<typeof one>, Layer.Success<L>>
    expectTypeOf<Extract<Needs<typeof keyed>, StateContainer.FencedByKey<Account>>>().toBeNever()
    expectTypeOf<Extract<Needs<typeof lost>, StateContainer.FencedByKey<Account>>>().toBeNever()
    expectTypeOf<Extract<Needs<typeof classWide>, StateContainer.FencedByKey<Account>>>().not.toBeNever()
    expectTypeOf<Extract<Needs<typeof memory>, StateContainer.FencedByKey<Account>>>().not.toBeNever()
  })

  it("needs what its handlers need, and a cluster", () => {
    const one = ClusterServer.layer(Account, {
      init: 0,
      handlers: { ...handlers, Close: () => Effect.as(Rate, 0) }
    })
    expectTypeOf<Rate>().toExtend<Layer.Services<typeof one>>()
    expectTypeOf<Sharding.Sharding>().toExtend<Layer.Services<typeof one>>()
  })

  it("takes no handler that is none, and persists calls alone", () => {
    // @ts-expect-error
    ClusterServer.layer(Account, { init: 0, handlers: { ...handlers, Other: () => 0 } })
    ClusterServer.layer(Account, { init: 0, handlers }, { persisted: ["Pay"] })
    // @ts-expect-error a cast has no answer
    ClusterServer.layer(Account, { init: 0, handlers }, { persisted: ["Close"] })
    // @ts-expect-error how often a key is restarted is a Schedule
    ClusterServer.layer(Account, { init: 0, handlers }, { restart: "transient" })
  })
})

describe("a client", () => {
  type Accounts = Effect.Success<
    ReturnType<typeof ClusterServer.client<Account, "types/cluster/Account", number, typeof Account["messages"]>>
  >
  const accounts = ClusterServer.client(Account)

  it("has the methods of a local one, and no internal message", () => {
    expectTypeOf<Effect.Success<typeof accounts>>().toEqualTypeOf<Accounts>()
    expectTypeOf<ReturnType<Accounts>>().not.toHaveProperty("Tick")
    type Paid = ReturnType<ReturnType<Accounts>["Pay"]>
    expectTypeOf<Paid>().toEqualTypeOf<Effect.Effect<number, Refused | GenServer.CallError>>()
    expectTypeOf<ReturnType<ReturnType<Accounts>["Close"]>>().toEqualTypeOf<Effect.Effect<void>>()
  })

  it("needs a cluster alone", () => {
    expectTypeOf<Effect.Services<typeof accounts>>().toEqualTypeOf<Sharding.Sharding>()
  })

  it("is asked for what its class has", () => {
    ClusterServer.client(Account, { keyless: ["Pay"] })
    ClusterServer.client(Account, { keyless: "all" })
    // @ts-expect-error
    ClusterServer.client(Account, { keyless: ["Other"] })
  })
})

describe("the entity", () => {
  it("has an Rpc for each message that any code may send", () => {
    const entity = ClusterServer.entity(Account)
    expectTypeOf(entity).toEqualTypeOf<
      Entity.Entity<"types/cluster/Account", ClusterServer.RpcsOf<typeof Account["messages"]>>
    >()
    expectTypeOf<ClusterServer.RpcsOf<typeof Account["messages"]>["_tag"]>().toEqualTypeOf<"Pay" | "Close">()
  })
})
