import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option, Queue, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { killed } from "../../../src/domain/process/ExitReason.ts"
import { Agent, GenServer, Process, Registry, StateContainer, Supervisor, Sys } from "../../../src/index.ts"
import { refusalReason } from "../../kit/Failures.ts"
import { FakeProcess } from "../../kit/FakeProcess.ts"

class Names extends Registry.Service<Names, { readonly ref: FakeProcess; readonly value: number }>()("test/Names", {
  keys: "unique"
}) {}

class Topics extends Registry.Service<Topics, { readonly ref: FakeProcess; readonly value: number }>()("test/Topics", {
  keys: "duplicate"
}) {}

class Pairs extends Registry.Service<Pairs, { readonly key: readonly [string, number]; readonly ref: FakeProcess }>()(
  "test/Pairs",
  { keys: "unique" }
) {}

describe("a unique registry", () => {
  it.effect("finds the process that is registered under a key, and no other", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const a = new FakeProcess("a")
      yield* names.register("one", a, 1)
      assert.deepStrictEqual(yield* names.lookup("one"), [{ key: "one", ref: a, value: 1 }])
      assert.strictEqual(Option.getOrThrow(yield* names.whereis("one")), a)
      assert.deepStrictEqual(yield* names.lookup("two"), [])
      assert.deepStrictEqual(yield* names.whereis("two"), Option.none())
    }).pipe(Effect.provide(Names.layer)))

  it.effect("refuses a key that is taken, names its owner, and says what to do", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const a = new FakeProcess("a")
      yield* names.register("one", a, 1)
      const error = yield* Effect.flip(names.register("one", new FakeProcess("b"), 2))
      assert.deepStrictEqual(error.reason, { _tag: "AlreadyRegistered", key: "one", holder: a })
      assert.strictEqual(
        error.message,
        "test/Names, key \"one\": taken by app > a. Use that one (whereis), or another key; updateValue changes a value."
      )
      assert.strictEqual(yield* names.count, 1)
    }).pipe(Effect.provide(Names.layer)))

  it.effect("refuses a process that has ended", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const a = new FakeProcess("a")
      a.gone()
      assert.deepStrictEqual(yield* refusalReason(names.register("one", a, 1)), {
        _tag: "NotAlive",
        key: "one",
        path: ["app", "a"]
      })
      assert.strictEqual(yield* names.count, 0)
    }).pipe(Effect.provide(Names.layer)))

  it.effect("compares keys by value", () =>
    Effect.gen(function*() {
      const pairs = yield* Pairs
      yield* pairs.register(["room", 7], new FakeProcess("a"))
      assert.strictEqual(
        (yield* refusalReason(pairs.register(["room", 7], new FakeProcess("b"))))._tag,
        "AlreadyRegistered"
      )
      assert.isTrue(Option.isSome(yield* pairs.whereis(["room", 7])))
    }).pipe(Effect.provide(Pairs.layer)))

  it.effect("a process keeps its names while it is restarted or parked", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const a = new FakeProcess("a")
      yield* names.register("one", a, 1)
      a.crash(killed)
      assert.strictEqual(Option.getOrThrow(yield* names.whereis("one")), a)
      a.restart()
      assert.strictEqual(Option.getOrThrow(yield* names.whereis("one")), a)
      a.status = "parked"
      assert.strictEqual(Option.getOrThrow(yield* names.whereis("one")), a)
    }).pipe(Effect.provide(Names.layer)))

  it.effect("a process loses all its names in the moment it is gone for good", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const a = new FakeProcess("a")
      yield* names.register("one", a, 1)
      yield* names.register("two", a, 2)
      a.exit(killed)
      assert.deepStrictEqual(yield* names.select(), [])
      const b = new FakeProcess("b")
      yield* names.register("one", b, 3)
      assert.strictEqual(Option.getOrThrow(yield* names.whereis("one")), b)
    }).pipe(Effect.provide(Names.layer)))

  it.effect("never returns a process that is down, even before its end was reported", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const a = new FakeProcess("a")
      yield* names.register("one", a, 1)
      a.stopSilently()
      assert.deepStrictEqual(yield* names.lookup("one"), [])
      assert.deepStrictEqual(yield* names.select(), [])
      assert.deepStrictEqual(yield* names.keys(a), [])
      assert.deepStrictEqual(yield* names.values("one", a), [])
      assert.deepStrictEqual(yield* refusalReason(names.updateValue("one", a, (value) => value + 1)), {
        _tag: "NotRegistered",
        key: "one",
        path: ["app", "a"]
      })
      const called: Array<string> = []
      yield* names.dispatch("one", ({ key }) => Effect.sync(() => called.push(key)))
      assert.deepStrictEqual(called, [])
    }).pipe(Effect.provide(Names.layer)))

  it.effect("forgets all processes when it closes, and takes no more", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Names.layer, scope)
      const names = yield* Effect.provide(Names, context)
      const a = new FakeProcess("a")
      yield* names.register("one", a, 1)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(a.goneObservers.length, 0)
      assert.deepStrictEqual(yield* names.lookup("one"), [])
      assert.strictEqual((yield* refusalReason(names.register("one", a, 1)))._tag, "RegistryClosed")
      assert.strictEqual((yield* refusalReason(names.start("one", Effect.succeed(a), 1)))._tag, "RegistryClosed")
    }))

  it.effect("unregistering another process's key changes nothing", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const a = new FakeProcess("a")
      yield* names.register("one", a, 1)
      yield* names.unregister("one", new FakeProcess("b"))
      assert.strictEqual(yield* names.unregisterMatch("one", a, (value) => value === 2), 0)
      assert.strictEqual(yield* names.count, 1)
      assert.strictEqual(yield* names.unregisterMatch("one", a, (value) => value === 1), 1)
      assert.strictEqual(yield* names.count, 0)
    }).pipe(Effect.provide(Names.layer)))
})

describe("starting under a key", () => {
  it.effect("starts and registers once, however many ask at the same time", () =>
    Effect.gen(function*() {
      const names = yield* Names
      let started = 0
      const start = Effect.gen(function*() {
        yield* Effect.sleep("1 second")
        return new FakeProcess(`p${++started}`)
      })
      const fiber = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 5 }, (_, i) => Effect.exit(names.start("one", start, i))),
          { concurrency: "unbounded" }
        )
      )
      yield* TestClock.adjust("10 seconds")
      const exits = yield* Fiber.join(fiber)
      assert.strictEqual(started, 1)
      assert.deepStrictEqual(exits.map(Exit.isSuccess), [true, false, false, false, false])
      assert.strictEqual(Option.getOrThrow(yield* names.whereis("one")).id, "p1")
    }).pipe(Effect.provide(Names.layer)))

  it.effect("keeps the key reserved meanwhile", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const ready = yield* Deferred.make<FakeProcess>()
      const fiber = yield* Effect.forkChild(names.start("one", Deferred.await(ready), 1), { startImmediately: true })
      assert.deepStrictEqual(yield* refusalReason(names.register("one", new FakeProcess("b"), 2)), {
        _tag: "BeingStarted",
        key: "one"
      })
      assert.deepStrictEqual(yield* names.whereis("one"), Option.none())
      const a = new FakeProcess("a")
      yield* Deferred.succeed(ready, a)
      assert.strictEqual(yield* Fiber.join(fiber), a)
      assert.strictEqual(Option.getOrThrow(yield* names.whereis("one")), a)
    }).pipe(Effect.provide(Names.layer)))

  it.effect("frees the key when the start fails, dies or is interrupted", () =>
    Effect.gen(function*() {
      const names = yield* Names
      assert.strictEqual(yield* Effect.flip(names.start("one", Effect.fail("no" as const), 1)), "no")
      assert.isTrue(Exit.hasDies(yield* Effect.exit(names.start("one", Effect.die("boom"), 1))))
      const hanging = yield* Effect.forkChild(names.start("one", Effect.never, 1), { startImmediately: true })
      yield* Fiber.interrupt(hanging)
      yield* names.register("one", new FakeProcess("a"), 2)
      assert.strictEqual(yield* names.count, 1)
    }).pipe(Effect.provide(Names.layer)))

  it.effect("hands out a process that has ended already, unregistered", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const a = new FakeProcess("a")
      a.gone()
      assert.strictEqual(yield* names.start("one", Effect.succeed(a), 1), a)
      assert.deepStrictEqual(yield* names.whereis("one"), Option.none())
      yield* names.register("one", new FakeProcess("b"), 2)
    }).pipe(Effect.provide(Names.layer)))
})

class Greeter extends FakeProcess {
  readonly Greet = (name: string): Effect.Effect<string, GenServer.CallError> =>
    Effect.succeed(`${this.id}: hello ${name}`)
  readonly Wave = (): Effect.Effect<void> => Effect.void
}

class Greeters extends Registry.Service<Greeters, { readonly ref: Greeter }>()("test/Greeters", { keys: "unique" }) {}

class Visits extends Agent.Service<Visits>()("test/Visits", { state: Schema.Int }) {}
class VisitsNames extends Registry.Service<VisitsNames, { readonly ref: Visits["Service"] }>()("test/VisitsNames", {
  keys: "unique"
}) {}
const VisitsLive = Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerForget(Visits), Visits.layer(0)])

describe("a client by name", () => {
  it.effect("calls the process that has the name at the time of the call", () =>
    Effect.gen(function*() {
      const greeters = yield* Greeters
      const client = greeters.via("door")
      const a = new Greeter("a")
      yield* greeters.register("door", a)
      assert.strictEqual(yield* client.Greet("Ada"), "a: hello Ada")
      a.gone()
      yield* greeters.register("door", new Greeter("b"))
      assert.strictEqual(yield* client.Greet("Ada"), "b: hello Ada")
    }).pipe(Effect.provide(Greeters.layer)))

  it.effect("looks up when it runs, not when it is made", () =>
    Effect.gen(function*() {
      const greeters = yield* Greeters
      const greeting = greeters.via("door").Greet("Ada")
      yield* greeters.register("door", new Greeter("a"))
      assert.strictEqual(yield* greeting, "a: hello Ada")
    }).pipe(Effect.provide(Greeters.layer)))

  it.effect("fails with NotRunning when no process has the name", () =>
    Effect.gen(function*() {
      const greeters = yield* Greeters
      const error = yield* Effect.flip(greeters.via("door").Greet("Ada"))
      assert.instanceOf(error, GenServer.CallError)
      assert.deepStrictEqual(error.reason, { _tag: "NotRunning" })
      assert.include(error.message, "Greet to test/Greeters > \"door\"")
      assert.strictEqual((yield* Effect.flip(greeters.via("door").Wave())).reason._tag, "NotRunning")
    }).pipe(Effect.provide(Greeters.layer)))

  it.effect("stands for the process that has the name", () =>
    Effect.gen(function*() {
      const greeters = yield* Greeters
      const client = greeters.via("door")
      const process: Process.Process = client[Process.processOf]
      assert.strictEqual(process.status, "stopped")
      const a = new Greeter("a")
      yield* greeters.register("door", a)
      assert.strictEqual(client[Process.processOf], a)
    }).pipe(Effect.provide(Greeters.layer)))

  it.effect("can be handed around like any value", () =>
    Effect.gen(function*() {
      const client = (yield* Greeters).via("door")
      assert.strictEqual(yield* Effect.promise(() => Promise.resolve(client)), client)
      assert.strictEqual(JSON.stringify({ client }), "{\"client\":{}}")
    }).pipe(Effect.provide(Greeters.layer)))

  it.effect("of an agent takes what the agent takes", () =>
    Effect.gen(function*() {
      const names = yield* VisitsNames
      const visits = names.via("page")
      assert.strictEqual((yield* Effect.flip(visits.get())).reason._tag, "NotRunning")
      yield* names.register("page", yield* Visits)
      yield* visits.update((n) => n + 41)
      assert.strictEqual(yield* visits.getAndUpdate((n) => [n, n + 1]), 41)
      assert.strictEqual(yield* visits.get(), 42)
      assert.strictEqual(yield* visits.get(String), "42")
      assert.strictEqual(yield* Effect.flip(visits.update(() => Effect.fail("refused" as const))), "refused")
    }).pipe(Effect.provide(Layer.merge(VisitsNames.layer, VisitsLive))))

  it.effect("can be used in a pipe", () =>
    Effect.gen(function*() {
      const names = yield* VisitsNames
      yield* names.register("page", yield* Visits)
      assert.strictEqual(yield* names.via("page").pipe(Sys.replaceState((n) => n + 7)), 7)
      assert.strictEqual(yield* names.via("page").pipe(Process.status), "running")
    }).pipe(Effect.provide(Layer.merge(VisitsNames.layer, VisitsLive))))

  it.effect("its methods may also fail with a CallError, and are otherwise the same", () =>
    Effect.gen(function*() {
      type Client = Registry.Via<Greeter>
      expectTypeOf<Client["Greet"]>().toEqualTypeOf<(name: string) => Effect.Effect<string, GenServer.CallError>>()
      expectTypeOf<Client["Wave"]>().toEqualTypeOf<() => Effect.Effect<void, GenServer.CallError>>()
      const greeters = yield* Greeters
      const client = greeters.via("door")
      assert.instanceOf(yield* Effect.flip(client.Wave()), GenServer.CallError)
      const greeter = new Greeter("a")
      yield* greeters.register("door", greeter)
      assert.strictEqual(yield* client.Greet("Ada"), yield* greeter.Greet("Ada"))
      assert.strictEqual(yield* client.Wave(), yield* greeter.Wave())
    }).pipe(Effect.provide(Greeters.layer)))
})

describe("a duplicate registry", () => {
  it.effect("dispatches to all under a key, in order, and skips one that ends meanwhile", () =>
    Effect.gen(function*() {
      const topics = yield* Topics
      const [a, b, c] = [new FakeProcess("a"), new FakeProcess("b"), new FakeProcess("c")]
      yield* topics.register("news", a, 1)
      yield* topics.register("news", b, 2)
      yield* topics.register("news", c, 3)
      const seen: Array<number> = []
      yield* topics.dispatch("news", ({ value }) =>
        Effect.sync(() => {
          seen.push(value)
          b.gone()
        }))
      assert.deepStrictEqual(seen, [1, 3])
    }).pipe(Effect.provide(Topics.layer)))

  it.effect("a dispatch ends with the first failure", () =>
    Effect.gen(function*() {
      const topics = yield* Topics
      yield* topics.register("news", new FakeProcess("a"), 1)
      yield* topics.register("news", new FakeProcess("b"), 2)
      const seen: Array<number> = []
      const dispatched = topics.dispatch("news", ({ value }) => {
        seen.push(value)
        return Effect.fail("no" as const)
      })
      assert.strictEqual(yield* Effect.flip(dispatched), "no")
      assert.deepStrictEqual(seen, [1])
    }).pipe(Effect.provide(Topics.layer)))

  it.effect("publishes registrations and their ends to its listeners", () =>
    Effect.gen(function*() {
      const topics = yield* Topics
      const a = new FakeProcess("a")
      yield* topics.register("before", a, 0)
      yield* Effect.scoped(Effect.gen(function*() {
        const events = yield* topics.listen
        yield* topics.register("news", a, 1)
        yield* topics.unregister("news", a)
        a.gone()
        const seen = yield* Queue.takeAll(events)
        assert.deepStrictEqual(seen.map(({ _tag, key, value }) => [_tag, key, value]), [
          ["Registered", "news", 1],
          ["Unregistered", "news", 1],
          ["Unregistered", "before", 0]
        ])
      }))
      yield* topics.register("news", new FakeProcess("b"), 2)
    }).pipe(Effect.provide(Topics.layer)))

  it.effect("a process that ends one of several registrations under a key keeps the others until it is gone", () =>
    Effect.gen(function*() {
      const topics = yield* Topics
      const a = new FakeProcess("a")
      yield* topics.register("news", a, 1)
      yield* topics.register("news", a, 2)
      assert.strictEqual(yield* topics.unregisterMatch("news", a, (value) => value === 1), 1)
      assert.deepStrictEqual([yield* topics.keys(a), yield* topics.values("news", a)], [["news"], [2]])
      const events = yield* topics.listen
      a.gone()
      assert.deepStrictEqual((yield* Queue.takeAll(events)).map(({ _tag, value }) => [_tag, value]), [[
        "Unregistered",
        2
      ]])
    }).pipe(Effect.scoped, Effect.provide(Topics.layer)))

  it.effect("keeps metadata under names", () =>
    Effect.gen(function*() {
      const topics = yield* Topics
      assert.deepStrictEqual(yield* topics.meta("limit"), Option.none())
      yield* topics.putMeta("limit", 10)
      assert.deepStrictEqual(yield* topics.meta("limit"), Option.some(10))
      yield* topics.deleteMeta("limit")
      assert.deepStrictEqual(yield* topics.meta("limit"), Option.none())
    }).pipe(Effect.provide(Topics.layer)))
})
