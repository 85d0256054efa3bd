/** Servers that move from one runner to another: two runners in this process, over real sockets and one store. */
import { NodeSocket } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, References, Schema, Scope } from "effect"
import { RunnerStorage, Sharding } from "effect/cluster"
import { TestClock } from "effect/testing"
import { PassThrough } from "node:stream"
import { ClusterServer } from "../../../../src/cluster.ts"
import { GenServer, StateStore } from "../../../../src/index.ts"
import { Counter, type Life, life, runner, Store } from "../../../kit/placement/Counters.ts"
import { makeStorage, member } from "../../../kit/placement/Runners.ts"
import { freePort } from "../../../kit/stores/Postgres.ts"

/** A cluster without members, and its store. */
const town = () => ({ storage: makeStorage(), store: StateStore.makeMemory() })

type Town = ReturnType<typeof town>

/** A runner that is up, and how it leaves. */
const join = Effect.fnUntraced(function*({ storage, store }: Town, own: Life) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const layer = runner(own).pipe(
    Layer.provide(StateStore.layer(Store, Effect.succeed(store))),
    Layer.provideMerge(member(storage, yield* freePort))
  )
  const context = yield* Layer.buildWithScope(layer, scope)
  return { sharding: Context.get(context, Sharding.Sharding), leave: Scope.close(scope, Exit.void) }
})

const clients = ({ storage }: Town, options?: ClusterServer.ClientOptions<typeof Counter["messages"]>) =>
  Effect.flatMap(
    Layer.build(member(storage)),
    (context) => Effect.provideContext(ClusterServer.client(Counter, options), context)
  )

const keys = Array.from({ length: 12 }, (_, i) => `key ${i}`)

/** Calls each key again and again, in turn, until it is interrupted: what it acknowledged, and what failed. */
const traffic = (counters: Effect.Success<ReturnType<typeof clients>>) => {
  const acknowledged = new Map<string, number>()
  const failed: Array<string> = []
  const run = Effect.forEach(keys, (key) =>
    Effect.forever(
      Effect.matchEffect(counters(key).Add({ by: 1 }), {
        onSuccess: () => Effect.sync(() => acknowledged.set(key, (acknowledged.get(key) ?? 0) + 1)),
        onFailure: (error) => Effect.sync(() => failed.push(error.message))
      }).pipe(Effect.andThen(Effect.sleep(2)))
    ), { concurrency: "unbounded", discard: true })
  /** Until each key has answered so often more. */
  const more = (count: number) =>
    Effect.suspend(() => {
      const before = new Map(acknowledged)
      const isDone = (key: string) => (acknowledged.get(key) ?? 0) >= (before.get(key) ?? 0) + count
      return Effect.repeat(Effect.sleep(10), { until: () => keys.every(isDone) })
    })
  return { acknowledged, failed, more, run }
}

const quiet = Effect.provideService(References.MinimumLogLevel, "None")

describe("a runner that joins, or leaves in order", () => {
  it.live("takes part of the keys, and no call under way fails, is lost, or is handled twice", () =>
    Effect.gen(function*() {
      const own = town()
      const [one, two] = [life(), life()]
      const first = yield* join(own, one)
      const counters = yield* clients(own)
      const { acknowledged, failed, more, run } = traffic(counters)
      const calling = yield* Effect.forkChild(run)
      yield* more(3)
      assert.deepStrictEqual(new Set(one.log), new Set(keys.map((key) => `+${key}`)))
      yield* join(own, two)
      yield* Effect.repeat(Effect.sleep(10), { until: () => two.log.length > 0 })
      yield* more(3)
      yield* first.leave
      yield* more(3)
      yield* Fiber.interrupt(calling)
      assert.deepStrictEqual(failed, [])
      for (const key of keys) {
        // One may have been on its way when the caller was interrupted.
        const unknown = (yield* counters(key).Get()) - acknowledged.get(key)!
        assert.isTrue(unknown === 0 || unknown === 1, `${key} has ${unknown} more than were acknowledged`)
      }
      assert.isTrue([...one.alive.values()].every((alive) => alive === 0))
      assert.deepStrictEqual([one.most, two.most], [1, 1])
    }).pipe(Effect.scoped, quiet))
})

describe("a timer that is conserved", () => {
  it.live("is delivered by the runner that has the key when it is due, though it was set on another", () =>
    Effect.gen(function*() {
      const own = town()
      const [one, two] = [life(), life()]
      const first = yield* join(own, one)
      yield* join(own, two)
      const counters = yield* clients(own)
      for (const key of keys) yield* counters(key).Get()
      const moved = keys.filter((key) => !two.log.includes(`+${key}`))
      assert.isAbove(moved.length, 0)
      // The runner that stays sets none, so nothing of its own wakes it.
      for (const key of moved) yield* counters(key).Remind({ millis: 1500 })
      yield* first.leave
      yield* Effect.repeat(Effect.sleep(20), { until: () => moved.every((key) => two.log.includes(`+${key}`)) })
      // The server is there a moment before its timer is handled.
      for (const key of moved) yield* Effect.repeat(counters(key).Get(), { until: (n) => n === 100 })
    }).pipe(Effect.scoped, quiet))
})

/** The same class in an app that was not deployed with the runners: it sends, and expects, something else. */
class Elder extends GenServer.Service<Elder>()("test/Counter", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.String }, reply: Schema.Int }),
    Get: GenServer.call({ reply: Schema.String }),
    Gone: GenServer.call()
  }
}) {}

describe("two sides that run code with different schemas", () => {
  it.live("do not understand each other: Unreachable, malformed, and no handler has a payload that is none", () =>
    Effect.gen(function*() {
      const own = town()
      yield* join(own, life())
      const counters = yield* clients(own)
      yield* counters("a").Add({ by: 41 })
      const elders = yield* Effect.flatMap(
        Layer.build(member(own.storage)),
        (context) => Effect.provideContext(ClusterServer.client(Elder), context)
      )
      const elder = elders("a")
      for (const call of [elder.Add({ by: "1" }), elder.Get(), elder.Gone()]) {
        const { message, reason } = yield* Effect.flip(call)
        assert.strictEqual(reason._tag === "Unreachable" && reason.why, "malformed", message)
      }
      assert.strictEqual(yield* counters("a").Get(), 41)
    }).pipe(Effect.scoped, quiet))
})

describe("what a runner says of itself", () => {
  it.live("names the others", () =>
    Effect.gen(function*() {
      const own = town()
      const ports = [yield* freePort, yield* freePort]
      const members = ports.map((port) => member(own.storage, port))
      const about = yield* Effect.provideService(
        ClusterServer.about(`127.0.0.1:${ports[0]}`),
        RunnerStorage.RunnerStorage,
        own.storage
      )
      yield* Layer.build(members[0]!)
      assert.strictEqual(yield* about, `Runner 127.0.0.1:${ports[0]}, the only one`)
      yield* Layer.build(members[1]!)
      const line = yield* Effect.repeat(about, { until: (line) => line.includes("beside") })
      assert.strictEqual(line, `Runner 127.0.0.1:${ports[0]}, beside 127.0.0.1:${ports[1]}`)
    }).pipe(Effect.scoped, quiet))
})

describe("a key that another has claimed", () => {
  it.live("is claimed again by the runner that has its shard: one refused update, and no other key notices", () =>
    Effect.gen(function*() {
      const own = town()
      const lives = life()
      yield* join(own, lives)
      const counters = yield* clients(own)
      yield* counters("a").Add({ by: 41 })
      yield* counters("b").Add({ by: 1 })
      // What a runner does that thinks the key its own: it has slept while its shard was given away.
      yield* Effect.scoped(Effect.gen(function*() {
        const zombie = yield* join({ storage: makeStorage(), store: own.store }, life())
        const seen = yield* Effect.provideService(ClusterServer.client(Counter), Sharding.Sharding, zombie.sharding)
        assert.strictEqual(yield* seen("a").Add({ by: 1 }), 42)
      }))
      assert.strictEqual(yield* counters("a").Add({ by: 1 }), 43)
      assert.strictEqual(yield* counters("b").Add({ by: 1 }), 2)
      assert.deepStrictEqual(lives.log, ["+a", "+b", "-a", "+a"])
    }).pipe(Effect.scoped, quiet))

  it.live("answers a call without a key that its update was not kept", () =>
    Effect.gen(function*() {
      const own = town()
      yield* join(own, life())
      const counters = yield* clients(own, { keyless: "all" })
      yield* counters("a").Add({ by: 41 })
      yield* Effect.scoped(Effect.gen(function*() {
        const zombie = yield* join({ storage: makeStorage(), store: own.store }, life())
        const seen = yield* Effect.provideService(ClusterServer.client(Counter), Sharding.Sharding, zombie.sharding)
        yield* seen("a").Add({ by: 1 })
      }))
      const { reason } = yield* Effect.flip(counters("a").Add({ by: 1 }))
      assert.deepStrictEqual(reason, { _tag: "Unreachable", why: "moved", begun: true })
      assert.strictEqual(yield* counters("a").Get(), 42)
    }).pipe(Effect.scoped, quiet))
})

describe("what effect does, and runners have to live with", () => {
  it.effect("who writes to a connection that is gone waits for ever: so a runner that leaves needs a limit", () =>
    Effect.gen(function*() {
      const duplex = new PassThrough()
      const socket = yield* NodeSocket.fromDuplex(Effect.succeed(duplex))
      const { write } = yield* socket.writer
      yield* Effect.scoped(Effect.gen(function*() {
        const { pull } = yield* socket.reader
        duplex.destroy()
        yield* Effect.exit(pull)
      }))
      const writing = yield* Effect.forkChild(write("a reply"), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(writing.pollUnsafe(), undefined)
    }).pipe(Effect.scoped))
})
