/**
 * A page that calls the account: by effect's Rpc over HTTP and over a WebSocket, and by `fetch`. What comes of it is
 * shown.
 *
 * It is bundled by its test, as an app's page would be, and has the messages that the service has.
 */
import { Effect, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket"
import * as Message from "../../../src/layers/placement/Message.ts"
import { messages } from "./messages.ts"

declare const document: {
  getElementById(id: string): { textContent: string } | null
  readonly location: { readonly origin: string }
}

const group = Message.group({ messages })
const { origin } = document.location

const ways = {
  http: RpcClient.layerProtocolHttp({ url: `${origin}/rpc` }).pipe(Layer.provide(FetchHttpClient.layer)),
  websocket: RpcClient.layerProtocolSocket().pipe(
    Layer.provide(Socket.layerWebSocket(`${origin.replace("http", "ws")}/ws`)),
    Layer.provide(Socket.layerWebSocketConstructorGlobal)
  )
}

/** A deposit, a withdrawal that is too large, a crash. */
const calls = Effect.gen(function*() {
  const account = yield* RpcClient.make(group)
  const before = yield* account.Balance({})
  const after = yield* account.Deposit({ amount: 5 })
  const overdrawn = yield* Effect.flip(account.Withdraw({ amount: 1_000_000 }))
  const crashed = yield* Effect.flip(account.Crash({}))
  yield* account.Note({ text: "from a page" })
  return [after - before, overdrawn._tag, crashed._tag === "Unanswered" ? crashed.reason : crashed._tag]
})

const show = (id: string, value: unknown) =>
  Effect.sync(() => {
    const found = document.getElementById(id)
    if (found !== null) found.textContent = JSON.stringify(value)
  })

const program = Effect.gen(function*() {
  for (const [name, way] of Object.entries(ways)) {
    yield* Effect.scoped(calls).pipe(
      Effect.provide(way.pipe(Layer.provide(RpcSerialization.layerNdjson))),
      Effect.matchCauseEffect({
        onSuccess: (value) => show(name, value),
        onFailure: (cause) => show(name, String(cause))
      })
    )
  }
  const answer = yield* Effect.promise(() =>
    fetch("/account/Deposit", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{\"amount\":\"five\"}"
    })
  )
  yield* show("fetch", [answer.status, yield* Effect.promise(() => answer.json())])
})

Effect.runFork(program)
