/** What the SQL stores make of databases that are full, locked, away or restarted, and of clients that come between. */
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Redacted, Schedule, Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as fs from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { crashed, toText } from "../../../../src/domain/process/ExitReason.ts"
import { StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import * as SqliteClient from "../../../../src/layers/state/SqliteClient.ts"
import * as StateStoreSql from "../../../../src/layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { Harness } from "../../../../src/testing.ts"
import { Account, behavior, Inside } from "../../../kit/Account.ts"
import { folder } from "../../../kit/Folder.ts"
import { Scripted } from "../../../kit/Scripted.ts"
import { start } from "../../../kit/stores/Processes.ts"
import { reasonOf, record, seqs } from "../../../kit/stores/Records.ts"
import { usePostgres } from "../../../kit/stores/UsePostgres.ts"

const big = (seq: number, epoch: number) => record("a", seq, epoch, { state: JSON.stringify("x".repeat(20_000)) })

/** Each write of a store is refused, since its epochs have gone back. */
const isOlder = Effect.fnUntraced(function*(store: StateStore.StateStore<StateContainer.Grade>, epoch: number) {
  for (const write of [store.save([record("a", 1, epoch)]), store.remove(["a"], epoch)]) {
    const error = yield* Effect.flip(write)
    assert.strictEqual(error.reason._tag === "Gone" && error.reason.how, "older")
    assert.match(error.message, /table \w+_owners was put back to what it had been before, while the store was open/)
  }
})

/** Opens a store that is not to be had yet; `free` makes it so as soon as it is said that it is waited for. */
const isWaitedFor = Effect.fnUntraced(function*<A>(
  open: Effect.Effect<A, StateStore.StoreError, Scope.Scope>,
  free: Effect.Effect<void>
) {
  const said = yield* Deferred.make<void>()
  const logger = Logger.make<unknown, void>(({ message }) => {
    if (/ is waited for, \d+ ms at most/.test(String(message))) Deferred.doneUnsafe(said, Effect.void)
  })
  const opening = yield* Effect.forkChild(Effect.provide(open, Logger.layer([logger])))
  yield* Deferred.await(said)
  yield* free
  return yield* Fiber.join(opening)
})

describe("SQLite that fails", () => {
  it.live("a database that is full says so, keeps what it has, and goes on when there is room", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "test.db")
      const context = yield* Layer.build(SqliteClient.layer({ filename }))
      const sql = Context.get(context, SqlClient.SqlClient)
      const store = yield* Effect.provideContext(StateStoreSql.make(), context)
      const epoch = yield* store.acquireEpoch("app")
      yield* store.save([big(1, epoch)])
      yield* sql.unsafe("PRAGMA max_page_count = 1")
      const one = yield* Effect.exit(store.save([big(2, epoch)]))
      const many = yield* Effect.exit(
        store.save([{ ...big(2, epoch), answers: [{ id: "x", seq: 2, at: 2, body: "1" }] }])
      )
      assert.deepStrictEqual([one, many].map((exit) => reasonOf(exit)?._tag), ["Full", "Full"])
      assert.deepStrictEqual(yield* seqs(store), [1])
      yield* sql.unsafe("PRAGMA max_page_count = 1000000")
      yield* store.save([big(3, epoch)])
      assert.deepStrictEqual(yield* seqs(store), [3, 1])
    }))

  it.live(
    "the same with a database of its own: the connection is fit for use afterwards",
    () =>
      Effect.gen(function*() {
        if (process.platform === "win32") return
        const filename = join(yield* folder, "test.db")
        const writer = yield* start(["sqlite", filename, "NORMAL"], "ulimit -f 400")
        yield* writer.printed("failed")
        yield* writer.ended
        const acked = writer.lines.filter((line) => line.startsWith("acked")).length
        assert.isAbove(acked, 5)
        const store = yield* StateStoreSqlite.make({ filename })
        assert.strictEqual((yield* seqs(store))[0], acked)
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("c", acked + 1, epoch)])
      })
  )

  it.live("a snapshot that is older than what its key has is refused, by the names of both; its batch is not stored", () =>
    Effect.gen(function*() {
      const store = yield* StateStoreSqlite.make({ filename: ":memory:" })
      const epoch = yield* store.acquireEpoch("app")
      yield* store.save([record("a", 2, epoch)])
      for (const seq of [10, 11, 12]) yield* store.save([record("b\u0000", seq, epoch)])
      const { reason } = yield* Effect.flip(store.save([record("a", 3, epoch), record("b\u0000", 4, epoch)]))
      assert.deepStrictEqual(reason, {
        _tag: "Invalid",
        what: "snapshot 4 of \"b\u0000\" is older than 12, which it has"
      })
      assert.deepStrictEqual([yield* seqs(store), yield* seqs(store, "b\u0000")], [[2], [12, 11, 10]])
    }))

  it.live("a database that another process has locked is unavailable, and may be tried again", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "test.db")
      const store = yield* StateStoreSqlite.make({ filename, busyTimeout: 1 })
      const epoch = yield* store.acquireEpoch("app")
      yield* store.save([record("a", 1, epoch)])
      const other = new DatabaseSync(filename)
      other.exec("BEGIN IMMEDIATE")
      for (
        const write of [
          store.save([record("a", 2, epoch)]),
          store.save([{ ...record("a", 2, epoch), forgetAnswersBefore: 1 }]),
          Effect.asVoid(store.acquireEpoch("app")),
          store.remove(["a"], epoch)
        ]
      ) {
        assert.strictEqual(reasonOf(yield* Effect.exit(write))?._tag, "Unavailable")
      }
      assert.deepStrictEqual(yield* seqs(store), [1])
      other.exec("ROLLBACK")
      other.close()
      yield* store.save([record("a", 2, epoch)])
      assert.deepStrictEqual(yield* seqs(store), [2, 1])
    }))

  it.live("one that is locked when it is opened is waited for, which is said; without patience it is not", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "test.db")
      const other = new DatabaseSync(filename)
      other.exec("PRAGMA journal_mode = WAL; CREATE TABLE theirs (x); BEGIN EXCLUSIVE")
      const open = (patience: number) => StateStoreSqlite.make({ filename, busyTimeout: 1, patience })
      assert.strictEqual(reasonOf(yield* Effect.exit(open(0)))?._tag, "Unavailable")
      const opened = yield* isWaitedFor(open(20_000), Effect.sync(() => other.exec("ROLLBACK")))
      yield* opened.save([record("a", 1, yield* opened.acquireEpoch("app"))])
      assert.deepStrictEqual(yield* seqs(opened), [1])
      other.close()
    }))

  it.live("a snapshot that could not be written takes no other's place: the newest are kept", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "test.db")
      const store = yield* StateStoreSqlite.make({ filename, busyTimeout: 1 })
      const epoch = yield* store.acquireEpoch("app")
      for (let seq = 1; seq <= 3; seq++) yield* store.save([record("a", seq, epoch)])
      const other = new DatabaseSync(filename)
      other.exec("BEGIN IMMEDIATE")
      assert.strictEqual(reasonOf(yield* Effect.exit(store.save([record("a", 4, epoch)])))?._tag, "Unavailable")
      other.exec("ROLLBACK")
      other.close()
      yield* store.save([record("a", 5, epoch)])
      assert.deepStrictEqual(yield* seqs(store), [5, 3, 2])
    }))

  it.live("a file that is not a database, and a folder that is not there, are refused at opening", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      fs.writeFileSync(join(directory, "text.db"), "this is not a database, however long it may be".repeat(100))
      const text = yield* Effect.exit(StateStoreSqlite.make({ filename: join(directory, "text.db") }))
      const missing = yield* Effect.exit(StateStoreSqlite.make({ filename: join(directory, "none", "test.db") }))
      const folderItself = yield* Effect.exit(StateStoreSqlite.make({ filename: directory }))
      assert.deepStrictEqual([text, missing, folderItself].map((exit) => reasonOf(exit)?._tag), [
        "Corrupt",
        "Unusable",
        "Unusable"
      ])
      for (const exit of [missing, folderItself]) {
        const error = Exit.findErrorOption(exit)
        const message = error._tag === "Some" ? error.value.message : ""
        assert.include(message, `open of the state store "sqlite ${directory}`)
        assert.include(message, "Nothing was written")
      }
    }))

  it.live("an error that trying again cannot mend says so: a table that is gone, or is another one", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const filename = join(directory, "test.db")
      const store = yield* StateStoreSqlite.make({ filename })
      const epoch = yield* store.acquireEpoch("app")
      const other = new DatabaseSync(filename)
      other.exec("CREATE TABLE odd (x); CREATE TABLE odd_owners (x)")
      other.exec("ALTER TABLE heirloom_state RENAME TO away")
      const gone = [yield* Effect.exit(store.save([record("a", 1, epoch)])), yield* Effect.exit(store.load("a"))]
      const others = [yield* Effect.exit(StateStoreSqlite.make({ filename, table: "odd" }))]
      other.exec(
        "ALTER TABLE away RENAME TO heirloom_state; ALTER TABLE heirloom_state ADD COLUMN more NOT NULL DEFAULT 1"
      )
      other.exec("CREATE TRIGGER t BEFORE INSERT ON heirloom_state BEGIN SELECT raise(ABORT, 'by somebody else'); END")
      const constrained = yield* Effect.exit(store.save([record("a", 1, epoch)]))
      other.exec("DROP TRIGGER t")
      other.close()
      for (const exit of [...gone, ...others, constrained]) {
        assert.strictEqual(reasonOf<unknown>(exit)?._tag, "Unusable")
        const error = Exit.findErrorOption<unknown, StateStore.StoreError>(exit)
        assert.isFalse(error._tag === "Some" && error.value.isRetryable)
      }
      yield* store.save([record("a", 1, epoch)])
      assert.deepStrictEqual(yield* seqs(store), [1])
    }))

  it.live("a database that was put back to what it had been is no younger session: SQLite", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "test.db")
      const store = yield* StateStoreSqlite.make({ filename })
      yield* store.acquireEpoch("app")
      const epoch = yield* store.acquireEpoch("app")
      const other = new DatabaseSync(filename)
      other.exec("UPDATE heirloom_state_owners SET epoch = 1")
      other.close()
      yield* isOlder(store, epoch)
    }))

  it.live("one that is read-only is not asked again and again, and is usable when it is not any more", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(SqliteClient.layer({ filename: join(yield* folder, "test.db") }))
      const sql = Context.get(context, SqlClient.SqlClient)
      const store = yield* Effect.provideContext(StateStoreSql.make(), context)
      const epoch = yield* store.acquireEpoch("app")
      yield* sql.unsafe("PRAGMA query_only = ON")
      assert.strictEqual(reasonOf(yield* Effect.exit(store.save([record("a", 1, epoch)])))?._tag, "Unusable")
      yield* sql.unsafe("PRAGMA query_only = OFF")
      yield* store.save([record("a", 1, epoch)])
    }))

  it("a store cannot be asked to be read-only", () => {
    // @ts-expect-error it writes
    assert.isDefined(StateStoreSqlite.make({ filename: "x", readOnly: true }))
  })

  it.live("servers over such a store fail at once, not after half a minute of trying again", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "test.db")
      class Db extends StateStore.Service<Db>()("test/Db", "process") {}
      const app = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerStore(Account, { store: Db }),
        Account.layer(behavior(new Inside(new Scripted())))
      ]).pipe(Layer.provide(StateStoreSqlite.layer(Db, { filename })), Layer.provideMerge(Harness.Harness.layer))
      yield* Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const account = yield* Account
        yield* account.Add({ by: 1 })
        const other = new DatabaseSync(filename)
        other.exec("DROP TABLE heirloom_state")
        other.close()
        const { reason } = yield* Effect.flip(account.Add({ by: 1 }))
        if (reason._tag !== "NotConserved") return assert.fail(reason._tag)
        assert.match(toText(crashed(reason.cause)), /no such table: heirloom_state/)
        const gaveUp = yield* harness.awaitTag("GaveUp", "root")
        assert.match(toText(gaveUp.reason), /no such table: heirloom_state/)
      }).pipe(Effect.provide(app), Effect.provide(Logger.layer([])))
    }))

  it.live("a table's name is a plain name", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "test.db")
      for (const table of ["a b", "1st", "x;drop", "", "x".repeat(41)]) {
        assert.strictEqual(reasonOf(yield* Effect.exit(StateStoreSqlite.make({ filename, table })))?._tag, "Invalid")
      }
    }))

  it.live("SQLite for a store that has to survive the machine is refused, and says why", () =>
    Effect.gen(function*() {
      class Far extends StateStore.Service<Far>()("test/Far", "machine") {}
      class Near extends StateStore.Service<Near>()("test/Near", "process") {}
      const client = SqliteClient.layer({ filename: join(yield* folder, "test.db") })
      const near = yield* Effect.exit(Layer.build(StateStoreSql.layer(Near).pipe(Layer.provide(client))))
      assert.isTrue(Exit.isSuccess(near))
      const far = yield* Effect.exit(Layer.build(StateStoreSql.layer(Far).pipe(Layer.provide(client))))
      const error = Exit.findErrorOption(far)
      assert.match(
        error._tag === "Some" ? error.value.message : "",
        /it survives the process, and "test\/Far" has to survive the machine/
      )
    }))

  it("a store that has to survive the machine in a SQLite database of its own does not compile", () => {
    class Far extends StateStore.Service<Far>()("test/Far", "machine") {}
    // @ts-expect-error SQLite survives the process, not the machine
    assert.isTrue(Layer.isLayer(StateStoreSqlite.layer(Far, { filename: "x" })))
  })
})

describe("PostgreSQL that fails", () => {
  const postgres = usePostgres()

  let tables = 0
  const opened = Effect.fnUntraced(function*(table = `faults_${++tables}`) {
    const context = yield* Layer.build(postgres().client)
    const store = yield* Effect.provideContext(StateStoreSql.make({ table }), context)
    return { store, table, sql: Context.get(context, SqlClient.SqlClient) }
  })

  it.live(
    "a database server restarted in the middle: every acknowledged write is there, a failed one may be saved again",
    () =>
      Effect.gen(function*() {
        const { store } = yield* opened()
        const epoch = yield* store.acquireEpoch("app")
        let acknowledged = 0
        const writing = yield* Effect.forkChild(Effect.gen(function*() {
          for (let seq = 1; seq <= 400; seq++) {
            // as a writer does: the same batch again until it is stored
            yield* Effect.retry(store.save([record("a", seq, epoch), record("b", seq, epoch)]), {
              while: (error) => {
                assert.strictEqual(error.reason._tag, "Unavailable")
                return error.isRetryable
              },
              schedule: Schedule.spaced("20 millis")
            })
            acknowledged = seq
          }
        }))
        yield* Effect.repeat(Effect.sleep("1 millis"), { until: () => acknowledged > 20 })
        yield* postgres().stop
        const atStop = acknowledged
        assert.strictEqual(reasonOf(yield* Effect.exit(store.load("a")))?._tag, "Unavailable")
        yield* postgres().start
        yield* Fiber.join(writing)
        assert.isBelow(atStop, 400)
        assert.deepStrictEqual(yield* seqs(store), [400, 399, 398])
        assert.deepStrictEqual(yield* seqs(store, "b"), [400, 399, 398])
      })
  )

  for (
    const [how, away, back] of [
      ["missing", "DROP TABLE $t$w", undefined],
      ["moved", "ALTER TABLE $t$w RENAME TO $t_away", "ALTER TABLE $t_away RENAME TO $t$w"],
      ["moved", "ALTER TABLE $t$w SET SCHEMA elsewhere", "ALTER TABLE elsewhere.$t$w SET SCHEMA public"]
    ] as const
  ) {
    const deed = away.replaceAll(/\$\w+ ?/g, "")
    it.live(`a table of PostgreSQL's that is not where it was is ${how}: by ${deed}; one that is back in time is gone on with`, () =>
      Effect.gen(function*() {
        const { sql, store, table } = yield* opened(`Gone_${++tables}`)
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 1, epoch)])
        yield* sql.unsafe("CREATE SCHEMA IF NOT EXISTS elsewhere")
        for (const which of ["", "_owners"]) {
          const run = (text: string) => sql.unsafe(text.replaceAll("$t", table).replaceAll("$w", which))
          yield* run(away)
          for (const asked of [store.confirm!(epoch, "a"), store.save([record("a", 2, epoch)])]) {
            const error = yield* Effect.flip(asked)
            assert.deepStrictEqual(error.reason, { _tag: "Gone", path: `table ${table}${which}`, how })
            assert.strictEqual(error.isRetryable, how === "moved")
          }
          if (back === undefined) return
          yield* run(back)
        }
        yield* store.save([record("a", 2, epoch)])
        assert.deepStrictEqual(yield* seqs(store), [2, 1])
      }))
  }

  it.live("an error that trying again cannot mend says so: a column of PostgreSQL's that is gone", () =>
    Effect.gen(function*() {
      const { sql, store, table } = yield* opened()
      const epoch = yield* store.acquireEpoch("app")
      yield* sql.unsafe(`ALTER TABLE ${table} DROP COLUMN state`)
      assert.strictEqual(reasonOf(yield* Effect.exit(store.load("a")))?._tag, "Unusable")
      assert.strictEqual(reasonOf(yield* Effect.exit(store.save([record("a", 1, epoch)])))?._tag, "Unusable")
    }))

  it.live("one that is out of connections when it is opened is waited for", () =>
    Effect.gen(function*() {
      const { sql } = yield* opened()
      yield* sql.unsafe("CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 1")
      yield* sql.unsafe("GRANT ALL ON SCHEMA public TO few")
      const few = Layer.build(PgClient.layer({
        host: "127.0.0.1",
        port: postgres().port,
        username: "few",
        password: Redacted.make("few"),
        database: "postgres",
        ssl: false,
        maxConnections: 1
      }))
      const others = yield* Scope.make()
      const client = yield* Scope.provide(few, others)
      yield* Context.get(client, SqlClient.SqlClient).unsafe("SELECT 1")
      const table = `test_${++tables}`
      const open = Effect.flatMap(
        Effect.orDie(few),
        (context) => Effect.provideContext(StateStoreSql.make({ table, patience: 20_000 }), context)
      )
      const store = yield* isWaitedFor(open, Scope.close(others, Exit.void))
      yield* store.save([record("a", 1, yield* store.acquireEpoch("app"))])
      assert.deepStrictEqual(yield* seqs(store), [1])
    }))

  it.live("a database that was put back to what it had been is no younger session: PostgreSQL", () =>
    Effect.gen(function*() {
      const { sql, store, table } = yield* opened()
      yield* store.acquireEpoch("app")
      const epoch = yield* store.acquireEpoch("app")
      yield* sql.unsafe(`UPDATE ${table}_owners SET epoch = 1`)
      yield* isOlder(store, epoch)
    }))

  it.live("a disk that is full says so", () =>
    Effect.gen(function*() {
      const { sql, store, table } = yield* opened()
      const epoch = yield* store.acquireEpoch("app")
      yield* store.save([record("a", 1, epoch)])
      // the server itself raises its own error for a full disk
      yield* sql.unsafe(`CREATE FUNCTION full_${table}() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$`)
      yield* sql.unsafe(`CREATE TRIGGER t BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION full_${table}()`)
      assert.strictEqual(reasonOf(yield* Effect.exit(store.save([record("a", 2, epoch)])))?._tag, "Full")
      yield* sql.unsafe(`DROP TRIGGER t ON ${table}`)
      yield* store.save([record("a", 2, epoch)])
      assert.deepStrictEqual(yield* seqs(store), [2, 1])
    }))

  it.live(
    "a write that hangs on another client's lock goes on when that is gone, and can be given up before",
    () =>
      Effect.gen(function*() {
        const { store, table } = yield* opened()
        const { sql: other } = yield* opened(table)
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 1, epoch)])
        yield* other.withTransaction(Effect.gen(function*() {
          yield* other.unsafe(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`)
          const given = yield* Effect.timeoutOption(store.save([record("a", 2, epoch)]), "100 millis")
          assert.strictEqual(given._tag, "None")
        }))
        yield* store.save([record("a", 3, epoch)])
        const [newest, ...older] = yield* seqs(store)
        assert.strictEqual(newest, 3)
        // the one that was given up may have been stored, or not: the newest is what was acknowledged
        assert.isTrue(older.join() === "1" || older.join() === "2,1", older.join())
      })
  )

  it.live(
    "an epoch acquired while a write is on its way: the write comes before it, or is refused",
    () =>
      Effect.gen(function*() {
        const one = yield* opened()
        const two = yield* opened(one.table)
        for (let round = 0; round < 40; round++) {
          const old = yield* one.store.acquireEpoch("app")
          const key = `k${round}`
          const saving = yield* Effect.forkChild(
            Effect.exit(one.store.save([record(key, 1, old), record(key, 2, old)])),
            { startImmediately: true }
          )
          const current = yield* two.store.acquireEpoch("app")
          const found = yield* two.store.load(key)
          const exit = yield* Fiber.join(saving)
          if (Exit.isSuccess(exit)) assert.deepStrictEqual(found.map((record) => record.seq), [2, 1])
          else {
            assert.deepStrictEqual(reasonOf(exit), { _tag: "Fenced", owner: "app", epoch: old, current })
            assert.deepStrictEqual(yield* two.store.load(key), [])
          }
        }
      })
  )

  for (
    const [name, write] of [
      ["setAside", (store, epoch) => store.setAside({ key: "a", seq: 1, epoch, why: "test" })],
      ["remove", (store, epoch) => store.remove(["a"], epoch)]
    ] as ReadonlyArray<
      readonly [
        string,
        (
          store: StateStore.StateStore<StateContainer.Grade>,
          epoch: number
        ) => Effect.Effect<void, StateStore.StoreError>
      ]
    >
  ) {
    it.live(`the epoch that ${name} has looked up is in force until it is done: a younger session waits for it`, () =>
      Effect.gen(function*() {
        const { store, table } = yield* opened()
        const { sql: other } = yield* opened(table)
        const { store: younger } = yield* opened(table)
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 1, epoch)])
        /** Until so many statements wait for a lock, or another fiber has ended. */
        const waiting = (count: number, fiber?: Fiber.Fiber<unknown, unknown>) =>
          Effect.repeat(other.unsafe("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), {
            until: (rows) => rows.length >= count || fiber?.pollUnsafe() !== undefined
          })
        const [writing, acquiring] = yield* other.withTransaction(Effect.gen(function*() {
          yield* other.unsafe(`SELECT * FROM ${table} FOR UPDATE`)
          const writing = yield* Effect.forkChild(write(store, epoch), { startImmediately: true })
          yield* waiting(1)
          const acquiring = yield* Effect.forkChild(younger.acquireEpoch("app"), { startImmediately: true })
          yield* waiting(2, acquiring)
          assert.isUndefined(acquiring.pollUnsafe())
          return [writing, acquiring] as const
        }))
        yield* Fiber.join(writing)
        assert.isAbove(yield* Fiber.join(acquiring), epoch)
        assert.deepStrictEqual(yield* seqs(younger), [])
      }))
  }

  it.live("two clients that open a store for the first time at once both do", () =>
    Effect.gen(function*() {
      const table = "first_time"
      const stores = yield* Effect.all(Array.from({ length: 6 }, () => opened(table)), { concurrency: "unbounded" })
      const epochs = yield* Effect.forEach(stores, ({ store }) => store.acquireEpoch("app"), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(epochs.slice().sort(), [1, 2, 3, 4, 5, 6])
    }))
})
