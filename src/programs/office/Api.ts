/**
 * What the office offers over HTTP: routes, what they take, what they answer. A value: the service, its clients and its
 * OpenAPI document are made of it, and nothing that does not fit it reaches a server.
 */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware, HttpApiSchema } from "effect/http-api"
import { Serve } from "../../serve.ts"
import type { Servers } from "./Tree.ts"
import { Booking, Id, Money, Name, NoMoney, NotOnSale, Offer, Order, SoldOut } from "./Words.ts"

/** The servers are not up yet. */
export class Unavailable extends Schema.TaggedError<Unavailable>()(
  "Unavailable",
  { why: Schema.String },
  { httpApiStatus: 503 }
) {}

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
    })
  }),
  HttpApiEndpoint.get("offer", "/shows/:show", {
    params: { show: Name },
    success: Offer,
    error: NotOnSale
  })
)

const customers = HttpApiGroup.make("customers").add(
  HttpApiEndpoint.get("account", "/customers/:customer", {
    params: { customer: Name },
    success: Schema.Struct({ balance: Schema.Int, bookings: Schema.Array(Booking) })
  }),
  HttpApiEndpoint.post("deposit", "/customers/:customer/deposits", {
    params: { customer: Name },
    headers,
    payload: Schema.Struct({ amount: Money }),
    success: Schema.Struct({ balance: Schema.Int })
  }),
  HttpApiEndpoint.post("book", "/customers/:customer/bookings", {
    params: { customer: Name },
    headers,
    payload: Order,
    success: Booking.pipe(HttpApiSchema.status(201)),
    error: [NoMoney, NotOnSale, SoldOut]
  })
)

const screens = HttpApiGroup.make("screens").add(
  HttpApiEndpoint.put("watch", "/screens/:screen", {
    params: { screen: Name },
    payload: Schema.Struct({ show: Name })
  }),
  HttpApiEndpoint.get("lines", "/screens/:screen", {
    params: { screen: Name },
    success: Schema.Array(Schema.String)
  })
)

export const Api = HttpApi.make("office")
  .add(shows, customers, screens)
  .middleware(Opened)
  // Has the limits, answers what is wrong, and declares what every route may answer: `Refused` and `Unanswered`.
  .middleware(Serve.Guard)
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error" })
