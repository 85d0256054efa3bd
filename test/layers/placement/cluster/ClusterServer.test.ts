/** Servers on a cluster of one runner: what is the cluster's own, beside what all placements promise. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Option, Random, References } from "effect"
import {
  ClusterError,
  EntityProxy,
  EntityProxyServer,
  MessageStorage,
  RunnerHealth,
  Runners,
  RunnerStorage,
  Sharding,
  ShardingConfig,
  TestRunner
} from "effect/cluster"
import { RpcTest } from "effect/rpc"
import { TestClock } from "effect/testing"
import { ClusterServer } from "../../../../src/cluster.ts"
import * as MadeKey from "../../../../src/domain/state/MadeKey.ts"
import { StateStore } from "../../../../src/index.ts"
import { CallError } from "../../../../src/layers/server/GenServer.ts"
import { byHand } from "../../../kit/placement/ByHand.ts"
import { Counter, type Life, life, passing, runner, Store } from "../../../kit/placement/Counters.ts"
import { day, withJumps } from "../../../kit/WallClock.ts"

const word = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit): unknown => {
    if (exit._tag === "Success") return exit.value
    const error = Cause.squash(exit.cause)
    return error instanceof CallError ? error.reason._tag : String(error)
  })

const reason = <A, R>(effect: Effect.Effect<A, unknown, R>) =>
  Effect.map(Effect.flip(effect), (error) => error instanceof CallError ? error.reason : error)

/** Over a cluster of one, in virtual time. */
const within = <A, E>(
  life: Life,
  program: Effect.Effect<A, E, Layer.Success<typeof TestRunner.layer> | Layer.Success<ReturnType<typeof runner>>>,
  options?: Parameters<typeof runner>[1],
  cluster = TestRunner.layer
) =>
  program.pipe(
    Effect.provide(
      runner(life, options).pipe(Layer.provide(StateStore.layerMemory(Store)), Layer.provideMerge(cluster))
    ),
    Effect.provideService(References.MinimumLogLevel, "None")
  )

/** A cluster of one with settings of its own. */
const clusterOf = (config: Partial<ShardingConfig.ShardingConfig["Service"]>) =>
  Sharding.layer.pipe(
    Layer.provideMerge(Runners.layerNoop),
    Layer.provideMerge(MessageStorage.layerMemory),
    Layer.provide([RunnerStorage.layerMemory, RunnerHealth.layerNoop]),
    Layer.provide(ShardingConfig.layer(config))
  )

describe("a server of a cluster", () => {
  it.effect("that crashes more often than it may is down for a while, and no other key notices", () =>
    within(
      life(),
      Effect.gen(function*() {
        const counters = yield* ClusterServer.client(Counter)
        const [bad, good] = [counters("bad"), counters("good")]
        yield* passing(bad.Add({ by: 41 }))
        yield* passing(good.Add({ by: 1 }))
        const heard = []
        for (let i = 0; i < 4; i++) heard.push(yield* passing(word(bad.Crash())))
        assert.deepStrictEqual(heard, ["Crashed", "Crashed", "Crashed", "Crashed"])
        const down = yield* passing(Effect.flip(bad.Get()))
        assert.instanceOf(down, CallError)
        assert.deepStrictEqual(down.reason, { _tag: "NotRunning", again: 10_000 })
        assert.include(down.message, "a call after 10000 ms starts it again")
        assert.strictEqual(yield* passing(good.Add({ by: 1 })), 2)
        yield* passing(Effect.sleep("10 seconds"), 1000)
        assert.strictEqual(yield* passing(bad.Add({ by: 1 })), 42)
      }),
      { downFor: "10 seconds" }
    ))

  for (const [how, by] of [["forward", day], ["back", -day]] as const) {
    it.effect(`is down for as long as it says when the wall clock is set a day ${how}`, () =>
      withJumps((jump) =>
        within(
          life(),
          Effect.gen(function*() {
            const bad = (yield* ClusterServer.client(Counter))("bad")
            for (let i = 0; i < 4; i++) yield* passing(word(bad.Crash()))
            yield* passing(Effect.flip(bad.Get()))
            yield* jump(by)
            assert.deepInclude(yield* passing(reason(bad.Get())), { _tag: "NotRunning" })
            yield* passing(Effect.sleep("10 seconds"), 1000)
            assert.strictEqual(yield* passing(bad.Add({ by: 1 })), 1)
          }),
          { downFor: "10 seconds" }
        )
      ))
  }

  it.effect("whose start fails is asked again by the next call; its callers hear why", () => {
    const own = life()
    own.broken.add("a")
    return within(
      own,
      Effect.gen(function*() {
        const counters = yield* ClusterServer.client(Counter)
        const refused = yield* passing(reason(counters("a").Get()))
        assert.deepInclude(refused, { _tag: "Unreachable", why: "start", begun: false })
        assert.strictEqual(yield* passing(counters("b").Get()), 0)
        own.broken.clear()
        assert.strictEqual(yield* passing(counters("a").Get()), 0)
      })
    )
  })

  it.effect("that is left alone is closed, and started again with its state", () => {
    const own = life()
    return within(
      own,
      Effect.gen(function*() {
        const counter = (yield* ClusterServer.client(Counter))("a")
        yield* passing(counter.Add({ by: 41 }))
        yield* passing(Effect.sleep("12 seconds"), 1000)
        assert.deepStrictEqual(own.log, ["+a", "-a"])
        assert.strictEqual(yield* passing(counter.Add({ by: 1 })), 42)
      }),
      { maxIdleTime: "5 seconds" }
    )
  })

  it.effect("is one on a runner, also while the one before it cleans up", () => {
    const own = life()
    own.cleanUp = 1000
    return within(
      own,
      Effect.gen(function*() {
        const counter = (yield* ClusterServer.client(Counter))("a")
        yield* passing(counter.Add({ by: 1 }))
        yield* passing(Effect.sleep("10 seconds"), 1000)
        assert.deepStrictEqual(own.log, ["+a"])
        assert.strictEqual(yield* passing(counter.Add({ by: 1 }), 50), 2)
        assert.deepStrictEqual([own.log, own.most], [["+a", "-a", "+a"], 1])
        // Its entity knows it, and ends it.
        yield* passing(Effect.sleep("12 seconds"), 500)
        assert.deepStrictEqual(own.log, ["+a", "-a", "+a", "-a"])
      }),
      { maxIdleTime: "5 seconds" }
    )
  })

  it.effect("has no second entity beside it: the next one of its key is built when the first is closed with all that is its own", () => {
    const own = life()
    // effect's may be built while the one before it is closed.
    const { layer, open } = byHand(Counter.key)
    return within(
      own,
      Effect.gen(function*() {
        yield* TestClock.adjust(1000)
        const first = yield* open("a")
        assert.strictEqual(yield* passing(first.send("Add", { by: 1 })), 1)
        const second = yield* open("a")
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(second.building.pollUnsafe(), undefined)
        yield* passing(first.close)
        assert.strictEqual(yield* passing(second.send("Add", { by: 1 })), 2)
        assert.deepStrictEqual(own.log, ["+a", "-a", "+a"])
        yield* passing(second.close)
        assert.deepStrictEqual(own.log, ["+a", "-a", "+a", "-a"])
      }),
      {},
      layer
    )
  })

  it.effect("whose start outlasts all its callers leaves nothing in the way of the next", () => {
    const own = life()
    own.boot.closeUnsafe()
    return within(
      own,
      Effect.gen(function*() {
        const counter = (yield* ClusterServer.client(Counter))("a")
        const refused = yield* passing(reason(counter.Get({}, { timeout: "1 second" })), 100)
        assert.deepStrictEqual(refused, { _tag: "Timeout", millis: 1000, begun: false, waitsFor: "start" })
        yield* passing(Effect.sleep("12 seconds"), 1000)
        yield* own.boot.open
        assert.strictEqual(yield* passing(counter.Add({ by: 1 }), 100), 1)
        assert.strictEqual(own.most, 1)
      }),
      { maxIdleTime: "5 seconds" }
    )
  })

  it.effect("whose timer is due is started for it", () => {
    const own = life()
    return within(
      own,
      Effect.gen(function*() {
        const counter = (yield* ClusterServer.client(Counter))("a")
        yield* passing(counter.Remind({ millis: 60_000 }))
        yield* passing(Effect.sleep("20 seconds"), 1000)
        assert.deepStrictEqual(own.log, ["+a", "-a"])
        yield* passing(Effect.sleep("45 seconds"), 1000)
        assert.deepStrictEqual(own.log.slice(0, 3), ["+a", "-a", "+a"])
        assert.strictEqual(yield* passing(counter.Get()), 100)
      }),
      { maxIdleTime: "5 seconds" }
    )
  })

  it.effect("is among the servers of its class: live, count and keys know it", () =>
    within(
      life(),
      Effect.gen(function*() {
        const counters = yield* ClusterServer.client(Counter)
        yield* passing(counters("a").Add({ by: 1 }))
        yield* passing(counters("b").Add({ by: 1 }))
        const live = yield* Counter.live
        assert.deepStrictEqual(live.map(({ key, status }) => [key, status]).sort(), [["a", "running"], [
          "b",
          "running"
        ]])
        assert.deepStrictEqual(yield* Counter.count, { live: 2, stored: 2 })
      })
    ))
})

describe("a client", () => {
  it.effect("is of its own key, however many keys there are, and whichever was asked for before", () =>
    within(
      life(),
      Effect.gen(function*() {
        const counters = yield* ClusterServer.client(Counter)
        const keys = Array.from({ length: 25_000 }, (_, i) => `key ${i}`)
        for (const all of [keys, keys.slice(-12_000)]) {
          assert.deepStrictEqual(all.map((key) => counters(key).key), all)
        }
        const [first, last] = [counters("key 0"), counters("key 24999")]
        yield* passing(first.Add({ by: 1 }))
        yield* passing(counters("key 24999").Add({ by: 10 }))
        yield* passing(counters("key 0").Add({ by: 100 }))
        assert.deepStrictEqual([yield* passing(first.Get()), yield* passing(last.Get())], [101, 10])
      })
    ))
})

describe("what the cluster says of a call", () => {
  it.effect("no room for one more entity is Unreachable, full", () =>
    within(
      life(),
      Effect.gen(function*() {
        const counters = yield* ClusterServer.client(Counter)
        assert.strictEqual(yield* passing(counters("a").Get()), 0)
        const refused = yield* passing(Effect.flip(counters("b").Get()))
        assert.instanceOf(refused, CallError)
        assert.deepInclude(refused.reason, { _tag: "Unreachable", why: "full", begun: false })
        assert.include(refused.message, "Nothing was done: sending it again is safe.")
      }),
      {},
      clusterOf({ maxResidentEntities: 1 })
    ))

  it.effect("no runner at all is Unreachable, silent, when its time is over", () =>
    Effect.gen(function*() {
      const counters = yield* ClusterServer.client(Counter)
      const refused = yield* passing(Effect.flip(counters("a").Add({ by: 1 }, { idempotencyKey: "mine" })), 100)
      assert.instanceOf(refused, CallError)
      assert.deepStrictEqual(refused.reason, { _tag: "Unreachable", why: "silent", begun: true, key: "mine" })
      assert.include(refused.message, "make the call again with the idempotency key \"mine\"")
      yield* passing(counters("a").Reset(), 100)
    }).pipe(Effect.provide(clusterOf({ runnerAddress: Option.none() }))))

  it.effect("a payload that its schema does not take is InvalidPayload, and is not sent", () =>
    within(
      life(),
      Effect.gen(function*() {
        const counter = (yield* ClusterServer.client(Counter))("a")
        const refused = yield* passing(reason(counter.Add({ by: "x" as never })))
        assert.deepInclude(refused, { _tag: "InvalidPayload" })
        assert.strictEqual(yield* passing(counter.Get()), 0)
      })
    ))

  it.effect("a message that cannot be stored is Unreachable, storage, when its time is over", () =>
    within(
      life(),
      Effect.gen(function*() {
        const counter = (yield* ClusterServer.client(Counter, { persisted: ["Add"] }))("a")
        const refused = yield* passing(
          reason(counter.Add({ by: 1 }, { idempotencyKey: "one", timeout: "1 second" })),
          50
        )
        assert.deepInclude(refused, { _tag: "Unreachable", why: "storage", begun: true, key: "one" })
      }),
      { persisted: ["Add"] },
      Sharding.layer.pipe(
        Layer.provideMerge(Runners.layerNoop),
        Layer.provideMerge(
          Layer.effect(
            MessageStorage.MessageStorage,
            Effect.map(MessageStorage.MessageStorage, (memory) => ({
              ...memory,
              saveRequest: () => Effect.fail(new ClusterError.PersistenceError({ cause: new Error("disk full") }))
            }))
          ).pipe(Layer.provideMerge(MessageStorage.layerMemory))
        ),
        Layer.provide([RunnerStorage.layerMemory, RunnerHealth.layerNoop]),
        Layer.provide(ShardingConfig.layer())
      )
    ))

  it.effect("a member that has left is Unreachable, left", () =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const own = yield* Layer.buildWithScope(
        runner(life()).pipe(Layer.provide(StateStore.layerMemory(Store)), Layer.provideMerge(TestRunner.layer)),
        scope
      )
      const counters = yield* Effect.provideContext(ClusterServer.client(Counter), own)
      yield* passing(counters("a").Get())
      return counters
    }).pipe(
      Effect.scoped,
      Effect.flatMap((counters) =>
        Effect.gen(function*() {
          const refused = yield* passing(Effect.exit(counters("a").Get()), 100)
          const error = Exit.isFailure(refused) ? Cause.squash(refused.cause) : undefined
          assert.instanceOf(error, CallError)
          assert.strictEqual(error.reason._tag, "Unreachable")
        })
      ),
      Effect.provideService(References.MinimumLogLevel, "None")
    ))
})

describe("idempotency keys", () => {
  /** The keys that arrive at the entities of a class. */
  const heard = (
    counter: "all" | ReadonlyArray<"Get"> | undefined,
    given?: string,
    timeout?: "infinity",
    persisted: ReadonlyArray<"Add"> = []
  ) =>
    Effect.gen(function*() {
      const keys: Array<string | undefined> = []
      const entity = ClusterServer.entity(Counter, { persisted })
      const fake = entity.toLayer({
        Add: ({ payload }) => Effect.sync(() => (keys.push(payload.key), 0)),
        Get: ({ payload }) => Effect.sync(() => (keys.push(payload.key), 0)),
        Crash: () => Effect.void,
        Hold: () => Effect.succeed(0),
        Reset: () => Effect.void,
        Leave: () => Effect.void,
        Remind: () => Effect.void
      }).pipe(Layer.provideMerge(TestRunner.layer))
      yield* Effect.gen(function*() {
        const counters = yield* ClusterServer.client(Counter, { keyless: counter, persisted })
        yield* passing(counters("a").Add({ by: 1 }, { idempotencyKey: given }))
        yield* passing(counters("a").Get(undefined, { timeout }))
      }).pipe(Effect.provide(fake))
      return keys
    })

  it.effect("are made for every call: never the same, and by the Random of the context", () =>
    Effect.gen(function*() {
      const [add, get] = yield* Random.withSeed(heard(undefined), "seed")
      assert.isString(add)
      assert.notStrictEqual(add, get)
      assert.deepStrictEqual(yield* Random.withSeed(heard(undefined), "seed"), [add, get])
      assert.notDeepEqual(yield* heard(undefined), yield* heard(undefined))
    }))

  it.effect("that are made are forgotten soon after their call, and those that callers give are not", () =>
    within(
      life(),
      Effect.gen(function*() {
        const counter = (yield* ClusterServer.client(Counter))("a")
        const add = (key: string) => passing(counter.Add({ by: 1 }, { idempotencyKey: key }))
        const made = MadeKey.make("one", 5500)
        assert.deepStrictEqual([yield* add(made), yield* add("mine")], [1, 2])
        yield* passing(Effect.sleep("5500 millis"), 1100)
        // Sent again as late as its call lives.
        assert.deepStrictEqual([yield* add(made), yield* add("mine")], [1, 2])
        yield* passing(Effect.sleep("11 minutes"), 60_000)
        assert.strictEqual(yield* passing(counter.Add({ by: 10 })), 12)
        assert.deepStrictEqual([yield* add(made), yield* add("mine")], [13, 2])
      }),
      { maxIdleTime: "1 hour" }
    ))

  it.effect("that are made say how long their call lives; one that lasts for ever has a key as callers give", () =>
    Effect.gen(function*() {
      const [five, long] = yield* heard(undefined, undefined, "infinity")
      assert.deepStrictEqual([MadeKey.lifeOf(five!), MadeKey.isMade(long!)], [6000, false])
    }))

  it.effect("that are made for calls that are stored are as callers give: those may outlive their client", () =>
    Effect.gen(function*() {
      const [add, get] = yield* heard(undefined, undefined, undefined, ["Add"])
      assert.deepStrictEqual([MadeKey.isMade(add!), MadeKey.isMade(get!)], [false, true])
    }))

  it.effect("are the caller's own where it gives one, and none where calls do without", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* heard(undefined, "mine"))[0], "mine")
      assert.deepStrictEqual((yield* heard(["Get"])).map((key) => key === undefined), [false, true])
      assert.deepStrictEqual(yield* heard("all"), [undefined, undefined])
      assert.deepStrictEqual(yield* heard("all", "mine"), ["mine", undefined])
    }))
})

describe("the entity", () => {
  it.effect("is one for effect's own tools: a proxy calls its server, with a key or without", () =>
    within(
      life(),
      Effect.gen(function*() {
        const entity = ClusterServer.entity(Counter)
        const Proxy = EntityProxy.toRpcGroup(entity)
        const client = yield* RpcTest.makeClient(Proxy).pipe(
          Effect.provide(EntityProxyServer.layerRpcHandlers(entity))
        )
        const add = client["test/Counter.Add"]({ entityId: "a", payload: { payload: { by: 41 }, key: "one" } })
        assert.deepStrictEqual([yield* passing(add), yield* passing(add)], [41, 41])
        assert.strictEqual(yield* passing(client["test/Counter.Get"]({ entityId: "a", payload: { payload: {} } })), 41)
        const crash = yield* passing(word(client["test/Counter.Crash"]({ entityId: "a", payload: { payload: {} } })))
        assert.strictEqual(crash, "Crashed")
      }).pipe(Effect.scoped)
    ))
})

describe("persisted calls", () => {
  it.effect("are answered, and one that is made again under its key is answered from the storage", () => {
    const own = life()
    return within(
      own,
      Effect.gen(function*() {
        const driver = yield* MessageStorage.MemoryDriver
        const counter = (yield* ClusterServer.client(Counter, { persisted: ["Add"] }))("a")
        const add = counter.Add({ by: 41 }, { idempotencyKey: "one" })
        assert.deepStrictEqual([yield* passing(add, 100), yield* passing(add, 100)], [41, 41])
        assert.strictEqual(driver.requests.size, 1)
        assert.strictEqual(yield* passing(counter.Get(), 100), 41)
      }),
      { persisted: ["Add"] }
    )
  })

  it.effect("that are none of the class are refused", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(
        Effect.suspend(() => ClusterServer.client(Counter, { persisted: ["Reset" as never] }))
      )
      assert.include(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), "the tag of a call of this class")
    }).pipe(Effect.provide(TestRunner.layer)))
})
