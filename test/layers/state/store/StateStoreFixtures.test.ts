/** Stores that an earlier version wrote, read after a deploy that has changed the state's schema. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { join } from "node:path"
import * as Generations from "../../../../src/domain/state/Generations.ts"
import * as Recovery from "../../../../src/domain/state/Recovery.ts"
import { booksOf, trustedUpTo } from "../../../../src/domain/state/stored/StoredRecovery.ts"
import { StateSchema, type StateStore } from "../../../../src/index.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { copy } from "../../../kit/stores/Copies.ts"

const V1 = Schema.Struct({ count: Schema.Int, names: Schema.Array(Schema.String) })
const V2 = Schema.Struct({ total: Schema.Int, names: Schema.ReadonlySet(Schema.String) })
const State = StateSchema.make(V1).next(V2, ({ count, names }) => ({ total: count, names: new Set(names) }))

const keys = ["shop/till/1", "shop/till/ü\u0000\ud800"]

const afterDeploy = Effect.fnUntraced(function*(store: StateStore.StateStore<"process">) {
  assert.deepStrictEqual(yield* store.keys("shop/"), keys)
  const epoch = yield* store.acquireEpoch("shop")
  assert.strictEqual(epoch, 2)
  const found = yield* Effect.forEach(keys, store.load)
  assert.deepStrictEqual(found.map((records) => records.map((one) => one.seq)), [[4, 3], [5, 4, 3]])
  for (const records of found) {
    for (const { answers = [], seq, state, version } of records) {
      assert.deepStrictEqual(State.decode(version, state), {
        _tag: "Decoded",
        state: { total: seq * 10, names: new Set(["ann", "bob"]) },
        migratedFrom: 1
      })
      assert.deepStrictEqual(answers.map((one) => one.id), Array.from({ length: seq }, (_, i) => `call-${i + 1}`))
    }
  }
  const aside = yield* store.listAside("shop/till/1")
  assert.deepStrictEqual(aside.map((one) => [one.seq, one.why, one.answers?.map((answer) => answer.id)]), [
    [5, "restore crashed on snapshot 5: boom", ["call-5"]]
  ])
  // the books know what was trusted, and the next commit is written in the new version
  const books = booksOf(found[0]!)
  const { decision } = Recovery.decide(books)
  assert.strictEqual(decision._tag === "Restore" ? decision.snapshot.seq : undefined, 4)
  const seq = Generations.lastSeq(books, aside) + 1
  assert.strictEqual(seq, 6)
  const { state, version } = Result.getOrThrow(State.encode({ total: 41, names: new Set(["cy"]) }))
  yield* store.save([{ key: keys[0]!, epoch, seq, version, state, trusted: trustedUpTo(found[0]!), at: 1 }])
  const [newest] = yield* store.load(keys[0]!)
  assert.deepStrictEqual(State.decode(newest!.version, newest!.state), {
    _tag: "Decoded",
    state: { total: 41, names: new Set(["cy"]) },
    migratedFrom: undefined
  })
})

describe("a store of version 0.1", () => {
  it.live("is read from files, migrated, and written on", () =>
    Effect.gen(function*() {
      const damages: Array<StateStoreFile.Damage> = []
      yield* afterDeploy(
        yield* StateStoreFile.make({
          directory: join(yield* copy, "files"),
          onDamage: (damage) => Effect.sync(() => damages.push(damage))
        })
      )
      assert.deepStrictEqual(damages, [])
    }).pipe(Effect.provide(NodeServices.layer)))

  it.live("is read from SQLite, migrated, and written on", () =>
    Effect.gen(function*() {
      yield* afterDeploy(yield* StateStoreSqlite.make({ filename: join(yield* copy, "states.db") }))
    }))
})
