import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Latch, Layer, Option, Schema } from "effect"
import { GenServer, Next, Process, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now } from "../../../kit/Fibers.ts"

/** What a price is made of: a version of the handlers, and the amount. */
class Till extends GenServer.Service<Till>()("test/Till", {
  state: Schema.Struct({ unit: Schema.String, amount: Schema.Int }),
  messages: {
    Price: GenServer.call({ reply: Schema.String }),
    Hold: GenServer.call({ reply: Schema.String, timeout: "infinity" }),
    Crash: GenServer.call()
  }
}) {}

class Rate extends Context.Service<Rate, number>()("test/Rate") {}

const gate = Latch.makeUnsafe()

const version = (name: string) =>
  Till.behavior({
    init: { unit: name, amount: 0 },
    handlers: {
      Price: (state) => [`${name}: ${state.amount} ${state.unit}`, state],
      Hold: (state) => Effect.as(gate.await, [name, state] as const),
      Crash: () => Effect.die("boom")
    }
  })

const first = version("first")
const second = version("second")

const toCents = (state: { readonly amount: number }) => ({ unit: "cents", amount: state.amount * 100 })

const setting = (till: typeof TillLive) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [StateContainer.layerMemory(Till), till]),
    Harness.Harness.layer
  )

const TillLive = Till.layer({ ...first, init: { unit: "euro", amount: 3 } })
const App = setting(TillLive)

describe("replace", () => {
  it.effect("finishes the message in hand, migrates the state, and goes on with the same mailbox", () =>
    Effect.gen(function*() {
      const till = yield* Till
      yield* gate.close
      const held = yield* now(till.Hold())
      const before = yield* now(till.Price())
      const replaced = yield* now(GenServer.replace(till, second, { migrate: toCents }))
      const after = yield* now(till.Price())
      assert.deepStrictEqual([held, before, replaced, after].map((fiber) => fiber.pollUnsafe()), [
        undefined,
        undefined,
        undefined,
        undefined
      ])
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(held), "first")
      assert.strictEqual(yield* Fiber.join(before), "first: 3 euro")
      yield* Fiber.join(replaced)
      assert.strictEqual(yield* Fiber.join(after), "second: 300 cents")
      assert.strictEqual(yield* Process.incarnation(till), 1)
    }).pipe(Effect.provide(App)))

  it.effect("commits the migrated state, and later incarnations run the new behaviour", () =>
    Effect.gen(function*() {
      const [till, container] = [yield* Till, yield* Till.StateContainer]
      yield* GenServer.replace(till, second, { migrate: toCents })
      assert.deepStrictEqual(yield* container.for().get, Option.some({ unit: "cents", amount: 300 }))
      yield* Effect.exit(till.Crash())
      assert.strictEqual(yield* till.Price(), "second: 300 cents")
      assert.strictEqual(yield* Process.incarnation(till), 2)
    }).pipe(Effect.provide(App)))

  it.effect("leaves the state alone without a migration, and other servers of the class as they are", () => {
    class Root extends Supervisor.Service<Root>()("test/Root") {}
    return Effect.gen(function*() {
      const root = yield* Root
      const [a, b] = [
        yield* root.startChild(Till.recipe(first, { key: "a" })),
        yield* root.startChild(Till.recipe(first, { key: "b" }))
      ]
      yield* GenServer.replace(a, second)
      assert.deepStrictEqual([yield* a.Price(), yield* b.Price()], ["second: 0 first", "first: 0 first"])
    }).pipe(Effect.provide(Root.layer({ strategy: "one_for_one" }, [StateContainer.layerForget(Till)])))
  })

  it.effect("is done while the server is suspended, as in OTP", () =>
    Effect.gen(function*() {
      const till = yield* Till
      yield* Sys.suspend(till)
      const price = yield* now(till.Price())
      yield* GenServer.replace(till, second, { migrate: toCents })
      assert.isUndefined(price.pollUnsafe())
      yield* Sys.resume(till)
      assert.strictEqual(yield* Fiber.join(price), "second: 300 cents")
    }).pipe(Effect.provide(App)))

  it.effect("keeps the old behaviour and state when the migration throws, dies or fails", () =>
    Effect.gen(function*() {
      const till = yield* Till
      const oops = new Error("oops")
      const migrations: ReadonlyArray<() => Effect.Effect<never, Error>> = [
        () => {
          throw oops
        },
        () => Effect.die(oops),
        () => Effect.fail(oops)
      ]
      for (const migrate of migrations) {
        const error = yield* Effect.flip(GenServer.replace(till, second, { migrate }))
        assert(error instanceof GenServer.ReplaceFailed)
        assert.strictEqual(error.what, "behavior")
        assert.strictEqual(Cause.squash(error.cause), oops)
      }
      assert.strictEqual(yield* till.Price(), "first: 3 euro")
      yield* Effect.exit(till.Crash())
      assert.strictEqual(yield* till.Price(), "first: 3 euro")
    }).pipe(Effect.provide(App)))

  it.effect("fails when the server is down, and when its turn does not come in time", () =>
    Effect.gen(function*() {
      const till = yield* Till
      yield* Sys.suspend(till)
      yield* gate.close
      yield* Sys.resume(till)
      const held = yield* now(Effect.exit(till.Hold()))
      const late = yield* Effect.flip(GenServer.replace(till, second, { migrate: toCents, timeout: 0 }))
      assert(late._tag === "CallError")
      assert.deepStrictEqual([late.request, late.reason._tag], ["replace", "Timeout"])
      yield* gate.open
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(held)))
      // A request that timed out is withdrawn.
      assert.strictEqual(yield* till.Price(), "first: 3 euro")
    }).pipe(Effect.provide(App)))
})

describe("a behaviour that acquires something", () => {
  /** Notes what its incarnations, and their replacements, acquire and release. */
  const acquiring = (name: string, log: Array<string>) =>
    Effect.as(
      Effect.acquireRelease(
        Effect.sync(() => log.push(`+${name}`)),
        () => Effect.sync(() => log.push(`-${name}`))
      ),
      version(name)
    )

  it.effect("is made for this incarnation, and by every later one for itself", () => {
    const log: Array<string> = []
    return Effect.gen(function*() {
      const [till, harness] = [yield* Till, yield* Harness.Harness]
      yield* GenServer.replace(till, acquiring("new", log))
      assert.strictEqual(yield* till.Price(), "new: 0 old")
      assert.deepStrictEqual(log, ["+old", "+new"])
      yield* Process.kill(till)
      yield* harness.awaitIncarnation(till, 2)
      assert.strictEqual(yield* till.Price(), "new: 0 old")
      assert.deepStrictEqual(log, ["+old", "+new", "-new", "-old", "+new"])
    }).pipe(Effect.provide(setting(Till.layer(acquiring("old", log)))))
  })

  it.effect("is released again when making it, or the migration, fails", () => {
    const log: Array<string> = []
    return Effect.gen(function*() {
      const till = yield* Till
      const failing = Effect.andThen(acquiring("new", log), Effect.fail("not made"))
      assert((yield* Effect.flip(GenServer.replace(till, failing))) instanceof GenServer.ReplaceFailed)
      assert.deepStrictEqual(log.splice(0), ["+old", "+new", "-new"])
      const migrate = () => Effect.fail("not migrated")
      assert(
        (yield* Effect.flip(GenServer.replace(till, acquiring("new", log), { migrate }))) instanceof
          GenServer.ReplaceFailed
      )
      assert.deepStrictEqual(log.splice(0), ["+new", "-new"])
      assert.strictEqual(yield* till.Price(), "old: 0 old")
    }).pipe(Effect.provide(setting(Till.layer(acquiring("old", log)))))
  })

  it.effect("gets services of the caller, and its handlers keep them", () =>
    Effect.gen(function*() {
      const till = yield* Till
      const converting = Effect.map(Rate, (made) =>
        Till.behavior({
          ...second,
          handlers: {
            ...second.handlers,
            Price: (state) => Effect.map(Rate, (rate) => [`${made} ${state.amount * rate}`, state] as const)
          }
        }))
      yield* Effect.provideService(GenServer.replace(till, converting), Rate, 7)
      assert.strictEqual(yield* till.Price(), "7 21")
      yield* Process.kill(till)
      assert.strictEqual(yield* till.Price(), "7 21")
    }).pipe(Effect.provide(App)))

  it.effect("has the services of its server before those of the caller, in every incarnation", () => {
    const rated = Effect.map(
      Rate,
      (made) => Till.behavior({ ...second, handlers: { ...second.handlers, Price: (state) => [`at ${made}`, state] } })
    )
    return Effect.gen(function*() {
      const till = yield* Till
      assert.strictEqual(yield* till.Price(), "at 3")
      yield* Effect.provideService(GenServer.replace(till, rated), Rate, 7)
      assert.strictEqual(yield* till.Price(), "at 3")
      yield* Process.kill(till)
      assert.strictEqual(yield* till.Price(), "at 3")
    }).pipe(Effect.provide(
      Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerMemory(Till),
        Layer.provide(Till.layer(rated), Layer.succeed(Rate, 3))
      ])
    ))
  })

  it.effect("may ask for itself, and answer with more than a reply", () =>
    Effect.gen(function*() {
      const till = yield* Till
      yield* GenServer.replace(till, {
        ...second,
        handlers: {
          ...second.handlers,
          Price: (state) =>
            Effect.map(Till.self, (self) => Next.reply(self === till ? "myself" : "somebody else", state))
        }
      })
      assert.strictEqual(yield* till.Price(), "myself")
    }).pipe(Effect.provide(App)))
})
