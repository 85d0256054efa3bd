/**
 * The office as a process of its own, over a real database and real HTTP.
 *
 * It is killed at moments of real time, which a property could neither repeat nor shrink: the moments are drawn from the
 * context's seeded Random.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Random } from "effect"
import { type Office, Offices, open, place } from "../kit/office/Office.ts"
import { begin, type Remembered } from "../kit/office/Traffic.ts"

const kills = Number(process.env["KILLS"] ?? 5)
const seed = process.env["SEED"] ?? String(Math.floor(Math.random() * 1e9))
const customers = ["ann", "bob", "cid", "dot", "eve", "__proto__"]
const onSale = { params: { show: "hamlet" }, payload: { seats: 100_000, price: 1 } }

/** What the office has that its customers do not remember, and the other way round; and money and seats that do not add up. */
const differences = Effect.fnUntraced(function*({ api }: Office, remembered: ReadonlyArray<Remembered>) {
  const wrong: Array<string> = []
  let taken = 0
  for (const { booked, customer } of remembered) {
    const { balance, bookings } = yield* api.customers.account({ params: { customer } })
    const paid = bookings.reduce((sum, { price }) => sum + price, 0)
    if (balance !== 1_000_000 - paid) wrong.push(`${customer} has ${balance} after paying ${paid}`)
    if (JSON.stringify(bookings) !== JSON.stringify(booked)) {
      wrong.push(`${customer} was answered ${JSON.stringify(booked)} and has ${JSON.stringify(bookings)}`)
    }
    taken += bookings.reduce((sum, { seats }) => sum + seats, 0)
  }
  const { left } = yield* api.shows.offer({ params: { show: "hamlet" } })
  if (left !== 100_000 - taken) wrong.push(`${left} seats are left, and ${taken} are booked`)
  return wrong
})

describe("the office", () => {
  it.live(
    `killed ${kills} times in the middle of its traffic, has every booking that was answered, and none twice (seed ${seed})`,
    () =>
      Effect.gen(function*() {
        const store = yield* place
        const offices = new Offices(yield* open(store))
        yield* offices.current.api.shows.putOnSale(onSale)
        const { fiber, traffic } = yield* begin(offices, "hamlet", customers)
        for (let i = 0; i < kills; i++) {
          yield* traffic.answers(20 + (yield* Random.nextIntBetween(0, 200)))
          assert.strictEqual(yield* offices.current.kill, "SIGKILL")
          offices.open(yield* open(store))
        }
        yield* traffic.answers(20)
        traffic.over = true
        yield* Fiber.join(fiber)
        assert.isAbove(traffic.again.length, kills)
        yield* offices.current.kill
        assert.deepStrictEqual(yield* differences(yield* open(store), traffic.customers), [])
      }).pipe(Random.withSeed(seed)),
    30_000 + kills * 10_000
  )
})
