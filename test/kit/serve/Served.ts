/** The accounts on a port of this machine, and what reached their handlers. */
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { accounts, Handled } from "./Account.ts"
import { routes } from "./Web.ts"

export class Served
  extends Context.Service<Served, { readonly url: string; readonly handled: Handled }>()("test/Served")
{
  /** With further routes of a test's own. */
  static readonly layer = (more: Layer.Layer<never, never, HttpRouter.HttpRouter> = Layer.empty) =>
    Layer.effect(
      Served,
      Effect.gen(function*() {
        const handled = new Handled()
        const listening = HttpRouter.serve(Layer.merge(routes(), more), { disableListenLog: true, disableLogger: true })
          .pipe(
            Layer.provide(accounts(handled)),
            Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
          )
        const context = yield* Layer.build(listening)
        return { handled, url: HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address) }
      })
    )
}
