/**
 * One server for each customer: holds money and bookings, books at the shows, and sees to it that a mail is sent.
 */
import { Effect, Schema } from "effect"
import { GenServer, Next, TaskSupervisor, Timer } from "../../index.ts"
import { Show } from "./Show.ts"
import { Booking, Id, Money, NoMoney, NotOnSale, Order, SoldOut } from "./Words.ts"

// ---- What it understands.

const Account = Schema.Struct({ balance: Schema.Int, bookings: Schema.Array(Booking) })

export class Customer extends GenServer.Service<Customer>()("office/Customer", {
  state: Schema.Struct({ ...Account.fields, unmailed: Schema.Array(Id) }),
  timeout: "2 seconds",
  messages: {
    Deposit: GenServer.call({ payload: { amount: Money }, reply: Schema.Int }),
    Book: GenServer.call({
      payload: Schema.Struct({ id: Id, ...Order.fields }),
      reply: Booking,
      error: Schema.Union([NotOnSale, SoldOut, NoMoney]),
      redeliver: { maxAttempts: 3 }
    }),
    Account: GenServer.call({ reply: Account }),
    Mail: GenServer.cast({ internal: true }),
    Mailed: GenServer.cast({ payload: { id: Id }, internal: true })
  }
}) {}

// ---- Work on the side: mail.

export class Mails extends TaskSupervisor.Service<Mails>()("office/Mails") {}

/** Stands for whatever sends mail, which takes its time. */
const sendMail = (_text: string) => Effect.sleep("100 millis")

/** Sends mails, each in a task of its own that reports back. One that is on its way already is left alone. */
const sendMails = Effect.fnUntraced(function*(ids: ReadonlyArray<string>) {
  const mails = yield* Mails
  const self = yield* Customer.self
  for (const id of ids) {
    yield* mails.startChild(
      Effect.andThen(sendMail(`Booked: ${id}`), self.Mailed({ id })),
      { id: `${self.key}/${id}`, restart: "transient" }
    ).pipe(
      Effect.catchIf(({ reason }) => reason._tag === "AlreadyStarted", () => Effect.void),
      Effect.orDie
    )
  }
})

// ---- How it does it.

export const CustomersLive = Customer.layerKeyed({
  init: { balance: 0, bookings: [], unmailed: [] },
  handlers: {
    Deposit: (state, { amount }) => {
      if (amount <= 0) return Effect.die(new RangeError(`a deposit of ${amount}`)) // that is a bug
      const balance = state.balance + amount
      return [balance, { ...state, balance }]
    },
    Book: Effect.fnUntraced(function*(state, { id, seats, show: name }, { key: customer }) {
      // Asked again when its recorded answer has been forgotten: the state knows, too.
      const before = state.bookings.find((booking) => booking.id === id)
      if (before !== undefined) return [before, state]
      const show = yield* Effect.orDie(Show.at(name))
      const price = yield* GenServer.orCrash(show.Take({ customer, id, seats }))
      if (price > state.balance) {
        yield* GenServer.orCrash(show.GiveBack({ customer, id }))
        return yield* new NoMoney({ balance: state.balance, price })
      }
      const booking = { id, show: name, seats, price }
      const next = {
        balance: state.balance - price,
        bookings: [...state.bookings, booking],
        unmailed: [...state.unmailed, id]
      }
      return Next.reply(booking, next, {
        // The mail is sent after the commit: of a booking that was not stored none is sent.
        continueWith: (state) => Effect.as(sendMails([id]), state),
        // A task is gone with its process, this is not: it is set in the same commit, and begins again what was not
        // done.
        timers: [Timer.every("mail", "1 minute", Customer.message.Mail())]
      })
    }),
    Account: (state) => [{ balance: state.balance, bookings: state.bookings }, state],
    Mail: (state) => Effect.as(sendMails(state.unmailed), state),
    Mailed: (state, { id }) => {
      const unmailed = state.unmailed.filter((one) => one !== id)
      return Next.noReply({ ...state, unmailed }, { timers: unmailed.length === 0 ? [Timer.cancel("mail")] : [] })
    }
  }
}, {
  survives: "process",
  mailbox: { capacity: 1000, overflow: "fail" },
  passivate: { after: "10 minutes" }
})
