/**
 * What the office offers over HTTP: routes, what they take, what they answer. A value: the service, its clients and its OpenAPI
 * document are made of it, and nothing that does not fit it reaches a server.
 */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware, HttpApiSchema } from "effect/http-api"
import type { Servers } from "./Tree.ts"
import { Booking, Id, Money, Name, NoMoney, NotOnSale, Offer, Order, SoldOut } from "./Words.ts"

/** The servers cannot answer now. The same request may be sent again, with the same key. */
export class Unavailable extends Schema.TaggedError<Unavailable>()(
  "Unavailable",
  { why: Schema.String },
  { httpApiStatus: 503 }
) {}

/** One `Idempotency-Key` for two different requests. */
export class KeyReused extends Schema.TaggedError<KeyReused>()("KeyReused", { key: Id }, { httpApiStatus: 422 }) {}

/** Gives a request the servers when they are up, and refuses it before. */
export class Opened extends HttpApiMiddleware.Service<Opened, { provides: Servers }>()("office/Opened", {
  error: Unavailable
}) {}

const headers = { "idempotency-key": Id }

const shows = HttpApiGroup.make("shows").add(
  HttpApiEndpoint.put("putOnSale", "/shows/:show", {
    params: { show: Name },
    payload: Schema.Struct({
      seats: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000 })),
      price: Money
    }),
    error: Unavailable
  }),
  HttpApiEndpoint.get("offer", "/shows/:show", {
    params: { show: Name },
    success: Offer,
    error: [NotOnSale, Unavailable]
  })
)

const customers = HttpApiGroup.make("customers").add(
  HttpApiEndpoint.get("account", "/customers/:customer", {
    params: { customer: Name },
    success: Schema.Struct({ balance: Schema.Int, bookings: Schema.Array(Booking) }),
    error: Unavailable
  }),
  HttpApiEndpoint.post("deposit", "/customers/:customer/deposits", {
    params: { customer: Name },
    headers,
    payload: Schema.Struct({ amount: Money }),
    success: Schema.Struct({ balance: Schema.Int }),
    error: [KeyReused, Unavailable]
  }),
  HttpApiEndpoint.post("book", "/customers/:customer/bookings", {
    params: { customer: Name },
    headers,
    payload: Order,
    success: Booking.pipe(HttpApiSchema.status(201)),
    error: [NoMoney, NotOnSale, SoldOut, KeyReused, Unavailable]
  })
)

const screens = HttpApiGroup.make("screens").add(
  HttpApiEndpoint.put("watch", "/screens/:screen", {
    params: { screen: Name },
    payload: Schema.Struct({ show: Name }),
    error: Unavailable
  }),
  HttpApiEndpoint.get("lines", "/screens/:screen", {
    params: { screen: Name },
    success: Schema.Array(Schema.String),
    error: Unavailable
  })
)

export const Api = HttpApi.make("office")
  .add(shows, customers, screens)
  .middleware(Opened)
  .middleware(HttpApiMiddleware.ProblemDetails)
