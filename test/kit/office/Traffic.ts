/** Customers that book one seat after the other, and ask again with the same key until they are answered. */
import { Effect } from "effect"
import type { Office, Offices } from "./Office.ts"

/** What a customer was answered. */
export interface Remembered {
  readonly customer: string
  readonly booked: Array<{ readonly id: string; readonly show: string; readonly seats: number; readonly price: number }>
}

/** What came of a traffic so far. */
export interface Traffic {
  readonly customers: ReadonlyArray<Remembered>
  /** Requests that got no answer and were made again, with the reason. */
  readonly again: Array<string>
  /** Set, it lets customers begin no further booking. */
  over: boolean
  /** Completes when there are so many answers more than there were. */
  readonly answers: (more: number) => Effect.Effect<void>
}

/** Begins it: the customers book seats of `show`, which are theirs to pay. Joined, it has ended. */
export const begin = Effect.fnUntraced(function*(offices: Offices, show: string, names: ReadonlyArray<string>) {
  let answered = 0
  let waiting = (): void => {}
  const traffic: Traffic = {
    customers: names.map((customer) => ({ customer, booked: [] })),
    again: [],
    over: false,
    answers: (more) =>
      Effect.callback<void>((resume) => {
        const due = answered + more
        waiting = () => answered >= due && resume(Effect.void)
      })
  }

  const insist = <A, E>(ask: (office: Office) => Effect.Effect<A, E>): Effect.Effect<A> =>
    Effect.suspend(() => {
      const { current } = offices
      return Effect.catch(ask(current), (error) => {
        traffic.again.push(String(error))
        return Effect.andThen(offices.after(current), insist(ask))
      })
    })

  const book = Effect.fnUntraced(function*({ booked, customer }: Remembered) {
    const params = { customer }
    yield* insist(({ api }) =>
      api.customers.deposit({ params, headers: { "idempotency-key": "first" }, payload: { amount: 1_000_000 } })
    )
    for (let i = 0; !traffic.over; i++) {
      const request = { params, headers: { "idempotency-key": `b${i}` }, payload: { show, seats: 1 + i % 3 } }
      booked.push(yield* insist(({ api }) => api.customers.book(request)))
      answered++
      waiting()
    }
  })

  const fiber = yield* Effect.forkScoped(Effect.forEach(traffic.customers, book, { concurrency: "unbounded" }))
  return { traffic, fiber }
})
