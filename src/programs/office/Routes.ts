/**
 * What each route does: finds the server of a key, sends it one message, and says in HTTP what came of it.
 */
import { Effect, Layer } from "effect"
import { HttpApiBuilder } from "effect/http-api"
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
        Effect.flatMap((show) => show.Offer(params)),
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
        Effect.flatMap((customer) => customer.Book({ ...params, ...payload, id }, { idempotencyKey: id })),
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

export const Routes = HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(
  Layer.provide([shows, customers, screens])
)
