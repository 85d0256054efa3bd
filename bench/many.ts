/** Heirloom's own figures with many servers, each a child of one `DynamicSupervisor`. */
import { Effect, Exit, Layer, Scope } from "effect"
import { DynamicSupervisor, Supervisor } from "../src/index.ts"
import { Counter, memory, options, plain, quiet, restart, type Server } from "./counter.ts"
import { clients, type Cost, cost, heap, main, report, scaled, timed } from "./measure.ts"
import { curve } from "./metrics.ts"

class Pool extends DynamicSupervisor.Service<Pool>()("bench/Pool") {}

const Tree = Supervisor.layer(options, [memory, Pool.layer({ restart })])

/** A tree of its own for `body`, and what stops it. */
const planted = <A, E>(body: Effect.Effect<A, E, Layer.Success<typeof Tree>>) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const services = yield* Layer.buildWithScope(Tree, scope)
    return { value: yield* Effect.provide(body, services), services, stop: Scope.close(scope, Exit.void) }
  })

const start = Effect.fnUntraced(function*(servers: Array<Server>) {
  const pool = yield* Pool
  for (let i = 0; i < servers.length; i++) {
    servers[i] = yield* pool.startChild(Counter.recipe(plain, { key: `counter-${i}` }))
  }
})

const room = (n: number): Array<Server> => Array.from({ length: n })

const callAll = (servers: ReadonlyArray<Server>) =>
  Effect.gen(function*() {
    let sum = 0
    for (const server of servers) sum += yield* server.Increment()
    if (sum < servers.length) return yield* Effect.die(`${servers.length - sum} servers did not answer`)
  })

const crashAll = (servers: ReadonlyArray<Server>) =>
  Effect.gen(function*() {
    for (const server of servers) {
      yield* Effect.exit(server.Crash())
      yield* server.Increment()
    }
  })

const show = (metric: string, { cpu, wall }: Cost) => report(metric, wall, cpu)

main({
  "fan-many": Effect.gen(function*() {
    const servers = room(100)
    yield* start(servers)
    yield* timed("fan.many", 1_000_000, (n) => clients(n, (client) => servers[client]!.Increment()))
  }).pipe(Effect.provide(Tree), Effect.provide(quiet)),
  "start": Effect.gen(function*() {
    yield* Effect.flatMap(planted(start(room(2_000))), ({ stop }) => stop)
    const servers = room(scaled(100_000))
    const before = yield* heap
    const { stop, value } = yield* planted(cost(servers.length, start(servers)))
    show("start", value)
    report("memory", ((yield* heap) - before) / servers.length)
    show("stop", yield* cost(servers.length, stop))
  }).pipe(Effect.provide(quiet)),
  "million": Effect.gen(function*() {
    const servers = room(scaled(1_000_000))
    const before = yield* heap
    show("million.start", yield* cost(servers.length, start(servers)))
    report("million.memory", ((yield* heap) - before) / servers.length)
    show("million.call", yield* cost(servers.length, callAll(servers)))
  }).pipe(Effect.provide(Tree), Effect.provide(quiet)),
  [curve.section]: Effect.gen(function*() {
    yield* Effect.flatMap(planted(start(room(2_000))), ({ stop }) => stop)
    for (const size of curve.sizes) {
      const servers = room(scaled(size))
      const { services, stop, value } = yield* planted(cost(servers.length, start(servers)))
      show(`curve.start.${size}`, value)
      show(`curve.call.${size}`, yield* cost(servers.length, callAll(servers)))
      const some = servers.filter((_, i) => i % Math.ceil(servers.length / 1_000) === 0)
      show(`curve.crash.${size}`, yield* cost(some.length, crashAll(some)))
      const listing = Effect.flatMap(Pool, (pool) => pool.whichChildren).pipe(Effect.provide(services))
      show(`curve.which.${size}`, yield* cost(servers.length, listing))
      show(`curve.stop.${size}`, yield* cost(servers.length, stop))
    }
  }).pipe(Effect.provide(quiet))
})
