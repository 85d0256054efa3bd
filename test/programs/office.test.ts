/**
 * The office as a process of its own, over a real database and real HTTP.
 *
 * It is killed at moments of real time, which a property could neither repeat nor shrink: the moments are drawn from
 * the context's seeded Random.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Random } from "effect"
import { readFileSync } from "node:fs"
import { start } from "../kit/durable/Processes.ts"
import { type Office, Offices, open, place, type Raw, run, send, sendSlowly } from "../kit/office/Office.ts"
import { begin, type Remembered } from "../kit/office/Traffic.ts"
import { inRepository } from "../kit/RunProgram.ts"

const kills = Number(process.env["KILLS"] ?? 3)
const seed = process.env["SEED"] ?? String(Math.floor(Math.random() * 1e9))
const customers = ["ann", "bob", "cid", "dot", "eve", "__proto__"]
const onSale = { params: { show: "hamlet" }, payload: { seats: 100_000, price: 1 } }

/** A request as a command line of curl says it, as far as the guide uses that. */
const curl = (command: string): Raw => {
  const words = Array.from(command.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, plain]) => quoted ?? plain!)
  const option = (name: string) => words.includes(name) ? words[words.indexOf(name) + 1] : undefined
  const body = option("--json")
  const [name, value] = option("-H")?.split(": ") ?? []
  return {
    method: option("-X") ?? (body === undefined ? "GET" : "POST"),
    path: words.find((word) => word.startsWith("localhost:8080"))!.slice("localhost:8080".length),
    headers: {
      ...(name === undefined ? {} : { [name]: value }),
      ...(body === undefined ? {} : { "content-type": "application/json" })
    },
    ...(body === undefined ? {} : { body })
  }
}

/**
 * What the office has that its customers do not remember, and the other way round; and money and seats that do not add
 * up.
 */
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

describe.concurrent("the office", () => {
  it.live(
    `killed ${kills} times in the middle of its traffic, has every booking that was answered, and none twice (seed ${seed})`,
    () =>
      Effect.gen(function*() {
        const store = yield* place
        const offices = new Offices(yield* open(store))
        yield* offices.current.api.shows.putOnSale(onSale)
        const { fiber, traffic } = yield* begin(offices, "hamlet", customers)
        for (let i = 0; i < kills; i++) {
          yield* traffic.answers(20 + (yield* Random.nextIntBetween(0, 100)))
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
    120_000 + kills * 10_000
  )
})

describe.concurrent("a second office over the same store, on a port of its own, with --take-over", () => {
  it.live("takes it over: the first answers nothing that is not there, and ends", () =>
    Effect.gen(function*() {
      const store = yield* place
      const first = yield* open(store, "--linger", "0")
      const offices = new Offices(first)
      yield* first.api.shows.putOnSale(onSale)
      const { fiber, traffic } = yield* begin(offices, "hamlet", customers)
      yield* traffic.answers(20)
      const second = yield* open(store, "--take-over")
      offices.open(second)
      assert.strictEqual(yield* first.ended, 1)
      assert.match(first.errors() + first.lines.join("\n"), /a younger session has taken over/)
      yield* traffic.answers(20)
      traffic.over = true
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* differences(second, traffic.customers), [])
    }))
})

describe.concurrent("a request that is wrong", () => {
  it.live("is answered with what is wrong with it, and reaches no server", () =>
    Effect.gen(function*() {
      const office = yield* open(yield* place)
      yield* office.api.shows.putOnSale(onSale)
      const messages = Effect.map(
        send(office, { path: "/metrics" }),
        ({ text }) => /^heirloom_messages_total (\d+)$/m.exec(text)?.[1]
      )
      const before = yield* messages
      const json = { "content-type": "application/json" }
      const keyed = { ...json, "idempotency-key": "k1" }
      const book = (body: string, headers: Raw["headers"] = keyed): Raw => ({
        method: "POST",
        path: "/customers/ann/bookings",
        headers,
        body
      })
      const order = JSON.stringify({ show: "hamlet", seats: 2 })
      const wrong: ReadonlyArray<readonly [status: number, request: Raw]> = [
        [400, book("")],
        [400, book(order.slice(0, -1))],
        [400, book("\u0000")],
        [400, book("[".repeat(10_000))],
        [400, book("[".repeat(8_000) + "]".repeat(8_000))],
        ...["null", "[]", "2", "\"hamlet\"", "{}", `[${order}]`].map((body) => [400, book(body)] as const),
        ...["\"2\"", "1.5", "0", "11", "-1", "1e400", "null", "true", "[2]"].map((seats) =>
          [400, book(`{"show":"hamlet","seats":${seats}}`)] as const
        ),
        ...["", "a b", "a/b", "..%2f", "ü", "x".repeat(65)].map((show) =>
          [400, book(JSON.stringify({ show, seats: 2 }))] as const
        ),
        [400, book(order, json)],
        ...["", " ", "a b", "ü", "k".repeat(129)].map((key) =>
          [400, book(order, { ...json, "idempotency-key": key })] as const
        ),
        [400, book(order, { ...json, "idempotency-key": ["a", "b"] })],
        [413, book(JSON.stringify({ show: "hamlet", seats: 2, note: "x".repeat(20_000) }))],
        [413, book("x".repeat(5_000_000))],
        [415, book(order, { ...keyed, "content-type": "text/plain" })],
        [400, { ...book(order), path: "/customers/a%20b/bookings" }],
        [400, { ...book(order), path: "/customers/a%2Fb/bookings" }],
        [400, { method: "POST", path: "/customers/ann/deposits", headers: keyed, body: "{\"amount\":0}" }],
        [400, { method: "PUT", path: "/shows/hamlet", headers: json, body: "{\"seats\":5,\"price\":-1}" }],
        [404, { path: "/" }],
        [404, { path: "/customers" }],
        [404, { path: "/customers/%zz" }],
        [404, { path: "/customers/ann/bookings/b1" }],
        [405, { path: "/customers/ann/bookings" }],
        [405, { method: "DELETE", path: "/shows/hamlet" }]
      ]
      for (const [status, request] of wrong) {
        assert.strictEqual((yield* send(office, request)).status, status, JSON.stringify(request).slice(0, 200))
      }
      assert.strictEqual(yield* messages, before)
      const missing = yield* send(office, book(order, json))
      assert.deepStrictEqual(JSON.parse(missing.text).errors, [
        { path: ["headers", "idempotency-key"], message: "Missing key" }
      ])
      assert.strictEqual((yield* send(office, { path: "/customers/ann/bookings" })).headers["allow"], "POST")
    }))
})

describe.concurrent("stopped by SIGTERM", () => {
  it.live("it is not ready any more, answers what was sent until that is known, stores it all, and says so", () =>
    Effect.gen(function*() {
      const store = yield* place
      const office = yield* open(store, "--linger", "2")
      yield* office.api.shows.putOnSale(onSale)
      const { fiber, traffic } = yield* begin(new Offices(office), "hamlet", customers)
      yield* traffic.answers(50)
      assert.strictEqual((yield* send(office, { path: "/health/ready" })).status, 200)
      yield* office.terminate
      // What a load balancer does: it asks whether the office is ready, and sends it no more when it is not.
      while ((yield* send(office, { path: "/health/ready" })).status === 200) yield* Effect.yieldNow
      assert.strictEqual((yield* send(office, { path: "/health/live" })).status, 200)
      const late = yield* send(office, { path: "/shows/hamlet" })
      assert.deepStrictEqual([late.status, late.headers["connection"]], [200, "close"])
      traffic.over = true
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(traffic.again, [])
      assert.strictEqual(yield* office.ended, 130)
      const said = office.lines.flatMap((line) => / INFO .*?: (.*)/.exec(line)?.[1] ?? [])
      assert.deepStrictEqual(said, [
        "The app was asked to stop, by a signal (SIGTERM, SIGINT) or its caller. It shuts down, within 1m 2s.",
        "not ready any more; takes requests for another 2s",
        "every request that was taken is answered",
        "The app has shut down."
      ])
      assert.deepStrictEqual(yield* differences(yield* open(store), traffic.customers), [])
    }))

  it.live("it answers a request that it has taken and that is not complete yet", () =>
    Effect.gen(function*() {
      const store = yield* place
      const office = yield* open(store, "--linger", "0")
      yield* office.api.shows.putOnSale(onSale)
      yield* office.api.customers.deposit({
        params: { customer: "ann" },
        headers: { "idempotency-key": "d1" },
        payload: { amount: 100 }
      })
      const slow = yield* sendSlowly(office, {
        method: "POST",
        path: "/customers/ann/bookings",
        headers: { "content-type": "application/json", "idempotency-key": "k1" },
        body: JSON.stringify({ show: "hamlet", seats: 2 })
      })
      yield* office.terminate
      yield* office.printed("[", 2)
      assert.strictEqual((yield* slow.finish).status, 201)
      assert.strictEqual(yield* office.ended, 130)
      const { balance } = yield* (yield* open(store)).api.customers.account({ params: { customer: "ann" } })
      assert.strictEqual(balance, 98)
    }))
})

describe.concurrent("started", () => {
  it.live("on a port that is taken it ends, says so, and takes nothing from the one that has it", () =>
    Effect.gen(function*() {
      const store = yield* place
      const office = yield* open(store)
      yield* office.api.shows.putOnSale(onSale)
      const second = yield* run(["--port", new URL(office.url).port, "--store", store])
      assert.strictEqual(yield* second.ended, 1)
      assert.match(second.errors(), /Port \d+ of 127\.0\.0\.1 cannot be listened on .*EADDRINUSE.*--port/)
      yield* office.api.shows.putOnSale({ ...onSale, payload: { seats: 7, price: 2 } })
      assert.deepStrictEqual(yield* office.api.shows.offer(onSale), { left: 7, price: 2 })
    }))

  it.live("with an option that is none it ends, and says what one is", () =>
    Effect.gen(function*() {
      const cases = [
        [["--port", "65536"], /a port: 0 \(any that is free\) to 65535/],
        [["--port", "http"], /--port/],
        [["--store", "office.db"], /sqlite:FILE \| file:FOLDER \| postgres:URL/],
        [["--port", "0", "--store", "sqlite:/no/such/folder/office.db"], /office\.db.*--store/s],
        [["--linger", "-1"], /a number of seconds, 0 or more/],
        [["--host", "256.0.0.1", "--port", "0"], /256\.0\.0\.1 cannot be listened on/]
      ] as const
      for (const [args, says] of cases) {
        const office = yield* run(args)
        assert.strictEqual(yield* office.ended, 1, args.join(" "))
        assert.match(office.errors() + office.lines.join("\n"), says)
      }
    }))
})

describe.concurrent("the guide", () => {
  const guide = readFileSync(inRepository("docs/guide.md"), "utf8")

  it.live("shows requests that are answered as it says", () =>
    Effect.gen(function*() {
      const office = yield* open(yield* place)
      const shown = [...guide.matchAll(/^curl (.*)\n# => (.*)$/gm)]
      assert.isAbove(shown.length, 10)
      for (const [, command, answer] of shown) {
        const { status, text } = yield* send(office, curl(command!))
        assert.strictEqual(`${status} ${text}`.trim(), answer, command)
      }
    }))

  it.live("shows a health check for a container that is well as long as the office is ready", () =>
    Effect.gen(function*() {
      const office = yield* open(yield* place)
      const [, script = ""] = /^HEALTHCHECK CMD \["node", "-e", "(.*)"\]$/m.exec(guide) ?? []
      const check = Effect.gen(function*() {
        const running = yield* start("-e", [script.replace("http://127.0.0.1:8080", office.url)])
        return yield* running.ended
      })
      assert.strictEqual(yield* check, 0)
      yield* office.kill
      assert.strictEqual(yield* check, 1)
    }))
})
