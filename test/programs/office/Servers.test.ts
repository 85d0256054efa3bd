/** The servers of the office without their front: crashes, time that passes, and what can be seen of them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { join } from "node:path"
import { Process, Sys } from "../../../src/index.ts"
import * as StateStoreSqlite from "../../../src/layers/state/StateStoreSqlite.ts"
import { Customer } from "../../../src/programs/office/Customer.ts"
import { Screen, Show, Watchers } from "../../../src/programs/office/Show.ts"
import { OfficeLive, Root, Store } from "../../../src/programs/office/Tree.ts"
import { FaultPoints, Harness } from "../../../src/testing.ts"
import { folder } from "../../kit/Folder.ts"

const office = OfficeLive.pipe(Layer.provide(StateStoreSqlite.layer(Store, { filename: ":memory:" })))

/** Kills a customer when the seats are taken and the booking is not stored yet: the worst moment of this app. */
const killOnce = Layer.sync(FaultPoints.FaultPoints, () => {
  let struck = false
  return (point, { message }) => {
    if (struck || point !== "afterHandler" || message !== "Book") return undefined
    struck = true
    return { _tag: "Kill" }
  }
})

const order = { id: "b1", show: "hamlet", seats: 2 }

/** Five seats at 20, and ann with 100. */
const begun = Effect.gen(function*() {
  const hamlet = yield* Show.at("hamlet")
  yield* hamlet.PutOnSale({ seats: 5, price: 20 })
  const ann = yield* Customer.at("ann")
  yield* ann.Deposit({ amount: 100 })
  return { ann, hamlet }
})

describe("a customer", () => {
  it.effect("who is killed before the booking is stored has it once, and one mail", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const { ann, hamlet } = yield* begun

      assert.deepStrictEqual(yield* ann.Book(order), { id: "b1", show: "hamlet", seats: 2, price: 40 })
      assert.deepStrictEqual(
        yield* harness.historyOf(ann),
        ["Started", "Exited", "Restarting", "StateRestored", "Started", "Redelivered"]
      )
      assert.deepStrictEqual(yield* hamlet.Offer(), { left: 3, price: 20 })

      assert.deepStrictEqual((yield* Sys.getState(ann)).unmailed, ["b1"])
      yield* TestClock.adjust("100 millis") // The mail is on its way for as long.
      assert.deepStrictEqual((yield* Sys.getState(ann)).unmailed, [])

      yield* TestClock.adjust("10 minutes")
      yield* harness.awaitTag("StatePassivated", ann)
    }).pipe(Effect.provide(Layer.provideMerge(office, Layer.merge(Harness.Harness.layer, killOnce)))))

  it.effect("keeps what was acknowledged when it crashes and when it is killed", () =>
    Effect.gen(function*() {
      const { ann } = yield* begun
      const crash = yield* Effect.flip(ann.Deposit({ amount: -1 }))
      assert.strictEqual(crash.reason._tag, "Crashed")
      assert.strictEqual(yield* ann.Deposit({ amount: 10 }), 110)
      yield* Process.kill(ann)
      assert.strictEqual(yield* ann.Deposit({ amount: 10 }), 120)
      assert.strictEqual(yield* Process.incarnation(ann), 3)
    }).pipe(Effect.provide(office)))

  it.effect("whose process ended while a mail was on its way has it sent by the next one, and does not have to ask", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "office.db")
      const stored = OfficeLive.pipe(Layer.provide(StateStoreSqlite.layer(Store, { filename })))
      yield* Effect.provide(
        Effect.gen(function*() {
          const { ann } = yield* begun
          yield* ann.Book(order)
          assert.deepStrictEqual((yield* Sys.getState(ann)).unmailed, ["b1"])
        }),
        stored
      )
      yield* Effect.provide(
        Effect.gen(function*() {
          const harness = yield* Harness.Harness
          yield* TestClock.adjust("1 minute")
          yield* harness.awaitEvent((event) => event._tag === "Started" && event.path.at(-1) === "office/Customer/ann")
          const ann = yield* Customer.at("ann")
          yield* Sys.getState(ann) // It handles what the timer sent before it is asked.
          yield* TestClock.adjust("100 millis")
          assert.deepStrictEqual((yield* Sys.getState(ann)).unmailed, [])
        }),
        Layer.provideMerge(stored, Harness.Harness.layer)
      )
    }))

  it.effect("who has not enough money gives the seats back", () =>
    Effect.gen(function*() {
      const { ann, hamlet } = yield* begun
      yield* hamlet.PutOnSale({ seats: 5, price: 60 })
      const refused = yield* Effect.flip(ann.Book(order))
      assert.deepInclude(refused, { _tag: "NoMoney", balance: 100, price: 120 })
      assert.deepStrictEqual(yield* hamlet.Offer(), { left: 5, price: 60 })
    }).pipe(Effect.provide(office)))

  it.effect("is looked at by its events, and between two of its messages", () =>
    Effect.gen(function*() {
      const root = yield* Root
      const { ann } = yield* begun
      const news = root.events.pipe(
        Stream.filter(({ path }) => path.at(-1) === "office/Customer/ann"),
        Stream.map(({ _tag }) => _tag),
        Stream.take(4)
      )
      const watching = yield* Effect.forkChild(Stream.runCollect(news), { startImmediately: true })
      yield* Process.kill(ann)
      assert.deepStrictEqual(yield* Fiber.join(watching), ["Exited", "Restarting", "StateRestored", "Started"])
      assert.deepInclude(yield* Sys.getStatus(ann), { status: "running", incarnation: 2, queued: 0 })
      assert.strictEqual((yield* Sys.getState(ann)).balance, 100)
      assert.deepStrictEqual(
        (yield* root.whichChildren).map(({ id }) => id),
        ["customers", "shows", "screens", "office/Mails"]
      )
    }).pipe(Effect.provide(office)))

  it.effect("is listed by its key, in memory or not, and with what it has to do at a date", () =>
    Effect.gen(function*() {
      const { ann } = yield* begun
      yield* ann.Book(order)
      yield* (yield* Customer.at("bob")).Account() // What was only asked leaves nothing in the store.
      assert.deepStrictEqual(yield* Stream.runCollect(Customer.keys({ prefix: "a" })), ["ann"])
      assert.deepStrictEqual((yield* Customer.live).map(({ key }) => key).sort(), ["ann", "bob"])
      assert.deepStrictEqual(yield* Customer.count, { live: 2, stored: 1 })
      assert.deepStrictEqual((yield* Sys.timers(ann)).map(({ name }) => name), ["mail"])
    }).pipe(Effect.provide(office)))
})

describe("a show", () => {
  it.effect("tells its screens what is left when it is committed", () =>
    Effect.gen(function*() {
      const { ann, hamlet } = yield* begun
      const watchers = yield* Watchers
      const foyer = yield* Screen.at("foyer")
      yield* watchers.join("hamlet", foyer)
      yield* ann.Book(order)
      yield* hamlet.Offer() // It tells them before it handles another message.
      assert.deepStrictEqual(yield* foyer.Lines(), ["hamlet: 3 left"])
    }).pipe(Effect.provide(office)))
})
