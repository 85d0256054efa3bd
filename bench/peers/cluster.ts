/**
 * effect/cluster: an Entity in one process, mailbox store in memory, serialization and tracing off. It does more than a
 * local server does: sharding, delivery at least once.
 */
import { Effect, Layer, Logger, Schema } from "effect"
import { Entity, MessageStorage, RunnerHealth, Runners, RunnerStorage, Sharding, ShardingConfig } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { clients, main, timed, times } from "../measure.ts"

const Counter = Entity.make("Counter", [Rpc.make("Increment", { success: Schema.Int })])

const CounterLive = Counter.toLayer(Effect.sync(() => {
  let n = 0
  return Counter.of({ Increment: () => Effect.sync(() => ++n) })
}))

const OneProcess = Sharding.layer.pipe(
  Layer.provideMerge(Runners.layerNoop),
  Layer.provideMerge(MessageStorage.layerMemory),
  Layer.provide([RunnerStorage.layerMemory, RunnerHealth.layerNoop]),
  Layer.provide(ShardingConfig.layer({ simulateRemoteSerialization: false }))
)

const section = <A, E>(body: Effect.Effect<A, E, Sharding.Sharding>) =>
  body.pipe(
    Effect.provide(CounterLive.pipe(Layer.provideMerge(OneProcess))),
    Effect.provide(Logger.layer([])),
    Effect.withTracerEnabled(false)
  )

const entities = Effect.map(Counter.client, (client) => Array.from({ length: 100 }, (_, i) => client(`counter-${i}`)))

main({
  "call-plain": section(Effect.gen(function*() {
    const [server] = yield* entities
    yield* timed("call.plain", 10_000, (n) => times(n, () => server!.Increment()))
  })),
  "fan-one": section(Effect.gen(function*() {
    const [server] = yield* entities
    yield* timed("fan.one", 10_000, (n) => clients(n, () => server!.Increment()))
  })),
  "fan-many": section(Effect.gen(function*() {
    const servers = yield* entities
    yield* timed("fan.many", 10_000, (n) => clients(n, (client) => servers[client]!.Increment()))
  })),
  "keyed": section(Effect.gen(function*() {
    const client = yield* Counter.client
    let next = 0
    yield* timed("keyed.call", 10_000, (n) => times(n, () => client(`counter-${next++ % 1000}`).Increment()))
  })),
  "start": section(Effect.gen(function*() {
    const client = yield* Counter.client
    let next = 0
    yield* timed("start", 5_000, (n) => times(n, () => client(`fresh-${next++}`).Increment()))
  }))
})
