/** A SQLite store beside other connections: alone its rings say who wrote a key, and else its rows do. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { folder } from "../../../kit/Folder.ts"

const opened = Effect.gen(function*() {
  const filename = join(yield* folder, "app.db")
  const store = yield* StateStoreSqlite.make({ filename })
  const other = yield* Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(filename)),
    (db) => Effect.sync(() => db.close())
  )
  other.exec("CREATE TABLE orders (n INTEGER)")
  const epoch = yield* store.acquireEpoch("app")
  const batch = (keys: ReadonlyArray<string>, seq: number, at = epoch) =>
    keys.map((key) => ({ key, epoch: at, seq, version: 1, state: `"${key} ${seq}"`, trusted: seq - 1, at: seq }))
  return { filename, store, other, epoch, batch }
})

describe("a SQLite store beside other connections", () => {
  for (const size of [1, 64, 100]) {
    const keys = Array.from({ length: size }, (_, i) => `k${i}`)

    it.effect(`goes on when another commits in the same file: batches of ${size}`, () =>
      Effect.gen(function*() {
        const { batch, other, store } = yield* opened
        for (let seq = 1; seq <= 12; seq++) {
          if (seq % 3 === 0) other.exec("INSERT INTO orders VALUES (1)")
          yield* store.save(batch(keys, seq))
        }
        for (const key of [keys[0]!, keys.at(-1)!]) {
          const found = yield* store.load(key)
          assert.deepStrictEqual(
            found.map(({ seq, state }) => [seq, state]),
            [12, 11, 10].map((seq) => [
              seq,
              `"${key} ${seq}"`
            ])
          )
        }
      }))

    for (const isKnown of [false, true]) {
      const when = isKnown ? "after others had committed before" : "who came first"
      it.effect(`is refused a key that another has written since, ${when}, and that key alone: batches of ${size}`, () =>
        Effect.gen(function*() {
          const { batch, filename, other, store } = yield* opened
          // What is known of it is of an older version from then on.
          yield* store.save(batch(["idle"], 1))
          yield* store.save(batch(keys, 1))
          if (isKnown) other.exec("INSERT INTO orders VALUES (1)")
          yield* store.save(batch(keys, 2))
          const last = keys.at(-1)!
          yield* Effect.scoped(Effect.gen(function*() {
            const person = yield* StateStoreSqlite.make({ filename })
            const younger = yield* person.acquireEpoch("person")
            // In another slot than the next one of the first.
            yield* person.remove([last], younger)
            yield* person.save(batch([last], 1, younger))
          }))
          const { reason } = yield* Effect.flip(store.save(batch(keys, 3)))
          assert.strictEqual(reason._tag, "Fenced")
          assert.strictEqual(reason._tag === "Fenced" ? reason.key : undefined, last)
          assert.deepStrictEqual((yield* store.load(last)).map(({ seq }) => seq), [1])
          if (size === 1) return
          yield* store.save(batch(keys.slice(0, -1), 3))
          assert.strictEqual((yield* store.load(keys[0]!))[0]?.seq, 3)
        }))
    }
  }
})
