/** Rows of SQLite and PostgreSQL that are not what was written: found when they are read, set aside, and told. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as Answers from "../../../../src/domain/state/Answers.ts"
import { DynamicSupervisor, GenServer, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import * as StateStoreSql from "../../../../src/layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { Harness } from "../../../../src/testing.ts"
import { folder } from "../../../kit/Folder.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { copy } from "../../../kit/stores/Copies.ts"
import { answer, loaded, record, seqsOf, timer } from "../../../kit/stores/Records.ts"
import { usePostgres } from "../../../kit/stores/UsePostgres.ts"

type Store = StateStore.StateStore<StateContainer.Grade>

interface Subject {
  readonly store: Store
  /** The store as another process opens it. */
  readonly reopened: Effect.Effect<Store, StateStore.StoreError, Scope.Scope>
  /** Does something to the rows, behind the store's back. */
  readonly tamper: (statement: string) => Effect.Effect<void>
  readonly table: string
}

const sqlite = Effect.gen(function*() {
  const filename = join(yield* folder, "test.db")
  const reopened = StateStoreSqlite.make({ filename })
  const subject: Subject = {
    store: yield* reopened,
    reopened,
    table: "heirloom_state",
    tamper: (statement) =>
      Effect.sync(() => {
        const db = new DatabaseSync(filename)
        db.exec(statement)
        db.close()
      })
  }
  return subject
})

class Till extends GenServer.Service<Till>()("test/Till", {
  state: Schema.Int,
  messages: { Earn: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }) }
}) {}
class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}
class Db extends StateStore.Service<Db>()("test/Db", "process") {}

/** What each column of a snapshot's row is changed to, and whether its number is still known. */
const damages = [
  ["state", `'{"count":4}'`, true],
  ["state", `''`, true],
  ["version", "2", false],
  ["trusted", "99", false],
  ["epoch", "77", false],
  ["at", "1", false],
  ["seq", "1", false],
  ["seq", "123456789012345", false],
  ["sum", "0", false],
  ["sum", "sum + 1", true]
] as const

const suite = (name: string, make: Effect.Effect<Subject, unknown, Scope.Scope>) =>
  describe(`${name}: a row that is not what was written`, () => {
    for (const [column, value, isKnown] of damages) {
      it.live(`${column} = ${value} of the newest snapshot is found, and the one before is whole`, () =>
        Effect.gen(function*() {
          const { reopened, store, table, tamper } = yield* make
          const epoch = yield* store.acquireEpoch("app")
          for (let seq = 5; seq <= 8; seq++) yield* store.save([record("a", seq, epoch), record("b", seq, epoch)])
          yield* tamper(`UPDATE ${table} SET ${column} = ${value} WHERE key = 'a' AND seq = 8`)
          const other = yield* reopened
          const [newest, ...older] = yield* other.load("a")
          assert.strictEqual(newest?.seq, 8)
          assert.match(newest?.damaged ?? "", isKnown ? /its text is not/ : /its row is not/)
          assert.deepStrictEqual(older, [7, 6].map((seq) => loaded(record("a", seq, epoch))))
          const next = yield* other.acquireEpoch("app")
          yield* other.setAside({ key: "a", seq: 8, epoch: next, why: "damaged" })
          assert.deepStrictEqual(seqsOf(yield* other.load("a")), [7, 6])
          assert.deepStrictEqual((yield* other.listAside("a")).map((one) => [one.seq, one.why, one.damaged]), [
            [8, "damaged", undefined]
          ])
          yield* other.save([record("a", 9, next)])
          assert.deepStrictEqual(seqsOf(yield* other.load("a")), [9, 7, 6])
        }))
    }

    it.live("several that have lost their numbers are set aside one after the other, and the whole one is left", () =>
      Effect.gen(function*() {
        const { reopened, store, table, tamper } = yield* make
        const epoch = yield* store.acquireEpoch("app")
        for (let seq = 5; seq <= 8; seq++) yield* store.save([record("a", seq, epoch)])
        yield* tamper(`UPDATE ${table} SET seq = 7 - seq WHERE key = 'a' AND seq <> 7`)
        const other = yield* reopened
        const found = yield* other.load("a")
        assert.deepStrictEqual(found.map((one) => [one.seq, one.damaged === undefined]), [[9, false], [8, false], [
          7,
          true
        ]])
        const next = yield* other.acquireEpoch("app")
        for (const { seq } of found.slice(0, 2)) yield* other.setAside({ key: "a", seq, epoch: next, why: "damaged" })
        assert.deepStrictEqual(seqsOf(yield* other.load("a")), [7])
        assert.deepStrictEqual(
          (yield* other.listAside("a")).map((one) => one.state).sort(),
          [6, 8].map((seq) => record("a", seq, 1).state)
        )
      }))

    it.live("a newest snapshot that is not there, though an answer came with it, is missed", () =>
      Effect.gen(function*() {
        const { reopened, store, table, tamper } = yield* make
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 1, epoch)])
        yield* store.save([record("a", 2, epoch, { answers: [answer("x", 2)] })])
        yield* tamper(`DELETE FROM ${table} WHERE seq = 2`)
        const other = yield* reopened
        const [newest] = yield* other.load("a")
        assert.strictEqual(newest?.seq, 2)
        assert.match(newest?.damaged ?? "", /not there any more/)
        yield* other.setAside({ key: "a", seq: 2, epoch: yield* other.acquireEpoch("app"), why: "gone" })
        assert.deepStrictEqual(seqsOf(yield* other.load("a")), [1])
        assert.deepStrictEqual(seqsOf(yield* other.listAside("a")), [2])
      }))

    it.live("an answer that is not what was recorded is lost, for its call alone where that is known", () =>
      Effect.gen(function*() {
        const { reopened, store, table, tamper } = yield* make
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 1, epoch, { answers: [answer("x", 1)] })])
        yield* store.save([record("a", 2, epoch, { answers: [answer("y", 2)] })])
        yield* tamper(`UPDATE ${table}_answers SET body = '{"reply":"z"}' WHERE id = 'x'`)
        const read = (store: Store) =>
          Effect.map(
            store.load("a"),
            ([newest]) => newest?.answers?.map((one) => [one.id, Answers.lossOf(one) === undefined])
          )
        const other = yield* reopened
        assert.deepStrictEqual(yield* read(other), [["x", false], ["y", true]])
        yield* tamper(`UPDATE ${table}_answers SET id = 'w' WHERE id = 'y'`)
        assert.deepStrictEqual(yield* read(other), [["x", false], ["", false]])
        // what stands for them takes their place with the next commit, and ages from then on; one of which it is not
        // known what it was is as young as the newest snapshot
        yield* other.save([record("a", 3, yield* other.acquireEpoch("app"))])
        const again = yield* reopened
        const [newest] = yield* again.load("a")
        assert.deepStrictEqual(newest?.answers?.map((one) => [one.id, one.at]), [["", record("a", 2, epoch).at], [
          "x",
          1
        ]])
        assert.match(Answers.lossOf(newest!.answers![1]!) ?? "", /not what was written: \{"reply":"z"\}/)
      }))

    it.live("timers that are not what was set are not delivered, nor those before them; a line in the log names the key", () =>
      Effect.gen(function*() {
        const { reopened, store, table, tamper } = yield* make
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 1, epoch, { timers: [timer("old", 5)] })])
        yield* store.save([record("a", 2, epoch, { timers: [timer("new", 7)] })])
        yield* tamper(`UPDATE ${table}_timers SET timers = replace(timers, '7', '8') WHERE seq = 2`)
        const { layer, lines } = recordedLog(({ level }) => level === "Error")
        const other = yield* reopened
        const [newest, before] = yield* Effect.provide(other.load("a"), layer)
        assert.deepStrictEqual([newest?.damaged, newest?.timers, before?.timers], [undefined, undefined, [
          timer("old", 5)
        ]])
        assert.deepStrictEqual(yield* other.timers!(10), [])
        assert.match(
          lines.map((one) => one.text).join(),
          /durable timers of "a" .* snapshot 2, are not what was written/
        )
      }))

    it.live("what was set aside and is not what was says so, and the others are listed", () =>
      Effect.gen(function*() {
        const { reopened, store, table, tamper } = yield* make
        const epoch = yield* store.acquireEpoch("app")
        for (let seq = 1; seq <= 3; seq++) {
          yield* store.save([record("a", seq, epoch, { answers: [answer(`k${seq}`, seq)] })])
        }
        for (let seq = 3; seq >= 1; seq--) yield* store.setAside({ key: "a", seq, epoch, why: "odd" })
        yield* tamper(`UPDATE ${table}_aside SET answers = 'no json' WHERE seq = 2`)
        const listed = yield* (yield* reopened).listAside()
        assert.deepStrictEqual(listed.map((one) => [one.seq, one.damaged === undefined]), [[3, true], [2, false], [
          1,
          true
        ]])
      }))

    it.live("a server starts from the one before: an event and an error line name it, and nothing is deleted", () =>
      Effect.gen(function*() {
        const { reopened, store, table, tamper } = yield* make
        const app = (store: Store) =>
          Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
            StateContainer.layerStore(Till, { store: Db }),
            Pool.layer(),
            Till.layerKeyed({ init: 0, handlers: { Earn: (sum, { amount }) => [sum + amount, sum + amount] } })
          ]).pipe(
            Layer.provide(StateStore.layer(Db, Effect.succeed({ ...store, grade: "process" as const }))),
            Layer.provideMerge(Harness.Harness.layer)
          )
        const earn = (key: string, amount: number) => Effect.flatMap(Till.at(key), (till) => till.Earn({ amount }))
        yield* Effect.provide(
          Effect.forEach(["a", "b"], (key) => Effect.forEach([1, 2, 123_453], (amount) => earn(key, amount))),
          app(store)
        )
        yield* tamper(`UPDATE ${table} SET state = '123556' WHERE state = '123456' AND key = 'test/Till/a'`)
        const { layer, lines } = recordedLog(({ level }) => level === "Error")
        yield* Effect.gen(function*() {
          assert.deepStrictEqual([yield* earn("a", 0), yield* earn("b", 0)], [3, 123_456])
          const event = yield* (yield* Harness.Harness).awaitTag("StateRolledBack", yield* Till.at("a"))
          assert.deepStrictEqual([event.from, event.to], [3, 2])
        }).pipe(Effect.provide(app(yield* reopened)), Effect.provide(layer))
        assert.match(
          lines.map((one) => one.text).join("\n"),
          /^.*test\/Till.*a.* starts from snapshot 2, and not from 3.*$/
        )
        const [aside, ...others] = yield* store.listAside()
        assert.deepStrictEqual([aside?.key, aside?.state, others.length], ["test/Till/a", "123556", 0])
      }))
  })

suite("SQLite", sqlite)

describe("over PostgreSQL", () => {
  const postgres = usePostgres()
  let tables = 0
  suite(
    "PostgreSQL",
    Effect.gen(function*() {
      const table = `rows_${++tables}`
      const context = yield* Effect.orDie(Layer.build(postgres().client))
      const reopened = Effect.provideContext(StateStoreSql.make({ table }), context)
      const sql = Context.get(context, SqlClient.SqlClient)
      const subject: Subject = {
        store: yield* reopened,
        reopened,
        table,
        tamper: (statement) => Effect.orDie(Effect.asVoid(sql.unsafe(statement)))
      }
      return subject
    })
  )

  it.live("tables of version 0.1 are read, and their rows have checksums from then on", () =>
    Effect.gen(function*() {
      const sql = Context.get(yield* Layer.build(postgres().client), SqlClient.SqlClient)
      yield* written01(true, (statement) => Effect.orDie(sql.unsafe(statement)))
      yield* upgraded(
        Effect.provideService(StateStoreSql.make({ table: "old" }), SqlClient.SqlClient, sql),
        (statement) => Effect.orDie(sql.unsafe(statement))
      )
      yield* sql.unsafe("DROP TABLE old, old_answers, old_timers, old_aside, old_owners")
    }))

  it.live("tables of version 0.1 with many rows keep them all", () =>
    Effect.gen(function*() {
      const sql = Context.get(yield* Layer.build(postgres().client), SqlClient.SqlClient)
      yield* written01(true, (statement) => Effect.orDie(sql.unsafe(statement)))
      yield* sql.unsafe(
        "INSERT INTO old SELECT 'k' || n % 400, n / 400, 1 + n / 400, 1, 1, 0, 1, n::text FROM generate_series(0, 1199) n"
      )
      const store = yield* Effect.provideService(StateStoreSql.make({ table: "old" }), SqlClient.SqlClient, sql)
      assert.strictEqual((yield* store.keys("k")).length, 400)
      for (const n of [0, 1, 399]) {
        const found = yield* store.load(`k${n}`)
        assert.deepStrictEqual(found.map((one) => [one.state, one.damaged]), [[`${n + 800}`, undefined], [
          `${n + 400}`,
          undefined
        ], [`${n}`, undefined]])
      }
    }))
})

/** Tables as version 0.1 made them, with three snapshots, an answer, timers and one set aside. */
const written01 = Effect.fnUntraced(function*(
  isPostgres: boolean,
  run: (statement: string) => Effect.Effect<unknown>
) {
  const text = isPostgres ? `text COLLATE "C"` : "text"
  const float = isPostgres ? "double precision" : "real"
  const state = (seq: number) => `'${JSON.stringify({ count: seq })}'`
  const timers = JSON.stringify([timer("t", 9)])
  for (
    const statement of [
      `CREATE TABLE old (key ${text} NOT NULL, slot ${
        isPostgres ? "smallint" : "integer"
      } NOT NULL, seq bigint NOT NULL,
        epoch bigint NOT NULL, version integer NOT NULL, trusted bigint NOT NULL, at ${float} NOT NULL, state text NOT NULL,
        PRIMARY KEY (key, slot))`,
      `CREATE TABLE old_answers (key ${text} NOT NULL, id ${text} NOT NULL, seq bigint NOT NULL, at ${float} NOT NULL,
        body text NOT NULL, PRIMARY KEY (key, id))`,
      `CREATE TABLE old_timers (key ${text} NOT NULL, seq bigint NOT NULL, due ${float}, timers text NOT NULL,
        PRIMARY KEY (key, seq))`,
      "CREATE INDEX old_timers_due ON old_timers (due, key) WHERE due IS NOT NULL",
      `CREATE TABLE old_aside (id ${isPostgres ? "bigserial" : "integer"} PRIMARY KEY, key ${text} NOT NULL,
        seq bigint NOT NULL, epoch bigint NOT NULL, version integer NOT NULL, trusted bigint NOT NULL, at ${float} NOT NULL,
        state text NOT NULL, answers text NOT NULL, why text NOT NULL, aside_at ${float} NOT NULL)`,
      "CREATE INDEX old_aside_key ON old_aside (key)",
      `CREATE TABLE old_owners (owner ${text} PRIMARY KEY, epoch bigint NOT NULL UNIQUE)`,
      "INSERT INTO old_owners VALUES ('app', 3)",
      ...[2, 3, 4].map((seq) =>
        `INSERT INTO old VALUES ('a', ${seq % 3}, ${seq}, 3, 1, ${seq - 1}, ${1_700_000_000_000 + seq}, ${state(seq)})`
      ),
      `INSERT INTO old_answers VALUES ('a', 'x', 4, 4, '${answer("x", 4).body}')`,
      `INSERT INTO old_timers VALUES ('a', 4, 9, '${timers}')`,
      `INSERT INTO old_aside VALUES (7, 'a', 5, 3, 1, 4, 1.5, ${state(5)}, '[]', 'odd', 2.5)`
    ]
  ) yield* run(statement)
})

const upgraded = Effect.fnUntraced(function*(
  open: Effect.Effect<Store, StateStore.StoreError, Scope.Scope>,
  run: (statement: string) => Effect.Effect<unknown>
) {
  const store = yield* open
  assert.deepStrictEqual(
    yield* store.load("a"),
    [4, 3, 2].map((seq) =>
      record("a", seq, 3, {
        answers: seq === 4 ? [answer("x", 4)] : [],
        ...(seq === 4 ? { timers: [timer("t", 9)] } : {})
      })
    )
  )
  assert.deepStrictEqual((yield* store.timers!(10)).map((one) => [one.key, one.due]), [["a", 9]])
  const [aside] = yield* store.listAside()
  assert.deepStrictEqual([aside?.seq, aside?.why, aside?.asideAt, aside?.damaged], [5, "odd", 2.5, undefined])
  const epoch = yield* store.acquireEpoch("app")
  assert.strictEqual(epoch, 4)
  yield* store.setAside({ key: "a", seq: 4, epoch, why: "odd too" })
  yield* store.save([record("a", 6, epoch)])
  const again = yield* open
  assert.deepStrictEqual(seqsOf(yield* again.load("a")), [6, 3, 2])
  assert.deepStrictEqual(seqsOf(yield* again.listAside("a")), [5, 4])
  yield* run("UPDATE old SET state = '{}' WHERE seq = 3")
  assert.deepStrictEqual((yield* again.load("a")).map((one) => one.damaged === undefined), [true, false, true])
  // the earlier version does not know the checksums: its statements are refused
  const earlier = run(
    `INSERT INTO old AS t (epoch, key, slot, seq, version, trusted, at, state)
     SELECT 4, 'a', 0, 7, 1, 6, 1, '{}' WHERE true ON CONFLICT (key, slot) DO UPDATE SET seq = excluded.seq, state = excluded.state`
  )
  assert.isTrue((yield* Effect.exit(earlier))._tag === "Failure")
})

describe("a database of version 0.1", () => {
  it.live("is read, and its rows have checksums from then on", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "test.db")
      const db = new DatabaseSync(filename)
      const run = (statement: string) => Effect.sync(() => db.exec(statement))
      yield* written01(false, run)
      yield* upgraded(StateStoreSqlite.make({ filename, table: "old" }), run)
      db.close()
    }))

  it.live("that has many rows keeps them all", () =>
    Effect.gen(function*() {
      const filename = join(yield* copy, "states.db")
      const db = new DatabaseSync(filename)
      const insert = db.prepare("INSERT INTO heirloom_state VALUES (?, ?, 1, 1, 1, 0, 1, ?)")
      db.exec("BEGIN")
      for (let i = 0; i < 1200; i++) insert.run(`k${i % 400}`, Math.floor(i / 400), `${i}`)
      db.exec("COMMIT")
      db.close()
      const store = yield* StateStoreSqlite.make({ filename })
      assert.strictEqual((yield* store.keys("k")).length, 400)
      for (const key of ["k0", "k399"]) {
        assert.isTrue((yield* store.load(key)).every((one) => one.damaged === undefined))
        assert.strictEqual((yield* store.load(key)).length, 3)
      }
    }))
})
