/** Heirloom's own figures with many servers, each a child of one `DynamicSupervisor`. */
import { Effect, Exit, Layer, Scope } from "effect"
import { DynamicSupervisor, Supervisor } from "../src/index.ts"
import { Counter, memory, options, plain, quiet, restart, type Server } from "./counter.ts"
import { clients, type Cost, cost, heap, main, report, scaled, show, summary, timed, warmUp } from "./measure.ts"
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

/** Every server is called once, and must answer with `count`. */
const callAll = (servers: ReadonlyArray<Server>, count: number) =>
  Effect.gen(function*() {
    for (const server of servers) {
      const answer = yield* server.Increment()
      if (answer !== count) return yield* Effect.die(`a server answered ${answer}, not ${count}`)
    }
  })

/**
 * What each server takes beyond what the heap held `before`: as started, and with a companion that was written twice.
 */
const memories = Effect.fnUntraced(function*(metric: string, servers: ReadonlyArray<Server>, before: number) {
  const each = Effect.map(heap, (now) => (now - before) / servers.length)
  report(`${metric}.new`, yield* each)
  const first = yield* cost(servers.length, callAll(servers, 1))
  yield* callAll(servers, 2)
  report(`${metric}.used`, yield* each)
  return first
})

const crashAll = (servers: ReadonlyArray<Server>) =>
  Effect.gen(function*() {
    for (const server of servers) {
      yield* Effect.exit(server.Crash())
      yield* server.Increment()
    }
  })

/** A tree of `n` servers from start to stop: what each step costs per server. */
const life = Effect.fnUntraced(function*(n: number) {
  const servers = room(n)
  const { services, stop, value } = yield* planted(cost(n, start(servers)))
  // So many that a pause of the collector does not decide what they cost.
  const some = servers.filter((_, i) => i % Math.ceil(n / 10_000) === 0)
  const listing = Effect.flatMap(Pool, (pool) => pool.whichChildren).pipe(Effect.provide(services))
  return [
    ["start", value],
    ["call", yield* cost(n, callAll(servers, 1))],
    ["crash", yield* cost(some.length, crashAll(some))],
    ["which", yield* cost(n, listing)],
    ["stop", yield* cost(n, stop)]
  ] satisfies ReadonlyArray<readonly [typeof curve.what[number], Cost]>
})

main({
  "fan-many": Effect.gen(function*() {
    const servers = room(100)
    yield* start(servers)
    yield* timed("fan.many", 1_000_000, (n) => clients(n, (client) => servers[client]!.Increment()))
  }).pipe(Effect.provide(Tree), Effect.provide(quiet)),
  "start": Effect.gen(function*() {
    const servers = room(scaled(100_000))
    yield* warmUp(servers.length, (n) => Effect.flatMap(planted(start(room(n))), ({ stop }) => stop))
    const before = yield* heap
    const { stop, value } = yield* planted(cost(servers.length, start(servers)))
    show("start", value)
    yield* memories("memory", servers, before)
    show("stop", yield* cost(servers.length, stop))
  }).pipe(Effect.provide(quiet)),
  "million": Effect.gen(function*() {
    const servers = room(scaled(1_000_000))
    const before = yield* heap
    show("million.start", yield* cost(servers.length, start(servers)))
    show("million.call", yield* memories("million.memory", servers, before))
  }).pipe(Effect.provide(Tree), Effect.provide(quiet)),
  [curve.section]: Effect.gen(function*() {
    for (const size of curve.sizes) {
      const rounds = new Map<string, Array<Cost>>()
      // Small trees so often that they are compiled and outlast a hiccup.
      for (let i = 0; i < Math.max(3, 40_000 / size); i++) {
        for (const [what, one] of yield* life(scaled(size))) rounds.set(what, [...rounds.get(what) ?? [], one])
      }
      for (const [what, costs] of rounds) {
        show(`curve.${what}.${size}`, summary(costs))
      }
    }
  }).pipe(Effect.provide(quiet))
})
