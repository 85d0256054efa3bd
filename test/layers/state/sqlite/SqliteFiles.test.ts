/** Whether a database that is open is still the files that its path names: by what is there, and what SQLite says. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { SqlError } from "effect/sql"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import { join } from "node:path"
import type { Watch } from "../../../../src/layers/state/sql/DatabaseFiles.ts"
import { pathOf, watch } from "../../../../src/layers/state/sqlite/SqliteFiles.ts"
import { folder } from "../../../kit/Folder.ts"

const refused = new SqlError.SqlError({
  reason: new SqlError.UnknownError({ cause: "no", message: "no", operation: "execute" })
})

const header = (salt: number, magic = 0x377f0682) => {
  const bytes = Buffer.alloc(32)
  bytes.writeUInt32BE(magic, 0)
  bytes.writeUInt32BE(salt, 16)
  return bytes
}

/** A database's files, and a SQLite that says of them what it is given. */
const opened = Effect.gen(function*() {
  const directory = yield* folder
  const path = join(directory, "states.db")
  const log = `${path}-wal`
  const touch = (time: number) => fs.utimesSync(path, time, time)
  fs.writeFileSync(path, Buffer.alloc(200))
  touch(1000)
  fs.writeFileSync(log, header(7))
  const says = { file: path as unknown, journal: "wal", version: "3.51.0", copied: 0, log: 0, fails: false }
  const asked: Array<string> = []
  const rows = (text: string): ReadonlyArray<Record<string, unknown>> => {
    switch (text) {
      case "PRAGMA database_list":
        return [{ name: "temp", file: "/temp" }, { name: "main", file: says.file }]
      case "PRAGMA journal_mode":
        return [{ journal_mode: says.journal }]
      case "SELECT sqlite_version() AS v":
        return [{ v: says.version }]
      default:
        return [{ checkpointed: says.copied, log: says.log }]
    }
  }
  const execute = (text: string) =>
    Effect.suspend(() => {
      asked.push(text)
      return says.fails ? Effect.fail(refused) : Effect.succeed(rows(text))
    })
  const ask = (watch: Watch | undefined) =>
    Effect.suspend(() => {
      const found = watch!()
      return Effect.isEffect(found) ? found : Effect.succeed(found)
    })
  return { directory, path, log, touch, says, asked, execute, ask }
})

const progress = "PRAGMA wal_checkpoint(NOOP)"

describe("the files of a database", () => {
  it.effect("are not watched where it is in none, or in one that is not to be seen", () =>
    Effect.gen(function*() {
      const { execute, path, says } = yield* opened
      assert.strictEqual(yield* pathOf(execute), path)
      for (const file of ["", null, `${path}.gone`]) {
        says.file = file
        assert.isUndefined(yield* watch(execute), `${file}`)
      }
      says.fails = true
      assert.isUndefined(yield* pathOf(execute))
    }))

  it.effect("are its own file alone where it has no log", () =>
    Effect.gen(function*() {
      for (const how of ["delete", "none"]) {
        const { ask, execute, log, path, says } = yield* opened
        if (how === "delete") says.journal = "delete"
        else fs.rmSync(log)
        const watching = yield* watch(execute)
        assert.isUndefined(yield* ask(watching))
        fs.rmSync(log, { force: true })
        assert.isUndefined(yield* ask(watching))
        fs.truncateSync(path, 99)
        assert.deepStrictEqual(yield* ask(watching), { path, how: "cut" })
        fs.truncateSync(path, 100)
        assert.isUndefined(yield* ask(watching))
        fs.renameSync(path, `${path}.away`)
        assert.deepStrictEqual(yield* ask(watching), { path, how: "missing" })
        fs.writeFileSync(path, Buffer.alloc(200))
        assert.deepStrictEqual(yield* ask(watching), { path, how: "replaced" })
        fs.renameSync(`${path}.away`, path)
        assert.isUndefined(yield* ask(watching))
      }
    }))

  it.effect("are its file and its log, of which each may be missing, moved or replaced, and put back", () =>
    Effect.gen(function*() {
      const { ask, directory, execute, log, path } = yield* opened
      const watching = yield* watch(execute)
      assert.isUndefined(yield* ask(watching))
      const away = (file: string) => join(directory, `${file.slice(directory.length + 1)}.away`)
      fs.renameSync(path, away(path))
      assert.deepStrictEqual(yield* ask(watching), { path, how: "missing" })
      fs.renameSync(log, away(log))
      // Both together: the log, which is open, has a name elsewhere.
      assert.deepStrictEqual(yield* ask(watching), { path, how: "moved" })
      fs.renameSync(away(path), path)
      assert.deepStrictEqual(yield* ask(watching), { path: log, how: "missing" })
      fs.writeFileSync(log, header(7))
      assert.deepStrictEqual(yield* ask(watching), { path: log, how: "replaced" })
      fs.renameSync(away(log), log)
      assert.isUndefined(yield* ask(watching))
      fs.rmSync(path)
      fs.rmSync(log)
      assert.deepStrictEqual(yield* ask(watching), { path, how: "missing" })
    }))

  it.effect("have a log with a header, of either byte order: one that was cut off stays damaged, whatever comes after it", () =>
    Effect.gen(function*() {
      for (const write of [() => Buffer.alloc(32), () => header(7).subarray(0, 19)]) {
        const { ask, execute, log } = yield* opened
        const watching = yield* watch(execute)
        fs.writeFileSync(log, header(7, 0x377f0683))
        assert.isUndefined(yield* ask(watching))
        fs.writeFileSync(log, write())
        assert.deepStrictEqual(yield* ask(watching), { path: log, how: "cut" })
        fs.writeFileSync(log, header(7))
        assert.deepStrictEqual(yield* ask(watching), { path: log, how: "cut" })
      }
    }))

  it.effect("may have an empty log, which SQLite knows if it has emptied it", () =>
    Effect.gen(function*() {
      for (const version of ["3.51.0", "3.100.1", "4.0.0", "3.50.4", "2.60.0"]) {
        const { ask, asked, execute, log, says } = yield* opened
        const isAsked = !version.startsWith("3.50") && !version.startsWith("2")
        says.version = version
        const watching = yield* watch(execute)
        fs.truncateSync(log, 0)
        asked.length = 0
        assert.isUndefined(yield* ask(watching))
        assert.deepStrictEqual(asked, isAsked ? [progress] : [])
        says.log = 3
        assert.deepStrictEqual(yield* ask(watching), isAsked ? { path: log, how: "cut" } : undefined)
        says.log = 0
        assert.deepStrictEqual(yield* ask(watching), isAsked ? { path: log, how: "cut" } : undefined)
      }
    }))

  it.effect("are changed by checkpoints alone: what else writes to the database has damaged it for good", () =>
    Effect.gen(function*() {
      const { ask, asked, execute, path, says, touch } = yield* opened
      const watching = yield* watch(execute)
      asked.length = 0
      assert.isUndefined(yield* ask(watching))
      assert.deepStrictEqual(asked, [])
      touch(2000)
      says.copied = 5
      assert.isUndefined(yield* ask(watching))
      // It is known from then on.
      assert.isUndefined(yield* ask(watching))
      assert.deepStrictEqual(asked, [progress])
      touch(3000)
      const late = yield* Effect.forkChild(ask(watching), { startImmediately: true })
      yield* TestClock.adjust(2900)
      assert.isUndefined(late.pollUnsafe())
      // A checkpoint of another connection is known when it is over.
      says.copied = 9
      yield* TestClock.adjust(50)
      assert.isUndefined(yield* Fiber.join(late))
      asked.length = 0
      touch(4000)
      const changed = yield* Effect.forkChild(ask(watching), { startImmediately: true })
      yield* TestClock.adjust(3000)
      assert.deepStrictEqual(yield* Fiber.join(changed), { path, how: "changed" })
      assert.lengthOf(asked, 60)
      touch(3000)
      assert.deepStrictEqual(yield* ask(watching), { path, how: "changed" })
    }))

  it.effect("have a log that is begun anew by a checkpoint of all of it; the first of an empty one is known when it is seen", () =>
    Effect.gen(function*() {
      const { ask, execute, log, touch } = yield* opened
      const watching = yield* watch(execute)
      fs.writeFileSync(log, header(8))
      touch(2000)
      assert.isUndefined(yield* ask(watching))
      for (const salt of [8, 7]) {
        const empty = yield* opened
        fs.truncateSync(empty.log, 0)
        const other = yield* watch(empty.execute)
        fs.writeFileSync(empty.log, header(7))
        assert.isUndefined(yield* empty.ask(other))
        fs.writeFileSync(empty.log, header(salt))
        empty.touch(2000)
        const seen = yield* Effect.forkChild(empty.ask(other), { startImmediately: true })
        yield* TestClock.adjust(3000)
        assert.deepStrictEqual(yield* Fiber.join(seen), salt === 8 ? undefined : { path: empty.path, how: "changed" })
      }
    }))

  it.effect("are watched as far as can be where SQLite does not answer: without what it would say of its log", () =>
    Effect.gen(function*() {
      const { ask, execute, log, says, touch } = yield* opened
      const watching = yield* watch((text) => {
        says.fails = text === progress
        return execute(text)
      })
      touch(2000)
      assert.isUndefined(yield* ask(watching))
      fs.rmSync(log)
      assert.deepStrictEqual(yield* ask(watching), { path: log, how: "missing" })
    }))

  it.effect("that are written to all the time are looked at again the next time", () =>
    Effect.gen(function*() {
      const { ask, execute, says, touch } = yield* opened
      let time = 2000
      const watching = yield* watch((text) =>
        Effect.tap(
          execute(text),
          () => text === progress && time > 2000 ? Effect.sync(() => touch(++time)) : Effect.void
        )
      )
      touch(++time)
      const busy = yield* Effect.forkChild(ask(watching), { startImmediately: true })
      yield* TestClock.adjust(3000)
      assert.isUndefined(yield* Fiber.join(busy))
      says.copied = 4
      const again = yield* Effect.forkChild(ask(watching), { startImmediately: true })
      yield* TestClock.adjust(3000)
      assert.isUndefined(yield* Fiber.join(again))
    }))

  it.effect("are not known to be changed by a SQLite that does not say how far it has copied its log", () =>
    Effect.gen(function*() {
      const { ask, asked, execute, says, touch } = yield* opened
      says.version = "3.50.0"
      const watching = yield* watch(execute)
      asked.length = 0
      touch(2000)
      assert.isUndefined(yield* ask(watching))
      assert.deepStrictEqual(asked, [])
    }))
})
