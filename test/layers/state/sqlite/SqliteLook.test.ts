/** What lies at a path, before SQLite is asked. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as SqliteLook from "../../../../src/layers/state/sqlite/SqliteLook.ts"
import { folder } from "../../../kit/Folder.ts"

const database = (path: string, mode: "wal" | "delete") => {
  const db = new DatabaseSync(path)
  db.exec(`PRAGMA journal_mode = ${mode}; CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (7)`)
  return db
}

describe("what lies at a path", () => {
  it.live("is nothing, no file, an empty one, or none of SQLite's, and says so", () =>
    Effect.gen(function*() {
      const at = yield* folder
      const [empty, other, short] = ["empty", "other", "short"].map((name) => join(at, name)) as [
        string,
        string,
        string
      ]
      fs.writeFileSync(empty, "")
      fs.writeFileSync(other, "SQLite format 4\0 and more")
      fs.writeFileSync(short, "SQL")
      const gone = join(at, "gone")
      const what = (path: string) => {
        const found = SqliteLook.find(path)
        return found._tag === "None" ? found.what : found._tag
      }
      assert.strictEqual(what(gone), `there is no ${gone}`)
      assert.strictEqual(what(at), `${at} is no file`)
      assert.strictEqual(what(empty), `${empty} is empty`)
      assert.strictEqual(what(other), `${other} is no SQLite database`)
      assert.strictEqual(what(short), `${short} is no SQLite database`)
      // One that was just made has all in its log.
      fs.writeFileSync(`${empty}-wal`, "")
      assert.deepStrictEqual(SqliteLook.find(empty), { _tag: "Database", isLogged: true, hasLog: true })
    }))

  it.live("is a database, of the kind that has a log or not, with one beside it or not", () =>
    Effect.gen(function*() {
      const at = yield* folder
      const [logged, plain] = [join(at, "logged.db"), join(at, "plain.db")]
      const db = database(logged, "wal")
      database(plain, "delete").close()
      assert.deepStrictEqual(SqliteLook.find(logged), { _tag: "Database", isLogged: true, hasLog: true })
      assert.isTrue(SqliteLook.hasLog(logged))
      db.close()
      assert.deepStrictEqual(SqliteLook.find(logged), { _tag: "Database", isLogged: true, hasLog: false })
      assert.deepStrictEqual(SqliteLook.find(plain), { _tag: "Database", isLogged: false, hasLog: false })
      assert.strictEqual(SqliteLook.logOf(plain), `${plain}-wal`)
    }))

  it.live("is read as it lies there without anything being made beside it", () =>
    Effect.gen(function*() {
      const at = yield* folder
      const path = join(at, "a b%.db")
      database(path, "wal").close()
      const db = new DatabaseSync(SqliteLook.asItLies(path), { readOnly: true })
      assert.strictEqual(db.prepare("SELECT n FROM t").get()?.["n"], 7)
      db.close()
      assert.deepStrictEqual(fs.readdirSync(at), ["a b%.db"])
    }))

  it.live("is copied with its log, into what its reader may write, whatever it was", () =>
    Effect.gen(function*() {
      const [at, elsewhere] = [yield* folder, yield* folder]
      const path = join(at, "app.db")
      const db = database(path, "wal")
      for (const one of [path, `${path}-wal`]) fs.chmodSync(one, 0o444)
      const copy = SqliteLook.copyInto(elsewhere, path)
      for (const one of [copy, `${copy}-wal`]) assert.strictEqual(fs.statSync(one).mode & 0o777, 0o600)
      db.close()
      const read = new DatabaseSync(copy)
      assert.strictEqual(read.prepare("SELECT n FROM t").get()?.["n"], 7)
      read.close()
      fs.rmSync(copy)
      assert.strictEqual(SqliteLook.copyInto(elsewhere, path), copy)
      assert.isFalse(fs.existsSync(`${copy}-wal`))
    }))
})
