/**
 * Other systems' cases of messages: failures that name the call, delayed replies, requests sent now and collected
 * later, missing handlers, a full inbox.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Layer, Option, Scheduler, Schema } from "effect"
import { TestClock } from "effect/testing"
import { crashed, shutdown } from "../../../src/domain/process/ExitReason.ts"
import {
  GenServer,
  InvalidOption,
  Monitor,
  Next,
  Process,
  Requests,
  StateContainer,
  Supervisor
} from "../../../src/index.ts"
import { Harness } from "../../../src/testing.ts"
import { countingScheduler } from "../../kit/Counting.ts"
import { refusal, refusalReason } from "../../kit/Failures.ts"
import { now } from "../../kit/Fibers.ts"
import { behavior, idle, inTurn, isUp, Live, Names, Root, Server, start } from "../../kit/ServerCases.ts"

/** Calls others while its own inbox is full. */
class Caller extends GenServer.Service<Caller>()("test/Caller", {
  state: Schema.Int,
  messages: {
    Noise: GenServer.cast(),
    Heard: GenServer.call({ reply: Schema.Int }),
    CallAll: GenServer.call({ payload: { gate: Schema.Unknown, times: Schema.Int }, reply: Schema.Int })
  }
}) {}

const CallerLive = Layer.provideMerge(
  Supervisor.layer({ id: "keepers", strategy: "one_for_one" }, [StateContainer.layerForget(Caller)]),
  Live
)

describe("server: calls", () => {
  it.effect("SRV-011 Call failures name the call", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const [silent, dead] = [yield* start("silent"), yield* start("dead")]
      yield* GenServer.stop(dead)

      const late = yield* now(Effect.flip(silent.NoReply({}, { timeout: 1 })))
      yield* TestClock.adjust(1)
      const timeout = yield* Fiber.join(late)
      assert.deepStrictEqual([timeout.server, timeout.request], ["test/Root > test/Server/silent", "NoReply"])
      assert.deepStrictEqual(timeout.reason, { _tag: "Timeout", millis: 1, begun: true, waitsFor: "reply" })

      const noproc = yield* Effect.flip(dead.NextCall({}, { timeout: 5000 }))
      assert.deepStrictEqual([noproc.server, noproc.request], ["test/Root > test/Server/dead", "NextCall"])
      assert.strictEqual(noproc.reason._tag, "NotRunning")

      const absent = yield* Effect.flip(names.via("absent").NextCall({}, { timeout: 5000 }))
      assert.include(absent.server, "absent")
      assert.strictEqual(absent.request, "NextCall")
      assert.strictEqual(absent.reason._tag, "NotRunning")
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-012 Delayed replies and the handler's idle timeout", () =>
    Effect.gen(function*() {
      const server = yield* start("server")
      const delayed = yield* now(server.DelayedAnswer({ millis: 1 }))
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(delayed), "delayed")

      assert.strictEqual(yield* server.CallWithin({ millis: 1000 }), "ok")
      yield* TestClock.adjust(500)
      assert.isTrue(yield* server.NextCall())

      assert.strictEqual(yield* server.CallWithin({ millis: 1000 }), "ok")
      yield* TestClock.adjust(1500)
      assert.isFalse(yield* server.NextCall())

      const within = yield* now(server.DelayedAnswer({ millis: 1 }, { timeout: 30 }))
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(within), "delayed")
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-013 Call timeout", () =>
    Effect.gen(function*() {
      const server = yield* start("server")
      const late = yield* now(refusal(server.DelayedAnswer({ millis: 30 }, { timeout: 1 })))
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(late), "Timeout")
      // The reply without a waiter comes now.
      yield* TestClock.adjust(29)
      assert.strictEqual(yield* server.Started(), "ok")
      assert.isTrue(isUp(server))
      assert.strictEqual(yield* Process.incarnation(server), 1)
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-014 An invalid handler result kills the server and fails the caller", () =>
    Effect.gen(function*() {
      const server = yield* start("server")
      const watch = yield* Monitor.watch(server)
      const failed = yield* refusalReason(server.Bad())
      assert(failed._tag === "Crashed")
      const value = Cause.squash(failed.cause)
      assert(value instanceof GenServer.InvalidResult)
      assert.deepStrictEqual([value.request, value.result], ["Bad", "nonsense"])
      const { reason } = yield* watch.down
      assert(reason._tag === "Crashed")
      assert.strictEqual(Cause.squash(reason.cause), value)
      assert.isFalse(isUp(server))
    }).pipe(Effect.scoped, Effect.provide(Live)))

  it.effect("SRV-017 Asynchronous requests", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const server = yield* names.start("server", start("server"))
      const first = yield* Requests.send(names.via("server").Started())
      assert.strictEqual(yield* Requests.wait(first), "ok")

      const two = [
        yield* Requests.send(server.CallWithin({ millis: 1000 })),
        yield* Requests.send(server.NextCall())
      ] as const
      assert.deepStrictEqual([yield* Requests.wait(two[0]), yield* Requests.wait(two[1])], ["ok", true])

      const delayed = yield* Requests.send(server.DelayedAnswer({ millis: 50 }))
      assert.strictEqual((yield* Effect.flip(Requests.wait(delayed, { timeout: 0 })))._tag, "TimeoutError")
      const waiting = yield* now(Requests.wait(delayed, { timeout: "infinity" }))
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(waiting), "delayed")

      const death = yield* Effect.flip(Requests.wait(yield* Requests.send(server.Die({ with: "killed by it" }))))
      assert(death._tag === "CallError" && death.reason._tag === "Crashed")
      assert.deepStrictEqual(death.reason.cause, Cause.die("killed by it"))
      for (const nobody of [server, names.via("unknown")]) {
        const noproc = yield* Effect.flip(Requests.wait(yield* Requests.send(nobody.Started())))
        assert(noproc._tag === "CallError")
        assert.strictEqual(noproc.reason._tag, "NotRunning")
      }
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-018 Collecting replies from several servers", () => {
    const variants: Record<string, Effect.Effect<void, unknown>> = {}
    const ask = Effect.gen(function*() {
      const servers = [yield* start("1"), yield* start("2"), yield* start("3")] as const
      const asked = yield* Requests.collection<string, string, GenServer.CallError>()
      const outside = yield* Requests.send(servers[1].Started())
      return { servers, asked, outside }
    })
    /** Takes what comes, in virtual time: how long it takes is up to the servers. */
    const taking = Effect.fnUntraced(function*<A, E, R>(take: Effect.Effect<A, E, R>, millis: number) {
      const taken = yield* now(take)
      yield* TestClock.adjust(millis)
      return yield* Fiber.join(taken)
    })
    const label = <A, E>(response: Option.Option<Requests.Response<string, A, E>>) =>
      Option.getOrUndefined(Option.map(response, ({ label }) => label))

    variants["in the order in which they come"] = Effect.gen(function*() {
      const { asked, outside, servers } = yield* ask
      const requests = [
        yield* Requests.send(servers[0].DelayedAnswer({ millis: 400 })),
        yield* Requests.send(servers[1].DelayedAnswer({ millis: 1 })),
        yield* Requests.send(servers[2].DelayedAnswer({ millis: 200 }))
      ]
      for (const [n, request] of requests.entries()) yield* asked.add(`req${n + 1}`, request)
      assert.isTrue(Exit.hasDies(yield* Effect.exit(asked.add("again", requests[0]!))))
      const seen = [yield* asked.size]
      for (const [millis, expected] of [[1, "req2"], [199, "req3"], [200, "req1"]] as const) {
        const response = yield* taking(asked.wait(), millis)
        assert.strictEqual(label(response), expected)
        assert.deepStrictEqual(Option.map(response, ({ exit }) => exit), Option.some(Exit.succeed("delayed")))
        seen.push(yield* asked.size)
      }
      assert.deepStrictEqual(seen, [3, 2, 1, 0])
      assert.deepStrictEqual(yield* asked.wait(), Option.none())
      assert.strictEqual(yield* Requests.wait(outside), "ok")
    }).pipe(Effect.provide(Live))

    variants["one stops instead of answering"] = Effect.gen(function*() {
      const { asked, outside, servers } = yield* ask
      yield* asked.add("req1", yield* Requests.send(servers[0].DelayedAnswer({ millis: 400 })))
      yield* asked.add("req2", yield* Requests.send(servers[1].End({ by: "stop", reason: shutdown })))
      yield* asked.add("req3", yield* Requests.send(servers[2].DelayedAnswer({ millis: 200 })))
      const first = yield* taking(asked.wait(), 0)
      assert.strictEqual(label(first), "req2")
      const exit = Option.getOrThrow(first).exit
      assert(exit._tag === "Failure")
      const error = Option.getOrThrow(Cause.findErrorOption(exit.cause))
      assert(error.reason._tag === "NotRunning")
      assert.deepStrictEqual(error.reason.reason, shutdown)
      assert.strictEqual(label(yield* taking(asked.wait(), 200)), "req3")
      assert.strictEqual(label(yield* taking(asked.wait(), 200)), "req1")
      assert.deepStrictEqual(yield* asked.wait(), Option.none())
      assert.strictEqual(yield* Requests.wait(outside), "ok")
    }).pipe(Effect.provide(Live))

    for (const how of ["wait", "receive"] as const) {
      variants[`a deadline, ${how}`] = Effect.gen(function*() {
        const { asked, outside, servers } = yield* ask
        for (const [n, millis] of [400, 1, 200].entries()) {
          yield* asked.add(`req${n + 1}`, yield* Requests.send(servers[n]!.DelayedAnswer({ millis })))
        }
        const until = yield* Requests.deadline(100)
        assert.strictEqual(label(yield* taking(asked[how]({ until }), 1)), "req2")
        const late = yield* taking(Effect.flip(asked[how]({ until })), 99)
        assert.strictEqual(late._tag, "TimeoutError")
        if (how === "wait") {
          assert.strictEqual(yield* asked.size, 2)
          assert.strictEqual(label(yield* taking(asked.wait(), 100)), "req3")
          assert.strictEqual(label(yield* taking(asked.wait(), 200)), "req1")
        } else {
          assert.strictEqual(yield* asked.size, 0)
          yield* TestClock.adjust(300)
        }
        assert.deepStrictEqual(yield* asked.wait(), Option.none())
        assert.strictEqual(yield* Requests.wait(outside), "ok")
      }).pipe(Effect.provide(Live))
    }
    return inTurn(variants)
  })

  it.effect("SRV-022 a cast to a process that is gone is silently ok", () =>
    Effect.gen(function*() {
      const [root, names, harness] = [yield* Root, yield* Names, yield* Harness.Harness]
      const dead = yield* names.start("dead", start("dead"))
      yield* GenServer.stop(dead)
      const before = yield* root.countChildren
      yield* harness.clear
      assert.deepStrictEqual(yield* Effect.exit(dead.Ping()), Exit.void)
      // To a name: no process has it.
      for (const name of ["dead", "never registered"]) {
        assert.deepStrictEqual(yield* Effect.exit(names.dispatch(name, ({ ref }) => ref.Ping())), Exit.void)
      }
      assert.deepStrictEqual(yield* root.countChildren, before)
      // Nothing happens, but that the cast to a process is published.
      assert.deepStrictEqual(yield* harness.historyOf(dead), ["Dropped"])
      assert.lengthOf(yield* harness.events, 1)
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-026 Missing handlers", () => {
    const variants: Record<string, Effect.Effect<void, unknown>> = {}
    const without = Effect.fnUntraced(function*(part: object) {
      const root = yield* Root
      const server = yield* root.startChild(
        Server.recipe({ ...behavior, ...part as typeof behavior }, { key: "incomplete", restart: "temporary" })
      )
      return { server, watch: yield* Monitor.watch(server) }
    })
    const missing = (reason: Monitor.DownReason, callback: string) => {
      assert(reason._tag === "Crashed")
      const error = Cause.squash(reason.cause)
      assert(error instanceof GenServer.MissingCallback)
      assert.strictEqual(error.callback, callback)
    }

    variants["call"] = Effect.gen(function*() {
      const { server, watch } = yield* without({ handlers: {} })
      const failed = yield* refusalReason(server.Started())
      assert(failed._tag === "Crashed")
      missing(failed, "Started")
      missing((yield* watch.down).reason, "Started")
    }).pipe(Effect.scoped, Effect.provide(Live))

    variants["cast, continue"] = Effect.gen(function*() {
      const first = yield* without({ handlers: {} })
      yield* first.server.Ping()
      missing((yield* first.watch.down).reason, "Ping")
      const { reason } = yield* Effect.flip(without({ init: Next.start(idle, { continueWith: "nothing" as never }) }))
      assert(reason._tag === "Failed")
      const error = Cause.squash(reason.cause)
      assert.instanceOf(error, InvalidOption.InvalidOption)
      assert.strictEqual(error.option, "continueWith")
    }).pipe(Effect.scoped, Effect.provide(Live))

    variants["a message it does not know; an error in one it knows"] = Effect.gen(function*() {
      const { server, watch } = yield* without({})
      // A client has a method for every message of the class, and no other: there is nothing to send.
      // @ts-expect-error
      assert.isUndefined(server.Unheard)
      assert.strictEqual(yield* server.Started(), "ok")
      yield* Effect.exit(server.Die({ with: "a real error" }))
      assert.deepStrictEqual((yield* watch.down).reason, crashed(Cause.die("a real error")))
    }).pipe(Effect.scoped, Effect.provide(Live))

    variants["init"] = Effect.gen(function*() {
      const root = yield* Root
      const { handlers } = behavior
      const incomplete = { handlers } as unknown as typeof behavior
      const { reason } = yield* Effect.flip(root.startChild(Server.recipe(incomplete, { key: "incomplete" })))
      assert(reason._tag === "Failed")
      missing(crashed(reason.cause) as Monitor.DownReason, "init")
      assert.include(String(yield* Effect.exit(root.whichChild("test/Server/incomplete"))), "there is no such child")
    }).pipe(Effect.provide(Live))
    return inTurn(variants)
  })

  it.effect("SRV-028 Calls stay fast with a full inbox", () => {
    const counting = countingScheduler()
    return Effect.gen(function*() {
      const [root, echo] = [yield* Root, yield* start("echo")]
      const caller = yield* root.startChild(Caller.recipe({
        init: 0,
        handlers: {
          Noise: (n) => n + 1,
          Heard: (n) => [n, n],
          // Counts what the run loops of all fibers and the turns of all servers did in the meantime.
          CallAll: (n, { gate, times }) =>
            Effect.gen(function*() {
              yield* (gate as Latch.Latch).await
              const before = counting.operations()
              for (let i = 0; i < times; i++) yield* Effect.orDie(echo.Started())
              return [counting.operations() - before, n] as const
            })
        }
      }, { key: "caller" }))
      const backlog = 50_000
      const count = Effect.fnUntraced(function*(noise: number) {
        const gate = Latch.makeUnsafe()
        const counted = yield* now(caller.CallAll({ gate, times: 10_000 }, { timeout: "infinity" }))
        for (let i = 0; i < noise; i++) yield* caller.Noise()
        yield* gate.open
        return yield* Fiber.join(counted)
      })
      const without = yield* count(0)
      const full = yield* count(backlog)
      assert.isAbove(without, 10_000)
      assert.isBelow(full / without, 10)
      assert.strictEqual(yield* caller.Heard({}, { timeout: "infinity" }), backlog)
    }).pipe(Effect.provide(Layer.provideMerge(CallerLive, Layer.succeed(Scheduler.Scheduler, counting.scheduler))))
  })
})
