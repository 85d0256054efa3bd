/** What the engines log, over loggers that fail. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Console, Context, Effect, Logger, References } from "effect"
import type { CrashReport } from "../../../src/domain/observation/CrashReport.ts"
import { crashed } from "../../../src/domain/process/ExitReason.ts"
import { reportLength } from "../../../src/domain/text/ForeignCause.ts"
import { logIn } from "../../../src/layers/observation/SafeLog.ts"
import * as Sink from "../../../src/layers/observation/Sink.ts"
import { hostiles } from "../../kit/Hostile.ts"

const refuse = (): never => {
  throw new Error("disk full")
}

/** Loggers, and a console, in one context; what the console was given. */
const over = (...loggers: ReadonlyArray<Logger.Logger<unknown, unknown>>) => {
  const printed: Array<string> = []
  const output: Console.Console = { ...console, error: (line: unknown) => printed.push(String(line)) }
  const context = Context.make(References.CurrentLoggers, new Set(loggers)).pipe(
    Context.add(Console.Console, output)
  )
  return { printed, context }
}

const keeping = () => {
  const kept: Array<string> = []
  return { kept, logger: Logger.make((options) => kept.push(Logger.formatSimple.log(options))) }
}

const broken = () => Logger.make(refuse)

const report: CrashReport = {
  path: ["app", "Counter"],
  incarnation: 2,
  reason: crashed(Cause.die(new Error("boom"))),
  next: "it is restarted"
}

const seen = "a logger failed (Error: disk full), and did not show this: app > Counter #2 crashed; it is restarted"

describe("a logger that throws", () => {
  it("fails alone: the others have the entry, and one that says which it has not shown", () => {
    for (const order of [[0, 1, 2], [2, 1, 0], [1, 0, 2]]) {
      const [one, other] = [keeping(), keeping()]
      const loggers = [one.logger, broken(), other.logger]
      const { context, printed } = over(...order.map((i) => loggers[i]!))
      Sink.make().crashed(report, context)
      for (const { kept } of [one, other]) {
        assert.lengthOf(kept, 2)
        assert.include(kept[0], "app > Counter #2 crashed; it is restarted")
        assert.include(kept[0], "Error: boom")
        assert.include(kept[1], seen)
      }
      assert.deepStrictEqual(printed, [])
    }
  })

  it("and has no other beside it: the console shows the entry with its cause", () => {
    for (const loggers of [[broken()], [broken(), broken()], [broken(), Logger.tracerLogger]]) {
      const { context, printed } = over(...loggers)
      Sink.make().crashed(report, context)
      assert.isAtLeast(printed.length, 1)
      for (const line of printed) {
        assert.include(line, seen)
        assert.include(line, "Error: boom\n    at ")
      }
    }
  })

  it("and there was no cause: the console shows the entry alone", () => {
    const { context, printed } = over(broken())
    logIn(context, Effect.logError("anything", 7))
    assert.deepStrictEqual(printed, ["a logger failed (Error: disk full), and did not show this: anything 7"])
  })

  it("and a console that throws as well: nothing is thrown at the engine", () => {
    const { context } = over(broken())
    const silent = Context.add(context, Console.Console, { ...console, error: refuse })
    Sink.make().crashed(report, silent)
    const telemetry = Sink.make()
    telemetry.rolledBack({ path: ["app"], incarnation: 1, from: 2, to: 1, why: "why" }, silent)
    assert.strictEqual(telemetry.counters.rollbacks, 1)
  })

  it("also over the entry about another one that failed: that is logged once", () => {
    let entries = 0
    const second = Logger.make(() => {
      if (entries++ > 0) refuse()
    })
    const { context, printed } = over(broken(), second)
    Sink.make().crashed(report, context)
    assert.strictEqual(entries, 2)
    assert.lengthOf(printed, 1)
  })

  it.effect("later, as an async function does: the console shows it, and the program goes on", () =>
    Effect.gen(function*() {
      const { context, printed } = over(Logger.make(() => Promise.reject(new Error("disk full"))))
      Sink.make().crashed(report, context)
      yield* Effect.promise(() => Promise.resolve())
      assert.lengthOf(printed, 1)
      assert.include(printed[0], seen)
    }))
})

it("a log entry that cannot be made is shown by the console", () => {
  const { context, printed } = over(keeping().logger)
  const clock = { ...Context.get(Context.empty(), Clock.Clock), currentTimeMillisUnsafe: refuse }
  logIn(Context.add(context, Clock.Clock, clock), Effect.logError("anything"))
  assert.lengthOf(printed, 1)
  assert.include(printed[0], "a log entry could not be made")
  assert.include(printed[0], "disk full")
})

describe("a report that shows", () => {
  it.each(hostiles)("%s: is whole, within its bound, in any of effect's loggers", (_, make) => {
    const lines: Array<string> = []
    const formats = [Logger.formatSimple, Logger.formatLogFmt, Logger.formatJson]
    const { context, printed } = over(
      ...formats.map((format) => Logger.make((options) => lines.push(format.log(options)))),
      Logger.consolePretty()
    )
    const pretty: Array<unknown> = []
    const output: Console.Console = { ...console, log: (...parts) => pretty.push(...parts), group: () => {} }
    Sink.make().crashed(
      {
        ...report,
        reason: crashed(Cause.die(make())),
        shown: { state: make(), message: { request: "Die", payload: make() }, log: [make()] }
      },
      Context.add(context, Console.Console, { ...output, error: (line: unknown) => printed.push(String(line)) })
    )
    assert.deepStrictEqual(printed, [])
    assert.lengthOf(lines, formats.length)
    for (const line of lines) assert.isAtMost(line.length, 8 * reportLength)
    assert.isAbove(pretty.length, 0)
  })

  it("and so are the annotations of the app's own log", () => {
    for (const [, make] of hostiles) {
      const { kept, logger } = keeping()
      const { context, printed } = over(logger)
      const annotations = { who: make(), "what else": { inside: make() } }
      Sink.make().crashed(report, Context.add(context, References.CurrentLogAnnotations, annotations))
      assert.include(kept[0], "app > Counter #2 crashed; it is restarted")
      assert.isAtMost(kept[0]!.length, 8 * reportLength)
      assert.deepStrictEqual(printed, [])
    }
  })

  it("the answer of its hook in place of the reason is a text as well", () => {
    for (const [, make] of hostiles) {
      const { kept, logger } = keeping()
      const { context } = over(logger)
      Sink.make().crashed({ ...report, shown: { state: 1, reason: make() } }, context)
      assert.include(kept[0], "app > Counter #2 ")
    }
  })
})
