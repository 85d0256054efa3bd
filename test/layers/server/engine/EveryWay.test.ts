/**
 * Promises about what a handler may answer, and about messages that come again: on every path, by handlers of every
 * style.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { along, everyWay, type Gates, gates, type Path, type Style } from "../../../kit/Cell.ts"
import { reasonOf } from "../../../kit/Failures.ts"
import { now } from "../../../kit/Fibers.ts"
import { often } from "../../../kit/Restarts.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

type Log = ReadonlyArray<string>
const Texts = Schema.Array(Schema.String)
const redeliver = { maxAttempts: 3 }
const payload = { failures: Schema.Int }

class Deed extends GenServer.Service<Deed>()("test/Deed", {
  state: Texts,
  messages: {
    Go: GenServer.call({ reply: Schema.String }),
    GoUnasked: GenServer.cast(),
    Later: GenServer.call({ reply: Schema.String }),
    Rest: GenServer.call(),
    Stop: GenServer.call({ reply: Schema.String }),
    Try: GenServer.call({ payload, reply: Schema.Int, redeliver, timeout: "infinity" }),
    TryUnasked: GenServer.cast({ payload, redeliver }),
    Die: GenServer.call(),
    Note: GenServer.cast({ payload: { what: Schema.String } }),
    Read: GenServer.call({ reply: Texts, timeout: "infinity" }),
    Hold: GenServer.call({ timeout: "infinity" })
  }
}) {}

/** An answer given in a style. */
const inStyle = (style: Style) => <A>(make: () => A): A => {
  // A handler may answer with a value or with an Effect of it: which one is all that differs here.
  switch (style) {
    case "a plain handler":
      return make()
    case "an effectful handler":
      return Effect.sync(make) as A
    case "a handler that waits":
      return Effect.map(Effect.yieldNow, make) as A
  }
}

interface Seen {
  readonly callers: Array<GenServer.From<string, never>>
  readonly finalStates: Array<Log>
  readonly logged: Array<string>
}

const app = (style: Style, { boot, hold }: Gates, seen: Seen) => {
  const answer = inStyle(style)
  const boom = (): never => {
    throw new Error("boom")
  }
  return Layer.provideMerge(
    Supervisor.layer({
      id: "root",
      strategy: "one_for_one",
      restart: often
    }, [
      StateContainer.layerMemory(Deed),
      Deed.layer({
        init: Effect.as(boot.await, [] as Log),
        restore: (log) => Effect.as(boot.await, log),
        terminate: (_reason, log) => Effect.sync(() => void seen.finalStates.push(log)),
        idle: (log) => answer(() => [...log, "idle"]),
        handlers: {
          Go: (log) =>
            answer(() =>
              Next.reply("gone", [...log, "went"], { continueWith: (log) => answer(() => [...log, "continued"]) })
            ),
          GoUnasked: (log) =>
            answer(() =>
              Next.noReply([...log, "went"], { continueWith: (log: Log) => answer(() => [...log, "continued"]) })
            ),
          Later: (log, _, { from }) =>
            answer(() => {
              seen.callers.push(from)
              return Next.noReply([...log, "later"])
            }),
          Rest: (log) => answer(() => Next.reply(undefined, log, { idleAfter: "1 second" })),
          Stop: (log) => answer(() => Next.stop({ _tag: "Normal" }, { reply: "stopped", state: [...log, "stopped"] })),
          Try: (log, { failures }, { attempt }) =>
            answer(() => attempt <= failures ? boom() : [attempt, [...log, `try ${attempt}`]] as const),
          TryUnasked: (log, { failures }, { attempt }) =>
            answer(() => attempt <= failures ? boom() : [...log, `try ${attempt}`]),
          Die: () => answer(boom),
          Note: (log, { what }) => [...log, what],
          Read: (log) => [log, log],
          Hold: (log) => Effect.as(hold.await, [undefined, log] as const)
        }
      })
    ]),
    Harness.Harness.layer
  ).pipe(Layer.provide(Layer.succeed(
    References.CurrentLoggers,
    new Set([
      Logger.make(({ message }) => void seen.logged.push(String(Array.isArray(message) ? message[0] : message)))
    ])
  )))
}

const promise = (
  name: string,
  body: (way: {
    readonly path: Path
    readonly style: Style
    readonly seen: Seen
    readonly deed: typeof Deed.Service
    readonly run: <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<Exit.Exit<A, E>, never, R>
  }) => Effect.Effect<void, unknown, Harness.Harness>
) =>
  describe(name, () => {
    for (const [path, style] of everyWay) {
      it.effect(`${style}, ${path}`, () => {
        const own = gates()
        const seen: Seen = { callers: [], finalStates: [], logged: [] }
        return Effect.gen(function*() {
          const deed = yield* Deed
          yield* deed.Note({ what: "first" })
          yield* deed.Read()
          yield* body({ path, style, seen, deed, run: (call) => along(path, deed, own, call) })
          const { telemetry } = yield* Harness.Harness
          assert.strictEqual(sinkOf(telemetry).counters.queued, 0, "messages waiting at the end")
        }).pipe(Effect.provide(app(style, own, seen)))
      })
    }
  })

const killed = (path: Path): number => path === "restarting" ? 1 : 0

promise(
  "a continuation runs before anything queued, on the state just committed",
  ({ deed, run }) =>
    Effect.gen(function*() {
      const exit = yield* run(Effect.gen(function*() {
        const going = yield* now(deed.Go())
        yield* deed.Note({ what: "queued" })
        const reading = yield* now(deed.Read())
        assert.strictEqual(yield* Fiber.join(going), "gone")
        return yield* Fiber.join(reading)
      }))
      assert.deepStrictEqual(exit, Exit.succeed(["first", "went", "continued", "queued"]))
    })
)

promise("a continuation of a cast runs before anything queued", ({ deed, run }) =>
  Effect.gen(function*() {
    const exit = yield* run(Effect.gen(function*() {
      yield* deed.GoUnasked()
      yield* deed.Note({ what: "queued" })
      return yield* deed.Read()
    }))
    assert.deepStrictEqual(exit, Exit.succeed(["first", "went", "continued", "queued"]))
  }))

promise(
  "after noReply the caller is answered later, once; the server goes on meanwhile",
  ({ deed, run, seen }) =>
    Effect.gen(function*() {
      const exit = yield* run(Effect.gen(function*() {
        const waiting = yield* now(deed.Later())
        const log = yield* deed.Read()
        yield* GenServer.reply(seen.callers[0]!, Exit.succeed("one"))
        yield* GenServer.reply(seen.callers[0]!, Exit.succeed("two"))
        return [log, yield* Fiber.join(waiting)] as const
      }))
      assert.deepStrictEqual(exit, Exit.succeed([["first", "later"], "one"] as const))
    })
)

promise(
  "a caller that still waits when the incarnation ends is answered Crashed",
  ({ deed, run }) =>
    Effect.gen(function*() {
      const exit = yield* run(Effect.gen(function*() {
        const waiting = yield* now(deed.Later())
        yield* deed.Read()
        yield* Process.kill(deed)
        return yield* Fiber.join(waiting)
      }))
      assert.strictEqual(reasonOf(exit)?._tag, "Crashed")
      assert.deepStrictEqual(yield* deed.Read(), ["first", "later"])
    })
)

promise(
  "idleAfter calls idle when that long has passed without a message, once",
  ({ deed, run }) =>
    Effect.gen(function*() {
      assert.isTrue(Exit.isSuccess(yield* run(deed.Rest())))
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(yield* Sys.getState(deed), ["first"])
      yield* TestClock.adjust("1 milli")
      assert.deepStrictEqual(yield* Sys.getState(deed), ["first", "idle"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Sys.getState(deed), ["first", "idle"])
    })
)

promise(
  "after stop with a reply the caller hears of it when the incarnation has ended",
  ({ deed, path, run, seen, style }) =>
    Effect.gen(function*() {
      const exit = yield* run(Effect.flatMap(deed.Stop(), (answer) =>
        Effect.map(Process.status(deed), (status) =>
          [answer, status, seen.finalStates.length] as const)))
      // Its supervisor has decided, and the next incarnation is not up yet. On its caller's own stack all of it is over
      // before the caller goes on.
      const isOver = path === "idle" && style !== "a handler that waits"
      assert.deepStrictEqual(exit, Exit.succeed(["stopped", isOver ? "running" : "restarting", 1] as const))
      assert.deepStrictEqual(seen.finalStates, [["first", "stopped"]])
      assert.deepStrictEqual(yield* deed.Read(), ["first", "stopped"])
    })
)

promise("a message with redeliver is handled again before anything queued", ({ deed, run }) =>
  Effect.gen(function*() {
    const exit = yield* run(Effect.gen(function*() {
      const trying = yield* now(deed.Try({ failures: 2 }))
      yield* deed.Note({ what: "queued" })
      assert.strictEqual(yield* Fiber.join(trying), 3)
      return yield* deed.Read()
    }))
    assert.deepStrictEqual(exit, Exit.succeed(["first", "try 3", "queued"]))
  }))

promise("a cast with redeliver is handled again before anything queued", ({ deed, run }) =>
  Effect.gen(function*() {
    const exit = yield* run(Effect.gen(function*() {
      yield* deed.TryUnasked({ failures: 2 })
      yield* deed.Note({ what: "queued" })
      return yield* deed.Read()
    }))
    assert.deepStrictEqual(exit, Exit.succeed(["first", "try 3", "queued"]))
  }))

promise(
  "a message with redeliver is quarantined at its cap; the messages behind it are handled",
  ({ deed, run }) =>
    Effect.gen(function*() {
      const exit = yield* run(Effect.gen(function*() {
        const trying = yield* now(Effect.exit(deed.Try({ failures: 100 })))
        yield* deed.Note({ what: "queued" })
        assert.deepStrictEqual(reasonOf(yield* Fiber.join(trying)), { _tag: "Quarantined", attempts: 3 })
        return yield* deed.Read()
      }))
      assert.deepStrictEqual(exit, Exit.succeed(["first", "queued"]))
      assert.deepStrictEqual((yield* Sys.quarantined(deed)).map(({ attempts }) => attempts), [3])
    })
)

promise(
  "a message with redeliver whose caller is gone is not handled again, whether it has been handled or not",
  ({ deed, run }) =>
    Effect.gen(function*() {
      const exit = yield* run(Effect.gen(function*() {
        const trying = yield* now(deed.Try({ failures: 1 }))
        yield* Fiber.interrupt(trying)
        return yield* deed.Read()
      }))
      assert.deepStrictEqual(exit, Exit.succeed(["first"]))
    })
)

promise(
  "every abnormal end makes one crash report, and every message, crash and restart is counted once",
  ({ deed, path, run, seen }) =>
    Effect.gen(function*() {
      const { counters } = sinkOf((yield* Harness.Harness).telemetry)
      const { calls, casts, crashes, restarts } = counters
      const reports = seen.logged.length
      assert.strictEqual(reasonOf(yield* run(deed.Die()))?._tag, "Crashed")
      assert.deepStrictEqual(yield* deed.Read(), ["first"])
      const more = killed(path)
      assert.strictEqual(seen.logged.length - reports, 1 + more, seen.logged.join("\n"))
      assert.deepStrictEqual(
        [counters.calls - calls, counters.casts - casts, counters.crashes - crashes, counters.restarts - restarts],
        [2 + (path === "busy" ? 1 : 0), 0, 1 + more, 1 + more]
      )
      // A kill leaves it no last word.
      assert.deepStrictEqual(seen.finalStates, [["first"]])
    })
)
