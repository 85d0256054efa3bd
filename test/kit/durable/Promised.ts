/**
 * A process whose server takes an order, and answers later: what a test kills in between.
 *
 *   node promised.ts PLACE
 *
 * It makes one call under one key, for ever the same. It tells `asked COUNT` when the store has what the server knows
 * of it, and `answered REASON` when the call has its answer; the server itself never gives one.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Fiber, Layer, References, Schema } from "effect"
import { GenServer, Next, StateContainer, StateStore, Supervisor } from "../../../src/index.ts"
import { layer as storeLayer, Place } from "../../../src/programs/stores/Place.ts"

class Store extends StateStore.Service<Store>()("promised/Store", "process") {}

class Desk extends GenServer.Service<Desk>()("promised/Desk", {
  state: Schema.Int,
  messages: {
    Order: GenServer.call({ payload: { what: Schema.String }, reply: Schema.Int, timeout: "infinity" }),
    Count: GenServer.call({ reply: Schema.Int })
  }
}) {}

const App = Supervisor.layer({ strategy: "one_for_one" }, [
  StateContainer.layerStore(Desk, { store: Store }),
  Desk.layer({
    init: 0,
    handlers: { Order: (orders) => Next.noReply(orders + 1), Count: (orders) => [orders, orders] }
  })
])

const tell = (line: string) => Effect.sync(() => void process.stdout.write(`${line}\n`))

const program = Effect.gen(function*() {
  const desk = yield* Desk
  const asked = yield* Effect.forkChild(
    Effect.flatMap(
      Effect.flip(desk.Order({ what: "tea" }, { idempotencyKey: "order-7" })),
      ({ reason }) => tell(`answered ${JSON.stringify(reason)}`)
    ),
    { startImmediately: true }
  )
  // Its answer waits until what it has read is stored.
  yield* tell(`asked ${yield* desk.Count()}`)
  yield* Fiber.join(asked)
})

if (import.meta.main) {
  const store = storeLayer(Store, Schema.decodeUnknownSync(Place)(process.argv[2]))
  program.pipe(
    Effect.provide(Layer.provide(App, store)),
    Effect.provideService(References.LogToStderr, true),
    NodeRuntime.runMain
  )
}
