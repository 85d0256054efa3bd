/** SQLite databases that are damaged, or older than they were: nothing that was acknowledged is missing in silence. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, type Scope } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as Answers from "../../../../src/domain/state/Answers.ts"
import type { SnapshotRecord } from "../../../../src/domain/state/stored/SnapshotRecord.ts"
import { Snapshots } from "../../../../src/index.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { folder } from "../../../kit/Folder.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { damage, judged, original } from "../../../kit/stores/DamagedSqlite.ts"
import { answer, record, seqsOf } from "../../../kit/stores/Records.ts"

/** Damaged copies of each kind, `COPIES=1000` for a long run; `npm run soak` tries thousands, too. */
const copies = Number(process.env["COPIES"] ?? 20)

/** A store with snapshots 1 to `last` of two keys, closed. */
const written = Effect.fnUntraced(function*(filename: string, from: number, to: number) {
  yield* Effect.scoped(Effect.gen(function*() {
    const store = yield* StateStoreSqlite.make({ filename })
    const epoch = yield* store.acquireEpoch("app")
    for (let seq = from; seq <= to; seq++) {
      yield* store.save(["a", "b"].map((key) => record(key, seq, epoch, { answers: [answer(`k${seq}`, seq)] })))
    }
  }))
})

const inFolder = (f: (filename: string) => Effect.Effect<unknown, unknown, Scope.Scope>) => () =>
  Effect.flatMap(folder, (directory) => f(join(directory, "test.db")))

describe("a SQLite database that is damaged", () => {
  for (
    const [name, ending, log] of [["its file", ".db", false], ["its log", "-wal", true], ["both", "", true]] as const
  ) {
    it.live(
      `in ${name}, at any place: what was acknowledged is there, or named as missing, or the end is typed`,
      () =>
        Effect.gen(function*() {
          const one = yield* original(log)
          assert.deepStrictEqual(yield* Effect.scoped(judged(one, one.files)), { silent: [], outcome: "whole" })
          for (let seed = 0; seed < copies; seed++) {
            const { files, what } = damage(one.files, ending, seed)
            const { silent } = yield* Effect.scoped(judged(one, files))
            assert.deepStrictEqual(silent, [], what)
          }
        }),
      60_000
    )
  }

  it.live(
    "in an index alone has it made anew: nothing is missing, and the log says so",
    inFolder((filename) =>
      Effect.gen(function*() {
        yield* written(filename, 1, 4)
        const db = new DatabaseSync(filename)
        // the index is told to be another one than it is
        const [page] = db.prepare("SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_heirloom_state_1'")
          .all()
        const [size] = db.prepare("PRAGMA page_size").all()
        db.close()
        const bytes = fs.readFileSync(filename)
        const root = Number(size!["page_size"]) * (Number(page!["rootpage"]) - 1)
        const at = bytes.indexOf("b", root + 8)
        assert.isBelow(at, root + Number(size!["page_size"]))
        bytes[at] = "z".charCodeAt(0)
        fs.writeFileSync(filename, bytes)
        const { layer, lines } = recordedLog(({ level }) => level === "Error")
        const store = yield* Effect.provide(StateStoreSqlite.make({ filename }), layer)
        assert.match(
          lines.map((line) => line.text).join("\n"),
          /^the indexes of the state store .* were made anew: row \d+ missing from index/
        )
        assert.deepStrictEqual(seqsOf(yield* store.load("b")), [4, 3, 2])
        assert.deepStrictEqual(yield* store.keys(), ["a", "b"])
      })
    )
  )

  it.live(
    "in a table is refused when it is opened, with what is wrong",
    inFolder((filename) =>
      Effect.gen(function*() {
        yield* written(filename, 1, 4)
        const db = new DatabaseSync(filename)
        const [page] = db.prepare("SELECT rootpage FROM sqlite_master WHERE name = 'heirloom_state'").all()
        const [size] = db.prepare("PRAGMA page_size").all()
        db.close()
        const bytes = fs.readFileSync(filename)
        bytes[Number(size!["page_size"]) * (Number(page!["rootpage"]) - 1)] = 99
        fs.writeFileSync(filename, bytes)
        const error = yield* Effect.flip(StateStoreSqlite.make({ filename }))
        assert.strictEqual(error.reason._tag, "Corrupt")
        assert.include(error.message, `open of the state store "sqlite ${filename}": what it holds is damaged`)
      })
    )
  )
})

/** The largest integer of SQLite, which no number of JavaScript holds. */
const tooLarge = "9223372036854775807"

const changed = (filename: string, ...statements: ReadonlyArray<string>) =>
  Effect.sync(() => {
    const db = new DatabaseSync(filename)
    for (const one of statements) db.exec(one)
    db.close()
  })

const lost = (key: string, snapshot: SnapshotRecord | undefined, id: string) =>
  assert.isTrue(
    snapshot?.answers?.some((one) => (one.id === id || one.id === "") && Answers.lossOf(one) !== undefined),
    `${key}: ${JSON.stringify(snapshot?.answers)}`
  )

describe("an integer in a damaged row that no number holds", () => {
  for (const column of ["seq", "epoch", "version", "trusted", "at", "sum"]) {
    it.live(
      `is damage of that row, as any other: ${column} of a snapshot`,
      inFolder((filename) =>
        Effect.gen(function*() {
          yield* written(filename, 1, 4)
          yield* changed(filename, `UPDATE heirloom_state SET ${column} = ${tooLarge} WHERE key = 'a' AND seq = 4`)
          const store = yield* StateStoreSqlite.make({ filename })
          const [newest, before] = yield* store.load("a")
          assert.match(newest?.damaged ?? "", /not what was written/)
          assert.deepStrictEqual([before?.seq, before?.damaged], [3, undefined])
          assert.deepStrictEqual(seqsOf(yield* store.load("b")), [4, 3, 2])
        })
      )
    )
  }

  for (const column of ["at", "sum"]) {
    it.live(
      `is damage of that row, as any other: ${column} of a recorded answer`,
      inFolder((filename) =>
        Effect.gen(function*() {
          yield* written(filename, 1, 4)
          yield* changed(
            filename,
            `UPDATE heirloom_state_answers SET ${column} = ${tooLarge} WHERE key = 'a' AND seq = 3`
          )
          const store = yield* StateStoreSqlite.make({ filename })
          lost("a", (yield* store.load("a"))[0], "k3")
          assert.isUndefined((yield* store.load("b"))[0]?.answers?.find((one) => Answers.lossOf(one) !== undefined))
        })
      )
    )
  }
})

describe("a recorded answer whose key is damaged", () => {
  const strayed = (where: string, key = "'a?'") => `UPDATE heirloom_state_answers SET key = ${key} WHERE ${where}`

  it.live(
    "goes back to it by its checksum",
    inFolder((filename) =>
      Effect.gen(function*() {
        yield* written(filename, 1, 4)
        yield* changed(filename, strayed("key = 'a' AND seq = 3"))
        const store = yield* StateStoreSqlite.make({ filename })
        const [newest] = yield* store.load("a")
        assert.deepStrictEqual(newest?.answers?.map(({ id }) => id), ["k1", "k2", "k3", "k4"])
        assert.isUndefined(newest?.answers?.find((one) => Answers.lossOf(one) !== undefined))
      })
    )
  )

  for (
    const [what, statements] of [
      ["beside another one", [strayed("key = 'a' AND seq IN (3, 4)")]],
      ["with a zero byte in its text", [
        strayed("key = 'a' AND seq = 3", "CAST(x'61003f' AS text)"),
        strayed("key = 'a' AND seq = 4", "CAST(x'61003f' AS text)")
      ]],
      ["though it was the only one of its key", [
        "DELETE FROM heirloom_state_answers WHERE key = 'b' AND seq < 4",
        strayed("key = 'b' AND seq = 4", "'bb'")
      ]]
    ] as const
  ) {
    it.live(
      `goes back to it, ${what}; with another checksum it is lost for it`,
      inFolder((filename) =>
        Effect.gen(function*() {
          yield* written(filename, 1, 4)
          yield* changed(filename, ...statements)
          const key = what === "though it was the only one of its key" ? "b" : "a"
          const whole = yield* Effect.scoped(
            Effect.flatMap(StateStoreSqlite.make({ filename }), (store) => store.load(key))
          )
          assert.strictEqual(whole[0]?.answers?.find(({ id }) => id === "k4")?.body, answer("k4", 4).body)
          yield* changed(filename, ...statements, `UPDATE heirloom_state_answers SET sum = ${tooLarge} WHERE seq = 4`)
          const store = yield* StateStoreSqlite.make({ filename })
          lost(key, (yield* store.load(key))[0], "k4")
        })
      )
    )
  }
})

describe("recorded answers that are all damaged", () => {
  it.live(
    "are lost for every key that has a snapshot, though there are more than can be sought",
    inFolder((filename) =>
      Effect.gen(function*() {
        const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`)
        yield* Effect.scoped(Effect.gen(function*() {
          const store = yield* StateStoreSqlite.make({ filename })
          const epoch = yield* store.acquireEpoch("app")
          yield* store.save(keys.map((key) => record(key, 1, epoch, { answers: [answer("k1", 1)] })))
        }))
        const many = `WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
          INSERT INTO heirloom_state_answers (key, id, seq, at, body, sum) SELECT 'key 0', 'k' || i, i, i, '', 0 FROM n`
        yield* changed(filename, many, "UPDATE heirloom_state_answers SET key = key || '?', sum = 0")
        const store = yield* StateStoreSqlite.make({ filename })
        for (const key of keys) lost(key, (yield* store.load(key))[0], "k1")
      })
    )
  )
})

describe("a SQLite database that is older than it was", () => {
  it.live(
    "names each key that is, and its answers are those of what is there",
    inFolder((filename) =>
      Effect.gen(function*() {
        yield* written(filename, 1, 3)
        const backup = fs.readFileSync(filename)
        yield* written(filename, 4, 5)
        fs.writeFileSync(filename, backup)
        const store = yield* StateStoreSqlite.make({ filename })
        const [missing, newest] = yield* store.load("a")
        assert.deepStrictEqual([missing?.seq, newest?.seq, newest?.damaged], [5, 3, undefined])
        assert.match(missing?.damaged ?? "", /not there any more/)
        // it is set aside like any other, and not missed any more
        yield* store.setAside({ key: "a", seq: 5, epoch: yield* store.acquireEpoch("app"), why: "gone" })
        const again = yield* StateStoreSqlite.make({ filename })
        assert.deepStrictEqual(seqsOf(yield* again.load("a")), [3, 2, 1])
        assert.deepStrictEqual(seqsOf(yield* again.load("b")), [5, 3, 2, 1])
      })
    )
  )

  it.live(
    "or gone altogether",
    inFolder((filename) =>
      Effect.gen(function*() {
        yield* written(filename, 1, 3)
        fs.rmSync(filename)
        const store = yield* StateStoreSqlite.make({ filename })
        assert.deepStrictEqual((yield* store.load("a")).map((one) => [one.seq, one.damaged === undefined]), [[
          3,
          false
        ]])
        assert.deepStrictEqual(yield* store.load("c"), [])
      })
    )
  )

  it.live(
    "on purpose, by what the store itself was asked, is not missed",
    inFolder((filename) =>
      Effect.gen(function*() {
        yield* written(filename, 1, 4)
        yield* Effect.scoped(Effect.gen(function*() {
          const store = yield* StateStoreSqlite.make({ filename })
          yield* store.remove(["a"], yield* store.acquireEpoch("app"))
          assert.strictEqual(yield* Snapshots.restore(store, { key: "b", seq: 3 }), 3)
        }))
        const store = yield* StateStoreSqlite.make({ filename })
        assert.deepStrictEqual(yield* store.load("a"), [])
        assert.deepStrictEqual((yield* store.load("b")).map((one) => [one.seq, one.damaged]), [[3, undefined], [
          2,
          undefined
        ]])
      })
    )
  )

  it.live(
    "is not known where the file beside it is not there, or damaged, and nothing is missed that is there",
    inFolder((filename) =>
      Effect.gen(function*() {
        yield* written(filename, 1, 4)
        const heads = `${filename}-heirloom_state`
        const bytes = fs.readFileSync(heads)
        for (let at = 0; at < bytes.length; at += 7) {
          const changed = Uint8Array.from(bytes)
          changed[at]! ^= 1 << at % 8
          fs.writeFileSync(heads, changed)
          yield* Effect.scoped(Effect.gen(function*() {
            const store = yield* StateStoreSqlite.make({ filename })
            for (const key of ["a", "b", "c"]) {
              assert.isTrue((yield* store.load(key)).every((one) => one.damaged === undefined), `${at}`)
            }
          }))
        }
        fs.rmSync(heads)
        const exit = yield* Effect.exit(StateStoreSqlite.make({ filename }))
        assert.isTrue(Exit.isSuccess(exit))
      })
    )
  )
})
