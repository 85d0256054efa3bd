import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, type Exit, Logger, Schema } from "effect"
import { Lifecycle } from "../../../src/domain/observation/Lifecycle.ts"
import { CallError, callError } from "../../../src/domain/process/CallError.ts"
import { crashed, toText } from "../../../src/domain/process/ExitReason.ts"
import { bounded, reportLength } from "../../../src/domain/text/ForeignCause.ts"
import { textLength } from "../../../src/domain/text/ForeignText.ts"
import { hostiles, Tape, valueOf } from "../../kit/Hostile.ts"

const causesOf = (value: unknown): ReadonlyArray<Cause.Cause<unknown>> => [
  Cause.die(value),
  Cause.fail(value),
  Cause.fromReasons([Cause.makeFailReason("first"), Cause.makeDieReason(value)])
]

const formats = [Logger.formatSimple, Logger.formatLogFmt, Logger.formatJson]

/** All loggers of effect print a bounded cause, within some times its bound. */
const prints = (cause: Cause.Cause<unknown>): void => {
  const shown = bounded(cause)
  Effect.runSync(Effect.withFiber((fiber) =>
    Effect.sync(() => {
      for (const format of formats) {
        const text = format.log({ message: "", logLevel: "Error", cause: shown, fiber, date: new Date(0) })
        assert.isString(text)
        assert.isAtMost(text.length, 4 * reportLength)
      }
    })
  ))
}

const event = (cause: Cause.Cause<unknown>): Lifecycle => ({
  _tag: "Exited",
  path: ["root"],
  at: 0,
  kind: "worker",
  incarnation: 1,
  reason: crashed(cause)
})

const codec = Schema.fromJsonString(Schema.toCodecJson(Lifecycle))
const errorCodec = Schema.fromJsonString(Schema.toCodecJson(CallError))

const sends = (cause: Cause.Cause<unknown>): void => {
  const sent = Schema.decodeSync(codec)(Schema.encodeSync(codec)(event(cause)))
  assert.isAtMost(toText((sent as Extract<Lifecycle, { readonly _tag: "Exited" }>).reason).length, textLength + 100)
  const error = callError("root > a", "Die", { _tag: "Crashed", cause, willRestart: true })
  assert.include(error.message, "while it handled this message.")
  assert.include(Schema.decodeSync(errorCodec)(Schema.encodeSync(errorCodec)(error)).message, "Die to root > a")
}

describe("a cause of foreign errors", () => {
  it.each(hostiles)("can be printed by any logger, within a bound: %s", (_, make) => causesOf(make()).forEach(prints))

  it.each(hostiles)("can be sent in an event, and in an error: %s", (_, make) => causesOf(make()).forEach(sends))

  it.prop("can be printed, whatever the error does", [Tape], ([tape]) => causesOf(valueOf(tape)).forEach(prints), {
    arbitrary: { runs: 150, size: 60 }
  })

  it.prop("can be sent, whatever the error does", [Tape], ([tape]) => causesOf(valueOf(tape)).forEach(sends), {
    arbitrary: { runs: 150, size: 60 }
  })

  it("is the same one when it is small and harmless", () => {
    class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.Int }) {}
    for (const value of ["boom", new Error("a", { cause: new Error("b") }), new Refused({ by: 1 }), { _tag: "No" }]) {
      for (const cause of causesOf(value)) assert.strictEqual(bounded(cause), cause)
    }
    const interrupted = Cause.interrupt(1)
    assert.strictEqual(bounded(interrupted), interrupted)
  })

  it("says the same otherwise: name, message, stack, causes, and how many more there are", () => {
    const chain = new TypeError("outer", { cause: Object.assign(new Error("inner"), { name: Symbol("no text") }) })
    const [reason] = bounded(Cause.fail(chain)).reasons
    assert(reason?._tag === "Fail" && reason.error instanceof Error)
    assert.strictEqual(reason.error.name, "TypeError")
    assert.match(reason.error.stack!, /^TypeError: outer\n {4}at .*ForeignCause\.test/)
    assert.strictEqual((reason.error.cause as Error).message, "inner")

    const many = bounded(Cause.fromReasons(Array.from({ length: 1000 }, (_, i) => Cause.makeDieReason(`boom ${i}`))))
    assert.isAtMost(many.reasons.length, 11)
    assert.include(Cause.pretty(many), "boom 0")
    assert.include(Cause.pretty(many), "… 990 more")

    const gathered = bounded(Cause.die(new AggregateError([new Error("one"), new Error("two")], "all")))
    assert.include(Cause.pretty(gathered), "one")
    assert.include(Cause.pretty(gathered), "two")
  })

  it("keeps where the fiber was, and which kind of failure it was", () => {
    const exit = Effect.runSyncExit(
      Effect.withSpan(Effect.fail(Object.assign(new Error("boom"), { name: Symbol("name") })), "the span")
    ) as Exit.Failure<never, unknown>
    const shown = bounded(exit.cause)
    assert.notStrictEqual(shown, exit.cause)
    assert.deepStrictEqual(
      [...shown.reasons[0]!.annotations.keys()],
      [...exit.cause.reasons[0]!.annotations.keys()]
    )
    assert.isTrue(Cause.hasFails(shown))
  })
})
