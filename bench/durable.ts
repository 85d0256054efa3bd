/** Heirloom's own figures with durable companions: a hundred servers whose states go to one SQLite database. */
import { NodeServices } from "@effect/platform-node"
import { Effect, Exit, FileSystem, Layer, Scope } from "effect"
import { join } from "node:path"
import { DynamicSupervisor, StateContainer, StateStore, Supervisor } from "../src/index.ts"
import * as StateStoreSqlite from "../src/layers/state/StateStoreSqlite.ts"
import { Counter, memory, options, plain, quiet, restart, type Server } from "./counter.ts"
import { clients, type Cost, cost, extra, main, scaled, show, summary } from "./measure.ts"

class Store extends StateStore.Service<Store>()("bench/Store", "process") {}
class Pool extends DynamicSupervisor.Service<Pool>()("bench/Pool") {}

const pool = Pool.layer({ restart })

const durable = (when: StateContainer.When) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped()
    return Supervisor.layer(options, [StateContainer.layerStore(Counter, { store: Store, when }), pool]).pipe(
      Layer.provide(StateStoreSqlite.layer(Store, { filename: join(folder, "states.db"), synchronous: "FULL" }))
    )
  })

/** The cost of `n` calls by a hundred clients to a hundred servers; with the last write, where there is one. */
const updates = <E, R>(tree: Layer.Layer<Pool | Layer.Success<typeof memory>, E, R>, n: number) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const services = yield* Layer.buildWithScope(tree, scope)
    const dynamic = yield* Effect.provide(Pool, services)
    const servers: Array<Server> = []
    for (let i = 0; i < 100; i++) {
      servers.push(yield* Effect.provide(dynamic.startChild(Counter.recipe(plain, { key: `counter-${i}` })), services))
    }
    const work = clients(n, (client) => servers[client]!.Increment())
    yield* work
    return {
      accepted: yield* cost(n, work),
      stored: yield* cost(n, Effect.andThen(work, Scope.close(scope, Exit.void)))
    }
  })

main({
  "durable": Effect.gen(function*() {
    const n = scaled(500_000)
    const every = { every: "100 millis" } as const
    const accepted: Array<Cost> = []
    const stored: Array<Cost> = []
    const extras: Array<Cost> = []
    // In turns, so that what slows one slows the other.
    for (let i = 0; i < 7; i++) {
      const inMemory = yield* updates(Supervisor.layer(options, [memory, pool]), n)
      const inStore = yield* updates(yield* durable(every), n)
      if (i === 0) continue
      accepted.push(inStore.accepted)
      stored.push(inStore.stored)
      extras.push(extra(inStore.accepted, inMemory.accepted))
    }
    show("durable.every", summary(accepted))
    show("durable.stored", summary(stored))
    show("durable.extra", summary(extras))
    const commits: Array<Cost> = []
    for (let i = 0; i < 3; i++) commits.push((yield* updates(yield* durable("commit"), Math.ceil(n / 5))).accepted)
    show("durable.commit", summary(commits))
  }).pipe(Effect.scoped, Effect.provide(quiet), Effect.provide(NodeServices.layer))
})
