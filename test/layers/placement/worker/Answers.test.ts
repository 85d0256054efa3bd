/** What a callback answered, as data and back: with no thread between. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, DateTime, Effect, Exit, Schema } from "effect"
import { shutdown } from "../../../../src/domain/process/ExitReason.ts"
import * as Next from "../../../../src/domain/server/Next.ts"
import { GenServer } from "../../../../src/index.ts"
import * as Answers from "../../../../src/layers/placement/worker/Answers.ts"
import { codecOf, type WireServer } from "../../../../src/layers/placement/worker/Codecs.ts"
import type { Callback, Outcome } from "../../../../src/layers/placement/worker/Protocol.ts"

class Broke extends Schema.TaggedError<Broke>()("Broke", { by: Schema.Int }) {}

class Till extends GenServer.Service<Till>()("test/Till", {
  state: Schema.Struct({ at: Schema.Date, n: Schema.Int }),
  messages: {
    Ask: GenServer.call({ payload: { by: Schema.Date }, reply: Schema.Date, error: Broke }),
    Tell: GenServer.cast({ payload: { by: Schema.Date } })
  }
}) {}

const codec = codecOf(Till as unknown as WireServer)
const asker: Answers.Asker = { server: "test/Till", place: "thread", codec }

const context = { incarnation: 1, attempt: 1, seq: 1, timer: undefined }
const handler = (tag: string): Callback => ({ of: "handler", tag, payload: {}, context })
const callbacks = {
  Ask: handler("Ask"),
  Tell: handler("Tell"),
  init: { of: "init" },
  restore: { of: "restore" },
  idle: { of: "idle" },
  terminate: { of: "terminate", reason: {} }
} satisfies Record<string, Callback>
type Name = keyof typeof callbacks

const state = (n: number) => ({ at: new Date(n), n })
const given = state(1)
const date = new Date(5)

/** There and back, over JSON, which is less than a structured clone keeps. */
const crossed = (name: Name, exit: Exit.Exit<unknown, unknown>) =>
  Effect.gen(function*() {
    const outcome = Answers.outcomeOf(codec, callbacks[name], exit, given)
    const cloned: Outcome = structuredClone(outcome)
    return { outcome, back: yield* Effect.exit(Answers.answerOf(asker, callbacks[name], cloned, given)) }
  })

const answered = (name: Name, value: unknown) => crossed(name, Exit.succeed(value))

const issueOf = (outcome: Outcome) => outcome.is === "refused" ? `${outcome.what}: ${outcome.issue}` : outcome.is

describe("an answer that travels", () => {
  const ring = [
    { _tag: "Cancel", name: "a" },
    { _tag: "After", name: "b", when: "2 seconds", message: { tag: "Tell", payload: { by: date } } },
    { _tag: "Every", name: "c", when: 3000, message: { tag: "Tell", payload: { by: date } } },
    { _tag: "At", name: "d", when: DateTime.makeUnsafe(77), message: { tag: "Tell", payload: { by: date } } }
  ]
  const rung = [
    ring[0],
    { ...ring[1], when: 2000 },
    ring[2],
    { ...ring[3], when: 77 }
  ]
  const options = { hibernate: true, idleAfter: "1 minute", timers: ring }
  const read = { hibernate: true, idleAfter: 60_000, timers: rung }

  it.effect.each<readonly [Name, unknown, unknown]>([
    ["Ask", [date, state(2)], [date, state(2)]],
    ["Ask", new Next.Reply(date, state(2), {} as never), [date, state(2)]],
    ["Ask", new Next.Reply(date, state(2), options as never), new Next.Reply(date, state(2), read as never)],
    ["Tell", state(2), state(2)],
    ["Tell", new Next.NoReply(state(2), {} as never), state(2)],
    ["Tell", new Next.NoReply(state(2), options as never), new Next.NoReply(state(2), read as never)],
    ["idle", state(2), state(2)],
    ["idle", new Next.NoReply(state(2), options as never), new Next.NoReply(state(2), read as never)],
    ["init", state(2), state(2)],
    ["init", new Next.Start(state(2), options as never), new Next.Start(state(2), read as never)],
    ["restore", new Next.Start(state(2), { conserve: true } as never), new Next.Start(state(2), { conserve: true })],
    [
      "restore",
      new Next.Start(state(2), { hibernate: false } as never),
      new Next.Start(state(2), { hibernate: false })
    ],
    ["restore", new Next.Start(state(2), { idleAfter: 5 } as never), new Next.Start(state(2), { idleAfter: 5 })],
    ["init", new Next.Start(state(2), { timers: [] } as never), new Next.Start(state(2), { timers: [] })],
    ["init", new Next.Start(state(2), {} as never), state(2)],
    ["init", new Next.Start(state(2), { info: undefined } as never), state(2)],
    ["init", new Next.Ignore(), new Next.Ignore()],
    ["restore", new Next.Ignore(), new Next.Ignore()],
    ["terminate", undefined, undefined],
    ["terminate", "whatever", undefined]
  ])("%s: comes back as it was", ([name, value, expected]) =>
    Effect.gen(function*() {
      const { back } = yield* answered(name, value)
      assert.deepStrictEqual(back, Exit.succeed(expected))
      assert.strictEqual(
        Exit.isSuccess(back) && Object.getPrototypeOf(Object(back.value)),
        Object.getPrototypeOf(Object(expected))
      )
    }))

  it.effect("a stop has its reason, and a reply and a state where it was given them", () =>
    Effect.gen(function*() {
      const reason = { _tag: "Shutdown" as const, detail: "enough" }
      const whole = new Next.Stop(reason, { reply: date, state: state(2) })
      assert.deepStrictEqual((yield* answered("Ask", whole)).back, Exit.succeed(whole))
      const silent = new Next.Stop(reason, { state: state(2) })
      assert.deepStrictEqual((yield* answered("Ask", silent)).back, Exit.succeed(silent))
      for (const name of ["Tell", "idle", "terminate"] as const) {
        const alone = new Next.Stop(reason, { state: state(2) })
        assert.deepStrictEqual((yield* answered(name, alone)).back, Exit.succeed(alone))
        // Nobody hears a reply.
        assert.deepStrictEqual((yield* answered(name, whole)).back, Exit.succeed(alone))
        const bare = new Next.Stop(reason, {})
        assert.deepStrictEqual((yield* answered(name, bare)).back, Exit.succeed(bare))
      }
    }))

  it.effect("the state that it was given does not travel, unless it is the first", () =>
    Effect.gen(function*() {
      for (const name of ["Tell", "idle", "restore"] as const) {
        const { back, outcome } = yield* answered(name, given)
        assert.deepStrictEqual(outcome, { is: "state", state: "same" })
        assert.strictEqual(Exit.isSuccess(back) && back.value, given)
      }
      const replied = yield* answered("Ask", [date, given])
      assert.propertyVal(replied.outcome, "state", "same")
      const stopped = yield* answered("Tell", new Next.Stop(shutdown, { state: given }))
      assert.propertyVal(stopped.outcome, "state", "same")
      const first = yield* answered("init", given)
      assert.notPropertyVal(first.outcome, "state", "same")
      assert.deepStrictEqual(first.back, Exit.succeed(given))
    }))

  it.effect("a moment that is none travels as none, and is refused where the others are", () =>
    Effect.gen(function*() {
      const timers = ["At", "After"].map((_tag) => ({
        _tag,
        name: "a",
        when: "never",
        message: { tag: "Tell", payload: { by: date } }
      }))
      const { outcome } = yield* answered("Tell", new Next.NoReply(given, { timers, idleAfter: "never" } as never))
      assert.isTrue(outcome.is === "state" && outcome.options !== undefined)
      const { idleAfter, timers: read } = outcome.is === "state" && outcome.options || {}
      assert.isNaN(idleAfter)
      assert.deepStrictEqual(read?.map((one) => "when" in one && one.when), [NaN, NaN])
    }))
})

describe("what does not travel", () => {
  it.effect.each<readonly [Name, unknown, string]>([
    ["Tell", Promise.resolve(given), "answer: a Promise is no state: wrap it with Effect.promise or Effect.tryPromise"],
    ["Ask", given, "answer: a call's handler replies, there and then: [reply, state] or Next.reply"],
    ["Ask", [date], "answer: a call's handler replies, there and then: [reply, state] or Next.reply"],
    ["Ask", [date, given, 1], "answer: a call's handler replies, there and then: [reply, state] or Next.reply"],
    [
      "Ask",
      new Next.NoReply(given, {} as never),
      "answer: a call's handler replies, there and then: " +
      "[reply, state] or Next.reply"
    ],
    ["Tell", new Next.Reply(date, given, {} as never), "answer: a cast has no reply"],
    [
      "Tell",
      new Next.NoReply(given, { continueWith: given } as never),
      "answer: continueWith is code, which does not " +
      "travel"
    ],
    ["init", new Next.Start(given, { info: 1 } as never), "answer: the info of a start does not travel"],
    [
      "Tell",
      new Next.NoReply(given, { timers: [{ _tag: "After", name: "a", when: 1, message: { tag: "No" } }] } as never),
      "answer: the timer \"a\" has no message of this class"
    ]
  ])("%s: is refused by what it is", ([name, value, issue]) =>
    Effect.gen(function*() {
      const { back, outcome } = yield* answered(name, value)
      assert.strictEqual(issueOf(outcome), issue)
      assert.include(Exit.isFailure(back) ? String(Cause.squash(back.cause)) : "", issue.slice("answer: ".length))
    }))

  it.effect("a value that does not fit its schema is refused as what it is", () =>
    Effect.gen(function*() {
      assert.match(issueOf((yield* answered("Tell", "no state")).outcome), /^state: it /)
      assert.match(
        issueOf((yield* answered("Ask", ["no date", given])).outcome),
        /^reply: it does not fit its schema \(/
      )
      // In one line.
      assert.notMatch(issueOf((yield* answered("Ask", ["no date", given])).outcome), /\n|undefined/)
      const failed = yield* crossed("Ask", Exit.fail("no such error"))
      assert.match(issueOf(failed.outcome), /^error: it does not fit its schema \(/)
      // A reply that does not fit is what it is without a thread.
      const { back } = yield* answered("Ask", ["no date", given])
      assert.strictEqual(Exit.isFailure(back) && Object(Cause.squash(back.cause))._tag, "InvalidReply")
      assert.strictEqual(
        Exit.isFailure(failed.back) && Object(Cause.squash(failed.back.cause))._tag,
        "NotCrossing"
      )
    }))

  it.effect("what comes back and is none of the class's is a crash that says whose it was", () =>
    Effect.gen(function*() {
      const back = (outcome: Outcome) => Effect.exit(Answers.answerOf(asker, callbacks.Tell, outcome, given))
      const wrong = yield* back({ is: "state", state: { version: 1, state: "{}" } })
      const error = Object(Exit.isFailure(wrong) && Cause.squash(wrong.cause))
      assert.deepInclude(error, { _tag: "NotCrossing", server: "test/Till", request: "Tell", what: "state" })
      assert.isTrue(Exit.isFailure(wrong) && Cause.hasDies(wrong.cause))
    }))

  it.effect("what cannot be made of an answer, or read of one, is a defect as it is", () =>
    Effect.gen(function*() {
      const { outcome } = yield* answered("Tell", new Next.NoReply(given, { timers: 5 } as never))
      assert.strictEqual(outcome.is === "defect" && outcome.error.name, "TypeError")
      const none = yield* crossed("Ask", Exit.failCause(Cause.empty))
      assert.strictEqual(none.outcome.is, "defect")
      const exit = yield* Effect.exit(Answers.answerOf(asker, callbacks.Tell, { is: "defect" } as never, given))
      assert.instanceOf(Exit.isFailure(exit) && Cause.squash(exit.cause), TypeError)
    }))
})

describe("an end of a callback", () => {
  const boom = Object.assign(new TypeError("boom"), { extra: 1 })

  it.effect("that fails fails a call with its error, and is a defect of a cast", () =>
    Effect.gen(function*() {
      const error = new Broke({ by: 3 })
      const call = yield* crossed("Ask", Exit.fail(error))
      assert.strictEqual(call.outcome.is, "failed")
      assert.deepStrictEqual(call.back, Exit.fail(error))
      const cast = yield* crossed("Tell", Exit.fail(error))
      assert.strictEqual(cast.outcome.is, "defect")
      assert.isTrue(Exit.isFailure(cast.back) && Cause.hasDies(cast.back.cause))
    }))

  it.effect("that fails at its start is a failure of the worker, which names the server and the place", () =>
    Effect.gen(function*() {
      for (const name of ["init", "restore", "terminate", "idle"] as const) {
        const { back, outcome } = yield* crossed(name, Exit.fail(boom))
        assert.strictEqual(outcome.is, "failed")
        const error = Object(Exit.isFailure(back) && Cause.squash(back.cause))
        assert.deepInclude(error, { _tag: "WorkerFailed", server: "test/Till", place: "thread", at: "init" })
        assert.include(String(error.cause), "boom")
      }
    }))

  it.effect("that dies is a defect with its name and text; one that is interrupted is interrupted", () =>
    Effect.gen(function*() {
      for (const cause of [Cause.die(boom), Cause.combine(Cause.fail("no"), Cause.die(boom))]) {
        const { back, outcome } = yield* crossed("Ask", Exit.failCause(cause))
        assert.strictEqual(outcome.is, "defect")
        assert.isTrue(Exit.isFailure(back) && Cause.hasDies(back.cause))
      }
      const { back } = yield* crossed("Ask", Exit.die(boom))
      const error = Exit.isFailure(back) && Cause.squash(back.cause)
      assert.deepInclude(Object(error), { name: "TypeError", message: "boom" })
      const interrupted = yield* crossed("Ask", Exit.interrupt(1))
      assert.deepStrictEqual(interrupted.outcome, { is: "interrupted" })
      assert.isTrue(Exit.isFailure(interrupted.back) && Cause.hasInterruptsOnly(interrupted.back.cause))
    }))
})

describe("the state after an answer", () => {
  const next = state(2)
  const after = (name: Name, exit: Exit.Exit<unknown, unknown>) => Answers.stateAfter(callbacks[name], exit, given)

  it("is the one that it has, and the one that was given where it has none", () => {
    for (
      const [name, value] of [
        ["Ask", [date, next]],
        ["Ask", new Next.Reply(date, next, {} as never)],
        ["Tell", new Next.NoReply(next, {} as never)],
        ["Tell", next],
        ["Tell", new Next.Stop(shutdown, { state: next })],
        ["init", new Next.Start(next, {} as never)],
        ["init", next],
        ["idle", next]
      ] as const
    ) assert.strictEqual(after(name, Exit.succeed(value)), next)
    for (
      const [name, exit] of [
        ["Ask", Exit.fail("no")],
        ["terminate", Exit.succeed(next)],
        ["Tell", Exit.succeed(new Next.Stop(shutdown, {}))]
      ] as const
    ) assert.strictEqual(after(name, exit), given)
    // A state may be a list itself, where no reply goes with it.
    assert.deepStrictEqual(after("idle", Exit.succeed([1, 2])), [1, 2])
  })

  it("is kept by neither side of a server that hibernates", () => {
    const options = (hibernate: boolean | undefined) => ({ options: { hibernate } })
    assert.isTrue(Answers.isDropped({ is: "state", state: "same", ...options(true) }))
    assert.isTrue(Answers.isDropped({ is: "reply", reply: 1, state: "same", ...options(true) }))
    assert.isFalse(Answers.isDropped({ is: "state", state: "same", ...options(false) }))
    assert.isFalse(Answers.isDropped({ is: "reply", reply: 1, state: "same" }))
    assert.isFalse(Answers.isDropped({ is: "nothing" }))
  })

  it("a callback goes by its message, or by its own name", () => {
    assert.strictEqual(Answers.requestOf(callbacks.Ask), "Ask")
    assert.strictEqual(Answers.requestOf(callbacks.restore), "restore")
  })
})
