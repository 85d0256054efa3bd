/**
 * What a call costs where its server is elsewhere, beside a plain `Entity` of effect's cluster; all in one process and
 * one run, each in turn, so that what else the machine does strikes all alike.
 *
 *   npm run bench:placements               a minute or two
 *   npm run bench:placements -- --quick    ten seconds, for a look; --volatile leaves PostgreSQL out
 *
 * Volatile: states in memory. Durable: states in PostgreSQL, where the plain entity writes its row by hand for each
 * call, and ours are written together with all others that have come meanwhile. Recovery: from the message that crashes
 * a server to its next answer.
 */
import { Effect, Layer, References, Schema, type Scope } from "effect"
import { Entity, MessageStorage, RunnerHealth, Runners, RunnerStorage, Sharding, ShardingConfig } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { SqlClient } from "effect/sql"
import { ClusterServer } from "../src/cluster.ts"
import { DynamicSupervisor, GenServer, Restart, StateContainer, StateStore, Supervisor } from "../src/index.ts"
import * as StateStoreSql from "../src/layers/state/StateStoreSql.ts"
import { makeStorage, member } from "../test/kit/placement/Runners.ts"
import { freePort, Postgres } from "../test/kit/stores/Postgres.ts"

const isVolatile = process.argv.includes("--volatile")
const isQuick = process.argv.includes("--quick")

class Counter extends GenServer.Service<Counter>()("bench/Counter", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Crash: GenServer.call()
  }
}) {}

const behavior = Counter.behavior({
  init: 0,
  handlers: { Add: (n, { by }) => [n + by, n + by], Crash: () => Effect.die(new Error("boom")) }
})

const often = Restart.intensity({ restarts: 1_000_000, within: "1 second" })

class Database extends StateStore.Service<Database>()("bench/Database", "machine") {}
class Counters extends DynamicSupervisor.Service<Counters>()("bench/Counters") {}

const rpcs = () =>
  [
    Rpc.make("Add", { payload: { by: Schema.Int }, success: Schema.Int }),
    Rpc.make("Crash", { success: Schema.Void })
  ] as const

const Plain = Entity.make("Plain", rpcs())

/** A plain entity is handed a message that crashes it again and again: it crashes once, or it would never be back. */
const crashed = new Set<string>()
const crashOnce = (key: string) =>
  Effect.suspend(() => {
    if (crashed.has(key)) return Effect.void
    crashed.add(key)
    return Effect.die(new Error("boom"))
  })

const PlainLive = Plain.toLayer(
  Effect.gen(function*() {
    const { entityId } = yield* Entity.CurrentAddress
    let n = 0
    return Plain.of({
      Add: ({ payload }) => Effect.sync(() => n += payload.by),
      Crash: () => crashOnce(entityId)
    })
  }),
  { mailboxCapacity: "unbounded" }
)

const PlainSql = Entity.make("PlainSql", rpcs())

const PlainSqlLive = PlainSql.toLayer(
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const { entityId } = yield* Entity.CurrentAddress
    const rows = yield* Effect.orDie(sql<{ n: number }>`SELECT n FROM plain WHERE key = ${entityId}`)
    let n = rows.length === 0 ? 0 : Number(rows[0]!.n)
    return PlainSql.of({
      Add: ({ payload }) =>
        Effect.gen(function*() {
          const next = n + payload.by
          yield* sql`INSERT INTO plain (key, n) VALUES (${entityId}, ${next}) ON CONFLICT (key) DO UPDATE SET n = ${next}`
          return n = next
        }).pipe(Effect.orDie),
      Crash: () => Effect.die(new Error("boom"))
    })
  }),
  { mailboxCapacity: "unbounded" }
)

/** One process, without sockets; messages are not written down on the way. */
const oneProcess = () =>
  Layer.fresh(Sharding.layer.pipe(
    Layer.provideMerge(Runners.layerNoop),
    Layer.provideMerge(MessageStorage.layerNoop),
    Layer.provide([RunnerStorage.layerMemory, RunnerHealth.layerNoop]),
    Layer.provide(ShardingConfig.layer({ simulateRemoteSerialization: false }))
  ))

const inMemory = Supervisor.layer({ strategy: "one_for_one" }, [
  StateContainer.layerMemory(Counter).pipe(ClusterServer.volatile<Counter>()),
  Counters.layer({ restart: often })
])

const inDatabase = Supervisor.layer({ strategy: "one_for_one" }, [
  StateContainer.layerStore(Counter, { store: Database, fence: "key" }),
  Counters.layer({ restart: often })
]).pipe(Layer.provide(StateStoreSql.layer(Database, { ownership: "shared" })))

const entities = ClusterServer.layer(Counter, behavior, { restart: often }).pipe(Layer.provide(Counters.asSupervisor))

/** Calls one key, or has it crash. */
interface Contender {
  readonly name: string
  readonly add: (key: string) => Effect.Effect<unknown, unknown>
  readonly crash: (key: string) => Effect.Effect<unknown, unknown>
}

type Made<R> = Effect.Effect<ReadonlyArray<Contender>, unknown, R | Scope.Scope>

const ofPlain = (name: string, entity: typeof Plain | typeof PlainSql) =>
  Effect.map((entity as typeof Plain).client, (client): Contender => ({
    name,
    add: (key) => client(key).Add({ by: 1 }),
    crash: (key) => client(key).Crash()
  }))

const ofOurs = (name: string, options?: ClusterServer.ClientOptions<typeof Counter["messages"]>) =>
  Effect.map(ClusterServer.client(Counter, options), (client): Contender => ({
    name,
    add: (key) => client(key).Add({ by: 1 }),
    crash: (key) => Effect.ignore(client(key).Crash())
  }))

const volatile: Made<never> = Effect.gen(function*() {
  const local = yield* Layer.build(
    Counter.layerKeyed(behavior).pipe(Layer.provide(Counters.asSupervisor), Layer.provide(inMemory))
  )
  const own = yield* Layer.build(
    Layer.merge(PlainLive, entities.pipe(Layer.provide(inMemory))).pipe(Layer.provideMerge(oneProcess()))
  )
  const at = (key: string) => Effect.provideContext(Counter.at(key), local)
  const fiber: Contender = {
    name: "a server in this process",
    add: (key) => Effect.flatMap(at(key), (counter) => counter.Add({ by: 1 })),
    crash: (key) => Effect.flatMap(at(key), (counter) => Effect.ignore(counter.Crash()))
  }
  return [
    fiber,
    yield* Effect.provideContext(ofPlain("a plain entity", Plain), own),
    yield* Effect.provideContext(ofOurs("ours, without keys", { keyless: "all" }), own),
    yield* Effect.provideContext(ofOurs("ours"), own)
  ]
})

const overSockets: Made<never> = Effect.gen(function*() {
  const storage = makeStorage()
  yield* Layer.build(
    Layer.merge(PlainLive, entities.pipe(Layer.provide(inMemory))).pipe(
      Layer.provideMerge(member(storage, yield* freePort))
    )
  )
  const client = yield* Layer.build(member(storage))
  return [
    yield* Effect.provideContext(ofPlain("a plain entity, by a socket", Plain), client),
    yield* Effect.provideContext(ofOurs("ours, without keys, by a socket", { keyless: "all" }), client),
    yield* Effect.provideContext(ofOurs("ours, by a socket"), client)
  ]
})

const durable: Made<never> = Effect.gen(function*() {
  const postgres = yield* Layer.build(Postgres.layer)
  const client = yield* Layer.build(
    Layer.unwrap(Effect.provideContext(Effect.map(Postgres, (one) => one.client), postgres))
  )
  yield* Effect.provideContext(
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE TABLE plain (key text PRIMARY KEY, n bigint NOT NULL)`),
    client
  )
  const own = yield* Layer.build(
    Layer.merge(PlainSqlLive, entities.pipe(Layer.provide(inDatabase))).pipe(
      Layer.provide(Layer.succeedContext(client)),
      Layer.provideMerge(oneProcess())
    )
  )
  return [
    yield* Effect.provideContext(ofPlain("a plain entity, SQL by hand", PlainSql), own),
    yield* Effect.provideContext(ofOurs("ours over PostgreSQL, without keys", { keyless: "all" }), own),
    yield* Effect.provideContext(ofOurs("ours over PostgreSQL"), own)
  ]
})

const median = (all: ReadonlyArray<number>): number => [...all].sort((a, b) => a - b)[all.length >> 1]!

/** Calls a second, and CPU of this process for each, of so many clients that each call in turn. */
const rate = (clients: number, calls: number, call: (client: number) => Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    globalThis.gc?.()
    const [before, used] = [performance.now(), process.cpuUsage()]
    yield* Effect.forEach(
      Array.from({ length: clients }, (_, i) => i),
      (client) => Effect.replicateEffect(Effect.suspend(() => call(client)), calls / clients, { discard: true }),
      { concurrency: "unbounded", discard: true }
    )
    const { system, user } = process.cpuUsage(used)
    return [calls / (performance.now() - before) * 1000, (system + user) / calls] as const
  })

/** Milliseconds from a message that crashes the server of a key to the next answer. */
const recovery = ({ add, crash }: Contender, key: string) =>
  Effect.gen(function*() {
    yield* add(key)
    const before = performance.now()
    yield* Effect.andThen(crash(key), add(key))
    return performance.now() - before
  })

const table = (title: string, make: Made<never>, calls: number, recovers: boolean) =>
  Effect.gen(function*() {
    const contenders = yield* make
    const rows = contenders.map((contender) => ({
      contender,
      rates: [[], [], []] as Array<Array<number>>,
      cpu: [[], [], []] as Array<Array<number>>,
      back: [] as Array<number>
    }))
    for (let round = 0; round <= (isQuick ? 1 : 5); round++) {
      for (const { back, contender, cpu, rates } of rows) {
        const { add } = contender
        const measured = [
          yield* rate(1, calls / 10, () => add("one")),
          yield* rate(50, calls, () => add("one")),
          yield* rate(100, calls, (client) => add(`key ${client}`))
        ]
        if (recovers) back.push(yield* recovery(contender, `crash ${round}`))
        // The first round is there for the compiler.
        if (round === 0) continue
        for (const [i, [perSecond, micros]] of measured.entries()) {
          rates[i]!.push(perSecond)
          cpu[i]!.push(micros)
        }
      }
    }
    console.log(`\n${title}`)
    for (const { back, contender, cpu, rates } of rows) {
      const cells = rates.map((all, i) =>
        `${Math.round(median(all)).toLocaleString("en-US").padStart(8)} (${Math.round(median(cpu[i]!))} µs)`.padStart(
          20
        )
      )
      const last = recovers ? `   ${median(back).toFixed(1)} ms` : ""
      console.log(`  ${contender.name.padEnd(36)}${cells.join("")}${last}`)
    }
  }).pipe(Effect.scoped)

console.log(
  "calls a second (CPU for each): of 1 client and 1 key, of 50 clients and 1 key, of 100 clients and 100 keys; time to recover"
)
const scale = isQuick ? 1 : 5
await Effect.runPromise(
  Effect.gen(function*() {
    yield* table("volatile, in one process", volatile, 4000 * scale, true)
    yield* table("volatile, through a socket", overSockets, 1000 * scale, false)
    if (!isVolatile) yield* table("durable, in one process", durable, 1000 * scale, false)
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"), Effect.withTracerEnabled(false))
)
process.exit(0)
