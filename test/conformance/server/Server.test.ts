import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Clock,
  Console,
  Context,
  Effect,
  Exit,
  Fiber,
  Latch,
  Layer,
  Option,
  Queue,
  Scheduler,
  Schema
} from "effect"
import { TestClock } from "effect/testing"
import {
  type CallError,
  InitTimeout,
  InvalidKey,
  InvalidResult,
  MissingCallback,
  NameTaken,
  StopFailed
} from "../../../src/domain/Errors.ts"
import {
  crashed,
  type ExitReason,
  ExitReason as ExitReasons,
  killed,
  normal,
  shutdown
} from "../../../src/domain/process/ExitReason.ts"
import {
  DynamicSupervisor,
  GenServer,
  Monitor,
  Next,
  Registry,
  Requests,
  StateContainer,
  Supervisor,
  Sys
} from "../../../src/index.ts"
import { type HasProcess, processOf, reference } from "../../../src/layers/process/Process.ts"
import { Harness } from "../../../src/layers/testing/Harness.ts"
import { countingScheduler, recordedLog } from "../../kit/Instruments.ts"

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
    End: GenServer.call({
      payload: { by: Schema.Literals(["exit", "stop"]), reason: ExitReasons },
      reply: Schema.String
    }),
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
    End: (_, { by, reason }) =>
      by === "stop" ? Next.stop(reason) : Effect.andThen(
        Effect.flatMap(Server.self, (self) => GenServer.exit(self, reason)),
        Effect.never
      ),
    Ping: (state) => state
  },
  idle: ({ from }) => from === undefined ? idle : Effect.as(GenServer.reply(from, Exit.succeed("delayed")), idle)
})

/** Calls others while its own inbox is full. */
class Caller extends GenServer.Service<Caller>()("test/Caller", {
  state: Schema.Int,
  messages: {
    Noise: GenServer.cast(),
    Heard: GenServer.call({ reply: Schema.Int }),
    CallAll: GenServer.call({ payload: { gate: Schema.Unknown, times: Schema.Int }, reply: Schema.Int })
  }
}) {}

class Stack extends GenServer.Service<Stack>()("test/Stack", {
  state: Schema.Array(Schema.String),
  messages: { Pop: GenServer.call({ reply: Schema.UndefinedOr(Schema.String) }) }
}) {}

const stacking = Stack.behavior({ init: [], handlers: { Pop: ([first, ...rest]) => [first, rest] } })

class Numbers extends GenServer.Service<Numbers>()("test/Numbers", {
  state: Schema.Int,
  messages: { Take: GenServer.cast({ payload: { n: Schema.Int } }) }
}) {}

/** Continues after every kind of message, and has a message waiting by then. */
class Continues extends GenServer.Service<Continues>()("test/Continues", {
  state: Schema.Int,
  messages: {
    Call: GenServer.call({ reply: Schema.String }),
    CallLater: GenServer.call({ reply: Schema.String }),
    Cast: GenServer.cast(),
    Chain: GenServer.cast(),
    Send: GenServer.cast(),
    Stop: GenServer.cast(),
    Message: GenServer.cast({ internal: true }),
    AfterContinue: GenServer.cast({ internal: true })
  }
}) {}

/** Arms an idle timeout of 500 ms in every way there is. */
class Idler extends GenServer.Service<Idler>()("test/Idler", {
  state: Schema.Int,
  messages: {
    ArmByCall: GenServer.call(),
    ArmByCast: GenServer.cast(),
    ArmByMessage: GenServer.cast(),
    ArmByContinue: GenServer.cast(),
    Message: GenServer.cast({ internal: true }),
    Ping: GenServer.call({ reply: Schema.String })
  }
}) {}

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
        Effect.flatMap(Machine.self, (self) => GenServer.castAfter(10, self.IncrementBy({ by }))),
        [undefined, n] as const
      ),
    Last: (n) => [n === 0 ? undefined : n, n],
    FailBackground: (n) => Effect.as(GenServer.spawnLink(Effect.fail("error")), [undefined, n] as const),
    IncrementBy: (n, { by }) => n + by,
    Tick: (n) => n
  }
})

class Root extends Supervisor.Service<Root>()("test/Root") {}
class Other extends DynamicSupervisor.Service<Other>()("test/Other") {}
class Names extends Registry.Service<Names, { readonly ref: Server["Service"] }>()("test/Names", { keys: "unique" }) {}
class Stacks extends Registry.Service<Stacks, {
  readonly key: unknown
  readonly ref: Stack["Service"]
}>()("test/Stacks", { keys: "unique" }) {}
class More extends Registry.Service<More, { readonly ref: Server["Service"] }>()("test/More", { keys: "unique" }) {}

const Live = Layer.mergeAll(
  Layer.provideMerge(
    Root.layer({ strategy: "one_for_one" }, [
      StateContainer.layerForget(Server),
      StateContainer.layerForget(Caller),
      StateContainer.layerForget(Stack),
      StateContainer.layerForget(Numbers),
      StateContainer.layerForget(Continues),
      StateContainer.layerForget(Idler),
      StateContainer.layerForget(Machine),
      Other.layer()
    ]),
    Harness.layer
  ),
  Names.layer,
  Stacks.layer,
  More.layer
)

/** Workers that are there before a case starts any. */
const containers = 7

const start = Effect.fnUntraced(function*(key: string, options?: GenServer.Options) {
  const root = yield* Root
  return yield* root.startChild(Server.recipe(behavior, { key, restart: "temporary", ...options }))
})

/** The variants of one case, one after the other, each in a tree of its own. */
const inTurn = <E>(variants: Record<string, Effect.Effect<void, E>>) =>
  Effect.forEach(
    Object.entries(variants),
    ([name, variant]) => Effect.onError(variant, () => Console.error(`variant: ${name}`)),
    { discard: true }
  )

/** Runs an effect beside the test, from its first step on. */
const beside = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const reasonOf = <R>(effect: Effect.Effect<unknown, CallError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)
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

  it.effect("SRV-003 Init timeout", () => {
    const timesOut = (init: "sleeps" | "hangs", millis: number) =>
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
        assert.strictEqual((yield* root.countChildren).workers, containers)
        const path = [...root.path, "test/Server/slow"]
        const told = yield* harness.historyOf(path)
        yield* TestClock.adjust(500)
        yield* TestClock.adjust(500)
        assert.deepStrictEqual(steps, ["released"])
        assert.deepStrictEqual(yield* harness.historyOf(path), told)
        assert.notInclude(told, "Started")
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
      assert.strictEqual((yield* root.countChildren).workers, containers + 1)

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
        assert.strictEqual(
          yield* tagOf(Effect.catchTag(GenServer.stop(server), "StopFailed", Effect.die)),
          "NotRunning"
        )
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
        root.startChild(
          Server.recipe({ ...behavior, terminate }, { key, restart: "temporary", shutdown: "10 seconds" })
        )

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
      assert.deepStrictEqual(late.reason, { _tag: "Timeout", millis: 1000, begun: true, waitsFor: "end" })
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
      assert.deepStrictEqual(timeout.reason, { _tag: "Timeout", millis: 1, begun: true, waitsFor: "reply" })

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

  it.effect("SRV-016 Only abnormal exits are logged as crashes", () => {
    const { errors, layer } = recordedLog()
    return Effect.gen(function*() {
      const [root, server] = [yield* Root, "test/Root/test/Server"]
      const because = (detail: string): ExitReason => ({ _tag: "Shutdown", detail })
      const orderly: ReadonlyArray<readonly [by: "exit" | "stop", reason: ExitReason]> = [
        ["exit", because("reason")],
        ["stop", because("stop_reason")],
        ["exit", shutdown],
        ["stop", shutdown]
      ]
      for (const [n, [by, reason]] of orderly.entries()) {
        const ends = yield* start(`orderly${n}`)
        assert.strictEqual(yield* tagOf(ends.End({ by, reason })), "NotRunning")
        assert.deepStrictEqual(ends[processOf].lastExit, reason)
      }
      for (const [n, reason] of [shutdown, because("a,b,c")].entries()) {
        const plain = yield* root.startChild(
          Supervisor.workerRecipe(`plain${n}`, Effect.never, { restart: "temporary" })
        )
        yield* GenServer.exit(reference(plain), reason)
        assert.deepStrictEqual(plain.lastExit, reason)
      }
      assert.deepStrictEqual(errors, [])

      // States and payloads are shown as the behaviour's format hook leaves them, and not without one.
      const crashes = yield* root.startChild(
        Server.recipe({ ...behavior, formatStatus: (shown) => shown }, { key: "crashes", restart: "temporary" })
      )
      yield* crashes.CallWithin({ millis: 1000 })
      assert.strictEqual(yield* tagOf(crashes.Die({ with: "crashed" })), "Crashed")
      const [error, ...others] = errors
      assert.deepStrictEqual(others, [])
      assert.include(error!.text, `${server}/crashes`)
      assert.include(error!.text, "crashed")
      assert.deepStrictEqual(error!.cause, Cause.die("crashed"))
      assert.strictEqual(error!.annotations["path"], `${server}/crashes`)
      assert.deepStrictEqual(error!.annotations["message"], { request: "Die", payload: { with: "crashed" } })
      assert.deepStrictEqual(error!.annotations["state"], { flag: true })
    }).pipe(Effect.provide(Layer.provideMerge(Live, layer)))
  })

  it.effect("SRV-017 Asynchronous requests", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const server = yield* names.start("server", start("server"))
      const first = yield* Requests.send(names.via("server").Started())
      assert.strictEqual(yield* Requests.wait(first), "ok")

      const two = [
        yield* Requests.send(server.CallWithin({ millis: 1000 })),
        yield* Requests.send(server.NextCall())
      ] as const
      assert.deepStrictEqual([yield* Requests.wait(two[0]), yield* Requests.wait(two[1])], ["ok", true])

      const delayed = yield* Requests.send(server.DelayedAnswer({ millis: 50 }))
      assert.strictEqual((yield* Effect.flip(Requests.wait(delayed, { timeout: 0 })))._tag, "TimeoutError")
      const waiting = yield* beside(Requests.wait(delayed, { timeout: "infinity" }))
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(waiting), "delayed")

      const death = yield* Effect.flip(Requests.wait(yield* Requests.send(server.Die({ with: "killed by it" }))))
      assert(death._tag === "CallError" && death.reason._tag === "Crashed")
      assert.deepStrictEqual(death.reason.cause, Cause.die("killed by it"))
      for (const nobody of [server, names.via("unknown")]) {
        const noproc = yield* Effect.flip(Requests.wait(yield* Requests.send(nobody.Started())))
        assert(noproc._tag === "CallError")
        assert.strictEqual(noproc.reason._tag, "NotRunning")
      }
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-018 Collecting replies from several servers", () => {
    const variants: Record<string, Effect.Effect<void, unknown>> = {}
    const ask = Effect.gen(function*() {
      const servers = [yield* start("1"), yield* start("2"), yield* start("3")] as const
      const asked = yield* Requests.collection<string, string, CallError>()
      const outside = yield* Requests.send(servers[1].Started())
      return { servers, asked, outside }
    })
    /** Takes what comes, in virtual time: how long it takes is up to the servers. */
    const taking = Effect.fnUntraced(function*<A, E, R>(take: Effect.Effect<A, E, R>, millis: number) {
      const taken = yield* beside(take)
      yield* TestClock.adjust(millis)
      return yield* Fiber.join(taken)
    })
    const label = <A, E>(response: Option.Option<Requests.Response<string, A, E>>) =>
      Option.getOrUndefined(Option.map(response, ({ label }) => label))

    variants["in the order in which they come"] = Effect.gen(function*() {
      const { asked, outside, servers } = yield* ask
      const requests = [
        yield* Requests.send(servers[0].DelayedAnswer({ millis: 400 })),
        yield* Requests.send(servers[1].DelayedAnswer({ millis: 1 })),
        yield* Requests.send(servers[2].DelayedAnswer({ millis: 200 }))
      ]
      for (const [n, request] of requests.entries()) yield* asked.add(`req${n + 1}`, request)
      assert.isTrue(Exit.hasDies(yield* Effect.exit(asked.add("again", requests[0]!))))
      const seen = [yield* asked.size]
      for (const [millis, expected] of [[1, "req2"], [199, "req3"], [200, "req1"]] as const) {
        const response = yield* taking(asked.wait(), millis)
        assert.strictEqual(label(response), expected)
        assert.deepStrictEqual(Option.map(response, ({ exit }) => exit), Option.some(Exit.succeed("delayed")))
        seen.push(yield* asked.size)
      }
      assert.deepStrictEqual(seen, [3, 2, 1, 0])
      assert.deepStrictEqual(yield* asked.wait(), Option.none())
      assert.strictEqual(yield* Requests.wait(outside), "ok")
    }).pipe(Effect.provide(Live))

    variants["one stops instead of answering"] = Effect.gen(function*() {
      const { asked, outside, servers } = yield* ask
      yield* asked.add("req1", yield* Requests.send(servers[0].DelayedAnswer({ millis: 400 })))
      yield* asked.add("req2", yield* Requests.send(servers[1].End({ by: "stop", reason: shutdown })))
      yield* asked.add("req3", yield* Requests.send(servers[2].DelayedAnswer({ millis: 200 })))
      const first = yield* taking(asked.wait(), 0)
      assert.strictEqual(label(first), "req2")
      const exit = Option.getOrThrow(first).exit
      assert(exit._tag === "Failure")
      const error = Option.getOrThrow(Cause.findErrorOption(exit.cause))
      assert(error.reason._tag === "NotRunning")
      assert.deepStrictEqual(error.reason.reason, shutdown)
      assert.strictEqual(label(yield* taking(asked.wait(), 200)), "req3")
      assert.strictEqual(label(yield* taking(asked.wait(), 200)), "req1")
      assert.deepStrictEqual(yield* asked.wait(), Option.none())
      assert.strictEqual(yield* Requests.wait(outside), "ok")
    }).pipe(Effect.provide(Live))

    for (const how of ["wait", "receive"] as const) {
      variants[`a deadline, ${how}`] = Effect.gen(function*() {
        const { asked, outside, servers } = yield* ask
        for (const [n, millis] of [400, 1, 200].entries()) {
          yield* asked.add(`req${n + 1}`, yield* Requests.send(servers[n]!.DelayedAnswer({ millis })))
        }
        const until = (yield* Clock.currentTimeMillis) + 100
        assert.strictEqual(label(yield* taking(asked[how]({ until }), 1)), "req2")
        const late = yield* taking(Effect.flip(asked[how]({ until })), 99)
        assert.strictEqual(late._tag, "TimeoutError")
        if (how === "wait") {
          assert.strictEqual(yield* asked.size, 2)
          assert.strictEqual(label(yield* taking(asked.wait(), 100)), "req3")
          assert.strictEqual(label(yield* taking(asked.wait(), 200)), "req1")
        } else {
          assert.strictEqual(yield* asked.size, 0)
          yield* TestClock.adjust(300)
        }
        assert.deepStrictEqual(yield* asked.wait(), Option.none())
        assert.strictEqual(yield* Requests.wait(outside), "ok")
      }).pipe(Effect.provide(Live))
    }
    return inTurn(variants)
  })

  it.effect("SRV-019 handle_continue runs before anything already queued, and may stop the server", () => {
    const variants: Record<string, Effect.Effect<void, unknown>> = {}
    const report: Array<string> = []
    const told = (line: string) => Effect.sync(() => void report.push(line))
    const afterIt = Effect.flatMap(Continues.self, (self) => self.AfterContinue())
    const next = (n: number) => Effect.as(told("continue"), n)
    const continuing = <A>(answer: A) => Effect.as(afterIt, answer)
    const behavior = Continues.behavior({
      init: 0,
      handlers: {
        Call: (n) => continuing(Next.reply("ok", n, { continueWith: next })),
        CallLater: (n, _, { from }) =>
          continuing(Next.noReply(n, {
            continueWith: (n) => Effect.andThen(GenServer.reply(from, Exit.succeed("later")), next(n))
          })),
        Cast: (n) => continuing(Next.noReply(n, { continueWith: next })),
        Chain: (n) =>
          continuing(Next.noReply(n, {
            continueWith: (n) => Effect.as(told("before_continue"), Next.noReply(n, { continueWith: next }))
          })),
        Stop: (n) => Next.noReply(n, { continueWith: () => Next.stop("normal") }),
        Send: (n) => Effect.as(Effect.flatMap(Continues.self, (self) => self.Message()), n),
        Message: (n) => continuing(Next.noReply(n, { continueWith: next })),
        AfterContinue: (n) => Effect.as(told("after_continue"), n)
      }
    })
    const inOrder = ["continue", "after_continue"]
    const ways: Record<
      string,
      readonly [(server: Continues["Service"]) => Effect.Effect<unknown, CallError>, ReadonlyArray<string>]
    > = {
      "call with reply": [(server) => server.Call(), inOrder],
      "call without reply": [(server) => server.CallLater(), inOrder],
      cast: [(server) => server.Cast(), inOrder],
      "plain message": [(server) => server.Send(), inOrder],
      "chained continue": [(server) => server.Chain(), ["before_continue", ...inOrder]]
    }
    for (const [way, [trigger, expected]] of Object.entries(ways)) {
      variants[`${way}`] = Effect.gen(function*() {
        const root = yield* Root
        const server = yield* root.startChild(Continues.recipe(behavior, { key: way }))
        report.length = 0
        yield* trigger(server)
        // Each round trip lets it come to what it sent itself in the one before.
        for (let hop = 0; hop < 3; hop++) yield* Sys.getState(server)
        assert.deepStrictEqual(report, expected)
      }).pipe(Effect.provide(Live))
    }

    variants["init"] = Effect.gen(function*() {
      const root = yield* Root
      report.length = 0
      const init = Effect.suspend(() => continuing(Next.start(0, { continueWith: next })))
      const server = yield* root.startChild(Continues.recipe({ ...behavior, init }, { key: "init" }))
      yield* Sys.getState(server)
      assert.deepStrictEqual(report, inOrder)
    }).pipe(Effect.provide(Live))

    variants["stop"] = Effect.gen(function*() {
      const root = yield* Root
      const server = yield* root.startChild(Continues.recipe(behavior, { key: "stop", restart: "transient" }))
      const watch = yield* Monitor.watch(server)
      yield* server.Stop()
      assert.deepStrictEqual((yield* watch.down).reason, normal)
    }).pipe(Effect.scoped, Effect.provide(Live))
    return inTurn(variants)
  })

  it.effect("SRV-022 cast to nobody is silently ok", () =>
    Effect.gen(function*() {
      const [root, names, harness] = [yield* Root, yield* Names, yield* Harness]
      const dead = yield* names.start("dead", start("dead"))
      yield* GenServer.stop(dead)
      const before = yield* root.countChildren
      yield* harness.clear
      assert.deepStrictEqual(yield* Effect.exit(dead.Ping()), Exit.void)
      // To a name: whoever has it gets it, and nobody does.
      for (const name of ["dead", "never registered"]) {
        assert.deepStrictEqual(yield* Effect.exit(names.dispatch(name, ({ ref }) => ref.Ping())), Exit.void)
      }
      assert.deepStrictEqual(yield* root.countChildren, before)
      // Nothing happens, but that whoever watches is told of the one to a process.
      assert.deepStrictEqual(yield* harness.historyOf(dead), ["Dropped"])
      assert.lengthOf(yield* harness.events, 1)
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-023 An idle timeout fires once, and any message cancels it", () => {
    const variants: Record<string, Effect.Effect<void, unknown>> = {}
    const events: Array<string> = []
    const idleAfter = 500
    const behavior = Idler.behavior({
      init: 0,
      handlers: {
        ArmByCall: (n) => Next.reply(undefined, n, { idleAfter }),
        ArmByCast: (n) => Next.noReply(n, { idleAfter }),
        ArmByMessage: (n) => Effect.as(Effect.flatMap(Idler.self, (self) => self.Message()), n),
        ArmByContinue: (n) => Next.noReply(n, { continueWith: (n) => Next.noReply(n, { idleAfter }) }),
        Message: (n) => Next.noReply(n, { idleAfter }),
        Ping: (n) => ["pong", n]
      },
      idle: (n) => {
        events.push("timeout")
        return n
      }
    })
    const arming: Record<string, (idler: Idler["Service"]) => Effect.Effect<unknown, CallError>> = {
      init: () => Effect.void,
      call: (idler) => idler.ArmByCall(),
      cast: (idler) => idler.ArmByCast(),
      "plain message": (idler) => idler.ArmByMessage(),
      continue: (idler) => idler.ArmByContinue()
    }
    for (const [way, arm] of Object.entries(arming)) {
      variants[`${way}`] = Effect.gen(function*() {
        const root = yield* Root
        const armed = (key: string) =>
          Effect.tap(
            root.startChild(
              Idler.recipe(way === "init" ? { ...behavior, init: Next.start(0, { idleAfter }) } : behavior, { key })
            ),
            arm
          )
        events.length = 0
        yield* armed("idle")
        yield* TestClock.adjust(499)
        assert.deepStrictEqual(events, [])
        yield* TestClock.adjust(501)
        assert.deepStrictEqual(events, ["timeout"])
        yield* TestClock.adjust(2000)
        assert.deepStrictEqual(events, ["timeout"])

        events.length = 0
        const idler = yield* armed("pinged")
        yield* TestClock.adjust(499)
        assert.strictEqual(yield* idler.Ping(), "pong")
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(events, [])
      }).pipe(Effect.provide(Live))
    }
    return inTurn(variants)
  })

  it.effect("SRV-026 Missing handlers", () => {
    const variants: Record<string, Effect.Effect<void, unknown>> = {}
    const without = Effect.fnUntraced(function*(part: object) {
      const root = yield* Root
      const server = yield* root.startChild(
        Server.recipe({ ...behavior, ...part as typeof behavior }, { key: "incomplete", restart: "temporary" })
      )
      return { server, watch: yield* Monitor.watch(server) }
    })
    const missing = (reason: Monitor.DownReason, callback: string) => {
      assert(reason._tag === "Crashed")
      const error = Cause.squash(reason.cause)
      assert(error instanceof MissingCallback)
      assert.strictEqual(error.callback, callback)
    }

    variants["call"] = Effect.gen(function*() {
      const { server, watch } = yield* without({ handlers: {} })
      const failed = yield* reasonOf(server.Started())
      assert(failed._tag === "Crashed")
      missing(failed, "Started")
      missing((yield* watch.down).reason, "Started")
    }).pipe(Effect.scoped, Effect.provide(Live))

    variants["cast, continue"] = Effect.gen(function*() {
      const first = yield* without({ handlers: {} })
      yield* first.server.Ping()
      missing((yield* first.watch.down).reason, "Ping")
      const second = yield* without({ init: Next.start(idle, { continueWith: "nothing" as never }) })
      const { reason } = yield* second.watch.down
      assert(reason._tag === "Crashed")
      assert.instanceOf(Cause.squash(reason.cause), TypeError)
    }).pipe(Effect.scoped, Effect.provide(Live))

    variants["a message it does not know; an error in one it knows"] = Effect.gen(function*() {
      const { server, watch } = yield* without({})
      // A client has a method for every message of the class, and no other: there is nothing to send.
      // @ts-expect-error
      assert.isUndefined(server.Unheard)
      assert.strictEqual(yield* server.Started(), "ok")
      yield* Effect.exit(server.Die({ with: "a real error" }))
      assert.deepStrictEqual((yield* watch.down).reason, crashed(Cause.die("a real error")))
    }).pipe(Effect.scoped, Effect.provide(Live))

    variants["init"] = Effect.gen(function*() {
      const root = yield* Root
      const { handlers } = behavior
      const incomplete = { handlers } as unknown as typeof behavior
      const { reason } = yield* Effect.flip(root.startChild(Server.recipe(incomplete, { key: "incomplete" })))
      assert(reason._tag === "Failed")
      missing(crashed(reason.cause) as Monitor.DownReason, "init")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(root.whichChild("test/Server/incomplete"))))
    }).pipe(Effect.provide(Live))
    return inTurn(variants)
  })

  it.effect("SRV-028 Calls stay fast with a full inbox", () => {
    const counting = countingScheduler()
    return Effect.gen(function*() {
      const [root, echo] = [yield* Root, yield* start("echo")]
      const caller = yield* root.startChild(Caller.recipe({
        init: 0,
        handlers: {
          Noise: (n) => n + 1,
          Heard: (n) => [n, n],
          // Counts what the run loops of all fibers and the turns of all servers did in the meantime.
          CallAll: (n, { gate, times }) =>
            Effect.gen(function*() {
              yield* (gate as Latch.Latch).await
              const before = counting.operations()
              for (let i = 0; i < times; i++) yield* Effect.orDie(echo.Started())
              return [counting.operations() - before, n] as const
            })
        }
      }, { key: "caller" }))
      const backlog = 50_000
      const count = Effect.fnUntraced(function*(noise: number) {
        const gate = Latch.makeUnsafe()
        const counted = yield* beside(caller.CallAll({ gate, times: 10_000 }, { timeout: "infinity" }))
        for (let i = 0; i < noise; i++) yield* caller.Noise()
        yield* gate.open
        return yield* Fiber.join(counted)
      })
      const without = yield* count(0)
      const full = yield* count(backlog)
      assert.isAbove(without, 10_000)
      assert.isBelow(full / without, 10)
      assert.strictEqual(yield* caller.Heard({}, { timeout: "infinity" }), backlog)
    }).pipe(Effect.provide(Layer.provideMerge(Live, Layer.succeed(Scheduler.Scheduler, counting.scheduler))))
  })

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
      assert.deepStrictEqual(anonymous[processOf].path, ["test/Root", "test/Stack"])
      assert.strictEqual(yield* anonymous.Pop(), "")
      for (const invalid of [undefined, 42, { name: "no string" }, ["stack"]]) {
        const { reason } = yield* Effect.flip(started(invalid as never))
        assert(reason._tag === "Failed")
        const error = Cause.squash(reason.cause)
        assert(error instanceof InvalidKey)
        assert.deepStrictEqual(error.key, invalid)
        assert.include(error.message, String(invalid))
      }
    }).pipe(Effect.provide(Live))
    return inTurn(variants)
  })

  it.effect("SRV-031 start vs start_link", () =>
    Effect.gen(function*() {
      // A link that is trapped is a monitor: the parent is told, and lives.
      const inbox = yield* Queue.unbounded<Monitor.Down<Server["Service"]>>()
      const plain = yield* start("plain")
      yield* Effect.exit(plain.Die({ with: "crash" }))
      const linked = (key: string) => Effect.map(Monitor.startMonitor(start(key), inbox), ([ref]) => ref)
      const [stops, exits, dies] = [yield* linked("stops"), yield* linked("exits"), yield* linked("dies")]
      assert.strictEqual(yield* Queue.size(inbox), 0)
      const wibble = crashed(Cause.fail("wibble"))
      const boo = crashed(Cause.fail("boo!"))
      yield* Effect.exit(stops.End({ by: "stop", reason: wibble }))
      yield* GenServer.exit(exits, boo)
      yield* GenServer.kill(dies)
      const told = yield* Queue.takeN(inbox, 3)
      assert.deepStrictEqual(told.map(({ reason }) => reason), [wibble, boo, killed])
      assert.deepStrictEqual(told.map(({ ref }) => ref), [stops, exits, dies])
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
      const first = yield* beside(root.startChild(slow))
      yield* TestClock.adjust(200)
      const numbers = yield* Fiber.join(first)
      yield* root.terminateChild("test/Numbers/slow")
      // Its reference is known by now, so that it can be sent messages while it comes up again.
      const starting = yield* beside(root.restartChild("test/Numbers/slow"))
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
      const incremented = yield* beside(deferred.Increment())
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
      const again = Effect.flatMap(Machine.self, (self) => GenServer.castAfter(20, self.Tick()))
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
