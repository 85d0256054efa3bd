/**
 * PostgreSQL whose backends, and clients, stand still: statements that arrive late, locks that are held, errors in
 * words.
 */
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted, type Scope, Tracer } from "effect"
import { SqlClient } from "effect/sql"
import type { StateContainer, StateStore } from "../../../../src/index.ts"
import * as SqlStatements from "../../../../src/layers/state/rows/SqlStatements.ts"
import * as StateStoreSql from "../../../../src/layers/state/StateStoreSql.ts"
import { quiet, recordedLog } from "../../../kit/Log.ts"
import { answer, reasonOf, record, seqs } from "../../../kit/stores/Records.ts"
import { usePostgres } from "../../../kit/stores/UsePostgres.ts"
import { wireTo } from "../../../kit/stores/Wire.ts"

type Store = StateStore.StateStore<StateContainer.Grade>

/** Looks again until it is so. */
const until = <E>(isSo: Effect.Effect<boolean, E>) =>
  Effect.repeat(Effect.tap(isSo, () => Effect.sleep("5 millis")), { until: (so) => so })

const stopped = (pid: number): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => void process.kill(pid, "SIGSTOP")),
    () => goOn(pid)
  )

const goOn = (pid: number) =>
  Effect.sync(() => {
    try {
      process.kill(pid, "SIGCONT")
    } catch {
      // it has ended
    }
  })

describe("PostgreSQL that stands still", () => {
  const postgres = usePostgres()
  let tables = 0

  const clientOf = (options: Partial<PgClient.PgPoolConfig>) =>
    Layer.build(PgClient.layer({
      host: "127.0.0.1",
      port: postgres().port,
      username: "postgres",
      password: Redacted.make("test"),
      database: "postgres",
      ssl: false,
      maxConnections: 1,
      ...options
    }))
  const opened = Effect.fnUntraced(
    function*(table: string, port = postgres().port, options: StateStoreSql.Options = {}) {
      const context = yield* clientOf({ port, maxConnections: port === postgres().port ? 3 : 1 })
      const store = yield* Effect.provideContext(StateStoreSql.make({ table, ...options }), context)
      return { store, sql: Context.get(context, SqlClient.SqlClient) }
    }
  )

  /**
   * Has `write` sent to a backend that stands still, given up by its client, and `meanwhile` made; then the backend
   * goes on.
   */
  const late = Effect.fnUntraced(function*(
    write: (store: Store, epoch: number) => Effect.Effect<void, StateStore.StoreError>,
    meanwhile: (store: Store, epoch: number) => Effect.Effect<void, StateStore.StoreError>
  ) {
    if (process.platform === "win32") return undefined
    const wire = yield* wireTo(postgres().port)
    const { sql, store } = yield* opened(`late_${++tables}`, wire.port)
    const epoch = yield* store.acquireEpoch("app")
    for (let seq = 1; seq <= 3; seq++) yield* store.save([record("a", seq, epoch), record("b", seq, epoch)])
    const [row] = yield* sql.unsafe<{ pid: number }>("SELECT pg_backend_pid() AS pid")
    const { pid } = row!
    yield* stopped(pid)
    const before = wire.sent()
    const writing = yield* Effect.forkChild(Effect.exit(write(store, epoch)), { startImmediately: true })
    yield* until(Effect.sync(() => wire.sent() > before))
    yield* wire.cut
    assert.strictEqual(reasonOf(yield* Fiber.join(writing))?._tag, "Unavailable")
    yield* meanwhile(store, epoch)
    const expected = yield* Effect.all([store.load("a"), store.load("b")])
    yield* goOn(pid)
    yield* until(Effect.sync(() => wire.unheard() > 0))
    yield* until(
      Effect.map(
        sql.unsafe(`SELECT 1 FROM pg_stat_activity WHERE pid = ${pid} AND state = 'active'`),
        (rows) => rows.length === 0
      )
    )
    assert.deepStrictEqual(yield* Effect.all([store.load("a"), store.load("b")]), expected)
    return store
  })

  it.live(
    "a statement that is executed late changes nothing: the same batch was made again, and three more",
    () =>
      Effect.gen(function*() {
        const store = yield* late(
          (store, epoch) => store.save([record("a", 4, epoch)]),
          (store, epoch) =>
            Effect.forEach([4, 5, 6, 7], (seq) => store.save([record("a", seq, epoch)]), { discard: true })
        )
        if (store !== undefined) assert.deepStrictEqual(yield* seqs(store), [7, 6, 5])
      }),
    20_000
  )

  it.live("nor does one whose number was given to another state meanwhile", () =>
    late(
      (store, epoch) => store.save([record("a", 4, epoch, { state: `"undone"` })]),
      (store, epoch) => store.save([record("a", 4, epoch, { state: `"acknowledged"` })])
    ), 20_000)

  it.live("nor one of a key that has not been written since", () =>
    late(
      (store, epoch) => store.save([record("a", 4, epoch)]),
      (store, epoch) => store.save([record("b", 4, epoch)])
    ), 20_000)

  it.live("nor the removal of a key that has been written since", () =>
    late(
      (store, epoch) => store.remove(["a"], epoch),
      (store, epoch) => store.save([record("a", 4, epoch, { answers: [answer("x", 4)] })])
    ), 20_000)

  it.live("a database whose commits have gone back under a running app is noticed at the next write", () =>
    Effect.gen(function*() {
      const table = `back_${++tables}`
      const { sql, store } = yield* opened(table)
      const epoch = yield* store.acquireEpoch("app")
      for (const acknowledged of [store.save([record("a", 1, epoch)]), store.remove(["b"], epoch)]) {
        yield* acknowledged
        yield* sql.unsafe(`UPDATE ${table}_owners SET commits = commits - 1`)
        for (const write of [store.save([record("a", 4, epoch)]), store.remove(["a"], epoch)]) {
          const error = yield* Effect.flip(write)
          assert.strictEqual(error.reason._tag === "Gone" && error.reason.how, "older")
        }
        yield* sql.unsafe(`UPDATE ${table}_owners SET commits = commits + 1`)
      }
      // nor can another count under this epoch
      yield* sql.unsafe(`UPDATE ${table}_owners SET commits = commits + 1000`)
      const error = yield* Effect.flip(store.save([record("a", 5, epoch)]))
      assert.strictEqual(error.reason._tag === "Gone" && error.reason.how, "changed")
    }))

  it.live(
    "who stands still in a transaction blocks none for ever, and who waits for it says so",
    () =>
      Effect.gen(function*() {
        const table = `idle_${++tables}`
        const { store: owner } = yield* opened(table, undefined, { lockTimeout: "1 second" })
        const epoch = yield* owner.acquireEpoch("app")
        yield* owner.save([record("a", 1, epoch)])
        const wire = yield* wireTo(postgres().port)
        // a transaction of the store's own, whose client is gone before it commits
        const client = Context.get(yield* clientOf({ port: wire.port }), SqlClient.SqlClient)
        const standing = yield* Effect.forkChild(client.withTransaction(Effect.gen(function*() {
          yield* client.unsafe(`SELECT set_config('idle_in_transaction_session_timeout', '2s', true)`)
          yield* client.unsafe(`UPDATE ${table}_owners SET commits = commits`)
          return yield* Effect.never
        })))
        const { sql, store } = yield* opened(table, undefined, { lockTimeout: "1 second" })
        yield* until(Effect.map(
          sql.unsafe(
            "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%SET commits = commits%'"
          ),
          (rows) => rows.length > 0
        ))
        const { layer, lines } = recordedLog(({ level }) => level === "Warn")
        const acquire = Effect.provide(store.acquireEpoch("app"), layer)
        const error = yield* Effect.flip(acquire)
        assert.strictEqual(error.reason._tag, "Unavailable")
        assert.match(error.message, /acquireEpoch .* canceling statement due to lock timeout/)
        assert.match(
          lines.map((line) => line.text).join("\n"),
          new RegExp(
            `^acquireEpoch in the state store "postgres ${table}" waits for a lock that is held by backend \\d+ \\(user postgres.*idle in transaction`
          )
        )
        // it is ended by the database
        const next = yield* Effect.eventually(acquire)
        assert.isAbove(next, epoch)
        yield* Fiber.interrupt(standing).pipe(Effect.timeoutOption("1 second"))
      }),
    20_000
  )

  it.live(
    "a batch of keys with an epoch each, and their answers, is one statement; a claim waits for no other key's write",
    () =>
      Effect.gen(function*() {
        const table = `keys_${++tables}`
        const { sql, store } = yield* opened(table, undefined, { lockTimeout: "200 millis", ownership: "shared" })
        const epochs = yield* Effect.forEach(["a", "b", "c"], (key) => store.acquireEpoch(key, "key"))
        const batch = (seq: number) =>
          ["a", "b"].map((key, i) =>
            record(key, seq, epochs[i]!, { answers: [answer(`${seq}`, seq)], forgetAnswersBefore: seq - 1 })
          )
        yield* store.save(batch(1))
        const { sql: other } = yield* opened(table)
        // one who stands still in a transaction with the row of a key locked, until the database ends it
        const [text, params] = SqlStatements.make("pg", table, 200, 1500).turn(epochs[2]!, 0, 1)
        const idle = Effect.map(
          sql.unsafe(`SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in tr%' AND query LIKE '%${table}%'`),
          (rows) => rows.length > 0
        )
        const over = until(Effect.map(idle, (isIdle) => !isIdle))
        const standing = yield* Effect.forkChild(
          Effect.exit(other.withTransaction(Effect.andThen(other.unsafe(text, params), over))),
          { startImmediately: true }
        )
        yield* until(idle)
        // holds up neither the writes of others nor their claims
        let statements = 0
        const tracer = Tracer.make({
          span: (options) => {
            if (options.kind === "client") statements++
            return new Tracer.NativeSpan(options)
          }
        })
        yield* Effect.provideService(store.save(batch(2)), Tracer.Tracer, tracer)
        assert.strictEqual(statements, 1)
        assert.isAbove(yield* store.acquireEpoch("d", "key"), epochs[2]!)
        assert.strictEqual(reasonOf(yield* Effect.exit(store.acquireEpoch("c", "key")))?._tag, "Unavailable")
        const next = yield* Effect.eventually(store.acquireEpoch("c", "key"))
        assert.isAbove(next, epochs[2]!)
        assert.include(String(yield* Fiber.join(standing)), "idle-in-transaction timeout")
        const [kept] = yield* store.load("a")
        assert.deepStrictEqual(kept?.answers?.map(({ id }) => id), ["1", "2"])
      }).pipe(quiet),
    20_000
  )

  it.live(
    "the store's own transactions are bounded: one that stands still is ended, and its locks are free",
    () =>
      Effect.gen(function*() {
        const table = `own_${++tables}`
        const { sql, store } = yield* opened(table, undefined, { lockTimeout: "200 millis" })
        const { sql: other } = yield* opened(table)
        const epoch = yield* store.acquireEpoch("app")
        const [text, params] = SqlStatements.make("pg", table, 200).turn(epoch, 0, 1)
        const ended = yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
          assert.lengthOf(yield* sql.unsafe(text, params), 1)
          // its client does nothing more
          yield* until(Effect.map(
            other.unsafe(
              `SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND query LIKE '%${table}%'`
            ),
            (rows) => rows.length === 0
          ))
        })))
        assert.include(String(ended), "idle-in-transaction timeout")
        assert.isAbove(yield* store.acquireEpoch("app"), epoch)
      }),
    20_000
  )
})

describe("PostgreSQL's errors", () => {
  const postgres = usePostgres()

  it.live("say what the database said: a right that is missing, no such database, another password, a port that is closed", () =>
    Effect.gen(function*() {
      const admin = Context.get(yield* Layer.build(postgres().client), SqlClient.SqlClient)
      yield* Effect.provideService(StateStoreSql.make({ table: "said" }), SqlClient.SqlClient, admin)
      yield* admin.unsafe("CREATE ROLE weak LOGIN PASSWORD 'weak'")
      yield* admin.unsafe("GRANT SELECT ON said, said_answers, said_timers, said_aside, said_owners TO weak")
      const weak = { username: "weak", password: Redacted.make("weak") }
      const open = (options: Partial<PgClient.PgPoolConfig>, table = "said") =>
        Effect.gen(function*() {
          const client = PgClient.layer({
            host: "127.0.0.1",
            port: postgres().port,
            username: "postgres",
            password: Redacted.make("test"),
            database: "postgres",
            ssl: false,
            ...options
          })
          const store = StateStoreSql.make({ table, patience: 0 })
          return yield* Effect.provideContext(store, yield* Effect.orDie(Layer.build(client)))
        })
      for (
        const [options, tag, says] of [
          [{ database: "nowhere" }, "Unusable", /database "nowhere" does not exist/],
          [{ password: Redacted.make("no") }, "Unusable", /password authentication failed for user "postgres"/],
          [{ port: 1 }, "Unavailable", /connect ECONNREFUSED 127\.0\.0\.1:1/],
          [{ host: "localhost", port: 1 }, "Unavailable", /ECONNREFUSED/]
        ] as const
      ) {
        const error = yield* Effect.flip(open(options))
        assert.strictEqual(error.reason._tag, tag, error.message)
        assert.match(error.message, says)
      }
      assert.match((yield* Effect.flip(open(weak, "none"))).message, /permission denied for schema public/)
      // who may only read opens what is there
      const reader = yield* open(weak)
      assert.deepStrictEqual(yield* reader.keys(), [])
      const error = yield* Effect.flip(reader.acquireEpoch("app"))
      assert.strictEqual(error.reason._tag, "Unusable")
      assert.match(error.message, /permission denied for table said_owners/)
    }))
})
