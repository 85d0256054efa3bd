import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Fiber, Latch, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { crashed } from "../../../../src/domain/process/ExitReason.ts"
import { GenServer, Monitor, Next, Process, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"

class Pulse extends GenServer.Service<Pulse>()("test/Pulse", {
  state: Schema.Int,
  messages: {
    Beat: GenServer.call({ reply: Schema.Int }),
    Do: GenServer.call({ payload: { what: Schema.String } }),
    Tick: GenServer.cast({ internal: true }),
    Sum: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, internal: true })
  }
}) {}

const acting = (acts: Record<string, Effect.Effect<unknown, never, GenServer.SelfOf<Pulse>>>) =>
  Pulse.behavior({
    init: 0,
    handlers: {
      Beat: (n) => [n, n],
      Do: (n, { what }) => Effect.as(acts[what] ?? Effect.void, [undefined, n] as const),
      Tick: (n) => n + 1,
      Sum: (n, { by }) => [n + by, n + by]
    }
  })

const setting = (acts: Parameters<typeof acting>[0], options: GenServer.Options = {}) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerMemory(Pulse),
      Pulse.layer(acting(acts), options)
    ]),
    Harness.Harness.layer
  )

describe("self", () => {
  it.effect("stands for the very server that runs the handler, and takes its internal messages", () => {
    const App = setting({ tick: Effect.flatMap(Pulse.self, (self) => self.Tick()) })
    return Effect.gen(function*() {
      const pulse = yield* Pulse
      yield* pulse.Do({ what: "tick" })
      assert.strictEqual(yield* pulse.Beat(), 1)
      assert.notProperty(pulse, "Tick")
      assert.notProperty(pulse, "Sum")
    }).pipe(Effect.provide(App))
  })

  it.effect("is there in init, in a continuation, in what the handler forks, and in terminate", () => {
    const seen: Array<unknown> = []
    const see = (where: string) =>
      Effect.map(Pulse.self, (self) => void seen.push(where, self[Process.processOf].path.join(" > ")))
    const behavior = Pulse.behavior({
      ...acting({ fork: Effect.flatMap(Effect.forkChild(see("fork")), Fiber.join) }),
      init: Effect.as(see("init"), Next.start(0, { continueWith: (n) => Effect.as(continued, n) })),
      terminate: () => see("terminate")
    })
    const continued = Effect.sync(() => void seen.push("continue"))
    const App = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerMemory(Pulse),
      Pulse.layer(behavior, { restart: "transient" })
    ])
    return Effect.gen(function*() {
      const pulse = yield* Pulse
      yield* pulse.Do({ what: "fork" })
      yield* GenServer.stop(pulse)
      const path = "root > test/Pulse"
      assert.deepStrictEqual(seen, ["init", path, "continue", "fork", path, "terminate", path])
    }).pipe(Effect.provide(App))
  })

  it.effect("calling an internal message from a fiber beside the handler is an ordinary call", () => {
    const sums: Array<unknown> = []
    const App = setting({
      beside: Effect.forkDetach(
        Effect.flatMap(Pulse.self, (self) => Effect.map(Effect.exit(self.Sum({ by: 5 })), (exit) => sums.push(exit)))
      )
    })
    return Effect.gen(function*() {
      const pulse = yield* Pulse
      yield* pulse.Do({ what: "beside" })
      yield* Sys.getState(pulse)
      yield* Effect.yieldNow
      assert.strictEqual(yield* pulse.Beat(), 5)
    }).pipe(Effect.provide(App))
  })
})

describe("spawnLink", () => {
  const setUp = (work: Effect.Effect<unknown, unknown>) => {
    const behavior = acting({})
    return Layer.provideMerge(
      Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerMemory(Pulse),
        Pulse.layer({
          ...behavior,
          handlers: {
            ...behavior.handlers,
            Do: (n) => Effect.as(GenServer.spawnLink(work), [undefined, n + 1] as const)
          }
        })
      ]),
      Harness.Harness.layer
    )
  }

  const ends: Record<string, readonly [work: Effect.Effect<unknown, unknown>, cause: Cause.Cause<unknown>]> = {
    fails: [Effect.fail("late"), Cause.fail("late")],
    dies: [Effect.die("late"), Cause.die("late")]
  }
  for (const [how, [end, cause]] of Object.entries(ends)) {
    it.effect(`a fiber linked to a server ends it when it ${how}; its state is kept`, () =>
      Effect.gen(function*() {
        const pulse = yield* Pulse
        const watch = yield* Monitor.watch(pulse)
        yield* pulse.Do({ what: "link" })
        yield* TestClock.adjust(99)
        assert.strictEqual(yield* Process.incarnation(pulse), 1)
        yield* TestClock.adjust(1)
        assert.deepStrictEqual((yield* watch.down).reason, crashed(cause))
        assert.strictEqual(yield* pulse.Beat(), 1)
        assert.strictEqual(yield* Process.incarnation(pulse), 2)
      }).pipe(Effect.scoped, Effect.provide(setUp(Effect.delay(end, 100)))))
  }

  for (const [how, end] of Object.entries({ completes: Effect.void, "is interrupted": Effect.interrupt })) {
    it.effect(`it ends nothing when it ${how}`, () =>
      Effect.gen(function*() {
        const [pulse, harness] = [yield* Pulse, yield* Harness.Harness]
        yield* pulse.Do({ what: "link" })
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual([yield* pulse.Beat(), yield* Process.incarnation(pulse)], [1, 1])
        assert.notInclude(yield* harness.historyOf(pulse), "Exited")
      }).pipe(Effect.provide(setUp(Effect.delay(end, 100)))))
  }

  it.effect("it ends with its incarnation", () => {
    const log: Array<string> = []
    const work = Effect.onInterrupt(
      Effect.andThen(Effect.sync(() => log.push("begun")), Effect.never),
      () => Effect.sync(() => log.push("interrupted"))
    )
    return Effect.gen(function*() {
      const [pulse, harness] = [yield* Pulse, yield* Harness.Harness]
      yield* pulse.Do({ what: "link" })
      yield* Sys.getState(pulse)
      yield* Effect.yieldNow
      assert.deepStrictEqual(log, ["begun"])
      yield* Process.kill(pulse)
      yield* harness.awaitIncarnation(pulse, 2)
      assert.deepStrictEqual(log, ["begun", "interrupted"])
    }).pipe(Effect.provide(setUp(work)))
  })

  it.effect("one that was left behind with its incarnation ends no later one", () => {
    const gate = Latch.makeUnsafe()
    const work = Effect.uninterruptible(Effect.andThen(gate.await, Effect.die("late")))
    return Effect.gen(function*() {
      const pulse = yield* Pulse
      yield* pulse.Do({ what: "link" })
      yield* TestClock.adjust(0)
      yield* Process.kill(pulse)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Process.incarnation(pulse), 2)
      yield* gate.open
      yield* TestClock.adjust(0)
      assert.deepStrictEqual([yield* pulse.Beat(), yield* Process.incarnation(pulse)], [1, 2])
    }).pipe(Effect.provide(setUp(work)))
  })
})

describe("hibernate", () => {
  class Acquired extends Context.Service<Acquired, Array<string>>()("test/Acquired") {}

  class Sleeper extends GenServer.Service<Sleeper>()("test/Sleeper", {
    state: Schema.Int,
    messages: {
      Sleep: GenServer.call({ payload: { acquire: Schema.Boolean } }),
      SleepUntilIdle: GenServer.call(),
      Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int })
    }
  }) {}

  const App = Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerMemory(Sleeper),
      Sleeper.layer({
        init: 0,
        handlers: {
          Sleep: (n, { acquire }) =>
            Effect.gen(function*() {
              const log = yield* Acquired
              if (acquire) {
                yield* Effect.acquireRelease(
                  Effect.sync(() => log.push("+")),
                  () => Effect.sync(() => log.push("-"))
                )
              }
              return Next.reply(undefined, n + 1, { hibernate: true })
            }),
          SleepUntilIdle: (n) => Next.reply(undefined, n, { hibernate: true, idleAfter: 100 }),
          Add: (n, { by }) => Effect.succeed([n + by, n + by])
        },
        idle: (n) => n + 1000
      })
    ]),
    Layer.mergeAll(Harness.Harness.layer, Layer.sync(Acquired, () => []))
  )

  it.effect("keeps state and mailbox, and the next message finds all it needs", () =>
    Effect.gen(function*() {
      const sleeper = yield* Sleeper
      for (let n = 0; n < 3; n++) yield* sleeper.Sleep({ acquire: false })
      assert.strictEqual(yield* sleeper.Add({ by: 1 }), 4)
      assert.strictEqual(yield* Process.incarnation(sleeper), 1)
    }).pipe(Effect.provide(App)))

  it.effect("does not release what the incarnation holds", () =>
    Effect.gen(function*() {
      const [sleeper, log, harness] = [yield* Sleeper, yield* Acquired, yield* Harness.Harness]
      yield* sleeper.Sleep({ acquire: true })
      yield* sleeper.Sleep({ acquire: false })
      assert.deepStrictEqual(log, ["+"])
      yield* Process.kill(sleeper)
      yield* harness.awaitIncarnation(sleeper, 2)
      assert.deepStrictEqual(log, ["+", "-"])
    }).pipe(Effect.provide(App)))

  it.effect("does not forget its monitors, nor an idle timeout", () =>
    Effect.gen(function*() {
      const sleeper = yield* Sleeper
      const watch = yield* Monitor.watch(sleeper)
      yield* Sys.statistics(sleeper, true)
      yield* sleeper.SleepUntilIdle()
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* sleeper.Add({ by: 0 }), 1000)
      assert.strictEqual((yield* Sys.statistics(sleeper, "get"))._tag, "Some")
      yield* Process.kill(sleeper)
      assert.strictEqual((yield* watch.down).reason._tag, "Killed")
    }).pipe(Effect.scoped, Effect.provide(App)))
})
