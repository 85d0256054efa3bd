import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as StateStoreSqlite from "../../src/layers/state/StateStoreSqlite.ts"
import { folder } from "../kit/Folder.ts"
import { run } from "../kit/RunProgram.ts"

const key = "app/Counter"

/** A database with the snapshots 1 to 4 of a counter, of which 4 is set aside, and 3 is damaged. */
const database = Effect.gen(function*() {
  const directory = yield* folder
  const filename = join(directory, "app.db")
  yield* Effect.scoped(Effect.gen(function*() {
    const store = yield* StateStoreSqlite.make({ filename })
    const epoch = yield* store.acquireEpoch("app")
    for (
      const [seq, state] of [[1, "{\"count\":1}"], [2, "{\"count\":2,\"by\":\"ann\"}"], [3, "{\"cou"], [
        4,
        "{}"
      ]] as const
    ) {
      const due = [{ name: "close", due: 5000, every: 60_000, message: "Close", payload: { n: 1 } }]
      yield* store.save([
        { key, epoch, seq, version: 1, state, trusted: seq - 1, at: 0, ...(seq === 2 ? { timers: due } : {}) }
      ])
      if (seq === 4) yield* store.setAside({ key, seq, epoch, why: "restore crashed on it" })
    }
  }))
  return `sqlite:${filename}`
})

const snapshots = (...args: ReadonlyArray<string>) => run("snapshots", args)

describe("snapshots", () => {
  it.live(
    "lists, shows, compares, and goes back",
    () =>
      Effect.gen(function*() {
        const place = yield* database
        const [keys, none, timers, list, aside, show, newest, damaged, diff] = yield* Effect.all([
          snapshots("keys", place, "--prefix", "app/"),
          snapshots("keys", place, "--prefix", "app/Other"),
          snapshots("timers", place),
          snapshots("list", place, key),
          snapshots("aside", place),
          snapshots("show", place, key, "2"),
          snapshots("show", place, key, "--aside"),
          snapshots("show", place, key),
          snapshots("diff", place, key, "2", "4", "--aside")
        ], { concurrency: 2 })
        const all = [keys, none, timers, list, aside, show, newest, damaged, diff]
        assert.deepStrictEqual(all.map(({ code }) => code), all.map(() => 0))
        assert.deepStrictEqual(JSON.parse(newest.stdout), {})
        assert.strictEqual(keys.stdout, `${key}\n`)
        assert.strictEqual(none.stdout, "")
        assert.match(timers.stdout, /app\/Counter +close +1970-01-01T00:00:05.000Z +.* late +every 1m +Close {"n":1}/)
        assert.deepStrictEqual(
          list.stdout.trim().split("\n").map((line) => line.trim().split(/ +/).slice(1, 2).join()),
          ["number", "3", "2", "4"]
        )
        assert.match(aside.stdout, /app\/Counter +4 .*set aside +restore crashed on it/)
        assert.deepStrictEqual(JSON.parse(show.stdout), { count: 2, by: "ann" })
        assert.strictEqual(damaged.stdout, "{\"cou\n")
        assert.deepStrictEqual(diff.stdout.trim().split("\n").map((line) => JSON.parse(line)), [
          { op: "remove", path: "/by" },
          { op: "remove", path: "/count" }
        ])

        const restored = yield* snapshots("restore", place, key, "2")
        assert.strictEqual(restored.stdout, "app/Counter starts from snapshot 2 next.\n")
        const back = yield* snapshots("restore", place, key, "4", "--aside")
        assert.strictEqual(back.stdout, "app/Counter starts from snapshot 5 next.\n")
        assert.deepStrictEqual(JSON.parse((yield* snapshots("show", place, key, "5")).stdout), {})
      })
  )

  it.live("a bad row breaks neither the list of what was set aside, nor that the others come back", () =>
    Effect.gen(function*() {
      const place = yield* database
      const db = new DatabaseSync(place.slice("sqlite:".length))
      db.exec(
        `INSERT INTO heirloom_state_aside (key, seq, epoch, version, trusted, at, state, answers, why, aside_at, timers, sum)
        VALUES ('${key}', 9, 1, 1, 0, 1e300, '{', '{', 'bad', 'x', '7', 1)`
      )
      db.close()
      const aside = yield* snapshots("aside", place)
      const back = yield* snapshots("restore-aside", place)
      assert.deepStrictEqual([aside.code, back.code], [0, 0], `${aside.stderr}${back.stderr}`)
      assert.deepStrictEqual(aside.stdout.trim().split("\n").map((line) => line.trim().split(/ +/)[1]), [
        "number",
        "9",
        "4"
      ])
      assert.match(aside.stdout, /bad; damaged: /)
      assert.match(back.stdout, /restored as 5/)
      assert.match(back.stdout, /left: damaged/)
      assert.match(back.stdout, /1 restored, .*1 damaged/)
    }))

  it.live(
    "says what is wrong, and makes nothing that is not there",
    () =>
      Effect.gen(function*() {
        const place = yield* database
        const [none, nowhere, kind] = yield* Effect.all([
          snapshots("show", place, key, "17"),
          snapshots("keys", "sqlite:no/such.db"),
          snapshots("keys", "redis:there")
        ], { concurrency: 2 })
        assert.deepStrictEqual([none, nowhere, kind].map(({ code }) => code), [1, 1, 1])
        assert.include(none.stderr, "snapshot 17 of \"app/Counter\": there is none")
        assert.include(nowhere.stderr, "there is no no/such.db")
        assert.include(kind.stderr, "\"sqlite:FILE\" | \"file:FOLDER\" | \"postgres:URL\"")
      })
  )
})
