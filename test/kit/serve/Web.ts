/** The accounts, served without a socket: requests and answers of the web. */
import { Context, Effect, Fiber, Layer } from "effect"
import { HttpEffect, HttpRouter, HttpServer } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { RpcSerialization } from "effect/rpc"
import { TestClock } from "effect/testing"
import { Serve } from "../../../src/serve.ts"
import { Account, accounts, Handled, Keyed } from "./Account.ts"

export const one = Serve.api(Account, { name: "account" })
export const keyed = Serve.api(Keyed, { name: "accounts", keyed: true })
export const oneRpcs = Serve.group(Account)
export const keyedRpcs = Serve.group(Keyed, { keyed: true })

/** All of it on the paths of one router. */
export const routes = (limits: Serve.Limits = {}) =>
  Layer.mergeAll(
    HttpApiBuilder.layer(one, { openapiPath: "/openapi.json" }).pipe(
      Layer.provide(Serve.apiLayer(one, "account", Account, limits))
    ),
    Serve.unknown(one),
    HttpApiBuilder.layer(keyed).pipe(
      Layer.provide(Serve.apiLayer(keyed, "accounts", (key) => Keyed.at(key), limits))
    ),
    Serve.unknown(keyed),
    Serve.layerHttp({ group: oneRpcs, path: "/rpc", protocol: "http", ...limits }).pipe(
      Layer.provide([Serve.layer(oneRpcs, Account), RpcSerialization.layerNdjson])
    ),
    Serve.layerHttp({ group: keyedRpcs, path: "/keyed", protocol: "http", ...limits }).pipe(
      Layer.provide([Serve.layer(keyedRpcs, (key) => Keyed.at(key)), RpcSerialization.layerJson])
    ),
    Serve.layerHttp({ group: oneRpcs, path: "/ws", ...limits }).pipe(
      Layer.provide([Serve.layer(oneRpcs, Account), RpcSerialization.layerNdjson])
    )
  )

export interface Answer {
  readonly status: number
  readonly text: string
  readonly headers: Headers
}

/** What a test sends. */
export interface Sent {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Uint8Array<ArrayBuffer>
}

export class Web extends Context.Service<Web, {
  readonly send: (path: string, sent?: Sent) => Effect.Effect<Answer>
  readonly handled: Handled
  /** The keys of the servers that are in memory. */
  readonly keys: Effect.Effect<ReadonlyArray<string>>
}>()("test/serve/Web") {}

/** JSON, as a request. */
export const json = (value: unknown, headers: Record<string, string> = {}): Sent => ({
  body: typeof value === "string" ? value : JSON.stringify(value),
  headers: { "content-type": "application/json", ...headers }
})

export const layer = (limits: Serve.Limits = {}) =>
  Layer.effect(
    Web,
    Effect.gen(function*() {
      const handled = new Handled()
      const servers = yield* Layer.build(accounts(handled))
      const answer = yield* HttpRouter.toHttpEffect(
        routes(limits).pipe(Layer.provide(Layer.succeedContext(servers)), Layer.provide(HttpServer.layerServices))
      )
      // In the context of the test: with its clock, and its log.
      const context = yield* Effect.context<never>()
      const handler = HttpEffect.toWebHandlerWith<never, Effect.Services<typeof answer>>(context)(answer)
      return {
        handled,
        keys: Keyed.live.pipe(
          Effect.map((servers) => servers.map(({ key }) => key).sort()),
          Effect.provideContext(servers)
        ),
        send: (path, { body, headers, method = "POST" } = {}) =>
          Effect.promise(async () => {
            const request = new Request(`http://test${path}`, {
              method,
              ...(headers === undefined ? {} : { headers }),
              ...(body === undefined ? {} : { body })
            })
            const answer = await handler(request)
            return { status: answer.status, text: await answer.text(), headers: answer.headers }
          })
      }
    })
  )

/** What comes of an effect while the time of the test goes on. Bodies are read in real time, so both have to. */
export const inTime = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect)
  while (fiber.pollUnsafe() === undefined) {
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    yield* TestClock.adjust("10 millis")
  }
  return yield* Fiber.join(fiber)
})
