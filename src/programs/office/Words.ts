/**
 * What is said in the office: the names and sizes that all its messages, states and requests are made of. Said once, so
 * that what comes in over HTTP, what the servers send each other and what is stored cannot differ.
 */
import { Schema } from "effect"

/** The name of a customer, a show, a screen. It becomes part of a key in the store, which has a limit. */
export const Name = Schema.String.check(Schema.isPattern(/^[\w.-]{1,64}$/))

/** What names a booking or a deposit once and for all: the `Idempotency-Key` of the request that asked for it. */
export const Id = Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,128}$/))

export const Seats = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 }))

/** Whole money, at most a million at a time. */
export const Money = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 }))

export const Offer = Schema.Struct({ left: Schema.Int, price: Schema.Int })

export const Order = Schema.Struct({ show: Name, seats: Seats })

export const Booking = Schema.Struct({ id: Id, ...Order.fields, price: Schema.Int })

// What a request may be refused with. A class is at once the error of a message and the answer of the service to it:
// the annotation is its status.
export class NotOnSale extends Schema.TaggedError<NotOnSale>()(
  "NotOnSale",
  { show: Schema.String },
  { httpApiStatus: 404 }
) {}
export class SoldOut extends Schema.TaggedError<SoldOut>()(
  "SoldOut",
  { show: Schema.String, left: Schema.Int },
  { httpApiStatus: 409 }
) {}
export class NoMoney extends Schema.TaggedError<NoMoney>()(
  "NoMoney",
  { balance: Schema.Int, price: Schema.Int },
  { httpApiStatus: 402 }
) {}
