import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { GenServer, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now } from "../../../kit/Fibers.ts"
import { often } from "../../../kit/Restarts.ts"

/** Writes down what it is sent, in handlers of every style. */
class Log extends GenServer.Service<Log>()("test/Log", {
  state: Schema.Array(Schema.String),
  messages: {
    Tell: GenServer.call({ payload: { what: Schema.String } }),
    TellSlowly: GenServer.call({ payload: { what: Schema.String } }),
    Note: GenServer.cast({ payload: { what: Schema.String } }),
    NoteSlowly: GenServer.cast({ payload: { what: Schema.String } }),
    Crash: GenServer.cast(),
    Read: GenServer.call({ reply: Schema.Array(Schema.String) })
  }
}) {}

const LogLive = Log.layer({
  init: [],
  handlers: {
    Tell: (log, { what }) => [undefined, [...log, what]],
    TellSlowly: (log, { what }) => Effect.as(Effect.yieldNow, [undefined, [...log, what]] as const),
    Note: (log, { what }) => [...log, what],
    NoteSlowly: (log, { what }) => Effect.as(Effect.yieldNow, [...log, what]),
    Crash: () => Effect.die("boom"),
    Read: (log) => [log, log]
  }
})

const App = Layer.provideMerge(
  Supervisor.layer({
    id: "root",
    strategy: "one_for_one",
    restart: often
  }, [StateContainer.layerMemory(Log), LogLive]),
  Harness.Harness.layer
)

const sends = ["Tell", "TellSlowly", "Note", "NoteSlowly"] as const

describe("messages of one sender are handled in the order it sent them", () => {
  it.effect("calls and casts mixed, to an idle server", () =>
    Effect.gen(function*() {
      const log = yield* Log
      const sent: Array<string> = []
      for (const first of sends) {
        for (const second of sends) {
          for (const third of sends) {
            for (const how of [first, second, third]) {
              const what = `${how} ${sent.length}`
              sent.push(what)
              yield* log[how]({ what })
            }
          }
        }
      }
      assert.deepStrictEqual(yield* log.Read(), sent)
    }).pipe(Effect.provide(App)))

  it.effect("from many senders at once, with crashes in between", () =>
    Effect.gen(function*() {
      const log = yield* Log
      const senders = yield* Effect.forEach(Array.from({ length: 20 }, (_, n) => n), (n) =>
        now(Effect.gen(function*() {
          for (let i = 0; i < 25; i++) {
            yield* log[sends[(i + n) % sends.length]!]({ what: `${n}:${i}` })
            if (i % 10 === 9) yield* log.Crash()
          }
        })))
      yield* Effect.forEach(senders, Fiber.join)
      const all = yield* log.Read()
      assert.strictEqual(all.length, 500)
      for (let n = 0; n < 20; n++) {
        const own = all.filter((what) => what.startsWith(`${n}:`))
        assert.deepStrictEqual(own, Array.from({ length: 25 }, (_, i) => `${n}:${i}`))
      }
    }).pipe(Effect.provide(App)))
})

it.effect("a call that comes while casts are waiting is not served before them", () =>
  Effect.gen(function*() {
    const log = yield* Log
    const fibers = yield* Effect.forEach(["a", "b"], (name) =>
      now(Effect.gen(function*() {
        yield* log.Note({ what: `${name} 1` })
        yield* log.NoteSlowly({ what: `${name} 2` })
        yield* log.Note({ what: `${name} 3` })
        return yield* log.Read()
      })))
    const [a, b] = yield* Effect.forEach(fibers, Fiber.join)
    assert.deepStrictEqual(a!.filter((what) => what.startsWith("a")), ["a 1", "a 2", "a 3"])
    assert.deepStrictEqual(b!.filter((what) => what.startsWith("b")), ["b 1", "b 2", "b 3"])
  }).pipe(Effect.provide(App)))
