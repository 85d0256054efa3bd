/**
 * One server for each show: hands out its seats, and tells the screens in the foyer what is left.
 */
import { Effect, Schema } from "effect"
import { GenServer, Groups, Next } from "../../index.ts"
import { Id, Name, NotOnSale, Offer, Seats, SoldOut } from "./Words.ts"

// ---- What it understands, what it answers, what it may refuse.

const Taken = Schema.Struct({ seats: Seats, price: Schema.Int })
const State = Schema.Struct({ seats: Schema.Int, price: Schema.Int, taken: Schema.Record(Schema.String, Taken) })

export class Show extends GenServer.Service<Show>()("office/Show", {
  state: State,
  messages: {
    PutOnSale: GenServer.call({ payload: { seats: Schema.Int, price: Schema.Int } }),
    Offer: GenServer.call({ reply: Offer, error: NotOnSale }),
    /** Takes seats for a booking of a customer; answers with what they cost. */
    Take: GenServer.call({
      payload: { customer: Name, id: Id, seats: Seats },
      reply: Schema.Int,
      error: Schema.Union([NotOnSale, SoldOut])
    }),
    GiveBack: GenServer.call({ payload: { customer: Name, id: Id } })
  }
}) {}

/** One for each screen in the foyer: shows the last news. */
export class Screen extends GenServer.Service<Screen>()("office/Screen", {
  state: Schema.Array(Schema.String),
  messages: {
    Tell: GenServer.cast({ payload: { news: Schema.String } }),
    Lines: GenServer.call({ reply: Schema.Array(Schema.String) })
  }
}) {}

/** The screens that watch a show. */
export class Watchers extends Groups.Service<Watchers, { readonly ref: Screen["Service"] }>()("office/Watchers") {}

// ---- How it does it.

const left = ({ seats, taken }: typeof State.Type): number =>
  seats - Object.values(taken).reduce((sum, { seats }) => sum + seats, 0)

/** With an answer that changes what is left: when it is committed, the screens hear of it. */
const announced = (show: string) => ({
  continueWith: Effect.fnUntraced(function*(state: typeof State.Type) {
    const watchers = yield* Watchers
    for (const screen of yield* watchers.members(show)) yield* screen.Tell({ news: `${show}: ${left(state)} left` })
    return state
  })
})

export const ShowsLive = Show.layerKeyed({
  init: { seats: 0, price: 0, taken: {} },
  handlers: {
    PutOnSale: (state, { price, seats }) => [undefined, { ...state, price, seats }],
    Offer: (state, _, { key }) =>
      state.seats === 0
        ? Effect.fail(new NotOnSale({ show: key }))
        : Effect.succeed([{ left: left(state), price: state.price }, state]),
    Take: Effect.fnUntraced(function*(state, { customer, id, seats }, { key }) {
      const holder = `${customer}/${id}`
      const { [holder]: before } = state.taken
      // Asked again after a crash, a timeout: it has been done, and is not done twice.
      if (before !== undefined) return [before.price, state]
      if (state.seats === 0) return yield* new NotOnSale({ show: key })
      if (left(state) < seats) return yield* new SoldOut({ show: key, left: left(state) })
      const price = state.price * seats
      return Next.reply(price, { ...state, taken: { ...state.taken, [holder]: { seats, price } } }, announced(key))
    }),
    GiveBack: (state, { customer, id }, { key }) => {
      const { [`${customer}/${id}`]: _, ...taken } = state.taken
      return Next.reply(undefined, { ...state, taken }, announced(key))
    }
  }
}, { survives: "process" })

export const ScreensLive = Screen.layerKeyed({
  init: [],
  handlers: { Tell: (lines, { news }) => [...lines.slice(-9), news], Lines: (lines) => [lines, lines] }
})
