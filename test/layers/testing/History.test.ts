import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, StateContainer, Supervisor } from "../../../src/index.ts"
import { History } from "../../../src/testing.ts"

class No extends Schema.TaggedError<No>()("No", {}) {}

class Counter extends GenServer.Service<Counter>()("test/Counter", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, error: No }),
    Slow: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, timeout: "1 second" }),
    Promised: GenServer.call({ reply: Schema.Int, timeout: "1 second" }),
    Put: GenServer.cast({ payload: { to: Schema.Int } }),
    Die: GenServer.call({ reply: Schema.Int })
  }
}) {}

const App = Supervisor.layer({ strategy: "one_for_one" }, [
  StateContainer.layerMemory(Counter),
  Counter.layer({
    init: 0,
    handlers: {
      Add: (n, { by }) => by < 0 ? Effect.fail(new No()) : [n + by, n + by],
      Slow: (n, { by }) => Effect.as(Effect.sleep("2 seconds"), [n + by, n + by]),
      Promised: (n) => Next.noReply(n + 1),
      Put: (_n, { to }) => to,
      Die: () => Effect.die("boom")
    }
  })
])

/** What became of each operation so far, and until when, by the order of events. */
const outcomes = Effect.map(
  History.History,
  ({ operations }) =>
    operations.map(({ called, outcome }) =>
      outcome._tag === "Answered"
        ? `${called.order}-${outcome.at.order} = ${outcome.value}`
        : outcome._tag === "Unknown"
        ? `${called.order}-${outcome.until?.order ?? ""} ${outcome.why}`
        : `${called.order} not done`
    )
)

const run = <A, E>(effect: Effect.Effect<A, E, History.History | Counter>) =>
  effect.pipe(Effect.provide(History.layer), Effect.provide(App))

const adding = (by: number) => Effect.flatMap(Counter, (counter) => History.add("counter", by, counter.Add({ by })))
const slowly = (by: number) => Effect.flatMap(Counter, (counter) => History.add("counter", by, counter.Slow({ by })))

describe("a history", () => {
  it.effect("has calls and answers in their order, by whom, and when", () =>
    run(Effect.gen(function*() {
      assert.strictEqual(yield* adding(2), 2)
      yield* TestClock.adjust("1 second")
      const counter = yield* Counter
      assert.strictEqual(yield* History.read("counter", counter.Add({ by: 0 })), 2)
      const { lines, operations } = yield* History.History
      assert.deepStrictEqual(operations, [
        {
          key: "counter",
          client: "client",
          input: { _tag: "Add", by: 2 },
          called: { order: 0, millis: 0 },
          outcome: { _tag: "Answered", value: 2, at: { order: 1, millis: 0 } }
        },
        {
          key: "counter",
          client: "client",
          input: { _tag: "Read" },
          called: { order: 2, millis: 1000 },
          outcome: { _tag: "Answered", value: 2, at: { order: 3, millis: 1000 } }
        }
      ])
      assert.deepStrictEqual(lines.map(({ text }) => text), [
        "client calls: add 2, counter",
        "client: add 2 to counter = 2",
        "client calls: read, counter",
        "client: read of counter = 2"
      ])
    })))

  it.effect("knows who does what, where that is said", () =>
    run(Effect.gen(function*() {
      yield* Effect.provideService(adding(1), History.Client, "alice")
      assert.strictEqual((yield* History.History).operations[0]?.client, "alice")
    })))

  it.effect("knows that a typed failure did nothing, and that a crash is over", () =>
    run(Effect.gen(function*() {
      const counter = yield* Counter
      assert.include(String(yield* Effect.exit(adding(-1))), "Fail(No)")
      yield* Effect.exit(History.add("counter", 1, counter.Die()))
      assert.deepStrictEqual(yield* outcomes, ["0 not done", "2-3 Crashed"])
    })))

  it.effect("takes a timeout whose handler goes on for over when the server has answered a later call of anybody", () =>
    run(Effect.gen(function*() {
      const slow = yield* Effect.forkChild(Effect.exit(slowly(1)), { startImmediately: true })
      const before = yield* Effect.forkChild(adding(1), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(slow)
      assert.deepStrictEqual(yield* outcomes, ["0- Timeout", "1- no answer so far"])
      yield* TestClock.adjust("1 second")
      // It was called before the timeout: its answer says nothing.
      assert.strictEqual(yield* Fiber.join(before), 2)
      assert.deepStrictEqual(yield* outcomes, ["0- Timeout", "1-3 = 2"])
      yield* Effect.provideService(adding(1), History.Client, "bob")
      assert.deepStrictEqual(yield* outcomes, ["0-5 Timeout", "1-3 = 2", "4-5 = 3"])
    })))

  it.effect("leaves a promised reply open, whatever is answered later", () =>
    run(Effect.gen(function*() {
      const counter = yield* Counter
      const call = Effect.exit(History.add("counter", 1, counter.Promised()))
      const promised = yield* Effect.forkChild(call, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(promised)
      yield* adding(1)
      assert.deepStrictEqual(yield* outcomes, ["0- Timeout", "2-3 = 2"])
    })))

  it.effect("takes a call whose caller was interrupted for over when a later one was answered", () =>
    run(Effect.gen(function*() {
      const slow = yield* Effect.forkChild(slowly(1), { startImmediately: true })
      yield* Fiber.interrupt(slow)
      const after = yield* Effect.forkChild(adding(1), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(after)
      assert.deepStrictEqual(yield* outcomes, ["0-3 its caller was interrupted", "2-3 = 2"])
    })))

  it.effect("takes a cast for over when its sender has an answer", () =>
    run(Effect.gen(function*() {
      const counter = yield* Counter
      yield* History.cast("counter", { write: 5 }, counter.Put({ to: 5 }))
      yield* Effect.provideService(adding(1), History.Client, "bob")
      assert.deepStrictEqual(yield* outcomes, ["0- it was sent", "2-3 = 6"])
      yield* adding(1)
      assert.deepStrictEqual(yield* outcomes, ["0-5 it was sent", "2-3 = 6", "4-5 = 7"])
    })))

  it.effect("has what a cast does to the value, in its text and when it is checked", () =>
    run(Effect.gen(function*() {
      yield* History.cast("sum", { add: 5 }, Effect.void)
      yield* History.read("sum", Effect.succeed(5))
      yield* History.cast("sum", { write: 2 }, Effect.void)
      yield* History.read("sum", Effect.succeed(2))
      const { lines } = yield* History.History
      const text = lines.map(({ text }) => text).join()
      for (const said of ["add 5 to sum", "write 2 to sum"]) assert.include(text, said)
      assert.isUndefined(yield* History.check)
      yield* History.cast("sum", { add: 1 }, Effect.void)
      yield* History.read("sum", Effect.succeed(4))
      assert.include((yield* Effect.flip(History.check)).message, "sum")
    })))

  it.effect("keeps keys apart", () =>
    run(Effect.gen(function*() {
      const counter = yield* Counter
      yield* History.cast("one", { add: 5 }, counter.Put({ to: 5 }))
      yield* History.read("other", counter.Add({ by: 0 }))
      assert.deepStrictEqual(yield* outcomes, ["0- it was sent", "2-3 = 5"])
    })))

  it.effect("passes on what the call answers, or fails with", () =>
    run(Effect.gen(function*() {
      const counter = yield* Counter
      assert.strictEqual(yield* History.write("counter", 3, Effect.as(counter.Put({ to: 3 }), "done")), "done")
      const [written] = (yield* History.History).operations
      assert.strictEqual(written?.outcome._tag, "Answered")
      assert.deepStrictEqual(yield* Effect.exit(adding(-1)), Exit.fail(new No()))
      assert.strictEqual(yield* History.read("counter", counter.Add({ by: 0 })), 3)
      yield* History.check
    })))
})

describe("checking a history", () => {
  it.effect("holds for a server, under whatever it does", () =>
    run(Effect.gen(function*() {
      yield* History.begins("counter", 0)
      const slow = yield* Effect.forkChild(Effect.exit(slowly(1)), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.await(slow)
      yield* adding(1)
      assert.isUndefined(yield* History.check)
    })))

  it.effect("fails with what cannot be, and the operations that show it", () =>
    run(Effect.gen(function*() {
      yield* History.begins("counter", 1)
      yield* adding(1)
      const broken = yield* Effect.flip(History.check)
      assert.strictEqual(broken._tag, "Broken")
      assert.strictEqual(
        broken.message,
        "no order of these operations, from 1 on, gives \"client: add 1 to counter = 1\""
      )
      assert.deepStrictEqual(broken.violations.map(({ key, operations }) => [key, operations]), [
        ["counter", (yield* History.History).operations]
      ])
    })))

  it.effect("fails where it cannot be decided, and says so", () =>
    Effect.gen(function*() {
      const history = yield* History.History
      const ends = Array.from({ length: 18 }, (_, i) => history.begin(`c${i}`, "k", { _tag: "Write", value: i }))
      for (const end of ends) end((at) => ({ outcome: { _tag: "Answered", value: undefined, at } }))
      const { message } = yield* Effect.flip(History.check)
      assert.strictEqual(message, "the history of k has too much of unknown outcome to be decided")
    }).pipe(Effect.provide(History.layer)))
})

describe("when everything was switched off", () => {
  it.effect("whatever was under way, or open, is over when another process has taken over", () =>
    Effect.gen(function*() {
      const history = yield* History.History
      const sent = history.begin("a", "k", { _tag: "Add", by: 1 })
      sent(() => ({ outcome: { _tag: "Unknown", why: "it was sent" }, until: "an answer to its client" }))
      const waiting = history.begin("a", "k", { _tag: "Add", by: 1 })
      history.stopped("killed")
      history.takenOver()
      waiting((at) => ({ outcome: { _tag: "Answered", value: 2, at } }))
      assert.deepStrictEqual(yield* outcomes, ["0-4 it was sent", "2-4 killed"])
    }).pipe(Effect.provide(History.layer)))
})
