/** The file beside a database that says what was stored last. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import * as HeadRing from "../../../../src/domain/state/stored/HeadRing.ts"
import { open } from "../../../../src/layers/state/sqlite/SqliteHeads.ts"
import { folder } from "../../../kit/Folder.ts"

const at = (path: string) => () => Effect.succeed([{ name: "temp", file: "/no" }, { name: "main", file: path }])

const heads = (count: number, from = 0, seq = 1) =>
  Array.from({ length: count }, (_, i) => ({ id: from + i, seq: seq + i }))

/** What a session does, and the file that it leaves. */
const session = (path: string, note: ReadonlyArray<ReadonlyArray<HeadRing.Head>>) =>
  Effect.scoped(Effect.map(open(at(path), "t"), (file) => {
    for (const some of note) file!.note(some)
    return fs.existsSync(`${path}-t`) ? HeadRing.read(fs.readFileSync(`${path}-t`)) : undefined
  }))

describe("the heads beside a database", () => {
  it.live("are those that were noted last, in the file of their table, which is made with the first", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "app.db")
      assert.isUndefined(yield* session(path, []))
      const found = yield* session(path, [heads(2), [{ id: 1, seq: 9 }]])
      assert.deepStrictEqual(found, { newest: new Map([[0, 1], [1, 9]]), next: 3 })
      // The next session goes on behind them.
      const again = yield* session(path, [[{ id: 7, seq: 4 }]])
      assert.deepStrictEqual(again, { newest: new Map([[0, 1], [1, 9], [7, 4]]), next: 4 })
      assert.strictEqual(fs.statSync(`${path}-t`).size, 4 * HeadRing.entryBytes)
    }))

  it.live("are known of what was written before this session, and not asked for of what it has written", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "app.db")
      yield* session(path, [heads(3, 0, 5)])
      const file = (yield* open(at(path), "t"))!
      assert.deepStrictEqual([0, 1, 2, 3].map((id) => file.of(id)), [5, 6, 7, 0])
      file.note([{ id: 1, seq: 8 }])
      file.note([{ id: 2, seq: 9 }])
      file.note([{ id: 0, seq: 9 }])
      assert.deepStrictEqual([0, 1, 2].map((id) => file.of(id)), [0, 0, 0])
    }))

  it.live("of a large batch are all there, in their order, also around the end of the ring", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "app.db")
      const many = heads(HeadRing.ringSize - 100)
      const first = yield* session(path, [many])
      assert.strictEqual(first!.newest.size, many.length)
      assert.strictEqual(first!.next, many.length)
      const second = yield* session(path, [heads(2500, 1_000_000), heads(3, 2_000_000)])
      assert.strictEqual(second!.next, many.length + 2503)
      assert.strictEqual(fs.statSync(`${path}-t`).size, HeadRing.ringSize * HeadRing.entryBytes)
      for (const [id, seq] of [[1_000_000, 1], [1_001_500, 1501], [1_002_499, 2500], [2_000_002, 3]] as const) {
        assert.strictEqual(second!.newest.get(id), seq)
      }
      // The oldest were written over, and no others.
      assert.isUndefined(second!.newest.get(0))
      assert.isUndefined(second!.newest.get(2402))
      assert.strictEqual(second!.newest.get(2403), 2404)
    }))

  it.live("are missed where the file cannot be written, and fail nothing; a file that is none is not believed", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "app.db")
      fs.mkdirSync(`${path}-t`)
      const file = (yield* open(at(path), "t"))!
      file.note(heads(3))
      assert.strictEqual(file.of(1), 0)
      const other = join(yield* folder, "app.db")
      fs.writeFileSync(`${other}-t`, "no ring")
      assert.deepStrictEqual(yield* session(other, []), HeadRing.none)
    }))

  it.live("are kept for no database in memory, and their file is closed with the Scope", () =>
    Effect.gen(function*() {
      for (
        const rows of [[], [{ name: "main", file: "" }], [{ name: "main", file: null }], [{ name: "temp", file: "x" }]]
      ) {
        assert.isUndefined(yield* open(() => Effect.succeed(rows), "t"))
      }
      const path = join(yield* folder, "app.db")
      const scope = yield* Scope.make()
      const file = (yield* Scope.provide(open(at(path), "t"), scope))!
      file.note(heads(1))
      const openFiles = () =>
        fs.readdirSync("/proc/self/fd").filter((fd) => {
          try {
            return fs.readlinkSync(`/proc/self/fd/${fd}`) === `${path}-t`
          } catch {
            return false
          }
        }).length
      const isSeen = fs.existsSync("/proc/self/fd")
      if (isSeen) assert.strictEqual(openFiles(), 1)
      yield* Scope.close(scope, Exit.void)
      if (isSeen) assert.strictEqual(openFiles(), 0)
      assert.strictEqual(HeadRing.read(fs.readFileSync(`${path}-t`)).next, 1)
    }))
})
