/**
 * What each route does: finds the server of a key, sends it one message, and says in HTTP what came of it.
 */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder } from "effect/http-api"
import type { GenServer, Supervisor } from "../../index.ts"
import { Api, KeyReused, Unavailable } from "./Api.ts"
import { Customer } from "./Customer.ts"
import { Screen, Show, Watchers } from "./Show.ts"

// What a message is refused with goes to the client as it is. What is left are answers that did not come.
const StartError = ({ reason }: Supervisor.StartError) => new Unavailable({ why: reason._tag })
const CallError = ({ reason }: GenServer.CallError) => new Unavailable({ why: reason._tag })

/** Of requests without a key. */
const orUnavailable = { StartError, CallError }

/** Of requests with one. */
const orRefused = {
  StartError,
  CallError: (error: GenServer.CallError): Effect.Effect<never, KeyReused | Unavailable> =>
    error.reason._tag === "KeyReused" ? new KeyReused({ key: error.reason.key }) : CallError(error)
}

const shows = HttpApiBuilder.group(Api, "shows", (handlers) =>
  handlers
    .handle("putOnSale", ({ params, payload }) =>
      Show.at(params.show).pipe(
        Effect.flatMap((show) => show.PutOnSale(payload)),
        Effect.catchTags(orUnavailable)
      ))
    .handle("offer", ({ params }) =>
      Show.at(params.show).pipe(
        Effect.flatMap((show) => show.Offer()),
        Effect.catchTags(orUnavailable)
      )))

const customers = HttpApiBuilder.group(Api, "customers", (handlers) =>
  handlers
    .handle("account", ({ params }) =>
      Customer.at(params.customer).pipe(
        Effect.flatMap((customer) => customer.Account()),
        Effect.catchTags(orUnavailable)
      ))
    .handle("deposit", ({ headers, params, payload }) =>
      Customer.at(params.customer).pipe(
        Effect.flatMap((customer) => customer.Deposit(payload, { idempotencyKey: headers["idempotency-key"] })),
        Effect.map((balance) => ({ balance })),
        Effect.catchTags(orRefused)
      ))
    .handle("book", ({ headers: { "idempotency-key": id }, params, payload }) =>
      Customer.at(params.customer).pipe(
        Effect.flatMap((customer) => customer.Book({ ...payload, id }, { idempotencyKey: id })),
        Effect.catchTags(orRefused)
      )))

const screens = HttpApiBuilder.group(Api, "screens", (handlers) =>
  handlers
    .handle("watch", ({ params, payload }) =>
      Effect.gen(function*() {
        const screen = yield* Screen.at(params.screen)
        const watchers = yield* Watchers
        yield* Effect.orDie(watchers.join(payload.show, screen))
      }).pipe(Effect.catchTags({ StartError })))
    .handle("lines", ({ params }) =>
      Screen.at(params.screen).pipe(
        Effect.flatMap((screen) => screen.Lines()),
        Effect.catchTags(orUnavailable)
      )))

/** A path that is asked with another method than it has is answered 405, with those it has. */
const otherMethods = HttpRouter.use((router) => {
  const methods = new Map<HttpRouter.PathInput, Array<string>>()
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => {
      const path = `/${endpoint.path.slice(1)}` as const
      methods.set(path, [...methods.get(path) ?? [], endpoint.method])
    }
  })
  return Effect.forEach(methods, ([path, has]) =>
    Effect.forEach(
      (["GET", "POST", "PUT", "PATCH", "DELETE"] as const).filter((method) => !has.includes(method)),
      (method) =>
        router.add(method, path, HttpServerResponse.empty({ status: 405, headers: { allow: has.join(", ") } }))
    ))
})

export const Routes = Layer.mergeAll(
  HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(Layer.provide([shows, customers, screens])),
  otherMethods
)
