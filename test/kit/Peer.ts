/**
 * The processes of the naming cases: servers that keep what is delivered to them, and workers, all of them temporary,
 * so that their end is the end.
 */
import { Effect, Layer, Schema } from "effect"
import { GenServer, StateContainer, Supervisor } from "../../src/index.ts"
import { Harness } from "../../src/testing.ts"

export class Peer extends GenServer.Service<Peer>()("test/Peer", {
  state: Schema.Array(Schema.String),
  messages: {
    Deliver: GenServer.cast({ payload: { text: Schema.String } }),
    Heard: GenServer.call({ reply: Schema.Array(Schema.String) }),
    Fail: GenServer.call({ payload: { with: Schema.Unknown } })
  }
}) {}

export const behavior = Peer.behavior({
  init: [],
  handlers: {
    Deliver: (heard, { text }) => [...heard, text],
    Heard: (heard) => [heard, heard],
    Fail: (_, { with: defect }) => Effect.die(defect)
  }
})

export class Peers extends Supervisor.Service<Peers>()("test/Peers") {}

/** A supervisor to start peers and workers under, and the record of what happens to them. */
export const PeersLive = Layer.provideMerge(
  Peers.layer({ strategy: "one_for_one" }, [StateContainer.layerForget(Peer)]),
  Harness.Harness.layer
)

/** Starts a peer; temporary by default. */
export const peer = Effect.fnUntraced(function*(key: string, options?: { readonly restart?: "permanent" }) {
  const peers = yield* Peers
  return yield* peers.startChild(Peer.recipe(behavior, { key, restart: options?.restart ?? "temporary" }))
})

/** Starts a temporary worker. */
export const worker = Effect.fnUntraced(function*<A, E, R>(id: string, effect: Effect.Effect<A, E, R>) {
  const peers = yield* Peers
  return yield* peers.startChild(Supervisor.workerRecipe(id, effect, { restart: "temporary" }))
})
