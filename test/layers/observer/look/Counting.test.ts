/** Messages are counted by type where a page looks, and nothing is counted where none does. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { DynamicSupervisor, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { Counting } from "../../../../src/layers/observer/look/Counting.ts"
import { serverOf } from "../../../../src/layers/server/class/ServerRef.ts"
import { behavior, Counter } from "../../../kit/Counter.ts"
import { quiet } from "../../../kit/Log.ts"

const App = Supervisor.layer({ strategy: "one_for_one" }, [
  StateContainer.layerMemory(Counter),
  Counter.layer(behavior)
])

class Crowd extends DynamicSupervisor.Service<Crowd>()("test/Crowd") {}

const counts = (counting: Counting, counter: Counter["Service"]) =>
  Object.fromEntries(counting.of(serverOf(counter)!)?.byTag ?? [])

describe("messages by type", () => {
  it.effect("are counted from the moment on that a server is inspected, crashes and casts among them", () =>
    Effect.gen(function*() {
      const counter = yield* Counter
      const [server, counting] = [serverOf(counter)!, new Counting()]
      yield* counter.Add({ by: 1 })
      counting.only([server], 1000)
      yield* counter.Add({ by: 1 })
      yield* counter.Add({ by: 1 })
      yield* counter.Put({ to: 7 })
      yield* Effect.exit(counter.Crash())
      assert.strictEqual(yield* counter.Get(), 7)
      assert.deepStrictEqual(counts(counting, counter), { Add: 2, Put: 1, Crash: 1, Get: 1 })
      assert.strictEqual(counting.of(server)?.since, 1000)
    }).pipe(Effect.provide(App), quiet))

  it.effect("cost a server nothing before, and nothing when it is not inspected any more", () =>
    Effect.gen(function*() {
      const counter = yield* Counter
      const [server, counting] = [serverOf(counter)!, new Counting()]
      const isFree = Effect.sync(() => server.debug === undefined && server.phase === 0)
      assert.isTrue(yield* isFree)
      counting.only([server], 0)
      yield* counter.Add({ by: 1 })
      assert.isFalse(yield* isFree)
      counting.only([], 1)
      yield* counter.Add({ by: 1 })
      assert.isTrue(yield* isFree)
      assert.isUndefined(counting.of(server))
    }).pipe(Effect.provide(App)))

  it.effect("are counted of a server that gives way when it is left alone all the same", () =>
    Effect.gen(function*() {
      const crowd = yield* Crowd
      const counter = yield* crowd.startChild(
        Counter.recipe(Counter.behavior(behavior), {
          key: "a",
          restart: "transient",
          passivate: { after: "1 second", by: "stop" }
        })
      )
      const [server, counting] = [serverOf(counter)!, new Counting()]
      counting.only([server], 0)
      yield* counter.Get()
      assert.deepStrictEqual(counts(counting, counter), { Get: 1 })
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(server.status, "stopped")
    }).pipe(Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerMemory(Counter),
      Crowd.layer()
    ]))))

  it.effect("are counted for each observer by itself, beside what Sys has switched on or off", () =>
    Effect.gen(function*() {
      const counter = yield* Counter
      const server = serverOf(counter)!
      const [one, other] = [new Counting(), new Counting()]
      yield* Sys.statistics(counter, true)
      one.only([server], 0)
      yield* counter.Get()
      other.only([server], 0)
      one.only([], 0)
      yield* counter.Get()
      assert.deepStrictEqual([counts(one, counter), counts(other, counter)], [{}, { Get: 1 }])
      yield* Sys.noDebug(counter)
      other.only([server], 0)
      yield* counter.Get()
      assert.deepStrictEqual(counts(other, counter), { Get: 2 })
    }).pipe(Effect.provide(App)))
})
