/**
 * Other systems' cases of starting servers: an init that takes too long, names that are taken, child specs, messages
 * that come before init has finished.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Layer, Queue, Schema } from "effect"
import { TestClock } from "effect/testing"
import { InvalidOption } from "../../../src/domain/options/InvalidOption.ts"
import { crashed, killed } from "../../../src/domain/process/ExitReason.ts"
import { GenServer, Monitor, Process, Registry, StateContainer, Supervisor, Sys } from "../../../src/index.ts"
import { Harness } from "../../../src/testing.ts"
import { refusal } from "../../kit/Failures.ts"
import { now } from "../../kit/Fibers.ts"
import {
  behavior,
  containers,
  idle,
  inTurn,
  Live as ServersLive,
  More,
  Names,
  Other,
  Root,
  Server,
  start,
  stopped
} from "../../kit/ServerCases.ts"

class Stack extends GenServer.Service<Stack>()("test/Stack", {
  state: Schema.Array(Schema.String),
  messages: { Pop: GenServer.call({ reply: Schema.UndefinedOr(Schema.String) }) }
}) {}

const stacking = Stack.behavior({ init: [], handlers: { Pop: ([first, ...rest]) => [first, rest] } })

class Numbers extends GenServer.Service<Numbers>()("test/Numbers", {
  state: Schema.Int,
  messages: { Take: GenServer.cast({ payload: { n: Schema.Int } }) }
}) {}

class Stacks extends Registry.Service<Stacks, {
  readonly key: unknown
  readonly ref: Stack["Service"]
}>()("test/Stacks", { keys: "unique" }) {}

const Live = Layer.mergeAll(
  Layer.provideMerge(
    Supervisor.layer({ id: "keepers", strategy: "one_for_one" }, [
      StateContainer.layerForget(Stack),
      StateContainer.layerForget(Numbers)
    ]),
    ServersLive
  ),
  Stacks.layer
)

describe("server: starting", () => {
  it.effect("SRV-001 Start, call, stop, call after death", () =>
    Effect.gen(function*() {
      const server = yield* start("a")
      assert.strictEqual(yield* server.Started(), "ok")
      const watch = yield* Monitor.watch(server)
      assert.strictEqual(yield* server.Stop(), "ok")
      assert.deepStrictEqual((yield* watch.down).reason, stopped)
      assert.strictEqual(yield* refusal(server.Started({}, { timeout: 1 })), "NotRunning")
    }).pipe(Effect.scoped, Effect.provide(Live)))

  it.effect("SRV-003 Init timeout", () => {
    const timesOut = (init: "sleeps" | "hangs", millis: number) =>
      Effect.gen(function*() {
        const [root, harness] = [yield* Root, yield* Harness.Harness]
        const steps: Array<string> = []
        const slow = Effect.gen(function*() {
          yield* Effect.addFinalizer(() => Effect.sync(() => steps.push("released")))
          yield* init === "sleeps" ? Effect.sleep(1000) : Effect.never
          steps.push("came up")
          return idle
        })
        const recipe = Server.recipe({ ...behavior, init: slow }, { key: "slow", initTimeout: millis })
        const starting = yield* now(Effect.flip(root.startChild(recipe)))
        yield* TestClock.adjust(millis - 1)
        assert.isUndefined(starting.pollUnsafe())
        yield* TestClock.adjust(1)
        const { reason } = yield* Fiber.join(starting)
        assert.deepStrictEqual(steps, ["released"])
        assert(reason._tag === "Failed")
        const [cause] = reason.cause.reasons
        assert(cause?._tag === "Die")
        assert.instanceOf(cause.defect, GenServer.InitTimeout)
        assert.strictEqual((yield* root.countChildren).workers, containers)
        const path = [...root.path, "test/Server/slow"]
        const seen = yield* harness.historyOf(path)
        yield* TestClock.adjust(500)
        yield* TestClock.adjust(500)
        assert.deepStrictEqual(steps, ["released"])
        assert.deepStrictEqual(yield* harness.historyOf(path), seen)
        assert.notInclude(seen, "Started")
      }).pipe(Effect.provide(Live))
    return inTurn({
      "init sleeps, 100 ms": timesOut("sleeps", 100),
      "init hangs, 100 ms": timesOut("hangs", 100),
      "init hangs, 500 ms": timesOut("hangs", 500)
    })
  })

  it.effect("SRV-004 Name clash: already_started in every start variant", () =>
    Effect.gen(function*() {
      const [root, other, names, more] = [yield* Root, yield* Other, yield* Names, yield* More]
      const server = yield* names.start("my_test_name", start("my_test_name"))
      yield* more.register("my_test_name", server)
      const watch = yield* Monitor.watch(server)
      const recipe = Server.recipe(behavior, { key: "my_test_name", restart: "temporary" })

      // The same id under the same supervisor, started and watched in one step, too.
      for (
        const again of [
          root.startChild(recipe),
          Effect.map(Monitor.startMonitor(root.startChild(recipe)), ([ref]) => ref)
        ]
      ) {
        const { reason } = yield* Effect.flip(again)
        assert.deepStrictEqual(reason, { _tag: "AlreadyStarted", process: server[Process.processOf] })
      }
      // The same key under another supervisor.
      const { reason } = yield* Effect.flip(other.startChild(recipe))
      assert(reason._tag === "Failed")
      const taken = Cause.squash(reason.cause)
      assert(taken instanceof GenServer.NameTaken)
      assert.strictEqual(taken.holder, server[Process.processOf])
      // The same name in either registry, under another key.
      for (const registry of [names, more]) {
        const error = yield* Effect.flip(registry.start("my_test_name", start("another")))
        assert(error._tag === "RegistryError" && error.reason._tag === "AlreadyRegistered")
        assert.strictEqual(error.reason.holder, server)
      }
      // No other server was started.
      assert.strictEqual((yield* root.countChildren).workers, containers + 1)

      assert.strictEqual(yield* server.Stop(), "ok")
      assert.deepStrictEqual((yield* watch.down).reason, stopped)
      assert.strictEqual(yield* refusal(server.Started()), "NotRunning")
      const next = yield* names.start("my_test_name", start("my_test_name"))
      yield* more.register("my_test_name", next)
      assert.strictEqual(yield* next.Started(), "ok")
      assert.strictEqual(yield* refusal(server.Started()), "NotRunning")
    }).pipe(Effect.scoped, Effect.provide(Live)))

  it.effect("SRV-029 Child spec and naming options", () => {
    const variants: Record<string, Effect.Effect<void, unknown>> = {}
    variants["specs"] = Effect.gen(function*() {
      const root = yield* Root
      const stack = Stack.recipe(stacking, { key: "" })
      yield* root.startChild(stack)
      const defaults = {
        kind: "worker",
        restart: "permanent",
        shutdown: 5000,
        significant: false,
        needs: []
      } as const
      assert.deepStrictEqual((yield* root.whichChild("test/Stack")).spec, { id: "test/Stack", ...defaults })
      const own = Stack.recipe({ ...stacking, init: ["hello"] }, { key: "own" })
      const ref = yield* root.startChild(own, { id: "custom", restart: "temporary", shutdown: "infinity" })
      assert.deepStrictEqual((yield* root.whichChild("custom")).spec, {
        ...defaults,
        id: "custom",
        restart: "temporary",
        shutdown: "infinity"
      })
      assert.strictEqual(yield* ref.Pop(), "hello")
    }).pipe(Effect.provide(Live))

    variants["names"] = Effect.gen(function*() {
      const [root, stacks] = [yield* Root, yield* Stacks]
      const started = (key: string) => root.startChild(Stack.recipe({ ...stacking, init: [key] }, { key }))
      // By class and key; by a name in a registry; without a name.
      const keyed = yield* started("a key")
      assert.strictEqual(yield* keyed.Pop(), "a key")
      yield* stacks.start({ room: 7 }, started("registered"))
      assert.strictEqual(yield* stacks.via({ room: 7 }).Pop(), "registered")
      const anonymous = yield* started("")
      assert.deepStrictEqual(anonymous[Process.processOf].path, ["test/Root", "test/Stack"])
      assert.strictEqual(yield* anonymous.Pop(), "")
      for (const invalid of [undefined, 42, { name: "no string" }, ["stack"]]) {
        const { reason } = yield* Effect.flip(started(invalid as never))
        assert(reason._tag === "Failed")
        const error = Cause.squash(reason.cause)
        assert(error instanceof InvalidOption)
        assert.deepStrictEqual([error.option, error.given], ["key", invalid])
        assert.include(error.message, String(invalid))
      }
    }).pipe(Effect.provide(Live))
    return inTurn(variants)
  })

  it.effect("SRV-031 start vs start_link", () =>
    Effect.gen(function*() {
      // A link that is trapped is a monitor: the parent gets a message, and lives.
      const inbox = yield* Queue.unbounded<Monitor.Down<Server["Service"]>>()
      const plain = yield* start("plain")
      yield* Effect.exit(plain.Die({ with: "crash" }))
      const linked = (key: string) => Effect.map(Monitor.startMonitor(start(key), { into: inbox }), ([ref]) => ref)
      const [stops, exits, dies] = [yield* linked("stops"), yield* linked("exits"), yield* linked("dies")]
      assert.strictEqual(yield* Queue.size(inbox), 0)
      const wibble = crashed(Cause.fail("wibble"))
      const boo = crashed(Cause.fail("boo!"))
      yield* Effect.exit(stops.End({ by: "stop", reason: wibble }))
      yield* Process.exit(exits, boo)
      yield* Process.kill(dies)
      const seen = yield* Queue.takeN(inbox, 3)
      assert.deepStrictEqual(seen.map(({ reason }) => reason), [wibble, boo, killed])
      assert.deepStrictEqual(seen.map(({ ref }) => ref), [stops, exits, dies])
      assert.strictEqual(yield* Queue.size(inbox), 0)
    }).pipe(Effect.scoped, Effect.provide(Live)))

  it.effect("SRV-033 Messages sent before init has finished are handled after it, in order", () =>
    Effect.gen(function*() {
      const root = yield* Root
      const handled: Array<number> = []
      const slow = Numbers.recipe({
        init: Effect.delay(Effect.succeed(0), 200),
        handlers: { Take: (_, { n }) => Effect.as(Effect.sync(() => handled.push(n)), n) }
      }, { key: "slow" })
      const first = yield* now(root.startChild(slow))
      yield* TestClock.adjust(200)
      const numbers = yield* Fiber.join(first)
      yield* root.terminateChild("test/Numbers/slow")
      // Its reference is known by now, so that it can be sent messages while it comes up again.
      const starting = yield* now(root.restartChild("test/Numbers/slow"))
      yield* TestClock.adjust(100)
      for (let n = 1; n <= 10; n++) yield* numbers.Take({ n })
      yield* TestClock.adjust(99)
      assert.isUndefined(starting.pollUnsafe())
      assert.deepStrictEqual(handled, [])
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(starting))._tag, "Started")
      assert.strictEqual(yield* Sys.getState(numbers), 10)
      assert.deepStrictEqual(handled, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    }).pipe(Effect.provide(Live)))
})
