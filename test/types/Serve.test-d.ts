/** What is served has the types of the class's messages: those of its group, its api, its clients and its sources. */
import { Effect, type Layer, Schema } from "effect"
import type { Sharding } from "effect/cluster"
import type { HttpApiClient } from "effect/http-api"
import type { Rpc, RpcClient, RpcClientError } from "effect/rpc"
import { describe, expectTypeOf, it } from "vitest"
import { ClusterServer } from "../../src/cluster.ts"
import { GenServer } from "../../src/index.ts"
import { Serve } from "../../src/serve.ts"

class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { balance: Schema.Int }) {}
class Account extends GenServer.Service<Account>()("types/Account", {
  state: Schema.Int,
  messages: {
    Withdraw: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int, error: Overdrawn }),
    Since: GenServer.call({ payload: Schema.Struct({ at: Schema.DateFromString }), reply: Schema.DateFromString }),
    Balance: GenServer.call({ reply: Schema.Int }),
    Note: GenServer.cast({ payload: { text: Schema.String } }),
    Tick: GenServer.cast({ internal: true })
  }
}) {}
class Other extends GenServer.Service<Other>()("types/Other", {
  state: Schema.Int,
  messages: { Withdraw: GenServer.call({ payload: { amount: Schema.String }, reply: Schema.Int, error: Overdrawn }) }
}) {}

const group = Serve.group(Account)
const keyed = Serve.group(Account, { keyed: true })
const api = Serve.api(Account, { name: "account" })
const keyedApi = Serve.api(Account, { name: "accounts", keyed: true })

type Tags<G> = G extends { readonly requests: ReadonlyMap<string, infer R extends Rpc.Any> } ? R["_tag"] : never
type Client = RpcClient.FromGroup<typeof group, RpcClientError.RpcClientError>
type KeyedClient = RpcClient.FromGroup<typeof keyed>
declare const client: Client
declare const keyedClient: KeyedClient
declare const http: HttpApiClient.ForApi<typeof api>
declare const keyedHttp: HttpApiClient.ForApi<typeof keyedApi>

describe("a group", () => {
  it("has the messages that any code may send", () => {
    expectTypeOf<Tags<typeof group>>().toEqualTypeOf<"Withdraw" | "Since" | "Balance" | "Note">()
  })

  it("has clients with the types of the messages", () => {
    expectTypeOf(client.Withdraw({ amount: 1 })).toEqualTypeOf<
      Effect.Effect<number, Overdrawn | Serve.Unanswered | Serve.Refused | RpcClientError.RpcClientError>
    >()
    expectTypeOf(client.Since({ at: new Date() })).toExtend<Effect.Effect<Date, unknown>>()
    expectTypeOf(client.Note({ text: "" })).toExtend<Effect.Effect<void, unknown>>()
    expectTypeOf(keyedClient.Balance({ key: "a", payload: {} })).toExtend<Effect.Effect<number, unknown>>()
    // @ts-expect-error it is a number
    client.Withdraw({ amount: "1" })
    // @ts-expect-error it has no such message
    void client.Tick
    // @ts-expect-error whose?
    keyedClient.Balance({ payload: {} })
  })

  it("takes the class, and what has its methods, and needs what that needs", () => {
    expectTypeOf(Serve.layer(group, Account)).toExtend<Layer.Layer<never, never, Account>>()
    expectTypeOf(Serve.layer(keyed, (key) => Account.at(key))).toExtend<
      Layer.Layer<never, never, GenServer.Keyed<Account>>
    >()
    expectTypeOf(Serve.layer(keyed, Effect.succeed((_key: string) => ({} as Account["Service"])))).toExtend<
      Layer.Layer<never>
    >()
    expectTypeOf(Serve.layer(keyed, ClusterServer.client(Account))).toExtend<
      Layer.Layer<never, never, Sharding.Sharding>
    >()
    // @ts-expect-error its message takes something else
    Serve.layer(Serve.group({ messages: Account.messages }), Other)
    // @ts-expect-error of which key?
    Serve.layer(keyed, Account)
    // @ts-expect-error it has no keys
    Serve.layer(group, (key: string) => Account.at(key))
  })
})

describe("an api", () => {
  it("has clients with the types of the messages", () => {
    expectTypeOf(http.account.Withdraw({ payload: { amount: 1 }, headers: {} })).toExtend<
      Effect.Effect<number, unknown>
    >()
    expectTypeOf(keyedHttp.accounts.Since({ params: { key: "a" }, payload: { at: new Date() }, headers: {} })).toExtend<
      Effect.Effect<Date, unknown>
    >()
    expectTypeOf(http.account.Note({ payload: { text: "" } })).toExtend<Effect.Effect<void, unknown>>()
    type Failure = Effect.Error<ReturnType<typeof http.account.Withdraw>>
    expectTypeOf<Extract<Failure, Overdrawn | Serve.Unanswered | Serve.Refused>>().toEqualTypeOf<
      Overdrawn | Serve.Unanswered | Serve.Refused
    >()
    // @ts-expect-error it is a number
    http.account.Withdraw({ payload: { amount: "1" }, headers: {} })
    // @ts-expect-error it has no such message
    void http.account.Tick
    // @ts-expect-error whose?
    keyedHttp.accounts.Balance({ payload: {}, headers: {} })
  })

  it("takes the class, and what has its methods, and needs what that needs", () => {
    expectTypeOf(Serve.apiLayer(api, "account", Account)).toExtend<Layer.Layer<never, never, Account>>()
    expectTypeOf(Serve.apiLayer(keyedApi, "accounts", (key) => Account.at(key))).toExtend<
      Layer.Layer<never, never, GenServer.Keyed<Account>>
    >()
    expectTypeOf(Serve.apiLayer(keyedApi, "accounts", ClusterServer.client(Account))).toExtend<
      Layer.Layer<never, never, Sharding.Sharding>
    >()
    // @ts-expect-error of which key?
    Serve.apiLayer(keyedApi, "accounts", Account)
    // @ts-expect-error it has no such group
    Serve.apiLayer(api, "accounts", Account)
  })
})
