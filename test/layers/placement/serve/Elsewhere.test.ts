import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, References } from "effect"
import { HttpEffect, HttpRouter, HttpServer } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { RpcSerialization } from "effect/rpc"
import type { GenServer, Supervisor } from "../../../../src/index.ts"
import { Serve } from "../../../../src/serve.ts"
import { Ledger } from "../../../kit/placement/Ledger.ts"
import { cluster, fiber } from "../../../kit/placement/Places.ts"

type Ledgers = (key: string) => GenServer.Methods<typeof Ledger.messages, Supervisor.StartError>

const Api = Serve.api(Ledger, { name: "ledgers", keyed: true })
const Rpcs = Serve.group(Ledger, { keyed: true })

describe("servers in another place", () => {
  for (const { name, open } of [fiber, cluster]) {
    it.live(`are served as those in this one are: ${name}`, () =>
      Effect.gen(function*() {
        // The suite's do not say what else they may fail with.
        const ledgers = (yield* Effect.orDie(open)) as Ledgers
        const routes = Layer.mergeAll(
          HttpApiBuilder.layer(Api).pipe(Layer.provide(Serve.apiLayer(Api, "ledgers", ledgers))),
          Serve.layerHttp({ group: Rpcs, path: "/rpc", protocol: "http" }).pipe(
            Layer.provide([Serve.layer(Rpcs, ledgers), RpcSerialization.layerJson])
          )
        )
        const answer = yield* HttpRouter.toHttpEffect(routes.pipe(Layer.provide(HttpServer.layerServices)))
        const handler = HttpEffect.toWebHandlerWith<never, Effect.Services<typeof answer>>(
          yield* Effect.context<never>()
        )(answer)
        const post = (path: string, body: unknown, key?: string) =>
          Effect.promise(async () => {
            const headers = {
              "content-type": "application/json",
              ...(key === undefined ? {} : { "idempotency-key": key })
            }
            const got = await handler(
              new Request(`http://test${path}`, { method: "POST", headers, body: JSON.stringify(body) })
            )
            const text = await got.text()
            return [got.status, text === "" ? undefined : JSON.parse(text)]
          })
        assert.deepStrictEqual(yield* post("/ledgers/ann/Add", { by: 5, style: "waiting" }, "k1"), [200, 5])
        assert.deepStrictEqual(yield* post("/ledgers/ann/Add", { by: 5, style: "waiting" }, "k1"), [200, 5])
        assert.deepStrictEqual(yield* post("/ledgers/bob/Total", {}), [200, 0])
        const [status, short] = yield* post("/ledgers/ann/Withdraw", { amount: 7, style: "plain" })
        assert.deepStrictEqual([status, short._tag, short.by], [422, "Short", 2])
        assert.deepStrictEqual(yield* post("/ledgers/ann/Die", { style: "plain" }), [500, {
          _tag: "Unanswered",
          request: "Die",
          reason: "Crashed",
          again: false
        }])
        const request = { _tag: "Request", id: "1", tag: "Total", payload: { key: "ann", payload: {} } }
        assert.deepStrictEqual(yield* post("/rpc", request), [200, [
          { _tag: "Exit", requestId: "1", exit: { _tag: "Success", value: 5 } }
        ]])
      }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")))
  }
})
