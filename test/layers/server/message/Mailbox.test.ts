import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Process } from "../../../../src/index.ts"
import { Envelope, type Receiver } from "../../../../src/layers/server/message/Envelope.ts"
import { Mailbox } from "../../../../src/layers/server/message/Mailbox.ts"
import { ownCall } from "../../../../src/layers/server/message/MessageType.ts"
import { Harness } from "../../../../src/testing.ts"
import { Cell, type Gates, gates, tree } from "../../../kit/Cell.ts"
import { tagOf } from "../../../kit/Failures.ts"
import { now } from "../../../kit/Fibers.ts"
import { collectGarbage } from "../../../kit/Garbage.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

/** A cell at work, with the mailbox under test; nothing waits in it at the end. */
const busy = (
  mailbox: NonNullable<GenServer.Options["mailbox"]>,
  body: (
    cell: typeof Cell.Service,
    own: Gates,
    release: Effect.Effect<void>
  ) => Effect.Effect<void, unknown, Harness.Harness>
) => {
  const own = gates()
  return Effect.gen(function*() {
    const cell = yield* Cell
    yield* own.hold.close
    const held = yield* now(Effect.exit(cell.Hold()))
    yield* body(cell, own, Effect.andThen(own.hold.open, Effect.andThen(Fiber.await(held), Effect.yieldNow)))
    yield* own.hold.open
    yield* Effect.yieldNow
    yield* cell.Get()
    const { telemetry } = yield* Harness.Harness
    assert.strictEqual(sinkOf(telemetry).counters.queued, 0)
  }).pipe(Effect.provide(tree("a plain handler", own, { mailbox })))
}

describe("capacity", () => {
  for (const capacity of [0, -1, NaN]) {
    it.effect(`${capacity} is refused, with what it must be`, () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(
          Effect.provide(Cell, tree("a plain handler", gates(), { mailbox: { capacity } }))
        )
        assert.include(String(exit), `was given ${capacity} as mailbox.capacity: it must be at least 1`)
      }))
  }
})

describe("a sender that has not begun to wait when there is room again", () => {
  it.effect("goes on at once, and its message is in its place", () =>
    Effect.gen(function*() {
      const envelope = () => new Envelope({} as Receiver, ownCall, undefined, undefined)
      const mailbox = new Mailbox(1, "suspend")
      const [first, second] = [envelope(), envelope()]
      assert.deepStrictEqual(mailbox.put(first), { _tag: "Queued" })
      const put = mailbox.put(second)
      assert(put._tag === "Waits")
      assert.strictEqual(second.place, "outside")
      assert.strictEqual(mailbox.take(), first)
      assert.strictEqual(second.place, "inside")
      const waiting = yield* now(put.room)
      assert.isDefined(waiting.pollUnsafe())
      assert.strictEqual(mailbox.take(), second)
      assert.isUndefined(mailbox.take())
    }))
})

describe("overflow fail", () => {
  it.effect("a call to a full mailbox fails with MailboxFull, which names the capacity", () =>
    busy({ capacity: 2, overflow: "fail" }, (cell, own) =>
      Effect.gen(function*() {
        const callers = [yield* now(cell.Add({ by: 1 })), yield* now(cell.Add({ by: 2 }))]
        const exit = yield* Effect.exit(cell.Add({ by: 4 }))
        assert.strictEqual(tagOf(exit), "MailboxFull")
        assert.include(String(exit), "capacity 2")
        yield* own.hold.open
        assert.deepStrictEqual(yield* Effect.forEach(callers, Fiber.join), [1, 3])
      })))

  it.effect("a cast to a full mailbox is dropped, and that is an event", () =>
    busy({ capacity: 1, overflow: "fail" }, (cell, _own, release) =>
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        yield* cell.Put({ to: 1 })
        yield* cell.Put({ to: 2 })
        const { message, reason } = yield* harness.awaitTag("Dropped", cell)
        assert.deepStrictEqual([message, reason], ["Put", "MailboxFull"])
        yield* release
        assert.strictEqual(yield* cell.Get(), 1)
      })))
})

describe("overflow drop_oldest", () => {
  it.effect("the oldest message gives way: a call is answered MailboxFull, a cast is an event", () =>
    busy({ capacity: 2, overflow: "drop_oldest" }, (cell, own) =>
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const first = yield* now(cell.Add({ by: 1 }))
        yield* cell.Put({ to: 10 })
        const third = yield* now(cell.Add({ by: 2 }))
        assert.strictEqual(tagOf(yield* Fiber.await(first)), "MailboxFull")
        const fourth = yield* now(cell.Add({ by: 4 }))
        const dropped = yield* harness.awaitEvents(2, (event) => event._tag === "Dropped")
        assert.deepStrictEqual(dropped.map((event) => event._tag === "Dropped" && event.message), ["Add", "Put"])
        yield* own.hold.open
        assert.deepStrictEqual([yield* Fiber.join(third), yield* Fiber.join(fourth)], [2, 6])
      })))

  it.effect("a withdrawn request is no message that could give way", () =>
    busy({ capacity: 2, overflow: "drop_oldest" }, (cell, own) =>
      Effect.gen(function*() {
        const gone = yield* now(cell.Add({ by: 1 }))
        const kept = yield* now(cell.Add({ by: 2 }))
        yield* Fiber.interrupt(gone)
        const last = yield* now(cell.Add({ by: 4 }))
        yield* own.hold.open
        assert.deepStrictEqual([yield* Fiber.join(kept), yield* Fiber.join(last)], [2, 6])
      })))
})

describe("overflow suspend", () => {
  it.effect("a caster waits for room, and keeps its place before its own next message", () =>
    busy({ capacity: 1, overflow: "suspend" }, (cell, own) =>
      Effect.gen(function*() {
        yield* cell.Put({ to: 1 })
        const sender = yield* now(Effect.andThen(cell.Put({ to: 2 }), Effect.andThen(cell.Put({ to: 3 }), cell.Get())))
        const other = yield* now(cell.Add({ by: 10 }))
        assert.isUndefined(sender.pollUnsafe())
        yield* own.hold.open
        assert.strictEqual(yield* Fiber.join(other), 12)
        assert.strictEqual(yield* Fiber.join(sender), 3)
      })))

  it.effect("a caller waits for room, and its timeout runs all the time", () =>
    busy({ capacity: 1, overflow: "suspend" }, (cell, own) =>
      Effect.gen(function*() {
        yield* cell.Put({ to: 1 })
        const late = yield* now(cell.Add({ by: 1 }, { timeout: "1 second" }))
        const patient = yield* now(cell.Add({ by: 2 }, { timeout: "1 hour" }))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(tagOf(yield* Fiber.await(late)), "Timeout")
        yield* own.hold.open
        assert.strictEqual(yield* Fiber.join(patient), 3)
      })))

  it.effect("a caster interrupted while it waits for room has sent nothing", () =>
    busy({ capacity: 1, overflow: "suspend" }, (cell, own) =>
      Effect.gen(function*() {
        yield* cell.Put({ to: 1 })
        const sender = yield* now(cell.Put({ to: 2 }))
        yield* Fiber.interrupt(sender)
        yield* own.hold.open
        assert.strictEqual(yield* cell.Get(), 1)
      })))

  it.effect("room that a withdrawn request leaves goes to a sender that waits for it", () =>
    busy({ capacity: 1, overflow: "suspend" }, (cell, own) =>
      Effect.gen(function*() {
        const inside = yield* now(cell.Add({ by: 1 }))
        const sender = yield* now(cell.Put({ to: 2 }))
        assert.isUndefined(sender.pollUnsafe())
        yield* Fiber.interrupt(inside)
        yield* Fiber.join(sender)
        yield* own.hold.open
        assert.strictEqual(yield* cell.Get(), 2)
      })))

  it.effect("a sender let in may at once kill the server: nothing is handled by a dead incarnation", () =>
    busy({ capacity: 1, overflow: "suspend" }, (cell, own) =>
      Effect.gen(function*() {
        yield* cell.Put({ to: 1 })
        const sender = yield* now(Effect.andThen(cell.Put({ to: 2 }), Process.kill(cell)))
        yield* own.hold.open
        yield* Fiber.join(sender)
        assert.strictEqual(yield* cell.Get(), 2)
        assert.strictEqual(yield* Process.incarnation(cell), 2)
      })))
})

for (const overflow of ["fail", "drop_oldest", "suspend"] as const) {
  it.effect(`a full mailbox (${overflow}) does not keep a server from being stopped`, () =>
    busy({ capacity: 1, overflow }, (cell, own) =>
      Effect.gen(function*() {
        const caller = yield* now(Effect.exit(cell.Add({ by: 1 })))
        const stopping = yield* now(GenServer.stop(cell))
        yield* own.hold.open
        assert.deepStrictEqual(yield* Fiber.join(stopping), { _tag: "Normal" })
        assert.deepStrictEqual(yield* yield* Fiber.join(caller), 1)
      })))

  it.effect(`messages that wait in a bounded mailbox (${overflow}) are served by the next incarnation, in order`, () =>
    busy({ capacity: 3, overflow }, (cell) =>
      Effect.gen(function*() {
        const callers = yield* Effect.forEach([1, 2, 4], (by) => now(cell.Add({ by })))
        yield* Process.kill(cell)
        assert.deepStrictEqual(yield* Effect.forEach(callers, Fiber.join), [1, 3, 7])
      })))
}

it.effect("a thousand withdrawn requests leave nothing in the mailbox of a stuck server", () =>
  busy({}, (cell) =>
    Effect.gen(function*() {
      const kept = yield* now(cell.Add({ by: 1 }, { timeout: "infinity" }))
      const payloads: Array<WeakRef<object>> = []
      const request = () => {
        const payload = { by: 1000 }
        payloads.push(new WeakRef(payload))
        return now(cell.Add(payload))
      }
      const reachable = Effect.map(collectGarbage, () => payloads.filter((one) => one.deref() !== undefined).length)
      const callers = yield* Effect.forEach(Array.from({ length: 1000 }), request)
      assert.strictEqual(yield* reachable, 1000)
      yield* Fiber.interruptAll(callers.splice(0))
      const { telemetry } = yield* Harness.Harness
      assert.strictEqual(sinkOf(telemetry).counters.queued, 1)
      // A few may stay until it is their turn.
      assert.isAtMost(yield* reachable, 33)
      yield* Process.kill(cell)
      assert.strictEqual(yield* Fiber.join(kept), 1)
    })))
