/** The placements that need no other thread and no other process. */
import { Effect, Layer } from "effect"
import { TestRunner } from "effect/cluster"
import { ClusterServer } from "../../../src/cluster.ts"
import { DynamicSupervisor, StateContainer, StateStore, Supervisor } from "../../../src/index.ts"
import { often } from "../Restarts.ts"
import { behavior, Ledger } from "./Ledger.ts"
import type { Placement } from "./PlacementSuite.ts"

class Store extends StateStore.Service<Store>()("test/Ledgers/Store", "crash") {}
class Servers extends DynamicSupervisor.Service<Servers>()("test/Ledgers") {}

const tree = Supervisor.layer({ strategy: "one_for_one" }, [
  StateContainer.layerStore(Ledger, { store: Store, fence: "key" }),
  Servers.layer({ restart: often })
]).pipe(Layer.provide(StateStore.layerMemory(Store)))

export const fiber: Placement = {
  name: "fiber",
  open: Effect.gen(function*() {
    const keyed = Ledger.layerKeyed(behavior).pipe(Layer.provide(Servers.asSupervisor), Layer.provide(tree))
    const context = yield* Layer.build(keyed)
    return (key) => Effect.runSync(Effect.provideContext(Ledger.via(key), context))
  })
}

export const cluster: Placement = {
  name: "cluster",
  open: Effect.gen(function*() {
    const entities = ClusterServer.layer(Ledger, behavior, { restart: often }).pipe(
      Layer.provide(Servers.asSupervisor),
      Layer.provide(tree),
      Layer.provideMerge(TestRunner.layer)
    )
    return yield* Effect.provideContext(ClusterServer.client(Ledger), yield* Layer.build(entities))
  })
}
