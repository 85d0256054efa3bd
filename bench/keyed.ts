/** Heirloom's own figures with servers by key, in memory and over one SQLite database, where they are passivated. */
import { NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Layer } from "effect"
import { join } from "node:path"
import { DynamicSupervisor, type GenServer, StateContainer, StateStore, Supervisor, Sys } from "../src/index.ts"
import * as StateStoreSqlite from "../src/layers/state/StateStoreSqlite.ts"
import { Counter, memory, options, plain, quiet, restart } from "./counter.ts"
import { cost, heap, main, report, scaled, show, timed, times } from "./measure.ts"

class Store extends StateStore.Service<Store>()("bench/Store", "process") {}
class Pool extends DynamicSupervisor.Service<Pool>()("bench/Pool") {}

const keyed = (given?: GenServer.Options) => Layer.provide(Counter.layerKeyed(plain, given), Pool.asSupervisor)

const InMemory = Supervisor.layer(options, [memory, Pool.layer({ restart }), keyed()])

const inStore = (after: number) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped()
    return Supervisor.layer(options, [
      StateContainer.layerStore(Counter, { store: Store }),
      Pool.layer({ restart }),
      keyed({ passivate: { after } })
    ]).pipe(Layer.provide(StateStoreSqlite.layer(Store, { filename: join(folder, "states.db") })))
  })

const keyOf = (i: number): string => `counter-${i}`

/** Each key is asked for and called once, by a thousand callers at a time, so that their commits share transactions. */
const touchAll = (n: number) =>
  Effect.forEach(
    Array.from({ length: 1000 }, (_, i) => i),
    (caller) =>
      Effect.gen(function*() {
        for (let i = caller; i < n; i += 1000) yield* (yield* Counter.at(keyOf(i))).Increment()
      }),
    { concurrency: "unbounded", discard: true }
  )

/** Waits until all of them have given up their states. */
const allPassivated = (n: number) =>
  Effect.gen(function*() {
    for (let i = n - 1; i >= 0; i -= Math.ceil(n / 1000)) {
      const counter = yield* Counter.at(keyOf(i))
      // Status is asked of the process alone: a request to the server would wake it.
      while ((yield* Sys.getStatus(counter)).status !== "hibernating") yield* Effect.sleep(2000)
    }
  })

const overStore = <E, R>(after: number, body: Effect.Effect<unknown, E, R>) =>
  Effect.flatMap(inStore(after), (layer) => Effect.provide(body, layer)).pipe(
    Effect.scoped,
    Effect.provide(quiet),
    Effect.provide(NodeServices.layer)
  )

main({
  "keyed": Effect.gen(function*() {
    const n = 10_000
    yield* touchAll(n)
    let next = 0
    const key = () => keyOf(next = (next + 1) % n)
    yield* timed("keyed.at", 1_000_000, (n) => times(n, () => Counter.at(key())))
    yield* timed("keyed.call", 1_000_000, (n) =>
      Effect.gen(function*() {
        for (let i = 0; i < n; i++) yield* (yield* Counter.at(key())).Increment()
      }))
  }).pipe(Effect.provide(InMemory), Effect.provide(quiet)),
  "keyed-first": overStore(
    1000,
    Effect.gen(function*() {
      const n = scaled(10_000)
      yield* touchAll(n)
      // The first two times for the compiler.
      for (const isCounted of [false, false, true]) {
        yield* Effect.sleep(1500)
        yield* allPassivated(n)
        let next = 0
        const one = yield* cost(
          n,
          times(n, () => Effect.flatMap(Counter.at(keyOf(next++)), (counter) => counter.Increment()))
        )
        if (isCounted) show("keyed.first", one)
      }
    })
  ),
  "keyed-million": overStore(
    5000,
    Effect.gen(function*() {
      const n = scaled(1_000_000)
      const before = yield* heap
      yield* touchAll(n)
      yield* Effect.sleep(6000)
      yield* allPassivated(n)
      report("keyed.memory", ((yield* heap) - before) / n)
    })
  )
})
