/**
 * A call that finds casts waiting: worked off by its caller, they come to what they come to in a turn of the server's.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Context, Effect, Exit, Fiber, Layer, Scheduler, Schema } from "effect"
import { TestClock } from "effect/testing"
import { DynamicSupervisor, GenServer, Next, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import * as Turn from "../../../../src/layers/process/Turn.ts"
import { serverOf } from "../../../../src/layers/server/class/ServerRef.ts"
import { Harness } from "../../../../src/testing.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { quiet } from "../../../kit/Log.ts"
import { often } from "../../../kit/Restarts.ts"
import { seenOf } from "../../../kit/Sinks.ts"

const payload = { what: Schema.String }

class Log extends GenServer.Service<Log>()("test/Log", {
  state: Schema.Array(Schema.String),
  messages: {
    Note: GenServer.cast({ payload }),
    NoteWithEffect: GenServer.cast({ payload }),
    NoteSlowly: GenServer.cast({ payload }),
    NoteAndSend: GenServer.cast({ payload }),
    NoteAgain: GenServer.cast({ payload, redeliver: { maxAttempts: 2 } }),
    Rest: GenServer.cast({ payload }),
    Wait: GenServer.cast({ payload }),
    Crash: GenServer.cast({ payload }),
    Stop: GenServer.cast({ payload }),
    Read: GenServer.call({ reply: Schema.Array(Schema.String), timeout: "infinity" })
  }
}) {}

class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}

/** `before` is done before a note is taken with an Effect. */
const behavior = (before: Effect.Effect<unknown>) =>
  Log.behavior({
    init: [],
    idle: (log) => log,
    handlers: {
      Note: (log, { what }) => [...log, what],
      NoteWithEffect: (log, { what }) => Effect.as(before, [...log, what]),
      NoteSlowly: (log, { what }) => Effect.as(Effect.yieldNow, [...log, what]),
      NoteAndSend: (log, { what }) =>
        Effect.as(Effect.flatMap(Log.self, (self) => self.Note({ what: `${what} again` })), [...log, what]),
      NoteAgain: (log, { what }, { attempt }) => {
        if (attempt === 1) throw new Error("boom")
        return [...log, what]
      },
      Rest: (log) => Next.noReply(log, { idleAfter: "1 hour" }),
      Wait: (log) => Effect.as(Effect.sleep("1 second"), [...log, "waited"]),
      Crash: () => Effect.die("boom"),
      Stop: (log) => Next.stop("shutdown", { state: log }),
      Read: (log) => [log, log]
    }
  })

const app = (options?: GenServer.Options) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
      StateContainer.layerMemory(Log),
      Log.layer(behavior(Effect.void), options)
    ]),
    Harness.Harness.layer
  )

const App = app()
/** Whose casts go the long way, envelope and all. */
const Frozen = app({ isolation: "freeze" })
const Chain = Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Log), Pool.layer()])

const casts = [
  "Note",
  "NoteWithEffect",
  "NoteSlowly",
  "NoteAndSend",
  "NoteAgain",
  "Rest",
  "Wait",
  "Crash",
  "Stop"
] as const
const Casts = Schema.Array(Schema.Literals(casts)).check(Schema.isMaxLength(6))

type Way = "on its caller's stack" | "in a turn"

const reading = (log: typeof Log.Service, way: Way, options: GenServer.CallOptions) =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.sync(() => {
      // Too deep for anything to be handled on this stack.
      const levels = way === "in a turn" ? Turn.maxDepth : 0
      for (let i = 0; i < levels; i++) Turn.enter()
      const caller = Effect.runForkWith(context)(Effect.exit(log.Read({}, options)))
      for (let i = 0; i < levels; i++) Turn.leave()
      return caller
    })
  )

/** All that can be seen of a server that is sent casts and then a call, and more casts and another call. */
const seen = (sent: ReadonlyArray<ReadonlyArray<typeof casts[number]>>, isKeyed: boolean, way: Way) =>
  Effect.gen(function*() {
    const log = yield* Log
    const heard: Array<Exit.Exit<unknown, unknown>> = []
    for (const [n, some] of sent.entries()) {
      for (const [i, cast] of some.entries()) yield* log[cast]({ what: `${cast} ${i}` })
      const caller = yield* reading(log, way, isKeyed ? { idempotencyKey: `${n}` } : {})
      while (caller.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
      heard.push(yield* Fiber.join(caller))
    }
    yield* turns
    return { heard, ...yield* seenOf(log) }
  }).pipe(Effect.provide(App), quiet)

describe("casts and the call behind them", () => {
  it.effect.prop(
    "come to the same, handled on the stack of the caller or in a turn",
    [Casts, Casts, Schema.Boolean],
    ([first, second, isKeyed]) =>
      Effect.gen(function*() {
        const sent = [first, second]
        assert.deepStrictEqual(
          yield* seen(sent, isKeyed, "on its caller's stack"),
          yield* seen(sent, isKeyed, "in a turn")
        )
      })
  )

  it.effect("are done when the caller goes on: it does not wait for a turn", () =>
    Effect.gen(function*() {
      const log = yield* Log
      for (const what of ["a", "b"]) yield* log.Note({ what })
      yield* log.NoteAndSend({ what: "c" })
      const caller = yield* now(log.Read())
      // What a handler has sent meanwhile comes after the call, in a turn.
      assert.deepStrictEqual(caller.pollUnsafe(), Exit.succeed(["a", "b", "c"]))
      assert.strictEqual(serverOf(log)!.mailboxSize, 1)
      yield* turns
      assert.deepStrictEqual(yield* log.Read(), ["a", "b", "c", "c again"])
    }).pipe(Effect.provide(App)))

  it.effect("count as in a turn: after so many the event loop has its turn first", () =>
    Effect.gen(function*() {
      const log = yield* Log
      for (let i = 0; i < 2_000; i++) yield* log.Rest({ what: "" })
      for (let i = 0; i < 2_000; i++) yield* log.Note({ what: "" })
      const caller = yield* now(log.Read())
      assert.isUndefined(caller.pollUnsafe())
      assert.strictEqual((yield* Fiber.join(caller)).length, 2_000)
    }).pipe(Effect.provide(App)))

  it.effect("leave the answers of others to the server's turn", () =>
    Effect.gen(function*() {
      const log = yield* Log
      yield* log.Note({ what: "a" })
      for (let i = 0; i < Turn.maxDepth; i++) Turn.enter()
      const first = yield* now(log.Read())
      for (let i = 0; i < Turn.maxDepth; i++) Turn.leave()
      const second = yield* now(log.Read())
      assert.deepStrictEqual([first.pollUnsafe(), second.pollUnsafe()], [undefined, undefined])
      assert.deepStrictEqual(yield* Fiber.join(first), ["a"])
      assert.deepStrictEqual(yield* Fiber.join(second), ["a"])
    }).pipe(Effect.provide(App)))

  it.effect("do not overflow the stack where each of thousands calls a server with a cast waiting", () =>
    Effect.gen(function*() {
      const pool = yield* Pool
      const links = [yield* pool.startChild(Log.recipe(behavior(Effect.void), { key: "last" }))]
      for (let i = 1; i < 3_000; i++) {
        const next = Effect.orDie(links[i - 1]!.Read())
        links.push(yield* pool.startChild(Log.recipe(behavior(next), { key: String(i) })))
      }
      const asked = Effect.andThen(
        Effect.forEach(links, (link) => link.NoteWithEffect({ what: "asked" }), { discard: true }),
        links.at(-1)!.Read()
      )
      assert.deepStrictEqual(yield* Effect.provideService(asked, Scheduler.PreventSchedulerYield, true), ["asked"])
    }).pipe(Effect.provide(Chain)))

  it.effect("end the incarnation where the engine itself throws, and the caller has its answer from the next one", () =>
    Effect.gen(function*() {
      const log = yield* Log
      yield* log.Read()
      const companion = serverOf(log)!.ownCompanion
      const { commit } = companion
      companion.commit = () => {
        companion.commit = commit
        throw new Error("out of order")
      }
      yield* log.Note({ what: "lost" })
      const caller = yield* now(log.Read())
      yield* turns
      assert.deepStrictEqual(caller.pollUnsafe(), Exit.succeed([]))
      assert.strictEqual(yield* Process.incarnation(log), 2)
    }).pipe(Effect.provide(Frozen), quiet))
})
