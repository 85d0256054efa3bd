/** Heirloom's own figures with durable timers: a million that wait in one SQLite database, and some that are due. */
import { NodeServices } from "@effect/platform-node"
import { Deferred, Effect, FileSystem, Layer, Schema } from "effect"
import { statSync } from "node:fs"
import { join } from "node:path"
import { DynamicSupervisor, GenServer, Next, StateContainer, StateStore, Supervisor } from "../src/index.ts"
import * as StateStoreSqlite from "../src/layers/state/StateStoreSqlite.ts"
import { options, quiet, restart } from "./counter.ts"
import { cost, heap, main, quick, report, scaled, show, times } from "./measure.ts"

class Store extends StateStore.Service<Store>()("bench/TimerStore", "process") {}
class Pool extends DynamicSupervisor.Service<Pool>()("bench/Alarms") {}

class Alarm extends GenServer.Service<Alarm>()("bench/Alarm", {
  state: Schema.Int,
  messages: { Ring: GenServer.cast({ internal: true }) }
}) {}

const rung = { left: 0, done: Deferred.makeUnsafe<void>() }

const app = (filename: string) =>
  Supervisor.layer(options, [
    StateContainer.layerStore(Alarm, { store: Store }),
    Pool.layer({ restart }),
    Layer.provide(
      Alarm.layerKeyed({
        init: 0,
        handlers: {
          Ring: (n) => {
            if (--rung.left === 0) Deferred.doneUnsafe(rung.done, Effect.void)
            return Next.noReply(n + 1, { hibernate: true })
          }
        }
      }),
      Pool.asSupervisor
    )
  ]).pipe(Layer.provideMerge(StateStoreSqlite.layer(Store, { filename })))

/** Saves `n` snapshots, each with a timer that is due at `due`. */
const fill = Effect.fnUntraced(function*(
  store: StateStore.StateStore<"process">,
  epoch: number,
  name: string,
  n: number,
  due: (i: number) => number
) {
  for (let from = 0; from < n; from += 1000) {
    yield* store.save(Array.from({ length: Math.min(1000, n - from) }, (_, i) => ({
      key: `${Alarm.key}/${name}-${from + i}`,
      epoch,
      seq: 1,
      version: 1,
      state: "0",
      trusted: 0,
      at: 0,
      timers: [{ name: "ring", due: due(from + i), message: "Ring", payload: {} }]
    })))
  }
})

main({
  "timers": Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const filename = join(yield* files.makeTempDirectoryScoped(), "timers.db")
    const n = scaled(1_000_000)
    const soon = quick ? 500 : 10_000
    const far = 4e12
    yield* Effect.scoped(Effect.gen(function*() {
      const store = yield* StateStoreSqlite.make({ filename })
      const epoch = yield* store.acquireEpoch(Alarm.key)
      yield* fill(store, epoch, "far", n, (i) => far + ((i * 7919) % n))
    }))
    report("timers.disk", statSync(filename).size / n)
    const before = yield* heap
    yield* Effect.scoped(Effect.gen(function*() {
      const services = yield* Layer.build(app(filename))
      yield* Effect.sleep("1 second")
      report("timers.memory", ((yield* heap) - before) / n)
      const store = yield* Effect.provide(Store, services)
      yield* times(50, () => store.timers!(1000, undefined, 0))
      show("timers.tick", yield* cost(200, times(200, () => store.timers!(1000, undefined, 0))))
    }))
    // Due before the process is there: each server is started, has its message, and lets go of its state.
    yield* Effect.scoped(Effect.gen(function*() {
      const store = yield* StateStoreSqlite.make({ filename })
      const epoch = yield* store.acquireEpoch(Alarm.key)
      yield* fill(store, epoch, "soon", soon, () => 1)
    }))
    rung.left = soon
    show(
      "timers.fire",
      yield* cost(soon, Effect.scoped(Effect.andThen(Layer.build(app(filename)), Deferred.await(rung.done))))
    )
  }).pipe(Effect.scoped, Effect.provide(quiet), Effect.provide(NodeServices.layer))
})
