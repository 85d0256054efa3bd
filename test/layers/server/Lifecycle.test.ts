import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Latch, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { DynamicSupervisor, GenServer, Process, StateContainer, Supervisor } from "../../../src/index.ts"
import { Harness } from "../../../src/testing.ts"
import { now } from "../../kit/Fibers.ts"
import { often } from "../../kit/Restarts.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Step: GenServer.call({
      payload: { by: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(10))) },
      reply: Schema.Int
    }),
    Put: GenServer.cast({ payload: { to: Schema.Int } }),
    Later: GenServer.call({ payload: { millis: Schema.Number } }),
    Cancel: GenServer.call(),
    Hang: GenServer.call({ timeout: "infinity" }),
    Crash: GenServer.call()
  }
}) {}

class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}
class Top extends Supervisor.Service<Top>()("test/Top") {}

const behavior = () => {
  let cancel: Effect.Effect<void> = Effect.void
  let self: Effect.Effect<void> = Effect.void
  return {
    server: (num: typeof Num.Service) => {
      self = num.Put({ to: 100 })
    },
    behavior: Num.behavior({
      init: 0,
      handlers: {
        Add: (n, { by }) => [n + by, n + by],
        Step: (n, { by }) => [n + by, n + by],
        Put: (_n, { to }) => to,
        Later: (n, { millis }) =>
          Effect.map(GenServer.castAfter(Effect.suspend(() => self), millis), (stop) => {
            cancel = stop
            return [undefined, n] as const
          }),
        Cancel: (n) => Effect.as(Effect.suspend(() => cancel), [undefined, n] as const),
        Hang: () => Effect.never,
        Crash: () => Effect.die("boom")
      }
    })
  }
}

const app = Layer.provideMerge(
  Top.layer(
    { id: "root", strategy: "one_for_one", restart: often },
    [
      StateContainer.layerMemory(Num),
      Pool.layer({ restart: often })
    ]
  ),
  Harness.Harness.layer
)

const start = (key: string, restart?: GenServer.Options["restart"]) =>
  Effect.gen(function*() {
    const pool = yield* Pool
    const made = behavior()
    const num = yield* pool.startChild(Num.recipe(made.behavior, { key, restart }))
    made.server(num)
    return num
  })

const conserved = (key: string) => Effect.flatMap(Num.StateContainer, (container) => container.for(key).get)

describe("stop", () => {
  it.effect("ends a server in order after the messages that wait already, and answers when it has ended", () =>
    Effect.gen(function*() {
      // Not started again: those that it left would not be answered.
      const num = yield* start("a", "transient")
      yield* num.Put({ to: 41 })
      const caller = yield* now(num.Add({ by: 1 }))
      assert.deepStrictEqual(yield* GenServer.stop(num), { _tag: "Normal" })
      assert.strictEqual(yield* Process.status(num), "stopped")
      assert.strictEqual(yield* Fiber.join(caller), 42)
    }).pipe(Effect.provide(app)))

  it.effect("concerns the incarnation it was sent to, and no other", () =>
    Effect.gen(function*() {
      const num = yield* start("a")
      yield* now(Effect.exit(num.Crash()))
      yield* now(Effect.exit(num.Hang()))
      const stopping = yield* now(Effect.exit(GenServer.stop(num)))
      yield* Process.kill(num)
      assert.include(String(yield* Fiber.join(stopping)), "was to end normal, and ended killed")
      assert.strictEqual(yield* num.Add({ by: 1 }), 1)
      assert.strictEqual(yield* num.Add({ by: 1 }), 2)
      assert.strictEqual(yield* Process.status(num), "running")
    }).pipe(Effect.provide(app)))

  it.effect("of one that is starting is answered, also when that start fails", () => {
    const gate = Latch.makeUnsafe()
    let starts = 0
    return Effect.gen(function*() {
      const pool = yield* Pool
      const made = behavior().behavior
      const num = yield* pool.startChild(Num.recipe({
        ...made,
        init: Effect.suspend(() => ++starts === 2 ? Effect.andThen(gate.await, Effect.die("no")) : Effect.succeed(0))
      }, { key: "a" }))
      yield* Process.kill(num)
      assert.strictEqual(yield* Process.status(num), "starting")
      const stopping = yield* now(Effect.exit(GenServer.stop(num)))
      yield* gate.open
      assert.include(String(yield* Fiber.join(stopping)), "StopFailed")
      assert.strictEqual(yield* num.Add({ by: 1 }), 1)
      assert.strictEqual(yield* num.Add({ by: 1 }), 2)
      assert.strictEqual(starts, 3)
    }).pipe(Effect.provide(app))
  })

  it.effect("of one that does not run fails with NotRunning", () =>
    Effect.gen(function*() {
      const num = yield* start("a")
      const pool = yield* Pool
      yield* pool.terminateChild(num)
      const exit = yield* Effect.exit(GenServer.stop(num))
      assert.include(String(exit), "not running")
    }).pipe(Effect.provide(app)))
})

describe("kill and exit", () => {
  for (const state of ["idle", "at work"] as const) {
    it.effect(`a kill ends the incarnation at once, ${state}; the state is kept`, () =>
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const num = yield* start("a")
        yield* num.Add({ by: 41 })
        if (state === "at work") yield* now(Effect.exit(num.Hang()))
        yield* Process.kill(num)
        assert.deepStrictEqual((yield* harness.awaitTag("Exited", num)).reason, { _tag: "Killed" })
        assert.strictEqual(yield* Process.incarnation(num), 2)
        assert.strictEqual(yield* num.Add({ by: 1 }), 42)
      }).pipe(Effect.provide(app)))

    it.effect(`an exit signal ends it with that reason, ${state}`, () =>
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const num = yield* start("a")
        if (state === "at work") yield* now(Effect.exit(num.Hang()))
        yield* Process.exit(num, { _tag: "Shutdown", detail: "told to" })
        const { reason } = yield* harness.awaitTag("Exited", num)
        assert.deepStrictEqual(reason, { _tag: "Shutdown", detail: "told to" })
      }).pipe(Effect.provide(app)))
  }

  it.effect("to one that is down do nothing", () =>
    Effect.gen(function*() {
      const num = yield* start("a")
      const pool = yield* Pool
      yield* pool.terminateChild(num)
      yield* Process.kill(num)
      yield* Process.exit(num, { _tag: "Shutdown" })
      assert.strictEqual(yield* Process.status(num), "stopped")
      assert.strictEqual(yield* Process.incarnation(num), 1)
    }).pipe(Effect.provide(app)))

  it.effect("from its own handler end the server when the handler is done, before any other message", () =>
    Effect.gen(function*() {
      const ref: { num?: typeof Num.Service } = {}
      const handledBy: Array<number> = []
      const pool = yield* Pool
      const made = behavior().behavior
      const killing = (by: number) => by === 0 ? undefined : Effect.runSync(Process.kill(ref.num!))
      ref.num = yield* pool.startChild(Num.recipe({
        ...made,
        handlers: {
          ...made.handlers,
          Put: (_n: number, { to }: { readonly to: number }, { incarnation }) => {
            handledBy.push(incarnation)
            killing(to)
            return to
          },
          Add: (n: number, { by }: { readonly by: number }, { incarnation }) => {
            handledBy.push(incarnation)
            killing(by)
            return [n + by, n + by] as const
          }
        }
      }, { key: "suicide" }))
      const { num } = ref
      yield* num.Put({ to: 7 })
      assert.strictEqual(yield* num.Add({ by: 0 }), 7)
      yield* Effect.yieldNow
      // Served at once, and killed while it answers: the very next call finds another incarnation.
      assert.strictEqual(yield* Effect.flatMap(num.Add({ by: 1 }), () => num.Add({ by: 0 })), 8)
      assert.deepStrictEqual(handledBy, [1, 2, 2, 3])
    }).pipe(Effect.provide(app)))
})

describe("castAfter", () => {
  it.effect("sends a message after a delay, unless it is cancelled or the incarnation ends before", () =>
    Effect.gen(function*() {
      const num = yield* start("a")
      yield* num.Later({ millis: 1000 })
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* num.Add({ by: 0 }), 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* num.Add({ by: 0 }), 100)
      yield* num.Add({ by: 1 })
      yield* num.Later({ millis: 1000 })
      yield* num.Cancel()
      yield* num.Later({ millis: 1000 })
      yield* Process.kill(num)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* num.Add({ by: 0 }), 101)
    }).pipe(Effect.provide(app)))
})

describe("names", () => {
  it.effect("a second server under a taken key does not start, and the first is not disturbed", () =>
    Effect.gen(function*() {
      const top = yield* Top
      const num = yield* start("a")
      yield* num.Add({ by: 41 })
      const exit = yield* Effect.exit(top.startChild(Num.recipe(behavior().behavior, { key: "a" })))
      assert.include(String(exit), "StartError")
      const error = exit._tag === "Failure" ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
      assert.isTrue(error?.reason._tag === "Failed" && Cause.squash(error.reason.cause) instanceof GenServer.NameTaken)
      assert.strictEqual(yield* num.Add({ by: 1 }), 42)
      yield* Process.kill(num)
      assert.strictEqual(yield* num.Add({ by: 1 }), 43)
    }).pipe(Effect.provide(app)))

  it.effect("a key is free when its server is gone for good, before its end is published", () =>
    Effect.gen(function*() {
      const pool = yield* Pool
      const num = yield* start("a")
      const caller = yield* now(Effect.andThen(Effect.exit(num.Hang()), start("a")))
      yield* pool.terminateChild(num)
      const again = yield* Fiber.join(caller)
      assert.strictEqual(yield* Process.status(again), "running")
    }).pipe(Effect.provide(app)))

  it.effect("a server that is terminated and started anew goes on with what is conserved, and may commit", () =>
    Effect.gen(function*() {
      const pool = yield* Pool
      const num = yield* start("a")
      yield* num.Add({ by: 41 })
      yield* Process.kill(num)
      yield* Process.kill(num)
      yield* pool.terminateChild(num)
      assert.deepStrictEqual(yield* conserved("a"), Option.some(41))
      const again = yield* start("a")
      assert.strictEqual(yield* again.Add({ by: 1 }), 42)
      assert.isAbove(yield* Process.incarnation(again), 2, "the number only grows")
    }).pipe(Effect.provide(app)))

  it.effect("a reference to a server that is gone answers NotRunning, also when another has its key", () =>
    Effect.gen(function*() {
      const pool = yield* Pool
      const num = yield* start("a")
      yield* pool.terminateChild(num)
      const again = yield* start("a")
      assert.strictEqual((yield* Effect.flip(num.Add({ by: 1 }))).reason._tag, "NotRunning")
      yield* num.Put({ to: 7 })
      assert.strictEqual(yield* again.Add({ by: 0 }), 0)
    }).pipe(Effect.provide(app)))
})

describe("payloads", () => {
  it.effect("fields with a constructor default may be left out", () =>
    Effect.gen(function*() {
      const num = yield* start("a")
      assert.strictEqual(yield* num.Step(), 10)
      assert.strictEqual(yield* num.Step({}), 20)
      assert.strictEqual(yield* num.Step({ by: 1 }), 21)
    }).pipe(Effect.provide(app)))

  it.effect("a method builds an Effect: nothing is sent before it is run, and once each time it is", () =>
    Effect.gen(function*() {
      const num = yield* start("a")
      const add = num.Add({ by: 1 })
      const put = num.Put({ to: 50 })
      assert.strictEqual(yield* num.Add({ by: 0 }), 0)
      yield* add
      assert.strictEqual(yield* add, 2)
      yield* put
      assert.strictEqual(yield* add, 51)
    }).pipe(Effect.provide(app)))
})
