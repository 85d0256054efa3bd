import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { crashed } from "../../../src/domain/process/ExitReason.ts"
import {
  DynamicSupervisor,
  type GenServer,
  Process,
  StateContainer,
  StateStore,
  StateTable,
  Supervisor
} from "../../../src/index.ts"
import { tableOf } from "../../../src/layers/state/container/Container.ts"
import { Harness } from "../../../src/testing.ts"
import { behavior as counting, Counter } from "../../kit/Counter.ts"
import { turns } from "../../kit/Fibers.ts"
import { often } from "../../kit/Restarts.ts"

/** A state that no incarnation starts from. */
const unlucky = 13

const behavior = Counter.behavior({
  ...counting,
  restore: (n) => n === unlucky ? Effect.die("bad luck") : n
})

class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}
class Store extends StateStore.Service<Store>()("test/Store", "crash") {}
class Top extends Supervisor.Service<Top>()("test/Top") {}

const kinds = {
  memory: (options?: StateContainer.Options) => StateContainer.layerMemory(Counter, options),
  table: (options?: StateContainer.Options) => StateContainer.layerTable(Counter, options),
  // Elsewhere a store keeps what finished servers leave.
  store: (options?: StateContainer.Options) =>
    StateContainer.layerStore(Counter, { store: Store, afterStop: "forget", ...options })
}

const app = (kind: keyof typeof kinds, options?: StateContainer.Options) =>
  Layer.provideMerge(
    Top.layer({ id: "root", strategy: "one_for_one", restart: often }, [
      kinds[kind](options),
      Pool.layer({ restart: often })
    ]),
    Layer.mergeAll(Harness.Harness.layer, StateTable.StateTable.layer, StateStore.layerMemory(Store))
  )

const start = (key: string, options: GenServer.Options = {}) =>
  Effect.flatMap(Pool, (pool) => pool.startChild(Counter.recipe(behavior, { key, ...options })))

const clear = (key: string) => Effect.flatMap(Counter.StateContainer, (container) => container.for(key).clear)

/** What is there once all that was asked of the companions is done. */
const conserved = (key: string) =>
  Effect.andThen(turns, Effect.flatMap(Counter.StateContainer, (container) => container.for(key).get))

/** A server that has added so much and was terminated, and another one that has its key since. */
const succeeded = Effect.fnUntraced(
  function*(by: number, meanwhile: ReturnType<typeof clear> | Effect.Effect<void> = Effect.void) {
    const [top, pool] = [yield* Top, yield* Pool]
    const a = yield* top.startChild(Counter.recipe(behavior, { key: "a" }))
    if (by > 0) yield* a.Add({ by })
    yield* top.terminateChild("test/Counter/a")
    yield* meanwhile
    return { top, pool, a, other: yield* start("a") }
  }
)

for (const kind of ["memory", "table", "store"] as const) {
  describe(`companions in ${kind}`, () => {
    it.effect("belong to one server each: neither sees another's state", () =>
      Effect.gen(function*() {
        const a = yield* start("a")
        const b = yield* start("b")
        yield* a.Add({ by: 1 })
        yield* b.Add({ by: 2 })
        yield* Process.kill(a)
        assert.deepStrictEqual([yield* a.Add({ by: 0 }), yield* b.Add({ by: 0 })], [1, 2])
        assert.deepStrictEqual(yield* (yield* Counter.StateContainer).keys, ["a", "b"])
      }).pipe(Effect.provide(app(kind))))

    it.effect("set replaces what the next incarnation starts from; clear makes it start from init", () =>
      Effect.gen(function*() {
        const a = yield* start("a")
        const companion = (yield* Counter.StateContainer).for("a")
        yield* a.Add({ by: 1 })
        yield* companion.set(41)
        assert.deepStrictEqual(yield* companion.get, Option.some(41))
        yield* Process.kill(a)
        assert.strictEqual(yield* a.Add({ by: 1 }), 42)
        yield* companion.clear
        yield* Process.kill(a)
        assert.strictEqual(yield* a.Add({ by: 1 }), 1)
      }).pipe(Effect.provide(app(kind))))

    it.effect("a state that was cleared does not come back, not even when the one after it is set aside", () =>
      Effect.gen(function*() {
        const a = yield* start("a")
        const companion = (yield* Counter.StateContainer).for("a")
        yield* a.Add({ by: 5 })
        yield* a.Add({ by: 1 })
        yield* companion.clear
        yield* companion.set(unlucky)
        yield* Process.kill(a)
        assert.strictEqual(yield* a.Add({ by: 1 }), 1)
      }).pipe(Effect.provide(app(kind))))

    for (const when of ["commit", "terminate", { every: "1 second" }] as const) {
      it.effect(`refuse a commit of an incarnation that is over, when: ${JSON.stringify(when)}`, () =>
        Effect.gen(function*() {
          const container = yield* Counter.StateContainer
          // any process may own a companion without an owner
          const keeper = tableOf(container).claim("a", container[Process.processOf])
          keeper.takeOver(1)
          assert.isTrue(keeper.commit(1, 1, "call"))
          keeper.takeOver(2)
          assert.isFalse(keeper.commit(1, 100, "call"))
          assert.isTrue(keeper.commit(2, 2, "call"))
          keeper.conclude(1, 100)
          keeper.fenceOff(2)
          assert.isFalse(keeper.commit(2, 200, "call"))
          keeper.conclude(2, 300)
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(yield* conserved("a"), when === "terminate" ? Option.none() : Option.some(2))
        }).pipe(Effect.provide(app(kind, { when }))))
    }

    it.effect("a companion in hand is the one of its key for ever, whatever becomes of the servers", () =>
      Effect.gen(function*() {
        const companion = (yield* Counter.StateContainer).for("a")
        assert.deepStrictEqual(yield* companion.get, Option.none())
        const a = yield* start("a", { restart: "transient" })
        yield* a.Add({ by: 1 })
        assert.deepStrictEqual(yield* companion.get, Option.some(1))
        yield* a.Finish()
        yield* turns
        assert.deepStrictEqual(yield* companion.get, Option.none())
        const again = yield* start("a")
        yield* again.Add({ by: 2 })
        assert.deepStrictEqual(yield* companion.get, Option.some(2))
        yield* companion.set(41)
        yield* Process.kill(again)
        assert.strictEqual(yield* again.Add({ by: 1 }), 42)
      }).pipe(Effect.provide(app(kind))))

    it.effect("the keys are those of all that live or have left something, in order", () =>
      Effect.gen(function*() {
        const container = yield* Counter.StateContainer
        for (const key of ["c", "a", "d"]) yield* start(key)
        yield* container.for("b").set(1)
        assert.deepStrictEqual(yield* container.keys, ["a", "b", "c", "d"])
      }).pipe(Effect.provide(app(kind))))

    it.effect("looking leaves nothing behind", () =>
      Effect.gen(function*() {
        const container = yield* Counter.StateContainer
        for (let i = 0; i < 100; i++) assert.deepStrictEqual(yield* container.for(String(i)).get, Option.none())
        assert.deepStrictEqual(yield* container.keys, [])
      }).pipe(Effect.provide(app(kind))))

    describe("after the end of their server", () => {
      it.effect("forget when it ends normally and is not to be restarted: a thousand leave nothing behind", () =>
        Effect.gen(function*() {
          for (let i = 0; i < 1000; i++) {
            const counter = yield* start(String(i), { restart: i % 2 === 0 ? "transient" : "temporary" })
            yield* counter.Add({ by: 1 })
            yield* counter.Finish()
          }
          yield* turns
          assert.deepStrictEqual(yield* (yield* Counter.StateContainer).keys, [])
        }).pipe(Effect.provide(app(kind))))

      it.effect("keep it when afterStop says so", () =>
        Effect.gen(function*() {
          const counter = yield* start("a", { restart: "transient" })
          yield* counter.Add({ by: 41 })
          yield* counter.Finish()
          const again = yield* start("a")
          assert.strictEqual(yield* again.Add({ by: 1 }), 42)
        }).pipe(Effect.provide(app(kind, { afterStop: "keep" }))))

      it.effect("keep it when the child was terminated, or crashed and is temporary", () =>
        Effect.gen(function*() {
          const pool = yield* Pool
          const a = yield* start("a")
          yield* a.Add({ by: 1 })
          yield* pool.terminateChild(a)
          const b = yield* start("b", { restart: "temporary" })
          yield* b.Add({ by: 2 })
          yield* Effect.exit(b.Crash())
          assert.deepStrictEqual([yield* conserved("a"), yield* conserved("b")], [Option.some(1), Option.some(2)])
        }).pipe(Effect.provide(app(kind))))

      it.effect("forget when the child is deleted", () =>
        Effect.gen(function*() {
          const top = yield* Top
          const a = yield* top.startChild(Counter.recipe(behavior, { key: "a" }))
          yield* a.Add({ by: 1 })
          yield* top.terminateChild("test/Counter/a")
          assert.deepStrictEqual(yield* conserved("a"), Option.some(1))
          yield* top.deleteChild("test/Counter/a")
          assert.deepStrictEqual(yield* conserved("a"), Option.none())
        }).pipe(Effect.provide(app(kind))))

      it.effect("but not when another server has had the key since", () =>
        Effect.gen(function*() {
          const { other, pool, top } = yield* succeeded(1)
          assert.strictEqual(yield* other.Add({ by: 1 }), 2)
          yield* pool.terminateChild(other)
          yield* top.deleteChild("test/Counter/a")
          assert.deepStrictEqual(yield* conserved("a"), Option.some(2))
        }).pipe(Effect.provide(app(kind))))

      for (const [what, make] of [["handled nothing", Effect.void], ["was cleared", clear("a")]] as const) {
        it.effect(`and not what another server has left since, were it the first to leave anything (it ${what})`, () =>
          Effect.gen(function*() {
            const { other, pool, top } = yield* succeeded(what === "was cleared" ? 1 : 0, make)
            yield* other.Add({ by: 2 })
            yield* pool.terminateChild(other)
            yield* top.deleteChild("test/Counter/a")
            assert.deepStrictEqual(yield* conserved("a"), Option.some(2))
          }).pipe(Effect.provide(app(kind))))
      }

      for (const kills of [0, 1, 2]) {
        it.effect(`nor what another has left that kept it from starting, and was restarted since (${kills} times)`, () =>
          Effect.gen(function*() {
            const { other, pool, top } = yield* succeeded(1)
            yield* other.Add({ by: 1 })
            assert.include(
              String(yield* Effect.exit(top.restartChild("test/Counter/a"))),
              "a key has one server at a time"
            )
            for (let i = 0; i < kills; i++) yield* Process.kill(other)
            yield* pool.terminateChild(other)
            yield* top.deleteChild("test/Counter/a")
            assert.deepStrictEqual(yield* conserved("a"), Option.some(2))
          }).pipe(Effect.provide(app(kind))))
      }

      it.effect("looking at what a stopped server has left does not keep it from being forgotten", () =>
        Effect.gen(function*() {
          const top = yield* Top
          const a = yield* top.startChild(Counter.recipe(behavior, { key: "a" }))
          yield* a.Add({ by: 1 })
          yield* top.terminateChild("test/Counter/a")
          assert.deepStrictEqual(yield* conserved("a"), Option.some(1))
          assert.deepStrictEqual(yield* conserved("a"), Option.some(1))
          yield* top.deleteChild("test/Counter/a")
          assert.deepStrictEqual(yield* conserved("a"), Option.none())
        }).pipe(Effect.provide(app(kind))))

      for (const by of [0, 1]) {
        it.effect(`nor is another server touched that has the key now, and has handled ${by} messages`, () =>
          Effect.gen(function*() {
            const { other, top } = yield* succeeded(0)
            if (by > 0) yield* other.Add({ by })
            yield* top.deleteChild("test/Counter/a")
            const error = yield* Effect.flip(start("a"))
            assert.strictEqual(error.reason._tag, "Failed")
            assert.strictEqual(yield* other.Add({ by: 1 }), by + 1)
            yield* Process.kill(other)
            assert.strictEqual(yield* other.Add({ by: 1 }), by + 2)
          }).pipe(Effect.provide(app(kind))))
      }

      it.effect("a state that was set from outside is forgotten with it, when no other server has had it", () =>
        Effect.gen(function*() {
          const top = yield* Top
          yield* top.startChild(Counter.recipe(behavior, { key: "a" }))
          yield* top.terminateChild("test/Counter/a")
          yield* (yield* Counter.StateContainer).for("a").set(41)
          yield* top.deleteChild("test/Counter/a")
          assert.deepStrictEqual(yield* conserved("a"), Option.none())
        }).pipe(Effect.provide(app(kind))))

      for (const by of [0, 1]) {
        it.effect(`started again, it goes on with what another has left since, and may commit (${by} messages before)`, () =>
          Effect.gen(function*() {
            const { a, other, pool, top } = yield* succeeded(by)
            yield* other.Add({ by: 40 })
            for (let i = 0; i < 5; i++) yield* Process.kill(other)
            const before = yield* Process.incarnation(other)
            yield* pool.terminateChild(other)
            yield* top.restartChild("test/Counter/a")
            assert.strictEqual(yield* a.Add({ by: 1 }), 41 + by)
            assert.isAbove(yield* Process.incarnation(a), before, "the number only grows")
          }).pipe(Effect.provide(app(kind))))
      }
    })
  })
}

for (const kind of ["memory", "table"] as const) {
  describe(`companions in ${kind} alone`, () => {
    it.effect("count commits over all incarnations, and say which made the last one", () =>
      Effect.gen(function*() {
        const a = yield* start("a")
        const companion = (yield* Counter.StateContainer).for("a")
        for (let i = 0; i < 3; i++) {
          yield* a.Add({ by: 1 })
          yield* Process.kill(a)
        }
        yield* a.Add({ by: 1 })
        const [newest] = yield* companion.snapshots
        assert.deepInclude(newest, { state: 4, seq: 4, incarnation: 4 })
      }).pipe(Effect.provide(app(kind))))

    it.effect("a snapshot that was set aside is there as long as the companion is, also when nothing else is left", () =>
      Effect.gen(function*() {
        const pool = yield* Pool
        const companion = (yield* Counter.StateContainer).for("a")
        const a = yield* start("a")
        yield* a.Add({ by: unlucky })
        yield* Process.kill(a)
        const states = Effect.map(companion.aside, (aside) => aside.map(({ state }) => state))
        assert.deepStrictEqual(yield* states, [unlucky])
        yield* pool.terminateChild(a)
        assert.deepStrictEqual([yield* companion.get, yield* states], [Option.none(), [unlucky]])
      }).pipe(Effect.provide(app(kind))))

    it.effect("before the first message, and between crashes, the next incarnation starts from a state that was set from outside", () =>
      Effect.gen(function*() {
        const container = yield* Counter.StateContainer
        const companion = container.for("a")
        const a = yield* start("a")
        yield* companion.set(41)
        assert.strictEqual(yield* a.Add({ by: 0 }), 0)
        yield* companion.set(41)
        yield* Process.kill(a)
        assert.strictEqual(yield* a.Add({ by: 1 }), 42)
        const b = yield* start("b")
        yield* Process.kill(b)
        yield* container.for("b").set(7)
        yield* Process.kill(b)
        assert.strictEqual(yield* b.Add({ by: 1 }), 8)
        assert.deepStrictEqual((yield* container.for("b").snapshots).map(({ incarnation }) => incarnation), [3])
        assert.deepStrictEqual(yield* container.keys, ["a", "b"])
        yield* (yield* Pool).terminateChild(b)
        yield* container.for("b").clear
        assert.deepStrictEqual(yield* container.keys, ["a"])
      }).pipe(Effect.provide(app(kind))))

    it.effect("clear forgets also what was set aside", () =>
      Effect.gen(function*() {
        const container = yield* Counter.StateContainer
        const companion = container.for("a")
        const a = yield* start("a")
        yield* a.Add({ by: unlucky })
        yield* Process.kill(a)
        assert.lengthOf(yield* companion.aside, 1)
        yield* Effect.flatMap(Pool, (pool) => pool.terminateChild(a))
        assert.deepStrictEqual(yield* container.keys, ["a"])
        yield* companion.clear
        assert.deepStrictEqual(yield* companion.aside, [])
        assert.deepStrictEqual(yield* container.keys, [])
      }).pipe(Effect.provide(app(kind))))

    describe("conserved late, { every }", () => {
      const every = { when: { every: "1 second" } } as const

      it.effect("the state is written at the interval; a crash of the server loses nothing by it", () =>
        Effect.gen(function*() {
          const a = yield* start("a")
          yield* a.Add({ by: 1 })
          assert.deepStrictEqual(yield* conserved("a"), Option.none())
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(yield* conserved("a"), Option.some(1))
          yield* a.Add({ by: 1 })
          yield* Process.kill(a)
          assert.strictEqual(yield* a.Add({ by: 1 }), 3)
          yield* Effect.exit(a.Crash())
          assert.strictEqual(yield* a.Add({ by: 1 }), 4)
        }).pipe(Effect.provide(app(kind, every))))

      it.effect("a state that was set from outside is not overwritten by one that was pending before", () =>
        Effect.gen(function*() {
          const a = yield* start("a")
          const companion = (yield* Counter.StateContainer).for("a")
          yield* a.Add({ by: 1 })
          yield* companion.set(41)
          yield* TestClock.adjust("1 second")
          yield* Process.kill(a)
          assert.strictEqual(yield* a.Add({ by: 1 }), 42)
        }).pipe(Effect.provide(app(kind, every))))

      it.effect("a state made by a message and then a callback is written as a message's: the state before it was good", () =>
        Effect.gen(function*() {
          const container = yield* Counter.StateContainer
          const keeper = tableOf(container).claim("a", container[Process.processOf])
          keeper.takeOver(1)
          keeper.commit(1, 1, "call")
          yield* TestClock.adjust("1 second")
          keeper.commit(1, 2, "call")
          keeper.commit(1, unlucky, "callback")
          yield* TestClock.adjust("1 second")
          const activity = { _tag: "InCallback", callback: "restore", why: "bad luck" } as const
          keeper.takeOver(2)
          keeper.observe(crashed(Cause.die("bad luck")), { restored: 2, handled: false, activity })
          keeper.takeOver(3)
          assert.deepStrictEqual(yield* conserved("a"), Option.some(1))
        }).pipe(Effect.provide(app(kind, every))))

      it.effect("a state that was cleared from outside is not written again", () =>
        Effect.gen(function*() {
          const a = yield* start("a")
          yield* a.Add({ by: 5 })
          yield* (yield* Counter.StateContainer).for("a").clear
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(yield* conserved("a"), Option.none())
          yield* Process.kill(a)
          assert.strictEqual(yield* a.Add({ by: 1 }), 1)
        }).pipe(Effect.provide(app(kind, every))))

      it.effect("a server that was killed and not started again loses nothing by it either", () =>
        Effect.gen(function*() {
          const pool = yield* Pool
          const a = yield* start("a", { shutdown: "brutal_kill" })
          yield* a.Add({ by: 1 })
          yield* pool.terminateChild(a)
          const again = yield* start("a")
          assert.strictEqual(yield* again.Add({ by: 1 }), 2)
        }).pipe(Effect.provide(app(kind, every))))

      it.effect("a crash of the container's fiber changes nothing", () =>
        Effect.gen(function*() {
          const a = yield* start("a")
          yield* a.Add({ by: 1 })
          yield* Process.kill(yield* Counter.StateContainer)
          yield* a.Add({ by: 1 })
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(yield* conserved("a"), Option.some(2))
        }).pipe(Effect.provide(app(kind, every))))
    })
  })
}

it.effect("companions that forget leave nothing behind: not the key, nor anything for the next server that has it", () =>
  Effect.gen(function*() {
    const pool = yield* Pool
    const container = yield* Counter.StateContainer
    for (let i = 0; i < 10; i++) {
      const a = yield* start("a", { restart: i % 2 === 0 ? "transient" : "permanent" })
      assert.strictEqual(yield* a.Add({ by: 1 }), 1)
      yield* Effect.exit(a.Crash())
      assert.strictEqual(yield* a.Add({ by: 2 }), 2)
      assert.deepStrictEqual(yield* container.keys, ["a"])
      if (i % 2 === 0) yield* a.Finish()
      else yield* pool.terminateChild(a)
      assert.deepStrictEqual(yield* container.keys, [])
    }
  }).pipe(Effect.provide(Layer.provideMerge(
    Top.layer({ id: "root", strategy: "one_for_one", restart: often }, [
      StateContainer.layerForget(Counter),
      Pool.layer({ restart: often })
    ]),
    Harness.Harness.layer
  ))))

it.effect("a table's companions outlive the supervisor, as an ETS table with an heir does", () =>
  Effect.gen(function*() {
    const tree = Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerTable(Counter),
      Counter.layer(behavior)
    ])
    const add = (by: number) =>
      Effect.provide(Effect.flatMap(Counter, (counter) => counter.Add({ by })), Layer.fresh(tree))
    assert.deepStrictEqual([yield* add(41), yield* add(1)], [41, 42])
    const table = yield* StateTable.StateTable
    assert.deepStrictEqual(yield* table.rows, ["test/Counter"])
    assert.isTrue(Exit.isSuccess(yield* Effect.exit(add(1))))
  }).pipe(Effect.provide(StateTable.StateTable.layer)))

it.effect("row names the rows of a table", () =>
  Effect.gen(function*() {
    const table = yield* StateTable.StateTable
    const counter = yield* Counter
    yield* counter.Add({ by: 1 })
    assert.deepStrictEqual(yield* table.rows, ["nums:"])
    assert.deepStrictEqual(yield* table.get("nums:"), Option.some(1))
  }).pipe(
    Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerTable(Counter, { row: (key) => `nums:${key}` }),
      Counter.layer(behavior)
    ])),
    Effect.provide(StateTable.StateTable.layer)
  ))
