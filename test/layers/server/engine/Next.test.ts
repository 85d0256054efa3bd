import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Latch, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, Restart, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { tagOf } from "../../../kit/Failures.ts"
import { now } from "../../../kit/Fibers.ts"

class Box extends GenServer.Service<Box>()("test/Box", {
  state: Schema.Array(Schema.String),
  messages: {
    Say: GenServer.call({ payload: { what: Schema.String }, reply: Schema.Array(Schema.String) }),
    Note: GenServer.cast({ payload: { what: Schema.String } }),
    Work: GenServer.call({ reply: Schema.String }),
    Settle: GenServer.cast()
  }
}) {}

const say = (log: ReadonlyArray<string>, { what }: { readonly what: string }) => {
  const next = [...log, what]
  return [next, next] as const
}

const over = <R = never>(server: Layer.Layer<Box, never, Supervisor.Supervisor | StateContainer.StateOf<Box> | R>) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [StateContainer.layerMemory(Box), server]),
    Harness.Harness.layer
  )

describe("continueWith", () => {
  for (const how of ["at once", "with an Effect", "with an Effect that waits"] as const) {
    it.effect(`runs ${how} after the reply and before anything queued, on the state just committed`, () => {
      const gate = Latch.makeUnsafe()
      const go = (log: ReadonlyArray<string>) => [...log, "continued"]
      const server = Box.layer({
        init: [],
        handlers: {
          Say: say,
          Note: (log, { what }) => [...log, what],
          Work: (log) =>
            Effect.as(
              gate.await,
              Next.reply("done", [...log, "worked"], {
                continueWith: (log) =>
                  how === "at once"
                    ? go(log)
                    : how === "with an Effect"
                    ? Effect.sync(() => go(log))
                    : Effect.as(Effect.yieldNow, go(log))
              })
            ),
          Settle: (log) => log
        }
      })
      return Effect.gen(function*() {
        const box = yield* Box
        const working = yield* now(box.Work())
        yield* box.Note({ what: "queued" })
        const caller = yield* now(box.Say({ what: "last" }))
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(working), "done")
        assert.deepStrictEqual(yield* Fiber.join(caller), ["worked", "continued", "queued", "last"])
      }).pipe(Effect.provide(over(server)))
    })
  }

  it.effect("may go on for as long as it likes: nothing queued comes in between", () => {
    const server = Box.layer({
      init: [],
      handlers: {
        Say: say,
        Note: (log, { what }) => [...log, what],
        Work: (log) => Next.reply("done", log, { continueWith: step }),
        Settle: (log) => log
      }
    })
    const step = (log: ReadonlyArray<string>): ReadonlyArray<string> | Next.NoReply<ReadonlyArray<string>> =>
      log.length === 3 ? log : Next.noReply([...log, "step"], { continueWith: step })
    return Effect.gen(function*() {
      const box = yield* Box
      const working = yield* now(box.Work())
      const caller = yield* now(box.Say({ what: "last" }))
      yield* Fiber.join(working)
      assert.deepStrictEqual(yield* Fiber.join(caller), ["step", "step", "step", "last"])
    }).pipe(Effect.provide(over(server)))
  })

  it.effect("may use the server itself, and the services that its server is given", () => {
    const greeting = Context.Service<"greeting", string>("test/greeting")
    const server = Box.layer({
      init: Next.start([], { continueWith: (log) => Effect.map(greeting, (text) => [...log, `${text}, init`]) }),
      handlers: {
        Say: say,
        Note: (log, { what }) => [...log, what],
        Work: (log) =>
          Next.reply("done", log, {
            continueWith: Effect.fnUntraced(function*(log) {
              const self = yield* Box.self
              yield* self.Note({ what: "sent to itself" })
              return [...log, `${yield* greeting}, work`]
            })
          }),
        Settle: (log) => log
      }
    })
    return Effect.gen(function*() {
      const box = yield* Box
      yield* box.Work()
      yield* box.Say({ what: "first" })
      const log = yield* box.Say({ what: "last" })
      assert.deepStrictEqual(log.filter((line) => line.startsWith("hello")), ["hello, init", "hello, work"])
      assert.include(log, "sent to itself")
    }).pipe(Effect.provide(Layer.provide(over(server), Layer.succeed(greeting, "hello"))))
  })

  it.effect("ends with the incarnation that asked for it", () => {
    const server = Box.layer({
      init: [],
      handlers: {
        Say: say,
        Note: (log, { what }) => [...log, what],
        Work: (log) => Next.reply("done", log, { continueWith: (log) => [...log, "continued"] }),
        Settle: (log) => log
      }
    })
    return Effect.gen(function*() {
      const box = yield* Box
      // with the reply, the caller kills it before it has continued
      yield* Effect.andThen(box.Work(), Process.kill(box))
      assert.strictEqual(yield* Process.incarnation(box), 2)
      assert.deepStrictEqual(yield* box.Say({ what: "last" }), ["last"])
    }).pipe(Effect.provide(over(server)))
  })

  it.effect("that dies is a crash: the state is the one from before it, queued messages are kept", () => {
    const server = Box.layer({
      init: [],
      handlers: {
        Say: say,
        Note: (log, { what }) => [...log, what],
        Work: (log) => Next.reply("done", [...log, "worked"], { continueWith: () => Effect.die("boom") }),
        Settle: (log) => log
      }
    })
    return Effect.gen(function*() {
      const box = yield* Box
      assert.strictEqual(yield* box.Work(), "done")
      assert.deepStrictEqual(yield* box.Say({ what: "last" }), ["worked", "last"])
      assert.strictEqual(yield* Process.incarnation(box), 2)
    }).pipe(Effect.provide(over(server)))
  })
})

describe("noReply", () => {
  const parking = (callers: Array<GenServer.From<string, never>>) =>
    Box.layer({
      init: [],
      handlers: {
        Say: say,
        Note: (_log, { what }) => Effect.die(what),
        Work: (log, _payload, { from }) => {
          callers.push(from)
          return Next.noReply([...log, "parked"])
        },
        Settle: (log) =>
          Effect.as(
            Effect.forEach(callers.splice(0), (from, n) => GenServer.reply(from, Exit.succeed(`answer ${n}`))),
            log
          )
      }
    })

  it.effect("the caller is answered later, by GenServer.reply; the server goes on meanwhile", () => {
    const callers: Array<GenServer.From<string, never>> = []
    return Effect.gen(function*() {
      const box = yield* Box
      const working = yield* Effect.forEach([1, 2], () => now(box.Work()))
      assert.deepStrictEqual(yield* box.Say({ what: "meanwhile" }), ["parked", "parked", "meanwhile"])
      assert.isUndefined(working[0]!.pollUnsafe())
      yield* box.Settle()
      assert.deepStrictEqual(yield* Effect.forEach(working, Fiber.join), ["answer 0", "answer 1"])
    }).pipe(Effect.provide(over(parking(callers))))
  })

  it.effect("only the first answer counts", () => {
    const callers: Array<GenServer.From<string, never>> = []
    return Effect.gen(function*() {
      const box = yield* Box
      const working = yield* now(box.Work())
      yield* GenServer.reply(callers[0]!, Exit.succeed("first"))
      yield* GenServer.reply(callers[0]!, Exit.succeed("second"))
      assert.strictEqual(yield* Fiber.join(working), "first")
    }).pipe(Effect.provide(over(parking(callers))))
  })

  it.effect("a caller that is still waiting when the incarnation ends is answered Crashed", () => {
    const callers: Array<GenServer.From<string, never>> = []
    return Effect.gen(function*() {
      const box = yield* Box
      const working = yield* now(box.Work())
      yield* box.Note({ what: "boom" })
      assert.strictEqual(tagOf(yield* Fiber.await(working)), "Crashed")
      yield* GenServer.reply(callers[0]!, Exit.succeed("too late"))
      assert.deepStrictEqual(yield* box.Say({ what: "back" }), ["parked", "back"])
    }).pipe(Effect.provide(over(parking(callers))))
  })

  it.effect("a caller's timeout runs all the time", () => {
    const callers: Array<GenServer.From<string, never>> = []
    return Effect.gen(function*() {
      const box = yield* Box
      const working = yield* now(box.Work({}, { timeout: "1 second" }))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(tagOf(yield* Fiber.await(working)), "Timeout")
      yield* GenServer.reply(callers[0]!, Exit.succeed("too late"))
      assert.strictEqual(yield* Process.incarnation(box), 1)
    }).pipe(Effect.provide(over(parking(callers))))
  })
})

describe("a reply that is given to a call with a key while its handler is at work", () => {
  class Desk extends GenServer.Service<Desk>()("test/Desk", {
    state: Schema.Int,
    messages: {
      Early: GenServer.call({
        payload: { end: Schema.Literals(["commit", "answer", "stop", "fail", "crash"]) },
        reply: Schema.String,
        error: Schema.String
      }),
      Again: GenServer.call({ reply: Schema.String, redeliver: { maxAttempts: 2 } }),
      Look: GenServer.call({ reply: Schema.Int })
    }
  }) {}
  const over = (gate: Latch.Latch) =>
    Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerMemory(Desk),
      Desk.layer({
        init: 0,
        handlers: {
          Early: (n, { end }, { from }) =>
            Effect.gen(function*() {
              yield* GenServer.reply(from, Exit.succeed(`early, after ${n}`))
              yield* gate.await
              if (end === "fail") return yield* Effect.fail("late")
              if (end === "crash") return yield* Effect.die(new Error("on purpose"))
              if (end === "stop") return Next.stop("normal", { reply: "late", state: n + 1 })
              return end === "answer" ? ["late", n + 1] as const : Next.noReply(n + 1)
            }),
          Again: (n, _, { attempt, from }) =>
            Effect.gen(function*() {
              if (attempt > 1) return ["the second", n + 1] as const
              yield* GenServer.reply(from, Exit.succeed("the first"))
              return yield* Effect.die(new Error("on purpose"))
            }),
          Look: (n) => [n, n]
        }
      }, { restart: "permanent" })
    ])

  const key = { idempotencyKey: "one" }

  for (const end of ["commit", "answer", "stop", "fail"] as const) {
    it.effect(`waits for the handler's end, and is the first answer, where that is ${end}`, () => {
      const gate = Latch.makeUnsafe()
      return Effect.gen(function*() {
        const desk = yield* Desk
        const call = yield* now(desk.Early({ end }, key))
        yield* TestClock.adjust("1 second")
        assert.isUndefined(call.pollUnsafe())
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(call), "early, after 0")
        assert.strictEqual(yield* desk.Look(), end === "fail" ? 0 : 1)
      }).pipe(Effect.provide(over(gate)))
    })
  }

  it.effect("is not given when the handler crashes: its state was not committed", () => {
    const gate = Latch.makeUnsafe(true)
    return Effect.gen(function*() {
      const desk = yield* Desk
      assert.strictEqual(tagOf(yield* Effect.exit(desk.Early({ end: "crash" }, key))), "Crashed")
      assert.strictEqual(yield* desk.Look(), 0)
    }).pipe(Effect.provide(over(gate)))
  })

  it.effect("is not given when the message is handled again: the answer is that of the attempt that committed", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      assert.strictEqual(yield* desk.Again({}, key), "the second")
      assert.strictEqual(yield* desk.Look(), 1)
    }).pipe(Effect.provide(over(Latch.makeUnsafe(true)))))

  it.effect("goes on record in one commit with the state", () => {
    const gate = Latch.makeUnsafe()
    return Effect.gen(function*() {
      const desk = yield* Desk
      const first = yield* now(Effect.exit(desk.Early({ end: "crash" }, key)))
      yield* gate.open
      assert.strictEqual(tagOf(yield* Fiber.join(first)), "Crashed")
      const again = yield* desk.Early({ end: "commit" }, { idempotencyKey: "two" })
      assert.deepStrictEqual([again, yield* desk.Early({ end: "commit" }, { idempotencyKey: "two" })], [again, again])
      assert.strictEqual(yield* desk.Look(), 1)
    }).pipe(Effect.provide(over(gate)))
  })
})

describe("a reply that is given when its handler has ended without a commit", () => {
  const late = (from: GenServer.From<string, never>) => GenServer.reply(from, Exit.succeed("late"))
  class Desk extends GenServer.Service<Desk>()("test/Late", {
    state: Schema.Int,
    messages: {
      Crash: GenServer.call({ reply: Schema.String }),
      Again: GenServer.call({ reply: Schema.String, redeliver: { maxAttempts: 2 } }),
      Stop: GenServer.call({ reply: Schema.String }),
      Look: GenServer.call({ reply: Schema.Int })
    }
  }) {}
  /** Replies by `terminate`, and where a fiber of the crashed handler has outlived it, by that. */
  const over = (when: "terminate" | "afterwards") => {
    let caller: GenServer.From<string, never> | undefined
    const crash = (from: GenServer.From<string, never>) =>
      Effect.gen(function*() {
        caller = from
        if (when === "afterwards") yield* Effect.forkDetach(Effect.andThen(Effect.sleep(5), late(from)))
        return yield* Effect.die(new Error("on purpose"))
      })
    return Supervisor.layer(
      { strategy: "one_for_one", restart: Restart.backoff() },
      [
        StateContainer.layerMemory(Desk),
        Desk.layer({
          init: 0,
          handlers: {
            Crash: (_, __, { from }) => crash(from),
            Again: (n, _, { attempt, from }) => attempt > 1 ? ["the second", n + 1] as const : crash(from),
            Stop: (n, _, { from }) => {
              caller = from
              return Next.stop("normal", { state: n + 1 })
            },
            Look: (n) => [n, n]
          },
          terminate: () => when === "terminate" && caller !== undefined ? late(caller) : Effect.void
        }, { restart: "permanent" })
      ]
    )
  }

  for (const when of ["terminate", "afterwards"] as const) {
    it.effect(`is dropped: its caller hears what became of it (${when})`, () =>
      Effect.gen(function*() {
        const desk = yield* Desk
        const call = yield* now(Effect.exit(desk.Crash()))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(tagOf(yield* Fiber.join(call)), "Crashed")
        const again = yield* now(desk.Again())
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(again), "the second")
        assert.strictEqual(yield* desk.Look(), 1)
      }).pipe(Effect.provide(over(when))))
  }

  it.effect("is given by the terminate of a server that its handler has stopped: that was a commit", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      const call = yield* now(desk.Stop())
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(call), "late")
      assert.strictEqual(yield* desk.Look(), 1)
    }).pipe(Effect.provide(over("terminate"))))
})

describe("the context that a handler gets with its message", () => {
  class Seen extends GenServer.Service<Seen>()("test/Seen", {
    state: Schema.Int,
    messages: {
      Rest: GenServer.call({ reply: Schema.String }),
      Default: GenServer.call({ reply: Schema.String }),
      Later: GenServer.call({ reply: Schema.String }),
      Early: GenServer.call({ reply: Schema.String })
    }
  }) {}

  it.effect("is there however it takes its parameters, and the first answer counts", () =>
    Effect.gen(function*() {
      const seen = yield* Seen
      assert.deepStrictEqual(
        [yield* seen.Rest(), yield* seen.Default(), yield* seen.Later(), yield* seen.Early()],
        ["1 1", "1 1", "later", "early"]
      )
      assert.strictEqual(yield* seen.Rest(), "1 1")
    }).pipe(Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [
        StateContainer.layerMemory(Seen),
        Seen.layer({
          init: 0,
          handlers: {
            Rest: (n, ...[, { attempt, incarnation }]) => [`${attempt} ${incarnation}`, n + 1],
            Default: (n, _payload = {}, { attempt, incarnation } = nobody) => [`${attempt} ${incarnation}`, n + 1],
            Later: (n, ...[, context]) =>
              Effect.andThen(
                Effect.yieldNow,
                Effect.as(GenServer.reply(context.from, Exit.succeed("later")), Next.noReply(n))
              ),
            Early: (n, ...[, { from }]) => {
              Effect.runSync(GenServer.reply(from, Exit.succeed("early")))
              return ["late", n]
            }
          }
        })
      ])
    )))

  const nobody: GenServer.HandlerContext<string, never, undefined> = {
    get from(): never {
      throw new Error("no context")
    },
    attempt: 0,
    incarnation: 0,
    key: undefined,
    seq: 0,
    timer: undefined
  }
})
