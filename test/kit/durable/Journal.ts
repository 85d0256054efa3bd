/**
 * A process that keeps journals in a store: what the tests of this folder kill.
 *
 *   node journal.ts PLACE WHEN CLIENTS KEY...
 *
 * WHEN is `commit`, or `late` for a process that does not keep its promise: to show that it is found out.
 *
 * It tells `at KEY LAST DIGEST` for every journal as it finds it, then `ready`. So many clients a journal append to it,
 * one entry after the other, and each acknowledgement is printed: `ack KEY N`.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, References, Schema } from "effect"
import { DynamicSupervisor, GenServer, StateContainer, StateStore, Supervisor } from "../../../src/index.ts"
import { layer as storeLayer, Place } from "../../../src/programs/stores/Place.ts"

class Store extends StateStore.Service<Store>()("durable/Store", "process") {}

/** Numbered entries; the digest is made of all of them, so that none can be missing. */
class Journal extends GenServer.Service<Journal>()("durable/Journal", {
  state: Schema.Struct({ last: Schema.Int, digest: Schema.Int }),
  messages: {
    Append: GenServer.call({ reply: Schema.Int, timeout: "infinity" }),
    Where: GenServer.call({ reply: Schema.Struct({ last: Schema.Int, digest: Schema.Int }) })
  }
}) {}

/** The digest after one more entry. */
export const digestOf = (digest: number, entry: number): number => (Math.imul(digest, 31) + entry) | 0

const JournalsLive = Journal.layerKeyed({
  init: { digest: 0, last: 0 },
  handlers: {
    Append: (state) => {
      const last = state.last + 1
      return [last, { last, digest: digestOf(state.digest, last) }]
    },
    Where: (state) => [state, state]
  }
}, { survives: "process" })

class Pool extends DynamicSupervisor.Service<Pool>()("durable/Pool") {}

const tell = (line: string) => Effect.sync(() => void process.stdout.write(`${line}\n`))

const program = Effect.fnUntraced(function*(keys: ReadonlyArray<string>, clients: number) {
  const journals = yield* Effect.forEach(keys, (key) =>
    Effect.gen(function*() {
      const journal = yield* Journal.at(key)
      const { digest, last } = yield* journal.Where()
      yield* tell(`at ${key} ${last} ${digest}`)
      return [key, journal] as const
    }))
  yield* tell("ready")
  yield* Effect.forEach(
    journals.flatMap((one) => Array.from({ length: clients }, () => one)),
    ([key, journal]) =>
      Effect.forever(Effect.flatMap(journal.Append(), (entry) => tell(`ack ${key} ${entry}`)), { disableYield: true }),
    { concurrency: "unbounded", discard: true }
  )
})

if (import.meta.main) {
  const [place, when, clients, ...keys] = process.argv.slice(2)
  const App = Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerStore(Journal, { store: Store, when: when === "late" ? { every: "50 millis" } : "commit" }),
    Pool.layer(),
    JournalsLive
  ]).pipe(Layer.provide(storeLayer(Store, Schema.decodeUnknownSync(Place)(place), { ownership: "youngest" })))
  program(keys, Number(clients)).pipe(
    Effect.provide(App),
    Effect.provideService(References.LogToStderr, true),
    NodeRuntime.runMain
  )
}
