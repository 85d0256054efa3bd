import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { InitTimeout, InvalidResult, MissingCallback, NameTaken, StopFailed } from "../../src/domain/Errors.ts"
import type { CallError } from "../../src/domain/Errors.ts"
import { crashed, type ExitReason, killed, normal, shutdown } from "../../src/domain/server/ExitReason.ts"
import {
  DynamicSupervisor,
  GenServer,
  Monitor,
  Next,
  Registry,
  Requests,
  StateContainer,
  Supervisor
} from "../../src/index.ts"
import { type HasProcess, processOf } from "../../src/layers/naming/Process.ts"
import { Harness } from "../../src/layers/testing/Harness.ts"

const From = Schema.declare((u): u is GenServer.From<string, never> => typeof u === "object")

/** The server of most cases, after the one that OTP's own suite uses. */
class Server extends GenServer.Service<Server>()("test/Server", {
  state: Schema.Struct({ flag: Schema.Boolean, from: Schema.optionalKey(From) }),
  messages: {
    Started: GenServer.call({ reply: Schema.String }),
    Stop: GenServer.call({ reply: Schema.String }),
    DelayedAnswer: GenServer.call({ payload: { millis: Schema.Number }, reply: Schema.String }),
    CallWithin: GenServer.call({ payload: { millis: Schema.Number }, reply: Schema.String }),
    NextCall: GenServer.call({ reply: Schema.Boolean }),
    NoReply: GenServer.call(),
    Die: GenServer.call({ payload: { with: Schema.Unknown } }),
    Bad: GenServer.call(),
    Ping: GenServer.cast()
  }
}) {}

const stopped: ExitReason = crashed(Cause.fail("stopped"))
const idle = { flag: false }

const behavior = Server.behavior({
  init: idle,
  handlers: {
    Started: (state) => ["ok", state],
    Stop: () => Next.stop(stopped, { reply: "ok" }),
    DelayedAnswer: (_, { millis }, { from }) => Next.noReply({ flag: false, from }, { idleAfter: millis }),
    CallWithin: (_, { millis }) => Next.reply("ok", { flag: true }, { idleAfter: millis }),
    NextCall: ({ flag }) => [flag, idle],
    NoReply: (state) => Next.noReply(state),
    Die: (_, { with: defect }) => Effect.die(defect),
    // Past the type checker, as code that was never checked would.
    Bad: () => "nonsense" as never,
    Ping: (state) => state
  },
  idle: ({ from }) => from === undefined ? idle : Effect.as(GenServer.reply(from, Exit.succeed("delayed")), idle)
})

class Root extends Supervisor.Service<Root>()("test/Root") {}
class Other extends DynamicSupervisor.Service<Other>()("test/Other") {}
class Names extends Registry.Service<Names, { readonly ref: Server["Service"] }>()("test/Names", { keys: "unique" }) {}
class More extends Registry.Service<More, { readonly ref: Server["Service"] }>()("test/More", { keys: "unique" }) {}

const Live = Layer.mergeAll(
  Layer.provideMerge(
    Root.layer({ strategy: "one_for_one" }, [StateContainer.layerForget(Server), Other.layer()]),
    Harness.layer
  ),
  Names.layer,
  More.layer
)

const start = Effect.fnUntraced(function*(key: string, options?: GenServer.Options) {
  const root = yield* Root
  return yield* root.startChild(Server.recipe(behavior, { key, restart: "temporary", ...options }))
})

/** Runs an effect beside the test, from its first step on. */
const beside = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const reasonOf = <R>(effect: Effect.Effect<unknown, CallError, R>) => Effect.map(Effect.flip(effect), ({ reason }) => reason)
const tagOf = <R>(effect: Effect.Effect<unknown, CallError, R>) => Effect.map(reasonOf(effect), ({ _tag }) => _tag)

const isUp = (ref: HasProcess) => ref[processOf].status === "running"

describe("server", () => {
  it.effect("SRV-001 Start, call, stop, call after death", () =>
    Effect.gen(function*() {
      const server = yield* start("a")
      assert.strictEqual(yield* server.Started(), "ok")
      const watch = yield* Monitor.watch(server)
      assert.strictEqual(yield* server.Stop(), "ok")
      assert.deepStrictEqual((yield* watch.down).reason, stopped)
      assert.strictEqual(yield* tagOf(server.Started({}, { timeout: 1 })), "NotRunning")
    }).pipe(Effect.scoped, Effect.provide(Live)))

  for (
    const { init, millis } of [
      { init: "sleeps" as const, millis: 100 },
      { init: "hangs" as const, millis: 100 },
      { init: "hangs" as const, millis: 500 }
    ]
  ) {
    it.effect(`SRV-003 Init timeout (init ${init}, ${millis} ms)`, () =>
      Effect.gen(function*() {
        const [root, harness] = [yield* Root, yield* Harness]
        const steps: Array<string> = []
        const slow = Effect.gen(function*() {
          yield* Effect.addFinalizer(() => Effect.sync(() => steps.push("released")))
          yield* init === "sleeps" ? Effect.sleep(1000) : Effect.never
          steps.push("came up")
          return idle
        })
        const recipe = Server.recipe({ ...behavior, init: slow }, { key: "slow", initTimeout: millis })
        const starting = yield* beside(Effect.flip(root.startChild(recipe)))
        yield* TestClock.adjust(millis - 1)
        assert.isUndefined(starting.pollUnsafe())
        yield* TestClock.adjust(1)
        const { reason } = yield* Fiber.join(starting)
        assert.deepStrictEqual(steps, ["released"])
        assert(reason._tag === "Failed")
        const [cause] = reason.cause.reasons
        assert(cause?._tag === "Die")
        assert.instanceOf(cause.defect, InitTimeout)
        assert.strictEqual((yield* root.countChildren).workers, 1, "the container is the only worker")
        const path = [...root.path, "test/Server/slow"]
        const told = yield* harness.historyOf(path)
        yield* TestClock.adjust(500)
        yield* TestClock.adjust(500)
        assert.deepStrictEqual(steps, ["released"])
        assert.deepStrictEqual(yield* harness.historyOf(path), told)
        assert.notInclude(told, "Started")
      }).pipe(Effect.provide(Live)))
  }

  it.effect("SRV-004 Name clash: already_started in every start variant", () =>
    Effect.gen(function*() {
      const [root, other, names, more] = [yield* Root, yield* Other, yield* Names, yield* More]
      const server = yield* names.start("my_test_name", start("my_test_name"))
      yield* more.register("my_test_name", server)
      const watch = yield* Monitor.watch(server)
      const recipe = Server.recipe(behavior, { key: "my_test_name", restart: "temporary" })

      // The same id under the same supervisor, started and watched in one step, too.
      for (const again of [root.startChild(recipe), Effect.map(Monitor.startMonitor(root.startChild(recipe)), ([ref]) => ref)]) {
        const { reason } = yield* Effect.flip(again)
        assert.deepStrictEqual(reason, { _tag: "AlreadyStarted", process: server[processOf] })
      }
      // The same key under another supervisor.
      const { reason } = yield* Effect.flip(other.startChild(recipe))
      assert(reason._tag === "Failed")
      const taken = Cause.squash(reason.cause)
      assert(taken instanceof NameTaken)
      assert.strictEqual(taken.holder, server[processOf])
      // The same name in either registry, under another key.
      for (const registry of [names, more]) {
        const error = yield* Effect.flip(registry.start("my_test_name", start("another")))
        assert(error._tag === "RegistryError" && error.reason._tag === "AlreadyRegistered")
        assert.strictEqual(error.reason.holder, server)
      }
      // Nobody was started in vain.
      assert.strictEqual((yield* root.countChildren).workers, 2)

      assert.strictEqual(yield* server.Stop(), "ok")
      assert.deepStrictEqual((yield* watch.down).reason, stopped)
      assert.strictEqual(yield* tagOf(server.Started()), "NotRunning")
      const next = yield* names.start("my_test_name", start("my_test_name"))
      yield* more.register("my_test_name", next)
      assert.strictEqual(yield* next.Started(), "ok")
      assert.strictEqual(yield* tagOf(server.Started()), "NotRunning")
    }).pipe(Effect.scoped, Effect.provide(Live)))

  it.effect("SRV-007 stop by handle and by name", () =>
    Effect.gen(function*() {
      const [names, more] = [yield* Names, yield* More]
      const anonymous = yield* start("anonymous")
      yield* GenServer.stop(anonymous, normal)
      assert.isFalse(isUp(anonymous))
      assert.deepStrictEqual(anonymous[processOf].lastExit, normal)

      const patient = yield* start("patient")
      assert.deepStrictEqual(yield* GenServer.stop(patient, stopped, { timeout: "infinity" }), stopped)
      assert.deepStrictEqual(patient[processOf].lastExit, stopped)

      for (const registry of [names, more]) {
        const server = yield* registry.start("name", start(`${registry.id}/server`))
        yield* GenServer.stop(registry.via("name"))
        assert.isFalse(isUp(server))
        assert.deepStrictEqual(yield* registry.whereis("name"), Option.none())
        assert.strictEqual(yield* tagOf(Effect.catchTag(GenServer.stop(server), "StopFailed", Effect.die)), "NotRunning")
        const gone = GenServer.stop(registry.via("name"))
        assert.strictEqual(yield* tagOf(Effect.catchTag(gone, "StopFailed", Effect.die)), "NotRunning")
        // The name can be taken again, and so can the key.
        yield* registry.start("name", start(`${registry.id}/server`))
      }

      const fresh = yield* start("fresh")
      const invalid = yield* Effect.exit(GenServer.stop(fresh, normal, { timeout: "for a while" as never }))
      assert.isTrue(Exit.isFailure(invalid))
      assert.strictEqual(yield* fresh.Started(), "ok")
      assert.isTrue(isUp(fresh))
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-009 stop reports the real outcome", () =>
    Effect.gen(function*() {
      const root = yield* Root
      const ending = (key: string, terminate: () => void | Effect.Effect<void>) =>
        root.startChild(Server.recipe({ ...behavior, terminate }, { key, restart: "temporary", shutdown: "10 seconds" }))

      const dies = yield* ending("dies", () => Effect.die("die"))
      const died = yield* Effect.flip(GenServer.stop(dies))
      assert(died instanceof StopFailed)
      assert.deepStrictEqual([died.asked, died.reason], [normal, crashed(Cause.die("die"))])

      const hangs = yield* ending("hangs", () => Effect.sleep(5000))
      const waiting = yield* beside(Effect.flip(GenServer.stop(hangs, normal, { timeout: 1000 })))
      yield* TestClock.adjust(999)
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust(1)
      const late = yield* Fiber.join(waiting)
      assert(late._tag === "CallError")
      assert.deepStrictEqual(late.reason, { _tag: "Timeout", millis: 1000 })
      yield* TestClock.adjust(4000)

      const oops = new Error("oops")
      const throws = yield* ending("throws", () => {
        throw oops
      })
      const thrown = yield* Effect.flip(GenServer.stop(throws))
      assert(thrown instanceof StopFailed)
      assert.deepStrictEqual(thrown.reason, crashed(Cause.die(oops)))
      assert.isFalse(isUp(throws))
      assert.strictEqual(yield* tagOf(throws.Started()), "NotRunning")
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-011 Call failures name the call", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const [silent, dead] = [yield* start("silent"), yield* start("dead")]
      yield* GenServer.stop(dead)

      const late = yield* beside(Effect.flip(silent.NoReply({}, { timeout: 1 })))
      yield* TestClock.adjust(1)
      const timeout = yield* Fiber.join(late)
      assert.deepStrictEqual([timeout.server, timeout.request], ["test/Root/test/Server/silent", "NoReply"])
      assert.deepStrictEqual(timeout.reason, { _tag: "Timeout", millis: 1 })

      const noproc = yield* Effect.flip(dead.NextCall({}, { timeout: 5000 }))
      assert.deepStrictEqual([noproc.server, noproc.request], ["test/Root/test/Server/dead", "NextCall"])
      assert.strictEqual(noproc.reason._tag, "NotRunning")

      const absent = yield* Effect.flip(names.via("absent").NextCall({}, { timeout: 5000 }))
      assert.include(absent.server, "absent")
      assert.strictEqual(absent.request, "NextCall")
      assert.strictEqual(absent.reason._tag, "NotRunning")
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-012 Delayed replies and the handler's idle timeout", () =>
    Effect.gen(function*() {
      const server = yield* start("server")
      const delayed = yield* beside(server.DelayedAnswer({ millis: 1 }))
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(delayed), "delayed")

      assert.strictEqual(yield* server.CallWithin({ millis: 1000 }), "ok")
      yield* TestClock.adjust(500)
      assert.isTrue(yield* server.NextCall())

      assert.strictEqual(yield* server.CallWithin({ millis: 1000 }), "ok")
      yield* TestClock.adjust(1500)
      assert.isFalse(yield* server.NextCall())

      const within = yield* beside(server.DelayedAnswer({ millis: 1 }, { timeout: 30 }))
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(within), "delayed")
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-013 Call timeout", () =>
    Effect.gen(function*() {
      const server = yield* start("server")
      const late = yield* beside(tagOf(server.DelayedAnswer({ millis: 30 }, { timeout: 1 })))
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(late), "Timeout")
      // The reply that nobody waits for any more comes now.
      yield* TestClock.adjust(29)
      assert.strictEqual(yield* server.Started(), "ok")
      assert.isTrue(isUp(server))
      assert.strictEqual(yield* GenServer.incarnation(server), 1)
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-014 An invalid handler result kills the server and fails the caller", () =>
    Effect.gen(function*() {
      const server = yield* start("server")
      const watch = yield* Monitor.watch(server)
      const failed = yield* reasonOf(server.Bad())
      assert(failed._tag === "Crashed")
      const value = Cause.squash(failed.cause)
      assert(value instanceof InvalidResult)
      assert.deepStrictEqual([value.request, value.result], ["Bad", "nonsense"])
      const { reason } = yield* watch.down
      assert(reason._tag === "Crashed")
      assert.strictEqual(Cause.squash(reason.cause), value)
      assert.isFalse(isUp(server))
    }).pipe(Effect.scoped, Effect.provide(Live)))
})
