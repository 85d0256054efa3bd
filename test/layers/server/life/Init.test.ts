import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  DynamicSupervisor,
  GenServer,
  Next,
  Process,
  Restart,
  StateContainer,
  Supervisor
} from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { Counter, handlers } from "../../../kit/Counter.ts"
import { now } from "../../../kit/Fibers.ts"

class NoDatabase extends Schema.TaggedError<NoDatabase>()("NoDatabase", { attempt: Schema.Int }) {}

class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}

const over = <E>(
  server: Layer.Layer<Counter, E, Supervisor.Supervisor | StateContainer.StateOf<Counter>>,
  options: Partial<Supervisor.Options> = {}
) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one", ...options }, [
      StateContainer.layerMemory(Counter),
      server
    ]),
    Harness.Harness.layer
  )

const pool = Layer.provideMerge(
  Supervisor.layer({ id: "root", strategy: "one_for_one" }, [StateContainer.layerMemory(Counter), Pool.layer({})]),
  Harness.Harness.layer
)

describe("an init that fails when the server is first started", () => {
  it.effect("fails the layer with its own typed error", () =>
    Effect.gen(function*() {
      const server = Counter.layer({ init: Effect.fail(new NoDatabase({ attempt: 1 })), handlers })
      const exit = yield* Effect.exit(Layer.build(over(server)))
      assert.deepStrictEqual(exit, Exit.fail(new NoDatabase({ attempt: 1 })))
    }))

  it.effect("fails the layer with the defect it died of", () =>
    Effect.gen(function*() {
      const server = Counter.layer({ init: Effect.die("no luck"), handlers })
      const exit = yield* Effect.exit(Layer.build(over(server)))
      assert.deepStrictEqual(exit, Exit.die("no luck"))
    }))

  it.effect("leaves nothing behind: resources are released, the name is free, a later start succeeds", () => {
    const log: Array<string> = []
    return Effect.gen(function*() {
      let attempt = 0
      const behavior = Effect.gen(function*() {
        yield* Effect.acquireRelease(
          Effect.sync(() => log.push("acquired")),
          () => Effect.sync(() => log.push("released"))
        )
        if (++attempt === 1) return yield* new NoDatabase({ attempt })
        return Counter.behavior({ init: 7, handlers })
      })
      const pool = yield* Pool
      const recipe = Counter.recipe(behavior, { key: "a" })
      const exit = yield* Effect.exit(pool.startChild(recipe))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "NoDatabase")
      assert.deepStrictEqual(log, ["acquired", "released"])
      assert.deepStrictEqual(yield* pool.countChildren, { specs: 0, active: 0, supervisors: 0, workers: 0 })
      assert.deepStrictEqual(yield* (yield* Counter.StateContainer).keys, [])
      const counter = yield* pool.startChild(recipe)
      assert.strictEqual(yield* counter.Add({ by: 1 }), 8)
    }).pipe(Effect.provide(pool))
  })
})

describe("an init that fails at a restart", () => {
  it.effect("is one more failed attempt, charged to the budget; callers wait until one succeeds", () => {
    let attempt = 0
    const server = Counter.layer({
      init: 0,
      restore: (n) => ++attempt < 3 ? Effect.fail(new NoDatabase({ attempt })) : n,
      handlers
    })
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const counter = yield* Counter
      yield* counter.Add({ by: 41 })
      const crashing = yield* now(Effect.exit(counter.Crash()))
      const waiting = yield* now(counter.Add({ by: 1 }, { timeout: "infinity" }))
      yield* TestClock.adjust("1 minute")
      assert.include(String(yield* Fiber.join(crashing)), "the server crashed: Error: boom")
      assert.strictEqual(yield* Fiber.join(waiting), 42)
      const failed = (yield* harness.eventsOf(counter)).filter((event) => event._tag === "StartFailed")
      assert.strictEqual(failed.length, 2)
      assert.strictEqual(yield* Process.incarnation(counter), 4)
    }).pipe(Effect.provide(over(server, { restart: Restart.backoff({ base: "1 second" }) })))
  })

  it.effect("calls made between two attempts wait", () => {
    let attempt = 0
    const server = Counter.layer({
      init: 0,
      restore: (n) => ++attempt < 2 ? Effect.fail(new NoDatabase({ attempt })) : n,
      handlers
    })
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const counter = yield* Counter
      yield* counter.Add({ by: 41 })
      yield* now(Effect.exit(counter.Crash()))
      yield* TestClock.adjust("1 second")
      yield* harness.awaitTag("StartFailed", counter)
      assert.strictEqual(yield* Process.status(counter), "restarting")
      const waiting = yield* now(counter.Add({ by: 1 }, { timeout: "infinity" }))
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(waiting), 42)
    }).pipe(Effect.provide(over(server, { restart: Restart.backoff({ base: "1 second" }) })))
  })

  it.effect("again and again spends the budget: calls fail, the state is kept", () => {
    let broken = false
    const server = Counter.layer({
      init: 0,
      restore: (n) => broken ? Effect.fail(new NoDatabase({ attempt: 0 })) : n,
      handlers
    })
    return Effect.gen(function*() {
      const counter = yield* Counter
      yield* counter.Add({ by: 41 })
      broken = true
      const exit = yield* Effect.exit(counter.Crash())
      assert.include(String(exit), "CallError")
      assert.strictEqual(yield* Process.status(counter), "stopped")
      const later = yield* Effect.flip(counter.Add({ by: 1 }, { timeout: "infinity" }))
      assert.strictEqual(later.reason._tag, "NotRunning")
      assert.deepStrictEqual(yield* (yield* Counter.StateContainer).for().get, Option.some(41))
    }).pipe(Effect.provide(over(server)))
  })
})

describe("initTimeout", () => {
  const slow = (init: Effect.Effect<number>) => Counter.layer({ init, handlers }, { initTimeout: "1 second" })

  it.effect("an init that takes longer fails the start, and is interrupted", () =>
    Effect.gen(function*() {
      let interrupted = false
      const init = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted = true))
      const starting = yield* now(Effect.exit(Layer.build(over(slow(init)))))
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(starting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const exit = yield* Fiber.join(starting)
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof GenServer.InitTimeout)
      assert.isTrue(interrupted)
    }))

  it.effect("an init that cannot be interrupted is abandoned when its shutdown time is over, too", () =>
    Effect.gen(function*() {
      const gate = Latch.makeUnsafe()
      const starting = yield* now(
        Effect.exit(Layer.build(over(slow(Effect.as(Effect.uninterruptible(gate.await), 0)))))
      )
      yield* TestClock.adjust("6 seconds")
      const exit = yield* Fiber.join(starting)
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof GenServer.InitTimeout)
      yield* gate.open
    }))

  it.effect("an init that ends in time is not disturbed", () =>
    Effect.gen(function*() {
      const starting = yield* now(Effect.scoped(Effect.gen(function*() {
        const context = yield* Layer.build(over(slow(Effect.delay(Effect.succeed(5), "999 millis"))))
        return yield* Effect.provide(Effect.flatMap(Counter, (counter) => counter.Add({ by: 1 })), context)
      })))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(starting), 6)
    }))
})

describe("the answers of init besides a state", () => {
  it.effect("ignore: no process is wanted, and that is no failure", () =>
    Effect.gen(function*() {
      const counter = yield* Counter
      assert.strictEqual(yield* Process.status(counter), "stopped")
      const error = yield* Effect.flip(counter.Add({ by: 1 }, { timeout: "infinity" }))
      assert.instanceOf(error, GenServer.CallError)
      assert.strictEqual(error.reason._tag, "NotRunning")
    }).pipe(Effect.provide(over(Counter.layer({ init: Next.ignore, handlers })))))

  it.effect("continueWith: work that is done before anything queued", () => {
    const gate = Latch.makeUnsafe()
    const server = Counter.layer({
      init: Next.start(1, { continueWith: (n) => Effect.as(gate.await, n * 10) }),
      handlers
    })
    return Effect.gen(function*() {
      const counter = yield* Counter
      const caller = yield* now(counter.Add({ by: 1 }, { timeout: "infinity" }))
      assert.isUndefined(caller.pollUnsafe())
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(caller), 11)
    }).pipe(Effect.provide(over(server)))
  })

  it.effect("the state of init is not conserved before a message was handled", () => {
    let inits = 0
    const server = Counter.layer({ init: Effect.sync(() => ++inits), handlers })
    return Effect.gen(function*() {
      const counter = yield* Counter
      const companion = (yield* Counter.StateContainer).for()
      assert.deepStrictEqual(yield* companion.get, Option.none())
      yield* Effect.exit(counter.Crash())
      assert.strictEqual(yield* counter.Add({ by: 0 }), 2)
      assert.deepStrictEqual(yield* companion.get, Option.some(2))
    }).pipe(Effect.provide(over(server)))
  })
})
