import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { crashed, killed } from "../../../../src/domain/process/ExitReason.ts"
import { GenServer, Process, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now } from "../../../kit/Fibers.ts"
import { often } from "../../../kit/Restarts.ts"

class Poisoned extends Schema.TaggedError<Poisoned>()("Poisoned", { by: Schema.Int }) {}

class Mill extends GenServer.Service<Mill>()("test/Mill", {
  state: Schema.Int,
  messages: {
    Grind: GenServer.call({
      payload: { grain: Schema.Int },
      reply: Schema.Int,
      error: Poisoned,
      redeliver: { maxAttempts: 3 },
      timeout: "infinity"
    }),
    Feed: GenServer.cast({ payload: { grain: Schema.Int }, redeliver: { maxAttempts: 2 } }),
    Hold: GenServer.call({ redeliver: { maxAttempts: 2 }, timeout: "infinity" }),
    Once: GenServer.call(),
    Get: GenServer.call({ reply: Schema.Int })
  }
}) {}

/** Which grains crash the mill, and which attempts were made on each. */
const setting = (poisonous: (grain: number, attempt: number) => boolean) => {
  const attempts: Array<readonly [grain: number, attempt: number, incarnation: number]> = []
  const ground = (sum: number, grain: number, context: GenServer.HandlerContext<never, never>): number => {
    attempts.push([grain, context.attempt, context.incarnation])
    if (poisonous(grain, context.attempt)) throw new Error(`choked on ${grain}`)
    return sum + grain
  }
  const behavior = Mill.behavior({
    init: 0,
    handlers: {
      Grind: (sum, { grain }, context) =>
        grain < 0
          ? Effect.fail(new Poisoned({ by: grain }))
          : [ground(sum, grain, context), ground(sum, grain, context)],
      Feed: (sum, { grain }, context) => ground(sum, grain, context),
      Hold: () => Effect.never,
      Once: () => Effect.die("boom"),
      Get: (sum) => [sum, sum]
    }
  })
  const app = Supervisor.layer(
    { id: "root", strategy: "one_for_one", restart: often },
    [StateContainer.layerMemory(Mill), Mill.layer(behavior)]
  )
  return { attempts, behavior, app: Layer.provideMerge(app, Harness.Harness.layer) }
}

describe("a poison message", () => {
  it.effect("is quarantined at the cap: state and queued messages are kept, its caller gets a typed answer", () => {
    const { app, attempts } = setting((grain) => grain === 13)
    return Effect.gen(function*() {
      const [mill, harness] = [yield* Mill, yield* Harness.Harness]
      yield* mill.Feed({ grain: 5 })
      assert.strictEqual(yield* mill.Get(), 5)
      attempts.length = 0
      yield* Sys.suspend(mill)
      const poison = yield* now(Effect.flip(mill.Grind({ grain: 13 })))
      const queued = yield* now(mill.Get())
      yield* mill.Feed({ grain: 2 })
      yield* Sys.resume(mill)
      const error = yield* Fiber.join(poison)
      assert(error._tag === "CallError")
      assert.deepStrictEqual(error.reason, { _tag: "Quarantined", attempts: 3 })
      assert.include(error.message, "Sys.quarantined")
      assert.strictEqual(yield* Fiber.join(queued), 5)
      assert.strictEqual(yield* mill.Get(), 7)
      // Counted before each run, one incarnation an attempt.
      assert.deepStrictEqual(attempts, [[13, 1, 1], [13, 2, 2], [13, 3, 3], [2, 1, 4]])
      const seen = (yield* harness.eventsOf(mill)).filter(({ _tag }) =>
        _tag === "Redelivered" || _tag === "Quarantined"
      )
      assert.deepStrictEqual(seen.map((event) => event._tag === "Redelivered" ? event.attempt : event._tag), [
        2,
        3,
        "Quarantined"
      ])
    }).pipe(Effect.provide(app))
  })

  it.effect("is listed with what it was, how often it was tried, when, and how it ended its server", () => {
    const { app } = setting((grain) => grain === 13)
    return Effect.gen(function*() {
      const mill = yield* Mill
      yield* TestClock.adjust(70)
      yield* Effect.exit(mill.Grind({ grain: 13 }))
      yield* mill.Feed({ grain: 13 })
      yield* mill.Get()
      const [grind, feed, ...others] = yield* Sys.quarantined(mill)
      assert.deepStrictEqual(others, [])
      assert.deepStrictEqual([grind!.request, grind!.payload, grind!.attempts, grind!.at], [
        "Grind",
        { grain: 13 },
        3,
        70
      ])
      assert(grind!.reason._tag === "Crashed")
      assert.strictEqual((Cause.squash(grind!.reason.cause) as Error).message, "choked on 13")
      assert.deepStrictEqual([feed!.request, feed!.attempts], ["Feed", 2])
      assert.strictEqual((yield* Sys.getStatus(mill)).quarantined, 2)
    }).pipe(Effect.provide(app))
  })

  it.effect("with a mended handler is replayed: the reply comes to the caller that replays it", () => {
    const { app, behavior } = setting((grain) => grain === 13)
    return Effect.gen(function*() {
      const mill = yield* Mill
      yield* Effect.exit(mill.Grind({ grain: 13 }))
      yield* mill.Feed({ grain: 13 })
      yield* mill.Get()
      const [grind, feed] = yield* Sys.quarantined(mill)
      const { handlers } = behavior
      yield* GenServer.replace(mill, {
        ...behavior,
        handlers: {
          ...handlers,
          Grind: (sum, { grain }) => [sum + grain, sum + grain],
          Feed: (sum, { grain }) => sum + grain
        }
      })
      assert.strictEqual(yield* Sys.replay(mill, grind!), 13)
      assert.isUndefined(yield* Sys.replay(mill, feed!))
      assert.strictEqual(yield* mill.Get(), 26)
      assert.deepStrictEqual(yield* Sys.quarantined(mill), [])
      // What was replayed is not there any more.
      const error = yield* Effect.flip(Sys.replay(mill, grind!))
      assert.instanceOf(error, Sys.NotQuarantined)
    }).pipe(Effect.provide(app))
  })

  it.effect("that is as bad as before is quarantined again, with all its attempts before that", () => {
    const { app, attempts } = setting((grain) => grain === 13)
    return Effect.gen(function*() {
      const mill = yield* Mill
      yield* Effect.exit(mill.Grind({ grain: 13 }))
      attempts.length = 0
      const [first] = yield* Sys.quarantined(mill)
      const error = yield* Effect.flip(Sys.replay(mill, first!))
      assert.propertyVal(error as object, "_tag", "CallError")
      assert.deepStrictEqual(attempts.map(([, attempt]) => attempt), [1, 2, 3])
      const [again, ...others] = yield* Sys.quarantined(mill)
      assert.deepStrictEqual(others, [])
      assert.notStrictEqual(again, first)
    }).pipe(Effect.provide(app))
  })

  it.effect("is discarded for good", () => {
    const { app } = setting(() => true)
    return Effect.gen(function*() {
      const mill = yield* Mill
      yield* Effect.exit(mill.Grind({ grain: 1 }))
      yield* Effect.exit(mill.Grind({ grain: 2 }))
      const [first, second] = yield* Sys.quarantined(mill)
      yield* Sys.discard(mill, first!)
      assert.deepStrictEqual(yield* Sys.quarantined(mill), [second!])
      assert.instanceOf(yield* Effect.flip(Sys.discard(mill, first!)), Sys.NotQuarantined)
    }).pipe(Effect.provide(app))
  })

  it.effect("that comes through at last is answered as if nothing had happened", () => {
    const { app, attempts } = setting((_, attempt) => attempt < 3)
    return Effect.gen(function*() {
      const mill = yield* Mill
      assert.strictEqual(yield* mill.Grind({ grain: 4 }), 4)
      assert.deepStrictEqual(attempts.map(([, attempt]) => attempt), [1, 2, 3, 3])
      assert.deepStrictEqual(yield* Sys.quarantined(mill), [])
    }).pipe(Effect.provide(app))
  })

  it.effect("stays where it is when its server is down, or does not come to it in time", () => {
    const { behavior } = setting(() => true)
    class Root extends Supervisor.Service<Root>()("test/Root") {}
    const app = Root.layer({ strategy: "one_for_one", restart: often }, [
      StateContainer.layerMemory(Mill),
      Mill.layer(behavior, { restart: "transient" })
    ])
    return Effect.gen(function*() {
      const mill = yield* Mill
      yield* mill.Feed({ grain: 2 })
      yield* mill.Get()
      yield* Effect.exit(mill.Grind({ grain: 1 }))
      const [feed, grind] = yield* Sys.quarantined(mill)
      yield* Sys.suspend(mill)
      const late = yield* now(Effect.flip(Sys.replay(mill, grind!, { timeout: 10 })))
      yield* TestClock.adjust(10)
      assert.deepNestedPropertyVal(yield* Fiber.join(late), "reason._tag", "Timeout")
      assert.deepStrictEqual(yield* Sys.quarantined(mill), [feed!, grind!])
      yield* GenServer.stop(mill)
      for (const message of [feed!, grind!]) {
        assert.deepNestedPropertyVal(yield* Effect.flip(Sys.replay(mill, message)), "reason._tag", "NotRunning")
      }
      assert.deepStrictEqual(yield* Sys.quarantined(mill), [feed!, grind!])
    }).pipe(Effect.provide(app))
  })
})

describe("messages that are no poison", () => {
  it.effect("a message without a redelivery policy is answered Crashed, and not kept", () => {
    const { app } = setting(() => false)
    return Effect.gen(function*() {
      const mill = yield* Mill
      const error = yield* Effect.flip(mill.Once())
      assert.deepStrictEqual(error.reason, { _tag: "Crashed", cause: Cause.die("boom"), willRestart: true })
      assert.deepStrictEqual(yield* Sys.quarantined(mill), [])
    }).pipe(Effect.provide(app))
  })

  it.effect("a typed failure is an answer, not a crash", () => {
    const { app } = setting(() => false)
    return Effect.gen(function*() {
      const mill = yield* Mill
      assert.deepStrictEqual(yield* Effect.exit(mill.Grind({ grain: -1 })), Exit.fail(new Poisoned({ by: -1 })))
      assert.strictEqual(yield* Process.incarnation(mill), 1)
    }).pipe(Effect.provide(app))
  })

  it.effect("a message whose server is killed under it has an attempt less", () => {
    const { app } = setting(() => false)
    return Effect.gen(function*() {
      const [mill, harness] = [yield* Mill, yield* Harness.Harness]
      const held = yield* now(Effect.flip(mill.Hold()))
      yield* Process.kill(mill)
      yield* harness.awaitTag("Redelivered", mill)
      yield* Process.kill(mill)
      assert.deepStrictEqual((yield* Fiber.join(held)).reason, { _tag: "Quarantined", attempts: 2 })
      assert.deepStrictEqual((yield* Sys.quarantined(mill)).map(({ reason }) => reason), [killed])
      yield* Process.exit(mill, crashed(Cause.die("from outside")))
      assert.strictEqual(yield* mill.Get(), 0)
    }).pipe(Effect.provide(app))
  })

  it.effect("a message whose caller is gone is not delivered again", () => {
    const { app, attempts } = setting((grain) => grain === 13)
    return Effect.gen(function*() {
      const mill = yield* Mill
      const caller = yield* now(mill.Hold())
      yield* Fiber.interrupt(caller)
      yield* Process.kill(mill)
      assert.strictEqual(yield* mill.Get(), 0)
      assert.deepStrictEqual([attempts, yield* Sys.quarantined(mill)], [[], []])
    }).pipe(Effect.provide(app))
  })
})
