/** What a thread, or process, does with what it is asked: with no parent behind it. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Layer, Logger, References, Schema } from "effect"
import { shutdown } from "../../../../src/domain/process/ExitReason.ts"
import * as Next from "../../../../src/domain/server/Next.ts"
import { GenServer } from "../../../../src/index.ts"
import { codecOf, encodeReason, type WireServer } from "../../../../src/layers/placement/worker/Codecs.ts"
import { type Definition, guest as own, serve } from "../../../../src/layers/placement/worker/Guest.ts"
import {
  type Ask,
  begun,
  type Callback,
  calledBack,
  type Guest,
  type Outcome,
  type Response,
  slots,
  waiting
} from "../../../../src/layers/placement/worker/Protocol.ts"
import { reachable } from "../../../kit/Garbage.ts"

class Rate extends Context.Service<Rate, number>()("test/guest/Rate") {}

class Till extends GenServer.Service<Till>()("test/guest/Till", {
  state: Schema.Struct({ at: Schema.Date, n: Schema.Int }),
  messages: { Ask: GenServer.call({ payload: { by: Schema.Date }, reply: Schema.Unknown }), Tell: GenServer.cast() }
}) {}

const codec = codecOf(Till as unknown as WireServer)
const state = (n: number) => ({ at: new Date(n), n })
const date = new Date(5)

type Handler = (state: unknown, payload: unknown, context: any) => unknown

/** A guest that serves the class with this as its handler of both messages. */
const served = (
  handler: Handler,
  { marks, ...given }: Partial<Omit<Definition, "server">> & { readonly marks?: Int32Array } = {}
) => {
  const heard: Array<Response> = []
  const guest: Guest = {
    place: marks === undefined ? "process" : "thread",
    post: (response) => void heard.push(structuredClone(response)),
    marks,
    receive: undefined,
    served: new Map()
  }
  const behavior = { init: Effect.succeed(state(1)), handlers: { Ask: handler, Tell: handler } } as never
  serve(guest, { server: Till as unknown as WireServer, behavior, layer: undefined, ...given })
  let id = 0
  const ask = (callback: Callback, given: Partial<Ask> = {}): number => {
    const request = { seat: 0, server: Till.key, key: undefined, slot: -1, state: undefined, id: id++ } as const
    guest.receive?.({ to: "ask", ...request, callback, ...given })
    return id - 1
  }
  const outcomes = () => heard.flatMap((one) => one.is === "outcome" ? [one.outcome] : [])
  const call = (given?: Partial<Ask>) => ask(asking, given)
  const tell = (given?: Partial<Ask>) => ask(telling, given)
  return { guest, heard, ask, call, tell, outcomes }
}

const context = { incarnation: 3, attempt: 2, seq: 9, timer: { name: "t", missed: 1 } as never }
const asking: Callback = {
  of: "handler",
  tag: "Ask",
  payload: codec.message("Ask")!.payload.encode({ by: date }),
  context
}
const telling: Callback = { of: "handler", tag: "Tell", payload: codec.message("Tell")!.payload.encode({}), context }
const sent = (n: number) => ({ state: codec.encodeState(state(n)) })
const numbered = (outcome: Outcome | undefined): unknown =>
  outcome?.is === "state" && outcome.state !== "same" ? Object(codec.decodeState(outcome.state)).n : outcome
const plus = (one: any) => ({ ...one, n: one.n + 1 })
const broken = (is: Outcome["is"], message: string) => ({ is, message })
const issueOf = (outcome: Outcome | undefined) =>
  outcome?.is === "refused"
    ? broken("refused", `${outcome.what}: ${outcome.issue}`)
    : outcome?.is === "defect"
    ? broken("defect", `${outcome.error.name}: ${outcome.error.message}`)
    : outcome

describe("what a thread is asked", () => {
  it("is nothing in a program of its own; the first entry makes it listen, and the others join", () => {
    assert.isUndefined(own)
    const { guest } = served(plus)
    const { receive } = guest
    assert.isFunction(receive)
    const other = { ...Till, key: "test/guest/Other" } as unknown as WireServer
    serve(guest, { server: other, behavior: {} as never, layer: undefined })
    assert.strictEqual(guest.receive, receive)
    assert.deepStrictEqual([...guest.served.keys()], [Till.key, "test/guest/Other"])
  })

  it("has the state that was sent, and then the one that was answered, one incarnation beside the other", () => {
    const { guest, outcomes, tell } = served(plus)
    tell(sent(1))
    tell({ seat: 1, ...sent(10) })
    tell()
    tell({ seat: 1 })
    tell(sent(5))
    tell()
    assert.deepStrictEqual(outcomes().map(numbered), [2, 11, 3, 12, 6, 7])
    guest.receive?.({ to: "forget", seat: 0 })
    tell({ seat: 1 })
    tell()
    assert.strictEqual(numbered(outcomes()[6]), 13)
    assert.strictEqual(outcomes()[7]?.is, "defect")
  })

  it("has the state as it was after one that fails or dies, and none after one that hibernates", () => {
    const answers = [
      plus,
      () => {
        throw new RangeError("boom")
      },
      () => Effect.die(new RangeError("later")),
      plus,
      (one: any) => Next.noReply(plus(one), { hibernate: true }),
      (one: unknown) => Effect.succeed({ at: date, n: one === undefined ? 0 : 1 })
    ]
    const { outcomes, tell } = served((state) => answers.shift()!(state))
    tell(sent(1))
    for (let i = 0; i < 5; i++) tell()
    const [first, second, third, fourth, , last] = outcomes()
    assert.deepStrictEqual([first, fourth, last].map(numbered), [2, 3, 0])
    assert.deepStrictEqual([second, third].map(issueOf), [
      broken("defect", "RangeError: boom"),
      broken("defect", "RangeError: later")
    ])
  })

  it("is refused where its payload, or its state, cannot be read: no handler has it", () => {
    const { ask, outcomes, tell } = served(() => assert.fail("it was run"))
    ask({ ...asking, payload: { by: "no date" } } as Callback, sent(1))
    tell({ state: { version: 1, state: "{}" } as never })
    assert.match(Object(issueOf(outcomes()[0])).message, /^payload: it does not fit its schema/)
    assert.match(Object(issueOf(outcomes()[1])).message, /^state: /)
  })

  it("is the callback that was meant, with what it is given", () => {
    const given: Array<unknown> = []
    const noted = (name: string) => (...args: ReadonlyArray<unknown>) => {
      given.push([name, ...args])
      return args.at(-1)
    }
    const behavior = {
      init: Effect.succeed(state(1)),
      handlers: {},
      restore: noted("restore"),
      idle: noted("idle"),
      terminate: noted("terminate")
    }
    const { ask, outcomes } = served(plus, { behavior: behavior as never })
    ask({ of: "init" })
    ask({ of: "restore" }, sent(2))
    ask({ of: "idle" })
    ask({ of: "terminate", reason: encodeReason(shutdown) })
    assert.deepStrictEqual(given, [["restore", state(2)], ["idle", state(2)], ["terminate", shutdown, state(2)]])
    assert.strictEqual(numbered(outcomes()[0]), 1)
    assert.deepStrictEqual(outcomes().slice(1), [
      { is: "state", state: "same" },
      { is: "state", state: "same" },
      { is: "nothing" }
    ])
    // What a behaviour does not have is no callback of it.
    const bare = served(plus, { behavior: { init: state(1), handlers: {} } as never })
    bare.ask({ of: "terminate", reason: encodeReason(shutdown) }, sent(1))
    assert.deepStrictEqual(bare.outcomes(), [{ is: "nothing" }])
    for (const  of of["restore", "idle"] as const) bare.ask({ of }, sent(1))
    bare.tell(sent(1))
    assert.isTrue(bare.outcomes().slice(1).every(({ is }) => is === "refused"))
  })

  it("is the behaviour of its key, made once an incarnation, and its message in hand", () => {
    const made: Array<string> = []
    let seen: ReadonlyArray<unknown> = []
    const behavior = (key: string) => {
      made.push(key)
      return {
        init: state(1),
        handlers: {
          Ask: (given: unknown, payload: unknown, { attempt, from, incarnation, key: its, seq, timer }: any) => {
            seen = [given, payload, { attempt, incarnation, seq, timer, key: its }]
            return Effect.as(GenServer.reply(from, Exit.void), [key, given])
          },
          Tell: plus
        }
      }
    }
    const { call, outcomes, tell } = served(plus, { behavior: behavior as never })
    call({ key: "a", ...sent(1) })
    assert.deepStrictEqual(seen, [state(1), { by: date }, { ...context, key: "a" }])
    tell({ key: "a" })
    tell({ key: undefined, seat: 1, ...sent(1) })
    assert.deepStrictEqual(made, ["a", ""])
    // Its caller is not there to be answered.
    assert.match(Object(issueOf(outcomes()[0])).message, /where the caller is not/)
  })
})

describe("a message in a thread", () => {
  it("that was called back is not begun; one that is, is marked and counted", () => {
    const marks = new Int32Array(slots + 1)
    let runs = 0
    const { heard, tell } = served((one) => [runs++, one][1], { marks })
    Atomics.store(marks, 4, calledBack)
    const back = tell({ slot: 3, ...sent(1) })
    assert.deepStrictEqual(heard, [{ is: "outcome", id: back, outcome: { is: "interrupted" } }])
    assert.deepStrictEqual([runs, marks[0]], [0, 0])
    tell({ slot: 0, ...sent(1) })
    assert.deepStrictEqual([runs, marks[0], marks[1], marks[2]], [1, 1, begun, waiting])
    // One without a mark is marked nowhere.
    tell()
    assert.deepStrictEqual([runs, marks[0], heard.length], [2, 1, 3])
  })

  it("is told to be begun by a process, before it runs, where that is asked", () => {
    let before: ReadonlyArray<Response> = []
    const { heard, tell } = served((one) => [before = [...heard], one][1])
    const id = tell({ slot: 0, ...sent(1) })
    assert.deepStrictEqual(before, [{ is: "begun", id }])
    tell()
    assert.deepStrictEqual(heard.map(({ is }) => is), ["begun", "outcome", "outcome"])
  })

  it.effect("that waits is answered when it ends, and is interrupted by its number", () =>
    Effect.gen(function*() {
      const ends = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      let begun = 0
      const { guest, heard, tell } = served((one) => Effect.as(Deferred.await(ends[begun++]!), one))
      const first = tell(sent(1))
      const second = tell(sent(1))
      assert.lengthOf(heard, 0)
      guest.receive?.({ to: "interrupt", id: second })
      guest.receive?.({ to: "interrupt", id: 77 })
      yield* Effect.yieldNow
      assert.deepStrictEqual(heard, [{ is: "outcome", id: second, outcome: { is: "interrupted" } }])
      yield* Deferred.succeed(ends[0]!, undefined)
      yield* Effect.yieldNow
      assert.deepStrictEqual(heard[1], { is: "outcome", id: first, outcome: { is: "state", state: "same" } })
      guest.receive?.({ to: "interrupt", id: first })
      yield* Effect.yieldNow
      assert.lengthOf(heard, 2)
    }))
})

describe("messages that have waited in a thread", () => {
  it.effect("leave nothing behind", () =>
    Effect.gen(function*() {
      const answered: Array<WeakRef<object>> = []
      const { tell } = served((one) =>
        Effect.map(Effect.yieldNow, () => {
          const next = plus(one)
          answered.push(new WeakRef(next))
          return next
        })
      )
      tell(sent(1))
      yield* Effect.yieldNow
      for (let i = 1; i < 200; i++) {
        tell()
        yield* Effect.yieldNow
      }
      assert.lengthOf(answered, 200)
      assert.isBelow(yield* reachable(answered, 20), 20)
    }))
})

describe("the services of a thread", () => {
  const ofRate = () => Effect.map(Rate, (rate) => [rate, state(1)])
  const end = (guest: Guest) => guest.receive?.({ to: "end", id: 9 })

  it.effect("are those of its layer, and go when it ends in order", () =>
    Effect.gen(function*() {
      let released = 0
      const layer = Layer.effect(Rate, Effect.acquireRelease(Effect.succeed(7), () => Effect.sync(() => released++)))
      const { call, guest, heard, outcomes } = served(ofRate, { layer })
      guest.receive?.({ to: "serve", id: 4, server: Till.key })
      assert.deepStrictEqual(heard, [{ is: "done", id: 4, error: undefined }])
      call(sent(1))
      assert.propertyVal(outcomes()[0], "reply", 7)
      end(guest)
      yield* Effect.yieldNow
      assert.deepStrictEqual([heard.at(-1), released], [{ is: "done", id: 9, error: undefined }, 1])
    }))

  it("are none where there is no layer; what fails, or is not there, is said", () => {
    const none = served(plus)
    none.guest.receive?.({ to: "serve", id: 4, server: Till.key })
    assert.deepStrictEqual(none.heard, [{ is: "done", id: 4, error: undefined }])
    none.guest.receive?.({ to: "serve", id: 5, server: "test/guest/Other" })
    const message = "its module has an entry at its top level, but none of this class"
    assert.deepStrictEqual(none.heard[1], { is: "done", id: 5, error: { name: "NoEntry", message } })
    const failing = served(ofRate, { layer: Layer.effect(Rate, Effect.fail(new RangeError("no rate"))) })
    failing.guest.receive?.({ to: "serve", id: 6, server: Till.key })
    failing.call(sent(1))
    const [done] = failing.heard
    assert.deepInclude(Object(done), { is: "done", id: 6 })
    assert.deepInclude(Object(done).error, { name: "RangeError", message: "no rate" })
    assert.strictEqual(failing.outcomes()[0]?.is, "defect")
  })

  it("that cannot be released are said to be at the end", () => {
    const layer = Layer.effectDiscard(Effect.addFinalizer(() => Effect.die(new RangeError("no way out"))))
    const { guest, heard } = served(plus, { layer })
    guest.receive?.({ to: "serve", id: 4, server: Till.key })
    end(guest)
    assert.deepInclude(Object(heard[1]), { is: "done", id: 9 })
    assert.deepInclude(Object(heard[1]).error, { name: "RangeError", message: "no way out" })
  })
})

const within = (n: number, from: number, to: number): boolean => from <= n && n <= to

describe("what a handler logs", () => {
  const lines = (effect: Effect.Effect<unknown>) => {
    const { heard, tell } = served(() => Effect.as(effect, state(1)))
    tell(sent(1))
    return heard.filter((one) => one.is === "log")
  }

  it("is what its parent logs: level, text, values as plain data, annotations and cause", () => {
    const [line] = lines(Effect.annotateLogs(Effect.logWarning("a", { date }, "c"), { of: "x", n: { date } }))
    assert.deepStrictEqual(line, {
      is: "log",
      level: "Warn",
      message: ["a", { date: date.toJSON() }, "c"],
      annotations: { of: "x", n: { date: date.toJSON() } },
      cause: undefined
    })
    assert.deepStrictEqual(lines(Effect.log("a"))[0]?.message, ["a"])
    // A text is whole; of a value there is as much as of one in a report.
    const long = "x".repeat(20_000)
    const [texts, values] = lines(Effect.andThen(Effect.log(long), Effect.log({ long })))
    assert.deepStrictEqual(texts?.message, [long])
    assert.isTrue(within(JSON.stringify(values?.message).length, 10_000, 19_000))
    const direct = Effect.withFiber((fiber) =>
      Effect.sync(() => {
        for (const logger of fiber.getRef(Logger.CurrentLoggers)) {
          logger.log({ message: "alone", logLevel: "Info", cause: Cause.empty, fiber, date })
        }
      })
    )
    assert.deepStrictEqual(lines(direct)[0]?.message, ["alone"])
    const [failed] = lines(Effect.logError("no", Cause.die(new RangeError("boom"))))
    assert.deepStrictEqual([failed?.level, failed?.message], ["Error", ["no"]])
    assert.deepInclude(Object(failed?.cause), { name: "RangeError", message: "boom" })
  })

  it("at no level, or at every one, is no line", () => {
    for (const level of ["None", "All"] as const) {
      const logging = Effect.provideService(Effect.log("a"), References.CurrentLogLevel, level)
      assert.lengthOf(lines(Effect.provideService(logging, References.MinimumLogLevel, "All")), 0)
    }
  })
})
