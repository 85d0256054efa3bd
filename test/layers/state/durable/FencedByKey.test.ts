/** `fence: "key"`: a key is one process's at a time, and is taken over alone. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Option, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { join } from "node:path"
import { isTakenOver } from "../../../../src/domain/state/stored/StoreError.ts"
import {
  DynamicSupervisor,
  GenServer,
  Next,
  Process,
  Snapshots,
  StateContainer,
  StateStore,
  Supervisor,
  Sys,
  Timer
} from "../../../../src/index.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { Harness } from "../../../../src/testing.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { folder } from "../../../kit/Folder.ts"
import { quiet, recordedLog } from "../../../kit/Log.ts"
import { away, layer as scriptedLayer, Scripted, Store } from "../../../kit/Scripted.ts"

class Counter extends GenServer.Service<Counter>()("test/Counter", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ reply: Schema.Int }),
    Read: GenServer.call({ reply: Schema.Int }),
    Sure: GenServer.call({ reply: Schema.Int, confirm: true }),
    Later: GenServer.call(),
    Tick: GenServer.cast({ internal: true }),
    Rest: GenServer.call(),
    Die: GenServer.call()
  }
}) {}

const behavior = Counter.behavior({
  init: 0,
  handlers: {
    Add: (n) => [n + 1, n + 1],
    Read: (n) => [n, n],
    Sure: (n) => [n, n],
    Later: (n) => Next.reply(undefined, n + 1, { timers: [Timer.after("tick", "1 minute", Counter.message.Tick())] }),
    Tick: (n) => n + 100,
    Rest: (n) => Next.reply(undefined, n, { hibernate: true }),
    Die: () => Effect.die("boom")
  }
})

class Servers extends DynamicSupervisor.Service<Servers>()("test/Servers") {}

const over = (store: Layer.Layer<Store, StateStore.StoreError>) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
    StateContainer.layerStore(Counter, { store: Store, fence: "key" }),
    Counter.layerKeyed(behavior),
    Servers.layer()
  ]).pipe(Layer.provide(store), Layer.provideMerge(Harness.Harness.layer))

type App = Layer.Success<ReturnType<typeof over>>

/** A store in memory that several runtimes have, each with a writer of its own. */
const memory = () => {
  const made = StateStore.makeMemory()
  return { made, layer: Layer.suspend(() => StateStore.layer(Store, Effect.succeed({ ...made }))) }
}

/** A runtime of its own on a store. */
const open = (
  store: Layer.Layer<Store, StateStore.StoreError>
): Effect.Effect<Context.Context<App>, unknown, Scope.Scope> => Layer.build(Layer.fresh(over(store)))

const at = (app: Context.Context<App>, key: string) => Effect.provideContext(Counter.at(key), app)

const refused = (exit: Exit.Exit<unknown, GenServer.CallError>, key: string) => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(error, GenServer.CallError)
  if (error.reason._tag !== "NotConserved") return assert.fail(error.message)
  const cause = Cause.squash(error.reason.cause)
  assert.instanceOf(cause, StateStore.StoreError)
  if (cause.reason._tag !== "Fenced") return assert.fail(cause.message)
  assert.strictEqual(cause.reason.key, `test/Counter/${key}`)
  return cause
}

/** No supervisor has given up on anything. */
const isUp = Effect.fnUntraced(function*(app: Context.Context<App>) {
  yield* turns
  const events = yield* Context.get(app, Harness.Harness).events
  assert.deepStrictEqual(events.filter(({ _tag }) => _tag === "GaveUp"), [])
})

describe("two runtimes over one store, with an epoch for each key", () => {
  it.effect("write side by side, each its own keys; a key that both want is the younger's, and the older goes on with the others", () =>
    Effect.gen(function*() {
      const { layer, made } = memory()
      const [one, two] = [yield* open(layer), yield* open(layer)]
      const [a, b] = [yield* at(one, "a"), yield* at(two, "b")]
      const both = yield* at(one, "both")
      for (let n = 1; n <= 3; n++) {
        const counts = yield* Effect.all([a.Add(), b.Add(), both.Add()], { concurrency: "unbounded" })
        assert.deepStrictEqual(counts, [n, n, n])
      }
      const taken = yield* at(two, "both")
      assert.strictEqual(yield* taken.Add(), 4)
      const [old, other] = yield* Effect.all([Effect.exit(both.Add()), a.Add()], { concurrency: "unbounded" })
      const why = refused(old, "both")
      assert.include(why?.message, "a younger session has taken over \"test/Counter/both\"")
      assert.include(why?.message, "other servers go on")
      assert.strictEqual(other, 4)
      yield* isUp(one)
      assert.strictEqual(yield* Process.status(both), "stopped")
      assert.strictEqual(yield* Process.incarnation(both), 1)
      assert.isTrue(isTakenOver(Option.getOrThrow(yield* Process.lastExit(both))))
      assert.deepStrictEqual([yield* taken.Add(), yield* b.Add(), yield* a.Add()], [5, 4, 5])
      assert.deepStrictEqual((yield* made.load("test/Counter/both")).map(({ state }) => state), ["5", "4", "3"])
      // who asks for it again claims it anew
      const back = yield* at(one, "both")
      assert.strictEqual(yield* back.Add(), 6)
      refused(yield* Effect.exit(taken.Add()), "both")
    }))

  it.effect("a thousand keys that were taken over are known at once, and one more is stored beside them", () =>
    Effect.gen(function*() {
      const script = new Scripted()
      const app = yield* open(scriptedLayer(script))
      const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`)
      const servers = yield* Effect.forEach(keys, (key) => at(app, key))
      const stays = yield* at(app, "stays")
      yield* Effect.forEach([...servers, stays], (server) => server.Add(), { concurrency: "unbounded" })
      yield* Effect.forEach(keys, (key) => script.memory.acquireEpoch(`test/Counter/${key}`))
      const before = script.count("save")
      const [exits, kept] = yield* Effect.all([
        Effect.forEach(servers, (server) => Effect.exit(server.Add()), { concurrency: "unbounded" }),
        stays.Add()
      ], { concurrency: "unbounded" })
      exits.forEach((exit, i) => {
        const why = refused(exit, keys[i]!)
        if (why?.reason._tag === "Fenced") assert.isUndefined(why.reason.others)
      })
      assert.strictEqual(kept, 2)
      assert.isAtMost(script.count("save") - before, 4)
      yield* isUp(app)
    }))
})

describe("a claim of a key", () => {
  it.effect("is made when its server starts, kept over its crashes, and made anew when one is started after it has gone", () =>
    Effect.gen(function*() {
      const script = new Scripted()
      const app = yield* open(scriptedLayer(script))
      assert.strictEqual(script.count("acquireEpoch"), 0)
      const counter = yield* at(app, "a")
      yield* counter.Add()
      yield* Effect.exit(counter.Die())
      yield* turns
      assert.strictEqual(yield* counter.Add(), 2)
      assert.strictEqual(yield* Process.incarnation(counter), 2)
      assert.strictEqual(script.count("acquireEpoch"), 1)
      yield* Process.exit(counter, { _tag: "Shutdown" })
      yield* turns
      assert.strictEqual(yield* (yield* at(app, "a")).Add(), 3)
      assert.strictEqual(script.count("acquireEpoch"), 2)
    }))

  it.effect("that is over stays so over a crash: the next incarnation is refused, too", () =>
    Effect.gen(function*() {
      const script = new Scripted()
      const app = yield* open(scriptedLayer(script))
      const counter = yield* at(app, "a")
      yield* counter.Add()
      yield* script.memory.acquireEpoch("test/Counter/a")
      yield* Effect.exit(counter.Die())
      yield* turns
      assert.strictEqual(yield* counter.Read(), 1)
      refused(yield* Effect.exit(counter.Add()), "a")
      assert.strictEqual(script.count("acquireEpoch"), 1)
      assert.strictEqual(yield* Process.status(counter), "stopped")
      yield* isUp(app)
    }))

  it.effect("is asked for again while the store is away, and is one for all who want it", () =>
    Effect.gen(function*() {
      const script = new Scripted()
      const app = yield* open(scriptedLayer(script))
      let isAway = true
      script.before = (operation) => operation === "acquireEpoch" && isAway ? away(operation) : Effect.void
      const container = yield* Effect.provideContext(Counter.StateContainer, app)
      const [counter] = yield* Effect.all([
        at(app, "a"),
        container.for("a").set(7),
        Effect.andThen(
          TestClock.adjust("1 second"),
          Effect.suspend(() => {
            isAway = false
            return TestClock.adjust("1 second")
          })
        )
      ], { concurrency: "unbounded" })
      const asked = script.count("acquireEpoch")
      assert.isAbove(asked, 2)
      assert.include([1, 8], yield* counter.Add())
      assert.strictEqual((yield* script.memory.load("test/Counter/a"))[0]?.epoch, 1)
    }))

  it.effect("is made by a program that sets or clears a state, and its server hears of another's", () =>
    Effect.gen(function*() {
      const { layer, made } = memory()
      const [one, two] = [yield* open(layer), yield* open(layer)]
      const counter = yield* at(one, "a")
      yield* counter.Add()
      const container = yield* Effect.provideContext(Counter.StateContainer, two)
      yield* container.for("a").set(41)
      refused(yield* Effect.exit(counter.Add()), "a")
      assert.strictEqual(yield* (yield* at(one, "a")).Add(), 42)
      yield* container.for("a").clear
      assert.deepStrictEqual(yield* made.load("test/Counter/a"), [])
    }))

  it.effect("is confirmed key by key: a read that asks is never older than what another has answered, and ends its server", () =>
    Effect.gen(function*() {
      const { layer } = memory()
      const [one, two] = [yield* open(layer), yield* open(layer)]
      const [a, b] = [yield* at(one, "a"), yield* at(one, "b")]
      yield* Effect.all([a.Add(), b.Add()])
      assert.strictEqual(yield* a.Sure(), 1)
      const taken = yield* at(two, "a")
      yield* taken.Add()
      assert.strictEqual(yield* a.Read(), 1, "one that does not ask is answered from memory")
      const [old, other] = yield* Effect.all([Effect.exit(a.Sure()), b.Sure()], { concurrency: "unbounded" })
      refused(old, "a")
      assert.strictEqual(other, 1)
      assert.strictEqual(yield* Process.status(a), "stopped")
      assert.strictEqual(yield* taken.Sure(), 2)
      yield* isUp(one)
    }))

  it.effect("is confirmed when the store is back, and is one of those who waited for it", () => {
    const { made } = memory()
    let isAway = false
    const confirm: typeof made.confirm = (epoch, key) =>
      Effect.suspend(() => isAway ? away("confirm") : made.confirm!(epoch, key))
    const { layer, lines } = recordedLog(({ annotations }) => "store" in annotations)
    return Effect.gen(function*() {
      const a = yield* at(yield* open(StateStore.layer(Store, Effect.succeed({ ...made, confirm }))), "a")
      yield* a.Add()
      isAway = true
      const sure = yield* now(a.Sure())
      yield* turns
      isAway = false
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(sure), 1)
      assert.deepStrictEqual(lines.map(({ level }) => level), ["Warn", "Info"])
      assert.include(lines[1]!.text, "1 waited for it")
    }).pipe(Effect.provide(layer))
  })

  it.effect("ends where its key was gone back to by hand, or was asleep meanwhile", () =>
    Effect.gen(function*() {
      const { layer, made } = memory()
      const [one, two] = [yield* open(layer), yield* open(layer)]
      const [restored, asleep] = [yield* at(one, "restored"), yield* at(one, "asleep")]
      for (const counter of [restored, asleep, restored]) yield* counter.Add()
      yield* Snapshots.restore(made, { key: "test/Counter/restored", seq: 1 })
      refused(yield* Effect.exit(restored.Add()), "restored")
      assert.strictEqual(yield* (yield* at(one, "restored")).Add(), 2)
      yield* asleep.Rest()
      yield* turns
      yield* (yield* at(two, "asleep")).Add()
      // it was not begun
      assert.strictEqual((yield* Effect.flip(asleep.Add())).reason._tag, "NotRunning")
      assert.isTrue(isTakenOver(Option.getOrThrow(yield* Process.lastExit(asleep))))
      assert.strictEqual(yield* (yield* at(one, "asleep")).Add(), 3)
      yield* isUp(one)
    }))

  it.effect("takes durable timers and recorded answers with it", () =>
    Effect.gen(function*() {
      const { layer } = memory()
      const [one, two] = [yield* open(layer), yield* open(layer)]
      const counter = yield* at(one, "a")
      yield* counter.Later()
      assert.strictEqual(yield* counter.Add({}, { idempotencyKey: "x" }), 2)
      const taken = yield* at(two, "a")
      assert.strictEqual(yield* taken.Add({}, { idempotencyKey: "x" }), 2)
      assert.deepStrictEqual((yield* Sys.timers(taken)).map(({ name }) => name), ["tick"])
      yield* TestClock.adjust("2 minutes")
      // in either process: it is done once
      assert.strictEqual(yield* (yield* at(two, "a")).Sure(), 102)
      assert.deepStrictEqual(yield* Sys.timers(yield* at(two, "a")), [])
    }).pipe(quiet))
})

describe("a key that was taken over", () => {
  it.effect("ends its own supervisor at most: the dynamic one above drops that, and goes on", () =>
    Effect.gen(function*() {
      const script = new Scripted()
      const app = yield* open(scriptedLayer(script))
      const servers = Context.get(app, Servers)
      const harness = Context.get(app, Harness.Harness)
      const started = Effect.fnUntraced(function*(key: string) {
        let counter: typeof Counter.Service | undefined
        const recipe = Counter.recipe(behavior, { key })
        const noted: typeof recipe = {
          ...recipe,
          make: (...args) => {
            const made = recipe.make(...args)
            counter = made.ref
            return made
          }
        }
        const small = Supervisor.recipe({ id: key, strategy: "one_for_one" }, [noted])
        const own = yield* servers.startChild(small, { restart: "permanent" })
        return { counter: counter!, own }
      })
      const [a, b] = yield* Effect.provideContext(Effect.all([started("a"), started("b")]), app)
      yield* a.counter.Add()
      yield* b.counter.Add()
      yield* script.memory.acquireEpoch("test/Counter/a")
      refused(yield* Effect.exit(a.counter.Add()), "a")
      yield* turns
      const gaveUp = (yield* harness.events).filter(({ _tag }) => _tag === "GaveUp")
      assert.lengthOf(gaveUp, 1, "the small one")
      assert.strictEqual(yield* Process.status(a.own), "stopped")
      assert.isTrue(isTakenOver(Option.getOrThrow(yield* Process.lastExit(a.own))))
      assert.strictEqual(yield* b.counter.Add(), 2)
      assert.strictEqual((yield* servers.countChildren).active, 1)
      // and may be started again, with a claim of its own
      const again = yield* Effect.provideContext(started("a"), app)
      assert.strictEqual(yield* again.counter.Add(), 2)
    }))
})

describe("a fence and a store that do not go together", () => {
  const misfits = Effect.fnUntraced(function*(ownership: "exclusive" | "shared", fence: "class" | "key") {
    class Db extends StateStore.Service<Db>()("test/Db", "process") {}
    const filename = join(yield* folder, "app.db")
    const app = Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerStore(Counter, { store: Db, fence })
    ]).pipe(Layer.provide(StateStoreSqlite.layer(Db, { filename, ownership })))
    return yield* Effect.flip(Layer.build(app))
  })

  it.live("are refused, and it is said what to give: an epoch for each key in a store of one process, or one in all of a shared one", () =>
    Effect.gen(function*() {
      const [one, all] = [yield* misfits("exclusive", "key"), yield* misfits("shared", "class")]
      for (const error of [one, all]) assert.strictEqual((error as StateStore.StoreError).reason._tag, "Invalid")
      assert.match(String(one), /give the store ownership: "shared"/)
      assert.match(String(all), /give fence: "key", or a store of its own/)
    }))

  it.effect("nor do two classes in one store, one with an epoch for each key, the other with one for all", () =>
    Effect.gen(function*() {
      class Other extends GenServer.Service<Other>()("test/Other", { state: Schema.Int, messages: {} }) {}
      const both = Supervisor.layer({ strategy: "one_for_one" }, [
        StateContainer.layerStore(Counter, { store: Store, fence: "key" }),
        StateContainer.layerStore(Other, { store: Store })
      ]).pipe(Layer.provide(StateStore.layerMemory(Store)))
      const error = yield* Effect.flip(Layer.build(both))
      assert.match(String(error), /"test\/Other" is not to have fence: "class" in it/)
    }))

  it.live("SQLite that is shared: two apps of one machine have it together, and who wants it alone waits for both", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "app.db")
      class Db extends StateStore.Service<Db>()("test/Db", "process") {}
      const app = (ownership: "exclusive" | "shared") =>
        Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          StateContainer.layerStore(Counter, { store: Db, fence: ownership === "shared" ? "key" : "class" }),
          Counter.layerKeyed(behavior)
        ]).pipe(Layer.provide(StateStoreSqlite.layer(Db, { filename, ownership, patience: 0 })))
      const opened = (ownership: "exclusive" | "shared") => Layer.build(Layer.fresh(app(ownership)))
      yield* Effect.scoped(Effect.gen(function*() {
        const [one, two] = [yield* opened("shared"), yield* opened("shared")]
        const [a, b] = [
          yield* Effect.provideContext(Counter.at("a"), one),
          yield* Effect.provideContext(Counter.at("b"), two)
        ]
        for (let n = 1; n <= 5; n++) {
          assert.deepStrictEqual(yield* Effect.all([a.Add(), b.Add()], { concurrency: "unbounded" }), [n, n])
        }
        const taken = yield* Effect.provideContext(Counter.at("a"), two)
        assert.strictEqual(yield* taken.Add(), 6)
        refused(yield* Effect.exit(a.Add()), "a")
        const error = yield* Effect.flip(Effect.scoped(opened("exclusive")))
        assert.strictEqual((error as StateStore.StoreError).reason._tag, "Owned")
      }))
      const alone = yield* opened("exclusive")
      assert.strictEqual(yield* (yield* Effect.provideContext(Counter.at("a"), alone)).Add(), 7)
      const error = yield* Effect.flip(Effect.scoped(opened("shared")))
      assert.strictEqual((error as StateStore.StoreError).reason._tag, "Owned")
    }).pipe(quiet))
})
