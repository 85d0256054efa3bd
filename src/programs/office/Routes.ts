/**
 * What each route does: finds the server of a key, sends it one message, and says in HTTP what came of it.
 */
import { Effect, Layer } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Serve } from "../../serve.ts"
import { Api } from "./Api.ts"
import { Customer } from "./Customer.ts"
import { Screen, Show, Watchers } from "./Show.ts"

// What a message is refused with goes to the client as it is. What is left are answers that did not come: of them the
// client hears whether nothing was done, and no more.
const shows = HttpApiBuilder.group(Api, "shows", (handlers) =>
  handlers
    .handle("putOnSale", ({ params, payload }) =>
      Show.at(params.show).pipe(
        Effect.flatMap((show) => show.PutOnSale(payload)),
        Serve.answered("PutOnSale")
      ))
    .handle("offer", ({ params }) =>
      Show.at(params.show).pipe(
        Effect.flatMap((show) => show.Offer()),
        Serve.answered("Offer")
      )))

const customers = HttpApiBuilder.group(Api, "customers", (handlers) =>
  handlers
    .handle("account", ({ params }) =>
      Customer.at(params.customer).pipe(
        Effect.flatMap((customer) => customer.Account()),
        Serve.answered("Account")
      ))
    .handle("deposit", ({ headers, params, payload }) =>
      Customer.at(params.customer).pipe(
        Effect.flatMap((customer) => customer.Deposit(payload, { idempotencyKey: headers["idempotency-key"] })),
        Effect.map((balance) => ({ balance })),
        Serve.answered("Deposit")
      ))
    .handle("book", ({ headers: { "idempotency-key": id }, params, payload }) =>
      Customer.at(params.customer).pipe(
        Effect.flatMap((customer) => customer.Book({ ...payload, id }, { idempotencyKey: id })),
        Serve.answered("Book")
      )))

const screens = HttpApiBuilder.group(Api, "screens", (handlers) =>
  handlers
    .handle("watch", ({ params, payload }) =>
      Effect.gen(function*() {
        const screen = yield* Screen.at(params.screen)
        const watchers = yield* Watchers
        yield* Effect.orDie(watchers.join(payload.show, screen))
      }).pipe(Serve.answered("watch")))
    .handle("lines", ({ params }) =>
      Screen.at(params.screen).pipe(
        Effect.flatMap((screen) => screen.Lines()),
        Serve.answered("Lines")
      )))

export const Routes = Layer.mergeAll(
  HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(Layer.provide([shows, customers, screens])),
  Serve.unknown(Api)
)
