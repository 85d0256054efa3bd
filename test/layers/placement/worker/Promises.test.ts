/** What every placement promises, of servers whose handlers run in threads. */
import { Effect, Layer } from "effect"
import { pathToFileURL } from "node:url"
import { StateContainer, Supervisor } from "../../../../src/index.ts"
import { WorkerServer } from "../../../../src/worker.ts"
import { bundle } from "../../../kit/Bundle.ts"
import { behavior, Ledger } from "../../../kit/placement/Ledger.ts"
import { placementSuite } from "../../../kit/placement/PlacementSuite.ts"
import { often } from "../../../kit/Restarts.ts"

class Threads extends WorkerServer.Pool<Threads>()("test/LedgerThreads") {}

const open = Effect.gen(function*() {
  const entry = WorkerServer.entry(Ledger, behavior, pathToFileURL(bundle("test/kit/worker/LedgerEntry.ts")).href)
  const app = Supervisor.layer({ strategy: "one_for_one", restart: often }, [
    StateContainer.layerMemory(Ledger),
    WorkerServer.layerKeyed(Ledger, entry, { pool: Threads })
  ]).pipe(Layer.provide(WorkerServer.layerPool(Threads, { size: 2, spare: false })))
  const context = yield* Layer.build(app)
  return (key: string) => Effect.runSync(Effect.provideContext(Ledger.via(key), context))
})

placementSuite({ name: "thread", open })
