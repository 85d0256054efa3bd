/** The cases of Effect's own Machine: a deferred reply, messages to itself, background work that fails. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { crashed } from "../../../src/domain/process/ExitReason.ts"
import { GenServer, Monitor, Next, StateContainer, Supervisor, Sys } from "../../../src/index.ts"
import { now } from "../../kit/Fibers.ts"
import { Live as ServersLive, Root } from "../../kit/ServerCases.ts"

class Multiplier extends Context.Service<Multiplier, number>()("test/Multiplier") {}

/** The counter of Effect's own Machine. */
class Machine extends GenServer.Service<Machine>()("test/Machine", {
  state: Schema.Int,
  messages: {
    Increment: GenServer.call({ reply: Schema.Int }),
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    DelayedIncrementBy: GenServer.call({ payload: { by: Schema.Int } }),
    Last: GenServer.call({ reply: Schema.UndefinedOr(Schema.Int) }),
    FailBackground: GenServer.call(),
    IncrementBy: GenServer.cast({ payload: { by: Schema.Int }, internal: true }),
    Tick: GenServer.cast({ internal: true })
  }
}) {}

const machine = Machine.behavior({
  init: 0,
  handlers: {
    Increment: (n) => [n + 1, n + 1],
    Add: (n, { by }) => [n + by, n + by],
    DelayedIncrementBy: (n, { by }) =>
      Effect.as(
        Effect.flatMap(Machine.self, (self) => GenServer.castAfter(self.IncrementBy({ by }), 10)),
        [undefined, n] as const
      ),
    Last: (n) => [n === 0 ? undefined : n, n],
    FailBackground: (n) => Effect.as(GenServer.spawnLink(Effect.fail("error")), [undefined, n] as const),
    IncrementBy: (n, { by }) => n + by,
    Tick: (n) => n
  }
})

const Live = Layer.provideMerge(
  Supervisor.layer({ id: "keepers", strategy: "one_for_one" }, [StateContainer.layerForget(Machine)]),
  ServersLive
)

describe("server: the cases of Effect's Machine", () => {
  it.effect("SRV-035 Effect Machine: deferred reply, private requests, background work", () =>
    Effect.gen(function*() {
      const root = yield* Root
      const deferred = yield* root.startChild(Machine.recipe({
        ...machine,
        handlers: {
          ...machine.handlers,
          Increment: (n, _, { from }) =>
            Effect.as(
              Effect.forkScoped(Effect.delay(GenServer.reply(from, Exit.succeed(n + 1)), 10)),
              Next.noReply(n + 1)
            )
        }
      }, { key: "deferred" }))
      const incremented = yield* now(deferred.Increment())
      yield* TestClock.adjust(9)
      assert.isUndefined(incremented.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(incremented), 1)

      const delays = yield* root.startChild(Machine.recipe(machine, { key: "delays" }))
      // Only the machine itself sends it: outside it does not compile, and there is nothing to send.
      // @ts-expect-error
      assert.isUndefined(delays.IncrementBy)
      yield* delays.DelayedIncrementBy({ by: 2 })
      assert.isUndefined(yield* delays.Last())
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* delays.Last(), 2)
      yield* delays.DelayedIncrementBy({ by: 2 })
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* delays.Last(), 4)

      const states: Array<number> = []
      const again = Effect.flatMap(Machine.self, (self) => GenServer.castAfter(self.Tick(), 20))
      yield* root.startChild(Machine.recipe({
        ...machine,
        init: Effect.gen(function*() {
          states.push(0)
          yield* Effect.flatMap(Machine.self, (self) => self.Tick())
          return 0
        }),
        handlers: {
          ...machine.handlers,
          Tick: (n) => Effect.as(Effect.andThen(Effect.sync(() => states.push(n + 1)), again), n + 1)
        }
      }, { key: "ticks" }))
      yield* TestClock.adjust(20)
      yield* TestClock.adjust(20)
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(states, [0, 1, 2, 3, 4])
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-036 Effect Machine: request/response counter; background failure fails the machine", () =>
    Effect.gen(function*() {
      const root = yield* Root
      const counter = yield* root.startChild(Machine.recipe(machine, { key: "counter", restart: "temporary" }))
      assert.deepStrictEqual([
        yield* counter.Increment(),
        yield* counter.Increment(),
        yield* counter.Add({ by: 2 }),
        yield* counter.Add({ by: -1 })
      ], [1, 2, 4, 3])
      const watch = yield* Monitor.watch(counter)
      yield* counter.FailBackground()
      assert.deepStrictEqual((yield* watch.down).reason, crashed(Cause.fail("error")))

      const multiplied = Machine.recipe({
        ...machine,
        init: Effect.map(Multiplier, (multiplier) => 20 * multiplier)
      }, { key: "multiplied" })
      const other = yield* Effect.provideService(root.startChild(multiplied), Multiplier, 2)
      assert.strictEqual(yield* Sys.getState(other), 40)
    }).pipe(Effect.scoped, Effect.provide(Live)))
})
