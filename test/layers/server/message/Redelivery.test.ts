import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Latch, Layer, Schedule, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, Restart, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { reasonOf } from "../../../kit/Failures.ts"
import { now } from "../../../kit/Fibers.ts"
import { never, often } from "../../../kit/Restarts.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

class Job extends GenServer.Service<Job>()("test/Job", {
  state: Schema.Array(Schema.String),
  messages: {
    Try: GenServer.call({
      payload: { name: Schema.String, failures: Schema.Int },
      reply: Schema.Array(Schema.String),
      redeliver: { maxAttempts: 3 },
      timeout: "infinity"
    }),
    TryUnasked: GenServer.cast({
      payload: { name: Schema.String, failures: Schema.Int },
      redeliver: { maxAttempts: 3 }
    }),
    Wait: GenServer.call({ payload: { name: Schema.String }, redeliver: { maxAttempts: 3 }, timeout: "infinity" }),
    Read: GenServer.call({ reply: Schema.Array(Schema.String), timeout: "infinity" })
  }
}) {}

type Log = ReadonlyArray<string>

const once = Restart.intensity({ restarts: 1, within: "1 minute" })

const app = (
  gate = Latch.makeUnsafe(true),
  supervisor: Partial<Supervisor.Options> = {},
  server: GenServer.Options = {},
  init: Effect.Effect<Log> = Effect.succeed([])
) =>
  Layer.provideMerge(
    Supervisor.layer({
      id: "root",
      strategy: "one_for_one",
      restart: often,
      ...supervisor
    }, [
      StateContainer.layerMemory(Job),
      Job.layer({
        init,
        handlers: {
          Try: (log: Log, { failures, name }, { attempt, incarnation }) =>
            attempt <= failures
              ? Effect.die(new Error(name))
              : [[...log, `${name} in ${incarnation}`], [...log, `${name} at ${attempt}`]],
          TryUnasked: (log: Log, { failures, name }, { attempt }) =>
            Effect.andThen(
              Effect.yieldNow,
              attempt <= failures ? Effect.die(new Error(name)) : Effect.succeed([...log, `${name} at ${attempt}`])
            ),
          Wait: (log: Log, { name }) => Effect.as(gate.await, [undefined, [...log, name]] as const),
          Read: (log) => [log, log]
        }
      }, server)
    ]),
    Harness.Harness.layer
  )

describe("a message with redeliver", () => {
  it.effect("is handled again by the next incarnation, before anything queued, and its caller gets that answer", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const job = yield* Job
      const caller = yield* now(job.Try({ name: "a", failures: 2 }))
      const behind = yield* now(job.Read())
      assert.deepStrictEqual(yield* Fiber.join(caller), ["a in 3"])
      assert.deepStrictEqual(yield* Fiber.join(behind), ["a at 3"])
      const again = (yield* harness.eventsOf(job)).filter((event) => event._tag === "Redelivered")
      assert.deepStrictEqual(again.map((event) => [event.message, event.attempt]), [["Try", 2], ["Try", 3]])
    }).pipe(Effect.provide(app())))

  it.effect("does not give way in a full mailbox: its caller would not learn that it had begun", () =>
    Effect.gen(function*() {
      const job = yield* Job
      const again = yield* now(job.Try({ name: "again", failures: 1 }))
      const first = yield* now(job.Read())
      const second = yield* now(job.Read())
      assert.strictEqual(reasonOf(yield* Fiber.await(first))?._tag, "MailboxFull")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(again), ["again in 2"])
      assert.deepStrictEqual(yield* Fiber.join(second), ["again at 2"])
    }).pipe(
      Effect.provide(
        app(undefined, { restart: Restart.max([often, Schedule.spaced("1 second")]) }, {
          mailbox: { capacity: 1, overflow: "drop_oldest" }
        })
      )
    ))

  it.effect("is quarantined at the cap: its caller gets a typed answer, the messages behind it are handled", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const job = yield* Job
      const caller = yield* now(job.Try({ name: "poison", failures: 100 }))
      const behind = yield* now(job.Try({ name: "good", failures: 0 }))
      assert.deepStrictEqual(reasonOf(yield* Fiber.await(caller)), { _tag: "Quarantined", attempts: 3 })
      assert.deepStrictEqual(yield* Fiber.join(behind), ["good in 4"])
      const quarantined = yield* harness.awaitTag("Quarantined", job)
      assert.deepStrictEqual([quarantined.message, quarantined.attempts], ["Try", 3])
    }).pipe(Effect.provide(app())))

  it.effect("may be a cast", () =>
    Effect.gen(function*() {
      const job = yield* Job
      yield* job.TryUnasked({ name: "poison", failures: 100 })
      yield* job.TryUnasked({ name: "shaky", failures: 2 })
      yield* job.TryUnasked({ name: "good", failures: 0 })
      assert.deepStrictEqual(yield* job.Read(), ["shaky at 3", "good at 1"])
    }).pipe(Effect.provide(app())))

  it.effect("comes back after a kill and after an interruption, too", () => {
    const gate = Latch.makeUnsafe()
    return Effect.gen(function*() {
      const job = yield* Job
      const caller = yield* now(job.Wait({ name: "patient" }))
      yield* Process.kill(job)
      yield* Effect.yieldNow
      yield* Process.kill(job)
      yield* Effect.yieldNow
      yield* gate.open
      yield* Fiber.join(caller)
      assert.deepStrictEqual(yield* job.Read(), ["patient"])
    }).pipe(Effect.provide(app(gate)))
  })

  it.effect.each(["crashes", "is stopped"])(
    "hears that it was begun when none handles it again, and not that there is no server: it %s before the next one is up",
    (how) => {
      let starts = 0
      const starting = Latch.makeUnsafe()
      const init = Effect.suspend(() => {
        if (++starts === 1) return Effect.succeed<Log>([])
        starting.openUnsafe()
        return how === "crashes" ? Effect.die(new Error("no init")) : Effect.never
      })
      return Effect.gen(function*() {
        const scope = yield* Scope.make()
        const job = Context.get(yield* Layer.buildWithScope(app(undefined, { restart: once }, {}, init), scope), Job)
        const caller = yield* now(job.Try({ name: "begun", failures: 1 }))
        const behind = yield* now(job.Read())
        yield* starting.await
        yield* Scope.close(scope, Exit.void)
        const begun = reasonOf(yield* Fiber.await(caller))
        assert.isTrue(begun?._tag === "Crashed" || (begun?._tag === "NotRunning" && begun.reason !== undefined))
        const never = reasonOf(yield* Fiber.await(behind))
        assert.isTrue(never?._tag === "NotRunning" && never.reason === undefined)
      })
    }
  )

  it.effect("is withdrawn with its caller: it is not handled again", () => {
    const gate = Latch.makeUnsafe()
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const job = yield* Job
      const caller = yield* now(job.Wait({ name: "gone" }))
      yield* Fiber.interrupt(caller)
      yield* Process.kill(job)
      yield* gate.open
      assert.deepStrictEqual(yield* job.Read(), [])
      assert.notInclude(yield* harness.historyOf(job), "Redelivered")
      assert.strictEqual(sinkOf(harness.telemetry).counters.queued, 0)
    }).pipe(Effect.provide(app(gate)))
  })

  it.effect("is handled when its handler stopped the server on purpose, and does not come back", () => {
    const handled: Array<string> = []
    const stopping = Job.layer({
      init: [],
      handlers: {
        Try: (_log: Log, { name }) => {
          handled.push(name)
          return Next.stop(name === "orderly" ? "normal" : { _tag: "Crashed", cause: Cause.die(name) })
        },
        TryUnasked: (log: Log) => log,
        Wait: (log: Log) => [undefined, log],
        Read: (log: Log) => [log, log]
      }
    })
    return Effect.gen(function*() {
      const job = yield* Job
      for (const name of ["orderly", "angry"]) {
        assert.strictEqual(reasonOf(yield* Effect.exit(job.Try({ name, failures: 0 })))?._tag, "Crashed")
      }
      assert.deepStrictEqual(yield* job.Read(), [])
      assert.deepStrictEqual(handled, ["orderly", "angry"])
    }).pipe(Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Job), stopping])
    ))
  })

  it.effect("is answered Crashed when no incarnation will follow", () =>
    Effect.gen(function*() {
      const job = yield* Job
      const exit = yield* Effect.exit(job.Try({ name: "last", failures: 1 }))
      assert.strictEqual(reasonOf(exit)?._tag, "Crashed")
      assert.strictEqual(yield* Process.status(job), "stopped")
    }).pipe(Effect.provide(app(undefined, { restart: never }))))

  it.effect("waits in the mailbox of a parked server, and is handled when that is resumed", () =>
    Effect.gen(function*() {
      class Top extends Supervisor.Service<Top>()("test/Top") {}
      const job = Job.layer({
        init: [],
        handlers: {
          Try: (log: Log, { name }, { attempt }) =>
            attempt === 1 ? Effect.die("boom") : [[...log, name], [...log, name]],
          TryUnasked: (log: Log) => log,
          Wait: (log: Log) => [undefined, log],
          Read: (log: Log) => [log, log]
        }
      })
      yield* Effect.gen(function*() {
        const job = yield* Job
        const top = yield* Top
        const caller = yield* now(job.Try({ name: "parked", failures: 1 }))
        assert.strictEqual(yield* Process.status(job), "parked")
        assert.isUndefined(caller.pollUnsafe())
        yield* top.resumeChild("test/Job")
        assert.deepStrictEqual(yield* Fiber.join(caller), ["parked"])
      }).pipe(Effect.provide(
        Top.layer(
          {
            strategy: "one_for_one",
            onGiveUp: "park",
            restart: never
          },
          [StateContainer.layerMemory(Job), job]
        )
      ))
    }))
})
