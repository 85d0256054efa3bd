/**
 * Code of the app's own around a server: loggers, hooks, debug functions, clean-up. What it throws is reported, no
 * more.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Console, Effect, Layer, Logger, References, Schema } from "effect"
import { GenServer, Process, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { harmful } from "../../../kit/Hostile.ts"
import { type Line, recordedLog } from "../../../kit/Log.ts"
import { often } from "../../../kit/Restarts.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Die: GenServer.call(),
    Acquire: GenServer.call()
  }
}) {}

const refuse = (value: unknown = new Error("no")) => (): never => {
  throw value
}

interface Parts {
  readonly init?: Effect.Effect<number, unknown>
  readonly terminate?: () => Effect.Effect<void> | void
  readonly formatStatus?: (shown: unknown) => {}
}

const app = ({ init, ...parts }: Parts = {}) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
      StateContainer.layerMemory(Num),
      Num.layer({
        init: Effect.orDie(init ?? Effect.succeed(0)),
        ...parts,
        handlers: {
          Add: (n, { by }) => [n + by, n + by],
          Die: () => Effect.die(new Error("boom")),
          Acquire: (n) =>
            Effect.as(Effect.addFinalizer(() => Effect.die(new Error("not released"))), [undefined, n] as const)
        }
      })
    ]),
    Harness.Harness.layer
  )

/** Runs a test over the server, with its log. */
const over = <A, E>(
  parts: Parts,
  body: (num: Num["Service"], lines: () => ReadonlyArray<Line>) => Effect.Effect<A, E, Harness.Harness>
) => {
  const { layer, lines } = recordedLog()
  return Effect.gen(function*() {
    return yield* body(yield* Num, () => lines)
  }).pipe(Effect.provide(Layer.provide(app(parts), layer)))
}

const textsOf = (lines: ReadonlyArray<Line>) => lines.map(({ text }) => text)

describe("a logger that throws", () => {
  it.effect("loses no crash, no restart and no answer, and the console has the reports", () => {
    const printed: Array<string> = []
    const output: Console.Console = { ...console, error: (line: unknown) => printed.push(String(line)) }
    return Effect.gen(function*() {
      const num = yield* Num
      const { telemetry } = yield* Harness.Harness
      yield* num.Add({ by: 1 })
      for (let i = 0; i < 3; i++) {
        const error = yield* Effect.flip(num.Die())
        assert.strictEqual(error.reason._tag, "Crashed")
        assert.strictEqual(yield* num.Add({ by: 1 }), i + 2)
      }
      assert.strictEqual(yield* Process.incarnation(num), 4)
      assert.isDefined(telemetry)
      assert.lengthOf(printed, 3)
      for (const line of printed) assert.include(line, "root > test/Num #")
    }).pipe(
      Effect.provide(app()),
      Effect.provideService(References.CurrentLoggers, new Set([Logger.make(refuse())])),
      Effect.provideService(Console.Console, output)
    )
  })
})

describe("a failure of the clean-up", () => {
  it.effect("after a crash is reported beside it: the crash goes to the caller", () =>
    over({ terminate: refuse(new Error("no clean end")) }, (num, lines) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(num.Die())
        assert.include(error.message, "crashed: Error: boom")
        assert.deepStrictEqual(textsOf(lines()), [
          "root > test/Num #1: its clean-up failed, after it had ended (crashed: Error: boom)",
          "root > test/Num #1 crashed; it is restarted"
        ])
        assert.include(Cause.pretty(lines()[0]!.cause), "no clean end")
        assert.include(Cause.pretty(lines()[1]!.cause), "boom")
      })))

  it.effect("so is what could not be released after a crash, and after a kill; each is an event, too", () =>
    over({}, (num, lines) =>
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        yield* num.Acquire()
        yield* Effect.flip(num.Die())
        yield* num.Acquire()
        yield* Process.kill(num)
        yield* num.Add({ by: 1 })
        assert.deepStrictEqual(textsOf(lines()), [
          "root > test/Num #1: its clean-up failed, after it had ended (crashed: Error: boom)",
          "root > test/Num #1 crashed; it is restarted",
          "root > test/Num #2: its clean-up failed, after it had ended (killed)",
          "root > test/Num #2 killed; it is restarted"
        ])
        assert.include(Cause.pretty(lines()[2]!.cause), "not released")
        const events = (yield* harness.events).flatMap((event) => event._tag === "CleanUpFailed" ? [event] : [])
        assert.deepStrictEqual(events.map(({ incarnation }) => incarnation), [1, 2])
        for (const { cause } of events) assert.include(Cause.pretty(cause), "not released")
      })))

  it.effect("and after a start that failed", () => {
    let starts = 0
    const init = Effect.andThen(
      Effect.addFinalizer(() => starts === 2 ? Effect.die(new Error("not released")) : Effect.void),
      Effect.suspend(() => ++starts === 2 ? Effect.fail(new Error("not yet")) : Effect.succeed(0))
    ) as Effect.Effect<number, unknown>
    return over({ init }, (num, lines) =>
      Effect.gen(function*() {
        yield* Process.kill(num)
        yield* num.Add({ by: 1 })
        const line = lines().find(({ text }) => text.includes("released"))
        assert(line !== undefined)
        assert.strictEqual(line.text, "root > test/Num #2: what it had acquired was not released")
        assert.include(Cause.pretty(line.cause), "not released")
      }))
  })

  it.effect.each(harmful)(
    "of %s changes nothing about the end",
    ([, value]) =>
      over({ terminate: () => refuse(value())() }, (num, lines) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(num.Die())
          assert.include(error.message, "crashed: Error: boom")
          yield* num.Add({ by: 1 })
          assert.lengthOf(lines(), 2)
        }))
  )
})

describe("a format hook", () => {
  it.effect("that throws is reported, once for each report, and shows nothing", () =>
    over({ formatStatus: refuse(new Error("hook")) }, (num, lines) =>
      Effect.gen(function*() {
        yield* num.Add({ by: 4711 })
        yield* Effect.flip(num.Die())
        const [hook, report] = lines()
        assert.strictEqual(hook!.text, "root > test/Num #1: formatStatus crashed")
        assert.include(Cause.pretty(hook!.cause), "Error: hook")
        assert.strictEqual(report!.text, "root > test/Num #1 crashed; it is restarted")
        assert.strictEqual(report!.annotations["state"], "formatStatus crashed")
        const { state } = yield* Sys.getStatus(num)
        assert.strictEqual(state, "formatStatus crashed")
        assert.lengthOf(lines(), 3)
        assert.strictEqual(yield* num.Add({ by: 1 }), 4712)
      })))

  it.effect.each(harmful)(
    "that answers with %s is no matter to the server",
    ([, value]) =>
      over({ formatStatus: () => value() as {} }, (num, lines) =>
        Effect.gen(function*() {
          yield* num.Add({ by: 1 })
          yield* Effect.flip(num.Die())
          yield* Sys.getStatus(num)
          assert.strictEqual(yield* num.Add({ by: 1 }), 2)
          assert.isTrue(textsOf(lines()).some((text) => text.includes("#1 crashed")))
        }))
  )
})

describe("a debug function", () => {
  it.effect("that throws is removed, and that is reported", () =>
    over({}, (num, lines) =>
      Effect.gen(function*() {
        yield* Sys.install(num, refuse(new Error("debug")), undefined)
        yield* Sys.trace(num, refuse(new Error("trace")))
        assert.strictEqual(yield* num.Add({ by: 1 }), 1)
        assert.strictEqual(yield* num.Add({ by: 1 }), 2)
        assert.deepStrictEqual(textsOf(lines()), [
          "root > test/Num #1: a debug function failed: it is removed",
          "root > test/Num #1: a debug function failed: it is removed"
        ])
        assert.include(Cause.pretty(lines()[0]!.cause), "Error: debug")
        assert.include(Cause.pretty(lines()[1]!.cause), "Error: trace")
      })))

  it.effect("that is an async function, and fails later, ends no program", () =>
    over({}, (num, lines) =>
      Effect.gen(function*() {
        yield* Sys.trace(num, () => Promise.reject(new Error("late")))
        yield* num.Add({ by: 1 })
        yield* Effect.promise(() => Promise.resolve())
        assert.isAbove(lines().length, 0)
        assert.include(Cause.pretty(lines()[0]!.cause), "Error: late")
      })))
})
