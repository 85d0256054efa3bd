/** Tables of SQLite and PostgreSQL that something else empties, or makes anew, and rows that it takes or puts back. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Option, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as Answers from "../../../../src/domain/state/Answers.ts"
import { Snapshots, type StateContainer, type StateStore } from "../../../../src/index.ts"
import * as StateStoreSql from "../../../../src/layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { command } from "../../../../src/programs/snapshots.ts"
import { folder } from "../../../kit/Folder.ts"
import { quiet, recordedLog } from "../../../kit/Log.ts"
import { printed } from "../../../kit/RunCommand.ts"
import { answer, reasonOf, record, seqsOf, timer } from "../../../kit/stores/Records.ts"
import { usePostgres } from "../../../kit/stores/UsePostgres.ts"

type Store = StateStore.StateStore<StateContainer.Grade>

interface Subject {
  /** The store as one process after the other opens it. */
  readonly open: Effect.Effect<Store, StateStore.StoreError, Scope.Scope>
  /** The store, for those who only look. */
  readonly look: Effect.Effect<StateStore.StoreView, StateStore.StoreError, Scope.Scope>
  /** Does something to the tables, behind the store's back. */
  readonly tamper: (...statements: ReadonlyArray<string>) => Effect.Effect<void>
  readonly table: string
}

const sqlite = Effect.map(folder, (directory): Subject => {
  const filename = join(directory, "test.db")
  return {
    open: StateStoreSqlite.make({ filename }),
    look: StateStoreSqlite.look({ filename }),
    table: "heirloom_state",
    tamper: (...statements) =>
      Effect.sync(() => {
        const db = new DatabaseSync(filename)
        for (const one of statements) db.exec(one)
        db.close()
      })
  }
})

/** The statements that empty a table, in each of the ways there are. */
const emptying = (table: string, pg: boolean): Record<"emptied" | "made anew", ReadonlyArray<string>> => ({
  emptied: [pg ? `TRUNCATE ${table}` : `DELETE FROM ${table}`],
  "made anew": [
    `ALTER TABLE ${table} RENAME TO ${table}_away`,
    pg
      ? `CREATE TABLE ${table} (LIKE ${table}_away INCLUDING ALL)`
      : `CREATE TABLE ${table} (key text NOT NULL, slot integer NOT NULL, seq bigint NOT NULL, epoch bigint NOT NULL,
          version integer NOT NULL, trusted bigint NOT NULL, at real NOT NULL, state text NOT NULL,
          sum bigint NOT NULL, PRIMARY KEY (key, slot))`
  ]
})

const suite = (name: string, pg: boolean, make: Effect.Effect<Subject, unknown, Scope.Scope>) =>
  describe(`${name}: a table that was touched by something else`, () => {
    /** A process that has written `written`, with two snapshots each. */
    const wrote = Effect.fnUntraced(function*(open: Subject["open"], ...written: ReadonlyArray<string>) {
      const store = yield* open
      const epoch = yield* store.acquireEpoch("app")
      for (const seq of [1, 2]) {
        yield* store.save(written.map((key) => record(key, seq, epoch, { answers: [answer(`${key}-${seq}`, seq)] })))
      }
      return { store, epoch }
    })

    for (const way of ["emptied", "made anew"] as const) {
      it.live(`${way} while a store is open: what it had is named, and all else is in doubt`, () =>
        Effect.gen(function*() {
          const { look, open, table, tamper } = yield* make
          yield* Effect.scoped(wrote(open, "before"))
          const { epoch, store } = yield* wrote(open, "own")
          assert.isTrue((yield* Snapshots.doubt(store))._tag === "None")
          const { layer, lines } = recordedLog(({ level }) => level === "Error")
          yield* tamper(...emptying(table, pg)[way])
          const [own, before, other] = [
            yield* Effect.provide(store.load("own"), layer),
            yield* store.load("before"),
            yield* store.load("never")
          ]
          assert.match(
            lines.map(({ text }) => text).join(),
            new RegExp(`the table ${table} of the state store .* was emptied`)
          )
          assert.strictEqual(own[0]?.seq, 2)
          assert.match(own[0]?.damaged ?? "", /not there any more/)
          // by its answers, which are there
          assert.strictEqual(before[0]?.seq, 2)
          assert.match(before[0]?.damaged ?? "", /not there any more/)
          assert.isTrue(other[0]?.isDoubt)
          assert.deepStrictEqual(other[0]?.answers?.map((one) => [one.id, Answers.lossOf(one) !== undefined]), [[
            Answers.anyId,
            true
          ]])
          yield* store.setAside({ key: "never", seq: 1, epoch, why: "nothing is known of it" })
          assert.deepStrictEqual(yield* store.listAside("never"), [])
          // from its first snapshot on it is known, and that its calls may have been handled before
          yield* store.save([record("never", 1, epoch)])
          const [first] = yield* store.load("never")
          assert.deepStrictEqual([first?.seq, first?.damaged, first?.answers?.map(({ id }) => id)], [1, undefined, [
            Answers.anyId
          ]])
          assert.isDefined(yield* (yield* look).doubt!)
          const next = yield* open
          assert.isTrue((yield* next.load("another"))[0]?.isDoubt)
          yield* Snapshots.settle(next)
          assert.deepStrictEqual(yield* next.load("another"), [])
          assert.deepStrictEqual((yield* next.load("never"))[0]?.answers, [])
        }))
    }

    it.live("emptied, or removed, between two processes: keys and calls are in doubt", () =>
      Effect.gen(function*() {
        const { open, table, tamper } = yield* make
        yield* Effect.scoped(wrote(open, "a"))
        yield* tamper(`DELETE FROM ${table}_answers`, `DROP TABLE ${table}_timers`)
        const { layer, lines } = recordedLog(({ level }) => level === "Error")
        const store = yield* Effect.provide(open, layer)
        assert.match(
          lines.map(({ text }) => text).join(),
          new RegExp(`${table}_answers of .*not known whether it was handled`)
        )
        assert.match(
          lines.map(({ text }) => text).join(),
          new RegExp(`${table}_timers of .*durable timers that were set may be gone`)
        )
        const [newest] = yield* store.load("a")
        assert.deepStrictEqual(newest?.answers?.map(({ id }) => id), [Answers.anyId])
        assert.deepStrictEqual(yield* store.load("b"), [])
        // what is recorded since is there beside the doubt
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 3, epoch, { answers: [answer("since", 3)], timers: [timer("t", 5)] })])
        const [third] = yield* store.load("a")
        assert.deepStrictEqual(third?.answers?.map(({ id }) => id), [Answers.anyId, "since"])
        assert.deepStrictEqual((yield* store.timers!(9)).map(({ key }) => key), ["a"])
      }))

    it.live("rows that were taken, or put back as they were earlier, while a store is open are missing by name", () =>
      Effect.gen(function*() {
        const { open, table, tamper } = yield* make
        const { epoch, store } = yield* wrote(open, "a", "b", "c")
        yield* tamper(`DELETE FROM ${table}_answers WHERE key <> '%'`, `DELETE FROM ${table} WHERE key = 'a'`)
        yield* tamper(`DELETE FROM ${table} WHERE key = 'b' AND seq = 2`)
        for (const [key, left] of [["a", []], ["b", [1]], ["c", [2, 1]]] as const) {
          const found = yield* store.load(key)
          assert.deepStrictEqual(seqsOf(found), key === "c" ? left : [2, ...left])
          assert.strictEqual(found[0]?.damaged !== undefined, key !== "c")
          if (key === "c") continue
          // and once it is set aside, no more
          yield* store.setAside({ key, seq: 2, epoch, why: "gone" })
          assert.deepStrictEqual(seqsOf(yield* store.load(key)), [...left])
          assert.deepStrictEqual(seqsOf(yield* store.listAside(key)), [2])
        }
      }))

    it.live("a database that has gone back as a whole is that, and no row is missing in it", () =>
      Effect.gen(function*() {
        const { open, table, tamper } = yield* make
        const { store } = yield* wrote(open, "a")
        yield* tamper(`DELETE FROM ${table} WHERE seq = 2`, `DELETE FROM ${table}_answers WHERE seq = 2`)
        yield* tamper(`UPDATE ${table}_owners SET epoch = epoch - 1`)
        const reason = reasonOf(yield* Effect.exit(store.load("a")))
        assert.deepStrictEqual(reason, { _tag: "Gone", path: `table ${table}_owners`, how: "older" })
      }))

    it.live("what another session has set aside is no loss to an older one", () =>
      Effect.gen(function*() {
        const { open } = yield* make
        const { store } = yield* wrote(open, "a")
        const younger = yield* open
        yield* younger.setAside({ key: "a", seq: 2, epoch: yield* younger.acquireEpoch("app"), why: "odd" })
        assert.deepStrictEqual((yield* store.load("a")).map((one) => [one.seq, one.damaged]), [[1, undefined]])
      }))

    it.live("with what may drop what is written standing before it, is not opened, and the error names that", () =>
      Effect.gen(function*() {
        const { open, table, tamper } = yield* make
        yield* Effect.scoped(wrote(open, "a"))
        const opening = Effect.scoped(Effect.exit(open))
        const f = `${table}_f`
        if (pg) yield* tamper(`CREATE FUNCTION ${f}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`)
        const trigger = (when: string, name: string) =>
          `CREATE TRIGGER t ${when} INSERT ON ${name} ` +
          (pg ? `FOR EACH ROW EXECUTE FUNCTION ${f}()` : "BEGIN SELECT raise(IGNORE); END")
        for (const name of [table, `${table}_answers`]) {
          const drop = pg ? `DROP TRIGGER t ON ${name}` : "DROP TRIGGER t"
          for (const when of pg ? ["BEFORE"] : ["BEFORE", ""]) {
            yield* tamper(trigger(when, name))
            const error = Option.getOrThrow(Exit.findErrorOption(yield* opening))
            assert.strictEqual(error.reason._tag, "Unusable")
            assert.include(error.message, `the table ${name} has a trigger "t", which may drop or change`)
            yield* tamper(drop)
          }
          // one that only hears of it is let be
          yield* tamper(trigger("AFTER", name))
          assert.isTrue(Exit.isSuccess(yield* opening))
          yield* tamper(drop)
        }
        if (!pg) return
        yield* tamper(`CREATE RULE r AS ON INSERT TO ${table} DO INSTEAD NOTHING`)
        assert.include(Option.getOrThrow(Exit.findErrorOption(yield* opening)).message, `${table} has a rule "r"`)
      }))

    it.live("whose marks were never made is taken for what it is, unless all of it is empty", () =>
      Effect.gen(function*() {
        const { look, open, table, tamper } = yield* make
        yield* Effect.scoped(wrote(open, "a"))
        const unmark = [table, `${table}_answers`, `${table}_timers`].map((one) => `DELETE FROM ${one} WHERE key = '%'`)
        yield* tamper(...unmark)
        assert.isUndefined(yield* (yield* look).doubt!)
        yield* Effect.scoped(Effect.gen(function*() {
          const store = yield* open
          assert.isUndefined(yield* store.doubt!)
          assert.deepStrictEqual(yield* store.load("b"), [])
          assert.deepStrictEqual([yield* store.keys(), yield* store.count!()], [["a"], 1])
          assert.deepStrictEqual(yield* store.keys("", { limit: 9 }), ["a"])
        }))
        yield* tamper(...unmark, `DELETE FROM ${table}`)
        assert.isDefined(yield* (yield* open).doubt!)
      }).pipe(quiet))
  })

suite("SQLite", false, sqlite)

describe("a SQLite database in doubt", () => {
  it.live("is named by a command, and ended by it", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "test.db")
      const opened = StateStoreSqlite.make({ filename })
      yield* Effect.scoped(Effect.flatMap(opened, (store) => store.acquireEpoch("app")))
      const db = new DatabaseSync(filename)
      db.exec("DELETE FROM heirloom_state")
      db.close()
      const place = `sqlite:${filename}`
      assert.match((yield* printed(command, ["doubt", place])).join(), /: the table heirloom_state was emptied/)
      yield* Effect.scoped(opened)
      assert.match((yield* printed(command, ["doubt", place])).join(), /: the table heirloom_state was emptied/)
      assert.match((yield* printed(command, ["doubt", place, "--end"])).join(), /^Ended/)
      assert.deepStrictEqual(yield* printed(command, ["doubt", place]), ["none"])
    }).pipe(quiet))
})

describe("over PostgreSQL", () => {
  const postgres = usePostgres()
  let tables = 0
  suite(
    "PostgreSQL",
    true,
    Effect.gen(function*() {
      const sql = Context.get(yield* Layer.build(postgres().client), SqlClient.SqlClient)
      const table = `marked_${++tables}`
      const over = Effect.provideService(SqlClient.SqlClient, sql)
      const subject: Subject = {
        open: over(StateStoreSql.make({ table })),
        look: over(StateStoreSql.look({ table })),
        table,
        tamper: (...statements) => Effect.forEach(statements, (one) => Effect.orDie(sql.unsafe(one)), { discard: true })
      }
      return subject
    })
  )
})
