/** Runs of a cluster of real processes over a real PostgreSQL, and what is in the database after them. */
import { Cause, Context, Duration, Effect, Exit, Layer, References } from "effect"
import type { Sharding } from "effect/cluster"
import { SqlClient } from "effect/sql"
import { ClusterServer } from "../../../src/cluster.ts"
import { StateContainer, Supervisor } from "../../../src/index.ts"
import * as StateStoreSql from "../../../src/layers/state/StateStoreSql.ts"
import * as Fleet from "../../../src/programs/cluster/Fleet.ts"
import * as Member from "../../../src/programs/cluster/Member.ts"
import * as Result from "../../../src/programs/cluster/Result.ts"
import * as Strikes from "../../../src/programs/cluster/Strikes.ts"
import * as Traffic from "../../../src/programs/cluster/Traffic.ts"
import { bundle, compiling } from "../Bundle.ts"
import { ByHand, byHandTable } from "./ByHand.ts"
import { type Kind, Timed, variable } from "./Runner.ts"

/** What is run: how many keys, and whether each call has an idempotency key. */
export interface Setting {
  readonly kind: Kind
  readonly keys: number
  readonly isKeyed?: boolean
  /** Milliseconds between an answer and the next call. */
  readonly pause?: number
  readonly runners?: number
}

type Query = (text: string) => Effect.Effect<ReadonlyArray<{ readonly [column: string]: unknown }>>

/** Runners, three unless it says otherwise, and traffic on their keys. */
export const open = Effect.fnUntraced(
  function*(url: string, { isKeyed = true, keys, kind, pause = 5, runners: count = 3 }: Setting) {
    const sql = Context.get(yield* Layer.build(Member.database(url, 2)), SqlClient.SqlClient)
    const query: Query = (text) => Effect.orDie(sql.unsafe(text))
    // What the run before has left.
    for (const { name } of yield* query("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")) {
      yield* query(`DROP TABLE IF EXISTS ${String(name)} CASCADE`)
    }
    yield* query("DROP SEQUENCE IF EXISTS heirloom_state_owners_epoch")
    yield* query(byHandTable)
    const runners = yield* Fleet.make(count, {
      args: [bundle("test/kit/cluster/Runner.ts")],
      environment: (port) => ({ ...compiling, [variable]: JSON.stringify({ kind, port, url }) })
    })
    yield* Effect.forEach(runners, Fleet.hasJoined, { discard: true })
    const member = yield* Layer.build(Member.client(url))
    const update = yield* Effect.provideContext(updateOf(kind, isKeyed), member)
    const { end, lines } = yield* Traffic.begin(keys, [1], update, isKeyed, pause)
    // A frozen runner still has the calls of those that wait for it: what it answers when it goes on is acknowledged,
    // too.
    const patient = kind === "by hand"
      ? yield* Traffic.begin(keys, [1], yield* Effect.provideContext(byHand("30 seconds"), member), isKeyed, pause)
      : undefined
    const all = () =>
      lines.map((line, i) => {
        const { acknowledged = 0, unknown = 0 } = patient?.lines[i] ?? {}
        return { ...line, acknowledged: line.acknowledged + acknowledged, unknown: line.unknown + unknown }
      })
    const stored = Effect.gen(function*() {
      const rows = kind === "by hand"
        ? yield* query("SELECT key, updates FROM by_hand")
        : yield* query(
          "SELECT DISTINCT ON (key) key, (state::json->>'updates')::int AS updates FROM heirloom_state " +
            "ORDER BY key, seq DESC"
        )
      return new Map(rows.map((row) => {
        const key = String(row["key"])
        return [key.slice(key.lastIndexOf("/") + 1), { updates: Number(row["updates"]), words: 0 }] as const
      }))
    })
    return { runners, lines, all, end: Effect.andThen(end, patient?.end ?? Effect.void), stored, query }
  }
)

/** Updates of entities that write by hand, whose callers wait so long. */
const byHand = (patience: Duration.Input): Effect.Effect<Traffic.Update, never, Sharding.Sharding> =>
  Effect.map(
    ByHand.client,
    // A call whose entity is handed over ends as an interruption, though its caller was not interrupted.
    (clientOf): Traffic.Update => (key, words) =>
      Effect.timeout(clientOf(key).Add({ words }), patience).pipe(
        Effect.catchCause((cause): Effect.Effect<never, unknown> =>
          Cause.hasInterruptsOnly(cause) ? Effect.fail("handed over") : Effect.failCause(cause)
        )
      )
  )

const updateOf = (kind: Kind, isKeyed: boolean): Effect.Effect<Traffic.Update, never, Sharding.Sharding> => {
  if (kind === "by hand") return byHand("2 seconds")
  const clients = isKeyed ? {} : { keyless: "all" } as const
  const counted: Effect.Effect<(key: string) => { readonly Add: Add }, never, Sharding.Sharding> = kind === "ours"
    ? ClusterServer.client(Member.Counter, clients)
    : ClusterServer.client(Timed, clients)
  return Effect.map(
    counted,
    (clientOf): Traffic.Update => (key, words, options) => clientOf(key).Add({ words }, options)
  )
}

type Add = ClusterServer.Client<typeof Member.Counter.messages>["Add"]

/** Does what a plan says to the runners of a setting. */
export const run = (
  url: string,
  setting: Setting,
  plan: Strikes.Plan & Strikes.Manner,
  say: Strikes.Say = () => Effect.void
) =>
  Effect.scoped(Effect.gen(function*() {
    const { all, end, lines, runners, stored } = yield* open(url, setting)
    const struck = yield* Strikes.strike(runners, lines, plan, say, plan)
    yield* end
    return { ...Result.compare(all(), yield* stored, struck), failures: [...Traffic.failuresOf(lines).keys()].join() }
  }))

/**
 * Freezes a runner in the middle of a transaction; how many keys were away, and for how long at most, while it was
 * frozen.
 */
export const standStill = (url: string, setting: Omit<Setting, "kind">) =>
  Effect.scoped(Effect.gen(function*() {
    const { end, lines, query, runners, stored } = yield* open(url, { ...setting, kind: "standing" })
    const [runner] = runners
    Traffic.look(lines)
    yield* Fleet.signal(runner!, "SIGUSR2")
    const isStanding = query(
      "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%heirloom_state%' " +
        "AND clock_timestamp() - state_change > interval '300 milliseconds'"
    )
    yield* Effect.repeat(Effect.andThen(Effect.sleep("20 millis"), isStanding), { until: (rows) => rows.length > 0 })
    const since = lines.reduce((latest, { last }) => Math.max(latest, last), 0)
    const back = yield* Traffic.allBack(lines, since)
    yield* Fleet.signal(runner!, "SIGCONT")
    // What it had in hand is written again.
    const isRefused = Effect.repeat(Effect.sleep("20 millis"), { until: () => runner!.refused > 0 })
    yield* Effect.timeoutOption(isRefused, "30 seconds")
    yield* end
    const struck = { ...Strikes.none, freezes: 1, refused: runner!.refused }
    return { ...back, ...Result.compare(lines, yield* stored, struck) }
  }))

/**
 * So many servers of one process whose keys another takes over: how many milliseconds until all of them have been told.
 */
export const tellAll = Effect.fnUntraced(function*(url: string, keys: number) {
  const names = Array.from({ length: keys }, (_, i) => `k${i}`)
  const tree = Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerStore(Member.Counter, { store: Member.Store, fence: "key" }),
    Member.Counter.layerKeyed(Member.behavior)
  ]).pipe(
    Layer.provide(StateStoreSql.layer(Member.Store, { ownership: "shared", table: `told_${keys}` })),
    Layer.provide(Member.database(url, 8))
  )
  const started = Effect.gen(function*() {
    const app = yield* Layer.build(Layer.fresh(tree))
    return yield* Effect.provideContext(
      Effect.forEach(names, (name) => Member.Counter.at(name), { concurrency: 20 }),
      app
    )
  })
  const add = (servers: Effect.Success<typeof started>) =>
    Effect.forEach(servers, (server) => Effect.exit(server.Add({ words: 1 }, { timeout: "infinity" })), {
      concurrency: "unbounded"
    })
  const older = yield* started
  yield* add(older)
  yield* add(yield* started)
  const [duration, exits] = yield* Effect.timed(add(older))
  return { millis: Duration.toMillis(duration), refused: exits.filter(Exit.isFailure).length }
}, (effect) => Effect.provideService(Effect.scoped(effect), References.MinimumLogLevel, "None"))
